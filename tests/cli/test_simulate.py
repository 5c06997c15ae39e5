from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import textwrap
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.cli.office import Ran, process, program
from usage_watch.cli.common.scenario_file import read
from usage_watch.simulator import (
    Departure,
    FaultKind,
    Outage,
    Revision,
    Runaway,
    Scenario,
    SyncLag,
    SyncStop,
    scenario,
)


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


def answered(cli: Cli, *arguments: str, number: int = signal.SIGTERM) -> tuple[Ran, int, int]:
    """What the command said, its port, and the status of a request without a key."""
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
    ran = cli("simulate", "--port", str(port), *arguments)
    return ran, port, statuses[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(cli: Cli, number: int) -> None:
    ran, port, status = answered(cli, number=number)
    assert (ran.code, ran.err, status) == (0, "", 401)
    assert re.search(rf'^    source: {{base_url: "http://127.0.0.1:{port}"}}$', ran.out, re.M)
    assert re.search(r"^    export PERPLEXITY_ANALYTICS_API_KEY=simulated-analytics-key$", ran.out, re.M)


def test_it_plays_the_scenario_of_a_file(cli: Cli, folder: Path) -> None:
    (folder / "story.yaml").write_text("faults: [{start_at: 2020-01-01, kind: status_503}]")
    ran, _, status = answered(cli, "--scenario", "story.yaml")
    assert (ran.code, ran.err, status) == (0, "", 503)


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


def told(folder: Path, text: str, **options: Any) -> Scenario:
    file = folder / "story.yaml"
    file.write_text(text)
    return read(file, {"seed": 1, "start_at": "2026-08-10T00:00:00+00:00"}, options)


def example(text: str | None) -> str:
    """The indented lines of a text, as they would stand in a file."""
    assert text is not None
    return textwrap.dedent("".join(re.findall(r"^ {4}.*\n", text, re.M)))


def at(month: int, day: int, hour: int = 0) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def test_the_example_of_the_language_means_what_it_says(folder: Path) -> None:
    assert told(folder, example(scenario.__doc__)) == Scenario(
        seed=7,
        start_at=at(8, 10),
        lag=SyncLag(usual_minutes=(20, 90), late_share=0.08, in_order=True, partial_share=0.25),
        stops=(SyncStop(at(9, 2, 22), at(9, 3, 8)),),
        runaways=(Runaway("ana@example.com", "gpt-5-5", at(9, 1, 1), 5, 7_000),),
        revisions=(Revision(at(9, 1, 2), at(9, 1, 9), 0.5),),
        departures=(Departure("max@example.com", at(9, 10, 12)),),
        faults=(
            Outage(at(9, 4), FaultKind.STATUS_503, at(9, 4, 6)),
            Outage(at(9, 5), FaultKind.CUT_BODY, dataset="credit_usage", after=3, every=2, times=4),
        ),
    )


def test_the_example_of_the_help_can_be_played(cli: Cli, folder: Path) -> None:
    helped = cli("simulate", "--help").out
    shown = textwrap.dedent("".join(re.findall(r"^ {6}.*\n", helped.partition("Options:")[0], re.M)))
    (folder / "story.yaml").write_text(shown)
    parts = told(folder, shown)
    assert all((parts.stops, parts.runaways, parts.revisions, parts.departures, parts.faults))
    assert answered(cli, "--scenario", "story.yaml")[0].code == 0


def test_what_a_file_leaves_out_is_as_without_it_and_an_option_wins_over_it(folder: Path) -> None:
    plain = Scenario(seed=1, start_at=at(8, 10))
    assert read(None, {"seed": 1, "start_at": "2026-08-10"}, {}) == plain
    assert told(folder, "{}") == plain
    assert told(folder, "seed: 4").seed == 4
    assert told(folder, "seed: 4", seed=3).seed == 3
    assert told(folder, "{lag: ~, quiet: true, zone: Asia/Tokyo}") == Scenario(
        seed=1, start_at=at(8, 10), lag=None, quiet=True, zone="Asia/Tokyo"
    )


def test_the_seed_of_the_command_line_stands_in_place_of_the_files(cli: Cli, folder: Path) -> None:
    (folder / "story.yaml").write_text("seed: x\nquiet: 1\n")
    file, option = (
        cli("simulate", "--scenario", "story.yaml"),
        cli("simulate", "--scenario", "story.yaml", "--seed", "3"),
    )
    assert file.err == "story.yaml:1:7: `seed` takes a whole number\nstory.yaml:2:8: `quiet` takes true or false\n"
    assert option.err == "story.yaml:2:8: `quiet` takes true or false\n"


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ('seed: "1"', ["1:7: `seed` takes a whole number"]),
        ("zone: 3", ["1:7: `zone` takes text; put quotes around it"]),
        ("zone: Europe/Atlantis", ["1:7: `zone` takes the IANA name of a time zone, such as Europe/Berlin"]),
        ("zone: Europe", ["1:7: `zone` takes the IANA name of a time zone, such as Europe/Berlin"]),
        ("zone: ../etc", ["1:7: `zone` takes the IANA name of a time zone, such as Europe/Berlin"]),
        ("stopps: []", ["1:1: `stopps` is not known here; did you mean `stops`?"]),
        ("xyz: []", ["1:1: `xyz` is not known here; `usage-watch simulate --help` shows what is"]),
        ("lag: {late_shar: 0.1}", ["1:7: `late_shar` is not known here; did you mean `late_share`?"]),
        ("lag: 3", ["1:6: `lag` takes fields, each written as `name: value`"]),
        ("lag: {usual_minutes: [1]}", ["1:22: `usual_minutes` takes a list of two whole numbers"]),
        ("lag: {usual_minutes: [1, 2, 3]}", ["1:22: `usual_minutes` takes a list of two whole numbers"]),
        ("lag: {usual_minutes: [2, x]}", ["1:26: `usual_minutes` takes a whole number"]),
        ("lag: {partial_share: most}", ["1:22: `partial_share` takes a number"]),
        ("lag: {partial_share: 2}", ["1:6: A lag's shares are 0 to 1"]),
        ("stops: {}", ["1:8: `stops` takes a list"]),
        ("departures:\n  - {at: 2026-09-10}", ["2:5: needs `member`"]),
        ("departures: [{member: a, at: soon}]", ["1:30: `at` takes a time such as 2026-08-10T14:00Z, or a date"]),
        ("departures: [{member: a, at: 12}]", ["1:30: `at` takes a time such as 2026-08-10T14:00Z, or a date"]),
        ("start_at: 2026-99-99", ["1:11: `start_at` takes a time such as 2026-08-10T14:00Z, or a date"]),
        ("start_at: 2026-08-10T01:00Z", ["1:1: A scenario starts at 00:00 UTC, not at 2026-08-10T01:00:00+00:00"]),
        (
            "departures: [{member: a, at: 2026-09-10T12:00}]",
            ["1:14: A scenario's instants need a time zone: give aware datetimes, such as 2026-08-10T14:00Z"],
        ),
        (
            "faults:\n- {start_at: 2026-09-04, kind: drip, every: 0}\n- {start_at: 2026-09-04, kind: drip, evry: 2}",
            ["2:3: An outage's every is 1 or above", "3:38: `evry` is not known here; did you mean `every`?"],
        ),
        ("- seed: 1", ["1:1: the file is a bare list; if these are rules, indent them under a line `rules:`"]),
    ],
)
def test_every_fault_of_a_scenario_is_told_at_its_place(
    cli: Cli, folder: Path, text: str, faults: Sequence[str]
) -> None:
    (folder / "story.yaml").write_text(f"{text}\n")
    ran = cli("simulate", "--scenario", "story.yaml")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines() == [f"story.yaml:{fault}" for fault in faults]


