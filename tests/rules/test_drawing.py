from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.builders import DAILY, START, at, feed_history, findings
from tests.rules.making import BERLIN_FILE, UTC_FILE, made
from usage_watch.core.message import Drawn, Line, Severity
from usage_watch.core.series import DAY, FeedHistory
from usage_watch.rules import Rule
from usage_watch.rules.drawing import POINTS, drawn, stride_over

INFO, WARNING, CRITICAL = Severity
UNTIL = int(at(0).timestamp())


def values(picture: Drawn | None) -> list[float | None]:
    assert picture is not None
    return list(picture.values)


def picture(rule: Rule, history: FeedHistory, index: int, since_hours: float = 0, rank: int = 1) -> Drawn:
    (found,) = rule.judge_whole(history, at(since_hours), UTC_FILE)
    said = rule.evidence(found, index, rank, UTC_FILE).series
    assert said is not None
    return said


# ---- points ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "stride", "points"),
    [
        (3, 1, [0, 1, 2]),
        (30, 1, list(range(6, 30))),
        (5, 2, [0, 2, 4]),
        (6, 2, [1, 3, 5]),
        (100, 4, [*range(7, 100, 4)]),
    ],
)
def test_points_are_counted_back_from_the_last(n: int, stride: int, points: list[float]) -> None:
    said = drawn("credits", UNTIL, 3600, np.arange(n, dtype=np.float64), stride=stride)
    assert values(said) == points
    assert said is not None
    assert (said.step, said.until_at) == (stride * 3600, at(0))


@pytest.mark.parametrize(
    ("given_", "points"),
    [([np.nan, np.nan, 1, np.nan, 2], [1, None, 2]), ([1 / 3, 2, np.nan], [0.3333, 2, None])],
)
def test_what_is_not_known_is_none_and_left_out_at_the_beginning(given_: list[float], points: list[float]) -> None:
    assert values(drawn("credits", UNTIL, 3600, np.array(given_))) == points


@pytest.mark.parametrize("given_", [[], [1], [np.nan, np.nan], [np.nan, 1, np.nan]])
def test_of_less_than_two_values_there_is_no_picture(given_: list[float]) -> None:
    assert drawn("credits", UNTIL, 3600, np.array(given_)) is None


def test_the_usual_keeps_step_with_the_values() -> None:
    said = drawn(
        "credits", UNTIL, 3600, np.array([np.nan, 1, 2]), usual=(np.array([7, np.nan, 0]), np.array([7, 8, 9]))
    )
    assert said is not None
    assert (said.values, said.low, said.high) == ((1, 2), (None, 0), (8, 9))


def test_a_severity_has_one_line_where_it_begins() -> None:
    rungs = [(INFO, 50), (CRITICAL, 100), (CRITICAL, 120)]
    said = drawn("credits", UNTIL, 3600, np.array([1.0, 2.0]), rungs)
    assert said is not None
    assert said.lines == (Line(INFO, 50), Line(CRITICAL, 100))


@pytest.mark.parametrize(("buckets", "stride"), [(0, 1), (24, 1), (25, 2), (720, 30)])
def test_a_picture_holds_two_dozen_points(buckets: int, stride: int) -> None:
    assert stride_over(buckets) == stride


# ---- kinds -----------------------------------------------------------------------------------------------------------


def test_a_threshold_draws_its_windows_and_its_limits() -> None:
    rule = made("threshold", above={"warning": 5, "critical": 9}, window="2h")
    said = picture(rule, feed_history({"": [1, 2, 3, 7]}), 3)
    assert said == Drawn("credits in 2 h", at(4), 3600, (3, 5, 10), (Line(WARNING, 5), Line(CRITICAL, 9)))


def test_a_share_is_drawn_in_percent() -> None:
    rule = made("threshold", above="60%", statistic="share", where={"Model": "a"})
    said = picture(rule, feed_history({"": [10, 10], "Model=a": [1, 7]}), 1)
    assert (said.what, said.values) == ("% of credits in 1 h", (10, 70))


def test_what_came_before_the_judged_is_drawn_too() -> None:
    history = feed_history({"": list(range(40))})
    assert values(picture(made("threshold", above=5), history, 0, since_hours=30)) == list(range(7, 31))


