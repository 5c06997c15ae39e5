"""deliver: drain the outbox. Lease, send, record; nothing waits here: the next attempt's time is a column."""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event

from usage_watch import logs
from usage_watch.channels.base import Attempt, ChannelSettings, Sender, Verdict
from usage_watch.clock import Clock
from usage_watch.core.message import Delivery
from usage_watch.errors import SecretError
from usage_watch.store.outbox import Failed, Outbox, OutboxRow, State

FIRST_WAIT = timedelta(seconds=2)
LONGEST_WAIT = timedelta(minutes=15)
BLOCKED_WAIT = timedelta(hours=1)
"""After which a target is tried again that somebody must mend first."""
EXPIRES_AFTER = timedelta(hours=72)


@dataclass(frozen=True, slots=True)
class Delivered:
    """How one round of sending went."""

    sent: int = 0
    failures: tuple[str, ...] = ()
    """One sentence for each row that did not go out."""


def deliver(
    outbox: Outbox, channels: Mapping[str, ChannelSettings], environ: Mapping[str, str], clock: Clock, stop: Event
) -> Delivered:
    """Send what is due, until nothing is or `stop` is set."""
    outbox.undeliverable(set(channels))
    sent = 0
    failures: list[str] = []
    with ExitStack() as opened:
        senders: dict[str, Sender] = {}
        while not stop.is_set() and (row := _next(outbox, clock)):
            attempt = _attempt(row, channels[row.target], senders, opened, environ, clock.now())
            _record(outbox, row, attempt, clock.now())
            if attempt.verdict == Verdict.SENT:
                sent += 1
            else:
                failures.append(f"{row.target}: {attempt.detail}")
    return Delivered(sent, tuple(failures))


def _next(outbox: Outbox, clock: Clock) -> OutboxRow | None:
    return next(iter(outbox.lease(clock.now(), limit=1)), None)


def _attempt(
    row: OutboxRow,
    channel: ChannelSettings,
    senders: dict[str, Sender],
    opened: ExitStack,
    environ: Mapping[str, str],
    now: datetime,
) -> Attempt:
    try:
        if row.target not in senders:
            senders[row.target] = opened.enter_context(closing(channel.connect(environ)))
    except SecretError as error:
        return Attempt(Verdict.CONFIGURATION, str(error))
    return senders[row.target].send(Delivery(row.id, row.message, row.conversation, row.attempts, now))


def _record(outbox: Outbox, row: OutboxRow, attempt: Attempt, now: datetime) -> None:
    if attempt.verdict == Verdict.SENT:
        outbox.record_sent(row.id, now, attempt.ref, attempt.detail)
        logs.event("delivery.sent", target=row.target, id=row.id)
        return
    state, wait = _outlook(row, attempt, now)
    outbox.record_failure(row.id, now, attempt.detail, now + wait, state)
    logs.warning("delivery.failed", target=row.target, id=row.id, verdict=attempt.verdict, detail=attempt.detail)


def _outlook(row: OutboxRow, attempt: Attempt, now: datetime) -> tuple[Failed, timedelta]:
    """What becomes of a row that was not sent, and when it is tried again."""
    if attempt.verdict == Verdict.REJECTED or now - row.created_at >= EXPIRES_AFTER:
        return State.DEAD, timedelta()
    if attempt.verdict == Verdict.CONFIGURATION:
        return State.BLOCKED, BLOCKED_WAIT
    # Full jitter: many rows that failed together must not all come back together.
    most = min(FIRST_WAIT * 2 ** min(row.attempts - 1, 16), LONGEST_WAIT)
    wait = attempt.retry_after or most * random.random()  # noqa: S311
    # Who asks for more patience than there is gets one last attempt.
    return State.QUEUED, min(wait, row.created_at + EXPIRES_AFTER - now)
