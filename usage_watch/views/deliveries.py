"""What is not delivered, and how it goes with each channel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from usage_watch.core.targetstate import TargetState
    from usage_watch.store.database import Database
    from usage_watch.store.outbox import State
    from usage_watch.views.times import Reader

SHOWN_FOR = timedelta(days=7)
"""For how long it is said that a message was given up."""

Pending = Mapping[str, Mapping["State", int]]


def undelivered(database: Database, now: datetime) -> tuple[Pending, Sequence[TargetState]]:
    """How many messages of each channel are in each state but sent, and how it goes with those in the rules file."""
    from usage_watch.store.outbox import Outbox
    from usage_watch.store.targets import TargetStore

    since = now - SHOWN_FOR
    return Outbox(database).pending(since), TargetStore(database).states(since)


def troubles(pending: Pending, states: Sequence[TargetState], reader: Reader) -> Iterator[tuple[str, str, str]]:
    """What waits and what was given up, of each channel that has either: its name, how many messages, and why."""
    by_name = {state.name: state for state in states}
    for name, counts in pending.items():
        yield from ((name, f"{count}", said) for count, said in _lines(counts, by_name.get(name), reader) if count)
    yield from ((each.name, "", _unstated(each, reader)) for each in states if each.unstated_from is not None)


def _unstated(state: TargetState, reader: Reader) -> str:
    since = "" if state.unstated_from is None else f" since {reader.moment(state.unstated_from)}"
    return f"open alerts not told again{since}: {state.last_error}"


def _lines(counts: Mapping[State, int], state: TargetState | None, reader: Reader) -> list[tuple[int, str]]:
    from usage_watch.store.outbox import State

    waiting = sum(counts.get(each, 0) for each in (State.QUEUED, State.LEASED, State.BLOCKED))
    why = f": {state.given_up[-1].detail}" if state is not None and state.given_up else ""
    gone = "given up: the channel is no longer in the rules file"
    return [
        (waiting, _waits(state, reader)),
        (counts.get(State.DEAD, 0), f"given up{why}"),
        (counts.get(State.UNDELIVERABLE, 0), gone),
    ]


def _waits(state: TargetState | None, reader: Reader) -> str:
    if state is not None and state.blocked_from is not None:
        since = reader.moment(state.blocked_from)
        return f"refused since {since}, tried again each hour: {state.last_error}"
    if state is not None and state.failing_from is not None:
        return f"tried again since {reader.moment(state.failing_from)}: {state.last_error}"
    return "waiting to be sent"
