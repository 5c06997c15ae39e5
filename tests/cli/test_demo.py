"""The demo, whole: the longest test of the command line."""

from __future__ import annotations

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
    for said in ("kill -9", "over the", "(runaway, since", "ended", "usage-watch check"):
        assert said in ran.out
    assert list(temporary.iterdir()) == []
    assert list(folder.iterdir()) == []
