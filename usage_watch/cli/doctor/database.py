"""The database: is it there and whole, how large is it, and for how long has it room."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from usage_watch.cli.common.printing import size
from usage_watch.cli.doctor.files import Access, access, of_modes
from usage_watch.cli.doctor.finding import Finding, fault, note, ok, warning
from usage_watch.store.database import ROOM
from usage_watch.store.header import VERSION

if TYPE_CHECKING:
    from usage_watch.cli.doctor.patient import Patient
    from usage_watch.store.examine import Examination

_SCARCE = 256 << 20
_SCARCE_DAYS = 30
_MANY_DAYS = 3650
_LONG_WAL = 256 << 20
"""Bytes; while nothing is in its way it is put in its place at 4 MiB."""
_RESTORE = "Stop the daemon, move the file away together with its -wal and -shm, and restore a backup."


@dataclass(frozen=True, slots=True)
class Room:
    """Of the file system that the database is on; in bytes."""

    folder: Path
    free: int
    read_only: bool


def room(path: Path) -> Room | None:
    """What there is; None where there is no such directory."""
    folder = Path(os.path.realpath(path)).parent
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return Room(folder, found.f_bavail * found.f_frsize, bool(found.f_flag & os.ST_RDONLY))


def database(patient: Patient) -> Iterator[Finding]:
    """The file, then its file system and who may touch it."""
    yield from _file(patient)
    grows = None if patient.stored is None else patient.stored.examined.grows
    if (found := room(patient.store)) is not None:
        yield of_room(found, grows)
    file = access(patient.store) if patient.is_there else None
    if file is not None:
        yield from of_modes(file, "members' addresses and usage")
        yield from _of_owner(file)


def _file(patient: Patient) -> Iterator[Finding]:
    if patient.unopened is not None:
        yield fault(patient.store.name, str(patient.unopened))
    elif patient.stored is not None:
        yield from of_file(patient.store, patient.stored.examined)
        if patient.stored.unreadable:
            said = f"what is stored cannot be read ({patient.stored.unreadable}), though SQLite finds the file whole."
            yield fault("content", said, f"{_RESTORE} If there was no cause for damage, please report it.")
    elif patient.daemon is not None:
        said = f"{patient.store} is gone, and the daemon (pid {patient.daemon}) goes on writing into what was removed."
        yield fault(patient.store.name, said, "Restart it, or stop it and restore a backup.")
    else:
        yield note(patient.store.name, f"there is no database at {patient.store} yet.", "Start `usage-watch run`.")


def of_file(path: Path, found: Examination) -> Iterator[Finding]:
    """What was found in it."""
    yield ok(path.name, f"{path}: {size(found.size)}{_parts(found)}")
    if found.damage:
        more = f" (and {len(found.damage) - 1} more)" if len(found.damage) > 1 else ""
        yield fault("integrity", f"{found.checked} finds it damaged: {found.damage[0]}{more}.", _RESTORE)
    else:
        yield ok("integrity", f"{found.checked} finds it whole")
    if found.version < VERSION:
        said = f"schema {found.version}, this program's is {VERSION}: nothing else is said of what is stored."
        yield warning("schema", said, "Make a backup; `usage-watch run` brings it up to date when it is started.")
    else:
        yield ok("schema", str(found.version))
    if found.wal > _LONG_WAL:
        said = f"{size(found.wal)} were written and not yet put in their place: something keeps reading."
        yield warning("log", said, "Close whatever has the database open beside the daemon, or restart the daemon.")


def of_room(found: Room, grows: float | None) -> Finding:
    """Whether there is room, and for how long; `grows`: bytes a day."""
    said = f"{size(found.free)} free in {found.folder}{_for_days(found.free, grows)}"
    if found.read_only:
        return fault("disk", f"{found.folder} is mounted read-only.", "Mount it for writing, or move `store.path`.")
    if found.free < ROOM:
        return fault("disk", f"{said}: nothing can be stored.", "Make room.")
    if found.free < _SCARCE or (grows and found.free / grows < _SCARCE_DAYS):
        return warning("disk", f"{said}.", "Make room before it is needed.")
    return ok("disk", said)


def _of_owner(file: Access) -> Iterator[Finding]:
    if not file.mine and not os.access(file.path, os.W_OK, effective_ids=True):
        said = f"{file.path} is {file.owner}'s: this user can look at it, but not silence or acknowledge anything."
        yield note("owner", said, f"Run such commands as {file.owner}.")


def _parts(found: Examination) -> str:
    parts = [f"{size(found.wal)} in its write-ahead log"] if found.wal else []
    if found.idle > found.size / 10:
        parts.append(f"{size(found.idle)} of it free to be used again")
    return "".join(f", {part}" for part in parts)


def _for_days(free: int, grows: float | None) -> str:
    if not grows:
        return ""
    days = free / grows
    lasts = f"{days / 365:,.0f} years" if days >= 730 else f"{days:,.0f} days"
    return f", enough for {'over 10 years' if days > _MANY_DAYS else lasts} at {size(grows)} a day"
