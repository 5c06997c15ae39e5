from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usage_watch.core.series import DAY, HOUR
from usage_watch.core.settling import (
    NEVER,
    NOTHING_LEARNED,
    Learned,
    Settling,
    Watch,
    learn,
    settle,
    stale_from,
)

POLL = HOUR // 4


@dataclass(frozen=True)
class Seen:
    """One bucket; hours from its end unless said otherwise."""

    total: int = 0
    seen: float = 1
    """When it was last polled."""
    still: float = 0
    """For how long it has not changed then."""
    polls: int = 0
    """So many polls in which it has not changed."""
    first: float = 0.1
    """When it was first polled."""
    nonzero: float | None = None
    """When it was first more than zero."""
    gap: float | None = None
    """Hours since the last poll that saw zero."""
    settled: float | None = None


def watch(buckets: Sequence[Seen], width: int = HOUR, begin: int = 0) -> Watch:
    """Buckets one after the other."""
    starts = begin + width * np.arange(len(buckets), dtype=np.int64)

    def times(hours: Callable[[Seen], float | None]) -> np.ndarray:
        ends = (starts + width).tolist()
        given = [hours(bucket) for bucket in buckets]
        found = [NEVER if h is None else end + round(h * HOUR) for end, h in zip(ends, given, strict=True)]
        return np.array(found, dtype=np.int64)

    return Watch(
        starts=starts,
        totals=np.array([bucket.total for bucket in buckets], dtype=np.int64),
        first_seen_at=times(lambda bucket: bucket.first),
        seen_at=times(lambda bucket: bucket.seen),
        nonzero_at=times(lambda bucket: bucket.nonzero),
        zero_gap=np.array([NEVER if b.gap is None else round(b.gap * HOUR) for b in buckets], dtype=np.int64),
        changed_at=times(lambda bucket: bucket.seen - bucket.still),
        unchanged_polls=np.array([bucket.polls for bucket in buckets], dtype=np.int64),
        settled_at=times(lambda bucket: bucket.settled),
    )


def flags(found: Settling) -> str:
    """`x` settled, `a` only aged, `.` neither."""
    return "".join("x" if s else "a" if a else "." for s, a in zip(found.settled, found.aged, strict=True))


# ---- what is settled -------------------------------------------------------------------------------------------------

LATER = Seen(5, seen=0.5)
"""A bucket with usage that is young itself."""


@pytest.mark.parametrize(
    ("bucket", "later", "expected"),
    [
        # A count: a later one, and it stood still for three hours and three polls.
        (Seen(5, seen=4, still=3, polls=3), [LATER], "x"),
        (Seen(5, seen=4, still=2.9, polls=3), [LATER], "."),
        (Seen(5, seen=4, still=3, polls=2), [LATER], "."),
        (Seen(5, seen=30, still=20, polls=50), [], "."),
        (Seen(5, seen=30, still=20, polls=50), [Seen(0)], "."),
        (Seen(5, seen=30, still=20, polls=50), [Seen(0), LATER], "x"),
        # Or its age, whatever it does.
        (Seen(5, seen=47.9), [], "."),
        (Seen(5, seen=48), [], "x"),
        (Seen(5, seen=48, still=0, polls=0), [LATER], "x"),
        # What is met late, after a restart say, was not watched and need not be.
        (Seen(5, first=12, seen=12), [LATER], "x"),
        (Seen(5, first=11.9, seen=14), [LATER], "."),
        (Seen(5, first=20, seen=20), [], "."),
        (Seen(0, first=20, seen=20), [LATER], "."),
        # A zero is never settled by standing still, nor by what came later.
        (Seen(0, seen=30, still=29, polls=100), [LATER], "."),
        (Seen(0, seen=35.9, still=35, polls=100), [LATER], "."),
        (Seen(0, seen=36), [LATER], "x"),
        (Seen(0, seen=36), [], "x"),
    ],
)
def test_a_count_settles_by_standing_still_and_a_zero_by_its_age(
    bucket: Seen, later: list[Seen], expected: str
) -> None:
    assert flags(settle(watch([bucket, *later]), HOUR, NOTHING_LEARNED, stale=False))[0] == expected


