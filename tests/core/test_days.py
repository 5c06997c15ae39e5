from __future__ import annotations

import numpy as np
import pytest

from tests.core.builders import DAILY, HOURLY, at, feed_history, key
from usage_watch.core.stats.days import in_days


def test_hours_are_whole_days() -> None:
    counts = {"": list(range(60)), "Model=opus": [1] * 60}
    days = in_days(feed_history(counts, start_at=at(-6), holes=[35], unsettled=[10], unanswered={"Model": [54]}))
    assert days.feed == DAILY
    assert days.starts.tolist() == [int(at(hours).timestamp()) for hours in (0, 24)]
    assert days.total().tolist() == [sum(range(6, 30)), sum(range(30, 54)) - 35]
    assert days.of(key(DAILY, "Model=opus")).tolist() == [24, 23]
    assert (days.fetched.tolist(), days.settled.tolist()) == ([True, False], [False, False])
    assert (days.aged.tolist(), days.known("Model").tolist()) == ([False, False], [True, False])


@pytest.mark.parametrize("hours", [0, 5, 23])
def test_less_than_a_day_is_none(hours: int) -> None:
    assert len(in_days(feed_history({"": [1] * hours}, HOURLY)).starts) == 0


def test_days_are_days() -> None:
    daily = feed_history({"": [1, 2]}, DAILY)
    assert np.array_equal(in_days(daily).total(), daily.total())
