from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from pydantic import ValidationError

from tests.core.builders import DAILY, HOURLY, at, feed_history, spelled
from tests.rules.making import UTC_FILE, made, problems, ranks
from usage_watch.core.episode import Findings, fold
from usage_watch.core.lessons import Expected, Lessons, Rebased
from usage_watch.core.message import Fact
from usage_watch.core.schedule import Days
from usage_watch.core.series import DAY, HOUR, Feed, FeedHistory, empty
from usage_watch.rules.measure import MeasuredFindings

DAYS = 24


def zscore(**fields: Any) -> Any:
    return made("zscore", **{"method": "plain", "baseline": "7d", **fields})


def judged(history: FeedHistory, since_hours: float = 0, **fields: Any) -> list[Findings]:
    found: list[Findings] = zscore(**fields).judge(history, at(since_hours), UTC_FILE)
    return found


def newest(values: list[int], usual: int = 100, **fields: Any) -> Findings:
    """Ten usual days, then these."""
    (found,) = judged(feed_history({"": [usual] * 10 + values}, DAILY), 24 * 10, bucket="1d", **fields)
    return found


# ---- levels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("above", "levels"),
    [
        (None, [("warning", 4.0), ("critical", 6.0)]),
        (3, [("warning", 3.0)]),
        (2.5, [("warning", 2.5)]),
        ({"info": 3, "critical": 9}, [("info", 3.0), ("critical", 9.0)]),
    ],
)
def test_levels_are_scores(above: Any, levels: list[tuple[str, float]]) -> None:
    found = zscore() if above is None else zscore(above=above)
    assert [(level.severity.value, level.limit) for level in found.levels] == levels


@pytest.mark.parametrize("above", [0, -1, "4", True, float("nan"), float("inf"), {"warning": 0}, {"fatal": 1}])
def test_what_is_no_score_is_refused(above: Any) -> None:
    with pytest.raises(ValidationError, match="above"):
        zscore(above=above)


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"above": {}}, "above", "needs at least one of info, warning, critical"),
        ({"above": {"info": 5, "warning": 4}}, "above", "rising in that order"),
        ({"above": {"info": 5, "warning": 5}}, "above", "rising in that order"),
        ({"clear_at": "101%"}, "clear_at", "must be at most 100% of the lowest level"),
        ({"baseline": "2d"}, "baseline", "is too short to know what is usual; write 3d or more"),
        ({"min_total": 5}, "min_total", "belongs to `statistic: share`"),
        ({"dataset": "daily_active_users", "window": "7d"}, "window", "cannot sum daily_active_users"),
        ({"bucket": "1d", "baseline": "84h"}, "baseline", "is not a whole number of buckets"),
    ],
)
def test_what_its_types_cannot_catch_is_said(fields: dict[str, Any], field: str, says: str) -> None:
    ((where, message),) = problems("zscore", **{"method": "plain", **fields})
    assert where == field
    assert says in message


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"above": {"info": 1, "critical": 2}, "clear_at": "100%", "baseline": "3d"},
        {"statistic": "share", "min_total": 5, "window": "24h"},
        {"dataset": "brand_new", "window": "2h"},
        {"dataset": "daily_active_users", "window": "1d"},
    ],
)
def test_nothing_is_wrong_with_these(fields: dict[str, Any]) -> None:
    assert problems("zscore", **{"method": "robust", **fields}) == []


@pytest.mark.parametrize(
    ("fields", "buckets"),
    [({}, 6), ({"resolve_after": "2h"}, 2), ({"bucket": "1d"}, 1), ({"bucket": "1d", "resolve_after": "3d"}, 3)],
)
def test_hours_end_after_six_and_days_after_one(fields: dict[str, Any], buckets: int) -> None:
    assert zscore(**fields).resolve_buckets == buckets


def test_the_look_back_is_two_baselines_with_their_embargo_and_what_is_drawn_before() -> None:
    rule = zscore(baseline="7d", window="3h")
    assert rule.look_back(at(24 * 30), UTC_FILE) == at(24 * 30) - timedelta(days=2 * 9 + 1, hours=3 + 23)


# ---- scores ----------------------------------------------------------------------------------------------------------
# The usual is 100 with the least spread of such a count, 10.


