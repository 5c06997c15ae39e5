"""What is counted for the machines that watch the watcher: cheap enough for every turn of the daemon's loop."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from usage_watch.core.series import Feed
from usage_watch.store.database import Database
from usage_watch.store.times import moment

_FEEDS = """
SELECT dataset, width, scope, read_at,
       CASE WHEN failures > 0
       THEN (SELECT fault FROM poll WHERE feed_id = feed.id ORDER BY at DESC, id DESC LIMIT 1) END
FROM feed
"""
_DATA_UNTIL = """
SELECT start + width FROM fetch JOIN feed ON feed.id = feed_id
WHERE dataset = ? AND width = ? AND scope = ? AND nonzero_at IS NOT NULL ORDER BY start DESC LIMIT 1
"""
_OPEN = """
SELECT rule_id, severity, coalesce(known, 0), count(*)
FROM (
    SELECT rule_id, severity,
           (SELECT ack.rank >= incident.rank FROM ack WHERE incident_id = incident.id ORDER BY ack.id DESC LIMIT 1)
           AS known
    FROM incident WHERE ended_at IS NULL AND history = 0
)
GROUP BY rule_id, severity, known
"""
_TOLD = """
SELECT DISTINCT rule_id, labels FROM incident
JOIN notification ON incident_id = incident.id
JOIN outbox ON outbox.id = outbox_id
WHERE incident.ended_at IS NULL AND kind = ? AND state = 'sent'
"""
_WAITING = """
SELECT target, count(*), min(created_at) FROM outbox WHERE state IN ('queued', 'leased', 'blocked') GROUP BY target
"""


@dataclass(frozen=True, slots=True)
class Read:
    """How reading a feed goes."""

    read_at: datetime | None
    """When it was last read with success."""
    fault: str | None
    """Why the last poll failed; None after a success."""


class GaugeStore:
    """Reads gauges and counts out of an open database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def last_poll(self) -> int:
        """The number of the newest poll; 0 where there was none."""
        row = self._db.one("SELECT coalesce(max(id), 0) FROM poll")
        assert row is not None
        return int(row[0])

    def polls_after(self, number: int) -> list[tuple[int, Feed, str | None]]:
        """Every poll with a number above, in order: its number, its feed and what it failed of."""
        rows = self._db.query(
            "SELECT poll.id, dataset, width, scope, fault FROM poll JOIN feed ON feed.id = feed_id "
            "WHERE poll.id > ? ORDER BY poll.id",
            (number,),
        )
        return [(poll, Feed(dataset, width, scope), fault) for poll, dataset, width, scope, fault in rows]

    def feeds(self) -> Mapping[Feed, Read]:
        """How reading goes, of every feed that was ever asked."""
        rows = self._db.query(_FEEDS)
        return {
            Feed(dataset, width, scope): Read(moment(read_at), fault) for dataset, width, scope, read_at, fault in rows
        }

    def data_until(self, feeds: Collection[Feed]) -> Mapping[Feed, int | None]:
        """End of the newest bucket of each feed that had usage, epoch seconds; None where none had."""
        found = ((feed, self._db.one(_DATA_UNTIL, (feed.dataset, feed.width, feed.scope))) for feed in feeds)
        return {feed: None if row is None else int(row[0]) for feed, row in found}

    def open_alerts(self) -> list[tuple[str, str, bool, int]]:
        """By rule, severity and whether somebody knows of it at that level: how many are open."""
        return [(rule, severity, bool(known), count) for rule, severity, known, count in self._db.query(_OPEN)]

    def told(self, kind: str) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
        """Rule and labels of every open alert of a kind of which anything was sent to anybody."""
        rows = self._db.query(_TOLD, (kind,))
        return {(rule, tuple(sorted(json.loads(labels).items()))) for rule, labels in rows}

    def waiting(self) -> Mapping[str, tuple[int, datetime]]:
        """By target, how many messages wait, and when the oldest of them was decided."""
        return {target: (count, moment(oldest)) for target, count, oldest in self._db.query(_WAITING)}
