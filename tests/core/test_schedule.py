"""Days and hours of a calendar, in zones whose clocks jump: against a look at the clock every quarter of an hour."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usage_watch.core.schedule import Days, Weekly

STEP, DAY = timedelta(minutes=15), timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")
JUMPS = {
    "UTC": datetime(2026, 11, 4, tzinfo=UTC),
    "Europe/Berlin": datetime(2026, 3, 29, tzinfo=UTC),
    "America/New_York": datetime(2026, 11, 1, tzinfo=UTC),
    "Australia/Lord_Howe": datetime(2026, 10, 3, tzinfo=UTC),  # by half an hour
    "America/Santiago": datetime(2026, 9, 6, tzinfo=UTC),  # over midnight
    "America/Havana": datetime(2026, 11, 1, tzinfo=UTC),  # midnight comes twice
    "Pacific/Apia": datetime(2011, 12, 30, tzinfo=UTC),  # over a whole day
}
NAMES = st.sampled_from(sorted(JUMPS))
MINUTES = st.integers(0, 95).map(lambda count: count * STEP)


def weekly(days: str, begins: float, ends: float, zone: ZoneInfo = BERLIN) -> Weekly:
    """`days` of Monday to Sunday, as `.....xx`."""
    chosen = frozenset(index for index, mark in enumerate(days) if mark == "x")
    return Weekly(chosen, timedelta(hours=begins), timedelta(hours=ends), zone)


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


# ---- hours of a week -------------------------------------------------------------------------------------------------

WEEKEND = weekly(".....xx", 0, 24)
NIGHTS = weekly("xxxxx..", 22, 6)


@pytest.mark.parametrize(
    ("when", "now", "free_at"),
    [
        (WEEKEND, "2026-11-20T23:59", None),
        (WEEKEND, "2026-11-21T00:00", "2026-11-23T00:00"),  # Saturday and Sunday are one
        (WEEKEND, "2026-11-22T23:59", "2026-11-23T00:00"),
        (WEEKEND, "2026-11-23T00:00", None),
        (NIGHTS, "2026-11-23T05:00", None),  # Monday: it begins in the evening
        (NIGHTS, "2026-11-23T22:00", "2026-11-24T06:00"),
        (NIGHTS, "2026-11-24T05:59", "2026-11-24T06:00"),
        (NIGHTS, "2026-11-28T05:00", "2026-11-28T06:00"),  # Saturday: what began on Friday
        (NIGHTS, "2026-11-28T22:00", None),
        (weekly("x......", 9.5, 9.75), "2026-11-23T09:30", "2026-11-23T09:45"),
        (weekly("xxxxxxx", 22, 22), "2026-11-23T21:00", "never"),
        (weekly("xxxxxxx", 0, 24), "2026-11-23T21:00", "never"),
        (weekly("xxxxxx.", 0, 24), "2026-11-23T21:00", "2026-11-29T00:00"),
    ],
)
def test_it_is_in_force_until_the_last_of_a_chain_ends(when: Weekly, now: str, free_at: str | None) -> None:
    at = berlin(now)
    assert when.in_force(at) is (free_at is not None)
    assert when.free_at(at) == (None if free_at == "never" else berlin(free_at or now))


@pytest.mark.parametrize(
    ("when", "now", "begins_at"),
    [
        (WEEKEND, "2026-11-20T12:00", "2026-11-21T00:00"),
        (WEEKEND, "2026-11-22T12:00", "2026-11-22T12:00"),
        (WEEKEND, "2026-11-23T00:00", "2026-11-28T00:00"),
        (NIGHTS, "2026-11-28T06:00", "2026-11-30T22:00"),
        (weekly("......x", 2, 3), "2026-03-23T00:00", "2026-04-05T02:00"),  # the hour that 29 March lacks
    ],
)
def test_when_it_begins_next(when: Weekly, now: str, begins_at: str) -> None:
    assert when.begins_at(berlin(now)) == berlin(begins_at)


def test_an_hour_that_a_day_lacks_is_left_out_and_one_that_comes_twice_is_whole() -> None:
    hour = weekly("......x", 2, 3)
    assert not any(hour.in_force(at) for at in steps(datetime(2026, 3, 29, tzinfo=UTC), DAY))
    found = [at for at in steps(datetime(2026, 10, 25, tzinfo=UTC), DAY) if hour.in_force(at)]
    assert (found[0], found[-1] + STEP) == (datetime(2026, 10, 25, tzinfo=UTC), datetime(2026, 10, 25, 2, tzinfo=UTC))


def test_what_begins_in_an_hour_that_a_day_lacks_begins_with_the_jump() -> None:
    half = weekly("......x", 2.5, 4)
    found = [at for at in steps(datetime(2026, 3, 29, tzinfo=UTC), DAY) if half.in_force(at)]
    assert (found[0], found[-1] + STEP) == (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 3, 29, 2, tzinfo=UTC))


@given(NAMES, st.frozensets(st.integers(0, 6), min_size=1), MINUTES, MINUTES, st.integers(-200, 300))
@settings(max_examples=150, deadline=None)
def test_it_is_what_the_clock_shows(
    name: str, days: frozenset[int], begins: timedelta, ends: timedelta, n: int
) -> None:
    zone, now = ZoneInfo(name), JUMPS[name] + n * STEP
    when = Weekly(days, begins, ends or DAY, zone)
    until = when.ends + (DAY if when.ends <= begins else timedelta())
    today = now.astimezone(zone).date()
    spans = [
        (shown(day, begins, zone), shown(day, until, zone))
        for day in (today + count * DAY for count in (-2, -1, 0, 1, 2))
        if day.weekday() in days
    ]
    assert when.in_force(now) is any(start <= now < end for start, end in spans)


@given(NAMES, st.frozensets(st.integers(0, 6), min_size=1), MINUTES, MINUTES, st.integers(-200, 300))
@settings(max_examples=60, deadline=None)
def test_its_next_end_and_its_next_start_are_the_first(
    name: str, days: frozenset[int], begins: timedelta, ends: timedelta, n: int
) -> None:
    now = JUMPS[name] + n * STEP
    when = Weekly(days, begins, ends or DAY, ZoneInfo(name))
    free_at, begins_at = when.free_at(now), when.begins_at(now)
    assert free_at is None or not when.in_force(free_at)
    assert all(when.in_force(at) for at in steps(now, min(free_at or now + DAY, now + DAY) - now))
    assert begins_at is not None
    assert when.in_force(begins_at)
    assert not any(when.in_force(at) for at in steps(now, min(begins_at, now + DAY) - now))


def shown(day: date, since_midnight: timedelta, zone: ZoneInfo) -> datetime:
    """The first quarter of an hour at which the clock shows this or more."""
    wall = datetime.combine(day, time()) + since_midnight
    first = wall.replace(tzinfo=UTC) - timedelta(hours=15)
    return next(at for at in steps(first, 3 * DAY) if at.astimezone(zone).replace(tzinfo=None) >= wall)


def steps(since: datetime, lasts: timedelta) -> Iterator[datetime]:
    return (since + count * STEP for count in range(-(-lasts // STEP)))


@pytest.mark.parametrize(
    ("when", "said"),
    [
        (WEEKEND, "sat-sun 00:00-24:00"),
        (NIGHTS, "mon-fri 22:00-06:00"),
        (weekly("x.x...x", 9.5, 10), "mon, wed, sun 09:30-10:00"),
        (weekly("xx..xx.", 0, 0.25), "mon-tue, fri-sat 00:00-00:15"),
    ],
)
def test_it_is_named_by_its_days_and_hours(when: Weekly, said: str) -> None:
    assert str(when) == said
    assert when.over_at is None


# ---- days ------------------------------------------------------------------------------------------------------------


def test_days_are_local_and_the_last_one_is_included() -> None:
    when = Days(date(2026, 3, 28), date(2026, 3, 29), BERLIN)
    first, over = datetime(2026, 3, 27, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC)
    second = timedelta(seconds=1)
    assert [when.in_force(at) for at in (first - second, first, over - second, over)] == [False, True, True, False]
    assert [when.free_at(at) for at in (first - second, first, over)] == [first - second, over, over]
    assert [when.begins_at(at) for at in (first - DAY, first + DAY, over)] == [first, first + DAY, None]
    assert when.over_at == over


@given(NAMES, st.integers(-3, 3), st.integers(0, 3), st.integers(-400, 400))
@settings(max_examples=100, deadline=None)
def test_a_day_is_in_force_while_the_calendar_shows_it(name: str, first: int, more: int, n: int) -> None:
    zone, now = ZoneInfo(name), JUMPS[name] + n * STEP
    begin = JUMPS[name].date() + first * DAY
    when = Days(begin, begin + more * DAY, zone)
    today, hour_later = now.astimezone(zone).date(), (now + timedelta(hours=1)).astimezone(zone).date()
    if today == hour_later:  # where midnight comes twice the day begins with the first
        assert when.in_force(now) is (when.first <= today <= when.last)
