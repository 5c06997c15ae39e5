"""A database as `doctor` sees it: is it whole, how large is it and how fast does it grow, and who watches into it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from usage_watch.core.series import Feed
from usage_watch.errors import MachineError
from usage_watch.store.database import Database
from usage_watch.store.header import readable
from usage_watch.store.times import moment, seconds

SQLITE = sqlite3.sqlite_version_info
"""The version of the library, whichever Python brings."""
QUICK, WHOLE = "quick_check", "integrity_check"
"""SQLite's checks: the first leaves out whether indexes and tables agree."""
_MOST = 20
"""Findings of a check that are kept."""
_GROWN_OVER = timedelta(days=28)
_SHOWN_BYTES = 400
"""Of an odd answer."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found in the file; sizes in bytes."""

    version: int
    """Of its schema; 0 while nothing is in it."""
    size: int
    idle: int
    """Of it, what nothing stands in: it is used before the file grows."""
    wal: int
    """Of the write-ahead log."""
    grows: float | None
    """A day, by what the last four weeks brought; None where too little is stored to tell."""
    checked: str
    """`quick_check` or `integrity_check`."""
    damage: tuple[str, ...]
    """What the check found; empty where all is well."""


@dataclass(frozen=True, slots=True)
class Oddity:
    """An answer of the source that was not as documented."""

    feed: Feed
    at: datetime
    detail: str
    """What was odd, in one sentence."""
    said: str
    """How the answer begins, as it came."""


def examine(database: Database, now: datetime, thorough: bool = False) -> Examination:
    """Read the whole file; `thorough` also compares indexes with their tables.

    MachineError where it is too damaged even for that.
    """
    try:
        return _examined(database, now, WHOLE if thorough else QUICK)
    except (sqlite3.DatabaseError, UnicodeError) as error:  # a schema, or a message of SQLite's, that is no text
        sentence = "{} is damaged ({}); move it away and restore a backup"
        raise MachineError(sentence.format(database.path, type(error).__name__)) from error


def _examined(database: Database, now: datetime, checked: str) -> Examination:
    page, pages, idle = (_number(database, name) for name in ("page_size", "page_count", "freelist_count"))
    damage = tuple(_damage(database, checked))
    used, version = page * (pages - idle), _number(database, "user_version")
    return Examination(
        version=version,
        size=page * pages,
        idle=page * idle,
        wal=_size(database.path.with_name(f"{database.path.name}-wal")),
        grows=None if damage or not version else _growth(database, used, now),
        checked=checked,
        damage=damage,
    )


def oddities(database: Database) -> list[Oddity]:
    """What is kept of odd answers, one a feed, newest first."""
    rows = database.query(
        "SELECT dataset, width, scope, at, detail, substr(body, 1, ?) FROM oddity JOIN feed ON feed.id = feed_id "
        "ORDER BY at DESC",
        (_SHOWN_BYTES,),
    )
    return [
        Oddity(Feed(dataset, width, scope), moment(at), detail, bytes(body).decode("utf-8", "replace"))
        for dataset, width, scope, at, detail, body in rows
    ]


def there(path: Path) -> bool:
    """Whether there is anything to examine; MachineError where what is there is not for us.

    An empty file is yet to become a database.
    """
    with suppress(OSError, RuntimeError):
        found = path.resolve()
        if found.parent.is_dir() and (not found.exists() or (found.is_file() and not found.stat().st_size)):
            return False
    readable(path)
    return True


def _damage(database: Database, checked: str) -> Iterator[str]:
    try:
        found = [line for (said,) in database.query(f"PRAGMA {checked}({_MOST})") for line in str(said).splitlines()]
    except MachineError as error:
        found = [str(error)]
    yield from (line for line in found if line != "ok" and not line.startswith("***"))


def _growth(database: Database, used: int, now: datetime) -> float | None:
    """As if what is stored of a bucket were as much for each, early or late."""
    since = seconds(now - _GROWN_OVER)
    row = database.one("SELECT count(*), count(*) FILTER (WHERE start >= ?) FROM fetch", (since,))
    assert row is not None
    every, lately = row
    return used * lately / every / _GROWN_OVER.days if lately else None


def _number(database: Database, pragma: str) -> int:
    row = database.one(f"PRAGMA {pragma}")
    assert row is not None
    return int(row[0])


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