@pytest.mark.parametrize(
    ("buckets", "expected"),
    [
        ([], ""),
        ([Seen(0, seen=60), Seen(5, seen=60), Seen(0, seen=60), Seen(0, seen=60)], "xxaa"),
        ([Seen(0, seen=60), Seen(0, seen=60)], "aa"),  # there is no usage at all
        ([Seen(0, seen=30), Seen(5, seen=30)], ".."),
        ([Seen(5, seen=9, still=3, polls=3), LATER, Seen(0, seen=48)], "x.a"),
    ],
)
def test_while_the_sync_seems_to_stand_no_zero_at_the_end_settles(buckets: list[Seen], expected: str) -> None:
    assert flags(settle(watch(buckets), HOUR, NOTHING_LEARNED, stale=True)) == expected
    assert flags(settle(watch(buckets), HOUR, NOTHING_LEARNED, stale=False)) == expected.replace("a", "x")


def test_what_was_learned_says_how_old_a_zero_must_be_and_how_long_a_count_stands_still() -> None:
    learned = Learned(zero_age=7 * HOUR, still_for=5 * HOUR)
    buckets = [
        Seen(0, seen=6.9),
        Seen(0, seen=7),
        Seen(5, seen=9, still=4.9, polls=9),
        Seen(5, seen=9, still=5, polls=9),
    ]
    assert flags(settle(watch([*buckets, LATER]), HOUR, learned, stale=False)) == ".x.x."


def test_how_late_a_count_must_be_met_is_learned_with_the_zeros() -> None:
    buckets = [Seen(5, first=7, seen=7), Seen(5, first=6.9, seen=7), LATER]
    assert flags(settle(watch(buckets), HOUR, Learned(zero_age=7 * HOUR, zeros_from=20), stale=False)) == "x.."
    assert flags(settle(watch(buckets), HOUR, Learned(zero_age=7 * HOUR), stale=False)) == "..."


def test_an_age_counts_from_the_buckets_end_for_days_too() -> None:
    buckets = [Seen(0, seen=35), Seen(0, seen=36), Seen(5, seen=47), Seen(5, seen=48)]
    assert flags(settle(watch(buckets, DAY), DAY, NOTHING_LEARNED, stale=False)) == ".x.x"


def test_what_was_seen_young_and_never_again_stays_open() -> None:
    """Ages are taken at the last poll: a source that is out of reach settles nothing."""
    assert flags(settle(watch([Seen(0, seen=1), Seen(0, seen=300)]), HOUR, NOTHING_LEARNED, stale=False)) == ".x"


SEEN = st.builds(
    Seen,
    total=st.sampled_from([0, 0, 5]),
    seen=st.sampled_from([1, 5, 20, 36, 48]),
    still=st.sampled_from([0, 2, 3, 40]),
    polls=st.sampled_from([0, 2, 3, 9]),
)


@given(st.lists(SEEN, max_size=8), st.booleans())
@settings(max_examples=200, deadline=None)
def test_what_is_settled_is_aged_too_and_more_polls_never_unsettle(buckets: list[Seen], stale: bool) -> None:
    before = settle(watch(buckets), HOUR, NOTHING_LEARNED, stale)
    assert (before.aged >= before.settled).all()
    polled = [Seen(each.total, each.seen + 1, each.still + 1, each.polls + 1) for each in buckets]
    after = settle(watch(polled), HOUR, NOTHING_LEARNED, stale)
    assert (after.settled >= before.settled).all()
    assert (after.aged >= before.aged).all()


# ---- what is learned -------------------------------------------------------------------------------------------------

WEEKS_2 = 14 * 24
PROMPT = Seen(5, nonzero=1.5, gap=0.25)


def learned(buckets: Sequence[Seen], still_for: int = 0, width: int = HOUR) -> Learned:
    """At the end of these buckets, polled every quarter of an hour."""
    return learn(watch(buckets, width), width, POLL, len(buckets) * width, still_for)