def test_a_wrong_kind_of_fault_is_answered_with_all_kinds(cli: Cli, folder: Path) -> None:
    (folder / "story.yaml").write_text("faults: [{start_at: 2026-09-04, kind: 503}]")
    (line,) = cli("simulate", "--scenario", "story.yaml").err.splitlines()
    assert line.startswith("story.yaml:1:39: `kind` takes 'throttled', ")
    assert re.findall(r"'(\w+)'", line) == [kind.value for kind in FaultKind]


def test_whom_the_organization_lacks_is_told(cli: Cli, folder: Path) -> None:
    (folder / "story.yaml").write_text("departures: [{member: nobody@example.com, at: 2026-09-10}]")
    ran = cli("simulate", "--scenario", "story.yaml")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "usage-watch: The scenario cannot be played: "
        "The organization has no member 'nobody@example.com' who could leave.\n"
    )


def test_a_scenario_that_is_not_there_ends_with_2(cli: Cli, folder: Path) -> None:
    (folder / "folder").mkdir()
    for name, words in (("none.yaml", "does not exist"), ("folder", "is a directory")):
        ran = cli("simulate", "--scenario", name)
        assert (ran.code, ran.out) == (2, "")
        assert words in ran.err
        assert len(ran.err.splitlines()) == 1


def test_the_schema_is_the_packaged_one(cli: Cli) -> None:
    import usage_watch

    packaged = Path(usage_watch.__file__).with_name("rules.schema.json")
    assert json.loads(cli("schema").out) == json.loads(packaged.read_text())


def test_the_version_is_printed_without_anything_else(folder: Path) -> None:
    from usage_watch import __version__

    assert process("--version").out == f"usage-watch {__version__}\n"
    assert process("-v", "--version").out == f"usage-watch {__version__}\n"
