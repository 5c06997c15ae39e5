"""Untrusted text as one harmless line, for whoever prints or sends it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

_INVISIBLE = frozenset({"Cc", "Cf", "Cs"})
"""Controls; directions, zero widths and other formats; halves of surrogate pairs."""


def plain(text: str, limit: int) -> str:
    """One line that shows all it holds: no control, direction or invisible characters, at most `limit` characters."""
    line = " ".join((text if text.isprintable() else "".join(_shown(text))).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _shown(text: str) -> Iterator[str]:
    """Its characters without the invisible; printable text has none."""
    return (" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c) not in _INVISIBLE)


def web_link(url: str | None) -> str | None:
    """A URL that may be made clickable, with everything unusual percent-encoded; None where it is no web address."""
    encoded = quote(url or "", safe="/:?#[]@!$&()+,;=%-._~", errors="replace")
    try:
        parts = urlsplit(encoded)
    except ValueError:
        return None
    return encoded if parts.scheme in ("https", "http") and parts.hostname and len(encoded) <= 2000 else None