@pytest.mark.parametrize("method", ["plain", "robust"])
@pytest.mark.parametrize(
    ("fields", "values", "states"),
    [
        # Greater than 4 and 6 deviations; from 60 % of the lowest on it holds, and smaller changes are no news.
        ({}, [100, 124, 126, 140, 141, 160, 161], "..hh112"),
        ({}, [0, 40, 60], "..."),
        ({"clear_at": "100%"}, [126, 140, 141], "..1"),
        ({"direction": "down"}, [200, 76, 74, 60, 59, 40, 39], "..hh112"),
        ({"direction": "both"}, [161, 141, 100, 74, 59, 39], "21.h12"),
        ({"above": 2}, [119, 124, 125], "..1"),  # 25 % of the usual at least
        ({"above": 2, "min_relative": "1%"}, [119, 120, 121], "hh1"),
        ({"min_change": 60}, [150, 159, 160, 170], "..12"),
        ({"min_relative": "80%"}, [170, 180], ".2"),
    ],
)
def test_deviations_are_judged_in_standard_deviations(
    method: str, fields: dict[str, Any], values: list[int], states: str
) -> None:
    for value, state in zip(values, states, strict=True):
        assert spelled(newest([value], method=method, **fields)) == state


@pytest.mark.parametrize(("method", "score"), [("plain", 5.0), ("robust", 100 / 20 / 1.4826)])
def test_each_method_has_a_spread_of_its_own(method: str, score: float) -> None:
    history = feed_history({"": [80, 120] * 5 + [200]}, DAILY)
    (found,) = judged(history, 240, bucket="1d", baseline="8d", above=50, method=method)
    assert found.scores is not None
    assert found.scores.tolist() == [pytest.approx(score)]


@pytest.mark.parametrize("field", ["min_change", "min_total"])
@pytest.mark.parametrize("value", ["5", True, -1, float("nan"), float("inf")])
def test_amounts_are_finite_numbers_from_0_up(field: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=field):
        zscore(statistic="share", **{field: value})


def test_findings_say_what_was_usual_and_where_the_level_begins() -> None:
    found = newest([100, 150, 170, 20], direction="both")
    assert found.usual is not None
    assert found.scores is not None
    assert found.usual.tolist() == [100] * 4
    assert found.scores.tolist() == [0, 5, 7, -8]
    assert found.values.tolist() == [100, 150, 170, 20]
    assert found.limits.tolist() == [100, 140, 160, 40]


def test_a_limit_is_never_below_nothing() -> None:
    found = newest([0], usual=9, direction="down", above=2, min_change=0)
    assert (ranks(found), found.limits.tolist()) == ([1], [3.0])
    assert newest([0], usual=4, direction="down", above=3, min_change=0).limits.tolist() == [0.0]


# ---- what may be used ------------------------------------------------------------------------------------------------


def test_with_too_little_history_it_is_silent() -> None:
    history = feed_history({"": [100] * 4 + [10_000] * 2}, DAILY)
    (found,) = judged(history, bucket="1d")
    assert spelled(found) == "?????2"


def test_only_a_rise_of_counts_is_used_before_it_is_settled() -> None:
    history = feed_history({"": [100] * 10 + [500, 100, 0]}, DAILY, unsettled=(10, 11, 12))
    (up,) = judged(history, 240, bucket="1d", direction="both")
    assert spelled(up) == "2??"
    (share,) = judged(
        feed_history({"": [100] * 11, "Model=a": [10] * 10 + [100]}, DAILY, unsettled=(10,)),
        240,
        bucket="1d",
        statistic="share",
        where={"Model": "a"},
    )
    assert (ranks(share), spelled(share)) == ([2], "?")


def test_what_was_never_fetched_is_no_fall() -> None:
    history = feed_history({"": [100] * 12}, DAILY, holes=(10,))
    (found,) = judged(history, 240, bucket="1d", direction="down")
    assert spelled(found) == "?."


def test_a_thin_share_is_clear_and_is_not_learned() -> None:
    counts = {"": [100] * 10 + [40, 40, 40, 40, 100], "Model=a": [10] * 10 + [5, 5, 5, 5, 10]}
    (found,) = judged(
        feed_history(counts, DAILY), 240, bucket="1d", statistic="share", where={"Model": "a"}, min_total=50
    )
    assert spelled(found) == "....."
    assert found.usual is not None
    assert set(found.usual.tolist()) == {10.0}


def test_a_window_is_judged_as_a_sum() -> None:
    history = feed_history({"": [100] * 24 * 10 + [100, 200, 300]})
    (found,) = judged(history, 24 * 10, window="3h", baseline="7d")
    assert found.values.tolist() == [300, 400, 600]
    assert found.usual is not None
    assert found.usual.tolist() == [300] * 3


