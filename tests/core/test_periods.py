from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from usage_watch.core.periods import Calendar, Every, Fixed, Periods, Span, between, midnight, upcoming

BERLIN = ZoneInfo("Europe/Berlin")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local_days(span: Span | None, zone: ZoneInfo = BERLIN) -> tuple[str, str] | None:
    if span is None:
        return None
    first, last = (each.astimezone(zone).date().isoformat() for each in (span.start_at, span.end_at))
    return first, last


# ---- which days ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("every", "starts_on", "today", "first", "after"),
    [
        (Every.DAY, 1, "2026-11-26", "2026-11-26", "2026-11-27"),
        (Every.WEEK, 1, "2026-11-23", "2026-11-23", "2026-11-30"),  # a Monday
        (Every.WEEK, 1, "2026-11-29", "2026-11-23", "2026-11-30"),
        (Every.WEEK, 1, "2027-01-01", "2026-12-28", "2027-01-04"),
        (Every.MONTH, 1, "2026-12-31", "2026-12-01", "2027-01-01"),
        (Every.MONTH, 14, "2026-11-13", "2026-10-14", "2026-11-14"),
        (Every.MONTH, 14, "2026-11-14", "2026-11-14", "2026-12-14"),
        (Every.MONTH, 14, "2027-01-05", "2026-12-14", "2027-01-14"),
        # 29 to 31 clamp to the month's end, and un-clamp.
        (Every.MONTH, 29, "2026-02-27", "2026-01-29", "2026-02-28"),
        (Every.MONTH, 29, "2026-02-28", "2026-02-28", "2026-03-29"),
        (Every.MONTH, 29, "2028-02-28", "2028-01-29", "2028-02-29"),
        (Every.MONTH, 29, "2028-02-29", "2028-02-29", "2028-03-29"),
        (Every.MONTH, 30, "2026-03-15", "2026-02-28", "2026-03-30"),
        (Every.MONTH, 30, "2028-02-29", "2028-02-29", "2028-03-30"),
        (Every.MONTH, 31, "2026-02-28", "2026-02-28", "2026-03-31"),
        (Every.MONTH, 31, "2026-03-30", "2026-02-28", "2026-03-31"),
        (Every.MONTH, 31, "2026-04-30", "2026-04-30", "2026-05-31"),
        (Every.MONTH, 31, "2026-12-31", "2026-12-31", "2027-01-31"),
        (Every.QUARTER, 1, "2026-11-26", "2026-10-01", "2027-01-01"),
        (Every.QUARTER, 1, "2026-03-31", "2026-01-01", "2026-04-01"),
        (Every.QUARTER, 15, "2026-04-14", "2026-01-15", "2026-04-15"),
        (Every.QUARTER, 15, "2026-01-14", "2025-10-15", "2026-01-15"),
        (Every.QUARTER, 31, "2026-04-30", "2026-04-30", "2026-07-31"),
        (Every.YEAR, 1, "2026-11-26", "2026-01-01", "2027-01-01"),
        (Every.YEAR, 14, "2026-01-13", "2025-01-14", "2026-01-14"),
    ],
)
def test_a_period_begins_on_its_day(every: Every, starts_on: int, today: str, first: str, after: str) -> None:
    periods = Calendar(every, BERLIN, starts_on)
    noon = datetime.fromisoformat(f"{today}T12:00").replace(tzinfo=BERLIN)
    assert local_days(periods.containing(noon)) == (first, after)


@pytest.mark.parametrize(
    ("today", "days"),
    [
        ("2026-10-31", None),
        ("2026-11-01", ("2026-11-01", "2026-12-01")),
        ("2026-11-30", ("2026-11-01", "2026-12-01")),
        ("2026-12-01", ("2026-12-01", "2026-12-31")),
        ("2027-11-05", ("2027-10-27", "2027-11-26")),
    ],
)
def test_fixed_periods_count_whole_days_from_their_first(today: str, days: tuple[str, str] | None) -> None:
    periods = Fixed(30, BERLIN, date(2026, 11, 1))
    noon = datetime.fromisoformat(f"{today}T12:00").replace(tzinfo=BERLIN)
    assert local_days(periods.containing(noon)) == days


