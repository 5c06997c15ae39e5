from __future__ import annotations

import pytest

from tests.core.builders import DAILY, HOURLY, MEMBER_DAYS, at, feed_history, key
from usage_watch.core.series import HOUR, Feed, FeedHistory, History, SeriesKey, empty


def frontier_hour(history: FeedHistory) -> float | None:
    return None if history.frontier is None else (history.frontier - at(0).timestamp()) / HOUR


@pytest.mark.parametrize(
    ("feed", "text", "member"),
    [
        (HOURLY, "credit_usage 1h", None),
        (MEMBER_DAYS, "credit_usage 1d each-member", None),
        (Feed("skills", HOUR, "ana@x"), "skills 1h ana@x", "ana@x"),
    ],
)
def test_a_feed_says_what_it_is(feed: Feed, text: str, member: str | None) -> None:
    assert (str(feed), feed.member) == (text, member)


@pytest.mark.parametrize(
    ("holes", "unsettled", "hour"),
    [
        ((), (), 6),
        ((), (5,), 5),
        ((), (3, 5), 3),
        ((3,), (), 3),
        ((0, 1), (), 6),  # nothing before the first fetched bucket is missing
        ((0, 1), (2,), None),
        ((), (0,), None),
        (range(6), (), None),
    ],
)
def test_the_frontier_is_the_end_of_what_is_settled_without_a_break(
    holes: range, unsettled: tuple[int, ...], hour: int | None
) -> None:
    assert frontier_hour(feed_history({"": [1] * 6}, holes=holes, unsettled=unsettled)) == hour


WEEK = 7 * 24


@pytest.mark.parametrize(
    ("holes", "unsettled", "hour"),
    [
        ((3,), (), 3),  # with 3 + 168 buckets, all but the hole at 2 are younger than a week
        ((2,), (), 3 + WEEK),
        ((2, 3), (), 3),
        ((1, 2), (8,), 8),
        ((0, 1, 2), (), 3 + WEEK),
        ((1, 2), (0,), None),
        ((2,), (WEEK + 2,), WEEK + 2),
    ],
)
def test_a_hole_of_a_week_is_given_up_for_lost(
    holes: tuple[int, ...], unsettled: tuple[int, ...], hour: int | None
) -> None:
    assert frontier_hour(feed_history({"": [1] * (3 + WEEK)}, holes=holes, unsettled=unsettled)) == hour


@pytest.mark.parametrize(
    ("counts", "hour"),
    [
        ({"": [1, 0, 2, 0]}, 3),
        ({"": [0, 0, 0, 0]}, None),
        ({"Model=opus": [0, 0, 0, 5]}, None),
        ({"ana@x": [1, 0, 0, 0], "bo@x": [0, 1, 0, 0]}, 2),
        ({}, None),
    ],
)
def test_data_is_as_fresh_as_the_newest_bucket_with_any_usage(counts: dict[str, list[int]], hour: int | None) -> None:
    until = feed_history(counts).data_until
    assert until == (None if hour is None else at(hour).timestamp())


@pytest.mark.parametrize(
    ("counts", "unsettled", "hour"),
    [
        ({"": [5, 0, 7, 0, 0]}, [1, 2, 3, 4], 3),
        ({"": [5, 0, 7, 0, 0]}, [4], 4),
        ({"": [5, 0, 0, 0, 0], "Model=opus": [0, 0, 0, 0, 9]}, [1, 2, 3, 4], 1),
        ({"ana@x": [1, 0, 0, 0, 0], "bo@x": [0, 0, 1, 0, 0]}, [0, 1, 2, 3, 4], 3),
        ({"": [0, 0, 0, 0, 0]}, [3, 4], 3),
        ({"": [0, 0, 0, 0, 0]}, [0, 1, 2, 3, 4], None),
        ({}, [], None),
    ],
)
def test_a_feed_is_counted_until_its_newest_usage_or_until_later_zeros_are_settled(
    counts: dict[str, list[int]], unsettled: list[int], hour: int | None
) -> None:
    found = feed_history(counts, unsettled=unsettled).counted_until
    assert found == (None if hour is None else int(at(hour).timestamp()))


def test_counts_of_an_unknown_series_are_zero_and_an_unknown_axis_was_never_answered() -> None:
    history = feed_history({"": [1, 2], "ana@x": [1, 0], "Model=opus": [1, 1]}, unanswered={"Model": (0,)})
    assert history.total().tolist() == [1, 2]
    assert history.total("ana@x").tolist() == [1, 0]
    assert history.of(key(HOURLY, "Model=sonnet")).tolist() == [0, 0]
    assert history.known(None).tolist() == [True, True]
    assert history.known("Model").tolist() == [False, True]
    assert history.known("Skill").tolist() == [False, False]


@pytest.mark.parametrize(("since", "left"), [(-5, 4), (0, 4), (1.5, 2), (3, 1), (9, 0)])
def test_a_cut_history_is_its_newer_part(since: float, left: int) -> None:
    whole = feed_history({"": [1, 2, 3, 4], "Model=a": [1, 1, 1, 0]}, holes=(1,), unsettled=(2, 3), aged=(2,))
    part = whole.cut(int(at(since).timestamp()))
    assert part.starts.tolist() == whole.starts.tolist()[4 - left :]
    assert part.fetched.tolist() == [True, False, True, True][4 - left :]
    assert part.settled.tolist() == [True, False, False, False][4 - left :]
    assert part.aged.tolist() == [True, False, True, False][4 - left :]
    assert part.known("Model").tolist() == part.fetched.tolist()
    assert part.of(key(HOURLY, "Model=a")).tolist() == [1, 0, 1, 0][4 - left :]


def test_of_a_feed_that_was_not_loaded_nothing_is_known() -> None:
    loaded = feed_history({"": [1]})
    history = History({HOURLY: loaded})
    assert history[HOURLY] is loaded
    assert list(history) == [loaded]
    unknown = history[DAILY]
    assert (unknown.feed, len(unknown.starts), unknown.frontier, unknown.data_until) == (DAILY, 0, None, None)
    assert empty(DAILY).of(SeriesKey(DAILY)).tolist() == []