def long(late: Sequence[Seen], usual: Seen = Seen(5, nonzero=0.1)) -> list[Seen]:
    """These, and the usual before them: two weeks and a few hours in all."""
    return [usual] * (WEEKS_2 + 8 - len(late)) + list(late)


def test_nothing_is_learned_of_nothing() -> None:
    assert learned([]) == NOTHING_LEARNED == Learned(2 * HOUR, 0, 36 * HOUR, 0, 3 * HOUR)
    assert learned([Seen(0)] * 500) == NOTHING_LEARNED


@pytest.mark.parametrize(
    ("buckets", "lag", "of"),
    [
        ([PROMPT] * 19, 2, 0),
        ([PROMPT] * 20, 1.5, 20),
        ([PROMPT] * 10 + [Seen(5, nonzero=4)] * 11, 4, 21),
        ([PROMPT] * 20 + [Seen(0)] * 30, 1.5, 20),  # zeros have no lag
        ([Seen(5, nonzero=9, first=9)] * 30, 2, 0),  # of what was read late it is not known
        ([PROMPT] * 20 + [Seen(5, nonzero=9, first=9)] * 30, 1.5, 20),
        ([Seen(5, nonzero=9)] * 21 + [PROMPT] * 31 * 24, 1.5, 720),  # what is older than 30 days
    ],
)
def test_the_usual_lag_is_the_median_of_what_was_watched(buckets: list[Seen], lag: float, of: int) -> None:
    found = learned(buckets)
    assert (found.usual_lag, found.lag_from) == (lag * HOUR, of)


@pytest.mark.parametrize(
    ("late", "age", "of"),
    [
        ([Seen(5, nonzero=9, gap=0.25)] * 20, 1.1 * 9 + 1, 20),
        ([Seen(5, nonzero=2, gap=0.25)] * 19 + [Seen(5, nonzero=11, gap=0.25)], 1.1 * 11 + 1, 20),  # the longest
        ([Seen(5, nonzero=9, gap=0.25)] * 19, 36, 0),
        ([Seen(5, nonzero=9, gap=0.5)] * 20, 1.1 * 9 + 1, 20),
        ([Seen(5, nonzero=9, gap=0.51)] * 20, 36, 0),  # between polls so far apart, who knows when it came
        ([Seen(5, nonzero=9)] * 20, 36, 0),  # never polled as zero
        ([Seen(5, nonzero=2, gap=0.25)] * 20, 6, 20),  # at least
        ([Seen(5, nonzero=45, gap=0.25, settled=40)] * 20, 48, 20),  # at most
        # Taken for final too early: that counts however rarely it was polled.
        ([Seen(5, nonzero=2, gap=0.25)] * 19 + [Seen(5, nonzero=20, gap=9, settled=12)], 1.1 * 20 + 1, 20),
        ([Seen(5, nonzero=2, gap=0.25)] * 20 + [Seen(5, nonzero=20, gap=9, settled=25)], 6, 20),
    ],
)
def test_a_zeros_age_is_learned_from_the_longest_that_turned_out_to_be_something(
    late: list[Seen], age: float, of: int
) -> None:
    found = learned(long(late))
    assert (found.zero_age, found.zeros_from) == (round(age * HOUR), of)


def stopped(hours: int, after: float) -> list[Seen]:
    """So many hours that all came together, `after` the last of them."""
    return [Seen(5, nonzero=after + hours - 1 - number, gap=0.25) for number in range(hours)]


@pytest.mark.parametrize(
    ("held_up", "age"),
    [
        (stopped(20, 0.5), 6),  # a day of standing makes no single hour late
        ([Seen(5, nonzero=9, gap=0.25), Seen(5, nonzero=0.1)], 1.1 * 9 + 1),  # late by itself
        (stopped(11, 0.5), 1.1 * 10.5 + 1),  # less than half a day is no standing
    ],
)
def test_from_a_sync_that_stood_no_zeros_age_is_learned(held_up: list[Seen], age: float) -> None:
    late = [Seen(5, nonzero=2, gap=0.25)] * 20
    assert learned(long([*late, *held_up])).zero_age == round(age * HOUR)


