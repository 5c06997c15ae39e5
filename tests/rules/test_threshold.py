from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.core.builders import DAILY, HOURLY, MEMBER_DAYS, at, feed_history, spelled
from tests.rules.making import UTC_FILE, made, problems
from usage_watch.core.episode import Episode, Findings, fold
from usage_watch.core.message import Fact
from usage_watch.core.series import FeedHistory, empty


def judged(history: FeedHistory, since_hours: float = 0, **fields: Any) -> list[Findings]:
    return made("threshold", **fields).judge(history, at(since_hours), UTC_FILE)


def one(history: FeedHistory, since_hours: float = 0, **fields: Any) -> Findings:
    (found,) = judged(history, since_hours, **fields)
    return found


# ---- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "states"),
    [
        # Above means greater than; from 90 % to the limit it holds.
        ({"above": 10}, "...h1111"),
        ({"above": {"info": 10, "warning": 20, "critical": 30}}, "...h1123"),
        ({"above": {"critical": 20}}, ".....h11"),
        ({"above": 10, "clear_at": "100%"}, "....1111"),
        ({"above": 10, "clear_at": "50%"}, "..hh1111"),
        ({"above": 0}, ".1111111"),
        # Below means less than; from the limit to 110 % it holds.
        ({"below": 10}, "111h...."),
        ({"below": {"info": 20, "warning": 10, "critical": 9}}, "33211hh."),
        ({"below": 10, "clear_at": "200%"}, "111hh..."),
        ({"below": 10, "clear_at": "100%"}, "111....."),
    ],
)
def test_counts_are_judged_against_limits(fields: dict[str, Any], states: str) -> None:
    counts = [0, 5, 9, 10, 11, 20, 21, 31]
    assert spelled(one(feed_history({"": counts}), **fields)) == states


@given(st.integers(1, 10**6), st.integers(1, 99), st.sampled_from(["above", "below"]))
def test_what_stands_exactly_at_clear_at_is_clear(hundredth: int, off: int, side: str) -> None:
    limit = 100 * hundredth
    percent = 100 - off if side == "above" else 100 + off
    found = one(feed_history({"": [hundredth * percent]}), clear_at=f"{percent}%", **{side: limit})
    assert spelled(found) == "."


@pytest.mark.parametrize("value", ["5", True, -1, float("nan"), float("inf")])
def test_the_least_total_is_a_finite_number_from_0_up(value: Any) -> None:
    with pytest.raises(ValidationError, match="min_total"):
        made("threshold", above=1, statistic="share", min_total=value)


def test_findings_say_what_was_judged_and_the_limit_reached() -> None:
    found = one(feed_history({"": [5, 15, 25, 35]}), above={"info": 10, "warning": 20, "critical": 30})
    assert found.values.tolist() == [5, 15, 25, 35]
    assert found.limits.tolist() == [10, 10, 20, 30]
    assert (found.labels, found.part, found.period_at, found.closed) == ({}, None, None, None)


# ---- windows ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "kwargs", "states"),
    [
        # A trailing sum; at the start of history it is a lower bound, and only good for what it is above.
        ({"above": 10, "window": "3h"}, {}, "??.11.."),
        ({"above": 2, "window": "3h"}, {}, "?111111"),
        ({"below": 2, "window": "3h"}, {}, "?......"),
        ({"above": 10, "window": "90d"}, {}, "???1111"),
        ({"above": 7, "window": "3h"}, {"holes": (0,)}, "???111."),
        ({"above": 5, "window": "3h"}, {"holes": (0,)}, "??1111."),
        ({"above": 10, "window": "3h"}, {"holes": (6,)}, "??.11.?"),
        ({"above": 10, "window": "3h"}, {"unsettled": (4, 5, 6)}, "??.11??"),
        ({"below": 9, "window": "3h"}, {"unsettled": (5, 6)}, "??1..??"),
    ],
)
def test_a_window_is_settled_only_where_all_of_it_is(
    fields: dict[str, Any], kwargs: dict[str, Any], states: str
) -> None:
    found = one(feed_history({"": [1, 2, 4, 5, 2, 1, 0]}, **kwargs), clear_at="100%", **fields)
    assert spelled(found) == states


