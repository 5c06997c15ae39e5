from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from usage_watch.core.feedstate import FeedState
from usage_watch.core.series import DAY, EACH_MEMBER, HOUR, Feed, Width
from usage_watch.source.errors import Fault
from usage_watch.source.sync import (
    WINDOW,
    Window,
    due_at,
    next_due,
    poll_every_of,
    requests_per_poll,
    retry_after,
    wanted,
    windows,
)
from usage_watch.source.wire import BUCKETS_A_PAGE

NOW = datetime(2026, 11, 22, 12, 34, 56, tzinfo=UTC)
THIS_HOUR = datetime(2026, 11, 22, 12, tzinfo=UTC)
TODAY = datetime(2026, 11, 22, tzinfo=UTC)
EVERY = timedelta(minutes=15)
HOURS = Feed("credit_usage", HOUR)
DAYS = Feed("credit_usage", DAY)
MEMBERS = Feed("credit_usage", DAY, EACH_MEMBER)


def days(number: float) -> timedelta:
    return timedelta(days=number)


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def state(feed: Feed = HOURS, **known: Any) -> FeedState:
    blank = FeedState(feed, None, None, None, None, 0, None)
    return replace(blank, **known)


def read_up(feed: Feed = HOURS, **known: Any) -> FeedState:
    """A feed that was read 90 days back, an hour ago, and is settled up to 8 hours ago."""
    frontier = THIS_HOUR - hours(8) if feed.width == HOUR else TODAY - days(1)
    seen = {"oldest_at": TODAY - days(90), "frontier_at": frontier, "polled_at": NOW - hours(1)}
    return state(feed, **{**seen, **known})


def ask(of: FeedState, now: datetime = NOW, every: timedelta = EVERY, back: timedelta = WINDOW) -> list[Window]:
    return wanted(of, now, every, now - back)


