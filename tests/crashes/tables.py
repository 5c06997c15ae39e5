"""What a database holds, seen from outside the program."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

Row = tuple[object, ...]


@dataclass(frozen=True)
class Table:
    """All of a table."""

    columns: Sequence[str]
    rows: Sequence[Row]

    def of(self, columns: Sequence[str]) -> Counter[Row]:
        """Some columns of every row, in no order."""
        places = [self.columns.index(column) for column in columns]
        return Counter(tuple(row[place] for place in places) for row in self.rows)


Tables = Mapping[str, Table]
"""By name."""


def tables(database: Path) -> Tables:
    """All that is in it."""
    with closing(sqlite3.connect(database)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
        return {name: _table(connection, name) for (name,) in names}


def asked(database: Path, sql: str) -> list[Row]:
    """The answer to a question."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(sql).fetchall()


def _table(connection: sqlite3.Connection, name: str) -> Table:
    cursor = connection.execute(f"SELECT * FROM {name}")
    return Table([column[0] for column in cursor.description], cursor.fetchall())
