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
    reread,
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
    return FeedState(feed, **known)


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


def test_what_a_broken_off_backfill_left_is_read_from_where_it_broke_off() -> None:
    of = read_up(oldest_at=THIS_HOUR - days(60))
    left = (THIS_HOUR - days(45), THIS_HOUR - days(30))
    assert wanted(of, NOW, EVERY, NOW - days(60), [left]) == [left, (THIS_HOUR - hours(48), THIS_HOUR)]
    shorter = wanted(of, NOW, EVERY, NOW - days(40), [left])
    assert shorter == [(THIS_HOUR - days(40), left[1]), (THIS_HOUR - hours(48), THIS_HOUR)]
    assert wanted(of, NOW, EVERY, NOW - days(20), [left]) == [(THIS_HOUR - hours(48), THIS_HOUR)]


@pytest.mark.parametrize("oldest", [hours(1), hours(20), hours(47)])
def test_the_trail_does_not_reach_back_behind_what_was_ever_to_be_read(oldest: timedelta) -> None:
    of = read_up(oldest_at=THIS_HOUR - oldest, frontier_at=None)
    assert ask(of, back=days(1)) == [(THIS_HOUR - max(oldest, hours(24)), THIS_HOUR)]


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
        # The clock was set back after a failure: by a day, by hours, and by as little as it is nudged now and then.
        (read_up(polled_at=NOW + days(1), retry_at=NOW + days(1) + minutes(15), failures=5), NOW),
        (read_up(polled_at=NOW + hours(3), retry_at=NOW + hours(3) + minutes(15), failures=5), NOW),
        (read_up(polled_at=NOW + minutes(0.5), retry_at=NOW + minutes(5), failures=3), NOW + minutes(5)),
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


WAITS = {
    Fault.UNREACHABLE: [1, 2, 4, 8, 15, 15],
    Fault.SERVER: [1, 2, 4, 8, 15, 15],
    Fault.BROKEN: [1, 2, 4, 8, 15, 15],
    Fault.DRIFT: [1, 2, 4, 8, 15, 15],
    Fault.THROTTLED: [1, 2, 4, 8, 15, 15],
    Fault.UNAUTHORIZED: [1, 15, 15],
    Fault.FEATURE_DISABLED: [1, 60, 60],
    Fault.REFUSED: [60, 60],
    Fault.BAD_REQUEST: [60, 60],
    Fault.MEMBER_GONE: [60, 60],
}
"""Minutes after the first failure in a row, the second, and so on."""


@pytest.mark.parametrize("fault", Fault)
def test_how_long_each_fault_waits(fault: Fault) -> None:
    waits = WAITS[fault]
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
    first = min(now - days(back), of.oldest_at or end)
    needed &= set(grid(first, end, width))
    assert {start for start in needed if start < end.timestamp()} <= got
    assert all(start < end.timestamp() for start in got)
    assert min(got, default=end.timestamp()) >= min(grid(first, end, width), default=end.timestamp())
    if of.oldest_at is not None and of.oldest_at < end - timedelta(days=3):
        assert got == needed


def test_a_poll_may_come_a_little_early_for_cron_starts_on_the_minute() -> None:
    assert ask(read_up(polled_at=NOW - EVERY + timedelta(seconds=1)), NOW)
    assert not ask(read_up(polled_at=NOW - EVERY + minutes(2)), NOW)


# ---- read again: late revisions -------------------------------------------------------------------------------------


def again(of: FeedState, now: datetime, keep_from: datetime | None = None, trail: datetime = NOW) -> list[Window]:
    """The spans that hold anything."""
    found = reread(of, now, keep_from or now - days(200), trail)
    return [(start, end) for start, end in found if start < end]


def test_each_hour_that_went_by_reads_3_days_and_18_hours_of_the_90_days_again() -> None:
    of = read_up(read_at=TODAY + hours(11.9))
    slices = [(TODAY - days(90) + hours(90) * i, TODAY - days(90) + hours(90) * (i + 1)) for i in range(24)]
    assert again(of, TODAY + hours(12.1)) == slices[11:12]
    assert again(of, TODAY + hours(14.1)) == [(slices[11][0], slices[13][1])]
    assert again(of, TODAY + hours(11.99)) == []
    assert requests([slices[11]], HOUR) == 1


def test_over_midnight_the_rest_of_yesterdays_90_days_is_read_with_the_first_of_todays() -> None:
    of = read_up(read_at=TODAY - hours(1.5))
    assert again(of, TODAY + hours(1.5)) == [
        (TODAY - days(1) - hours(180), TODAY - days(1)),
        (TODAY - days(90), TODAY - days(90) + hours(90)),
    ]


