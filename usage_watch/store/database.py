"""The one door to the database file."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from usage_watch.errors import Hindrance, MachineError
from usage_watch.failpoints import passing
from usage_watch.store.faults import explained, refused
from usage_watch.store.header import APPLICATION_ID, VERSION, check_version, readable, writable
from usage_watch.store.locks import FileLock, beside
from usage_watch.store.ownership import make_for_owner

if TYPE_CHECKING:
    import sqlite_utils

PATIENCE = timedelta(seconds=5)
"""How long to wait for another process' lock."""

ROOM = 1 << 20
"""Bytes that a cycle may need on the disk."""
_CANNOT_TELL = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)
"""A file system that sets nothing aside."""

Parameters = Sequence[Any] | Mapping[str, Any]
Row = tuple[Any, ...]


class Database:
    """An open database of ours; one thread uses it. Close it, or use it as a context manager."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: FileLock | None) -> None:
        self.path = path
        self._connection = connection
        self._lock = lock
        self._data_version: Row | None = None
        self._files: list[tuple[int, int]] | None = None
        """Which files these are, as others find them."""
        self.erased = 0
        """How often feeds or series were deleted by this connection: whoever remembers their ids forgets them then."""

    @property
    def tables(self) -> sqlite_utils.Database:
        """For migrations and a look from outside; bulk work goes through the methods here."""
        # Not above: a daemon, whose database is up to date, does without it and its 3 MiB.
        import sqlite_utils

        return sqlite_utils.Database(self._connection, execute_plugins=False, strict=True)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, alone among all processes; MachineError where the machine refuses. Never nested."""
        if self._lock is None:
            raise RuntimeError("this database was opened for reading")
        if self._connection.in_transaction:
            raise RuntimeError("a transaction is open already")
        with explained(self.path), self._lock.held():
            self._check_files()
            with self._immediate():
                yield
            self._files = self._files or _files(self.path)

    def query(self, sql: str, parameters: Parameters = ()) -> Iterator[Row]:
        """The rows of a SELECT, or of a RETURNING inside a transaction, as they are read."""
        with explained(self.path):
            # Not `yield from`: left half read, that would close the cursor when the database is closed already.
            for row in self._connection.execute(sql, parameters):  # noqa: UP028
                yield row

    def one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row, if there is one."""
        return next(self.query(sql, parameters), None)

    def changed_by_others(self) -> bool:
        """Whether another connection has written since this was last asked."""
        version = self.one("PRAGMA data_version")
        before, self._data_version = self._data_version, version
        return version != before

    def execute(self, sql: str, parameters: Parameters = ()) -> int:
        """Write inside a transaction; answers how many rows it touched."""
        return self._writer().execute(sql, parameters).rowcount

    def execute_many(self, sql: str, rows: Iterable[Row]) -> None:
        """Write many rows inside a transaction: one statement, prepared once."""
        self._writer().executemany(sql, rows)

    def upkeep(self, statement: str) -> Row | None:
        """What no transaction may hold, a checkpoint or VACUUM, alone among all processes."""
        if self._lock is None:
            raise RuntimeError("this database was opened for reading")
        with explained(self.path), self._lock.held():
            return self.one(statement)

    def prove_writable(self) -> None:
        """MachineError unless what a cycle may have to store could be stored now. Changes nothing."""
        room = beside(self.path, "room")
        try:
            with room.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, ROOM)
        except OSError as error:
            if error.errno not in _CANNOT_TELL:
                raise refused(room, error) from error
        finally:
            with suppress(OSError):
                room.unlink()
        with self.transaction():
            self.execute(f"PRAGMA user_version = {VERSION}")

    def close(self) -> None:
        """Closing the last connection checkpoints, so that a writer closes under the lock."""
        with ExitStack() as stack:
            if self._lock is not None:
                # Whoever keeps the lock has the database open: then this is not the last connection.
                with suppress(MachineError):
                    stack.enter_context(self._lock.held())
            self._connection.close()

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_files(self) -> None:
        """A file that others no longer see takes what is written with it, and who opens the new one knows no locks."""
        if self._files is not None and self._files != _files(self.path):
            raise MachineError(
                f"{self.path} or a file beside it (-wal, -shm) was removed or replaced while usage-watch had it open; "
                "start usage-watch again, and leave these files alone while it runs",
                Hindrance.MOVED,
            )

    def _writer(self) -> sqlite3.Connection:
        if not self._connection.in_transaction:
            raise RuntimeError("a write outside a transaction would not hold the file lock")
        return self._connection

    @contextmanager
    def _immediate(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            passing("commit")
            self._connection.execute("COMMIT")
            passing("committed")
        except BaseException:
            # A full disk may have ended the transaction already.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _prepare(self) -> None:
        """Make the file ours and bring it up to date; the caller holds the file lock."""
        version = self._version()
        check_version(self.path, version)
        if version == 0:
            # Before all else, and not yet in the write-ahead log: a crash from here on leaves a file that is ours.
            self._connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        self._connection.execute("PRAGMA journal_mode = WAL")
        if version < VERSION:
            from usage_watch.store.schema import migrate

            with self._immediate():
                migrate(self.tables)
            # Into the file's header, where an older program looks before it touches anything.
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _version(self) -> int:
        row = self.one("PRAGMA user_version")
        assert row is not None
        return int(row[0])


def open_for_writing(path: Path, busy_timeout: timedelta = PATIENCE) -> Database:
    """Open the database, making or upgrading it where needed.

    MachineError, with nothing made or changed, where the place or the file is not fit for it.
    """
    path = writable(path)
    lock = FileLock(path, busy_timeout)
    with explained(path), lock.held(), ExitStack() as undo:
        make_for_owner(path)
        with suppress(OSError):  # SQLite will say what is wrong
            # Before SQLite makes it, and the files beside it as it: members' addresses are not for everybody's eyes.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640))
        connection = _connect(path, "rwc", busy_timeout)
        undo.callback(connection.close)
        for pragma in ("foreign_keys = ON", "synchronous = FULL", f"journal_size_limit = {64 << 20}"):
            connection.execute(f"PRAGMA {pragma}")
        database = Database(path, connection, lock)
        database._prepare()
        undo.pop_all()
        return database


def open_for_reading(path: Path, busy_timeout: timedelta = PATIENCE) -> Database:
    """Open the database to look at it, beside a daemon or without one; MachineError where it is not there yet.

    Not in a process that has it open to write: see `open_beside`.
    """
    return open_beside(readable(path), busy_timeout)


def open_beside(path: Path, busy_timeout: timedelta = PATIENCE) -> Database:
    """The same in a process that may have it open already.

    Nothing but SQLite opens the file here: closing any other descriptor of it would give up this process' locks on it,
    and whoever closes it elsewhere would take the write-ahead log along (sqlite.org/howtocorrupt, 2.2).
    """
    with explained(path), ExitStack() as undo:
        connection = _connect(path, "ro", busy_timeout)
        undo.callback(connection.close)
        connection.execute("PRAGMA query_only = ON")
        database = Database(path, connection, None)
        version = database._version()
        check_version(path, version)
        if version < VERSION:
            raise MachineError(
                f"{path} is of an older usage-watch; start `usage-watch run` once to bring it up to date"
            )
        undo.pop_all()
        return database


def _files(path: Path) -> list[tuple[int, int]]:
    found = []
    for suffix in ("", "-wal", "-shm"):
        with suppress(OSError):
            stat = path.with_name(path.name + suffix).stat()
            found.append((stat.st_dev, stat.st_ino))
    return found


def _connect(path: Path, mode: str, busy_timeout: timedelta) -> sqlite3.Connection:
    connection: sqlite3.Connection = sqlite3.connect(
        f"{path.as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=busy_timeout.total_seconds()
    )
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection
