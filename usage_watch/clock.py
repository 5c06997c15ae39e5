"""The one door to the time. A clock is read once a tick, at the edge; everything below is told what time it is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Protocol

from usage_watch.errors import UsageError

STEPPED = "USAGE_WATCH_CLOCK_FILE"
"""Environment variable that names a stepped clock's file: for `demo` and the project's own tests."""

GLANCE = 30.0
"""Seconds after which a waiting daemon looks at the clock again: it may have been set."""
_MOMENT, _SECOND = 0.002, 1.0
"""Seconds after which a stepped clock is looked at again, while it stands and while it goes on."""

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


APART = timedelta(minutes=10)
"""How far two clocks may be apart before one of them is taken to be wrong."""


class TrueClock:
    """A clock that is held against two others: one that nobody can set, and the source's.

    Set while the program runs, by a hand, a dead battery or a restored machine, a clock must not make anything due, nor
    undo what was said: until the source has told its time, what passed since then counts, however much that is.
    """

    def __init__(self, clock: Clock, elapsed: Callable[[], float] | None = None) -> None:
        """`elapsed`: seconds that no clock on the wall can move; None where whoever steps the clock means it."""
        self._clock, self._elapsed = clock, elapsed
        self._off = timedelta()
        self._mark = self._marked()
        self._asked_at = clock.now()

    def now(self) -> datetime:
        """The time, aware and in UTC."""
        if self._jumped is None:
            self._mark = self._marked()
            return self._clock.now() - self._off
        return self._steady

    def wait(self, until: datetime, bell: Event, called: Called) -> None:
        """As its clock does, by the true time."""
        self._clock.wait(until + (self._clock.now() - self.now()), bell, called)

    def asking(self) -> None:
        """The source is about to be asked for something, and says what time it is by the way."""
        self._asked_at = self._clock.now()

    def in_doubt(self) -> bool:
        """Whether the source is to be asked for its time: the clock was set, and it has not said so far."""
        return self._jumped is not None

    @property
    def off(self) -> timedelta:
        """How far the clock is ahead of the truth, below zero behind it; 0 up to ten minutes."""
        return self._off

    def learn(self, its_time: datetime | None) -> None:
        """The source says that it is `its_time`; None where it does not say.

        A clock that was stepped since the source was asked cannot be held against what it said before.
        """
        stepped = self._elapsed is None and abs(self._clock.now() - self._asked_at) > APART
        if its_time is None or stepped:
            return
        off = self._clock.now() - its_time
        self._off = off if abs(off) > APART else timedelta()
        self._mark = self._marked()

    @property
    def _steady(self) -> datetime:
        """What it would be, had nobody set the clock."""
        at, passed = self._mark
        assert self._elapsed is not None
        return at + timedelta(seconds=self._elapsed() - passed)

    @property
    def _jumped(self) -> timedelta | None:
        """By how much the clock was set since it was last looked at; None where it was not."""
        if self._elapsed is None:
            return None
        by = self._clock.now() - self._off - self._steady
        return by if abs(by) > APART else None

    def _marked(self) -> tuple[datetime, float]:
        return self._clock.now() - self._off, 0.0 if self._elapsed is None else self._elapsed()


def true_clock(clock: Clock) -> TrueClock:
    """Of a program that runs on; one that was made before is the same."""
    if isinstance(clock, TrueClock):
        return clock
    return TrueClock(clock, since_boot if isinstance(clock, SystemClock) else None)


def since_boot() -> float:
    """Seconds, with those in which the machine slept, unlike time.monotonic."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class SteppedClock:
    """A clock that stands still until somebody writes another time into its file, or that it goes on.

    The file holds epoch seconds and, while it goes on, what time.monotonic() said then: that is one for all processes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def now(self) -> datetime:
        return self._read()[0]

    def wait(self, until: datetime, bell: Event, called: Called) -> None:
        while not bell.is_set():
            now, goes_on = self._read()
            # While it stands, whoever steps it decides what happens when: `called` is not asked.
            if now >= until or (goes_on and called()):
                return
            bell.wait(min(_SECOND, (until - now).total_seconds()) if goes_on else _MOMENT)

    def step(self, at: datetime) -> None:
        """Make it `at`, where it stands."""
        self._write(at)

    def go_on(self) -> None:
        """From what it shows it goes on, as real time does."""
        self._write(self.now(), time.monotonic())

    def _read(self) -> tuple[datetime, bool]:
        """What time it is, and whether it goes on."""
        at, *since = map(float, self._path.read_text().split())
        passed = time.monotonic() - since[0] if since else 0.0
        return datetime.fromtimestamp(at + passed, UTC), bool(since)

    def _write(self, at: datetime, *since: float) -> None:
        """Readers never see half a number."""
        beside = self._path.with_suffix(".next")
        beside.write_text(" ".join(map(str, (at.timestamp(), *since))))
        beside.replace(self._path)


def open_clock(environ: Mapping[str, str] = os.environ, glance: float = GLANCE) -> Clock:
    """The machine's clock, or the stepped one that the environment names."""
    if STEPPED not in environ:
        return SystemClock(glance)
    path = Path(environ[STEPPED])
    if not path.is_file():
        raise UsageError(f"${STEPPED} names {path}, which is no file; unset it to use the machine's clock.")
    return SteppedClock(path)