# ---- which instants --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "day", "expected"),
    [
        ("UTC", "2026-03-29", "2026-03-29T00:00"),
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00"),  # clocks go forward in the night of this day
        ("Europe/Berlin", "2026-03-30", "2026-03-29T22:00"),
        ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00"),
        ("Europe/Berlin", "2026-10-26", "2026-10-25T23:00"),
        ("America/New_York", "2026-03-08", "2026-03-08T05:00"),
        ("America/New_York", "2026-03-09", "2026-03-09T04:00"),
        ("America/New_York", "2026-11-02", "2026-11-02T05:00"),
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00"),  # clocks move by half an hour
        ("Australia/Lord_Howe", "2026-04-06", "2026-04-05T13:30"),
        ("Asia/Kolkata", "2026-11-14", "2026-11-13T18:30"),
        # Midnights that do not exist: the day begins at the jump.
        ("America/Santiago", "2026-09-06", "2026-09-06T04:00"),
        ("Asia/Beirut", "2026-03-29", "2026-03-28T22:00"),
        ("America/Havana", "2026-03-08", "2026-03-08T05:00"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00"),  # the day that Samoa skipped has no length
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00"),
        # Midnights that come twice: the first one.
        ("America/Havana", "2026-11-01", "2026-11-01T04:00"),
        ("America/Santiago", "2026-04-05", "2026-04-05T04:00"),  # only 23:00 of the day before came twice
        ("Atlantic/Azores", "2026-10-25", "2026-10-25T00:00"),
    ],
)
def test_a_local_day_begins_at_its_first_instant(zone: str, day: str, expected: str) -> None:
    begins = midnight(date.fromisoformat(day), ZoneInfo(zone))
    assert begins == utc(expected)
    assert begins.tzinfo is UTC


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("Australia/Lord_Howe", "2026-10-04", 23.5),
        ("America/Santiago", "2026-09-06", 23),
        ("America/Havana", "2026-11-01", 25),
        ("Asia/Kolkata", "2026-10-25", 24),
        ("Pacific/Apia", "2011-12-29", 24),
    ],
)
def test_days_are_as_long_as_they_are(zone: str, day: str, hours: float) -> None:
    begins = midnight(date.fromisoformat(day), ZoneInfo(zone))
    span = Calendar(Every.DAY, ZoneInfo(zone)).containing(begins)
    assert span == Span(begins, begins + timedelta(hours=hours))


def test_the_last_instant_of_a_period_is_its_own_and_its_end_the_next_ones() -> None:
    cycle = Calendar(Every.MONTH, BERLIN, 14)
    span = cycle.containing(utc("2026-11-20T00:00"))
    assert cycle.containing(span.end_at - timedelta(microseconds=1)) == span
    assert cycle.containing(span.end_at).start_at == span.end_at


# ---- several periods -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since", "until", "firsts"),
    [
        ("2026-11-20T00:00", "2026-11-20T00:00", ["2026-11-14"]),
        ("2026-10-20T00:00", "2026-11-13T23:00", ["2026-10-14"]),
        ("2026-10-20T00:00", "2026-11-13T23:01", ["2026-10-14", "2026-11-14"]),
        ("2026-11-13T23:00", "2027-01-20T00:00", ["2026-11-14", "2026-12-14", "2027-01-14"]),
        ("2026-11-20T00:00", "2026-10-01T00:00", []),
    ],
)
def test_between_are_the_periods_that_overlap(since: str, until: str, firsts: list[str]) -> None:
    spans = between(Calendar(Every.MONTH, BERLIN, 14), utc(since), utc(until))
    assert [span.start_at.astimezone(BERLIN).date().isoformat() for span in spans] == firsts