def test_after_a_long_outage_no_day_but_yesterday_and_today_is_made_up_for() -> None:
    of = read_up(read_at=TODAY - days(30), oldest_at=TODAY - days(200))
    assert again(of, TODAY + hours(1)) == [
        (TODAY - days(91), TODAY - days(1)),
        (TODAY - days(90), TODAY - days(90) + hours(90)),
    ]


def test_what_is_read_again_was_read_before_is_kept_and_lies_before_the_trail() -> None:
    early = TODAY + hours(3)
    of = read_up(read_at=TODAY, oldest_at=TODAY - days(85))
    assert again(of, early) == [(TODAY - days(85), TODAY - days(78.75))]
    assert again(of, early, TODAY - days(80)) == [(TODAY - days(80), TODAY - days(78.75))]
    assert again(of, early, TODAY - days(20)) == []
    assert again(of, early, trail=TODAY - days(82)) == [(TODAY - days(85), TODAY - days(82))]


@pytest.mark.parametrize(
    "of",
    [state(), state(read_at=NOW - days(1)), read_up(read_at=None), read_up(read_at=NOW + hours(2))],
    ids=["never asked", "nothing stored", "never read up", "clock set back"],
)
def test_nothing_is_read_again_that_was_never_read_up_or_under_a_clock_set_back(of: FeedState) -> None:
    assert again(of, NOW) == []


def test_what_is_read_again_is_a_window_apart_unless_it_touches_the_trail() -> None:
    part = (TODAY - days(90) + hours(90) * 11, TODAY - days(90) + hours(90) * 12)
    of = read_up(read_at=NOW - hours(1), oldest_at=THIS_HOUR - days(200))
    assert ask(of, back=days(200)) == [part, (THIS_HOUR - hours(48), THIS_HOUR)]
    assert ask(replace(of, frontier_at=part[1]), back=days(200)) == [(part[0], THIS_HOUR)]


POLLS = st.lists(st.tuples(st.integers(60, 30 * HOUR), st.sampled_from([True, True, True, False])), max_size=60)
"""Seconds until the next poll, and whether it works."""


@pytest.mark.parametrize("feed", [HOURS, DAYS, MEMBERS], ids=str)
@given(st.integers(0, DAY), POLLS, st.integers(20, 200))
def test_every_day_reads_all_of_the_90_days_once_whatever_fails(
    feed: Feed, first: int, polls: list[tuple[int, bool]], oldest: int
) -> None:
    now = begun = TODAY + timedelta(seconds=first)
    of = read_up(feed, polled_at=now, read_at=now, oldest_at=TODAY - days(oldest))
    read: dict[datetime, list[int]] = {}
    closed: set[datetime] = set()
    for seconds, works in polls:
        now += timedelta(seconds=seconds)
        midnight = now.replace(hour=0, minute=0, second=0)
        asked = wanted(replace(of, polled_at=None), now, EVERY, TODAY - days(oldest))
        check(asked, feed.width)
        spans = list(reread(of, now, TODAY - days(oldest), now))
        assert set(covered(spans, feed.width)) <= set(covered(asked, feed.width))
        if works:
            for day, span in zip((midnight - days(1), midnight), spans, strict=True):
                read.setdefault(day, []).extend(covered([span], feed.width))
            closed.add(midnight - days(1))
            of = replace(of, read_at=now)
    for day in closed:
        if day >= begun:
            assert read[day] == grid(max(day - days(90), TODAY - days(oldest)), day, feed.width)


@pytest.mark.parametrize(
    ("feed", "every", "most"),
    [
        (HOURS, EVERY, 96 + 24),
        (HOURS, minutes(5), 288 + 24),
        (HOURS, hours(1), 24 + 24),
        (DAYS, EVERY, 96 + 24),
    ],
)
def test_reading_all_again_costs_a_request_an_hour(feed: Feed, every: timedelta, most: int) -> None:
    now = NOW
    of = read_up(feed, polled_at=now, read_at=now, oldest_at=TODAY - days(400))
    cost = []
    while now < NOW + days(1):
        now += every
        frontier = now - hours(8) if feed.width == HOUR else now - days(1)
        asked = wanted(replace(of, frontier_at=frontier), now, every, now - days(400))
        cost.append(requests(asked, feed.width))
        of = replace(of, polled_at=now, read_at=now)
    assert sum(cost) <= most
    assert max(cost) == 2
