from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.cli.office import process, program


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_what_it_prints_can_be_pasted_and_works(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "a key; with $(signs)"
    command = program("simulate", "--port", "0", "--key", key, "--seed", "3")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as simulator:
        assert simulator.stdout is not None
        shown = ""
        while "export" not in shown:
            shown += simulator.stdout.readline()
        source, export = (line.strip() for line in shown.splitlines() if line.startswith("    "))
        (folder / "rules.yaml").write_text(f"{source}\nrules: []\n")
        asked = f"{export.replace(key, key.replace(' ', '-'))}\n{' '.join(program('check', '--online'))}"
        done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, timeout=60)
        simulator.send_signal(signal.SIGTERM)
        rest = simulator.communicate(timeout=30)
    # A blank is in no real key, so the program refuses to send it; the quoting is what counts here.
    assert export == "export PERPLEXITY_ANALYTICS_API_KEY='a key; with $(signs)'"
    assert "refused the key" in done.stderr
    assert (simulator.returncode, rest) == (0, ("", ""))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(cli: Cli, number: int) -> None:
    port = free_port()
    statuses: list[int] = []

    def ask_and_stop() -> None:
        while not statuses:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/analytics/computer/usage")
            except urllib.error.HTTPError as error:
                statuses.append(error.code)
                error.close()
            except OSError:
                threading.Event().wait(0.005)
        os.kill(os.getpid(), number)

    threading.Thread(target=ask_and_stop).start()
    ran = cli("simulate", "--port", str(port))
    assert (ran.code, ran.err, statuses) == (0, "", [401])
    assert re.search(rf'^    source: {{base_url: "http://127.0.0.1:{port}"}}$', ran.out, re.M)
    assert re.search(r"^    export PERPLEXITY_ANALYTICS_API_KEY=simulated-analytics-key$", ran.out, re.M)


def test_where_there_is_a_proxy_it_says_how_to_get_past(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, expected in (("http_proxy", True), ("unrelated", False)):
        monkeypatch.setenv(name, "http://proxy.example.com:3128")
        with subprocess.Popen(program("simulate", "--port", "0"), stdout=subprocess.PIPE, text=True) as simulator:
            assert simulator.stdout is not None
            shown = ""
            while "API_KEY" not in shown:
                shown += simulator.stdout.readline()
            simulator.terminate()
            shown += simulator.stdout.read()
        assert ("    export NO_PROXY=127.0.0.1\n" in shown) is expected
        monkeypatch.delenv(name)


def test_a_busy_port_ends_with_5(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        ran = cli("simulate", "--port", str(port))
    assert (ran.code, ran.out) == (5, "")
    assert ran.err == (
        f"usage-watch: port {port} cannot be had (address already in use); choose another with --port, or 0\n"
    )


@pytest.mark.parametrize("arguments", [("--port", "70000"), ("--port", "x"), ("--seed", "-1")])
def test_what_is_no_port_or_seed_ends_with_2(folder: Path, cli: Cli, arguments: tuple[str, ...]) -> None:
    ran = cli("simulate", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"usage-watch: Invalid value for '{arguments[0]}'")
    assert ran.err.endswith("See `usage-watch simulate --help`.\n")


def test_the_schema_is_the_packaged_one(cli: Cli) -> None:
    import usage_watch

    packaged = Path(usage_watch.__file__).with_name("rules.schema.json")
    assert json.loads(cli("schema").out) == json.loads(packaged.read_text())


def test_the_version_is_printed_without_anything_else(folder: Path) -> None:
    from usage_watch import __version__

    assert process("--version").out == f"usage-watch {__version__}\n"
    assert process("-v", "--version").out == f"usage-watch {__version__}\n"