@pytest.mark.parametrize(
    ("since", "until", "firsts"),
    [
        ("2026-10-01T00:00", "2026-10-20T00:00", []),
        ("2026-10-01T00:00", "2026-12-20T00:00", ["2026-11-01", "2026-12-01"]),
        ("2026-11-10T00:00", "2026-12-20T00:00", ["2026-11-01", "2026-12-01"]),
    ],
)
def test_between_begins_with_the_first_fixed_period(since: str, until: str, firsts: list[str]) -> None:
    spans = between(Fixed(30, BERLIN, date(2026, 11, 1)), utc(since), utc(until))
    assert [span.start_at.astimezone(BERLIN).date().isoformat() for span in spans] == firsts


@pytest.mark.parametrize(
    ("periods", "firsts"),
    [
        (Calendar(Every.MONTH, BERLIN, 14), ["2026-12-14", "2027-01-14", "2027-02-14"]),
        (Fixed(30, BERLIN, date(2026, 11, 1)), ["2026-12-01", "2026-12-31", "2027-01-30"]),
        (Fixed(30, BERLIN, date(2027, 11, 1)), ["2027-11-01", "2027-12-01", "2027-12-31"]),
    ],
)
def test_upcoming_are_the_next_starts(periods: Periods, firsts: list[str]) -> None:
    starts = upcoming(periods, utc("2026-11-20T00:00"), 3)
    assert [start.astimezone(BERLIN).date().isoformat() for start in starts] == firsts
    assert upcoming(periods, utc("2026-11-20T00:00"), 1) == starts[:1]


# ---- always ----------------------------------------------------------------------------------------------------------

ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Asia/Kolkata",
        "America/Santiago",
        "Asia/Beirut",
        "America/Havana",
        "Africa/Cairo",
        "America/Nuuk",
        "Atlantic/Azores",
        "Pacific/Apia",
    ]
).map(ZoneInfo)
INSTANTS = st.integers(int(utc("2011-06-01").timestamp()), int(utc("2036-01-01").timestamp())).map(
    lambda seconds: datetime.fromtimestamp(seconds, UTC)
)
PERIODS = st.one_of(
    st.builds(Calendar, st.sampled_from(Every), ZONES, st.integers(1, 31)),
    st.builds(Fixed, st.integers(1, 40), ZONES, st.dates(date(2012, 1, 1), date(2030, 1, 1))),
)


@given(PERIODS, INSTANTS)
@example(Calendar(Every.DAY, ZoneInfo("Pacific/Apia")), utc("2011-12-29T12:00"))
@settings(max_examples=400, deadline=None)
def test_periods_tile_time(periods: Periods, instant: datetime) -> None:
    span = periods.containing(instant)
    if span is None:
        assert isinstance(periods, Fixed)
        assert instant < periods.first.start_at
        return
    assert span.start_at <= instant < span.end_at
    assert periods.containing(span.start_at) == span
    following = periods.containing(span.end_at)
    assert following is not None
    assert following.start_at == span.end_at
    before = periods.containing(span.start_at - timedelta(microseconds=1))
    assert before.end_at == span.start_at if before else span == periods.first  # type: ignore[union-attr]


@given(PERIODS, INSTANTS, st.timedeltas(timedelta(0), timedelta(days=120)))
@settings(max_examples=150, deadline=None)
def test_between_covers_without_gap_or_overlap(periods: Periods, since: datetime, length: timedelta) -> None:
    until = since + length
    spans = between(periods, since, until)
    for one, following in pairwise(spans):
        assert one.end_at == following.start_at
    if spans:
        assert spans[0].end_at > since
        assert spans[-1].start_at < until <= spans[-1].end_at
        assert spans[0].start_at <= since or spans[0] == periods.first  # type: ignore[union-attr]
    else:
        assert length == timedelta(0) or isinstance(periods, Fixed)


@given(PERIODS, INSTANTS, st.integers(1, 5))
@settings(max_examples=150, deadline=None)
def test_upcoming_starts_ascend_and_are_starts(periods: Periods, now: datetime, count: int) -> None:
    starts = upcoming(periods, now, count)
    assert len(starts) == count
    assert starts == sorted(set(starts))
    assert starts[0] > now
    for start in starts:
        span = periods.containing(start)
        assert span is not None
        assert span.start_at == start