def requests(asked: list[Window], width: Width) -> int:
    return sum(-(-(end - start) // timedelta(seconds=width) // BUCKETS_A_PAGE[width]) for start, end in asked)


def test_the_first_poll_reads_the_backfill_up_to_the_last_complete_bucket() -> None:
    assert ask(state()) == [(THIS_HOUR - days(90), THIS_HOUR)]
    assert ask(state(DAYS)) == [(TODAY - days(90), TODAY)]
    assert requests(ask(state()), HOUR) == 13
    assert requests(ask(state(DAYS)), DAY) == 3


def test_a_longer_backfill_is_cut_into_windows_of_90_days() -> None:
    asked = ask(state(DAYS), back=days(365))
    assert [end - start for start, end in asked] == [days(90)] * 4 + [days(5)]


@pytest.mark.parametrize("feed", [HOURS, DAYS], ids=str)
def test_a_steady_poll_is_exactly_one_request(feed: Feed) -> None:
    assert requests(ask(read_up(feed)), feed.width) == requests_per_poll(feed, 500) == 1


def test_a_poll_reads_48_hours_or_3_whole_days_again() -> None:
    assert ask(read_up()) == [(THIS_HOUR - hours(48), THIS_HOUR)]
    assert ask(read_up(DAYS)) == [(TODAY - days(3), TODAY)]
    assert ask(read_up(MEMBERS)) == [(TODAY - days(3), TODAY)]


def test_a_poll_reads_from_the_frontier_where_that_lies_further_back() -> None:
    assert ask(read_up(frontier_at=THIS_HOUR - hours(60))) == [(THIS_HOUR - hours(60), THIS_HOUR)]
    assert ask(read_up(DAYS, frontier_at=TODAY - days(9))) == [(TODAY - days(9), TODAY)]


def test_after_a_long_outage_the_hole_is_read_in_windows() -> None:
    asked = ask(read_up(oldest_at=TODAY - days(400), frontier_at=THIS_HOUR - days(100)))
    assert asked == [(THIS_HOUR - days(100), THIS_HOUR - days(10)), (THIS_HOUR - days(10), THIS_HOUR)]


def test_a_feed_without_a_settled_bucket_is_read_from_its_oldest() -> None:
    oldest = THIS_HOUR - days(5)
    assert ask(read_up(oldest_at=oldest, frontier_at=None), back=days(5)) == [(oldest, THIS_HOUR)]


def test_an_enlarged_backfill_adds_what_lies_before() -> None:
    of = read_up(oldest_at=TODAY - days(30))
    assert ask(of, back=days(60)) == [
        (THIS_HOUR - days(60), TODAY - days(30)),
        (THIS_HOUR - hours(48), THIS_HOUR),
    ]


def test_an_enlarged_backfill_that_meets_the_trail_is_one_window() -> None:
    for oldest in (THIS_HOUR - hours(48), THIS_HOUR - hours(3), THIS_HOUR + hours(30)):
        assert ask(read_up(oldest_at=oldest, frontier_at=None), back=days(60)) == [(THIS_HOUR - days(60), THIS_HOUR)]


def test_a_backfill_that_was_shortened_changes_nothing() -> None:
    assert ask(read_up(), back=days(1)) == ask(read_up())


def test_a_backfill_that_begins_later_than_the_last_complete_bucket_asks_for_nothing() -> None:
    assert wanted(state(DAYS), NOW, EVERY, TODAY) == []


@pytest.mark.parametrize(
    ("of", "due"),
    [
        (state(), NOW),
        (read_up(polled_at=NOW), NOW + EVERY),
        (read_up(polled_at=NOW - EVERY), NOW),
        (read_up(MEMBERS, polled_at=NOW), NOW + hours(1)),
        (read_up(polled_at=NOW, retry_at=NOW + minutes(1), failures=1), NOW + minutes(1)),
        (state(retry_at=NOW + minutes(1), failures=1), NOW + minutes(1)),
        (read_up(polled_at=NOW - hours(1), retry_at=NOW - minutes(1), failures=1), NOW - minutes(1)),
        (read_up(polled_at=NOW + days(1)), NOW),
        (read_up(retry_at=NOW + days(1)), NOW + days(1)),
        (read_up(retry_at=NOW + days(1.1)), NOW),
    ],
)
def test_a_feed_is_due_after_its_pause_and_after_a_failure_at_its_retry(of: FeedState, due: datetime) -> None:
    assert due_at(of, NOW, EVERY) == due
    assert bool(ask(of)) == (due <= NOW)


def test_member_days_are_polled_once_an_hour_at_most() -> None:
    assert poll_every_of(MEMBERS, EVERY) == hours(1)
    assert poll_every_of(MEMBERS, hours(6)) == hours(6)
    assert poll_every_of(DAYS, EVERY) == EVERY


def test_the_next_poll_is_that_of_the_first_feed_due() -> None:
    late, soon = read_up(polled_at=NOW), read_up(DAYS, polled_at=NOW - minutes(10))
    assert next_due([late, soon], NOW, EVERY) == NOW + minutes(5)
    assert next_due([late, read_up(polled_at=NOW - days(1))], NOW, EVERY) == NOW
    assert next_due([], NOW, EVERY) == NOW + EVERY


@pytest.mark.parametrize(
    ("fault", "waits"),
    [
        (Fault.UNREACHABLE, [1, 2, 4, 8, 15, 15]),
        (Fault.SERVER, [1, 2, 4, 8, 15, 15]),
        (Fault.BROKEN, [1, 2, 4, 8, 15, 15]),
        (Fault.THROTTLED, [1, 2, 4, 8, 15, 15]),
        (Fault.UNAUTHORIZED, [1, 15, 15]),
        (Fault.FEATURE_DISABLED, [1, 60, 60]),
        (Fault.REFUSED, [60, 60]),
        (Fault.BAD_REQUEST, [60, 60]),
    ],
)
def test_how_long_each_fault_waits(fault: Fault, waits: list[int]) -> None:
    assert [retry_after(i, fault) for i in range(1, len(waits) + 1)] == [minutes(wait) for wait in waits]


def test_a_fault_that_lasts_for_years_still_waits_15_minutes() -> None:
    assert retry_after(10**6, Fault.SERVER) == minutes(15)


@pytest.mark.parametrize(("hint", "waits"), [(0, 2), (60, 2), (121, 121 / 60), (86400, 1440)])
def test_throttled_waits_at_least_as_long_as_it_says(hint: int, waits: float) -> None:
    assert retry_after(2, Fault.THROTTLED, timedelta(seconds=hint)) == minutes(waits)
    assert retry_after(2, Fault.SERVER, timedelta(seconds=hint)) == minutes(2)


@pytest.mark.parametrize(("members", "expected"), [(0, 1), (1, 1), (33, 1), (34, 2), (500, 15), (1000, 30)])
def test_member_days_cost_a_request_per_100_rows(members: int, expected: int) -> None:
    assert requests_per_poll(MEMBERS, members) == expected


TIMES = st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
WIDTHS: st.SearchStrategy[Width] = st.sampled_from([HOUR, DAY])


def check(asked: list[Window], width: Width) -> None:
    """What holds of every list of windows."""
    for start, end in asked:
        assert start < end <= start + WINDOW
        assert int(start.timestamp()) % width == int(end.timestamp()) % width == 0
        assert start.microsecond == end.microsecond == 0
    assert all(end <= start for (_, end), (start, _) in pairwise(asked))


def covered(asked: list[Window], width: Width) -> list[int]:
    """Bucket starts, in the order in which they are asked for."""
    return [at for start, end in asked for at in range(int(start.timestamp()), int(end.timestamp()), width)]


def grid(start: datetime, end: datetime, width: Width) -> list[int]:
    first, last = int(start.timestamp()), int(end.timestamp())
    return list(range(first - first % width, last - last % width, width))


@given(TIMES, TIMES, WIDTHS)
def test_windows_cover_their_span_without_gap_or_overlap(start: datetime, end: datetime, width: Width) -> None:
    found = windows(start, end, width)
    check(found, width)
    assert covered(found, width) == grid(start, end, width)
    assert len(found) <= max(0, -(-(end - start) // WINDOW)) + 1


@given(
    TIMES,
    st.sampled_from([HOURS, DAYS, MEMBERS]),
    st.integers(1, 300),
    st.none() | st.integers(-5, 4000),
    st.none() | st.integers(-5, 4000),
)
@example(NOW, HOURS, 90, 0, None)
def test_a_poll_asks_for_all_that_is_new_or_missing_and_nothing_twice(
    now: datetime, feed: Feed, back: int, oldest: int | None, frontier: int | None
) -> None:
    width = feed.width
    end = datetime.fromtimestamp(int(now.timestamp()) // width * width, UTC)
    at = {
        "oldest_at": None if oldest is None else end - timedelta(seconds=oldest * width),
        "frontier_at": None if frontier is None else end - timedelta(seconds=frontier * width),
    }
    of = state(feed, **at)
    asked = ask(of, now, back=days(back))
    check(asked, width)
    got = set(covered(asked, width))
    needed = set(grid(now - days(back), of.oldest_at or end, width))
    if of.oldest_at is not None:
        trail = hours(48) if width == HOUR else days(3)
        needed |= set(grid(min(now - trail, of.frontier_at or of.oldest_at), end, width))
    assert {start for start in needed if start < end.timestamp()} <= got
    assert all(start < end.timestamp() for start in got)
    if of.oldest_at is not None and of.oldest_at < end - timedelta(days=3):
        assert got == needed


def test_a_poll_may_come_a_little_early_for_cron_starts_on_the_minute() -> None:
    assert ask(read_up(polled_at=NOW - EVERY + timedelta(seconds=1)), NOW)
    assert not ask(read_up(polled_at=NOW - EVERY + minutes(2)), NOW)