@pytest.mark.parametrize(("since", "n"), [(-1000, 11), (24 * 10, 1), (24 * 11, 0), (24 * 500, 0)])
def test_only_buckets_from_since_on_are_judged(since: float, n: int) -> None:
    (found,) = judged(feed_history({"": [100] * 10 + [500]}, DAILY), since, bucket="1d")
    assert len(found.starts) == len(found.states()) == n


def test_of_an_empty_feed_there_is_nothing_to_say() -> None:
    (found,) = judged(empty(HOURLY))
    assert fold(found, 1, 6) == []
    assert judged(empty(HOURLY), for_each="Model") == []


@pytest.mark.parametrize("n", [1, 2, 30])
@pytest.mark.parametrize("method", ["plain", "robust"])
def test_a_history_of_zeros_and_a_short_one_are_quiet(n: int, method: str) -> None:
    (found,) = judged(feed_history({"": [0] * n}), method=method, direction="both")
    assert fold(found, 1, 6) == []


def test_each_category_has_a_usual_of_its_own() -> None:
    counts = {"": [110] * 10 + [310], "Model=a": [100] * 11, "Model=b": [10] * 10 + [210]}
    found = judged(feed_history(counts, DAILY), 240, bucket="1d", for_each="Model")
    assert [(dict(each.labels), ranks(each)) for each in found] == [({"Model": "a"}, [0]), ({"Model": "b"}, [2])]


def test_what_is_learned_never_depends_on_the_last_two_days() -> None:
    chance = np.random.default_rng(7)
    values = chance.poisson(50, 24 * 14)
    (before,) = judged(feed_history({"": values.tolist()}), window="3h")
    changed = values.copy()
    changed[24 * 11 :] = chance.poisson(5000, 24 * 3)
    (after,) = judged(feed_history({"": changed.tolist()}, unsettled=range(24 * 11, 24 * 14)), window="3h")
    assert before.usual is not None
    assert after.usual is not None
    until = slice(0, 24 * 13)
    assert np.array_equal(before.usual[until], after.usual[until], equal_nan=True)


def test_judging_more_history_later_finds_the_same_before() -> None:
    chance = np.random.default_rng(8)
    values = chance.poisson(50, 24 * 16)
    values[24 * 12] = 900
    rule = zscore()
    (whole,) = rule.judge(feed_history({"": values.tolist()}), at(0), UTC_FILE)
    (part,) = rule.judge(feed_history({"": values[: 24 * 13 + 7].tolist()}), at(0), UTC_FILE)
    assert whole.states()[: len(part.starts)].tolist() == part.states().tolist()
    assert whole.scores is not None
    assert part.scores is not None
    assert np.array_equal(whole.scores[: len(part.starts)], part.scores)


def test_a_runaway_is_one_episode_that_ends_with_six_quiet_hours() -> None:
    values = [100] * 24 * 10 + [100, 900, 900, 130, 900] + [100] * 6
    rule = zscore()
    (found,) = rule.judge(feed_history({"": values}), at(24 * 10), UTC_FILE)
    (episode,) = fold(found, rule.for_buckets, rule.resolve_buckets)
    assert (episode.first, episode.last, episode.ended, episode.rank) == (1, 4, True, 2)


# ---- in words --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "value", "summary", "how"),
    [
        ({}, 170, "170 credits in 1 d, usually 80 to 120", "7 standard deviations over the usual"),
        ({"direction": "down"}, 1, "1 credit in 1 d, usually 80 to 120", "9.9 standard deviations under the usual"),
    ],
)
def test_a_deviation_is_said_against_the_usual(fields: dict[str, Any], value: int, summary: str, how: str) -> None:
    found = newest([value], **fields)
    evidence = zscore(bucket="1d", **fields).evidence(found, 0, 2, UTC_FILE)
    assert evidence.summary == summary
    assert evidence.facts == (
        Fact("How unusual", f"{how}; warning from 4, critical from 6"),
        Fact("Learned from", "the 7 d that ended two days before"),
    )
    assert (evidence.value, evidence.unit, evidence.bucket) == (value, "credits", "1d")
    assert evidence.score == (7.0 if value == 170 else -9.9)
    assert evidence.limit == (160 if value == 170 else 40)
    assert evidence.until_at - evidence.from_at == timedelta(seconds=DAY)


def test_the_limit_is_that_of_the_level_which_the_whole_episode_reached() -> None:
    found = newest([170, 150], direction="up")
    rule = zscore(bucket="1d", for_="2d")
    (episode,) = fold(found, rule.for_buckets, rule.resolve_buckets)
    evidence = rule.evidence(found, episode.peak, episode.rank, UTC_FILE)
    assert (episode.rank, evidence.value, evidence.limit) == (1, 170, 140)


