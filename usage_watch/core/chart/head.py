"""What stands above a plot: the title, what the numbers are, and a legend of what does not say so itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from usage_watch.core.chart.frame import MARGIN
from usage_watch.core.chart.look import Look
from usage_watch.core.chart.parts import TAIL, sign
from usage_watch.core.chart.svg import LABEL, at, box, path, text
from usage_watch.core.chart.values import Kind
from usage_watch.core.message import Severity
from usage_watch.core.plain import plain

_SAMPLE = 16
"""Pixels for what a legend explains."""
_APART = 14
_TITLE = 15
"""Size of a title's letters."""

Sample = Callable[[Look, float, float], str]
"""Draws what is explained: from which x on, around which y."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing of a legend."""

    text: str
    sample: Sample | None = None

    def length(self, look: Look) -> float:
        """Pixels that it takes."""
        return look.size.length(self.text) + (_SAMPLE + 6 if self.sample else 0)


def stroke(x: float, y: float, colour: str, dashes: str) -> str:
    """A piece of a line, as a sample."""
    return path(f"M{at(x)} {at(y)}h{_SAMPLE}", stroke=colour, width=2, dashes=dashes)


def tail() -> Entry:
    """What may still grow."""
    return Entry("may still grow", lambda look, x, y: stroke(x, y, look.palette.tail, TAIL))


def alert(severity: Severity) -> Entry:
    """An episode."""

    def sample(look: Look, x: float, y: float) -> str:
        colour = look.palette.severity(severity)
        tinted = path(box(x, y - 5, x + _SAMPLE, y + 5), fill=colour, more='fill-opacity=".2"')
        return tinted + path(box(x, y - 6, x + _SAMPLE, y - 3), fill=colour)

    return Entry(f"{severity} alert", sample)


def marked(kind: Kind) -> Entry:
    """Buckets of which something is to be said."""
    words = {Kind.LATE: "came late", Kind.REVISED: "revised"}
    return Entry(words[kind], lambda look, x, y: path(sign(kind, x + 8, y - 4), fill=look.palette.ink))


def head(look: Look, title: str, caption: str, entries: Iterable[Entry]) -> tuple[list[str], float]:
    """The parts, and how far down the plot may begin."""
    found, y = [], 8.0
    if look.titled:
        y += 18
        room = int((look.size.width - 2 * MARGIN) / look.size.length("0", _TITLE))
        bold = ' font-weight="600"'
        found.append(text(MARGIN, y, plain(title, min(room, LABEL)), look.palette.ink, size=_TITLE, more=bold))
    y += 18
    found.append(text(MARGIN, y, caption, look.palette.faint if look.titled else look.palette.ink))
    rows = list(_rows(look, list(entries), look.size.length(caption) + 2 * MARGIN))
    if rows and rows[0][0]:
        found += _row(look, rows[0][1], y, aligned_right=True)
        rows = rows[1:]
    for _, row in rows:
        y += look.size.font + 6
        found += _row(look, row, y, aligned_right=False)
    return found, y + 18


def _rows(look: Look, entries: list[Entry], taken: float) -> Iterator[tuple[bool, list[Entry]]]:
    """All beside the caption, if they have room there; else as many rows below as it takes."""
    whole = sum(each.length(look) + _APART for each in entries)
    if entries and taken + whole <= look.size.width - MARGIN:
        yield True, entries
        return
    row: list[Entry] = []
    room = look.size.width - 2 * MARGIN + _APART
    for each in entries:
        if row and sum(one.length(look) + _APART for one in [*row, each]) > room:
            yield False, row
            row = []
        row.append(each)
    if row:
        yield False, row


def _row(look: Look, entries: list[Entry], y: float, *, aligned_right: bool) -> Iterator[str]:
    whole = sum(each.length(look) + _APART for each in entries) - _APART
    x = look.size.width - MARGIN - whole if aligned_right else float(MARGIN)
    for each in entries:
        if each.sample is not None:
            yield each.sample(look, x, y - 4)
        own = 0 if each.sample is None else _SAMPLE + 6
        yield text(x + own, y, each.text, look.palette.faint)
        x += each.length(look) + _APART
