"""What the tests of the command line have in common: one made-up week, and how to run a real process."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from usage_watch.simulator import Runaway, Scenario

NOW = datetime(2026, 11, 22, 14, 5, tzinfo=UTC)
"""A Sunday, 15:05 in Berlin."""

RULES = """\
timezone: Europe/Berlin
billing_day: 14
source: {{base_url: "{source}", backfill: 6d}}
web: off
channels:
  screen: {{kind: log}}
notify: [screen]
rules:
  - {{id: runaway, kind: threshold, window: 3h, above: {{warning: 2_000, critical: 40_000}}}}
  - {{id: heavy-day, kind: threshold, for_each: member, above: 5_000}}
  - {{id: cycle, kind: budget, limit: 20_000, title: Credits of this cycle}}
"""


def scenario() -> Scenario:
    """Told of: this morning's job, and yesterday's. Long over: last Wednesday's."""
    hour = NOW.replace(minute=0)
    return Scenario(
        seed=1,
        start_at=datetime(2026, 11, 1, tzinfo=UTC),
        lag=None,
        quiet=True,
        runaways=(
            Runaway("priya.nair@example.com", "claude-opus-4-8", hour - timedelta(hours=3), 2, 9_000),
            Runaway("ana@example.com", "claude-opus-4-8", hour - timedelta(days=1), 1, 8_000),
            Runaway("ana@example.com", "claude-sonnet-4-8", hour - timedelta(days=4), 2, 2_400),
        ),
    )


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """All that it printed."""
        return self.out + self.err


def program(*arguments: str) -> list[str]:
    """The command line of a real process."""
    return [sys.executable, "-m", "usage_watch", *arguments]


def process(*arguments: str) -> Ran:
    """Run a real process to its end, in the working directory and environment of this one."""
    done = subprocess.run(program(*arguments), capture_output=True, text=True, errors="replace", timeout=60)
    return Ran(done.returncode, done.stdout, done.stderr)


def on_terminal(*arguments: str, columns: int = 80, environ: Mapping[str, str] | None = None) -> tuple[int, str]:
    """The exit code, and all that a terminal of so many columns got to see."""
    ours, theirs = pty.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        with subprocess.Popen(program(*arguments), stdin=theirs, stdout=theirs, stderr=theirs, env=environ) as child:
            os.close(theirs)
            seen = b"".join(blocks(ours))
            return child.wait(60), seen.decode().replace("\r\n", "\n")
    finally:
        os.close(ours)


def blocks(terminal: int) -> Sequence[bytes]:
    """All that comes until nobody writes there any more."""
    found: list[bytes] = []
    while True:
        try:
            block = os.read(terminal, 4096)
        except OSError:  # how Linux says that the other end is closed
            return found
        if not block:
            return found
        found.append(block)
