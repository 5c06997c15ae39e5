"""Hours by weekday: when in the week it is used, in the zone of whoever looks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from usage_watch.core.chart import head as heads
from usage_watch.core.chart.frame import MARGIN, Scale
from usage_watch.core.chart.look import Look
from usage_watch.core.chart.svg import box, document, path, text, tip
from usage_watch.core.chart.times import WEEKDAYS
from usage_watch.core.chart.values import drawable
from usage_watch.core.series import Flags, Floats, Ints
from usage_watch.core.units import from_epoch, number

_DAYS, _HOURS = 7, 24
_SWATCH = 18
"""Pixels of a colour in the scale."""


@dataclass(frozen=True, slots=True)
class HeatMap:
    """What is drawn."""

    title: str
    what: str
    """What each value is: `credits an hour`."""
    values: Floats
    """Of Monday to Sunday, each hour of the day; NaN where nothing is known. Shape (7, 24)."""
    description: str = ""
    """Read out by screen readers; made of the numbers where it is empty."""


@dataclass(frozen=True, slots=True)
class _Cells:
    left: float
    top: float
    width: float
    height: float

    def box(self, day: int, hour: int) -> str:
        """A cell, with a little room around it."""
        left, top = self.left + hour * self.width, self.top + day * self.height
        return box(left + 0.5, top + 0.5, left + self.width - 0.5, top + self.height - 0.5)


def hours_of_week(starts: Ints, counts: Floats, known: Flags, zone: ZoneInfo) -> Floats:
    """The mean of each hour of the local week; NaN where none of it is known. Shape (7, 24)."""
    local = [from_epoch(each).astimezone(zone) for each in starts.tolist()]
    places = np.array([each.weekday() * _HOURS + each.hour for each in local], dtype=np.int64)[known]
    sums = np.bincount(places, counts[known], _DAYS * _HOURS)
    times = np.bincount(places, minlength=_DAYS * _HOURS)
    means: Floats = np.divide(sums, times, out=np.full(len(sums), np.nan), where=times > 0)
    return means.reshape(_DAYS, _HOURS)


def heat_map(chart: HeatMap, look: Look) -> str:
    """SVG, the same for the same numbers."""
    values = drawable(chart.values)
    top_parts, top = heads.head(look, chart.title, chart.what, ())
    edges = _edges(values, look)
    plot = [*_map(chart, values, edges, _cells(look, top), look), *_scale(edges, look)]
    return document(look, chart.title, chart.description or described(chart), [*top_parts, *plot])


def _cells(look: Look, top: float) -> _Cells:
    left = look.size.length("Wed") + MARGIN + 8
    bottom = look.size.height - 2 * look.size.font - 27.0
    return _Cells(left, top - 6, (look.size.width - MARGIN - left) / _HOURS, (bottom - top + 6) / _DAYS)


def _edges(values: Floats, look: Look) -> Floats:
    """From which value on each colour is: from 0 up in steps that a person would choose."""
    known = values[~np.isnan(values)]
    highest = float(known.max()) if len(known) else 0.0
    colours = len(look.palette.heat)
    step = next(each for each in _steps(highest) if each * colours > highest)
    return step * np.arange(colours, dtype=np.float64)


def _steps(highest: float) -> Iterator[float]:
    size = Scale.reaching(max(highest, 1e-9) / 10, 200).step
    yield from (size * each for each in (0.5, 1, 2, 2.5, 4, 5, 10, 20, 40, 100))


def _map(chart: HeatMap, values: Floats, edges: Floats, cells: _Cells, look: Look) -> Iterator[str]:
    palette = look.palette
    for day, name in enumerate(WEEKDAYS):
        y = cells.top + (day + 0.5) * cells.height + 4
        yield text(cells.left - 7, y, name, palette.faint, anchor="end")
    ranks = np.where(np.isnan(values), -1, np.searchsorted(edges, np.nan_to_num(values), side="right") - 1)
    for rank in range(-1, len(edges)):
        colour = palette.unread if rank < 0 else palette.heat[rank]
        places = np.argwhere(ranks == rank).tolist()
        if places and look.tips:
            yield f'<g fill="{colour}">'
            yield from (tip(cells.box(day, hour), _said(chart, values, day, hour)) for day, hour in places)
            yield "</g>"
        elif places:
            yield path("".join(cells.box(day, hour) for day, hour in places), fill=colour)
    y = cells.top + _DAYS * cells.height + look.size.font + 3
    for hour in range(0, _HOURS, 6 if look.size.is_narrow else 3):
        yield text(cells.left + hour * cells.width, y, f"{hour:02}:00", palette.faint)


def _said(chart: HeatMap, values: Floats, day: int, hour: int) -> str:
    value = float(values[day, hour])
    known = "not known" if np.isnan(value) else f"{number(value)} {chart.what}"
    return f"{WEEKDAYS[day]} {hour:02}:00 to {hour + 1:02}:00: {known}"


def _scale(edges: Floats, look: Look) -> Iterator[str]:
    """Which colour is from how much on; where there is little room, only of the least and the most."""
    size, palette = look.size, look.palette
    names = Scale(float(edges[1]), len(edges) - 1).names()
    if size.is_narrow:
        names = [names[0], *[""] * (len(names) - 2), f"from {names[-1]}"]
    lengths = [_SWATCH + (size.length(name) + 16 if name else 0) for name in names]
    x, y = size.width - MARGIN + 10 - sum(lengths), size.height - 10.0
    if not size.is_narrow:
        yield text(x - 10, y, "from", palette.faint, anchor="end")
    for place, (name, length) in enumerate(zip(names, lengths, strict=True)):
        yield path(box(x, y - 10, x + _SWATCH, y), fill=palette.heat[place], stroke=palette.grid)
        yield text(x + _SWATCH + 4, y, name, palette.faint) if name else ""
        x += length


def described(chart: HeatMap) -> str:
    """When it is most."""
    values = drawable(chart.values)
    if np.isnan(values).all():
        return f"{chart.what}: nothing is known."
    day, hour = (int(each) for each in np.unravel_index(int(np.nanargmax(values)), values.shape))
    return f"Hours by weekday; the most: {_said(chart, values, day, hour)}."


__all__ = ["HeatMap", "described", "heat_map", "hours_of_week"]
