"""A copy of the database as it was at one moment, taken while the daemon goes on writing.

Read in one read transaction of a connection that cannot write: in write-ahead mode it keeps no writer waiting, so that
it needs no lock. Measured on 1.1 GB: a commit beside it takes 0.1 s at the most, and the write-ahead log only grows
meanwhile. Under the file lock the daemon would wait for all of the copy; in steps without a transaction, each commit of
the daemon's would make the copy begin anew, and it never ended.
"""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from usage_watch.errors import MachineError
from usage_watch.failpoints import passing
from usage_watch.store.database import Database
from usage_watch.store.examine import QUICK, examine
from usage_watch.store.faults import explained
from usage_watch.store.locks import beside
from usage_watch.store.looking import look

RESERVE = 64 << 20
"""Bytes that are left for the daemon to write into."""
_STEP = 4096
"""Pages between two looks at whether somebody wants it to end."""
_STAMP = "%Y%m%dT%H%M%SZ"
_STAMPED = r"[0-9]{8}T[0-9]{6}Z"
_PART = ".part"


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy that was checked."""

    path: Path
    size: int
    """Bytes."""
    checked: str
    """By what SQLite checked it."""


def own_name(database: Path, folder: Path, at: datetime) -> Path:
    """What a backup is called where nobody says: after its database and its time."""
    return folder / f"{database.name}.backup-{at.astimezone(UTC).strftime(_STAMP)}"


def back_up(database: Path, into: Path, now: datetime, *, force: bool = False) -> Backup:
    """Copy the database into a file, which is there whole and checked, or not at all.

    MachineError where it cannot be, and where something is there already, unless by `force` it is to be replaced.
    """
    database, into = _real(database), _real(into)
    _check_place(database, into, force)
    _clear(database, into)
    with _part(into) as part:
        look(database, lambda source: _copy(source, part))
        found = _checked(part, database, into, now)
        _become(part, into, database, force)
    return found


def keep_newest(database: Path, folder: Path, keep: int) -> list[Path]:
    """Remove all but the newest backups of this database that have names of our own; which were removed."""
    mine = re.compile(re.escape(database.name) + r"\.backup-" + _STAMPED)
    found = sorted(each for each in folder.iterdir() if mine.fullmatch(each.name) and each.is_file())
    gone = found[:-keep]
    for each in gone:
        each.unlink()
    return gone


def _check_place(database: Path, into: Path, force: bool) -> None:
    own = {database, *(beside(database, each) for each in ("lock", "daemon", "alarm"))}
    own |= {database.with_name(database.name + each) for each in ("-wal", "-shm", "-journal")}
    if into in own:
        raise MachineError(f"{into} belongs to the database itself; name another file for its backup")
    if not into.parent.is_dir():
        raise MachineError(f"the directory {into.parent} does not exist; create it or name another file")
    if into.exists() and not into.is_file():
        raise MachineError(f"{into} is not a file; name one for the backup")
    if into.exists() and not force:
        raise MachineError(f"{into} is there already; name another file, or replace it with --force")


def _clear(database: Path, into: Path) -> None:
    """Remove what backups left that were killed; one that is still being written is locked."""
    left = re.compile(re.escape(f".{database.name}.backup-") + _STAMPED + re.escape(_PART))
    for path in into.parent.iterdir():
        if left.fullmatch(path.name) or path == _part_of(into):
            with suppress(OSError), path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()


@contextmanager
def _part(into: Path) -> Iterator[Path]:
    """An empty file beside the place, readable by its owner alone, and gone at the end unless it became something."""
    part = _part_of(into)
    under_way = MachineError(f"another backup into {into} is under way; wait for it to end")
    try:
        # Nobody else can have put it there, to read what is written or to have another file overwritten.
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise under_way from None
    except OSError as error:
        raise MachineError(f"cannot write in {into.parent}: {error.strerror}; name a file elsewhere") from error
    try:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.fstat(descriptor).st_nlink:  # another one took it for left over, before it was locked
            raise under_way
        yield part
    finally:
        os.close(descriptor)
        part.unlink(missing_ok=True)


def _part_of(into: Path) -> Path:
    return into.with_name(f".{into.name}{_PART}")


def _real(path: Path) -> Path:
    # Unlike resolve(), it has an answer for links that lead to themselves: what is opened then is refused.
    return Path(os.path.realpath(path))


def _copy(source: Database, part: Path) -> None:
    os.truncate(part, 0)
    reader: sqlite3.Connection = source.tables.conn
    # Held over all steps: else each commit of somebody else would let it begin anew.
    reader.execute("BEGIN")
    row = source.one("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
    assert row is not None
    _check_room(part.parent, int(row[0]))
    with closing(sqlite3.connect(part, isolation_level=None)) as copy, part.open("rb") as written:
        # Nobody reads it before it is whole: it needs neither a journal nor SQLite's syncs.
        for pragma in ("journal_mode = OFF", "synchronous = OFF"):
            copy.execute(f"PRAGMA {pragma}")

        def stepped(_status: int, _remaining: int, _total: int) -> None:
            # As it goes, lest the daemon's own sync wait for a gigabyte of ours; and it lets Ctrl-C through.
            os.fdatasync(written.fileno())
            passing("backup.stepped")

        with _explained(part):
            reader.backup(copy, pages=_STEP, progress=stepped, sleep=0)


def _check_room(folder: Path, size: int) -> None:
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    if free < size + RESERVE:
        raise MachineError(
            f"the backup needs {size / 1e6:,.0f} MB, and {RESERVE / 1e6:,.0f} MB are to stay free, but {folder} has "
            f"{free / 1e6:,.0f} MB; make room there or name a file elsewhere"
        )


@contextmanager
def _explained(part: Path) -> Iterator[None]:
    """What is wrong with writing is not wrong with the database."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_FULL:
            raise
        raise MachineError(f"{part.parent} is full; make room there or name a file elsewhere") from error


def _checked(part: Path, database: Path, into: Path, now: datetime) -> Backup:
    """Open the copy as whoever restores it will, and read all of it."""
    with explained(part), closing(sqlite3.connect(f"{part.as_uri()}?immutable=1", uri=True)) as connection:
        found = examine(Database(part, connection, None), now)
    if found.damage:
        raise MachineError(
            f"the copy of {database} is damaged ({found.damage[0]}), and so was not kept: "
            "see what `usage-watch doctor --thorough` says, and restore an earlier backup"
        )
    return Backup(into, found.size, QUICK)


def _become(part: Path, into: Path, database: Path, force: bool) -> None:
    """The last step: until here nothing has its name."""
    original = database.stat()
    descriptor = os.open(part, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fchmod(descriptor, original.st_mode & 0o777)
        if os.geteuid() == 0:  # so that the daemon's user may restore it
            os.fchown(descriptor, original.st_uid, original.st_gid)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if into.exists() and not force:
        raise MachineError(f"{into} is there by now; name another file, or replace it with --force")
    passing("backup.checked")
    part.replace(into)
    passing("backup.named")
    folder = os.open(into.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
