"""When the daemon read its rules file, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from usage_watch.core.rulesfile import Refused
from usage_watch.store.database import Database
from usage_watch.store.times import instant, moment

_KEPT = 100


@dataclass(frozen=True, slots=True)
class Read:
    """One reading of the rules file."""

    number: int
    """Grows from one to the next."""
    refusal: str | None
    """Why it is not used; None where it is."""
    outcome: str
    """One sentence for whoever asked for it."""


class ReadStore:
    """The readings of the rules file, of an open database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def note(self, at: datetime, outcome: str, refusal: str | None = None) -> None:
        """The file was read; `refusal` says why it is not used."""
        with self._db.transaction():
            self._db.execute(
                "INSERT INTO rules_read (at, refusal, outcome) VALUES (?, ?, ?)", (instant(at), refusal, outcome)
            )
            self._db.execute("DELETE FROM rules_read WHERE id <= (SELECT max(id) FROM rules_read) - ?", (_KEPT,))

    def newest(self) -> Read | None:
        """The last one; None before the first."""
        row = self._db.one("SELECT id, refusal, outcome FROM rules_read ORDER BY id DESC LIMIT 1")
        return None if row is None else Read(*row)

    def refused(self) -> Refused | None:
        """Since when what was read last is not used; None where it is."""
        newest = self.newest()
        if newest is None or newest.refusal is None:
            return None
        row = self._db.one(
            "SELECT min(at), count(*) FROM rules_read "
            "WHERE id > (SELECT coalesce(max(id), 0) FROM rules_read WHERE refusal IS NULL)"
        )
        assert row is not None
        return Refused(moment(row[0]), newest.refusal, row[1])
