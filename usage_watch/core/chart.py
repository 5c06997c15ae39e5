"""A picture of what was judged: SVG text, the same for the same numbers.

Its own white ground carries it through dark mail programs and onto paper. Levels differ by dashes and names as well as
by colours, which the colour-blind can tell apart. In sight is only what the program itself says: numbers, times, units
and severities, so that a font with few letters will do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from html import escape
from itertools import groupby
from zoneinfo import ZoneInfo

from usage_watch.core.message import Drawn, Evidence, Line, Severity
from usage_watch.core.plain import plain
from usage_watch.core.units import number, short_day

WIDTH, HEIGHT = 600, 240
"""Pixels."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 458, 46, 204
"""The edges of the plot; to its right stand the names of the lines."""
_COURSE, _BAND, _GRID, _INK, _FAINT = "#0072b2", "#d3e6f3", "#e4e6ea", "#24292f", "#57606a"
_LEVELS = {Severity.CRITICAL: ("#d55e00", ""), Severity.WARNING: ("#b07c00", "7 3"), Severity.INFO: ("#2f8fc4", "2 3")}
"""Colour and dashes."""
_FAR = 2.5
"""Times the highest value: a level further up, that was not reached, would flatten what there is to see."""
_STEPS = tuple(timedelta(hours=hours) for hours in (1, 2, 3, 6, 12, 24, 48, 72, 168, 336, 720, 1464, 2928, 8784))
_DAY = timedelta(days=1)
_NAMES, _LABEL, _ROW = 7, 60, 15
"""About so many names of times; characters of a text; pixels from one to the next below it."""
_NO_XML = dict.fromkeys((0xFFFE, 0xFFFF))
"""The characters besides controls that XML has no place for."""
_ROUND = 'stroke-linejoin="round" stroke-linecap="round"'


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where times and values stand, in pixels."""

    first: datetime
    last: datetime
    step: float
    """From one value on the axis to the next."""
    steps: int
    """Of them on the axis, which begins at 0."""

    def x(self, at: datetime) -> float:
        return _LEFT + (_RIGHT - _LEFT) * ((at - self.first) / (self.last - self.first))

    def y(self, value: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * max(value, 0.0) / (self.step * self.steps)


def chart(evidence: Evidence, series: Drawn, zone: ZoneInfo) -> str:
    """An evidence's series; times are read in `zone`, or in UTC where days are judged: they are the source's."""
    by_days = evidence.bucket == "1d"
    lines = lines_in_sight(evidence, series)
    frame = _frame(series, lines)
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
            ' role="img" aria-labelledby="t d" font-family="DejaVu Sans,Verdana,sans-serif" font-size="13">',
            f'<title id="t">{_said(series.what)}</title>',
            f'<desc id="d">{_said(evidence.summary, 300)}</desc>',
            f'<rect width="{WIDTH}" height="{HEIGHT}" rx="6" fill="#fff"/>',
            _text(16, 24, series.what, fill=_INK, size=14),
            *_values(frame),
            *_times(frame, ZoneInfo("UTC") if by_days else zone, by_days=by_days),
            *_usual(frame, series),
            *(_level(frame, line) for line in lines),
            *_course(frame, series),
            *_names(frame, series, lines),
            "</svg>\n",
        )
    )


def lines_in_sight(evidence: Evidence, series: Drawn) -> list[Line]:
    """The level that was reached, and those that are not far off."""
    near = _FAR * max(_numbers(series.values))
    return [each for each in series.lines if each.limit <= near or math.isclose(each.limit, evidence.limit)]


def _frame(series: Drawn, lines: Sequence[Line]) -> _Frame:
    highest = max([*_numbers(series.values), *_numbers(series.high), *(line.limit for line in lines)])
    step = _round_step(highest)
    return _Frame(series.ends[0], series.ends[-1], step, max(1, math.ceil(highest / step)))


def _round_step(highest: float) -> float:
    """A fifth to a half of the highest value, as people count: 1, 2 or 5 and zeros."""
    if highest <= 0:
        return 1.0
    size = 10.0 ** math.floor(math.log10(highest / 2))
    return next(size * each for each in (5, 2, 1) if size * each * 2 <= highest)


def _values(frame: _Frame) -> Iterator[str]:
    for place in range(frame.steps + 1):
        y = frame.y(place * frame.step)
        yield f'<path d="M{_LEFT} {y:.1f}H{_RIGHT}" stroke="{_GRID}"/>'
        yield _text(_LEFT - 8, y + 4, _short(place * frame.step, frame.step), anchor="end")


def _short(value: float, step: float) -> str:
    """`0`, `2,500`, `10k`, `1.5M`: alike on all of an axis."""
    size, letter = next((each for each in ((1e6, "M"), (1e3, "k")) if step >= each[0]), (1.0, ""))
    return number(value / size) + (letter if value else "")


def _times(frame: _Frame, zone: ZoneInfo, *, by_days: bool) -> Iterator[str]:
    """Names at round times of the clock; a day has its name where it ends if days are judged, else where it begins."""
    shift = _DAY if by_days else timedelta()
    least = _DAY if by_days else timedelta(hours=1)
    room = (frame.last - frame.first) / _NAMES
    step = next((each for each in _STEPS if each >= max(room, least)), _STEPS[-1])
    at = datetime.combine(frame.first.astimezone(zone).date(), time())  # by the wall clock, whatever it does meanwhile
    while (instant := at.replace(tzinfo=zone) + shift) <= frame.last:
        if instant >= frame.first:
            x = frame.x(instant)
            yield f'<path d="M{x:.1f} {_BOTTOM}v5" stroke="{_FAINT}"/>'
            yield _text(x, _BOTTOM + 20, f"{at:%H:%M}" if at.hour else short_day(at), anchor="middle")
        at += step


def _usual(frame: _Frame, series: Drawn) -> Iterator[str]:
    """The band between the ends of the usual, wherever both are known."""
    ends = zip(series.ends, series.low, series.high, strict=False)
    for known, run in groupby(ends, key=lambda each: each[1] is not None and each[2] is not None):
        if known:
            places = [(frame.x(at), frame.y(low or 0.0), frame.y(high or 0.0)) for at, low, high in run]
            edge = [(x, high) for x, _, high in places] + [(x, low) for x, low, _ in reversed(places)]
            yield f'<path d="{_path(edge)}Z" fill="{_BAND}"/>'


def _level(frame: _Frame, line: Line) -> str:
    colour, dashes = _LEVELS[line.severity]
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<path d="M{_LEFT} {frame.y(line.limit):.1f}H{_RIGHT}" stroke="{colour}" stroke-width="1.5"{dashed}/>'


def _course(frame: _Frame, series: Drawn) -> Iterator[str]:
    """The line itself, broken where nothing is known, and a dot on what is spoken of."""
    x = y = 0.0
    for known, run in groupby(zip(series.ends, series.values, strict=True), key=lambda each: each[1] is not None):
        if known:
            places = [(frame.x(at), frame.y(value or 0.0)) for at, value in run]
            (x, y), path = places[-1], _path(places if len(places) > 1 else places * 2)
            yield f'<path d="{path}" fill="none" stroke="{_COURSE}" stroke-width="2.5" {_ROUND}/>'
    yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{_COURSE}" stroke="#fff" stroke-width="1.5"/>'


def _path(places: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)


def _names(frame: _Frame, series: Drawn, lines: Sequence[Line]) -> Iterator[str]:
    """What each line is, at its right end, and what is spoken of; none over another."""
    names = [(frame.y(line.limit), f"{line.severity} {number(line.limit)}", _INK) for line in lines]
    if series.values[-1] is not None:
        names.append((frame.y(series.values[-1]), number(series.values[-1]), _COURSE))
    if series.low and series.low[-1] is not None and series.high[-1] is not None:
        names.append((frame.y((series.low[-1] + series.high[-1]) / 2), "usual", _FAINT))
    below = 0.0
    for y, name, colour in sorted(names):
        below = max(y, below + _ROW)
        yield _text(_RIGHT + 10, below + 4, name, fill=colour)


def _numbers(values: Sequence[float | None]) -> list[float]:
    """Those that are known, and 0."""
    return [0.0, *(value for value in values if value is not None)]


def _text(x: float, y: float, text: str, *, anchor: str = "start", fill: str = _FAINT, size: int = 13) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" font-size="{size}">{_said(text)}</text>'


def _said(text: str, limit: int = _LABEL) -> str:
    return escape(plain(text, limit)).translate(_NO_XML)
