"""A rule's series over time: what came, what is usual, where levels are, and what was told of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np

from usage_watch.core.chart import head as heads
from usage_watch.core.chart import parts, times
from usage_watch.core.chart.frame import MARGIN, Frame, Scale, grid, room_for
from usage_watch.core.chart.look import Look
from usage_watch.core.chart.svg import box, document, dot, tip
from usage_watch.core.chart.values import Band, Course, Kind, Level, Mark, Shade, drawable, drawable_one
from usage_watch.core.message import Severity
from usage_watch.core.series import DAY, Floats, Ints
from usage_watch.core.units import from_epoch, number

FAR = 2.5
"""Times the highest value: a level further up, that was not reached, would flatten what there is to see."""
_HEADROOM = 1.03
_UTC = ZoneInfo("UTC")
_EACH = 2 * DAY
"""Seconds: over a longer time hours are not told one by one but day by day."""


@dataclass(frozen=True, slots=True)
class LineChart:
    """What is drawn."""

    title: str
    what: str
    """What each value is: `credits in 3 h`."""
    course: Course
    zone: ZoneInfo
    """In which times are read; days are the source's UTC days whatever it is."""
    band: Band | None = None
    levels: Sequence[Level] = ()
    """Those far above all values are named, not drawn."""
    shades: Sequence[Shade] = ()
    marks: Sequence[Mark] = ()
    description: str = ""
    """Read out by screen readers; made of the numbers where it is empty."""
    reached: float | None = None
    """A level that is drawn however far it is."""
    most: float | None = None
    """No value can be above it, nor does the axis go on: 100 %."""

    @property
    def reader(self) -> ZoneInfo:
        """The zone of its days."""
        return _UTC if self.course.by_days else self.zone


def line_chart(chart: LineChart, look: Look) -> str:
    """SVG, the same for the same numbers."""
    shown, far = _sorted_levels(chart)
    entries = [*_entries(chart, _frame(chart, shown, look, 0)), *_named(far)]
    top_parts, top = heads.head(look, chart.title, chart.what, entries)
    frame = _frame(chart, shown, look, top)
    return document(
        look, chart.title, chart.description or described(chart), [*top_parts, *_plot(chart, shown, frame, look)]
    )


def _plot(chart: LineChart, levels: Sequence[Level], frame: Frame, look: Look) -> Iterator[str]:
    course = chart.course
    yield from parts.shades(frame, look, [each for each in chart.shades if parts.in_sight(frame, each)])
    yield from grid(frame, look)
    yield from times.axis(frame, look, chart.reader, by_days=course.by_days)
    if chart.band is not None:
        yield from parts.band(frame, look, course, chart.band)
    yield from (parts.level(frame, look, each) for each in levels)
    yield from parts.course(frame, look, course)
    yield from _newest(frame, look, course)
    if look.tips:
        yield from _tips(chart, frame)
    yield from parts.marks(frame, look, [each for each in chart.marks if frame.holds(each.at)])
    shown = list(_names(chart, levels, frame, look))
    yield from parts.names(frame, look, shown, _before_newest(frame, look, course, shown))


def _sorted_levels(chart: LineChart) -> tuple[list[Level], list[Level]]:
    """Those that are drawn, and those that are too far up."""
    near = FAR * _highest(chart.course.known)
    every = [replace(each, value=drawable_one(each.value)) for each in chart.levels]
    shown = [each for each in every if each.value <= near or each.value == chart.reached]
    return shown, [each for each in every if each not in shown]


def _named(far: Sequence[Level]) -> Iterator[heads.Entry]:
    yield from (heads.Entry(f"{parts.level_name(each)} is far above") for each in far)


def _entries(chart: LineChart, frame: Frame) -> Iterator[heads.Entry]:
    """Only of what is there to be seen."""
    seen = {each.severity for each in chart.shades if parts.in_sight(frame, each)}
    yield from (heads.alert(each) for each in reversed(Severity) if each in seen)
    kinds = {each.kind for each in chart.marks if frame.holds(each.at)}
    yield from (heads.marked(each) for each in Kind if each in kinds)
    course = chart.course
    if not np.isnan(course.known[course.open_from :]).all():
        yield heads.tail()


