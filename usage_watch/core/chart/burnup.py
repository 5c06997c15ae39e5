"""A budget in its period: what is spent, what an even pace would be, and how it is expected to end."""

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
from usage_watch.core.chart.svg import ROUND, at, box, document, dot, path, text, tip, trace
from usage_watch.core.chart.values import Course, Level, drawable_one
from usage_watch.core.periods import Span
from usage_watch.core.series import Floats
from usage_watch.core.units import from_epoch, number, percent, quantity

_PACE = "1 4"
_EXPECTED = "6 4"
_HEADROOM = 1.05
_NAMED = 1.12
"""Times the limit: within the plot its name has room above it."""
_TALLEST = 2.0
"""Times the limit: what is expected beyond that is cut off, or there would be nothing else to see."""


@dataclass(frozen=True, slots=True)
class Expected:
    """How a period is expected to end, and when that fills the limit: 10, 50 and 90 % of what may come."""

    low: float
    median: float
    high: float
    earliest_at: datetime | None
    """When `high` reaches the limit; None where it does not."""
    run_out_at: datetime | None
    latest_at: datetime | None


@dataclass(frozen=True, slots=True)
class BurnUp:
    """What is drawn."""

    title: str
    unit: str
    span: Span
    zone: ZoneInfo
    """Of the period's days."""
    limit: float
    spent: Course
    """What was spent up to the end of each bucket."""
    levels: Sequence[Level] = ()
    """Amounts below the limit at which it speaks."""
    expected: Expected | None = None
    description: str = ""
    """Read out by screen readers; made of the numbers where it is empty."""


@dataclass(frozen=True, slots=True)
class _Stand:
    """Where it stands now."""

    at: float
    """Epoch seconds."""
    spent: float


def burn_up(chart: BurnUp, look: Look) -> str:
    """SVG, the same for the same numbers."""
    chart = replace(chart, limit=drawable_one(chart.limit), expected=_known(chart.expected))
    top_parts, top = heads.head(look, chart.title, _caption(chart, look), _entries(chart, look))
    frame = _frame(chart, look, top)
    return document(look, chart.title, chart.description or described(chart), [*top_parts, *_plot(chart, frame, look)])


def _caption(chart: BurnUp, look: Look) -> str:
    """How much is spent, too, on a phone: within its plot no number could be sure to stand on no other."""
    return f"{quantity(_stand(chart).spent, chart.unit) if look.size.is_narrow else chart.unit} spent"


def _known(expected: Expected | None) -> Expected | None:
    """What is expected as it can be drawn; None where some of it is not known."""
    if expected is None or not math.isfinite(expected.low + expected.median + expected.high):
        return None
    low, median, high = (drawable_one(each) for each in (expected.low, expected.median, expected.high))
    return replace(expected, low=low, median=median, high=high)


def _plot(chart: BurnUp, frame: Frame, look: Look) -> Iterator[str]:
    stand = _stand(chart)
    yield from grid(frame, look)
    yield from times.axis(frame, look, chart.zone, by_days=False)
    if chart.expected is not None:
        yield from _fan(chart, chart.expected, stand, frame, look)
    even = f"M{at(frame.left)} {at(frame.bottom)}L{at(frame.right)} {at(frame.y(chart.limit))}"
    yield path(even, stroke=look.palette.faint, width=1.5, dashes=_PACE, more=ROUND)
    yield from (parts.level(frame, look, each) for each in chart.levels)
    across = f"M{at(frame.left)} {at(frame.y(chart.limit))}H{at(frame.right)}"
    yield path(across, stroke=look.palette.ink, width=1.5)
    yield from _spent(chart, stand, frame, look)
    if chart.expected is not None:
        yield from _run_out(chart, chart.expected, frame, look)
    if look.tips:
        yield from _tips(chart, frame)
    shown = list(_names(chart, frame, look))
    soon_over = _soon_over(chart, stand, frame, look, shown)
    yield from parts.names(frame, look, shown, end=frame.right - 4 if soon_over else None)


def _soon_over(chart: BurnUp, stand: _Stand, frame: Frame, look: Look, shown: Sequence[parts.Name]) -> bool:
    """Whether names would lie over what was spent where they are at the left, and under all of it at the right."""
    early = frame.x(chart.spent.starts + chart.spent.width) < frame.left + parts.longest(look, shown) + 12
    low, high = max(each.y for each in shown), min(each.y for each in shown)
    at_end = stand.spent if chart.expected is None else max(stand.spent, chart.expected.median)
    return frame.y(at_end) < high - look.size.font and bool((frame.y(chart.spent.known[early]) < low + 8).any())


