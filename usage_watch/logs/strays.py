"""What others would print on standard error as it comes: caught, and logged by its kind and place alone.

Its text is not ours: it may hold an address that is a secret, or anything that came over the network.
"""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from usage_watch import logs
from usage_watch.logs.places import place


@contextmanager
def caught() -> Iterator[None]:
    """While the block lasts: errors that end a thread or that Python can only ignore, warnings, others' loggers."""
    before = threading.excepthook, sys.unraisablehook, warnings.showwarning, logging.lastResort
    ends, ignored, _, _ = before

    def ended(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not issubclass(args.exc_type, SystemExit):
            logs.fault(f"thread {args.thread.name if args.thread else ''}".rstrip(), args.exc_value)
        if ends is not threading.__excepthook__:
            ends(args)

    def unraisable(args: Any) -> None:
        if args.exc_value is not None:
            logs.fault("unraisable", args.exc_value)
        if ignored is not sys.__unraisablehook__:
            ignored(args)

    threading.excepthook, sys.unraisablehook = ended, unraisable
    warnings.showwarning, logging.lastResort = _warned, _Library(logging.WARNING)
    try:
        yield
    finally:
        threading.excepthook, sys.unraisablehook, warnings.showwarning, logging.lastResort = before


def _warned(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    del message, file, line
    logs.recurring("python.warned", category=category.__name__, at=place(Path(filename), lineno))


class _Library(logging.Handler):
    """Of the loggers that nobody set up."""

    def emit(self, record: logging.LogRecord) -> None:
        logs.recurring("library.warned", logger=record.name, at=place(Path(record.pathname), record.lineno))
