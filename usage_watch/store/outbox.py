"""The outbox: every message that was decided, until it is sent or given up.

Leased by a conditional UPDATE, so that two processes never hold the same row; a lease that runs out is leased again
with the same id. In order within a conversation: a row waits until the one before it is sent or given up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from usage_watch.core.message import Conversation, Message
from usage_watch.store.database import Database, Row
from usage_watch.store.jsontext import MESSAGE
from usage_watch.store.times import instant, moment

LEASE_FOR = timedelta(seconds=60)
"""Longer than any attempt may take."""


class State(StrEnum):
    """Where a row stands."""

    QUEUED = "queued"
    LEASED = "leased"
    """On its way; if its lease ran out, perhaps sent by a process that died."""
    SENT = "sent"
    HELD = "held"
    BLOCKED = "blocked"
    """The target's configuration is wrong; tried again now and then."""
    DEAD = "dead"
    UNDELIVERABLE = "undeliverable"
    """Its channel left the rules file."""


Failed = Literal[State.QUEUED, State.BLOCKED, State.DEAD]


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A message that was handed out to be sent."""

    id: str
    """`ntf_…`, the same on every attempt."""
    target: str
    conversation: Conversation
    message: Message
    attempts: int
    """How often it was handed out, this time included."""
    created_at: datetime
    lease_until: datetime
    last_error: str | None
    """Why the attempt before failed, in one sentence."""


_LEASE = """
UPDATE outbox SET state = 'leased', lease_until = :until, attempts = attempts + 1, attempted_at = :at
WHERE seq IN (SELECT seq FROM outbox_head WHERE due_at <= :at ORDER BY seq LIMIT :limit)
RETURNING seq
"""
_LEASED = """
SELECT outbox.id, outbox.target, conversation.id, conversation.subject, conversation.ref,
       body, attempts, created_at, lease_until, last_error
FROM outbox JOIN conversation ON conversation.id = conversation_id
WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY seq
"""


class Outbox:
    """The outbox of an open database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def lease(self, at: datetime, lease_for: timedelta = LEASE_FOR, limit: int = 100) -> list[OutboxRow]:
        """Claim up to `limit` rows that are due, oldest first, and at most one of each conversation."""
        due_at = self.next_due()
        if due_at is None or due_at > at:
            return []
        terms = {"at": instant(at), "until": instant(at + lease_for), "limit": limit}
        with self._db.transaction():
            claimed = [seq for (seq,) in self._db.query(_LEASE, terms)]
            return [_row(row) for row in self._db.query(_LEASED, (json.dumps(claimed),))]

    def record_sent(self, id: str, at: datetime, ref: str | None, detail: str = "") -> None:
        """Note that a row was sent; `ref` is the provider's handle of it, `detail` one sentence worth keeping.

        The newest handle is the conversation's: its first message may have been deleted and posted anew. Sent is sent,
        even if the lease ran out meanwhile.
        """
        with self._db.transaction():
            self._db.execute(
                "UPDATE outbox SET state = 'sent', sent_at = ?, provider_ref = ?, last_error = ?, "
                "next_attempt_at = NULL, lease_until = NULL WHERE id = ?",
                (instant(at), ref, detail or None, id),
            )
            self._db.execute(
                "UPDATE conversation SET ref = coalesce(?, ref) "
                "WHERE id = (SELECT conversation_id FROM outbox WHERE outbox.id = ?)",
                (ref, id),
            )

    def record_failure(
        self, id: str, at: datetime, detail: str, next_attempt_at: datetime | None, state: Failed
    ) -> None:
        """Note that an attempt failed and when to try again (never, for a dead row); `detail` is one sentence.

        A row that was sent or given up meanwhile stays so.
        """
        retry_at = None if state is State.DEAD or next_attempt_at is None else instant(next_attempt_at)
        with self._db.transaction():
            self._db.execute(
                "UPDATE outbox SET state = ?, attempted_at = ?, last_error = ?, next_attempt_at = ?, "
                "lease_until = NULL WHERE id = ? AND state = 'leased'",
                (state, instant(at), detail, retry_at, id),
            )

    def next_due(self) -> datetime | None:
        """When the next row may be leased, possibly in the past; None while nothing waits."""
        row = self._db.one("SELECT min(due_at) FROM outbox_head")
        return None if row is None else moment(row[0])

    def pending(self) -> Mapping[str, Mapping[State, int]]:
        """How many rows of each target are in each state other than sent."""
        found: dict[str, dict[State, int]] = {}
        for target, state, count in self._db.query(
            "SELECT target, state, count(*) FROM outbox WHERE state <> 'sent' GROUP BY target, state"
        ):
            found.setdefault(target, {})[State(state)] = count
        return found

    def undeliverable(self, targets_known: Iterable[str]) -> int:
        """Give up what waits for channels that are no longer known; answers how many rows."""
        with self._db.transaction():
            return self._db.execute(
                "UPDATE outbox SET state = 'undeliverable', next_attempt_at = NULL, lease_until = NULL "
                "WHERE state IN ('queued', 'leased', 'held', 'blocked') "
                "AND target NOT IN (SELECT value FROM json_each(?))",
                (json.dumps(list(targets_known)),),
            )


def _row(row: Row) -> OutboxRow:
    row_id, target, conversation_id, subject, ref, body, attempts, created_at, lease_until, last_error = row
    return OutboxRow(
        id=row_id,
        target=target,
        conversation=Conversation(conversation_id, subject, ref),
        message=MESSAGE.load(body),
        attempts=attempts,
        created_at=moment(created_at),
        lease_until=moment(lease_until),
        last_error=last_error,
    )
