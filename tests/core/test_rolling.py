from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.builders import START
from usage_watch.core.series import DAY, HOUR, Floats
from usage_watch.core.stats.rolling import EMBARGO, Scores, Spread, plain, robust, score

MIDNIGHT = int(START.timestamp())
METHODS = pytest.mark.parametrize("spread", [plain, robust])


def daily(values: list[float] | Floats, *, days: int = 7, limit: float = 4, spread: Spread = plain) -> Scores:
    """One bucket a day, all known."""
    n = len(values)
    starts = MIDNIGHT + DAY * np.arange(n, dtype=np.int64)
    counts = np.array(values, dtype=np.float64)
    return score(starts, counts, np.ones(n, dtype=bool), DAY, days * DAY, limit, spread)


def hourly(values: Floats, known: np.ndarray | None = None, *, days: int = 4, spread: Spread = plain) -> Scores:
    n = len(values)
    starts = MIDNIGHT + HOUR * np.arange(n, dtype=np.int64)
    return score(starts, values, np.ones(n, dtype=bool) if known is None else known, HOUR, days * DAY, 4, spread)


@pytest.mark.parametrize(
    ("spread", "center", "deviation"), [(plain, 4.0, 6.8**0.5), (robust, 3.0, 1.4826)], ids=["plain", "robust"]
)
def test_what_is_usual_is_a_center_and_a_spread(spread: Spread, center: float, deviation: float) -> None:
    assert spread(np.array([2.0, 2.0, 3.0, 4.0, 9.0])) == pytest.approx((center, deviation))


@METHODS
@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_with_too_little_history_there_is_no_baseline(spread: Spread, n: int) -> None:
    found = daily([100.0] * n, spread=spread)
    assert np.isnan(found.centers).all()
    assert np.isnan(found.spreads).all()
    assert found.scores.tolist() == [0.0] * n


@METHODS
def test_a_baseline_needs_three_known_days_that_are_two_days_over(spread: Spread) -> None:
    found = daily([100.0] * 7, spread=spread)
    assert np.isnan(found.centers).tolist() == [True] * 5 + [False] * 2
    assert found.centers[5:].tolist() == [100.0, 100.0]


@METHODS
def test_hours_of_one_day_share_the_baseline_of_that_day(spread: Spread) -> None:
    values = np.repeat(np.arange(1.0, 9), 24) * 100
    centers = hourly(values, days=3, spread=spread).centers.reshape(8, 24)
    assert np.isnan(centers[:5]).all()
    assert centers[5:].tolist() == [[200.0] * 24, [300.0] * 24, [400.0] * 24]


def test_known_hours_count_towards_three_days_wherever_they_lie() -> None:
    known = np.ones(24 * 10, dtype=bool)
    known[24:48] = False
    assert np.flatnonzero(~np.isnan(hourly(np.full(240, 7.0), known, days=9).centers))[0] == 24 * 6


def test_what_is_not_known_is_not_learned() -> None:
    values = np.full(24 * 10, 100.0)
    known = np.ones(len(values), dtype=bool)
    values[30:60], known[30:60] = 0, False
    assert np.nanmax(np.abs(hourly(values, known).centers - 100)) == 0


@METHODS
@pytest.mark.parametrize(("level", "least"), [(0.0, 1.0), (0.5, 1.0), (100.0, 10.0), (10_000.0, 100.0)])
def test_a_count_spreads_at_least_like_a_poisson_count(spread: Spread, level: float, least: float) -> None:
    found = daily([level] * 10 + [level + 3 * least], spread=spread)
    assert found.spreads[-1] == least
    assert found.scores[-1] == pytest.approx(3.0)


@METHODS
@given(values=st.lists(st.integers(0, 10_000), min_size=12, max_size=24), data=st.data())
@settings(max_examples=60, deadline=None)
def test_nothing_younger_than_two_days_changes_a_days_baseline(
    spread: Spread, values: list[int], data: st.DataObject
) -> None:
    hours = np.repeat(np.array(values, dtype=np.float64), 24)
    day = data.draw(st.integers(6, len(values) - 1))
    changed = hours.copy()
    first = 24 * day - EMBARGO // HOUR
    changed[first:] = np.array(data.draw(st.lists(st.integers(0, 99_999), min_size=3, max_size=3)))[
        np.arange(len(hours) - first) % 3
    ]
    before, after = (hourly(each, spread=spread) for each in (hours, changed))
    same_day = slice(0, 24 * (day + 1))
    assert np.array_equal(before.centers[same_day], after.centers[same_day], equal_nan=True)
    assert np.array_equal(before.spreads[same_day], after.spreads[same_day], equal_nan=True)


