"""What the alarm told, for the process after this one: a file beside the database, which must not be needed for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict

from usage_watch.errors import Hindrance
from usage_watch.store.locks import beside
from usage_watch.store.ownership import make_for_owner

ROOM = 4096
"""Bytes that are written while there is room: to write them anew in place takes none, and so goes on a full disk."""


class Heard(BaseModel):
    """What one channel took of an outage; nothing of how it is reached."""

    model_config = ConfigDict(frozen=True)

    digest: str
    """Of its settings: one that now sends elsewhere was told nothing."""
    taken_at: Mapping[str, AwareDatetime]
    """By what it was told."""
    causes: frozenset[Hindrance]
    ref: str | None


class Kept(BaseModel):
    """The last outage that anybody was told of."""

    model_config = ConfigDict(frozen=True)

    name: str
    number: int
    """Among those of its day."""
    since: AwareDatetime
    hindrance: Hindrance
    over: bool
    """That was told, too, or given up."""
    hearers: Mapping[str, Heard]


class Told:
    """Written by the alarm alone. Where it cannot be kept, on a disk that is read-only say, it is forgotten."""

    def __init__(self, database: Path) -> None:
        self._path = beside(database, "alarm")
        if not self._path.exists():
            with suppress(OSError):
                make_for_owner(self._path)
                self._write(b"")

    def read(self) -> Kept | None:
        """What was kept last; None where there is nothing, or it is torn, or another version's."""
        with suppress(OSError, ValueError):
            return Kept.model_validate_json(self._path.read_bytes())
        return None

    def keep(self, what: Kept) -> None:
        """In place of what was kept before."""
        with suppress(OSError):
            self._write(what.model_dump_json().encode())

    def _write(self, text: bytes) -> None:
        text = text.ljust(ROOM)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        try:
            os.pwrite(descriptor, text, 0)
            os.ftruncate(descriptor, len(text))
        finally:
            os.close(descriptor)
