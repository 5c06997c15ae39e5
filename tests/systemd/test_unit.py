"""The unit, as systemd-analyze reads it: needs no running systemd."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "systemd"
UNIT = FOLDER / "usage-watch.service"
STEPS = (FOLDER / "README.md").read_text()


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        why = "systemd-analyze is not installed: apt-get install systemd"
        (pytest.fail if os.environ.get("CI_DEBIAN") == "1" else pytest.skip)(why)
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """A copy whose program is there."""
    text, times = re.subn(r"^(Exec\w+=)\S+", r"\1/bin/true", UNIT.read_text(), flags=re.MULTILINE)
    assert times == 2
    copy = tmp_path / UNIT.name
    copy.write_text(text)
    return copy


def test_every_line_is_understood(unit: Path) -> None:
    # An unknown key, or a value that is none, is said on standard error and ends with 0.
    done = analyze("verify", "--man=no", str(unit))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_line_that_is_not_understood_would_be_said(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("LockPersonality=yes", "LockPersonalty=yes"))
    assert "LockPersonalty" in analyze("verify", "--man=no", str(unit)).stderr


def test_all_is_taken_from_it_that_it_does_not_need(unit: Path) -> None:
    done = analyze("security", "--offline=true", "--threshold=15", "--no-pager", str(unit))
    assert done.returncode == 0, done.stdout
    exposure = re.search(r"exposure level for usage-watch.service: ([0-9.]+)", done.stdout)
    assert exposure is not None
    assert float(exposure[1]) <= 1.5


def test_the_credential_is_the_one_that_the_steps_make() -> None:
    [(name, path)] = re.findall(r"^LoadCredential=([^:]+):(.+)$", UNIT.read_text(), re.MULTILINE)
    assert f"install -m 600 /dev/stdin {path}" in STEPS
    assert f"{{credential: {name}}}" in STEPS


def test_the_environment_file_sets_nothing_until_somebody_does() -> None:
    lines = (FOLDER / "environment").read_text().splitlines()
    assert all(not line or line.startswith("#") for line in lines)