def test_what_may_still_grow_is_used_only_on_its_way_up() -> None:
    history = feed_history({"": [0, 50, 0, 50]}, unsettled=(2, 3))
    assert spelled(one(history, above=10)) == ".1?1"
    assert spelled(one(history, below=10)) == "1.?."


def test_a_bucket_that_was_never_fetched_is_not_zero() -> None:
    history = feed_history({"": [0, 0, 0]}, holes=(1,))
    found = one(history, below=10)
    assert spelled(found) == "1?1"
    assert [(each.first, each.last) for each in fold(found, 2, 1)] == []


@pytest.mark.parametrize(("since", "n"), [(-1000, 4), (0, 4), (0.5, 3), (3, 1), (4, 0), (1000, 0)])
def test_only_buckets_from_since_on_are_judged(since: float, n: int) -> None:
    found = one(feed_history({"": [1, 2, 3, 40]}), since, above=10, window="2h")
    assert len(found.starts) == len(found.states()) == n
    assert found.values.tolist() == [1, 3, 5, 43][4 - n :]


@pytest.mark.parametrize(
    "fields", [{"above": 10}, {"below": 10, "window": "3h"}, {"above": "10%", "statistic": "share"}]
)
def test_of_an_empty_feed_there_is_nothing_to_say(fields: dict[str, Any]) -> None:
    found = one(empty(HOURLY), **fields)
    assert fold(found, 1, 2) == []
    assert judged(empty(HOURLY), for_each="Model", **fields) == []


def test_the_look_back_is_the_window_and_the_run_and_what_is_drawn_before() -> None:
    rule = made("threshold", above=1, window="3h", for_="2h")
    assert rule.look_back(at(10), UTC_FILE) == at(5 - 23)
    days = made("threshold", above=1, window="7d", bucket="1d")
    assert days.look_back(at(24 * 10), UTC_FILE) == at(24 * (2 - 23))


# ---- below -----------------------------------------------------------------------------------------------------------


def test_below_is_silent_however_long_the_sync_stands() -> None:
    history = feed_history({"": [50] * 10 + [0] * 100}, unsettled=range(10, 110), aged=range(10, 110))
    (found,) = judged(history, below=10)
    assert spelled(found) == "." * 10 + "?" * 100
    assert fold(found, 1, 2) == []


@pytest.mark.parametrize(
    ("counts", "unsettled", "states", "last", "ended"),
    [
        ([50, 0, 50, 50], (2, 3), ".1..", 1, True),
        ([50, 0, 11, 11], (2, 3), ".1..", 1, True),
        ([50, 0, 0, 50, 50], (2, 3, 4), ".1?..", 2, True),  # what was not settled yet was part of it
        ([50, 0, 10, 10, 10], (2, 3, 4), ".1???", 4, False),  # between limit and clear_at
        ([50, 0, 9, 9, 9], (2, 3, 4), ".1???", 4, False),
        ([50, 0, 50, 0, 0], (2, 3, 4), ".1.??", 1, False),  # once is not for two hours
        ([50, 0, 0, 0, 0], (2, 3, 4), ".1???", 4, False),
    ],
)
def test_below_ends_at_once_when_what_came_is_enough_and_else_waits(
    counts: list[int], unsettled: tuple[int, ...], states: str, last: int, ended: bool
) -> None:
    found = one(feed_history({"": counts}, unsettled=unsettled), below=10)
    assert spelled(found) == states
    (episode,) = fold(found, 1, 2)
    assert (episode.first, episode.last, episode.ended) == (1, last, ended)


