"""What a start of the program loads: commands pay for what they use, and nobody else does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"numpy", "httpx", "slack_sdk", "pydantic", "sqlite_utils", "yaml", "sqlite3", "asyncio", "ssl"}
INSTALLED = str(Path(sys.executable).with_name("usage-watch"))


def imported(*arguments: str) -> set[str]:
    """The modules that a start imports, by `-X importtime`."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    assert len(lines) > 20
    return {line.rpartition("|")[2].strip() for line in lines}


def of_python() -> set[str]:
    """What an empty program imports here: editable installs and coverage add their own."""
    return imported("-c", "pass")


@pytest.mark.parametrize(
    "command",
    [
        "--help",
        "run --help",
        "status --help",
        "budget --help",
        "top --help",
        "alerts show --help",
        "demo --help",
    ],
)
@pytest.mark.parametrize(
    "start",
    [
        pytest.param(["-m", "usage_watch"], id="module"),
        pytest.param(
            [INSTALLED],
            id="script",
            marks=pytest.mark.skipif(shutil.which(INSTALLED) is None, reason="it is not installed beside this Python"),
        ),
    ],
)
def test_help_imports_nothing_heavy(start: list[str], command: str) -> None:
    found = imported(*start, *command.split())
    assert "usage_watch.cli.entry" in found
    assert {name for name in found if name.partition(".")[0] in HEAVY} == set()


def test_the_version_imports_nothing_but_itself() -> None:
    found = imported("-m", "usage_watch", "--version") - of_python()
    assert {name for name in found if name.startswith("usage_watch")} == {"usage_watch", "usage_watch.__main__"} - {
        "usage_watch.__main__"  # as a script it is `__main__`
    }
    assert "click" not in found


def test_health_loads_next_to_nothing(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(f"web: off\nstore: {{path: {tmp_path / 'usage.db'}}}\n")
    Path(f"{tmp_path / 'usage.db'}.daemon").write_text(str(os.getpid()))
    found = imported("-m", "usage_watch", "--config", str(rules), "health")
    assert {name.partition(".")[0] for name in found} & HEAVY == {"yaml"}


@pytest.mark.parametrize("command", ["schema"])
def test_a_command_that_asks_nobody_loads_no_client(command: str) -> None:
    assert not imported("-m", "usage_watch", command) & {"httpx", "slack_sdk", "sqlite_utils"}
