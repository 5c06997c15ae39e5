"""Budget periods: local midnights in a time zone, with billing days that clamp to the month's end and un-clamp."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo


class Every(StrEnum):
    """How long a period lasts; `cycle` is a month that starts on the billing day."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


_MONTHS = {Every.MONTH: 1, Every.QUARTER: 3, Every.YEAR: 12}


@dataclass(frozen=True, slots=True)
class Span:
    """One period, half-open; both ends are local midnights, in UTC."""

    start_at: datetime
    end_at: datetime


@dataclass(frozen=True, slots=True)
class Calendar:
    """Periods of calendar length: day, week (from Monday), month, quarter, year."""

    every: Every
    zone: ZoneInfo
    starts_on: int = 1
    """Day of the month on which months, quarters and years start; 29 to 31 clamp to the month's end."""

    def containing(self, at: datetime) -> Span:
        """The period that `at` lies in."""
        today = at.astimezone(self.zone).date()
        if self.every == Every.DAY:
            return self._span(today, today + timedelta(days=1))
        if self.every == Every.WEEK:
            monday = today - timedelta(days=today.weekday())
            return self._span(monday, monday + timedelta(days=7))
        return self._months(today)

    def _months(self, today: date) -> Span:
        length = _MONTHS[self.every]
        month = today.year * 12 + today.month - 1
        if today < self._start_in(month):
            month -= 1
        # Quarters and years are counted from January, so that every month belongs to exactly one of them.
        first = month - month % length
        return self._span(self._start_in(first), self._start_in(first + length))

    def _start_in(self, month: int) -> date:
        year, index = divmod(month, 12)
        return date(year, index + 1, min(self.starts_on, calendar.monthrange(year, index + 1)[1]))

    def _span(self, start: date, end: date) -> Span:
        return Span(midnight(start, self.zone), midnight(end, self.zone))


@dataclass(frozen=True, slots=True)
class Fixed:
    """Periods of a fixed number of local days, counted from a date; there is none before it."""

    days: int
    zone: ZoneInfo
    start: date

    def containing(self, at: datetime) -> Span | None:
        """The period that `at` lies in; None before the first."""
        passed = (at.astimezone(self.zone).date() - self.start).days
        if passed < 0:
            return None
        first = self.start + timedelta(days=passed - passed % self.days)
        return Span(midnight(first, self.zone), midnight(first + timedelta(days=self.days), self.zone))

    @property
    def first(self) -> Span:
        """The period that starts on the date."""
        return Span(midnight(self.start, self.zone), midnight(self.start + timedelta(days=self.days), self.zone))


Periods = Calendar | Fixed


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When a local day begins, in UTC.

    Where clocks jump over midnight the day begins at the jump, and where midnight comes twice with the first.
    """
    return datetime.combine(day, time(), zone).astimezone(UTC)


def between(periods: Periods, since: datetime, until: datetime) -> list[Span]:
    """The periods that overlap [since, until), in order."""
    found: list[Span] = []
    span = periods.containing(since)
    if span is None and isinstance(periods, Fixed):
        span = periods.first
    while span is not None and span.start_at < until:
        found.append(span)
        span = periods.containing(span.end_at)
    return found


def upcoming(periods: Periods, now: datetime, count: int) -> list[datetime]:
    """The next `count` starts after `now`."""
    span = periods.containing(now)
    starts: list[datetime] = []
    if span is None and isinstance(periods, Fixed):
        starts.append(periods.first.start_at)
        span = periods.first
    while span is not None and len(starts) < count:
        starts.append(span.end_at)
        span = periods.containing(span.end_at)
    return starts
