"""The parts of a chart with an axis of times: course, band, levels, episodes, marks, and what they are called."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from usage_watch.core.chart.frame import Frame
from usage_watch.core.chart.look import Look
from usage_watch.core.chart.svg import ROUND, at, box, path, text, tip, trace
from usage_watch.core.chart.values import Band, Course, Kind, Level, Mark, Shade, drawable
from usage_watch.core.message import Severity
from usage_watch.core.plain import plain
from usage_watch.core.series import Flags, Floats
from usage_watch.core.units import number

DASHES = {Severity.CRITICAL: "", Severity.WARNING: "7 3", Severity.INFO: "2 3"}
"""Severities can be told apart by these, too."""
TAIL = "3 3"
_COLUMN = 2
"""Of more points than this a pixel only the highest and the lowest are drawn."""
_FEW = 31
"""Days that stand out one by one."""
NAMED = 0.35
"""The part of the width that the names of lines take at most."""
_FAR = 3
"""Rows from its line at which a name would mislead."""
_APART = 9
"""Pixels from one mark to the next: what is nearer is one."""
SHAPES = {Kind.LATE: "l4.5 8h-9z", Kind.REVISED: "l4 4.5-4 4.5-4-4.5z"}
"""A triangle and a diamond, from their highest point on."""


@dataclass(frozen=True, slots=True)
class Name:
    """What stands beside a line."""

    y: float
    text: str
    colour: str


def runs(known: Flags) -> list[slice]:
    """The stretches in which all is known."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]])))
    return [slice(first, end) for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)]


def course(frame: Frame, look: Look, shown: Course) -> Iterator[str]:
    """One line, broken where nothing is known; what may still grow goes on lighter and dashed."""
    values, open_from = shown.known, shown.open_from
    final, tail = values.copy(), values.copy()
    final[open_from:] = np.nan
    tail[: max(0, open_from - 1)] = np.nan  # both have the last final one, so that the line goes on
    width = 1.5 if len(values) > frame.width / 2 else 2.5
    if open_from < len(values):
        yield from _line(frame, shown, tail, look.palette.tail, width, TAIL)
    yield from _line(frame, shown, final, look.palette.course, width, "")


def _line(frame: Frame, shown: Course, values: Floats, colour: str, width: float, dashes: str) -> Iterator[str]:
    xs, ys = frame.x(shown.points), frame.y(values)
    traces = [trace(*_thinned(xs[run], ys[run])) for run in runs(~np.isnan(values))]
    if traces:
        yield path("".join(traces), stroke=colour, width=width, dashes=dashes, more=ROUND)
    if shown.by_days and len(xs) <= _FEW:
        dots = "".join(f"M{at(x)} {at(y)}h0" for x, y in zip(xs, ys, strict=True) if not np.isnan(y))
        yield path(dots, stroke=colour, width=6, more=ROUND)


def _thinned(xs: Floats, ys: Floats) -> tuple[Floats, Floats]:
    """The highest and the lowest of each column of pixels, where more points than that are in it."""
    if len(xs) <= _COLUMN * max(1.0, xs[-1] - xs[0]):
        return xs, ys
    begins = np.flatnonzero(np.diff(np.floor(xs), prepend=-1))
    order = np.lexsort((ys, np.floor(xs)))
    ends = np.append(begins[1:], len(xs)) - 1
    kept = np.unique(np.concatenate([order[begins], order[ends]]))
    return xs[kept], ys[kept]


def band(frame: Frame, look: Look, shown: Course, usual: Band) -> Iterator[str]:
    """What is usual, wherever both of its ends are known."""
    low, high, xs = frame.y(drawable(usual.low)), frame.y(drawable(usual.high)), frame.x(shown.points)
    edges = []
    for run in runs(~np.isnan(low) & ~np.isnan(high)):
        (above_x, above), (below_x, below) = (
            _edge(xs[run], ys[run], find) for ys, find in ((high, np.minimum), (low, np.maximum))
        )
        edges.append(trace(np.append(above_x, below_x[::-1]), np.append(above, below[::-1])) + "z")
    if edges:
        yield path("".join(edges), fill=look.palette.band)


def _edge(xs: Floats, ys: Floats, outermost: np.ufunc) -> tuple[Floats, Floats]:
    """The outermost of every two pixels, where there are more points than that."""
    if len(xs) <= (xs[-1] - xs[0]) / 2:
        return xs, ys
    columns = np.floor(xs / 2)
    begins = np.flatnonzero(np.diff(columns, prepend=-1))
    middles = np.clip(2 * columns[begins] + 1, xs[0], xs[-1])
    return middles, outermost.reduceat(ys, begins)


def level(frame: Frame, look: Look, shown: Level) -> str:
    """A line across; dashes tell severities apart."""
    d = f"M{at(frame.left)} {at(frame.y(shown.value))}H{at(frame.right)}"
    colour = look.palette.severity(shown.severity)
    return path(d, stroke=colour, width=1.5, dashes=DASHES[shown.severity])


