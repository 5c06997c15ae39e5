"""Clocks that go by themselves, other than the machine's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event

from tests.store.store_samples import NOON
from usage_watch.clock import Called, SteppedClock


class HastyClock:
    """A quarter of a second passes at each look at it."""

    def __init__(self) -> None:
        self._now = NOON

    def now(self) -> datetime:
        self._now += timedelta(seconds=0.25)
        return self._now

    def wait(self, until: datetime, stop: Event, called: Called) -> None:
        self._now = max(self._now, until)


class PatientClock(SteppedClock):
    """Makes a step at a look at it once there is nothing else to wait for, however long the machine takes for that."""

    def __init__(self, path: Path, step: timedelta, idle: Callable[[], bool]) -> None:
        super().__init__(path)
        self._step, self._idle = step, idle

    def now(self) -> datetime:
        now = super().now()
        if self._idle():
            self.step(now + self._step)
        return super().now()
