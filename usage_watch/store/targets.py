"""Targets: which channels there are, how it goes with each, and another chance for those that failed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from usage_watch.core.targetstate import GivenUp, TargetState
from usage_watch.store.database import Database
from usage_watch.store.times import instant, moment

_STATES = """
SELECT name, blocked_from, failing_from, last_error, coalesce(waiting, 0), waiting_from, unstated_from FROM target
LEFT JOIN (
    SELECT target, count(*) AS waiting, min(created_at) AS waiting_from
    FROM outbox WHERE state IN ('queued', 'leased', 'blocked') GROUP BY target
) ON target = name
ORDER BY name
"""
_GIVEN_UP = """
SELECT outbox.target, ended_at, last_error, rule_id FROM outbox JOIN conversation ON conversation.id = conversation_id
WHERE state = 'dead' AND ended_at >= ? ORDER BY ended_at, seq
"""


class TargetStore:
    """The targets of an open database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def keep(self, settings: Mapping[str, str], at: datetime) -> int:
        """Make these the targets: names with a digest of their settings. Answers how many messages get another chance.

        What waits for others is undeliverable. A target that is new, or that was changed, is tried at once, and what
        was given up for it is said anew where it is still true.
        """
        known: dict[str, str] = dict(self._db.query("SELECT name, settings FROM target"))
        if known == dict(settings):
            return 0
        with self._db.transaction():
            changed = [name for name, digest in settings.items() if known.get(name) != digest]
            chances = sum(self._pardon(name) for name in changed)
            self._db.execute_many(
                "INSERT INTO target (name, settings) VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET settings = excluded.settings",
                ((name, settings[name]) for name in changed),
            )
            self._forget_all_but(settings, at)
        return chances

    def pardon(self, name: str) -> int:
        """Try a target at once, and say anew what was given up for it; answers how many messages that concerns."""
        with self._db.transaction():
            return self._pardon(name)

    def states(self, since: datetime) -> list[TargetState]:
        """How it goes with each target, with what was given up from `since` on."""
        given_up: dict[str, list[GivenUp]] = defaultdict(list)
        for target, at, detail, rule in self._db.query(_GIVEN_UP, (instant(since),)):
            given_up[target].append(GivenUp(moment(at), detail, rule))
        return [
            TargetState(
                name=name,
                blocked_from=moment(blocked_from),
                failing_from=moment(failing_from),
                last_error=last_error,
                waiting=waiting,
                waiting_from=moment(waiting_from),
                given_up=tuple(given_up[name]),
                unstated_from=moment(unstated_from),
            )
            for name, blocked_from, failing_from, last_error, waiting, waiting_from, unstated_from in self._db.query(
                _STATES
            )
        ]

    def _pardon(self, name: str) -> int:
        self._db.execute(
            "UPDATE target SET failures = 0, failing_from = NULL, unstated_from = NULL, blocked_from = NULL, "
            "tried_at = NULL, retry_at = NULL, last_error = NULL WHERE name = ?",
            (name,),
        )
        self._db.execute(
            "UPDATE outbox SET next_attempt_at = created_at WHERE target = ? AND state = 'queued'", (name,)
        )
        blocked = self._db.execute(
            "UPDATE outbox SET state = 'queued', next_attempt_at = created_at WHERE target = ? AND state = 'blocked'",
            (name,),
        )
        # What may have arrived goes as it was, so that a copy has the same id, and so does a greeting, that nobody says
        # anew; but never after what came behind it.
        unsure = self._db.execute(
            "UPDATE outbox SET state = 'queued', next_attempt_at = created_at, ended_at = NULL "
            "WHERE target = ? AND state IN ('dead', 'undeliverable') AND (unsure = 1 OR reason = 'hello') "
            "AND NOT EXISTS (SELECT 1 FROM outbox AS later WHERE later.state = 'sent' AND later.seq > outbox.seq "
            "AND (later.conversation_id = outbox.conversation_id "
            "OR (outbox.reason = 'hello' AND later.target = outbox.target)))",
            (name,),
        )
        said_anew = self._db.execute(
            "UPDATE outbox SET state = 'recalled' "
            "WHERE target = ? AND state IN ('dead', 'undeliverable') AND unsure = 0",
            (name,),
        )
        return blocked + unsure + said_anew

    def _forget_all_but(self, settings: Mapping[str, str], at: datetime) -> None:
        names = json.dumps(list(settings))
        self._db.execute(
            "UPDATE outbox SET state = 'undeliverable', unsure = max(unsure, state = 'leased'), ended_at = ?, "
            "next_attempt_at = NULL, lease_until = NULL "
            "WHERE state IN ('queued', 'leased', 'blocked') AND target NOT IN (SELECT value FROM json_each(?))",
            (instant(at), names),
        )
        self._db.execute("DELETE FROM target WHERE name NOT IN (SELECT value FROM json_each(?))", (names,))
