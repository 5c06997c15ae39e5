"""Looking at a database without leaving a trace: nothing beside it is made, no writer is kept waiting.

A reader of SQLite's may make files (-wal, -shm), and must be able to, unless the file is opened as immutable. That is
right while nobody writes: so it is looked at again, as a reader, where somebody began to in the meantime.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TypeVar

from usage_watch.errors import MachineError
from usage_watch.store.database import PATIENCE, Database
from usage_watch.store.faults import explained
from usage_watch.store.header import readable

T = TypeVar("T")
_Still = tuple[int, int, int]


def look(path: Path, work: Callable[[Database], T]) -> T:
    """What `work` answers of the database as it is, of whatever version; it may be called twice.

    MachineError where there is none, where this user may not read it, or where it is too damaged to be opened.
    """
    path = readable(path)
    before = _still(path)
    if before is not None:
        try:
            found = _looked(path, "immutable=1", work)
        except MachineError:
            if _still(path) == before:
                raise
        else:
            if _still(path) == before:
                return found
    return _looked(path, "mode=ro", work)


def _looked(path: Path, how: str, work: Callable[[Database], T]) -> T:
    with explained(path), ExitStack() as opened:
        connection = sqlite3.connect(
            f"{path.as_uri()}?{how}", uri=True, isolation_level=None, timeout=PATIENCE.total_seconds()
        )
        opened.enter_context(closing(connection))
        for pragma in ("trusted_schema = OFF", "query_only = ON"):
            connection.execute(f"PRAGMA {pragma}")
        try:
            return work(Database(path, connection, None))
        except UnicodeError as error:  # what SQLite says of a damaged schema may be no text
            raise MachineError(f"{path} is damaged; move it away and restore a backup") from error


def _still(path: Path) -> _Still | None:
    """What tells whether anybody has written since; None while somebody has it open, or died with it open."""
    for suffix in ("-wal", "-journal"):
        beside = path.with_name(path.name + suffix)
        if beside.exists() and beside.stat().st_size:
            return None
    if path.with_name(f"{path.name}-shm").exists():
        return None
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns
