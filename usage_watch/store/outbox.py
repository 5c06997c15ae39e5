"""The outbox: every message that was decided, until it is sent or given up.

Leased by a conditional UPDATE, so that two processes never hold the same row; a lease that runs out is leased again
with the same id. In order within a conversation: a row waits until the one before it is sent or given up. Each target
takes one row at a time, and none before it may be tried again: what holds up one holds up no other.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from usage_watch.core.incident import Incident
from usage_watch.core.message import Conversation, Message
from usage_watch.store import incidents as incident_rows
from usage_watch.store.database import Database, Row
from usage_watch.store.jsontext import MESSAGE
from usage_watch.store.times import instant, moment

LEASE_FOR = timedelta(minutes=2)
"""Longer than any attempt may take."""
CLOCK_SLACK = timedelta(minutes=1)
"""What a clock wrote that was further ahead than this is due: it was set back, and its times mean nothing."""


class State(StrEnum):
    """Where a row stands."""

    QUEUED = "queued"
    LEASED = "leased"
    """On its way; if its lease ran out, perhaps sent by a process that died."""
    SENT = "sent"
    BLOCKED = "blocked"
    """The target's configuration is wrong; tried again now and then."""
    DEAD = "dead"
    UNDELIVERABLE = "undeliverable"
    """Its channel left the rules file."""
    RECALLED = "recalled"
    """What it says is said anew, or is not true any more: nothing of it ever left, or it was given up."""


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
    unsure: bool
    """An earlier attempt may have arrived."""
    minimal: bool
    """The whole of it was refused: only the least is said."""
    failures: int
    """How many attempts at its target have failed in a row."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What becomes of a row, and of its target, after an attempt that failed."""

    detail: str
    """Why, in one sentence."""
    state: Failed
    retry_at: datetime | None
    """When the row is tried again; None where it is not."""
    unsure: bool
    """It may have arrived all the same."""
    minimal: bool
    """Only the least of it is said from now on."""
    target_retry_at: datetime | None
    """Before then nothing is sent to the target; None where the failure is the row's own."""
    expired_from: datetime | None
    """Where the target has failed since then, rows that were decided up to then are given up; None spares them."""


_NEXT = """
WITH head AS (
    SELECT seq, attempts, outbox_head.target, CASE WHEN set_at > :ahead THEN 0 ELSE due_at END AS due_at,
           CASE WHEN tried_at > :ahead THEN 0 ELSE coalesce(retry_at, 0) END AS target_at
    FROM outbox_head LEFT JOIN target ON name = outbox_head.target
    WHERE outbox_head.target NOT IN (SELECT value FROM json_each(:busy))
)
SELECT min(max(due_at, target_at)) FROM head
"""
# What was never tried goes before what failed: a message that its target cannot bear holds up no other.
_DUE = _NEXT.replace(
    "SELECT min(max(due_at, target_at)) FROM head",
    """
SELECT seq, attempts FROM (
    SELECT seq, attempts, row_number() OVER (PARTITION BY target ORDER BY due_at, seq) AS place FROM head
    WHERE due_at <= :at AND target_at <= :at
) WHERE place = 1
""",
)
# Found outside of a transaction: who leased it meanwhile has counted an attempt.
_LEASE = """
UPDATE outbox SET state = 'leased', lease_until = :until, attempts = attempts + 1, attempted_at = :at
WHERE seq IN (SELECT json_extract(value, '$[0]') FROM json_each(:due))
    AND (seq, attempts) IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:due))
    AND +state IN ('queued', 'leased', 'blocked')
RETURNING seq
"""
_LEASED = """
SELECT outbox.id, outbox.target, conversation.id, conversation.subject, conversation.ref, body, attempts, created_at,
       lease_until, outbox.last_error, unsure, minimal, coalesce(failures, 0)
FROM outbox JOIN conversation ON conversation.id = conversation_id LEFT JOIN target ON name = outbox.target
WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY seq
"""
_FAILED = """
UPDATE outbox SET state = :state, last_error = :detail, next_attempt_at = :retry_at, lease_until = NULL,
    unsure = max(unsure, :unsure), minimal = :minimal, ended_at = CASE :state WHEN 'dead' THEN :at END
WHERE id = :id AND state = 'leased'
"""
_TARGET_FAILED = """
INSERT INTO target (name, settings, failures, failing_from, blocked_from, tried_at, retry_at, last_error)
VALUES (:name, '', 1, :at, CASE WHEN :blocked THEN :at END, :at, :retry_at, :detail)
ON CONFLICT (name) DO UPDATE SET
    failures = failures + 1, failing_from = coalesce(failing_from, :at),
    blocked_from = coalesce(blocked_from, excluded.blocked_from),
    tried_at = :at, retry_at = :retry_at, last_error = :detail
"""
_EXPIRE = """
UPDATE outbox SET state = 'dead', ended_at = :at, last_error = :detail, next_attempt_at = NULL
WHERE target = :name AND state IN ('queued', 'blocked') AND created_at <= :expired
    AND (SELECT failing_from FROM target WHERE name = :name) <= :expired
"""
_TARGET_WELL = """
INSERT INTO target (name, settings, tried_at, retry_at) VALUES (:name, '', :at, :retry_at)
ON CONFLICT (name) DO UPDATE SET
    failures = 0, failing_from = NULL, blocked_from = NULL, tried_at = :at, retry_at = :retry_at, last_error = NULL
"""
_PENDING = """
SELECT target, state, count(*) FROM outbox
WHERE state IN ('queued', 'leased', 'blocked') OR (state IN ('dead', 'undeliverable') AND ended_at >= ?)
GROUP BY target, state
"""
# Once a target is back, what waits goes in the order in which it was decided, and not in that of the attempts.
_BACK = """
UPDATE outbox SET state = 'queued', next_attempt_at = created_at
WHERE target = :name AND state IN ('queued', 'blocked')
    AND (state = 'blocked' OR (SELECT failures FROM target WHERE name = :name) >= 3)
"""


