"""How an event is written: logfmt for people and tools, JSON for tools.

Untrusted text forges neither a line nor a field nor a priority, and moves no cursor: every value is cleaned to one
line, and quoted where it is anything but a word.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from usage_watch.core.plain import plain

Value = str | int | float | bool
"""What a field may be once it is cleaned."""

LONGEST = 500
"""Characters of one value."""
_BARE = re.compile(r"[A-Za-z0-9_.:,/+@-]+")
_PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (0, 7))
"""Of syslog, as the journal takes them; the first that a level reaches."""


@dataclass(frozen=True, slots=True)
class Said:
    """An event, cleaned."""

    at: datetime
    level: int
    name: str
    fields: Mapping[str, Value]

    @classmethod
    def of(cls, record: logging.LogRecord) -> Said:
        """From a record of `usage_watch`; its fields that are nothing are left out."""
        found = ((name, cleaned(value)) for name, value in getattr(record, "fields", {}).items())
        fields = {name: value for name, value in found if value is not None}
        at = datetime.fromtimestamp(record.created, UTC)
        return cls(at, record.levelno, plain(record.getMessage(), LONGEST), fields)


def cleaned(value: object) -> Value | None:
    """Numbers stay numbers, unless they are none; times are in UTC, durations in seconds, all else is one line."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return _number(value)
    return plain(_utc(value) if isinstance(value, datetime) else str(value), LONGEST)


def as_logfmt(said: Said, journal: bool) -> str:
    """`2026-11-22T14:12:03Z warning feed.failed feed="credit_usage 1h" error="…"`; in the journal without the time."""
    head = _priority(said.level) if journal else said.at.strftime("%Y-%m-%dT%H:%M:%SZ ")
    fields = "".join(f" {name}={_word(value)}" for name, value in said.fields.items())
    return f"{head}{logging.getLevelName(said.level).lower()} {said.name}{fields}"


def as_json(said: Said, journal: bool) -> str:
    """One object, in ASCII: `{"time":"…","level":"warning","event":"feed.failed","feed":"credit_usage 1h",…}`."""
    at = said.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    found = {"time": at, "level": logging.getLevelName(said.level).lower(), "event": said.name, **said.fields}
    return (_priority(said.level) if journal else "") + json.dumps(found, separators=(",", ":"), allow_nan=False)


def _word(value: Value) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    return value if _BARE.fullmatch(value) else json.dumps(value, ensure_ascii=False)


def _priority(level: int) -> str:
    return next(f"<{priority}>" for least, priority in _PRIORITIES if level >= least)


def _number(value: float) -> int | float | None:
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() else float(value)


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
