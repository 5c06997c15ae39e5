"""Silences and acknowledgements as rows."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime

from usage_watch.core.silence import Ack, Matcher, Operator, Silence
from usage_watch.store.database import Database, Row
from usage_watch.store.times import instant, moment

_ENDING_FROM = """
SELECT * FROM silence WHERE max(from_at, min(until_at, coalesce(expired_at, until_at))) >= ? ORDER BY from_at, id
"""
_BEGINNING = """
SELECT * FROM silence
WHERE :prefix <> '' AND (substr(id, 1, length(:prefix)) = :prefix OR substr(id, 5, length(:prefix)) = :prefix)
ORDER BY id <> :prefix LIMIT 2
"""
_LATEST = """
SELECT incident_id, rank, at, author, note FROM ack WHERE id IN (
    SELECT max(ack.id) FROM ack LEFT JOIN answer ON answer.id = answer_id
    WHERE ack.incident_id IN (SELECT value FROM json_each(?)) AND taken_back_at IS NULL GROUP BY ack.incident_id
)
"""


class SilenceStore:
    """What people said about being told, in an open database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, silence: Silence) -> None:
        """Store a new one."""
        matchers = [[each.name, each.operator, each.value] for each in silence.matchers]
        with self._db.transaction():
            self._db.execute(
                "INSERT INTO silence VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    silence.id,
                    json.dumps(matchers),
                    instant(silence.from_at),
                    instant(silence.until_at),
                    silence.author,
                    silence.reason,
                    instant(silence.created_at),
                    silence.expired_at and instant(silence.expired_at),
                ),
            )

    def all(self, since: datetime) -> list[Silence]:
        """Those that do not end before `since`, also those to come, in order of start."""
        return [_silence(row) for row in self._db.query(_ENDING_FROM, (instant(since),))]

    def find(self, prefix: str) -> Silence | None:
        """One by its id, or by a beginning of it that only one has; `sil_` may be left out."""
        found = [_silence(row) for row in self._db.query(_BEGINNING, {"prefix": prefix})]
        return found[0] if len(found) == 1 or (found and found[0].id == prefix) else None

    def expire(self, id: str, at: datetime) -> bool:
        """End one before its time, or before it begins; whether there was anything to end."""
        with self._db.transaction():
            touched = self._db.execute(
                "UPDATE silence SET expired_at = ? WHERE id = ? AND expired_at IS NULL AND until_at > ?",
                (instant(at), id, instant(at)),
            )
        return touched > 0

    def ack(self, ack: Ack) -> None:
        """Store that somebody knows of an incident; the latest counts. The incident is stored: IntegrityError else."""
        with self._db.transaction():
            self._db.execute(
                "INSERT INTO ack (incident_id, rank, at, author, note) VALUES (?, ?, ?, ?, ?)",
                (ack.incident_id, ack.rank, instant(ack.at), ack.author, ack.note),
            )

    def acks(self, incident_ids: Collection[str]) -> dict[str, Ack]:
        """The latest of each of these incidents that has any; none that came with an answer that was taken back."""
        rows = self._db.query(_LATEST, (json.dumps(list(incident_ids)),))
        return {incident: Ack(incident, rank, moment(at), author, note) for incident, rank, at, author, note in rows}


def _silence(row: Row) -> Silence:
    """From the columns in the order of the table."""
    silence_id, matchers, from_at, until_at, author, reason, created_at, expired_at = row
    return Silence(
        id=silence_id,
        matchers=tuple(Matcher(name, Operator(operator), value) for name, operator, value in json.loads(matchers)),
        from_at=moment(from_at),
        until_at=moment(until_at),
        author=author,
        reason=reason,
        created_at=moment(created_at),
        expired_at=moment(expired_at),
    )
