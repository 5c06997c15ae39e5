"""The daemon: a cycle, a wait until something is due, and again, until it is told to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from usage_watch import logs
from usage_watch.calls import Calls
from usage_watch.clock import Clock
from usage_watch.cycle import Cycle, Summary
from usage_watch.errors import Hindrance, MachineError
from usage_watch.freed import give_back

T = TypeVar("T")

TRY_AGAIN = timedelta(seconds=30)
"""After a cycle that this machine stood in the way of: a disk that is full, say. Nothing is lost meanwhile."""


class Onlooker(Protocol):
    """Who is told how it goes."""

    def beat(self) -> None:
        """The loop goes on: at least every 30 s while it waits."""
        ...

    def turning(self) -> None:
        """A cycle begins."""
        ...

    def turned(self, summary: Summary, seconds: float) -> None:
        """A cycle is done, and took so long."""
        ...

    def hindered(self, error: MachineError) -> None:
        """A cycle could not be done, since this machine stands in the way."""
        ...


class Unseen:
    """An onlooker who does not look."""

    def beat(self) -> None:
        pass

    def turning(self) -> None:
        pass

    def turned(self, summary: Summary, seconds: float) -> None:
        pass

    def hindered(self, error: MachineError) -> None:
        pass


def run(
    cycle: Cycle,
    clock: Clock,
    calls: Calls,
    onlooker: Onlooker | None = None,
    read_again: Callable[[], None] = lambda: None,
) -> None:
    """Run cycles until it is told to end. What fails of the source, the channels or this machine is waited out."""
    loop = _Loop(cycle, clock, calls, onlooker or Unseen(), read_again)
    while not calls.is_set():
        next_at = loop.turn()
        clock.wait(next_at, calls.bell, loop.called)


class _Loop:
    """What lasts from one turn to the next."""

    def __init__(
        self, cycle: Cycle, clock: Clock, calls: Calls, seen: Onlooker, read_again: Callable[[], None]
    ) -> None:
        self._cycle, self._clock, self._calls, self._seen = cycle, clock, calls, seen
        self._read_again = read_again
        self._wanted_again = self._ready = False
        self._hindered = 0
        """Turns in a row that this machine stood in the way of."""
        self._streaks = logs.Streaks()

    def called(self) -> bool:
        """Whether there is something to do before its time; a sign of life, too."""
        self._seen.beat()
        try:
            return self._cycle.called()
        except MachineError:  # the next turn says so
            return False

    def turn(self) -> datetime:
        """Heed what was called for, a cycle, and a little tidying; when there is something to do again."""
        try:
            self._heed()
            return self._do()
        except MachineError as error:
            if error.hindrance is Hindrance.MOVED:
                # Only who opens it anew finds what others see; and the longer that takes, the more is lost.
                raise
            again_at = self._clock.now() + TRY_AGAIN
            self._wait_out(error)
            return again_at

    def _heed(self) -> None:
        self._wanted_again = self._calls.heard_to_read_again() or self._wanted_again
        if self._hindered:
            self._cycle.prove_writable()
        if self._wanted_again:
            self._read_again()
            self._wanted_again = False

    def _do(self) -> datetime:
        began = time.monotonic()
        self._seen.turning()
        summary = self._cycle.run()
        seconds = time.monotonic() - began
        self._seen.turned(summary, seconds)
        if summary.fetched.asked:
            give_back()
        if self._hindered:
            logs.event("cycle.recovered", failures=self._hindered)
            self._streaks.over("cycle")
        self._hindered = 0
        if not self._ready and not self._calls.is_set():
            _log_ready(summary, seconds)
            self._ready = True
        log(summary)
        return min(summary.next_at, self._clock.now()) if self._cycle.tidy() else summary.next_at

    def _wait_out(self, error: MachineError) -> None:
        self._hindered += 1
        self._cycle.judge_again()
        self._cycle.hold()
        self._seen.hindered(error)
        logs.event("cycle.hindered", level=self._streaks.failed("cycle", str(error)), error=error)


def patiently(
    enter: Callable[[], T],
    clock: Clock,
    calls: Calls,
    hindered: Callable[[MachineError], None],
    alive: Callable[[], None] = lambda: None,
) -> T | None:
    """What `enter` answers, waiting out what may pass: a disk that is full, say. None where it is told to end first.

    A daemon that ended instead, and was started again and again, could tell nobody, or would tell them each time.
    """
    again, streaks = False, logs.Streaks()

    def glance() -> bool:
        alive()
        return False

    while not calls.is_set():
        try:
            entered = enter()
        except MachineError as error:
            if not error.passes:
                raise
            next_at = clock.now() + TRY_AGAIN
            hindered(error)
            logs.event("daemon.hindered", level=streaks.failed("", str(error)), error=error)
            clock.wait(next_at, calls.bell, glance)
            again = calls.heard_to_read_again() or again
            continue
        if again:
            calls.read_again()
        return entered
    return None


def log(summary: Summary) -> None:
    """One event a cycle, for who looks closer: all that comes of it has events of its own."""
    logs.debug(
        "cycle.done",
        polled=summary.fetched.polled,
        new=summary.fetched.new,
        changed=summary.fetched.changed,
        told=len(summary.outcome.posts),
        sent=summary.delivered.sent,
        next_at=summary.next_at,
    )


def _log_ready(summary: Summary, seconds: float) -> None:
    fetched = summary.fetched
    logs.event(
        "daemon.ready",
        seconds=round(seconds, 1),
        polled=fetched.polled,
        failed=len(fetched.failures) or None,
        new=fetched.new,
        next_at=summary.next_at,
    )
