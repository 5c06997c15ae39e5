"""The image, built and run for real: slow, so only where USAGE_WATCH_SLOW=1 is set."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.deploy.engine import IMAGE, Container, Engine, engine
from tests.deploy.reading import USER
from tests.fakes.alertmanager import eventually
from usage_watch.simulator import DEFAULT_KEY, Scenario, SimulatorServer

RULES = """\
source: {{base_url: "{source}", api_key: {{file: /run/secrets/analytics_key}}, backfill: 6d}}
web: {{listen: "127.0.0.1:{port}"}}
channels: {{screen: {{kind: log}}}}
notify: [screen]
rules:
  - {{id: used, kind: threshold, window: 72h, above: {{critical: 1}}}}
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with engine(tmp_path_factory.mktemp("engine")) as found:
        yield found


class Watched:
    """A container that watches a simulated organization on this machine."""

    def __init__(self, container: Container, port: int, folder: Path) -> None:
        self.container, self.port, self.folder = container, port, folder

    def get(self, path: str) -> int:
        """The status; 0 where nobody answers."""
        with suppress(httpx.TransportError):
            return httpx.get(f"http://127.0.0.1:{self.port}{path}", trust_env=False, timeout=10).status_code
        return 0

    def told(self) -> int:
        """How often its channel was told of the alert."""
        return len(re.findall(r"^🔴", self.container.log(), re.MULTILINE))

    def comes_up(self) -> None:
        assert eventually(lambda: self.get("/readyz") == 200), self.container.log()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def watched(built: Engine, tmp_path: Path) -> Iterator[Watched]:
    port, rules, key = free_port(), tmp_path / "rules", tmp_path / "analytics_key"
    rules.mkdir()
    key.write_text(DEFAULT_KEY)
    key.chmod(0o400)
    os.chown(key, USER, USER)
    start_at = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=30)
    with SimulatorServer(Scenario(seed=1, start_at=start_at, lag=None)) as source:
        (rules / "rules.yaml").write_text(RULES.format(source=source.base_url, port=port))
        mounts = ("data:/data", f"{rules}:/etc/usage-watch:ro", f"{key}:/run/secrets/analytics_key:ro")
        container = built.start("watcher", *mounts)
        try:
            found = Watched(container, port, rules)
            found.comes_up()
            yield found
        finally:
            built.podman("rm", "--force", "--time", "0", "watcher")
            built.podman("volume", "rm", "data")


def test_it_is_what_the_file_says(built: Engine) -> None:
    found = built.inspect(IMAGE)
    config = found["Config"]
    assert (config["User"], config["StopSignal"]) == (f"{USER}:{USER}", "SIGTERM")
    assert (config["Entrypoint"], config["Cmd"]) == (["usage-watch"], ["run"])
    assert found["Healthcheck"]["Test"] == ["CMD", "usage-watch", "health"]
    assert list(config["Volumes"]) == ["/data"]


def test_it_watches_as_nobody_on_a_root_that_nobody_can_write(watched: Watched) -> None:
    kernel = watched.container.kernel()
    assert kernel["Uid"].split() == [str(USER)] * 4
    assert {int(kernel[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert (kernel["NoNewPrivs"], kernel["Seccomp"]) == ("1", "2")
    for place in ("/", "/tmp", "/opt/usage-watch", "/etc/usage-watch"):
        assert "Read-only file system" in watched.container.run("touch", f"{place}/x").stderr
    assert watched.told() >= 1
    assert watched.container.run("usage-watch", "status").returncode == 0


def test_what_it_imports_is_compiled(watched: Watched) -> None:
    look = "import json, numpy, usage_watch as ours; print(json.__cached__, numpy.__cached__, ours.__cached__)"
    found = watched.container.run("/opt/usage-watch/bin/python", "-c", look).stdout.split()
    assert len(found) == 3
    for path in found:
        assert watched.container.run("test", "-e", path).returncode == 0, path


def test_a_watcher_that_hangs_is_unhealthy_until_it_goes_on(watched: Watched) -> None:
    assert watched.container.healthcheck() == 0
    assert watched.container.health == "healthy"
    os.kill(watched.container.pid, signal.SIGSTOP)
    # Each waits for 5 s; those of the first 30 s do not count, and of the others it takes three.
    assert any(watched.container.healthcheck() and watched.container.health == "unhealthy" for _ in range(12))
    os.kill(watched.container.pid, signal.SIGCONT)
    assert watched.container.healthcheck() == 0
    assert watched.container.health == "healthy"


def test_a_stop_ends_it_in_order(watched: Watched) -> None:
    watched.container.engine.podman("stop", "--time", "10", watched.container.name)
    assert watched.container.exit_code == 0, "137 is what had to be killed"
    assert "daemon.stopped" in watched.container.log()


@pytest.mark.parametrize("anew", [False, True], ids=["started again", "made anew"])
def test_what_was_killed_goes_on_and_repeats_nothing(watched: Watched, built: Engine, anew: bool) -> None:
    before = watched.told()
    built.podman("kill", "--signal", "KILL", watched.container.name)
    assert eventually(lambda: watched.container.exit_code == 137)
    if anew:
        mounts = [f"{each['Source']}:{each['Destination']}" for each in built.inspect("watcher")["Mounts"]]
        built.podman("rm", "watcher")
        built.start("watcher", *mounts)
        before = 0
    else:
        built.podman("start", "watcher")
    watched.comes_up()
    assert watched.told() == before
    assert watched.container.healthcheck() == 0


def test_rules_that_were_replaced_are_taken_up_by_a_reload(watched: Watched) -> None:
    file, reload = watched.folder / "rules.yaml", ("usage-watch", "reload")
    anew = watched.folder / "anew"
    for text, code in ((file.read_text().replace("critical: 1", "critical: 2"), 0), ("rules: [", 2)):
        anew.write_text(text)
        anew.replace(file)  # as editors do
        assert watched.container.run(*reload).returncode == code
    assert watched.get("/readyz") == 200
