"""The axis of times: the clock on the wall and the days of the week, in the zone of whoever reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from usage_watch.core.chart.frame import Frame
from usage_watch.core.chart.look import Look
from usage_watch.core.chart.svg import at as pixel
from usage_watch.core.chart.svg import path, text
from usage_watch.core.periods import midnight
from usage_watch.core.series import DAY, HOUR
from usage_watch.core.units import from_epoch, short_day

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_ONE_DAY = timedelta(days=1)
_BY_HOURS = 3 * DAY
"""Seconds: over a longer time hours are not named."""
_BETWEEN = 9
"""Pixels, at least, from one name to the next."""


@dataclass(frozen=True, slots=True)
class _Step:
    """How far names are apart, and how long the longest is."""

    hours: int = 0
    days: int = 0
    months: int = 0
    form: str = "day"
    letters: int = 6

    @property
    def seconds(self) -> int:
        return self.hours * HOUR + self.days * DAY + self.months * 30 * DAY


_HOURS = tuple(_Step(hours=hours, form="clock") for hours in (1, 2, 3, 6, 12))
_DAYS = (
    _Step(days=1, form="weekday day", letters=10),
    _Step(days=1, form="weekday number"),
    _Step(days=1, form="weekday", letters=3),
    _Step(days=2, form="weekday number"),
    _Step(days=2),
    _Step(days=7, form="weekday day", letters=10),
    _Step(days=7),
    _Step(days=14),
    *(_Step(months=months) for months in (1, 2, 3, 6)),
    _Step(months=12, form="year", letters=4),
)


def axis(frame: Frame, look: Look, zone: ZoneInfo, *, by_days: bool) -> Iterator[str]:
    """Names below the plot, and lines where days begin or names stand."""
    step = _step(frame, look, by_days=by_days)
    ticks = list(_ticks(frame, step, zone))
    inside = step.days == 1 or by_days
    marks = [_noon(each, zone) if by_days else each for each in ticks]
    xs = [pixel(frame.x(mark.timestamp())) for mark in marks if frame.holds(mark)]
    if xs and inside and not by_days:
        yield path("".join(f"M{x} {pixel(frame.top)}V{pixel(frame.bottom)}" for x in xs), stroke=look.palette.grid)
    if xs:
        yield path("".join(f"M{x} {pixel(frame.bottom)}v5" for x in xs), stroke=look.palette.faint)
    for tick in ticks:
        place = _noon(tick, zone) if inside else tick
        name = _name(tick.astimezone(zone), step.form)
        x = _within(look, frame.x(place.timestamp()), name)
        if frame.holds(place) and x is not None:
            yield text(x, frame.bottom + look.size.font + 7, name, look.palette.faint, anchor="middle")


def day_name(day: date) -> str:
    """`Mon 16 Nov`."""
    return f"{WEEKDAYS[day.weekday()]} {short_day(day)}"


def midnights(first: float, last: float, zone: ZoneInfo) -> Iterator[datetime]:
    """The beginning of each local day that overlaps a time (epoch seconds), oldest first."""
    day = from_epoch(int(first)).astimezone(zone).date()
    while (at := midnight(day, zone)).timestamp() < last:
        yield at
        day += _ONE_DAY


def _step(frame: Frame, look: Look, *, by_days: bool) -> _Step:
    """The finest that has room."""
    lasts = frame.last - frame.first
    steps = _DAYS if by_days or lasts > _BY_HOURS else _HOURS
    found = (each for each in steps if _has_room(each, frame, look))
    return next((each for each in found if each.form != "weekday" or lasts <= 8 * DAY), _DAYS[-1])


def _has_room(step: _Step, frame: Frame, look: Look) -> bool:
    pixels = frame.width * step.seconds / (frame.last - frame.first)
    return pixels >= look.size.length("0" * step.letters) + _BETWEEN


def _ticks(frame: Frame, step: _Step, zone: ZoneInfo) -> Iterator[datetime]:
    if step.hours:
        yield from _clock_ticks(frame, step.hours, zone)
        return
    for at in midnights(frame.first, frame.last, zone):
        day = at.astimezone(zone).date()
        months = step.months and day.day == 1 and (day.month - 1) % min(step.months, 12) == 0
        if months or (step.days and _counted(day, step.days)):
            yield at


def _counted(day: date, days: int) -> bool:
    """Weeks begin on Mondays; every second day is so by the calendar, whatever is in sight."""
    return (day.toordinal() - 1) % days == 0


def _clock_ticks(frame: Frame, hours: int, zone: ZoneInfo) -> Iterator[datetime]:
    """Round by the clock on the wall, whatever it does meanwhile: an hour that does not come has no name."""
    for day_at in midnights(frame.first, frame.last, zone):
        yield day_at
        day = day_at.astimezone(zone).date()
        for hour in range(hours, 24, hours):
            wall = datetime.combine(day, time(hour))
            instant = wall.replace(tzinfo=zone)
            if from_epoch(int(instant.timestamp())).astimezone(zone).replace(tzinfo=None) == wall:
                yield instant


def _noon(at: datetime, zone: ZoneInfo) -> datetime:
    """The middle of the day that begins then."""
    return at + (midnight(at.astimezone(zone).date() + _ONE_DAY, zone) - at) / 2


def _name(local: datetime, form: str) -> str:
    match form:
        case "clock" if local.hour or local.minute:
            return f"{local:%H:%M}"
        case "clock" | "weekday number":
            return f"{WEEKDAYS[local.weekday()]} {local.day}"
        case "weekday day":
            return day_name(local.date())
        case "weekday":
            return WEEKDAYS[local.weekday()]
        case "year":
            return str(local.year)
        case _:
            return short_day(local.date())


def _within(look: Look, x: float, name: str) -> float | None:
    """The middle of a name, moved a little where it would leave the picture; None where that is not enough."""
    half = look.size.length(name) / 2 + 2
    moved = min(max(x, half), look.size.width - half)
    return moved if abs(moved - x) < _BETWEEN else None
