"""The demo, whole: the longest test of the command line."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import Cli
from tests.cli.office import program
from usage_watch.cli.demo import EVENING
from usage_watch.clock import STEPPED, SteppedClock
from usage_watch.core.listening import DEFAULT, split_listen


def test_a_night_is_told_and_nothing_is_left_behind(
    cli: Cli, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.delenv(STEPPED)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with subprocess.Popen(program("simulate", "--port", "0"), stdout=subprocess.PIPE, text=True) as bystander:
        assert bystander.stdout is not None
        assert bystander.stdout.readline()
        ran = cli("demo")
        assert bystander.poll() is None, "it ends nothing that it did not start"
        bystander.terminate()
        bystander.communicate(timeout=30)
    assert (ran.code, ran.err) == (0, "")
    assert "Traceback" not in ran.out
    told = [line for line in ran.out.splitlines() if "│" in line]
    assert "👋 usage-watch watches 4 rules and tells you here" in told[0]
    assert ran.out.count("👋") == 1, "and not again after it was killed"
    for said in ("kill -9", "over the", "(runaway, since", "ended", "usage-watch check"):
        assert said in ran.out
    assert list(temporary.iterdir()) == []
    assert list(folder.iterdir()) == []


@contextmanager
def taken() -> Iterator[None]:
    """The usual port is another program's: ours, where nobody else has it."""
    with socket.socket() as ours:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            ours.bind(split_listen(DEFAULT))
            ours.listen()
        yield


def test_told_to_end_it_tidies_up(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.delenv(STEPPED)
    monkeypatch.setenv("TMPDIR", str(temporary))
    with subprocess.Popen(program("demo"), stdout=subprocess.PIPE, text=True, start_new_session=True) as demo:
        assert demo.stdout is not None
        while "starts for the first time" not in demo.stdout.readline():
            pass
        # The daemon has begun to tell: it is in the midst of things.
        while "│" not in demo.stdout.readline():
            pass
        demo.terminate()
        demo.communicate(timeout=30)
    assert demo.returncode == 143
    assert list(temporary.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.killpg(demo.pid, 0)


def _goes_on(page: str, clock_file: Path) -> None:
    """Time passes by itself, and by it the daemon asks the source again: half an hour of that is skipped."""

    def polls() -> str:
        metrics = httpx.get(f"{page}metrics", trust_env=False).text
        return next(line for line in metrics.splitlines() if 'polls_total{feed="credit_usage 1h"' in line)

    clock = SteppedClock(clock_file)
    shown, polled = clock.now(), polls()
    assert clock.now() > shown
    clock.step(EVENING + timedelta(days=1, hours=3, minutes=31))
    clock.go_on()
    while polls() == polled:
        time.sleep(0.05)
    assert "As of Fri 20 Nov 21:31 (Europe/Berlin)" in httpx.get(page, trust_env=False).text
    assert httpx.get(f"{page}healthz", trust_env=False).text.startswith("ok")


def test_its_page_stays_open_until_somebody_ends_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.delenv(STEPPED)
    monkeypatch.setenv("TMPDIR", str(temporary))
    with (
        taken(),
        subprocess.Popen(program("demo", "--serve"), stdout=subprocess.PIPE, text=True, start_new_session=True) as demo,
    ):
        assert demo.stdout is not None
        told: list[str] = []
        while not told or "Ctrl-C ends it" not in told[-1]:
            told.append(demo.stdout.readline())
        assert any("What to do next" in line for line in told)
        found = re.fullmatch(
            r"Its status page is open at (http://127\.0\.0\.1:\d+/) and goes on from .*; Ctrl-C ends it\.\n", told[-1]
        )
        assert found is not None
        assert ":8321/" not in found[1], "another program has that one"
        page = httpx.get(found[1], trust_env=False)
        assert page.status_code == 200
        assert "As of Fri 20 Nov 21:00 (Europe/Berlin)" in page.text
        _goes_on(found[1], *temporary.glob("*/clock"))
        os.killpg(demo.pid, signal.SIGINT)  # to all in front of the terminal, as Ctrl-C is
        out, _ = demo.communicate(timeout=30)
    assert (demo.returncode, out) == (0, "")
    assert list(temporary.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.killpg(demo.pid, 0)
    with pytest.raises(httpx.ConnectError):
        httpx.get(found[1], trust_env=False)
