"""How much of a limit is spent, in one bar: beside an even pace, and how it is expected to end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from usage_watch.core.chart.frame import MARGIN
from usage_watch.core.chart.look import Look, Size
from usage_watch.core.chart.svg import at, box, document, path, text
from usage_watch.core.chart.values import LEAST, drawable_one

_TOP, _THICK, _HEIGHT = 8, 18, 50
_APART = 12
"""Pixels between two words below the bar."""
_ROOM = 1.02
"""How far beyond the largest of its numbers it reaches."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """What is drawn; all in one unit, and not below 0."""

    title: str
    spent: float
    limit: float
    even: float | None = None
    """Spent by now at an even pace; None where there is none."""
    expected: tuple[float, float, float] | None = None
    """Low, median and high of what is spent at the end."""
    description: str = ""

    @property
    def is_over(self) -> bool:
        """Whether the limit is reached."""
        return self.spent >= self.limit


@dataclass(frozen=True, slots=True)
class _Line:
    """Where an amount is."""

    left: float
    right: float
    most: float

    def x(self, amount: float) -> float:
        return self.left + (self.right - self.left) * drawable_one(amount) / self.most


def gauge(chart: Gauge, look: Look) -> str:
    """SVG, as high as it need be whatever the look says; the same for the same numbers."""
    own = Look(Size(look.size.width, _HEIGHT), look.palette, look.key, look.css_class, look.titled, look.tips)
    most = max(LEAST, *map(drawable_one, (chart.spent, chart.limit, chart.even or 0.0, *(chart.expected or ()))))
    line = _Line(2.0, own.size.width - 2.0, _ROOM * most)
    parts = [*_bar(chart, line, own), *_marks(chart, line, own), *_words(chart, line, own)]
    return document(own, chart.title, chart.description or chart.title, parts)


def _bar(chart: Gauge, line: _Line, look: Look) -> Iterator[str]:
    palette, bottom = look.palette, _TOP + _THICK
    yield path(box(line.left, _TOP, line.x(chart.limit), bottom), fill=palette.grid)
    if chart.expected is not None:
        low, median, high = map(line.x, chart.expected)
        yield path(box(low, _TOP, max(high, low + 2), bottom), fill=palette.band)
        yield path(f"M{at(median)} {_TOP}V{bottom}", stroke=palette.tail, width=2, dashes="3 2")
    colour = palette.critical if chart.is_over else palette.course
    yield path(box(line.left, _TOP + 3, max(line.x(chart.spent), line.left + 1), bottom - 3), fill=colour)


def _marks(chart: Gauge, line: _Line, look: Look) -> Iterator[str]:
    palette, bottom = look.palette, _TOP + _THICK
    if chart.even is not None:
        x = line.x(chart.even)
        yield path(f"M{at(x)} {_TOP - 4}V{bottom + 4}", stroke=palette.ground, width=5)
        yield path(f"M{at(x)} {_TOP - 4}V{bottom + 4}", stroke=palette.ink, width=2)
    x = line.x(chart.limit)
    yield path(f"M{at(x)} {_TOP - 6}V{bottom + 6}", stroke=palette.critical, width=2)


def _words(chart: Gauge, line: _Line, look: Look) -> Iterator[str]:
    """Below the marks; of two that have no room side by side, the first."""
    named = [("limit", chart.limit)]
    named += [] if chart.even is None else [("even pace", chart.even)]
    named += [] if chart.expected is None else [("expected", chart.expected[1])]
    taken: list[tuple[float, float]] = []
    for name, amount in named:
        length = look.size.length(name)
        left = min(max(line.x(amount) - length / 2, MARGIN / 2), look.size.width - length - MARGIN / 2)
        if all(left + length + _APART <= begin or left >= end + _APART for begin, end in taken):
            taken.append((left, left + length))
            yield text(left, _TOP + _THICK + 19, name, look.palette.faint)
