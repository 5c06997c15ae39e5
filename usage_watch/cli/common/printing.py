"""Where output goes: tables for people, JSON for programs."""

from __future__ import annotations

import json
import math
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import click

from usage_watch.cli.common import layout

_UNSEEN = re.compile("[\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
"""What JSON may hold as it is, but a terminal obeys, a reader cannot see or UTF-8 has no bytes for."""


def width() -> int | None:
    """Columns to stay within; None in a pipe, where each row stays one line and nothing is cut."""
    return max(40, shutil.get_terminal_size().columns) if sys.stdout.isatty() else None


def on_terminal() -> bool:
    """Whether somebody looks at the standard error: only then is progress shown."""
    return sys.stderr.isatty()


def print_table(heads: Sequence[str], rows: Iterable[Sequence[object]], nothing: str) -> None:
    """Print rows in columns under their heads; or say in words that there is none."""
    found = list(rows)
    for line in layout.table(heads, found, width()) if found else [nothing]:
        click.echo(line)


def print_facts(rows: Iterable[tuple[str, object]]) -> None:
    """Print names and their values."""
    for line in layout.facts(rows, width()):
        click.echo(line)


def print_json(data: Any) -> None:
    """Print data for programs."""
    click.echo(json_text(data, indent=2))


def json_text(data: Any, indent: int | None = None) -> str:
    """JSON of plain values, times, enums and dataclasses; TypeError for anything else."""
    return plain_json(jsonable(data), indent)


def plain_json(data: Any, indent: int | None = None) -> str:
    """JSON of what JSON knows, readable where the output is UTF-8, and harmless to a terminal."""
    text = json.dumps(data, ensure_ascii=not _speaks_unicode(), indent=indent)
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def jsonable(value: Any) -> Any:
    """The same in what JSON knows: times in RFC 3339, no number that is not finite, no `.0`."""
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float):
        return (int(value) if value.is_integer() else value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(jsonable(name)): jsonable(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(each) for each in value]
    if is_dataclass(value):
        return {field.name: jsonable(getattr(value, field.name)) for field in fields(value)}
    return value


def rfc3339(at: datetime) -> str:
    """`2026-11-22T14:00:00Z`: in UTC, whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def count(number: int, noun: str) -> str:
    """`1 rule`, `2 rules`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _speaks_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def size(number: float) -> str:
    """Bytes, as people say them: three digits of it."""
    for unit in ("bytes", "kB", "MB"):
        if number < 1000:
            return f"{number:,.0f} {unit}" if number >= 100 or unit == "bytes" else f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:,.0f} GB" if number >= 100 else f"{number:.3g} GB"
