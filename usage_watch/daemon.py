"""The daemon: a cycle, a wait until something is due, and again, until it is told to stop."""

from __future__ import annotations

import time
from threading import Event
from typing import Protocol

from usage_watch import logs
from usage_watch.clock import Clock
from usage_watch.cycle import Cycle, Summary


class Onlooker(Protocol):
    """Who is told how it goes."""

    def beat(self) -> None:
        """The loop goes on: at least every 30 s while it waits."""
        ...

    def turned(self, summary: Summary, seconds: float) -> None:
        """A cycle is done, and took so long."""
        ...


def run(cycle: Cycle, clock: Clock, stop: Event, onlooker: Onlooker | None = None) -> None:
    """Run cycles until `stop` is set. The source's and the channels' failures are waited out, not died of."""

    def called() -> bool:
        if onlooker is not None:
            onlooker.beat()
        return cycle.called()

    while not stop.is_set():
        began = time.monotonic()
        summary = cycle.run()
        if onlooker is not None:
            onlooker.turned(summary, time.monotonic() - began)
        log(summary)
        clock.wait(summary.next_at, stop, called)


def log(summary: Summary) -> None:
    """One event a cycle."""
    logs.event(
        "cycle.done",
        polled=summary.fetched.polled,
        new=summary.fetched.new,
        changed=summary.fetched.changed,
        told=len(summary.outcome.posts),
        sent=summary.delivered.sent,
        next_at=summary.next_at,
    )
