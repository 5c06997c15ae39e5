"""What was found in the history and what was promised to whom: the notification log."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from usage_watch.core.hello import HELLO
from usage_watch.core.incident import Incident, RuleRecord
from usage_watch.core.lookup import Lookup
from usage_watch.core.message import Conversation, Reason
from usage_watch.core.promise import Decision, Notification, Post, Told
from usage_watch.store import incidents as incident_rows
from usage_watch.store import lookups as lookup_rows
from usage_watch.store.database import Database, Row
from usage_watch.store.jsontext import MESSAGE
from usage_watch.store.outbox import State
from usage_watch.store.times import instant, moment, seconds

_COUNTING = frozenset({State.SENT, State.LEASED, State.QUEUED, State.BLOCKED})
"""What counts as told: an attempt that may have arrived leaves its row queued."""
_WAITING = frozenset({State.QUEUED, State.BLOCKED})

_RULE = """
INSERT INTO rule (id, digest, speaks_from, seen_at, removed_at, removals)
VALUES (:id, :digest, :speaks_from, :at, :removed_at, :removals)
ON CONFLICT (id) DO UPDATE SET
    seen_at = CASE WHEN digest = excluded.digest THEN seen_at ELSE excluded.seen_at END,
    digest = excluded.digest, speaks_from = excluded.speaks_from, removals = excluded.removals,
    removed_at = CASE WHEN excluded.removed_at IS NULL THEN NULL ELSE coalesce(removed_at, excluded.removed_at) END
