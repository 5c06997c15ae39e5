"""The daemon: a cycle, a wait until something is due, and again, until it is told to stop."""

from __future__ import annotations

from threading import Event

from usage_watch import logs
from usage_watch.clock import Clock
from usage_watch.cycle import Cycle, Summary


def run(cycle: Cycle, clock: Clock, stop: Event) -> None:
    """Run cycles until `stop` is set. The source's and the channels' failures are waited out, not died of."""
    while not stop.is_set():
        summary = cycle.run()
        log(summary)
        clock.wait(summary.next_at, stop, cycle.called)


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
