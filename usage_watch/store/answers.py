"""What people answered to alerts, as rows."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime

from usage_watch.core.lessons import Answer, AnswerKind, Expected, Rebased
from usage_watch.core.silence import Ack
from usage_watch.store.database import Database, Row
from usage_watch.store.times import instant, moment

_LATEST = """
SELECT * FROM answer WHERE id IN (
    SELECT max(id) FROM answer WHERE incident_id IN (SELECT value FROM json_each(?)) GROUP BY incident_id
)
"""
_TAKE_BACK = "UPDATE answer SET taken_back_at = ?, taken_back_by = ? WHERE incident_id = ? AND taken_back_at IS NULL"
_EXPECTED = """
SELECT rule_id, labels, coalesce(from_at, started_at), coalesce(until_at, ended_at)
FROM answer JOIN incident ON incident.id = incident_id
WHERE answer.kind = 'expected' AND taken_back_at IS NULL ORDER BY answer.id
"""
_REBASED = """
SELECT rule_id, labels, from_at, coalesce(until_at, at)
FROM answer JOIN incident ON incident.id = incident_id
WHERE answer.kind = 'rebaseline' AND taken_back_at IS NULL ORDER BY answer.id
"""


class AnswerStore:
    """What people said about what is usual, in an open database. Nothing is ever deleted."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def say(self, answer: Answer, ack: Ack | None) -> None:
        """Store an answer to a stored incident, and that whoever gives it knows of it, as long as the answer stands.

        What was said before is taken back; where the answer only repeats it, nothing but the `ack` is stored.
        """
        with self._db.transaction():
            before = self.latest([answer.incident_id]).get(answer.incident_id)
            if before is None or not answer.repeats(before):
                self._take_back(answer.incident_id, answer.at, answer.author)
                self._add(answer)
            if ack is not None:
                self._acknowledge(ack)

    def take_back(self, incident_id: str, at: datetime, author: str) -> bool:
        """Take back what stands of an incident; whether there was anything to take back."""
        with self._db.transaction():
            return self._take_back(incident_id, at, author) > 0

    def latest(self, incident_ids: Collection[str]) -> dict[str, Answer]:
        """The latest of each of these incidents that has any; it may have been taken back."""
        rows = self._db.query(_LATEST, (json.dumps(list(incident_ids)),))
        return {answer.incident_id: answer for answer in map(_answer, rows)}

    def expected(self) -> list[Expected]:
        """All that shall not be learned from, in the order in which it was said.

        Where no times were said, they are those of the incident as it is stored now.
        """
        rows = self._db.query(_EXPECTED)
        return [Expected(rule, json.loads(labels), moment(begin), moment(end)) for rule, labels, begin, end in rows]

    def rebased(self) -> list[Rebased]:
        """All that is the new usual, in the order in which it was said."""
        rows = self._db.query(_REBASED)
        return [Rebased(rule, json.loads(labels), moment(since), moment(at)) for rule, labels, since, at in rows]

    def _take_back(self, incident_id: str, at: datetime, author: str) -> int:
        return self._db.execute(_TAKE_BACK, (instant(at), author, incident_id))

    def _add(self, answer: Answer) -> None:
        times = (answer.from_at and instant(answer.from_at), answer.until_at and instant(answer.until_at))
        self._db.execute(
            "INSERT INTO answer (incident_id, kind, from_at, until_at, at, author, note) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (answer.incident_id, answer.kind, *times, instant(answer.at), answer.author, answer.note),
        )

    def _acknowledge(self, ack: Ack) -> None:
        self._db.execute(
            "INSERT INTO ack (incident_id, rank, at, author, note, answer_id) "
            "SELECT incident_id, ?, ?, ?, ?, id FROM answer WHERE incident_id = ? AND taken_back_at IS NULL",
            (ack.rank, instant(ack.at), ack.author, ack.note, ack.incident_id),
        )


def _answer(row: Row) -> Answer:
    """From the columns in the order of the table."""
    _, incident_id, kind, from_at, until_at, at, author, note, taken_back_at, taken_back_by = row
    return Answer(
        incident_id=incident_id,
        kind=AnswerKind(kind),
        from_at=moment(from_at),
        until_at=moment(until_at),
        at=moment(at),
        author=author,
        note=note,
        taken_back_at=moment(taken_back_at),
        taken_back_by=taken_back_by,
    )
