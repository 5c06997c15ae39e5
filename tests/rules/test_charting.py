"""What is drawn of a whole series is what is judged of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.core.builders import DAILY, HOURLY, MEMBER_DAYS, at, feed_history
from tests.rules.making import UTC_FILE, made
from usage_watch.core.chart import Level
from usage_watch.core.message import Severity
from usage_watch.core.series import HOUR, Feed, FeedHistory
from usage_watch.rules.charting import Charted, charted, episodes
from usage_watch.rules.threshold import ThresholdRule

WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL


def drawn(
    history: FeedHistory, kind: str, since_hours: float = 0, labels: dict[str, str] | None = None, **fields: Any
) -> Charted:
    found = charted(made(kind, **fields), history, at(since_hours), UTC_FILE, labels or {})
    assert found is not None
    return found


def test_a_threshold_is_drawn_with_its_window_its_levels_and_its_alerts() -> None:
    history = feed_history({"": [1, 2, 3, 90, 5, 6, 7, 8, 9, 1]}, holes=[1], unsettled=[-1])
    found = drawn(history, "threshold", window="2h", above={"warning": 50, "critical": 500})
    assert (found.what, found.band) == ("credits in 2 h", None)
    np.testing.assert_array_equal(found.course.values, [np.nan, np.nan, np.nan, 93, 95, 11, 13, 15, 17, 10])
    assert found.levels == [Level(50, WARNING), Level(500, CRITICAL)]
    [shade] = found.shades
    assert (shade.from_at, shade.until_at, shade.severity) == (at(3), at(5), WARNING)
    assert shade.text == "warning: 95 credits in 2 h, over the warning limit of 50"


def test_what_is_settled_ends_at_the_feeds_frontier() -> None:
    history = feed_history({"": [1] * 10}, unsettled=[8, 9])
    assert drawn(history, "threshold", above=5).course.settled_until == at(8)
    open_ones = feed_history({"": [1] * 3}, unsettled=[0, 1, 2])
    assert drawn(open_ones, "threshold", above=5).course.settled_until == at(0)


NAN = np.nan


@pytest.mark.parametrize(
    ("counts", "unsettled", "fields", "values"),
    [
        ([1, 2, 3, 90, 80, 0, 0], [3, 4, 5, 6], {}, [1, 2, 3, 90, 80, NAN, NAN]),
        ([1, 2, 3, 90, 80, 0, 0], [3, 4, 5, 6], {"window": "3h"}, [NAN, NAN, 6, 95, 173, NAN, NAN]),
        ([1, 2, 3, 90, 80, 0, 0], [6], {}, [1, 2, 3, 90, 80, 0, NAN]),
        ([1, 2, 3, 90, 80, 0, 0], [], {}, [1, 2, 3, 90, 80, 0, 0]),
        ([1, 2, 0, 0, 80, 0, 0], [2, 3, 4, 5, 6], {}, [1, 2, 0, 0, 80, NAN, NAN]),
        ([0, 0, 0], [2], {}, [0, 0, NAN]),
        ([0, 0, 0], [0, 1, 2], {}, [NAN, NAN, NAN]),
    ],
)
def test_zeros_at_the_end_are_drawn_once_they_are_settled(
    counts: list[int], unsettled: list[int], fields: dict[str, str], values: list[float]
) -> None:
    found = drawn(feed_history({"": counts}, unsettled=unsettled), "threshold", above=1000, **fields)
    np.testing.assert_array_equal(found.course.values, values)
    assert len(found.course.starts) == len(counts), "the axis goes on to the present"


@pytest.mark.parametrize(
    ("history", "fields", "labels"),
    [
        (
            feed_history({"": [5, 5, 7, 0], "Model=a": [3, 3, 0, 0], "Model=b": [2, 2, 7, 0]}, unsettled=[1, 2, 3]),
            {"for_each": "Model"},
            {"Model": "a"},
        ),
        (
            feed_history({"ana@x": [3, 3, 0, 0], "bo@x": [2, 2, 7, 0]}, MEMBER_DAYS, unsettled=[1, 2, 3]),
            {"for_each": "member", "bucket": "1d"},
            {"member": "ana@x"},
        ),
    ],
)
def test_a_series_without_usage_is_at_zero_while_others_of_its_feed_arrive(
    history: FeedHistory, fields: dict[str, str], labels: dict[str, str]
) -> None:
    found = drawn(history, "threshold", labels=labels, above=50, **fields)
    np.testing.assert_array_equal(found.course.values, [3, 3, 0, NAN])


def test_what_is_judged_is_judged_whatever_is_drawn() -> None:
    history = feed_history({"": [9, 9, 9, 9, 0, 0, 0]}, unsettled=[4, 5, 6])
    [shade] = drawn(history, "threshold", window="2h", above=8).shades
    assert (shade.from_at, shade.until_at) == (at(0), None)
    settled = feed_history({"": [9, 9, 9, 9, 0, 0, 0, 0]})
    [over] = drawn(settled, "threshold", window="2h", above=8).shades
    assert over.until_at == at(5)


def test_an_alert_that_goes_on_has_no_end() -> None:
    [shade] = drawn(feed_history({"": [1, 1, 9, 9]}), "threshold", above=5).shades
    assert shade.until_at is None


def test_of_nothing_there_is_no_chart() -> None:
    assert charted(made("threshold", above=1), feed_history({"": [1, 2]}), at(5), UTC_FILE, {}) is None
    nobody = {"member": "nobody@example.com"}
    assert charted(made("threshold", above=1), feed_history({"": [1, 2]}), at(0), UTC_FILE, nobody) is None


def test_one_of_several_series_is_drawn() -> None:
    history = feed_history({"": [3, 3, 3], "Model=a": [1, 1, 1], "Model=b": [2, 2, 2]})
    found = drawn(history, "threshold", for_each="Model", above=50, labels={"Model": "b"})
    assert found.course.values.tolist() == [2, 2, 2]


def test_durations_are_drawn_in_minutes_and_only_where_there_were_tasks() -> None:
    tasks = Feed("task_durations", HOUR)
    history = feed_history({"": [30, 0, 30], "Task Duration=1-5 min": [30, 0, 30]}, tasks)
    found = drawn(history, "threshold", dataset="task_durations", statistic="p50", above="30m")
    assert found.what == "minutes (p50 of tasks) in 1 h"
    assert np.isnan(found.course.values).tolist() == [False, True, False]
    assert found.levels == [Level(30, WARNING)]


@pytest.mark.parametrize("method", ["seasonal", "robust"])
def test_a_zscore_is_drawn_with_what_is_usual(method: str) -> None:
    counts = [100 + hour % 7 for hour in range(24 * 60)]
    counts[-1] = 9000
    found = drawn(feed_history({"": counts}), "zscore", 24 * 57, method=method)
    assert found.band is not None
    assert found.what == "credits in 1 h"
    assert len(found.course.values) == len(found.band.low) == len(found.band.high) == 72
    assert found.course.values[-1] == 9000
    assert (found.band.low <= 107).all()
    assert (found.band.high >= 100).all()
    assert not found.levels
    assert found.shades[-1].severity is CRITICAL


@pytest.mark.parametrize(
    ("kind", "fields"),
    [("absence", {"quiet_for": "3h"}), ("novelty", {"for_each": "Model"})],
)
def test_what_is_quiet_or_new_is_drawn_as_it_was_used(kind: str, fields: dict[str, Any]) -> None:
    counts = [0] * 24 * 20 + [5, 0, 0, 0, 0]
    labels = {"Model": "a"} if kind == "novelty" else {}
    found = drawn(feed_history({"": counts, "Model=a": counts}), kind, 24 * 20 - 1, labels, **fields)
    assert found.course.values.tolist() == [0, 5, 0, 0, 0, 0]
    assert len(found.shades) >= 1


def test_a_rolling_budget_is_drawn_with_its_levels() -> None:
    history = feed_history({"": [10] * 40}, DAILY)
    found = drawn(history, "budget", 24 * 30, bucket="1d", limit=1000, period={"rolling": "30d"})
    assert found.what == "credits in 30 d"
    assert found.course.values.tolist() == [300.0] * 10
    assert found.levels[-1] == Level(1000, CRITICAL, "100 %")


def test_a_period_of_a_budget_is_drawn_as_what_is_spent() -> None:
    found = drawn(feed_history({"": [10] * 40}, DAILY), "budget", bucket="1d", limit=1000, period="month", burn="off")
    assert found.what == "credits spent"
    assert found.course.values.tolist()[:3] == [10, 20, 30]


def test_episodes_are_those_of_all_that_was_judged() -> None:
    rule = made("threshold", above=5)
    assert isinstance(rule, ThresholdRule)
    history = feed_history({"": [9, 1, 1, 1, 1, 1, 9]}, HOURLY)
    found = list(episodes(rule, rule.judge_whole(history, at(0), UTC_FILE), UTC_FILE))
    assert [(each.from_at, each.until_at) for each in found] == [(at(0), at(1)), (at(6), None)]
