"""The daemon: a cycle, a wait until something is due, and again, until it is told to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from usage_watch import logs
from usage_watch.calls import Calls
from usage_watch.clock import Clock
from usage_watch.cycle import Cycle, Summary
from usage_watch.errors import MachineError

TRY_AGAIN = timedelta(seconds=30)
"""After a cycle that this machine stood in the way of: a disk that is full, say. Nothing is lost meanwhile."""


class Onlooker(Protocol):
    """Who is told how it goes."""

    def beat(self) -> None:
        """The loop goes on: at least every 30 s while it waits."""
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
    seen, first = onlooker or Unseen(), True

    def called() -> bool:
        seen.beat()
        try:
            return cycle.called()
        except MachineError:  # the next cycle says so
            return False

    while not calls.is_set():
        try:
            if calls.heard_to_read_again():
                read_again()
            next_at = _turn(cycle, clock, seen, first=first)
            first = False
        except MachineError as error:
            logs.warning("cycle.hindered", error=error)
            cycle.judge_again()
            seen.hindered(error)
            next_at = clock.now() + TRY_AGAIN
        clock.wait(next_at, calls.bell, called)


def _turn(cycle: Cycle, clock: Clock, seen: Onlooker, *, first: bool) -> datetime:
    """One cycle, and a little tidying; when there is something to do again."""
    began = time.monotonic()
    summary = cycle.run()
    seconds = time.monotonic() - began
    seen.turned(summary, seconds)
    if first:
        _log_ready(summary, seconds)
    log(summary)
    return min(summary.next_at, clock.now()) if cycle.tidy() else summary.next_at


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
