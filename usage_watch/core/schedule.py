"""Times that a rules file names by the calendar: local days, and hours of local weekdays."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from usage_watch.core.periods import Span, midnight

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = timedelta(days=1)
AGAIN = timedelta(days=15)
"""What has not come, or not ended, within two weeks never will: one of them may lack an hour."""


@dataclass(frozen=True, slots=True)
class Days:
    """Whole local days, the first and the last included."""

    first: date
    last: date
    zone: ZoneInfo

    @property
    def begins(self) -> datetime:
        """When the first day begins."""
        return midnight(self.first, self.zone)

    @property
    def over_at(self) -> datetime:
        """When the last day ends."""
        return midnight(self.last + _DAY, self.zone)

    def in_force(self, now: datetime) -> bool:
        """Whether it is one of these days."""
        return self.begins <= now < self.over_at

    def free_at(self, now: datetime) -> datetime:
        """The first instant from `now` on that is on none of these days."""
        return self.over_at if self.in_force(now) else now

    def begins_at(self, now: datetime) -> datetime | None:
        """The first instant from `now` on that is on one of these days; None where they are over."""
        return max(now, self.begins) if now < self.over_at else None


@dataclass(frozen=True, slots=True)
class Weekly:
    """The same hours on the same weekdays, week after week, by the clocks of a zone."""

    days: frozenset[int]
    """Those on which it begins, 0 for Monday."""
    begins: timedelta
    """By the clock of such a day, as time since midnight."""
    ends: timedelta
    """Likewise; of the day after where it is not later than `begins`."""
    zone: ZoneInfo

    def __str__(self) -> str:
        """`sat-sun 00:00-24:00`."""
        return f"{_named(self.days)} {clock(self.begins)}-{clock(self.ends)}"

    @property
    def over_at(self) -> None:
        """It comes again for ever."""
        return None

    def in_force(self, now: datetime) -> bool:
        """Whether it is one of these hours."""
        return self._ends_at(now) is not None

    def free_at(self, now: datetime) -> datetime | None:
        """The first instant from `now` on that is in none of these hours; None where there is none."""
        at = now
        while (ends_at := self._ends_at(at)) is not None:
            at = ends_at
            if at - now > AGAIN:
                return None
        return at

    def begins_at(self, now: datetime) -> datetime | None:
        """The first instant from `now` on that is in one of these hours."""
        spans = self._spans(now, AGAIN.days)
        return min((max(now, span.start_at) for span in spans if now < span.end_at), default=None)

    def _ends_at(self, now: datetime) -> datetime | None:
        """The end of the hours that it is in; None where it is in none."""
        return max((span.end_at for span in self._spans(now, 1) if span.start_at <= now < span.end_at), default=None)

    def _spans(self, now: datetime, ahead: int) -> Iterator[Span]:
        """Those that begin from the local day before `now` to so many days after it."""
        today = now.astimezone(self.zone).date()
        until = self.ends + (_DAY if self.ends <= self.begins else timedelta())
        for day in (today + timedelta(days=count) for count in range(-1, ahead + 1)):
            if day.weekday() in self.days:
                span = Span(_reached(day, self.begins, self.zone), _reached(day, until, self.zone))
                if span.start_at < span.end_at:  # else clocks jump over the whole of it
                    yield span


def _reached(day: date, since_midnight: timedelta, zone: ZoneInfo) -> datetime:
    """When the clock first shows a time, or a later one where it jumps over that."""
    wall = datetime.combine(day, time(), zone) + since_midnight
    at, earlier = wall.astimezone(UTC), wall.replace(fold=1).astimezone(UTC)
    # Of a time that never comes the second reading lies before the jump, of one that comes twice after the first.
    seconds = range(max(0, int((at - earlier).total_seconds())))
    offset = wall.utcoffset()
    jump = bisect_left(seconds, 1, key=lambda after: _local(earlier, after, zone).utcoffset() != offset)
    return earlier + timedelta(seconds=jump) if seconds else at


def _local(at: datetime, seconds: int, zone: ZoneInfo) -> datetime:
    return (at + timedelta(seconds=seconds)).astimezone(zone)


def _named(days: frozenset[int]) -> str:
    """`mon-fri`, `mon, wed`."""
    firsts = [day for day in sorted(days) if day - 1 not in days]
    lasts = [day for day in sorted(days) if day + 1 not in days]
    runs = ((WEEKDAYS[first], WEEKDAYS[last]) for first, last in zip(firsts, lasts, strict=True))
    return ", ".join(first if first == last else f"{first}-{last}" for first, last in runs)


def clock(since_midnight: timedelta) -> str:
    """`06:30`."""
    hours, minutes = divmod(int(since_midnight.total_seconds()) // 60, 60)
    return f"{hours:02}:{minutes:02}"
