"""Look-ups as rows: which members' hours are wanted for which incident, and how far that went."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from datetime import datetime

from usage_watch.core.lookup import GIVEN_UP_AFTER, Lookup
from usage_watch.core.series import HOUR, Feed
from usage_watch.store.database import Database, Row
from usage_watch.store.times import instant, moment, seconds

_COLUMNS = "incident_id, dataset, members, from_at, until_at, wanted_at, asked, failures, retry_at"
_INSERT = "INSERT INTO lookup (incident_id, dataset, members, from_at, until_at, wanted_at) VALUES (?, ?, ?, ?, ?, ?)"
_OF = f"""
SELECT {_COLUMNS} FROM lookup WHERE incident_id IN (SELECT value FROM json_each(?)) ORDER BY wanted_at, incident_id
"""  # noqa: S608
_WAITING = f"""
SELECT {_COLUMNS} FROM lookup
WHERE asked < json_array_length(members) AND wanted_at > ? ORDER BY wanted_at, incident_id
"""  # noqa: S608


def insert(db: Database, lookups: Iterable[Lookup]) -> None:
    """Write new ones, inside a transaction: an incident has one, sqlite3.IntegrityError else."""
    for each in lookups:
        db.execute(_INSERT, _row(each))


class LookupStore:
    """What is to be asked once, in an open database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def of(self, incident_ids: Collection[str]) -> list[Lookup]:
        """Those of these incidents, oldest first."""
        return [_lookup(row) for row in self._db.query(_OF, (json.dumps(list(incident_ids)),))]

    def waiting(self, now: datetime) -> list[Lookup]:
        """Those of which something is left to ask, oldest first."""
        return [_lookup(row) for row in self._db.query(_WAITING, (instant(now - GIVEN_UP_AFTER),))]

    def asked(self, incident_id: str) -> None:
        """Note that one more of its members was asked for."""
        with self._db.transaction():
            self._db.execute(
                "UPDATE lookup SET asked = asked + 1, failures = 0, retry_at = NULL WHERE incident_id = ?",
                (incident_id,),
            )

    def failed(self, incident_id: str, retry_at: datetime) -> None:
        """Note that the source as a whole did not answer."""
        with self._db.transaction():
            self._db.execute(
                "UPDATE lookup SET failures = failures + 1, retry_at = ? WHERE incident_id = ?",
                (instant(retry_at), incident_id),
            )


def _row(each: Lookup) -> Row:
    members = json.dumps([feed.scope for feed in each.feeds])
    times = seconds(each.from_at), seconds(each.until_at), instant(each.wanted_at)
    return each.incident_id, each.feeds[0].dataset, members, *times


def _lookup(row: Row) -> Lookup:
    incident_id, dataset, members, from_at, until_at, wanted_at, asked, failures, retry_at = row
    return Lookup(
        incident_id=incident_id,
        feeds=tuple(Feed(dataset, HOUR, member) for member in json.loads(members)),
        from_at=moment(from_at),
        until_at=moment(until_at),
        wanted_at=moment(wanted_at),
        asked=asked,
        failures=failures,
        retry_at=moment(retry_at),
    )