"""
_OUTBOX = """
INSERT INTO outbox (id, target, conversation_id, reason, body, state, next_attempt_at, created_at)
VALUES (:id, :target, :conversation, :reason, :body, 'queued', :at, :created_at)
"""
_CONVERSATION = """
INSERT INTO conversation (id, target, rule_id, subject, ref) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING
"""
_NOTIFICATION = """
INSERT INTO notification (incident_id, target, reason, ordinal, rank, face, decided_at, outbox_id)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_DECISION = "INSERT INTO decision (at, incident_id, target, reason, told, why) VALUES (?, ?, ?, ?, ?, ?)"
_TOLD = """
SELECT incident_id, notification.target, notification.reason, ordinal, rank, face, decided_at,
       conversation.id, subject, ref, outbox.id, state, unsure, ended_at
FROM notification
JOIN outbox ON outbox.id = outbox_id
JOIN conversation ON conversation.id = conversation_id
WHERE incident_id IN (SELECT value FROM json_each(?))
ORDER BY seq, incident_id, notification.reason, ordinal
"""
_HELD = """
SELECT incident_id, target, reason, told, why FROM decision
WHERE told = 0 AND incident_id IN (SELECT value FROM json_each(?))
"""
_RECALL = """
UPDATE outbox SET state = 'recalled', ended_at = ?, next_attempt_at = NULL
WHERE id IN (SELECT value FROM json_each(?)) AND state IN ('queued', 'blocked') AND unsure = 0
RETURNING conversation_id, created_at
"""
# What the watcher said of itself before any rule spoke is no greeting; what was said later came after one, or is of a
# version that had none.
_STRANGERS = """
SELECT key FROM json_each(:hellos)
WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE id = value)
    AND (
        NOT EXISTS (SELECT 1 FROM rule WHERE speaks_from IS NOT NULL)
        OR NOT EXISTS (SELECT 1 FROM outbox WHERE target = key AND state IN (SELECT value FROM json_each(:states)))
    )
"""
_ATTEMPTS = """
SELECT id, target, reason, state, attempts, created_at, attempted_at,
       CASE WHEN state IN ('queued', 'blocked') THEN max(next_attempt_at, coalesce(retry_at, 0)) END,
       ended_at, outbox.last_error
FROM outbox LEFT JOIN target ON name = target
WHERE id IN (SELECT outbox_id FROM notification WHERE incident_id = ?) ORDER BY seq
"""


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision and when it was made."""

    at: datetime
    decision: Decision


@dataclass(frozen=True, slots=True)
class Attempts:
    """One message about an incident, and how its delivery goes."""

    id: str
    """`ntf_…`"""
    target: str
    reason: Reason
    state: State
    attempts: int
    created_at: datetime
    attempted_at: datetime | None
    """When it was last tried."""
    next_attempt_at: datetime | None
    ended_at: datetime | None
    """When it was sent, given up or recalled."""
    last_error: str | None

    @property
    def sent_at(self) -> datetime | None:
        """When it was sent."""
        return self.ended_at if self.state is State.SENT else None


class AlertStore:
    """Incidents, decisions and the notification log of an open database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def rules(self) -> dict[str, RuleRecord]:
        """Every rule that was ever committed, by id."""
        rows = self._db.query("SELECT id, digest, speaks_from, removed_at IS NOT NULL, removals FROM rule")
        return {
            name: RuleRecord(name, digest, moment(since), bool(removed), removals)
            for name, digest, since, removed, removals in rows
        }

    def incidents(self, since: datetime, rules: Collection[str] | None = None) -> list[Incident]:
        """Every incident that is open or ended at `since` or later, in order of start; with `rules`, only of these."""
        return incident_rows.ending_from(self._db, since, rules)

    def incident(self, id: str) -> Incident | None:
        """One incident by its id, or by a beginning of it that only one has; `inc_` may be left out."""
        return incident_rows.one(self._db, id)

    def told(self, incident_ids: Collection[str]) -> list[Told]:
        """What was promised about these incidents, in the order in which it was decided."""
        return [_told(row) for row in self._db.query(_TOLD, (json.dumps(list(incident_ids)),))]

    def held(self, incident_ids: Collection[str]) -> set[Decision]:
        """What was decided not to be told about these incidents."""
        rows = self._db.query(_HELD, (json.dumps(list(incident_ids)),))
        return {
            Decision(incident, target, Reason(reason), bool(told), why) for incident, target, reason, told, why in rows
        }

    def strangers(self, hellos: Mapping[str, str]) -> set[str]:
        """Which of these targets were never greeted; each with the id of its greeting."""
        terms = {"hellos": json.dumps(dict(hellos)), "states": json.dumps(list(State))}
        return {name for (name,) in self._db.query(_STRANGERS, terms)}

    def decisions_of(self, incident_id: str) -> list[Decided]:
        """Every decision about an incident, oldest first."""
        rows = self._db.query(
            "SELECT at, incident_id, target, reason, told, why FROM decision WHERE incident_id = ? ORDER BY id",
            (incident_id,),
        )
        return [Decided(moment(at), _decision(decision)) for at, *decision in rows]

    def attempts_of(self, incident_id: str) -> list[Attempts]:
        """Every message about an incident, oldest first."""
        return [_attempts(row) for row in self._db.query(_ATTEMPTS, (incident_id,))]

    def commit(
        self,
        incidents: Collection[Incident],
        rules: Collection[RuleRecord],
        decisions: Collection[Decision],
        posts: Collection[Post],
        at: datetime,
        recalled: Collection[str] = (),
        lookups: Collection[Lookup] = (),
    ) -> None:
        """Store one cycle's outcome: all of it or nothing.

        Incidents and rules replace those of their id; posts are queued, to be sent at once; posts of the ids in
        `recalled` are not sent any more. Telling the same thing twice (incident, target, reason, ordinal) is a fault of
        ours: sqlite3.IntegrityError.
        """
        if not (incidents or rules or decisions or posts or recalled or lookups):
            return
        with self._db.transaction():
            incident_rows.upsert(self._db, incidents)
            for rule in rules:
                self._put_rule(rule, at)
            decided_at = self._recall(recalled, at)
            for post in posts:
                self._post(post, at, decided_at.get(post.conversation.id, instant(at)))
            self._db.execute_many(
                _DECISION,
                ((instant(at), d.incident_id, d.target, d.reason, d.told, d.why) for d in decisions),
            )
            lookup_rows.insert(self._db, lookups)

    def _recall(self, ids: Collection[str], at: datetime) -> dict[str, float]:
        """Take posts back; by conversation, when the oldest of them was decided: a recall buys no more time."""
        recalled = list(self._db.query(_RECALL, (instant(at), json.dumps(sorted(ids))))) if ids else []
        if len(recalled) != len(ids):
            raise RuntimeError("what has left already cannot be recalled")
        oldest: dict[str, float] = {}
        for conversation_id, created_at in recalled:
            oldest[conversation_id] = min(created_at, oldest.get(conversation_id, created_at))
        return oldest

    def _put_rule(self, rule: RuleRecord, at: datetime) -> None:
        self._db.execute(
            _RULE,
            {
                "id": rule.id,
                "digest": rule.digest,
                "speaks_from": rule.speaks_from and seconds(rule.speaks_from),
                "at": instant(at),
                "removed_at": instant(at) if rule.removed else None,
                "removals": rule.removals,
            },
        )

    def _post(self, post: Post, at: datetime, created_at: float) -> None:
        conversation, news = post.conversation, post.message.news
        rule_id, reason = (news[0].rule.id, news[0].reason.value) if news else ("", HELLO)
        self._db.execute(_CONVERSATION, (conversation.id, post.target, rule_id, conversation.subject, conversation.ref))
        self._db.execute(
            _OUTBOX,
            {
                "id": post.id,
                "target": post.target,
                "conversation": conversation.id,
                "reason": reason,
                "body": MESSAGE.dump(post.message),
                "at": instant(at),
                "created_at": created_at,
            },
        )
        self._db.execute_many(
            _NOTIFICATION,
            ((k.incident_id, k.target, k.reason, k.ordinal, k.rank, k.face, instant(at), post.id) for k in post.keys),
        )


def _told(row: Row) -> Told:
    incident_id, target, reason, ordinal, rank, face, decided_at, conversation_id, subject, ref, post_id, *how = row
    state, unsure, ended_at = State(how[0]), bool(how[1]), moment(how[2])
    return Told(
        notification=Notification(incident_id, target, Reason(reason), ordinal, rank, face),
        conversation=Conversation(conversation_id, subject, ref),
        decided_at=moment(decided_at),
        post_id=post_id,
        counts=state in _COUNTING,
        waits=state in _WAITING and not unsure,
        recalled=state is State.RECALLED,
        sent_at=ended_at if state is State.SENT else None,
    )


def _decision(columns: Sequence[Any]) -> Decision:
    incident_id, target, reason, told, why = columns
    return Decision(incident_id, target, Reason(reason), bool(told), why)


def _attempts(row: Row) -> Attempts:
    post_id, target, reason, state, attempts, created_at, attempted_at, next_attempt_at, ended_at, last_error = row
    return Attempts(
        id=post_id,
        target=target,
        reason=Reason(reason),
        state=State(state),
        attempts=attempts,
        created_at=moment(created_at),
        attempted_at=moment(attempted_at),
        next_attempt_at=moment(next_attempt_at),
        ended_at=moment(ended_at),
        last_error=last_error,
    )