def test_a_share_below_its_limit_ends_only_when_settled_for_it_may_fall_again() -> None:
    counts = {"": [100] * 4, "Model=opus": [50, 5, 50, 50]}
    fields: dict[str, Any] = {"statistic": "share", "where": {"Model": "opus"}, "below": "10%"}
    assert spelled(one(feed_history(counts, unsettled=(2, 3)), **fields)) == ".1??"


@given(
    st.lists(st.integers(0, 15), min_size=1, max_size=20),
    st.sampled_from(["1h", "3h"]),
    st.randoms(use_true_random=False),
)
@settings(max_examples=60, deadline=None)
def test_what_is_said_of_a_lower_limit_stays_true_whatever_comes_late(
    final: list[int], window: str, chance: Any
) -> None:
    fields: dict[str, Any] = {"below": {"warning": 10, "critical": 4}, "window": window}
    settled = [index for index in range(len(final)) if chance.random() < 0.6]
    seen = [count if index in settled else chance.randint(0, count) for index, count in enumerate(final)]
    unsettled = [index for index in range(len(final)) if index not in settled]
    early = spelled(one(feed_history({"": seen}, unsettled=unsettled), **fields))
    late = spelled(one(feed_history({"": final}), **fields))
    assert all(before in ("?", after) for before, after in zip(early, late, strict=True))


# ---- which series ----------------------------------------------------------------------------------------------------

SPLIT = {
    "": [100, 100],
    "Model=claude-opus": [60, 10],
    "Model=claude-haiku": [10, 10],
    "Model=sonar": [30, 80],
}


@pytest.mark.parametrize(
    ("where", "values"),
    [
        ({"Model": "sonar"}, [30, 80]),
        ({"model": "claude-*"}, [70, 20]),
        ({"Model": ["sonar", "claude-haiku"]}, [40, 90]),
        ({"Model": {"not": "claude-*"}}, [30, 80]),
        ({"Model": "never-seen"}, [0, 0]),
    ],
)
def test_where_narrows_what_is_counted(where: dict[str, Any], values: list[int]) -> None:
    assert one(feed_history(SPLIT), above=1, where=where).values.tolist() == values


def test_for_each_judges_every_category_alone() -> None:
    found = judged(feed_history(SPLIT), above=50, for_each="model", where={"Model": ["claude-opus", "sonar"]})
    assert [(dict(each.labels), spelled(each)) for each in found] == [
        ({"Model": "claude-opus"}, "1."),
        ({"Model": "sonar"}, ".1"),
    ]


def test_each_member_is_judged_by_the_day() -> None:
    history = feed_history({"ana@x": [5, 500], "bo@x": [300, 0], "bo@x Model=opus": [300, 0]}, MEMBER_DAYS)
    found = judged(history, above=200, for_each="member")
    assert [(dict(each.labels), spelled(each)) for each in found] == [
        ({"member": "ana@x"}, ".1"),
        ({"member": "bo@x"}, "1."),
    ]
    assert [each.width for each in found] == [86400, 86400]


def test_where_an_axis_was_not_answered_nothing_is_known_of_it() -> None:
    history = feed_history(SPLIT, unanswered={"Model": (1,)})
    assert spelled(one(history, below=20, where={"Model": "claude-opus"})) == ".?"
    assert spelled(one(history, below=20)) == ".."


# ---- shares ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "states"),
    [
        ({"above": "50%"}, ".h11.?"),
        ({"above": 50, "min_total": 10}, ".h.1.?"),  # too thin is clear
        ({"below": "50%"}, "1h...?"),
    ],
)
def test_a_share_is_of_the_total_and_waits_until_settled(fields: dict[str, Any], states: str) -> None:
    counts = {"": [20, 40, 8, 10, 0, 10], "Model=opus": [2, 20, 8, 6, 0, 10]}
    found = one(feed_history(counts, unsettled=(5,)), statistic="share", where={"Model": "opus"}, **fields)
    assert spelled(found) == states
    assert found.values.tolist() == [10, 50, 100, 60, 0, 100]


