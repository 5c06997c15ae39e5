"""Clocks that go by themselves, other than the machine's."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Event

from tests.store.store_samples import NOON
from usage_watch.clock import Called


class HastyClock:
    """A quarter of a second passes at each look at it."""

    def __init__(self) -> None:
        self._now = NOON

    def now(self) -> datetime:
        self._now += timedelta(seconds=0.25)
        return self._now

    def wait(self, until: datetime, stop: Event, called: Called) -> None:
        self._now = max(self._now, until)