def _frame(chart: BurnUp, look: Look, top: float) -> Frame:
    stand, expected = _stand(chart), chart.expected
    ahead = 0.0 if expected is None else min(expected.high, _TALLEST * max(chart.limit, stand.spent))
    highest = max(_NAMED * chart.limit, _HEADROOM * stand.spent, _HEADROOM * ahead)
    bottom = look.size.height - look.size.font - 19.0
    scale = Scale.reaching(highest, bottom - top)
    beside = list(_names(chart, None, look))
    room = 10.0 if look.size.is_narrow else min(parts.longest(look, beside) + MARGIN + 8, parts.NAMED * look.size.width)
    first, last = chart.span.start_at.timestamp(), chart.span.end_at.timestamp()
    return Frame(room_for(scale, look), look.size.width - room, top, bottom, first, last, scale)


def _stand(chart: BurnUp) -> _Stand:
    """The last known amount, as of the end of its bucket; nothing at the period's start."""
    known = np.flatnonzero(~np.isnan(chart.spent.known))
    if not len(known):
        return _Stand(chart.span.start_at.timestamp(), 0.0)
    last = int(known[-1])
    return _Stand(float(chart.spent.starts[last] + chart.spent.width), float(chart.spent.known[last]))


def _spent(chart: BurnUp, stand: _Stand, frame: Frame, look: Look) -> Iterator[str]:
    """Filled down to nothing; what may still grow goes on lighter and dashed."""
    spent, palette = chart.spent, look.palette
    ends, open_from = spent.starts + spent.width, spent.open_from
    begun = len(ends) > 0 and spent.starts[0] <= frame.first
    for run in parts.runs(~np.isnan(spent.known)):
        xs, ys = frame.x(ends[run]), frame.y(spent.known[run])
        if begun and run.start == 0:  # nothing was spent when it began
            xs, ys = np.append(frame.left, xs), np.append(frame.bottom, ys)
        around = f"V{at(frame.bottom)}H{at(float(xs[0]))}z"
        yield path(trace(xs, ys) + around, fill=palette.course, more='fill-opacity=".12"')
        final = open_from - run.stop + len(xs) if open_from > run.start else 0
        if final < len(xs):
            yield path(
                trace(xs[max(0, final - 1) :], ys[max(0, final - 1) :]),
                stroke=palette.tail,
                width=2.5,
                dashes=parts.TAIL,
                more=ROUND,
            )
        if final:
            yield path(trace(xs[:final], ys[:final]), stroke=palette.course, width=2.5, more=ROUND)
    x, y = frame.x(stand.at), frame.y(stand.spent)
    yield dot(x, y, 4.5, palette.course, palette.ground)
    if look.size.is_narrow:
        return
    words = number(stand.spent)
    side = "end" if x - look.size.length(words) > frame.left + 12 else ""
    yield text(
        x - 8 if side else x + 8, max(y - 8, frame.top + 12), words, palette.course, anchor=side, more=parts.halo(look)
    )


def _fan(chart: BurnUp, expected: Expected, stand: _Stand, frame: Frame, look: Look) -> Iterator[str]:
    """From where it stands to the end: the middle, and from where to where with 80 %."""
    high, median, low = (
        _way(chart, stand, frame, amount, at_limit)
        for amount, at_limit in (
            (expected.high, expected.earliest_at),
            (expected.median, expected.run_out_at),
            (expected.low, expected.latest_at),
        )
    )
    around = trace(np.append(high[0], low[0][::-1]), np.append(high[1], low[1][::-1]))
    yield path(f"{around}z", fill=look.palette.band)
    yield path(trace(*median), stroke=look.palette.course, width=1.5, dashes=_EXPECTED, more='fill="none"')


def _way(chart: BurnUp, stand: _Stand, frame: Frame, amount: float, at_limit: datetime | None) -> tuple[Floats, Floats]:
    """Straight to the end, over the day on which the limit is reached where it is."""
    places = [(stand.at, stand.spent), (frame.last, max(amount, stand.spent))]
    if at_limit is not None and stand.at < at_limit.timestamp() < frame.last and stand.spent <= chart.limit <= amount:
        places.insert(1, (at_limit.timestamp(), chart.limit))
    xs, ys = np.array(places).T
    return np.asarray(frame.x(xs)), np.asarray(frame.y(ys))