@METHODS
@given(values=st.lists(st.integers(0, 300), min_size=1, max_size=30), cut=st.integers(0, 30))
@settings(max_examples=80, deadline=None)
def test_scores_of_a_prefix_are_scores_of_the_whole(spread: Spread, values: list[int], cut: int) -> None:
    series = np.array(values, dtype=np.float64)
    whole, prefix = daily(series, spread=spread), daily(series[:cut], spread=spread)
    assert np.array_equal(prefix.scores, whole.scores[:cut])
    assert np.array_equal(prefix.centers, whole.centers[:cut], equal_nan=True)


def test_a_prefix_that_ends_within_a_day_has_the_scores_of_the_whole() -> None:
    values = np.random.default_rng(1).poisson(40, 24 * 14).astype(np.float64)
    values[200] = 500
    whole = hourly(values).scores
    for cut in (1, 24 * 8 + 5, 24 * 11):
        assert np.array_equal(hourly(values[:cut]).scores, whole[:cut])


def test_its_own_breaches_are_left_out_of_what_is_learned() -> None:
    values = [100.0] * 10 + [100_000.0] + [100.0] * 10
    found = daily(values, days=7)
    assert found.scores[10] > 1000
    assert set(found.centers[6:].tolist()) == {100.0}


@pytest.mark.parametrize(("value", "learned"), [(140.0, True), (141.0, False), (60.0, True), (59.0, False)])
def test_what_stands_exactly_at_the_limit_is_learned(value: float, learned: bool) -> None:
    centers = daily([100.0] * 10 + [value] + [100.0] * 4, days=7).centers
    assert (centers[13] != 100) == learned


def test_of_breaches_in_a_row_only_a_fourth_day_is_learned() -> None:
    found = daily([100.0] * 10 + [1000.0] * 12, days=7)
    assert set(found.centers[6:16].tolist()) == {100.0}
    # Days 10 to 12 are left out; day 13 was sustained and is learned two days later.
    assert found.centers[16] > 100
    assert found.scores[21] < 4
    assert found.centers[21] > 500


def test_three_days_of_hours_without_a_break_are_a_new_level() -> None:
    values = np.concatenate([np.full(24 * 10, 100.0), np.full(24 * 10, 400.0)])
    found = hourly(values, days=7)
    assert set(found.centers[24 * 6 : 24 * 15].tolist()) == {100.0}
    # Day 16 learns of days 7 to 13. Days 10 to 12 are left out; before each hour of day 13 stood 72 others.
    assert found.centers[24 * 16] == pytest.approx((3 * 100 + 400) / 4)


def test_a_break_starts_the_three_days_anew() -> None:
    values = np.concatenate([np.full(24 * 14, 100.0), np.full(24 * 6, 400.0)])
    values[24 * 16 :: 24] = 100
    assert set(hourly(values, days=10).centers[24 * 6 :].tolist()) == {100.0}


def test_a_swing_from_side_to_side_is_no_new_level() -> None:
    values = [1000.0] * 14 + [5000.0, 0.0] * 4
    assert set(daily(values, days=10).centers[6:].tolist()) == {1000.0}


def test_where_nothing_usual_is_left_what_comes_is_learned_anew() -> None:
    centers = daily([1000.0] * 14 + [5000.0, 0.0] * 10, days=7).centers
    silent = np.flatnonzero(np.isnan(centers[6:])) + 6
    assert silent.tolist() == list(range(21, 26))
    assert 0 < centers[-1] < 5000


def test_what_was_never_fetched_is_no_new_level() -> None:
    values = np.full(24 * 24, 100.0)
    values[24 * 14 : 24 * 19] = 0
    known = np.ones(len(values), dtype=bool)
    known[24 * 14 : 24 * 18] = False
    found = hourly(values, known, days=10)
    assert (found.scores[24 * 14 : 24 * 19] < -4).all()
    assert set(found.centers[24 * 6 :].tolist()) == {100.0}