class Outbox:
    """The outbox of an open database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def lease(self, at: datetime, busy: Collection[str] = (), lease_for: timedelta = LEASE_FOR) -> list[OutboxRow]:
        """Claim the next row that is due of each target that is not `busy`."""
        due = list(self._db.query(_DUE, _terms(at, busy)))
        if not due:
            return []
        terms = {"due": json.dumps(due), "at": instant(at), "until": instant(at + lease_for)}
        with self._db.transaction():
            claimed = [seq for (seq,) in self._db.query(_LEASE, terms)]
            return [_row(row) for row in self._db.query(_LEASED, (json.dumps(claimed),))]

    def on_their_way(self) -> list[OutboxRow]:
        """Rows that are leased: where no other process sends, those that one had in hand when it died."""
        leased = [seq for (seq,) in self._db.query("SELECT seq FROM outbox WHERE state = 'leased'")]
        return [_row(row) for row in self._db.query(_LEASED, (json.dumps(leased),))]

    def take_over(self, row: OutboxRow, retry_at: datetime, detail: str) -> None:
        """Note that nobody knows whether a row was sent; its target is as it was."""
        with self._db.transaction():
            self._db.execute(
                "UPDATE outbox SET state = 'queued', unsure = 1, next_attempt_at = ?, lease_until = NULL, "
                "last_error = ? WHERE id = ? AND state = 'leased'",
                (instant(retry_at), detail, row.id),
            )

    def record_sent(self, row: OutboxRow, at: datetime, ref: str | None, detail: str, pace: timedelta) -> None:
        """Note that a row was sent; `ref` is the provider's handle of it, `detail` one sentence worth keeping.

        The newest handle is the conversation's: its first message may have been deleted and posted anew. Sent is sent,
        even if the lease ran out meanwhile. The next row of its target goes after `pace`, or now if it was blocked.
        """
        with self._db.transaction():
            self._db.execute(
                "UPDATE outbox SET state = 'sent', ended_at = ?, provider_ref = ?, last_error = ?, "
                "next_attempt_at = NULL, lease_until = NULL WHERE id = ?",
                (instant(at), ref, detail or None, row.id),
            )
            self._db.execute("UPDATE conversation SET ref = coalesce(?, ref) WHERE id = ?", (ref, row.conversation.id))
            terms = {"name": row.target, "at": instant(at), "retry_at": instant(at + pace)}
            self._db.execute(_BACK, terms)
            self._db.execute(_TARGET_WELL, terms)

    def record_failure(self, row: OutboxRow, at: datetime, failure: Failure) -> None:
        """Note that an attempt failed, and what follows. A row that was sent or given up meanwhile stays so."""
        terms = {
            "id": row.id,
            "at": instant(at),
            "detail": failure.detail,
            "state": failure.state,
            "retry_at": None if failure.retry_at is None else instant(failure.retry_at),
            "unsure": failure.unsure,
            "minimal": failure.minimal,
        }
        with self._db.transaction():
            self._db.execute(_FAILED, terms)
            self._target_answered(row.target, at, failure)

    def _target_answered(self, name: str, at: datetime, failure: Failure) -> None:
        terms = {"name": name, "at": instant(at), "detail": failure.detail}
        if failure.target_retry_at is None:
            self._db.execute(_BACK, terms)
            self._db.execute(_TARGET_WELL, {**terms, "retry_at": instant(at)})
            return
        blocked = failure.state is State.BLOCKED
        self._db.execute(_TARGET_FAILED, {**terms, "retry_at": instant(failure.target_retry_at), "blocked": blocked})
        if failure.expired_from is not None:
            self._db.execute(_EXPIRE, {**terms, "expired": instant(failure.expired_from)})

    def standing(self, name: str) -> list[Incident]:
        """What is open and was told to a target, oldest first: each at the severity at which it stands there."""
        return incident_rows.standing(self._db, name)

    def nothing_stands(self, name: str) -> None:
        """Note that a target by state needs not be told again."""
        if self._db.one("SELECT 1 FROM target WHERE name = ? AND unstated_from IS NOT NULL", (name,)):
            with self._db.transaction():
                self._db.execute("UPDATE target SET unstated_from = NULL WHERE name = ?", (name,))

    def record_restated(self, name: str, at: datetime) -> None:
        """Note that a target by state took what stands, and so is well."""
        terms = {"name": name, "at": instant(at), "retry_at": instant(at)}
        with self._db.transaction():
            self._db.execute(_BACK, terms)
            self._db.execute(_TARGET_WELL, terms)
            self._db.execute("UPDATE target SET unstated_from = NULL WHERE name = ?", (name,))

    def record_unstated(self, name: str, at: datetime, detail: str, retry_at: datetime, *, blocked: bool) -> None:
        """Note that a target by state could not be told what stands, and why."""
        terms = {"name": name, "at": instant(at), "detail": detail, "retry_at": instant(retry_at), "blocked": blocked}
        with self._db.transaction():
            self._db.execute(_TARGET_FAILED, terms)
            self._db.execute(
                "UPDATE target SET unstated_from = coalesce(unstated_from, ?) WHERE name = ?", (instant(at), name)
            )

    def next_due(self, at: datetime, busy: Collection[str] = ()) -> datetime | None:
        """When the next row may be leased, possibly in the past; None while nothing waits. `busy` targets are left out.

        `at` is the time now: what a clock wrote that was ahead of it is due.
        """
        row = self._db.one(_NEXT, _terms(at, busy))
        return None if row is None else moment(row[0])

    def pending(self, since: datetime) -> Mapping[str, Mapping[State, int]]:
        """How many rows of each target wait, or were given up since then, by their state."""
        found: dict[str, dict[State, int]] = {}
        for target, state, count in self._db.query(_PENDING, (instant(since),)):
            found.setdefault(target, {})[State(state)] = count
        return found


def _terms(at: datetime, busy: Collection[str]) -> dict[str, object]:
    return {"at": instant(at), "ahead": instant(at + CLOCK_SLACK), "busy": json.dumps(sorted(busy))}


def _row(row: Row) -> OutboxRow:
    row_id, target, conversation_id, subject, ref, body, attempts, created_at, lease_until, *rest = row
    last_error, unsure, minimal, failures = rest
    return OutboxRow(
        id=row_id,
        target=target,
        conversation=Conversation(conversation_id, subject, ref),
        message=MESSAGE.load(body),
        attempts=attempts,
        created_at=moment(created_at),
        lease_until=moment(lease_until),
        last_error=last_error,
        unsure=bool(unsure),
        minimal=bool(minimal),
        failures=failures,
    )
