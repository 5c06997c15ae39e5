"""The log: one event a thing, with a dotted name and fields, on standard error.

`events` lists them all. What is logged at `info` and above may be left on for years: a day on which all is well is a
few lines, and what goes wrong is said when it begins, when it changes and when it is over.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping

from usage_watch.logs.formats import as_json, as_logfmt
from usage_watch.logs.output import Output, is_journal
from usage_watch.logs.places import place_of

FORMATS = ("logfmt", "json")
LEVELS = ("debug", "info", "warning")
"""From which level on events are written."""

_LOGGER = logging.getLogger("usage_watch")


def start(verbose: bool, form: str = "logfmt", level: str = "info", environ: Mapping[str, str] = os.environ) -> None:
    """Log to standard error, in one of FORMATS, from one of LEVELS on; `verbose` is `debug`.

    What systemd connects to the journal gets its priorities, and leaves the time to it.
    """
    journal = is_journal(sys.stderr, environ)
    write = as_json if form == "json" else as_logfmt
    _LOGGER.handlers = [Output(sys.stderr, lambda said: write(said, journal), for_programs=journal or form == "json")]
    _LOGGER.propagate = False
    _LOGGER.setLevel(logging.DEBUG if verbose else level.upper())


def event(name: str, *, level: int = logging.INFO, **fields: object) -> None:
    """Write one event; its fields are cleaned, and the caller keeps secrets out. A field that is None is left out."""
    _LOGGER.log(level, name, extra={"fields": fields})


def debug(name: str, **fields: object) -> None:
    """Write an event that only who looks for something wants to see."""
    event(name, level=logging.DEBUG, **fields)


def warning(name: str, **fields: object) -> None:
    """Write an event that somebody should look at."""
    event(name, level=logging.WARNING, **fields)


def recurring(name: str, *, level: int = logging.WARNING, **fields: object) -> None:
    """Write an event that may come at every turn: its like is written once an hour, with how often it came."""
    _LOGGER.log(level, name, extra={"fields": fields, "recurring": True})


def fault(where: str, error: BaseException, **fields: object) -> None:
    """Write that a fault of ours was caught: its kind and its place, for its text may hold anything."""
    found = {"where": where, "error": type(error).__name__, "at": place_of(error), **fields}
    recurring("fault.caught", level=logging.ERROR, **found)


def complained(text: str) -> bool:
    """Write why the program ends as events, where programs read them; False where people do, who want sentences."""
    if not any(isinstance(each, Output) and each.for_programs for each in _LOGGER.handlers):
        return False
    for sentence in text.splitlines():
        event("daemon.failed", level=logging.ERROR, error=sentence.removeprefix("usage-watch: "))
    return True


class Streaks:
    """What fails again and again: said when it begins and when it changes, counted until it is over.

    Not to be shared by threads.
    """

    _MOST = 8
    """Reasons of one streak that are said: one that words each failure otherwise must not fill a disk."""

    def __init__(self) -> None:
        self._failures: dict[str, int] = {}
        self._whys: dict[str, set[str]] = {}

    def failed(self, about: str, why: str) -> int:
        """The level of this failure: a warning where it is new."""
        self._failures[about] = self._failures.get(about, 0) + 1
        whys = self._whys.setdefault(about, set())
        if why in whys or len(whys) >= self._MOST:
            return logging.DEBUG
        whys.add(why)
        return logging.WARNING

    def over(self, about: str) -> int:
        """How many times in a row it had failed; 0 where it was well before."""
        self._whys.pop(about, None)
        return self._failures.pop(about, 0)


def level_of(*, known: bool) -> int:
    """The level of a failure: a warning, unless it is `known` to be as it was the last time."""
    return logging.DEBUG if known else logging.WARNING
