"""The log: one event a thing, with a dotted name and fields, as logfmt on standard error."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime

from usage_watch.core.plain import plain

_LOGGER = logging.getLogger("usage_watch")
_BARE = re.compile(r"[A-Za-z0-9_.:/+@-]+")
_LONGEST = 500


class _Logfmt(logging.Formatter):
    """`2026-11-22T14:12:03Z warning poll.failed feed="credit_usage 1h" error="…"`"""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        fields = " ".join(f"{name}={_value(value)}" for name, value in getattr(record, "fields", {}).items())
        return f"{at} {record.levelname.lower()} {record.getMessage()} {fields}".rstrip()


def _value(value: object) -> str:
    """Untrusted text must not forge a field or a line, nor move the cursor."""
    text = plain(value.isoformat() if isinstance(value, datetime) else str(value), _LONGEST)
    return text if _BARE.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def start(verbose: bool) -> None:
    """Log to standard error: events from `info` on, with `verbose` from `debug` on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Logfmt())
    _LOGGER.handlers = [handler]
    _LOGGER.propagate = False
    _LOGGER.setLevel(logging.DEBUG if verbose else logging.INFO)


def event(name: str, *, level: int = logging.INFO, **fields: object) -> None:
    """Write one event; its fields are cleaned, and the caller keeps secrets out."""
    _LOGGER.log(level, name, extra={"fields": fields})


def warning(name: str, **fields: object) -> None:
    """Write an event that somebody should look at."""
    event(name, level=logging.WARNING, **fields)
