"""Who and what used how much, each beside what is usual of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from usage_watch.core.chart import head as heads
from usage_watch.core.chart.frame import MARGIN
from usage_watch.core.chart.look import Look, Size
from usage_watch.core.chart.svg import SENTENCE, at, box, document, path, said, text
from usage_watch.core.chart.values import drawable_one
from usage_watch.core.plain import plain
from usage_watch.core.units import number

_ROW = {False: 26, True: 40}
"""Pixels a bar; where there is no room beside it, with its name above."""
_THICK = 14
_NAMES = 0.3
"""The part of the width that names take at most."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One row."""

    name: str
    value: float
    usual: float | None = None
    """What is marked; None where nothing is known to be usual."""
    note: str = ""
    """After the number: `new`, say."""

    @property
    def length(self) -> float:
        """The value as it can be drawn."""
        return drawable_one(self.value)

    @property
    def words(self) -> str:
        """`12,345, new`."""
        return ", ".join(filter(None, [number(self.length), self.note]))


@dataclass(frozen=True, slots=True)
class Bars:
    """What is drawn."""

    title: str
    what: str
    """What each value is: `credits in 7 d`."""
    rows: Sequence[Bar]
    description: str = ""
    """Read out by screen readers; made of the rows where it is empty."""


def bars(chart: Bars, look: Look) -> str:
    """SVG, as high as its rows take whatever the look says; the same for the same numbers."""
    entries = [heads.Entry("usual", _usual_sample)] if any(each.usual is not None for each in chart.rows) else []
    top_parts, top = heads.head(look, chart.title, chart.what, entries)
    row = _ROW[look.size.is_narrow]
    size = Size(look.size.width, int(top) + row * max(1, len(chart.rows)) + 4)
    own = Look(size, look.palette, look.key, look.css_class, look.titled, look.tips)
    rows = [part for place, each in enumerate(chart.rows) for part in _row(chart, each, top - 8 + place * row, own)]
    nothing = [] if chart.rows else [text(MARGIN, top + 8, "nothing was used", look.palette.faint)]
    return document(own, chart.title, chart.description or described(chart), [*top_parts, *rows, *nothing])


def _row(chart: Bars, bar: Bar, top: float, look: Look) -> Iterator[str]:
    palette, narrow = look.palette, look.size.is_narrow
    left, right = _edges(chart, look)
    highest = max(
        [*(each.length for each in chart.rows), *(drawable_one(each.usual or 0.0) for each in chart.rows), 1e-12]
    )
    scale = (right - left) / highest
    upper = top + (20 if narrow else 6)
    middle = upper + _THICK - 3
    tail = f"<title>{said(_said(bar, chart.what), SENTENCE)}</title>" if look.tips else ""
    d = box(left, upper, left + max(1.0, bar.length * scale), upper + _THICK)
    yield f'<path d="{d}" fill="{palette.course}">{tail}</path>'
    if bar.usual is not None:
        x = left + drawable_one(bar.usual) * scale
        ends = f"M{at(x)} {at(upper - 3)}V{at(upper + _THICK + 3)}"
        yield path(ends, stroke=palette.ground, width=5) + path(ends, stroke=palette.ink, width=2)
    name = text(MARGIN, top + 14, _shortened(bar.name, look), palette.ink)
    yield name if narrow else text(MARGIN, middle, _shortened(bar.name, look), palette.ink)
    yield text(right + 10, middle, bar.words, palette.faint)


def _edges(chart: Bars, look: Look) -> tuple[float, float]:
    """From where to where the longest bar reaches."""
    size = look.size
    longest = max((size.length(_shortened(each.name, look)) for each in chart.rows), default=0.0)
    left = MARGIN if size.is_narrow else MARGIN + longest + 12
    words = max((size.length(each.words) for each in chart.rows), default=0.0)
    return left, max(left + 40, size.width - MARGIN - 10 - words)


def _shortened(name: str, look: Look) -> str:
    """As much of a name as has room."""
    room = look.size.width * (0.9 if look.size.is_narrow else _NAMES)
    return plain(name, max(8, int(room / look.size.length("0"))))


def _usual_sample(look: Look, x: float, y: float) -> str:
    return path(f"M{at(x + 8)} {at(y - 7)}v14", stroke=look.palette.ink, width=2)


def _said(bar: Bar, what: str) -> str:
    usual = "" if bar.usual is None else f", usually {number(drawable_one(bar.usual))}"
    return f"{bar.name}: {number(bar.length)} {what}{usual}{', ' if bar.note else ''}{bar.note}"


def described(chart: Bars) -> str:
    """The first three."""
    told = "; ".join(_said(each, chart.what) for each in chart.rows[:3])
    return f"{told}." if told else "Nothing was used."
