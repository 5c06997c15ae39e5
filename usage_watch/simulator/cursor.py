"""Cursors: where the next page begins, sealed with everything else that was asked."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins. It carries the end of the window, so that pages asked for later mean the same window."""

    end: int
    """End of the window, capped at the time of the first page, epoch seconds, not snapped."""
    at: int
    """Start of the page's first bucket, epoch seconds."""
    member: int = 0
    """v2: index of the first member of that day who is on the page."""


def encode(cursor: Cursor, parameters: Mapping[str, str]) -> str:
    """An opaque text that `decode` takes back for the same parameters alone, `page` apart.

    The endpoints need no telling apart: v2 always has `group_by`, and v1 never.
    """
    fields = [cursor.end, cursor.at, cursor.member]
    text = json.dumps([*fields, _seal(fields, parameters)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(text: str, parameters: Mapping[str, str]) -> Cursor | None:
    """The cursor, or None when it is garbage or was given for another question."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        *fields, seal = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, TypeError):
        return None
    if seal != _seal(fields, parameters):
        return None
    return Cursor(*fields)


def _seal(fields: list[int], parameters: Mapping[str, str]) -> str:
    question = sorted((name, value) for name, value in parameters.items() if name != "page")
    return hashlib.sha256(json.dumps([fields, question]).encode()).hexdigest()[:16]
