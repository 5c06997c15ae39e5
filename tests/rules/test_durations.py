"""Rules on how long tasks take: mean, quantiles, and the share of slow ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.core.builders import HOURLY, at, feed_history, spelled
from tests.rules.making import UTC_FILE, made, problems
from usage_watch.core.episode import Findings, fold
from usage_watch.core.message import Fact
from usage_watch.core.series import DAY, HOUR, Feed, FeedHistory, History, empty
from usage_watch.rules import FileDefaults, Rule
from usage_watch.rules.measure import MeasuredFindings, all_unread_bands

TASKS = Feed("task_durations", HOUR)
ANA = "ana@example.com"
AXIS = "Task Duration"
BANDS = ("<1m", "1-5 min", "5–15m", "15m-1h", "1h+")


def history(bands: Mapping[str, Sequence[int]], feed: Feed = TASKS, **kwargs: Any) -> FeedHistory:
    """Tasks by band and hour."""
    n = len(next(iter(bands.values())))
    total = [sum(counts[place] for counts in bands.values()) for place in range(n)]
    return feed_history({"": total, **{f"{AXIS}={label}": counts for label, counts in bands.items()}}, feed, **kwargs)


def rule(**fields: Any) -> Rule:
    return made("threshold", dataset="task_durations", **fields)


def one(of: FeedHistory, defaults: FileDefaults = UTC_FILE, **fields: Any) -> MeasuredFindings:
    (found,) = rule(**fields).judge(of, at(0), defaults)
    assert isinstance(found, MeasuredFindings)
    return found


def hours(*windows: Sequence[int]) -> dict[str, list[int]]:
    """One hour each, by the five bands."""
    return {label: [window[place] for window in windows] for place, label in enumerate(BANDS)}


QUICK, SLOW, MIXED = (50, 50, 0, 0, 0), (0, 0, 0, 100, 0), (50, 25, 0, 20, 5)


# ---- what is judged --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statistic", "values"),
    [
        ("mean", [105, 2250, 690]),
        ("p50", [60, 2250, 60]),
        ("p90", [252, 3330, 2925]),
        ("p95", [276, 3465, 3600]),
        ("p99", [295.2, 3573, 3600]),
        ({"share_over": "5m"}, [0, 100, 25]),
        ({"share_over": "30m"}, [0, 200 / 3, 55 / 3]),
        ({"share_over": "1h"}, [0, 0, 5]),
        ({"share_over": "2h"}, [0, 0, 0]),
    ],
)
def test_a_window_is_as_slow_as_its_bands_say(statistic: Any, values: list[float]) -> None:
    limit = "1%" if isinstance(statistic, dict) else "1s"
    found = one(history(hours(QUICK, SLOW, MIXED)), statistic=statistic, above=limit)
    assert found.values.tolist() == pytest.approx(values)
    assert found.measured.behind.tolist() == [100, 100, 100]


def test_limits_of_durations_are_durations() -> None:
    found = one(history(hours(QUICK, SLOW, MIXED)), statistic="p90", above={"warning": "45m", "critical": "50m"})
    assert spelled(found) == ".21"
    assert found.limits.tolist() == [2700, 3000, 2700]
    below = one(history(hours(QUICK, SLOW, MIXED)), statistic="p50", below="2m")
    assert spelled(below) == "1.1"


def test_a_window_adds_up_the_tasks_of_its_hours() -> None:
    found = one(history(hours(QUICK, SLOW, QUICK)), statistic="p50", window="2h", above="5m")
    assert found.values.tolist() == pytest.approx([60, 300, 300])
    assert spelled(found) == "?hh"


@pytest.mark.parametrize(
    ("fields", "states"),
    [
        ({"statistic": "mean"}, "..11"),
        ({"statistic": "p95"}, "..11"),
        ({"statistic": "p99"}, "...1"),  # of fewer than a hundred, one in a hundred is nobody
        ({"statistic": "p99", "min_total": 5}, ".111"),
        ({"statistic": "p95", "min_total": 0}, "1111"),
        ({"statistic": "p95", "min_total": 100}, "...1"),
    ],
)
def test_a_few_tasks_say_nothing(fields: dict[str, Any], states: str) -> None:
    of = history(hours((0, 0, 0, 3, 0), (0, 0, 0, 19, 0), (0, 0, 0, 20, 0), (0, 0, 0, 100, 0)))
    assert spelled(one(of, above="5m", **fields)) == states


def test_of_no_tasks_at_all_there_is_nothing_to_say() -> None:
    assert spelled(one(history(hours((0,) * 5, (0,) * 5)), statistic="p95", below="5m", min_total=0)) == ".."
    assert fold(one(empty(TASKS), statistic="p95", above="5m"), 1, 1) == []
    without = one(feed_history({"": [5, 5]}, TASKS), statistic="p95", above="5m")
    assert spelled(without) == "??"


def test_a_duration_is_used_once_it_is_settled() -> None:
    of = history(hours(SLOW, SLOW, QUICK, QUICK), unsettled=(1, 3))
    assert spelled(one(of, statistic="p50", above="5m")) == "1?.?"


def test_an_hour_whose_bands_were_not_answered_is_unknown() -> None:
    of = history(hours(SLOW, SLOW, SLOW), unanswered={AXIS: (1,)}, holes=(2,))
    assert spelled(one(of, statistic="p50", above="5m")) == "1??"


def test_one_member_is_judged_by_their_own_feed() -> None:
    own = rule(where={"member": ANA}, statistic="p50", above="5m")
    assert own.feed == Feed("task_durations", HOUR, ANA)
    (found,) = own.judge(history(hours(QUICK, SLOW), own.feed), at(0), UTC_FILE)
    assert spelled(found) == ".1"


def test_days_are_judged_as_hours_are() -> None:
    days = Feed("task_durations", DAY)
    own = rule(bucket="1d", window="2d", statistic="p50", above="5m")
    (found,) = own.judge(history(hours(QUICK, SLOW, SLOW), days), at(0), UTC_FILE)
    assert (own.feed, spelled(found)) == (days, "?h1")


def test_chance_has_more_to_say_of_fewer_tasks() -> None:
    found = one(history(hours((5, 5, 5, 5, 0), (50, 50, 50, 50, 0))), statistic="mean", above="5m")
    few, many = found.measured.variances.tolist()
    assert few == pytest.approx(10 * many)


def test_shares_say_what_stands_behind_them() -> None:
    of = feed_history({"": [100, 50, 0], "Model=a": [50, 10, 0]}, HOURLY)
    (found,) = made("threshold", statistic="share", where={"Model": "a"}, above="40%").judge(of, at(0), UTC_FILE)
    assert isinstance(found, MeasuredFindings)
    assert found.measured.behind.tolist() == [100, 50, 0]
    assert found.measured.variances.tolist() == pytest.approx([25, 10_000 * 11 / 52 * 41 / 52 / 50, float("inf")])


# ---- bands that nobody knows -----------------------------------------------------------------------------------------


def test_what_holds_a_band_that_nobody_knows_is_unknown() -> None:
    of = history({**hours(SLOW, SLOW, QUICK, QUICK), "Very long": [0, 1, 0, 0]})
    assert spelled(one(of, statistic="p50", above="5m")) == "1?.."
    assert spelled(one(of, statistic="p50", above="5m", window="2h")) == "???."


def test_the_rules_file_names_it_or_leaves_it_out() -> None:
    of = history({**hours(SLOW, SLOW, QUICK), "Very long": [0, 900, 900]})
    named = replace(UTC_FILE, bands={"very long": (7200.0, 10_800.0)})
    assert spelled(one(of, named, statistic="p50", above="5m")) == "111"
    left_out = replace(UTC_FILE, bands={"Very long": (0.0, 0.0)})
    found = one(of, left_out, statistic="p50", above="5m")
    assert (spelled(found), found.measured.behind.tolist()) == ("11.", [100, 100, 100])


def test_bands_of_the_rules_file_are_part_of_what_judges_durations_alone() -> None:
    named = replace(UTC_FILE, bands={"Quick": (0.0, 60.0)})
    slow, total = rule(statistic="p95", above="5m"), made("threshold", above=5)
    assert slow.digest(named) != slow.digest(UTC_FILE)
    assert total.digest(named) == total.digest(UTC_FILE)


@pytest.mark.parametrize(("written", "same"), [(20, True), (0, False), (21, False)])
def test_the_usual_least_written_out_is_no_other_rule(written: int, same: bool) -> None:
    usual, spelled_out = rule(statistic="p95", above="5m"), rule(statistic="p95", above="5m", min_total=written)
    assert (usual.digest(UTC_FILE) == spelled_out.digest(UTC_FILE)) is same


def test_bands_that_nobody_knows_are_told_where_a_rule_needs_them() -> None:
    n = 24 * 8
    early = [1] + [0] * (n - 1)
    of = history({**hours(*[QUICK] * n), "Very long": [0] * (n - 1) + [1], "Ages ago": early, "Named": [1] * n})
    stored, named = History({TASKS: of}), replace(UTC_FILE, bands={"Named": (0.0, 1.0)})
    slow = rule(statistic="p95", above="5m")
    counting = [rule(above=5), made("absence", dataset="task_durations", quiet_for="2d")]
    assert all_unread_bands([slow, *counting], stored, named, at(n)) == {"task_durations": ["Very long"]}
    assert all_unread_bands([slow], stored, UTC_FILE, at(n)) == {"task_durations": ["Named", "Very long"]}
    assert all_unread_bands(counting, stored, UTC_FILE, at(n)) == {}
    assert all_unread_bands([slow], History(), UTC_FILE, at(n)) == {"task_durations": []}


# ---- words -----------------------------------------------------------------------------------------------------------


def evidence(found: Findings, index: int, rank: int = 1, **fields: Any) -> Any:
    return rule(**fields).evidence(found, index, rank, UTC_FILE)


def test_a_duration_is_said_as_one_and_sent_in_seconds() -> None:
    fields: dict[str, Any] = {"statistic": "p90", "above": {"warning": "30m", "critical": "50m"}}
    found = one(history(hours(QUICK, SLOW, MIXED)), **fields)
    said = evidence(found, 1, 2, **fields)
    assert said.summary == "tasks took 55 min 30 s (p90) in 1 h, over the critical limit of 50 min"
    assert (said.unit, said.value, said.limit) == ("s", 3330, 3000)
    assert said.facts == (Fact("Limits", "warning 30 min, critical 50 min"), Fact("Tasks", "100 (15m-1h: 100)"))
    assert evidence(found, 2, **fields).facts[1] == Fact("Tasks", "100 (<1m: 50, 1-5 min: 25, 15m-1h: 20, 1h+: 5)")
    assert evidence(found, 2, **fields).series.what == "minutes (p90 of tasks) in 1 h"


@pytest.mark.parametrize(
    ("statistic", "limit", "said"),
    [
        ("p95", "30m", "tasks took at least 1 h (p95) in 1 h, over the warning limit of 30 min"),
        ("mean", "5m", "tasks took at least 11 min 30 s (mean) in 1 h, over the warning limit of 5 min"),
        ("p90", "30m", "tasks took 48 min 45 s (p90) in 1 h, over the warning limit of 30 min"),
        ({"share_over": "15m"}, "10%", "25 % of tasks over 15 min in 1 h, over the warning limit of 10 %"),
        ({"share_over": "1h"}, "4%", "5 % of tasks over 1 h in 1 h, over the warning limit of 4 %"),
        ({"share_over": "2h"}, "1%", "at least 0 % of tasks over 2 h in 1 h, over the warning limit of 1 %"),
    ],
)
def test_what_an_open_band_hides_is_said(statistic: Any, limit: str, said: str) -> None:
    fields = {"statistic": statistic, "above": limit}
    assert evidence(one(history(hours(MIXED)), **fields), 0, **fields).summary == said


@pytest.mark.parametrize(
    ("limit", "what", "values", "lines"),
    [
        ("2m", "seconds (p50 of tasks) in 1 h", (60, 2250), [120]),
        ("30m", "minutes (p50 of tasks) in 1 h", (1, 37.5), [30]),
        ("3h", "hours (p50 of tasks) in 1 h", (0.0167, 0.625), [3]),
    ],
)
def test_a_picture_counts_in_what_the_limits_are_of(
    limit: str, what: str, values: tuple[float, ...], lines: list[float]
) -> None:
    fields = {"statistic": "p50", "above": limit}
    series = evidence(one(history(hours(QUICK, SLOW)), **fields), 1, **fields).series
    assert (series.what, series.values, [line.limit for line in series.lines]) == (what, values, lines)


def test_a_picture_leaves_out_hours_without_tasks() -> None:
    fields = {"statistic": {"share_over": "5m"}, "above": "10%"}
    series = evidence(one(history(hours(QUICK, (0,) * 5, SLOW)), **fields), 2, **fields).series
    assert (series.what, series.values) == ("% of tasks over 5 min in 1 h", (0, None, 100))


def test_a_week_before_is_said_only_of_enough_tasks() -> None:
    fields = {"statistic": "p50", "above": "5m"}
    nights = [(1, 0, 0, 0, 0), QUICK] + [QUICK] * (24 * 7 - 2) + [SLOW, SLOW]
    found = one(history(hours(*nights)), **fields)
    assert [fact.name for fact in evidence(found, 24 * 7, **fields).facts] == ["Limits", "Tasks"]
    assert evidence(found, 24 * 7 + 1, **fields).facts[-1] == Fact("A week before", "1 min")


def test_how_it_stands_now_is_said_in_the_same_words() -> None:
    slow = rule(statistic="p95", above="30m")
    (found,) = slow.judge(history(hours(SLOW, QUICK)), at(0), UTC_FILE)
    assert slow.latest(found) == "tasks took 4 min 36 s (p95) in 1 h"
    assert slow.whole(found, 0, 2**40) is None
    (nobody,) = slow.judge(history(hours(SLOW, (0,) * 5)), at(0), UTC_FILE)
    assert slow.latest(nobody) == "no tasks in 1 h"
    empty_one = evidence(nobody, 1, statistic="p95", above="30m")
    assert empty_one.facts[1] == Fact("Tasks", "0")


# ---- what cannot be asked --------------------------------------------------------------------------------------------

D: dict[str, Any] = {"dataset": "task_durations"}


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        (
            {"statistic": "p95", "above": "5m"},
            ("statistic", "is of how long tasks took: write `dataset: task_durations`, or `total`"),
        ),
        (
            {"dataset": "brand_new", "statistic": {"share_over": "5m"}, "above": "5%"},
            ("statistic", "is of how long tasks took: write `dataset: task_durations`, or `total`"),
        ),
        ({**D, "statistic": "p95", "above": 300}, ("above", "must be a duration, since `p95` is one: write one such")),
        ({**D, "statistic": "mean", "below": "5%"}, ("below", "must be a duration, since `mean` is one: write one")),
        ({**D, "above": "5m"}, ("above", "is a duration, but this rule judges totals: write a number, or add `stat")),
        (
            {**D, "statistic": {"share_over": "5m"}, "above": "5m"},
            ("above", "is a duration, but this rule judges shares: write one such as 60%"),
        ),
        ({**D, "statistic": {"share_over": "5m"}, "above": "100%"}, ("above", "cannot be: no share is more than 100")),
        ({**D, "statistic": "p95", "below": "0s"}, ("below", "is 0, and nothing can be less")),
        (
            {**D, "statistic": "p95", "above": "5m", "for_each": "task_duration"},
            ("for_each", "splits tasks by how long they took, but `p95` is made of all bands of Task Duration; leave"),
        ),
        (
            {**D, "statistic": {"share_over": "90s"}, "above": "5%", "where": {"Task Duration": "1h+"}},
            (
                "where.Task Duration",
                "leaves some tasks out, but `share_over: 1m30s` is made of all bands of Task Duration; leave it out",
            ),
        ),
        (
            {**D, "statistic": "p95", "above": "5m", "for_each": "member"},
            ("for_each", "cannot be `member`: the source has members of credit_usage and query_volume only"),
        ),
        ({"above": 5, "min_total": 3}, ("min_total", "belongs to `statistic: share`, or of durations")),
    ],
)
def test_what_makes_no_sense_is_a_sentence(fields: dict[str, Any], found: tuple[str, str]) -> None:
    [(field, sentence)] = problems("threshold", **fields)
    assert (field, sentence[: len(found[1])]) == found


@pytest.mark.parametrize(
    "fields",
    [
        {**D, "statistic": "p95", "above": {"warning": "30m", "critical": "45m"}, "window": "24h", "min_total": 50},
        {**D, "statistic": {"share_over": "15m"}, "above": "5%", "where": {"member": ANA}},
        {**D, "statistic": "share", "where": {"Task Duration": "1h+"}, "above": "5%"},
        {**D, "above": 5, "for_each": "Task Duration"},
        {**D, "statistic": "mean", "above": "5m", "bucket": "1d"},
    ],
)
def test_what_makes_sense_is_taken(fields: dict[str, Any]) -> None:
    assert problems("threshold", **fields) == []
