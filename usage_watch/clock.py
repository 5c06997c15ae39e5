"""The one door to the time. A clock is read once a tick, at the edge; everything below is told what time it is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Protocol

from usage_watch.errors import UsageError

STEPPED = "USAGE_WATCH_CLOCK_FILE"
"""Environment variable that names a stepped clock's file: for `demo` and the project's own tests."""

GLANCE = 30.0
"""Seconds after which a waiting daemon looks at the clock again: it may have been set."""


Called = Callable[[], bool]
"""Whether there is something to do before its time."""


class Clock(Protocol):
    """Tells the time, and waits."""

    def now(self) -> datetime:
        """The time, aware and in UTC."""
        ...

    def wait(self, until: datetime, bell: Event, called: Called) -> None:
        """Return when it is `until`, when `bell` is rung, or (looked at now and then) when `called` says so."""
        ...


class SystemClock:
    """The machine's clock."""

    def __init__(self, glance: float = GLANCE) -> None:
        """`glance`: seconds after which one that waits looks again, and gives a sign of life."""
        self._glance = glance

    def now(self) -> datetime:
        return datetime.now(UTC)

    def wait(self, until: datetime, bell: Event, called: Called) -> None:
        # A clock that is set back must not stretch the wait, one that is set forward must cut it short.
        deadline = time.monotonic() + (until - self.now()).total_seconds()
        while not bell.is_set():
            left = min((until - self.now()).total_seconds(), deadline - time.monotonic())
            if left <= 0 or called():
                return
            bell.wait(min(left, self._glance))


class SteppedClock:
    """A clock that stands still until somebody writes another time into its file (epoch seconds)."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def now(self) -> datetime:
        return datetime.fromtimestamp(float(self._path.read_text()), UTC)

    def wait(self, until: datetime, bell: Event, called: Called) -> None:
        # Whoever steps it decides what happens when: `called` is not asked.
        while not bell.is_set() and self.now() < until:
            bell.wait(0.002)

    def step(self, at: datetime) -> None:
        """Make it `at`; readers never see half a number."""
        beside = self._path.with_suffix(".next")
        beside.write_text(str(at.timestamp()))
        beside.replace(self._path)


def open_clock(environ: Mapping[str, str] = os.environ, glance: float = GLANCE) -> Clock:
    """The machine's clock, or the stepped one that the environment names."""
    if STEPPED not in environ:
        return SystemClock(glance)
    path = Path(environ[STEPPED])
    if not path.is_file():
        raise UsageError(f"${STEPPED} names {path}, which is no file; unset it to use the machine's clock.")
    return SteppedClock(path)
