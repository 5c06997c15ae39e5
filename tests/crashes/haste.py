"""Time goes by in the midst of a run, so that nobody has to wait for it."""

from __future__ import annotations

from datetime import timedelta
from threading import Lock, Timer

from usage_watch.clock import SteppedClock

SOON = 0.05
"""Real seconds. By then it is recorded when the post was sent, and a target's pace counts from then."""
PASSES = timedelta(seconds=2)
"""Longer than Slack's pace and a first back-off."""


class Haste:
    """Lets time pass after a post to Slack, whose pace a run would wait for in real time."""

    def __init__(self, clock: SteppedClock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._timers: list[Timer] = []

    def posted(self) -> None:
        """It will have passed soon."""
        with self._lock:  # the run may just end
            timer = Timer(SOON, self._pass)
            timer.start()
            self._timers.append(timer)

    def over(self) -> None:
        """The run has ended: nothing passes any more."""
        with self._lock:
            timers, self._timers = self._timers, []
        for timer in timers:
            timer.cancel()
            timer.join()

    def _pass(self) -> None:
        with self._lock:
            self._clock.step(self._clock.now() + PASSES)
