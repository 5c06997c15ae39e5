"""What a file says about itself, read without SQLite: so that refusing a file neither changes it nor makes others."""

from __future__ import annotations

import os
from pathlib import Path

from usage_watch.errors import Hindrance, MachineError

APPLICATION_ID = int.from_bytes(b"UsgW", "big")
"""Marks our databases in their header, as SQLite's documentation asks applications to."""
VERSION = 7
"""Of the schema: how many migrations it has."""

_MAGIC = b"SQLite format 3\x00"
_HEADER_SIZE = 100
_USER_VERSION = slice(60, 64)
_APPLICATION_ID = slice(68, 72)


def writable(path: Path) -> Path:
    """The path with its links resolved; MachineError unless a database of ours may be opened, or made, there."""
    path = _located(path)
    if not _may(path.parent, os.W_OK | os.X_OK):
        raise _not_writable(path, f"this user may not write in {path.parent}")
    if path.exists() and not _may(path, os.R_OK | os.W_OK):
        raise _not_writable(path, f"this user may not write {path}")
    if path.exists() and path.stat().st_size:
        _check_header(path)
    return path


def readable(path: Path) -> Path:
    """The path with its links resolved; MachineError unless a database of ours is to be read there."""
    path = _located(path)
    if not path.exists() or not path.stat().st_size:
        raise MachineError(f"there is no database at {path} yet; start `usage-watch run` first, or correct store.path")
    if not _may(path, os.R_OK):
        raise MachineError(f"this user may not read {path}; run the command as the daemon's user")
    _check_header(path)
    return path


def check_version(path: Path, version: int) -> None:
    """MachineError where a newer usage-watch wrote the database."""
    if version > VERSION:
        raise MachineError(
            f"{path} was written by a newer usage-watch (schema {version}, this one knows {VERSION}); "
            "upgrade usage-watch or name another store.path"
        )


def _located(path: Path) -> Path:
    # Resolved, because the lock beside the database is the same for all only if all mean the same directory.
    try:
        path = path.resolve()
        missing = not path.parent.is_dir()
        other = path.exists() and not path.is_file()
    except PermissionError as error:
        who = "run the command as the daemon's user, or as root"
        raise MachineError(f"this user may not look into {path.parent}; {who}") from error
    except (OSError, RuntimeError, ValueError) as error:
        raise MachineError(f"{str(path)!r} leads nowhere ({error}); name another store.path") from error
    if missing:
        raise MachineError(f"the directory {path.parent} does not exist; create it or name another store.path")
    if other:
        raise MachineError(f"{path} is not a file; name a file in store.path")
    return path


def _check_header(path: Path) -> None:
    with path.open("rb") as file:
        header = file.read(_HEADER_SIZE)
    if len(header) < _HEADER_SIZE or not header.startswith(_MAGIC):
        raise MachineError(f"{path} is not a SQLite database; move it away or name another store.path")
    if int.from_bytes(header[_APPLICATION_ID], "big") != APPLICATION_ID:
        raise MachineError(f"{path} is another program's database; name another file in store.path")
    check_version(path, int.from_bytes(header[_USER_VERSION], "big"))


def _not_writable(path: Path, said: str) -> MachineError:
    if os.statvfs(path.parent).f_flag & os.ST_RDONLY:
        return MachineError(
            f"{path} is on a file system that is mounted read-only; check the disk, and mount it writable",
            Hindrance.READ_ONLY,
        )
    return MachineError(f"{said}; change its owner or name another store.path", Hindrance.FORBIDDEN)


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)
