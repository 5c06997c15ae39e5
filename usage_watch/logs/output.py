"""Writing to standard error without ever waiting for it.

A pipe that nobody reads, a terminal that was stopped with Ctrl-S and a journal that hangs would stop the watch; a pipe
that was closed and a full disk would end it. Instead lines are left out, counted, and the count is written as soon as
somebody reads again.
"""

from __future__ import annotations

import logging
import os
import select
from collections.abc import Callable, Mapping
from typing import TextIO

from usage_watch.logs.formats import Said

_PIECE = select.PIPE_BUF
"""Bytes that a pipe which is ready takes without waiting."""


def is_journal(stream: TextIO | None, environ: Mapping[str, str]) -> bool:
    """Whether it is what systemd connected to the journal: it may have been redirected since."""
    fd = _descriptor(stream)
    if fd is None or "JOURNAL_STREAM" not in environ:
        return False
    found = os.fstat(fd)
    return environ["JOURNAL_STREAM"] == f"{found.st_dev}:{found.st_ino}"


class Output(logging.Handler):
    """Writes each record as one line to a stream; None is a stream that was closed before the program began."""

    def __init__(self, stream: TextIO | None, form: Callable[[Said], str], *, for_programs: bool) -> None:
        super().__init__()
        self.for_programs = for_programs
        self._stream, self._form = stream, form
        self._fd = _descriptor(stream)
        self._lost = 0
        self._cut = False
        """The last line broke off."""
        self._recurring = Recurring()

    def emit(self, record: logging.LogRecord) -> None:
        """Whatever goes wrong with it, whoever had something to say goes on."""
        try:
            said = self._due(record)
            written = said is None or self._written(said)
        except Exception:
            written = False
        self._lost += not written

    def _due(self, record: logging.LogRecord) -> Said | None:
        said = Said.of(record)
        return self._recurring.due(said) if getattr(record, "recurring", False) else said

    def _written(self, said: Said) -> bool:
        if self._lost and self._put(Said(said.at, logging.WARNING, "log.lost", {"lines": self._lost})):
            self._lost = 0
        return not self._lost and self._put(said)

    def _put(self, said: Said) -> bool:
        """Whether all of it was taken. A line that broke off is ended where the next begins."""
        if self._stream is None:
            return True
        text = "\n" * self._cut + self._form(said) + "\n"
        if self._fd is None:
            self._stream.write(text)
            self._stream.flush()
            return True
        data = text.encode(self._stream.encoding or "utf-8", "backslashreplace")
        taken = _write(self._fd, data)
        if taken:
            self._cut = not data[:taken].endswith(b"\n")
        return taken == len(data)


class Recurring:
    """Of events that are alike: which is written, and how many before it were not."""

    EVERY_SECONDS = 3600.0
    _MOST = 100

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], tuple[float, int]] = {}

    def due(self, said: Said) -> Said | None:
        """It, with how often it came in between; None where it was written lately."""
        alike, now = (said.name, *said.fields.items()), said.at.timestamp()
        written_at, repeated = self._known.pop(alike, (now - self.EVERY_SECONDS, 0))
        # A clock that was set back must not silence it for longer than that.
        if abs(now - written_at) < self.EVERY_SECONDS:
            self._known[alike] = written_at, repeated + 1
            return None
        self._known[alike] = now, 0
        if len(self._known) > self._MOST:
            self._known.pop(next(iter(self._known)))
        again = {"repeated": repeated} if repeated else {}
        return Said(said.at, said.level, said.name, {**said.fields, **again})


def _descriptor(stream: TextIO | None) -> int | None:
    try:
        return None if stream is None else stream.fileno()
    except (OSError, ValueError):  # kept in memory, or closed
        return None


def _write(fd: int, data: bytes) -> int:
    """How many bytes were taken, without waiting."""
    taken = 0
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    try:
        while taken < len(data) and poll.poll(0):
            taken += os.write(fd, data[taken : taken + _PIECE])
    except OSError:  # closed, or no room
        pass
    return taken