def _run_out(chart: BurnUp, expected: Expected, frame: Frame, look: Look) -> Iterator[str]:
    """On the line of the limit: from the earliest day to the latest, and the middle one."""
    if expected.earliest_at is None:
        return
    y, palette = frame.y(chart.limit), look.palette
    until = frame.last if expected.latest_at is None else expected.latest_at.timestamp()
    d = f"M{at(frame.x(expected.earliest_at.timestamp()))} {at(y)}H{at(frame.x(until))}"
    yield path(d, stroke=palette.critical, width=6, more='stroke-linecap="round" stroke-opacity=".55"')
    if expected.run_out_at is not None:
        x = frame.x(expected.run_out_at.timestamp())
        yield dot(x, y, 5, palette.critical, palette.ground)


def _entries(chart: BurnUp, look: Look) -> Iterator[heads.Entry]:
    expected = chart.expected
    if expected is not None:
        amount = f" {_rough(expected.median)}" if look.size.is_narrow else ""
        yield heads.Entry(f"expected{amount}, 80 % of cases", _fan_sample)
        if expected.run_out_at is not None or expected.earliest_at is not None:
            yield heads.Entry("runs out", _run_out_sample)
    yield heads.Entry("even pace", lambda look, x, y: heads.stroke(x, y, look.palette.faint, _PACE))
    if chart.spent.open_from < len(chart.spent.starts):
        yield heads.tail()


def _fan_sample(look: Look, x: float, y: float) -> str:
    return path(box(x, y - 5, x + 16, y + 5), fill=look.palette.band) + heads.stroke(x, y, look.palette.course, "4 2")


def _run_out_sample(look: Look, x: float, y: float) -> str:
    palette = look.palette
    band = path(
        f"M{at(x + 2)} {at(y)}h12", stroke=palette.critical, width=6, more='stroke-linecap="round" stroke-opacity=".55"'
    )
    return band + dot(x + 8, y, 4, palette.critical, palette.ground)


def _names(chart: BurnUp, frame: Frame | None, look: Look) -> Iterator[parts.Name]:
    """Without a frame only how long they are matters."""

    def y(value: float) -> float:
        return 0.0 if frame is None else frame.y(value)

    yield parts.Name(y(chart.limit), f"limit {number(chart.limit)}", look.palette.ink)
    if chart.expected is not None and not look.size.is_narrow:
        yield parts.Name(y(chart.expected.median), f"expected {_rough(chart.expected.median)}", look.palette.course)
    for each in reversed(chart.levels):
        yield parts.Name(y(each.value), parts.level_name(each), look.palette.ink)


def _rough(value: float) -> str:
    """What is only expected has three digits."""
    return number(float(f"{value:.3g}"))


# What is said in words


def described(chart: BurnUp) -> str:
    """How much is spent and expected, and when the limit is reached."""
    stand, expected = _stand(chart), chart.expected
    part = f", {percent(stand.spent / chart.limit)}" if chart.limit > 0 else ""
    sentences = [f"{quantity(stand.spent, chart.unit)} of {number(chart.limit)} spent{part}."]
    if expected is not None:
        ends = f"{_rough(expected.low)} to {_rough(expected.high)}"
        sentences.append(f"Expected at the end: {_rough(expected.median)}, in 80 % of cases {ends}.")
        if expected.run_out_at is not None:
            sentences.append(f"It runs out on {times.day_name(expected.run_out_at.astimezone(chart.zone).date())}.")
    return " ".join(sentences)


def _tips(chart: BurnUp, frame: Frame) -> Iterator[str]:
    """Of each day that has begun what was spent by its end."""
    spent, ends = chart.spent, chart.spent.starts + chart.spent.width
    begins = [*times.midnights(frame.first, frame.last, chart.zone)]
    edges = [each.timestamp() for each in begins] + [frame.last]
    yield '<g fill="none" pointer-events="all">'
    for begin, end in pairwise(edges):
        place = int(np.searchsorted(ends, end, side="right")) - 1
        if place >= 0 and ends[place] > begin and not np.isnan(spent.known[place]):
            day = times.day_name(from_epoch(int(begin)).astimezone(chart.zone).date())
            words = f"{day}: {quantity(float(spent.known[place]), chart.unit)} spent{_even(chart, end)}"
            yield tip(box(frame.x(begin), frame.top, frame.x(end), frame.bottom), words)
    yield "</g>"


def _even(chart: BurnUp, end: float) -> str:
    passed = (end - chart.span.start_at.timestamp()) / (chart.span.end_at - chart.span.start_at).total_seconds()
    return f", at an even pace {number(round(chart.limit * min(passed, 1.0)))}"


__all__ = ["BurnUp", "Expected", "burn_up", "described"]