def level_name(shown: Level) -> str:
    """`critical 10,000`."""
    return f"{shown.name or shown.severity} {number(shown.value)}"


def shades(frame: Frame, look: Look, shown: Iterable[Shade]) -> Iterator[str]:
    """Episodes, behind all else: tinted, with an edge above that paper shows too; the gravest hide the others."""
    for each in sorted(shown, key=lambda shade: shade.severity.weight):
        left, right = _stretch(frame, each)
        colour = look.palette.severity(each.severity)
        more = f'fill="{colour}" fill-opacity=".13"'
        whole = box(left, frame.top, right, frame.bottom)
        yield tip(whole, each.text, more) if look.tips else path(whole, more=more)
        yield path(box(left, frame.top - 4, right, frame.top), fill=colour)


def in_sight(frame: Frame, shade: Shade) -> bool:
    """Whether any of an episode is."""
    until = frame.last if shade.until_at is None else shade.until_at.timestamp()
    return shade.from_at.timestamp() < frame.last and until > frame.first


def _stretch(frame: Frame, shade: Shade) -> tuple[float, float]:
    """From where to where it goes, and wide enough to be seen."""
    left = frame.x(shade.from_at.timestamp())
    right = frame.right if shade.until_at is None else frame.x(shade.until_at.timestamp())
    left = min(left, frame.right - 2)
    return left, max(right, left + 2)


def marks(frame: Frame, look: Look, shown: Sequence[Mark]) -> Iterator[str]:
    """Signs at the foot of the plot; several that stand close together are one."""
    near: dict[tuple[Kind, int], list[Mark]] = defaultdict(list)
    for each in shown:
        near[each.kind, int(frame.x(each.at.timestamp()) / _APART)].append(each)
    for (kind, _), together in near.items():
        d = sign(kind, frame.x(together[0].at.timestamp()), frame.bottom - 9)
        words = together[0].text + (f", and {len(together) - 1} more" if len(together) > 1 else "")
        more = _sign_style(look)
        yield tip(d, words, more) if look.tips else path(d, more=more)


def sign(kind: Kind, x: float, top: float) -> str:
    """The path of a triangle or a diamond."""
    return f"M{at(x)} {at(top)}{SHAPES[kind]}"


def _sign_style(look: Look) -> str:
    return f'fill="{look.palette.ink}" stroke="{look.palette.ground}"'


def names(frame: Frame, look: Look, shown: Sequence[Name], end: float | None) -> Iterator[str]:
    """What each line is, at its right end, none over another; within the plot where there is no room beside it.

    `shown`: the most important first; where they crowd, those near a more important one are left out. `end`: where
    they end within the plot, in pixels; None where they begin with it.
    """
    if not look.size.is_narrow:
        for each, y in _placed(frame, look, shown, 4):
            yield text(frame.right + 10, y, _shortened(each.text, frame, look), each.colour)
        return
    x, anchor = (frame.left + 4, "") if end is None else (end, "end")
    for each, y in _placed(frame, look, shown, -4):
        yield text(x, y, each.text, each.colour, anchor=anchor, more=halo(look))


def longest(look: Look, shown: Iterable[Name]) -> float:
    """Pixels that the longest takes."""
    return max((look.size.length(each.text) for each in shown), default=0.0)


def _shortened(words: str, frame: Frame, look: Look) -> str:
    """As much as has room beside the plot."""
    room = look.size.width - frame.right - 12
    return words if look.size.length(words) <= room else plain(words, int(room / look.size.length("0")))


def halo(look: Look) -> str:
    """Keeps a text readable over lines."""
    return f' stroke="{look.palette.ground}" stroke-width="5" stroke-linejoin="round" paint-order="stroke"'


def _placed(frame: Frame, look: Look, shown: Sequence[Name], below: float) -> Sequence[tuple[Name, float]]:
    row = look.size.font + 2
    highest, lowest = frame.top + row - 4, frame.bottom + min(below, 2) + 2

    def spread(some: Sequence[Name]) -> list[tuple[Name, float]]:
        ordered = sorted(some, key=_height)
        return list(zip(ordered, _apart([each.y + below for each in ordered], row, highest, lowest), strict=True))

    found = spread(shown)
    crowded = any(y < highest or abs(y - each.y - below) > _FAR * row for each, y in found)
    return spread(_sparse(shown, row)) if crowded else found


def _sparse(shown: Sequence[Name], row: float) -> list[Name]:
    """Those that have a row to themselves, the most important first."""
    kept: list[Name] = []
    for each in shown:
        if all(abs(each.y - other.y) >= row for other in kept):
            kept.append(each)
    return kept


def _height(name: Name) -> float:
    return name.y


def _apart(ys: Sequence[float], row: float, highest: float, lowest: float) -> list[float]:
    """The same, from above to below, each at least a row below the one before and none below the lowest."""
    found: list[float] = []
    for y in ys:
        found.append(max(y, found[-1] + row if found else highest))
    for place in range(len(found) - 1, -1, -1):
        found[place] = min(found[place], lowest)
        lowest = found[place] - row
    return found
