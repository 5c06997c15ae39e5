"""Locks between processes, as files beside the database; the kernel drops them when their holder dies."""

from __future__ import annotations

import fcntl
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType

from usage_watch.core.units import spell_duration
from usage_watch.errors import Hindrance, MachineError
from usage_watch.store.faults import refused
from usage_watch.store.header import writable
from usage_watch.store.ownership import make_for_owner

_PAUSE = timedelta(milliseconds=10)
_MOMENTS = 20


class FileLock:
    """Held round every write transaction and checkpoint, in any process.

    SQLite before 3.51.3 can corrupt a database when two connections write or checkpoint at the same moment; this lock
    stands in place of a single writing connection.
    """

    def __init__(self, database: Path, patience: timedelta) -> None:
        self._path = beside(database, "lock")
        self._patience = patience

    @contextmanager
    def held(self) -> Iterator[None]:
        """Waits for the lock up to `patience`; MachineError where another process keeps it."""
        # A lock needs no right to write: so a file that root made does not shut out the daemon's user.
        descriptor = _open(self._path, os.O_RDONLY)
        try:
            self._wait(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _wait(self, descriptor: int) -> None:
        # Counted, not timed: a clock that stands still (in tests, in a jump) must not make this endless.
        for _ in range(math.ceil(self._patience / _PAUSE)):
            if _take(descriptor):
                return
            time.sleep(_PAUSE.total_seconds())
        if not _take(descriptor):
            raise MachineError(
                f"another process has held {self._path} for {spell_duration(self._patience)}; "
                "wait for it to finish or stop it, then try again",
                Hindrance.LOCKED,
            )


class DaemonLock:
    """Only one daemon watches into a database; the lock ends with its process, however that ends."""

    def __init__(self, database: Path) -> None:
        self._path = database
        self._descriptor = -1

    def __enter__(self) -> DaemonLock:
        database = writable(self._path)
        descriptor = _open(beside(database, "daemon"), os.O_RDWR)
        if not _taken_soon(descriptor):
            holder = os.read(descriptor, 20).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise MachineError(
                f"another usage-watch daemon (pid {holder}) watches into {database}; "
                "stop it or give this one another store.path"
            )
        # The number is for people only: a full disk must not keep the daemon from starting.
        with suppress(OSError):
            os.truncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode("ascii"))
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)


def holder(database: Path) -> str | None:
    """The number of the process that watches into a database, `unknown` where it cannot be read; None for none."""
    with suppress(OSError):
        descriptor = os.open(beside(database.resolve(), "daemon"), os.O_RDONLY | os.O_CLOEXEC)
        try:
            # A shared lock, and for an instant: two who ask do not take each other for the daemon.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            number = os.read(descriptor, 20).decode("ascii", "replace").strip()
            return number if number.isascii() and number.isdigit() else "unknown"
        finally:
            os.close(descriptor)
    return None


def beside(database: Path, suffix: str) -> Path:
    """A file that stands beside the database and belongs to it."""
    return database.with_name(f"{database.name}.{suffix}")


def _open(path: Path, mode: int) -> int:
    try:
        make_for_owner(path)
        return os.open(path, mode | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise refused(path, error) from error


def _taken_soon(descriptor: int) -> bool:
    """Who only asks whether a daemon runs holds the lock for a moment, too."""
    for _ in range(_MOMENTS):
        if _take(descriptor):
            return True
        time.sleep(_PAUSE.total_seconds())
    return False


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