@given(st.integers(1, 100), st.integers(1, 10**6))
def test_a_share_of_exactly_the_limit_is_not_above_it(percent: int, hundredth: int) -> None:
    history = feed_history({"": [100 * hundredth], "Model=opus": [percent * hundredth]})
    found = one(history, statistic="share", where={"Model": "opus"}, above=f"{percent}%", clear_at="100%")
    assert (found.values.tolist(), spelled(found)) == ([percent], ".")


def test_a_share_over_a_window_is_of_sums() -> None:
    history = feed_history({"": [90, 10], "Model=opus": [0, 10]})
    found = one(history, statistic="share", where={"Model": "opus"}, above=50, window="2h")
    assert found.values.tolist() == [0, 10]


def test_a_members_share_is_of_that_members_total() -> None:
    history = feed_history({"ana@x": [10], "ana@x Model=opus": [9], "bo@x": [1000]}, MEMBER_DAYS)
    found = judged(history, statistic="share", where={"Model": "opus"}, for_each="member", above=50)
    assert [each.values.tolist() for each in found] == [[90], [0]]


# ---- what is wrong with a rule ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({}, "", "needs a limit: write either `above` or `below`, and not both"),
        ({"above": 1, "below": 1}, "", "needs a limit"),
        ({"above": {}}, "above", "names no level"),
        ({"above": {"info": 20, "warning": 10}}, "above", "must rise from info over warning to critical"),
        ({"above": {"info": 10, "warning": 10}}, "above", "must rise"),
        ({"below": {"info": 10, "critical": 20}}, "below", "must fall from info over warning to critical"),
        ({"below": 0}, "below", "is 0, and nothing can be less"),
        ({"above": "60%"}, "above", "is a share, but this rule judges totals"),
        ({"above": "160%", "statistic": "share"}, "above", "cannot be: no share is more than 100 %"),
        ({"above": "100%", "statistic": "share"}, "above", "cannot be: no share is more than 100 %"),
        ({"above": {"info": "5%", "critical": "160%"}, "statistic": "share"}, "above", "no share is more than 100 %"),
        ({"below": "101%", "statistic": "share"}, "below", "cannot be: no share is more than 100 %"),
        ({"above": 1, "clear_at": "110%"}, "clear_at", "must be at most 100% of the lowest level"),
        ({"below": 1, "clear_at": "90%"}, "clear_at", "must be at least 100% of the lowest level"),
        ({"above": 1, "min_total": 5}, "min_total", "belongs to `statistic: share`"),
        ({"above": 1, "dataset": "daily_active_users", "window": "7d"}, "window", "cannot sum daily_active_users"),
    ],
)
def test_what_its_types_cannot_catch_is_said(fields: dict[str, Any], field: str, says: str) -> None:
    ((where, message),) = problems("threshold", **fields)
    assert where == field
    assert says in message


@pytest.mark.parametrize(
    "fields",
    [
        {"above": {"info": 1, "critical": 2}},
        {"below": {"info": 2, "critical": 1}, "clear_at": "100%"},
        {"below": "100%", "statistic": "share"},
        {"above": 60, "statistic": "share", "min_total": 5, "clear_at": "100%"},
        {"above": 1, "dataset": "daily_active_users", "window": "1d"},
        {"above": 1, "dataset": "brand_new", "window": "7h"},
    ],
)
def test_nothing_is_wrong_with_these(fields: dict[str, Any]) -> None:
    assert problems("threshold", **fields) == []


# ---- in words --------------------------------------------------------------------------------------------------------


def words(found: Findings, index: int, rank: int, **fields: Any) -> tuple[str, tuple[Fact, ...]]:
    evidence = made("threshold", **fields).evidence(found, index, rank, UTC_FILE)
    return evidence.summary, evidence.facts


