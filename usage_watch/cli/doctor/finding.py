"""What a look found: how bad it is, what it is about, what is so, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

RULES, SOURCE, DELIVERY, MACHINE = 2, 3, 4, 5
"""The program's exit codes, as far as a finding may have one."""
_FIRST = (RULES, MACHINE, SOURCE, DELIVERY)
"""Of several faults the one that may be why there are others decides."""


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    """Worth knowing; nothing need be done."""
    WARNING = "warning"
    """It works, but will not for ever, or not as it is meant to."""
    FAULT = "fault"
    """It does not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; its names are those of `doctor --json`."""

    level: Level
    about: str
    """In a word or two."""
    said: str
    """What is so, in one sentence; it may hold untrusted text."""
    do: str = ""
    """What to do about it; empty where nothing need be done, or `said` says it."""
    code: int = 0
    """Exit code of a fault; else 0."""


@dataclass(frozen=True, slots=True)
class Section:
    """Findings about one thing."""

    name: str
    findings: Sequence[Finding]


def ok(about: str, said: str) -> Finding:
    """As it is to be."""
    return Finding(Level.OK, about, said)


def note(about: str, said: str, do: str = "") -> Finding:
    """Worth knowing."""
    return Finding(Level.NOTE, about, said, do)


def warning(about: str, said: str, do: str = "") -> Finding:
    """To be mended some day soon."""
    return Finding(Level.WARNING, about, said, do)


def fault(about: str, said: str, do: str = "", code: int = MACHINE) -> Finding:
    """To be mended now."""
    return Finding(Level.FAULT, about, said, do, code)


def exit_code(findings: Iterable[Finding]) -> int:
    """0 where nothing is worse than a warning."""
    codes = {finding.code for finding in findings}
    return next((code for code in _FIRST if code in codes), 0)
