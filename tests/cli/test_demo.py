"""The demo, whole: the longest test of the command line."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.cli.office import program
from usage_watch.clock import STEPPED


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