def test_where_all_of_a_day_always_comes_at_once_its_ages_are_learned() -> None:
    days = [hour for _ in range(20) for hour in stopped(24, 6)]
    found = learned(days)
    assert (found.usual_lag, found.zero_age) == (17.5 * HOUR, round((1.1 * 29 + 1) * HOUR))


def test_in_the_first_two_weeks_a_zeros_age_is_not_learned() -> None:
    late = [Seen(5, nonzero=9, gap=0.25)] * 30
    assert learned([*[Seen(5, nonzero=0.1)] * (WEEKS_2 - 30), *late]).zeros_from == 0
    assert learned([*[Seen(5, nonzero=0.1)] * (WEEKS_2 - 28), *late]).zeros_from == 30
    backfilled = [Seen(5, nonzero=500, first=500)] * WEEKS_2
    assert learned([*backfilled, *late]).zeros_from == 0, "what was read long after it happened was not watched"


def test_days_are_watched_like_hours() -> None:
    days = [Seen(5, nonzero=-5, first=-20)] * 15 + [Seen(5, nonzero=9, gap=0.25)] * 20
    found = learned(days, width=DAY)
    assert (found.zero_age, found.usual_lag) == (round(10.9 * HOUR), 9 * HOUR)


@pytest.mark.parametrize(("stood", "still_for"), [(0, 3), (1, 3), (2, 3), (2.5, 3.5), (10, 11), (47, 48), (60, 48)])
def test_a_count_that_was_revised_after_it_stood_still_makes_others_stand_longer(
    stood: float, still_for: float
) -> None:
    assert learned([], still_for=round(stood * HOUR)).still_for == still_for * HOUR


# ---- whether the sync stands -----------------------------------------------------------------------------------------

WEEK = 7 * 24
LAG = 2 * HOUR


