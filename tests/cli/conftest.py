"""A rules file, a simulated source, and the command line in this process."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.office import NOW, RULES, Ran, scenario
from usage_watch.cli.entry import run
from usage_watch.clock import STEPPED, SteppedClock
from usage_watch.simulator import DEFAULT_KEY, SimulatorServer

Cli = Callable[..., Ran]


@pytest.fixture
def clock(tmp_path: Path) -> SteppedClock:
    """Stands still at NOW."""
    clock = SteppedClock(tmp_path / "clock")
    clock.step(NOW)
    return clock


@pytest.fixture
def folder(tmp_path: Path, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: empty; the environment knows the clock and no secret."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv(STEPPED, str(tmp_path / "clock"))
    monkeypatch.setenv("NO_PROXY", "*")
    for name in ("USAGE_WATCH_CONFIG", "PERPLEXITY_ANALYTICS_API_KEY", "HOOK_SECRET", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def cli(folder: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Cli]:
    """Runs a command line, as the program does, and answers how it ended."""

    def command(*arguments: str) -> Ran:
        capsys.readouterr()
        code = run(arguments)
        return Ran(code, *capsys.readouterr())

    yield command
    logging.getLogger("usage_watch").handlers = []


@pytest.fixture
def source(clock: SteppedClock) -> Iterator[SimulatorServer]:
    """A quiet organization with three jobs that ran away."""
    with SimulatorServer(scenario(), now=clock.now) as server:
        yield server


@pytest.fixture
def rules(folder: Path, source: SimulatorServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A rules file that is right, and the key."""
    monkeypatch.setenv("PERPLEXITY_ANALYTICS_API_KEY", DEFAULT_KEY)
    path = folder / "rules.yaml"
    path.write_text(RULES.format(source=source.base_url))
    return path


@pytest.fixture(scope="session")
def fetched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database after one cycle; copied, never used."""
    folder = tmp_path_factory.mktemp("fetched")
    clock = SteppedClock(folder / "clock")
    clock.step(NOW)
    with pytest.MonkeyPatch.context() as patch, SimulatorServer(scenario(), now=clock.now) as server:
        patch.setenv(STEPPED, str(folder / "clock"))
        patch.setenv("NO_PROXY", "*")
        patch.setenv("PERPLEXITY_ANALYTICS_API_KEY", DEFAULT_KEY)
        patch.chdir(folder)
        (folder / "rules.yaml").write_text(RULES.format(source=server.base_url))
        assert run(["run", "--once"]) == 0
    return folder / "usage-watch.db"


@pytest.fixture
def watched(rules: Path, fetched: Path) -> Path:
    """The rules file beside a database after one cycle."""
    shutil.copy(fetched, rules.parent)
    return rules