def test_hours_that_were_never_fetched_are_left_open() -> None:
    assert values(picture(made("threshold", above=2), feed_history({"": [1, 0, 3]}, holes=(1,)), 2)) == [1, None, 3]


def test_a_zscore_draws_what_was_usual_and_where_its_levels_began() -> None:
    rule = made("zscore", method="plain", baseline="7d", bucket="1d")
    history = feed_history({"": [100] * 12 + [170]}, DAILY)
    said = picture(rule, history, 12, rank=2)
    assert (said.what, said.values) == ("credits in 1 d", (*[100] * 12, 170))
    assert (said.low[-1], said.high[-1]) == (80, 120)
    assert said.low[0] is None
    assert said.lines == (Line(WARNING, 140), Line(CRITICAL, 160))


def test_a_budget_draws_what_was_spent_over_its_period() -> None:
    rule = made("budget", limit=1000, period="month", burn="off", forecast="off")
    said = picture(rule, feed_history({"": [1] * 100}), 99)
    assert (said.what, said.step) == ("credits spent", 5 * 3600)
    assert said.values == tuple(range(5, 101, 5))
    assert said.lines == (Line(INFO, 500), Line(WARNING, 800), Line(CRITICAL, 1000))


def test_an_absence_draws_what_was_used_before_and_the_quiet() -> None:
    rule = made("absence", quiet_for="16h")
    said = picture(rule, feed_history({"": [3] * 40 + [0] * 16}), 55)
    assert (said.what, said.step, said.lines) == ("credits in 2 h", 7200, ())
    assert said.values == (*[6] * 16, *[0] * 8)


RULES = {
    "threshold": made("threshold", above=2, window="3h"),
    "zscore": made("zscore", method="robust", baseline="3d"),
    "absence": made("absence", quiet_for="9h"),
    "absence of each": made("absence", quiet_for="2d", for_each="member", min_active_days=1),
    "budget": made("budget", limit=50, period="week", burn="off", forecast="off"),
}


@pytest.mark.parametrize("name", RULES)
@given(st.lists(st.integers(0, 9), min_size=12, max_size=40), st.integers(0, 60))
@settings(max_examples=30, deadline=None)
def test_a_picture_never_depends_on_where_judging_begins_nor_on_what_came_later(
    name: str, counts: list[int], more: int
) -> None:
    rule = RULES[name]
    series = "ana@x" if rule.for_each else ""
    whole = counts * 20
    width = rule.width // 3600
    begin = len(whole) - 8
    whole[begin] = 10_000
    late = feed_history({series: [*whole, *counts[:more]]}, rule.feed)
    early = late.cut(int(rule.look_back(at(begin * width), BERLIN_FILE).timestamp()))
    until = int(START.timestamp()) + begin * rule.width

    def said(history: FeedHistory, since_hours: int) -> list[Drawn | None]:
        judged = rule.judge(history, at(since_hours), BERLIN_FILE)
        places = ((each, np.flatnonzero(each.starts == until)) for each in judged)
        judgeable = ((each, int(place[0])) for each, place in places if len(place))
        series = (
            rule.evidence(each, index, 1, BERLIN_FILE).series
            for each, index in judgeable
            if each.scores is None or each.scores[index] != 0
        )
        # What a rolling zscore holds for usual leans on what it left out before, and so on how far back it looked.
        return [replace(each, low=(), high=(), lines=()) if each and rule.kind == "zscore" else each for each in series]

    first, second = said(early, begin * width), said(late, 0)
    assert first == second or (rule.kind == "zscore" and not (first and second))


def test_a_picture_holds_no_more_than_its_points() -> None:
    said = picture(made("threshold", above=1), feed_history({"": [5] * 200}), 150)
    assert len(said.values) == POINTS == len(said.ends)


def test_findings_of_another_kind_hold_nothing_to_draw() -> None:
    found = replace(findings("1"), width=DAY)
    with pytest.raises(TypeError, match="know what was measured"):
        made("threshold", above=1).evidence(found, 0, 1, UTC_FILE)
