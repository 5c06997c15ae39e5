"""How much it was in all, and how it stands now."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.builders import DAILY, at, feed_history
from tests.rules.making import UTC_FILE, made
from usage_watch.core.series import FeedHistory
from usage_watch.core.units import to_epoch

COUNTS = [10, 20, 30, 40, 50]


def said(history: FeedHistory, **fields: Any) -> tuple[float | None, str | None]:
    """What was counted in the second and third hour, and how it stands at the end."""
    rule = made(fields.pop("kind", "threshold"), **{"above": 5, **fields})
    (found,) = rule.judge(history, at(1), UTC_FILE)
    return rule.whole(found, to_epoch(at(1)), to_epoch(at(3))), rule.latest(found)


def test_in_all_it_is_the_sum_of_the_buckets_whatever_the_window() -> None:
    history = feed_history({"": COUNTS})
    assert said(history) == (50.0, "50 credits in 1 h")
    assert said(history, window="3h") == (50.0, "120 credits in 3 h")


def test_what_is_not_known_is_not_how_it_stands() -> None:
    assert said(feed_history({"": COUNTS}, holes=[-1])) == (50.0, "40 credits in 1 h")
    assert said(feed_history({"": COUNTS}, holes=range(5))) == (0.0, None)


def test_a_zero_that_may_still_grow_is_not_how_it_stands() -> None:
    """`Now: 0 credits in 1 h`, of a job that runs on, would only say that the source is late."""
    counts = [10, 20, 30, 40, 0]
    assert said(feed_history({"": counts}, unsettled=[3, 4])) == (50.0, "40 credits in 1 h")
    assert said(feed_history({"": counts})) == (50.0, "0 credits in 1 h")


def test_shares_have_no_sum() -> None:
    history = feed_history({"": [100] * 5, "Model=a": COUNTS})
    assert said(history, for_each="Model", statistic="share") == (None, "50 % of credits in 1 h")


@pytest.mark.parametrize("dataset", ["daily_active_users", "brand_new"])
def test_what_cannot_be_added_up_has_no_sum(dataset: str) -> None:
    rule = made("threshold", dataset=dataset, bucket="1d", above=5)
    (found,) = rule.judge(feed_history({"": COUNTS}, DAILY), at(24), UTC_FILE)
    assert rule.whole(found, to_epoch(at(24)), to_epoch(at(72))) is None


def test_a_period_says_itself_how_it_stands() -> None:
    rule = made("budget", limit=100, period="day")
    (found, *_) = rule.judge(feed_history({"": COUNTS}), at(0), UTC_FILE)
    assert (rule.whole(found, to_epoch(at(1)), to_epoch(at(3))), rule.latest(found)) == (None, None)
