"""Hours of a few members: read of late, and before that made of their days."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.core.builders import HOURLY, MEMBER_DAYS, at, feed_history
from usage_watch.core.series import HOUR, Feed, FeedHistory
from usage_watch.core.stats.hours import in_hours

ANA, BEN, MAX = "ana@example.com", "ben@example.com", "max@example.com"
SINCE = int(at(50).timestamp())


def read(who: str, used: list[int], hours: float = 50, **series: list[int]) -> FeedHistory:
    """What one member used from an hour on."""
    return feed_history({"": used, **series}, Feed("credit_usage", HOUR, who), start_at=at(hours))


EVERYONE = feed_history({"": [0] * 12 + [30] * 12 + [0] * 18 + [10] * 6 + [7, 7, 500, 600]}, HOURLY)
"""Busy at noon of the first day, and in the evening of the second; two hours of the third, and two that stand out."""
DAYS = feed_history(
    {ANA: [120, 60], f"{ANA} Model=opus": [24, 60], BEN: [0, 12], MAX: [9, 9]},
    MEMBER_DAYS,
)


def test_days_are_spread_as_the_hours_of_all_are_and_what_was_read_stands_beside_them() -> None:
    found = in_hours(DAYS, EVERYONE, [read(ANA, [400, 500], **{"Model=opus": [400, 0]}), read(BEN, [0, 1])], SINCE)
    assert found.total(ANA).tolist() == [0] * 12 + [10] * 12 + [0] * 18 + [10] * 6 + [0, 0, 400, 500]
    assert found.total(BEN).tolist() == [0] * 42 + [2] * 6 + [0, 0, 0, 1]
    opus = next(counts for key, counts in found.counts.items() if (key.member, key.category) == (ANA, "opus"))
    assert opus.tolist() == [0] * 12 + [2] * 12 + [0] * 18 + [10] * 6 + [0, 0, 400, 0]
    assert {key.member for key in found.counts} == {ANA, BEN}, "and of nobody else"
    assert found.feed == Feed("credit_usage", HOUR, "each-member")


def test_known_is_what_a_day_was_read_of_and_the_hours_that_were_read_of_all() -> None:
    found = in_hours(DAYS, EVERYONE, [read(ANA, [400, 500]), read(BEN, [1], hours=51)], SINCE)
    assert found.fetched.tolist() == [True] * 48 + [False] * 3 + [True]
    assert found.settled.tolist() == [True] * 48 + [False] * 4
    assert found.known("Model").tolist() == [True] * 48 + [False] * 4
    assert in_hours(DAYS, EVERYONE, [read(ANA, [1, 1], **{"Model=x": [1, 1]})], SINCE).known("Model")[50:].all()


def test_an_axis_that_only_the_hours_have_is_not_known_before() -> None:
    found = in_hours(DAYS, EVERYONE, [read(ANA, [400, 500], **{"Credit Source=paid": [400, 500]})], SINCE)
    assert found.known("Credit Source").tolist() == [False] * 50 + [True, True]


def test_a_day_that_holds_the_hours_themselves_counts_for_those_before_them_alone() -> None:
    found = in_hours(feed_history({ANA: [0, 0, 1114]}, MEMBER_DAYS), EVERYONE, [read(ANA, [400, 500])], SINCE)
    assert found.total(ANA)[48:].tolist() == [7, 7, 400, 500]


def test_a_day_on_which_nobody_is_known_to_have_done_anything_is_spread_evenly() -> None:
    nothing = feed_history({"": [0] * 52}, HOURLY)
    found = in_hours(feed_history({ANA: [24, 48]}, MEMBER_DAYS), nothing, [read(ANA, [1, 1])], SINCE)
    assert found.total(ANA).tolist() == [1] * 24 + [2] * 24 + [0, 0, 1, 1]


def test_without_days_only_what_was_read_is_known() -> None:
    found = in_hours(feed_history({}, MEMBER_DAYS), EVERYONE, [read(ANA, [400, 500])], SINCE)
    assert found.fetched.tolist() == [False] * 50 + [True, True]
    assert found.total(ANA).tolist() == [0] * 50 + [400, 500]


@given(
    st.lists(st.integers(0, 10_000), min_size=72, max_size=72),
    st.lists(st.integers(0, 10**9), min_size=3, max_size=3),
)
def test_each_day_keeps_its_sum(hours: list[int], days: list[int]) -> None:
    later = read(ANA, [5], hours=72)
    members = feed_history({ANA: days}, MEMBER_DAYS)
    found = in_hours(members, feed_history({"": [*hours, 9]}, HOURLY), [later], int(at(72).timestamp()))
    used = found.total(ANA)
    assert used[:72].reshape(3, 24).sum(axis=1).tolist() == days
    assert (used >= 0).all()
    assert np.isin(used[72:], [5]).all()