def _frame(chart: LineChart, levels: Sequence[Level], look: Look, top: float) -> Frame:
    course, size = chart.course, look.size
    highest = max(_highest(course.known), *(each.value for each in levels), 0.0)
    if chart.band is not None:  # what was learned of a few days is wide
        highest = max(highest, min(_highest(drawable(chart.band.high)), FAR * highest or math.inf))
    bottom = size.height - size.font - 19.0
    room = _HEADROOM * highest if chart.most is None else min(_HEADROOM * highest, max(highest, chart.most))
    scale = Scale.reaching(room, bottom - top)
    first, last = _reach(course)
    right = size.width - _beside(chart, levels, look)
    return Frame(room_for(scale, look), right, top, bottom, first, last, scale)


def _reach(course: Course) -> tuple[float, float]:
    """From when to when: days are whole, hours stand at their ends."""
    if not len(course.starts):
        return 0.0, float(DAY)
    first, last = int(course.starts[0]), int(course.starts[-1]) + (DAY if course.by_days else course.width)
    first += 0 if course.by_days or len(course.starts) == 1 else course.width
    return float(first), float(last)


def _beside(chart: LineChart, levels: Sequence[Level], look: Look) -> float:
    """Pixels right of the plot, for the names of its lines."""
    if look.size.is_narrow:
        return 10.0
    last = _last(chart.course)
    words = [parts.level_name(each) for each in levels] + ["usual"] * (chart.band is not None)
    words += [] if last is None else [number(last[1])]
    longest = max((look.size.length(each) for each in words), default=0.0)
    return min(longest + MARGIN + 8, parts.NAMED * look.size.width)


def _names(chart: LineChart, levels: Sequence[Level], frame: Frame, look: Look) -> Iterator[parts.Name]:
    """The newest value has its name where the line ends before the present, too: what came since is not known yet."""
    last = _last(chart.course)
    if last is not None:
        yield parts.Name(frame.y(last[1]), number(last[1]), look.palette.course)
    yield from (parts.Name(frame.y(each.value), parts.level_name(each), look.palette.ink) for each in levels)
    if last is not None and chart.band is not None and not look.size.is_narrow:
        middle = (drawable(chart.band.low)[-1] + drawable(chart.band.high)[-1]) / 2
        if not np.isnan(middle):
            yield parts.Name(frame.y(middle), "usual", look.palette.faint)


def _before_newest(frame: Frame, look: Look, course: Course, shown: Sequence[parts.Name]) -> float:
    """Where names end within the plot: they leave the newest value's dot in sight, if there is room before it."""
    last = _last(course)
    end = frame.right - 4 if last is None else frame.x(float(course.points[last[0]])) - 8
    return end if end > frame.left + parts.longest(look, shown) else frame.right - 4


def _newest(frame: Frame, look: Look, course: Course) -> Iterator[str]:
    """A dot on the newest value that is known."""
    last = _last(course)
    if last is not None:
        x, y = frame.x(float(course.points[last[0]])), frame.y(last[1])
        palette = look.palette
        yield dot(x, y, 4.5, palette.course, palette.ground)


def _last(course: Course) -> tuple[int, float] | None:
    """The newest value that is known, and its place."""
    known = np.flatnonzero(~np.isnan(course.known))
    return (int(known[-1]), float(course.known[known[-1]])) if len(known) else None


def _highest(values: Floats) -> float:
    found = values[~np.isnan(values)]
    return float(found.max()) if len(found) else 0.0


# What is said in words


