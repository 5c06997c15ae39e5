"""SQLite's failures as sentences."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from usage_watch.errors import Hindrance, MachineError

_PRIMARY = 0xFF
"""An extended result code holds the primary one in its low byte."""

_HINDRANCES = {
    sqlite3.SQLITE_BUSY: Hindrance.LOCKED,
    sqlite3.SQLITE_PROTOCOL: Hindrance.LOCKED,
    sqlite3.SQLITE_READONLY: Hindrance.FORBIDDEN,
    sqlite3.SQLITE_PERM: Hindrance.FORBIDDEN,
    sqlite3.SQLITE_IOERR: Hindrance.DISK,
    sqlite3.SQLITE_CORRUPT: Hindrance.DAMAGED,
    sqlite3.SQLITE_FULL: Hindrance.FULL,
    sqlite3.SQLITE_CANTOPEN: Hindrance.UNOPENABLE,
    sqlite3.SQLITE_NOTADB: Hindrance.DAMAGED,
}
_SENTENCES = {
    Hindrance.LOCKED: "{} is locked by another program; close it there (a database browser, a backup) and try again",
    Hindrance.READ_ONLY: "{} is on a file system that is mounted read-only; check the disk, and mount it writable",
    Hindrance.FORBIDDEN: (
        "{} cannot be written by this user, and while no daemon has it open a reader must be able to write too; "
        "run the command as the daemon's user"
    ),
    Hindrance.DISK: "{} cannot be read or written: the disk reports an error; check it and its file system",
    Hindrance.DAMAGED: "{} is damaged; move it away and restore a backup",
    Hindrance.FULL: "{} cannot grow: the disk is full; make room, nothing that was stored is lost",
    Hindrance.UNOPENABLE: (
        "{} or a file beside it (-wal, -shm) cannot be opened by this user; check the permissions of its directory"
    ),
}
_ERRNOS = {
    errno.ENOSPC: Hindrance.FULL,
    errno.EDQUOT: Hindrance.FULL,
    errno.EFBIG: Hindrance.FULL,
    errno.EROFS: Hindrance.READ_ONLY,
    errno.EIO: Hindrance.DISK,
}
_ADVICE = {
    Hindrance.FULL: "make room, nothing that was stored is lost",
    Hindrance.READ_ONLY: "check the disk, and mount it writable",
    Hindrance.DISK: "check the disk and its file system",
    Hindrance.UNOPENABLE: "check its owner and its directory",
}
_NOT_OURS = "{} is not a usage-watch database; name another file in store.path"


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns what the machine does to us into a MachineError; a fault of our own SQL goes through as it is."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
        if code not in _HINDRANCES:
            raise
        hindrance = _closer(path, _HINDRANCES[code])
        sentence = _NOT_OURS if code == sqlite3.SQLITE_NOTADB else _SENTENCES[hindrance]
        raise MachineError(sentence.format(path), hindrance) from error


def refused(path: Path, error: OSError) -> MachineError:
    """What the operating system said of a file of ours."""
    hindrance = _ERRNOS.get(error.errno or 0, Hindrance.UNOPENABLE)
    return MachineError(f"cannot open {path}: {error.strerror}; {_ADVICE[hindrance]}", hindrance)


def _closer(path: Path, hindrance: Hindrance) -> Hindrance:
    """SQLite tells neither a file system that was made read-only from a file, nor no room for -shm from no right."""
    try:
        found = os.statvfs(path.parent)
    except OSError:
        return hindrance
    if hindrance in (Hindrance.DISK, Hindrance.FORBIDDEN, Hindrance.UNOPENABLE) and found.f_flag & os.ST_RDONLY:
        return Hindrance.READ_ONLY
    if hindrance in (Hindrance.DISK, Hindrance.UNOPENABLE) and found.f_bavail == 0:
        return Hindrance.FULL
    return hindrance