@pytest.mark.parametrize(
    ("counts", "fields", "rank", "summary", "limits"),
    [
        (
            [4000, 4000, 4345],
            {"window": "3h", "above": {"warning": 5000, "critical": 10_000}},
            2,
            "12,345 credits in 3 h, over the critical limit of 10,000",
            "warning 5,000, critical 10,000",
        ),
        ([0, 0, 1], {"below": 5}, 1, "1 credit in 1 h, under the warning limit of 5", "warning 5"),
        (
            [1, 2, 3],
            {"dataset": "query_volume", "above": 2},
            1,
            "3 queries in 1 d, over the warning limit of 2",
            "warning 2",
        ),
    ],
)
def test_a_count_is_said_with_its_limit(
    counts: list[int], fields: dict[str, Any], rank: int, summary: str, limits: str
) -> None:
    history = feed_history({"": counts}, made("threshold", **fields).feed)
    assert words(one(history, **fields), 2, rank, **fields) == (summary, (Fact("Limits", limits),))


def test_a_share_is_said_in_percent() -> None:
    fields: dict[str, Any] = {"statistic": "share", "where": {"Model": "opus"}, "above": "60%", "window": "24h"}
    history = feed_history({"": [100] * 24, "Model=opus": [63] * 24})
    evidence = made("threshold", **fields).evidence(one(history, **fields), 23, 1, UTC_FILE)
    assert evidence.summary == "63 % of credits in 1 d, over the warning limit of 60 %"
    assert evidence.facts == (Fact("Counted", "Model opus"), Fact("Limits", "warning 60 %"))
    assert (evidence.unit, evidence.value, evidence.limit, evidence.score) == ("%", 63.0, 60.0, None)
    assert (evidence.from_at, evidence.until_at) == (at(0), at(24))
    assert (evidence.dataset, evidence.bucket) == ("credit_usage", "1h")


@pytest.mark.parametrize(
    ("index", "unsettled", "expected"),
    [
        (168, (), (Fact("A week before", "7 credits"),)),
        (167, (), ()),  # history does not reach there
        (168, (0,), ()),  # not known for good
    ],
)
def test_the_week_before_is_said_where_it_is_known(
    index: int, unsettled: tuple[int, ...], expected: tuple[Fact, ...]
) -> None:
    found = one(feed_history({"": [7] + [0] * 167 + [99]}, unsettled=unsettled), above=5)
    assert words(found, index, 1, above=5)[1][1:] == expected


def test_the_week_before_a_day_is_seven_days_before() -> None:
    found = one(feed_history({"": [7, 1, 1, 1, 1, 1, 1, 99]}, DAILY), above=5, bucket="1d")
    assert words(found, 7, 1, above=5, bucket="1d")[1][1:] == (Fact("A week before", "7 credits"),)


# ---- late numbers ----------------------------------------------------------------------------------------------------


def episodes_of(counts: np.ndarray, settled: np.ndarray, **fields: Any) -> list[Episode]:
    rule = made("threshold", **fields)
    history = feed_history({"": counts.tolist()}, unsettled=np.flatnonzero(~settled).tolist())
    return fold(rule.judge(history, at(0), UTC_FILE)[0], rule.for_buckets, rule.resolve_buckets)


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=15),
    st.sampled_from(["1h", "2h", "4h"]),
    st.sampled_from(["1h", "3h"]),
    st.randoms(use_true_random=False),
)
@settings(max_examples=40, deadline=None)
def test_late_numbers_never_unsay_what_was_over_a_limit(final: list[int], window: str, for_: str, chance: Any) -> None:
    fields: dict[str, Any] = {"above": {"warning": 10, "critical": 25}, "window": window, "for": for_}
    whole = np.array(final)
    counts, settled = np.zeros_like(whole), np.zeros(len(whole), dtype=bool)
    said: list[Episode] = []
    for index in chance.sample(range(len(final)), len(final)):
        counts[index] = chance.randint(int(counts[index]), final[index])
        done = chance.randrange(len(final))
        counts[done], settled[done] = final[done], True
        now = episodes_of(counts, settled, **fields)
        for before in said:
            touching = [each for each in now if each.first <= before.first <= each.last]
            assert touching
            assert max(each.rank for each in now) >= before.rank
        said = now
