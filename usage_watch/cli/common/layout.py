"""Tables and facts as lines of text that fit a terminal. Pure; what comes from outside is cleaned here."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from usage_watch.core.plain import plain

_LONGEST = 400
"""Characters kept of a cell."""
_GAP = "  "
_INDENT = "    "
_NARROWEST = 8
"""Columns are not cut below it."""


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], width: int | None) -> list[str]:
    """Rows in columns under their heads; None for `width` is as wide as it gets.

    What does not fit keeps its last column for lines of its own, below each row; only then are other columns cut, the
    widest first.
    """
    cells = [[plain(str(cell), _LONGEST) for cell in row] for row in rows]
    widths = [max(columns(line[at]) for line in [heads, *cells]) for at in range(len(heads))]
    if width is None or sum(widths) + len(_GAP) * (len(widths) - 1) <= width:
        return [_line(row, widths) for row in [heads, *cells]]
    narrow = _narrowed(widths[:-1], width)
    lines = []
    for *row, last in [heads, *cells]:
        lines.append(_line(row, narrow))
        lines += [_INDENT + part for part in wrapped(last, width - len(_INDENT))]
    return lines


def facts(rows: Iterable[tuple[str, object]], width: int | None) -> Iterator[str]:
    """Names and their values, which go on below themselves where they are too long."""
    cells = [(plain(name, 60), plain(str(value), _LONGEST)) for name, value in rows]
    indent = max((columns(name) for name, _ in cells), default=0) + len(_GAP)
    for name, value in cells:
        parts = [value] if width is None else wrapped(value, max(width - indent, 2 * _NARROWEST))
        for at, part in enumerate(parts or [""]):
            yield (_padded("" if at else name, indent) + part).rstrip()


def wrapped(text: str, width: int) -> list[str]:
    """Words in lines of at most `width`; a word that is longer is cut. No line at all for no text."""
    lines: list[str] = []
    for word in text.split():
        word = cut(word, width)
        if lines and columns(lines[-1]) + 1 + columns(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def cut(text: str, width: int) -> str:
    """A text in at most `width` columns; `…` stands for the rest."""
    if columns(text) <= width:
        return text
    while columns(text) >= width:
        text = text[:-1]
    return text.rstrip() + "…"


def columns(text: str) -> int:
    """How many columns a terminal needs for a text."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def _narrowed(widths: Sequence[int], width: int) -> list[int]:
    narrow = list(widths)
    while sum(narrow) + len(_GAP) * (len(narrow) - 1) > width and max(narrow, default=0) > _NARROWEST:
        narrow[narrow.index(max(narrow))] -= 1
    return narrow


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return _GAP.join(_padded(cut(cell, width), width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _padded(text: str, width: int) -> str:
    return text + " " * (width - columns(text))
