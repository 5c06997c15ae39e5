"""SQLite's failures as sentences."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from usage_watch.errors import MachineError

_PRIMARY = 0xFF
"""An extended result code holds the primary one in its low byte."""

_SENTENCES = {
    sqlite3.SQLITE_BUSY: "{} is locked by another program; close it there (a database browser, a backup) and try again",
    sqlite3.SQLITE_READONLY: (
        "{} cannot be written by this user, and while no daemon has it open a reader must be able to write too; "
        "run the command as the daemon's user"
    ),
    sqlite3.SQLITE_IOERR: "{} cannot be read or written: the disk reports an error; check it and its file system",
    sqlite3.SQLITE_CORRUPT: "{} is damaged; move it away and restore a backup",
    sqlite3.SQLITE_FULL: "{} cannot grow: the disk is full; make room, nothing that was stored is lost",
    sqlite3.SQLITE_CANTOPEN: (
        "{} or a file beside it (-wal, -shm) cannot be opened by this user; check the permissions of its directory"
    ),
    sqlite3.SQLITE_NOTADB: "{} is not a usage-watch database; name another file in store.path",
}


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns what the machine does to us into a MachineError; a fault of our own SQL goes through as it is."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        sentence = _SENTENCES.get(getattr(error, "sqlite_errorcode", 0) & _PRIMARY)
        if sentence is None:
            raise
        raise MachineError(sentence.format(path)) from error