def described(chart: LineChart) -> str:
    """From when to when, the least and the most, the newest, and how many alerts."""
    course, known = chart.course, chart.course.known
    last = _last(course)
    if last is None:
        return f"{chart.what}: nothing is known of that time."
    days = [
        times.day_name(from_epoch(int(each)).astimezone(chart.reader).date())
        for each in (course.starts[0], course.starts[-1])
    ]
    over = days[0] if days[0] == days[1] else f"{days[0]} to {days[1]}"
    told = len(chart.shades)
    alerts = f"; {told} alert{'s' if told > 1 else ''}" if told else ""
    lowest, highest = number(float(np.nanmin(known))), number(_highest(known))
    return f"{over}: {lowest} to {highest} {chart.what}, at last {number(last[1])}{alerts}."


def _tips(chart: LineChart, frame: Frame) -> Iterator[str]:
    """Of each day, or of each value where they are few, what is there to be read when it is pointed at."""
    course = chart.course
    if not len(course.starts):
        return
    one_by_one = course.by_days or frame.last - frame.first <= _EACH
    yield '<g fill="none" pointer-events="all">'
    yield from _value_tips(chart, frame) if one_by_one else _day_tips(chart, frame)
    yield "</g>"


def _value_tips(chart: LineChart, frame: Frame) -> Iterator[str]:
    course, xs = chart.course, frame.x(chart.course.points)
    middles = ((xs[1:] + xs[:-1]) / 2).tolist()
    for place, (left, right) in enumerate(pairwise([frame.left, *middles, frame.right])):
        begins_at = from_epoch(int(course.starts[place])).astimezone(chart.reader)
        ends_at = from_epoch(int(course.points[place])).astimezone(chart.reader)
        when = times.day_name(begins_at.date()) + ("" if course.by_days else f", at {_end(ends_at)}")
        words = f"{when}: {_value(chart, place)}{_usual(chart, place)}{_growing(chart, place)}"
        yield tip(box(left, frame.top, right, frame.bottom), words)


def _value(chart: LineChart, place: int) -> str:
    value = float(chart.course.known[place])
    return "not known" if np.isnan(value) else f"{number(value)} {chart.what}"


def _usual(chart: LineChart, place: int) -> str:
    if chart.band is None:
        return ""
    low, high = float(drawable(chart.band.low)[place]), float(drawable(chart.band.high)[place])
    return "" if np.isnan(low + high) else f", usually {number(low)} to {number(high)}"


def _growing(chart: LineChart, place: int) -> str:
    return "; may still grow" if place >= chart.course.open_from else ""


def _day_tips(chart: LineChart, frame: Frame) -> Iterator[str]:
    course, values = chart.course, chart.course.known.tolist()
    begins = [*times.midnights(frame.first, frame.last, chart.zone)]
    edges: Ints = np.array([int(each.timestamp()) for each in begins] + [int(frame.last)], dtype=np.int64)
    places = np.searchsorted(course.starts, edges)
    for day_at, (left, right), (first, end) in zip(
        begins, pairwise(frame.x(edges).tolist()), pairwise(places.tolist()), strict=True
    ):
        if first < end:
            words = f"{times.day_name(day_at.astimezone(chart.zone).date())}: {_day(chart, values, first, end)}"
            yield tip(box(left, frame.top, right, frame.bottom), words)


def _day(chart: LineChart, values: Sequence[float], first: int, end: int) -> str:
    inside = [(value, -place) for place, value in enumerate(values[first:end], first) if not math.isnan(value)]
    if not inside:
        return "not known"
    (most, place), (least, _) = max(inside), min(inside)
    at_most: datetime = from_epoch(int(chart.course.points[-place])).astimezone(chart.zone)
    low, high = number(least), number(most)
    said = f"{high} {chart.what}" if low == high else f"{low} to {high} {chart.what}, the most at {_end(at_most)}"
    return said + _growing(chart, end - 1)


def _end(at: datetime) -> str:
    """The time at which a bucket ends: midnight is the end of its day, not of the one before."""
    return f"{at:%H:%M}".replace("00:00", "24:00")