def test_a_limit_said_is_never_below_nothing() -> None:
    evidence = zscore(bucket="1d").evidence(newest([0], usual=30, direction="down"), 0, 2, UTC_FILE)
    assert evidence.limit == 0


def test_a_share_a_week_before_and_what_is_narrowed_are_said() -> None:
    counts = {"": [100] * 15, "Model=a": [10] * 14 + [90]}
    fields: dict[str, Any] = {"bucket": "1d", "statistic": "share", "where": {"Model": "a"}}
    (found,) = judged(feed_history(counts, DAILY), **fields)
    evidence = zscore(**fields).evidence(found, 14, 2, UTC_FILE)
    assert evidence.summary == "90 % of credits in 1 d, usually 3.7 % to 16 %"
    assert evidence.unit == "%"
    assert evidence.facts[0] == Fact("Counted", "Model a")
    assert evidence.facts[-1] == Fact("A week before", "10 % of credits")


def test_findings_without_a_score_are_no_zscores() -> None:
    found = newest([170])
    assert isinstance(found, MeasuredFindings)
    with pytest.raises(TypeError, match="have scores and what was usual"):
        zscore(bucket="1d").evidence(replace(found, scored=None), 0, 2, UTC_FILE)


# ---- what people said is usual ---------------------------------------------------------------------------------------


def test_what_was_expected_is_not_learned() -> None:
    history = feed_history({"": [100] * 10 + [115, 115, 115] + [100] * 5}, DAILY)

    def center(lessons: Lessons) -> float:
        (found,) = zscore(bucket="1d").judge(history, at(24 * 17), replace(UTC_FILE, lessons=lessons))
        assert found.usual is not None
        return float(found.usual[0])

    assert center(Lessons()) > 103
    assert center(Lessons(expected=[Expected("it", {}, at(24 * 10), at(24 * 13))])) == 100
    assert center(Lessons(unlearned=[Days(at(240).date(), at(24 * 12).date(), ZoneInfo("UTC"))])) == 100


def test_the_sources_days_are_those_local_days_that_they_cover_most() -> None:
    """A day of the source begins on the evening before, in the west."""
    west, odd = ZoneInfo("America/Los_Angeles"), at(24 * 10).date()
    history = feed_history({"": [100] * 10 + [115] + [100] * 7}, DAILY)
    lessons = Lessons(unlearned=[Days(odd, odd, west)])
    (found,) = zscore(bucket="1d").judge(history, at(24 * 17), replace(UTC_FILE, lessons=lessons))
    assert found.usual is not None
    assert found.usual[0] == 100


def test_a_new_normal_is_clear_at_once_and_then_judged_by_itself() -> None:
    values = [100] * 10 + [500] * 8 + [900]
    defaults = replace(UTC_FILE, lessons=Lessons(rebased=[Rebased("it", {}, at(240), at(24 * 11 + 5))]))
    (found,) = zscore(bucket="1d").judge(feed_history({"": values}, DAILY), at(240), defaults)
    assert spelled(found) == "22......2"
    (other,) = zscore(bucket="1d", id="other").judge(feed_history({"": values}, DAILY), at(240), defaults)
    assert spelled(other)[:4] == "2222"


# ---- shares and durations --------------------------------------------------------------------------------------------


def test_a_share_is_judged_with_what_stands_behind_it() -> None:
    """The same jump of a share, of few credits and of many."""
    rule = made("zscore", statistic="share", where={"Model": "a"})
    assert [level.limit for level in rule.levels] == [4, 6]
    for behind, rank in ((10, 0), (1_000, 2)):
        counts = {"": [behind] * 240, "Model=a": [behind // 5] * 239 + [behind // 2]}
        (found,) = rule.judge(feed_history(counts), at(239), UTC_FILE)
        assert ranks(found) == [rank]


def test_durations_need_no_change_of_ten_seconds() -> None:
    rule = made("zscore", dataset="task_durations", statistic="mean")
    assert rule.digest(UTC_FILE) == made("zscore", dataset="task_durations", statistic="mean", min_change=0).digest(
        UTC_FILE
    )
    bands = {"Task Duration=< 1 min": [900] * 239 + [100], "Task Duration=1-5 min": [100] * 239 + [900]}
    history = feed_history({"": [1000] * 240, **bands}, Feed("task_durations", HOUR))
    (found,) = rule.judge(history, at(239), UTC_FILE)
    assert ranks(found) == [2]
    assert rule.evidence(found, 0, 2, UTC_FILE).summary.startswith("tasks took 2 min 45 s (mean) in 1 h, usually ")