def office(weeks: int, begins: int = 9, ends: int = 18, days: int = 5) -> list[int]:
    """Usage in office hours from a Monday on."""
    return [int(hour // 24 % 7 < days and begins <= hour % 24 < ends) for hour in range(weeks * WEEK)]


def stands(counts: Sequence[int], now: float, width: int = HOUR, lag: int = LAG) -> float | None:
    """Since which hour the sync seems to stand, for counts from hour 0 on; what is to come is not on the grid yet."""
    grid = width * np.arange(len(counts), dtype=np.int64)
    found = stale_from(grid, np.array(counts, dtype=np.int64), width, lag, round(now * HOUR))
    return None if found is None else found / HOUR


FRIDAY_EVENING = 4 * WEEK + 4 * 24 + 18
MONDAY = 5 * WEEK


def quiet_since(hour: int, until: float, usual: Sequence[int] | None = None) -> list[int]:
    """Four weeks as usual and more, until everything falls silent."""
    counts = list(office(6) if usual is None else usual)[: int(until)]
    return [count if index < hour else 0 for index, count in enumerate(counts)]


@pytest.mark.parametrize(
    ("until", "since"),
    [
        (FRIDAY_EVENING + 2, None),
        (FRIDAY_EVENING + 30, None),  # Saturday
        (MONDAY + 9, None),
        (MONDAY + 9 + 12, None),  # the first hour of Monday ended less than 12 h ago
        (MONDAY + 10 + 12, FRIDAY_EVENING),
        (MONDAY + 40, FRIDAY_EVENING),
    ],
)
def test_a_weekend_without_usage_is_as_usual_and_a_monday_is_not(until: int, since: int | None) -> None:
    assert stands(quiet_since(FRIDAY_EVENING, until), until) == since


@pytest.mark.parametrize(("hours", "stopped"), [(13, False), (25.9, False), (26, True), (40, True)])
def test_a_sync_that_stops_in_the_middle_of_a_day_is_found_twelve_hours_after_usage_was_due(
    hours: float, stopped: bool
) -> None:
    """It stops on Monday at 13:00, and there is no hour of usage until 14:00, nor after."""
    until = 4 * WEEK + hours
    assert stands(quiet_since(4 * WEEK + 13, until), until) == (4 * WEEK + 13 if stopped else None)


def test_a_slow_source_is_given_twice_its_usual_lag() -> None:
    until = 4 * WEEK + 13 + 1 + 12
    counts = quiet_since(4 * WEEK + 13, until)
    assert [stands(counts, until, lag=lag * HOUR) for lag in (2, 6, 7, 10)] == [
        4 * WEEK + 13,
        4 * WEEK + 13,
        None,
        None,
    ]


def test_a_holiday_looks_like_a_sync_that_stands_and_is_over_with_the_next_usage() -> None:
    usual = office(6)
    holiday = [0 if 4 * WEEK <= hour < 4 * WEEK + 24 else count for hour, count in enumerate(usual)]
    friday = 3 * WEEK + 4 * 24 + 18
    assert stands(holiday[: 4 * WEEK + 30], 4 * WEEK + 30) == friday
    assert stands(holiday[: 4 * WEEK + 34], 4 * WEEK + 34) is None
    # In the weeks after it is one of four: still most of them had usage.
    assert stands(quiet_since(FRIDAY_EVENING, MONDAY + 30, holiday), MONDAY + 30) == FRIDAY_EVENING


def test_of_an_organization_that_is_used_now_and_then_nothing_is_expected() -> None:
    sparse = [int(hour in (5, 200, 430, 650)) for hour in range(6 * WEEK)]
    assert [stands(sparse[:until], until) for until in (690, 720, 760)] == [None, None, None]


@pytest.mark.parametrize(("weeks", "known"), [(0, False), (1, True), (2, True)])
def test_in_the_first_week_nothing_is_expected(weeks: int, known: bool) -> None:
    stops = weeks * WEEK + 13
    until = weeks * WEEK + 40
    expected = stops if known else None
    assert stands(quiet_since(stops, until), until) == expected


def test_half_of_the_weeks_is_not_most() -> None:
    counts = quiet_since(4 * WEEK + 13, 4 * WEEK + 40)
    for week in (0, 2):
        counts[week * WEEK : week * WEEK + 2 * 24] = [0] * 48
    assert stands(counts, 4 * WEEK + 40) is None
    counts[9] = 1
    assert stands(counts, 4 * WEEK + 40) is None, "the same hours, not some hour of that week"
    counts[14] = 1
    assert stands(counts, 4 * WEEK + 40) == 4 * WEEK + 13


def test_where_there_never_was_usage_nothing_stands() -> None:
    assert stands([], 100) is None
    assert stands([0] * 2000, 2000) is None


def test_a_sync_that_stands_for_weeks_still_stands() -> None:
    counts = quiet_since(FRIDAY_EVENING, 20 * WEEK, [*office(6), *[0] * 14 * WEEK])
    assert [stands(counts[: until * WEEK], until * WEEK) for until in (6, 7, 10, 20)] == [FRIDAY_EVENING] * 4


def test_what_may_still_come_from_a_source_out_of_reach_is_not_missed() -> None:
    """Only buckets that were fetched are on the grid: a source that does not answer stands for another reason."""
    assert stands(quiet_since(FRIDAY_EVENING, FRIDAY_EVENING + 5), MONDAY + 40) is None


@pytest.mark.parametrize(("until", "since"), [(35, None), (36.4, None), (36.5, 33)])
def test_days_are_expected_like_hours(until: float, since: float | None) -> None:
    """Weekdays only, nothing since the fifth Friday: Monday is due at noon on Tuesday. The grid ends with today."""
    counts = [int(day % 7 < 5) for day in range(int(until) + 1)]
    counts[33:] = [0] * len(counts[33:])
    found = stands(counts, until * 24, DAY)
    assert found == (None if since is None else since * 24)
