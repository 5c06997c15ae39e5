from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usage_watch.core.series import Floats
from usage_watch.core.stats.forecast import DRIFT, Forecast, Rest, Speaks, forecast, learn, told
from usage_watch.core.stats.student import cdf, quantile

WEEK = (100.0, 120, 110, 100, 80, 10, 0)
"""Monday to Sunday."""


def rest_of(days: int, first: int = 0, shares: Sequence[float] | None = None) -> Rest:
    return Rest((first + np.arange(days)) % 7, np.ones(days) if shares is None else np.array(shares))


def one(
    usage: Sequence[float] | Floats, *, spent: float = 0, limit: float = 1000, rest: Rest | None = None
) -> Forecast:
    """Of one budget whose history ends on a Sunday."""
    n = len(usage)
    weekdays = np.arange(-n, 0) % 7
    history = np.array(usage, dtype=np.float64)[:, None]
    return forecast(history, weekdays, rest or rest_of(10), np.array([spent]), np.array([float(limit)]))


def noisy(days: int, seed: int = 1, noise: float = 0.2) -> Floats:
    rng = np.random.default_rng(seed)
    return np.resize(WEEK, days) * np.exp(rng.normal(0, noise, days))


def test_a_regular_week_goes_on_as_it_was() -> None:
    found = one(WEEK * 8, spent=300, limit=1200)
    assert found.median == pytest.approx(300 + sum(WEEK) + sum(WEEK[:3]), rel=0.01)
    assert found.record == pytest.approx(0, abs=0.05)
    assert found.run_out[:, 0].tolist() == [9, 10, 10]
    assert found.pace == pytest.approx(90)


def test_what_is_always_the_same_still_drifts_a_little() -> None:
    found = one([100.0] * 56, rest=rest_of(30), limit=3100)
    spread = np.sqrt(np.log1p(DRIFT * 30 / 3))
    nu = (56 - 14) / 7
    assert found.median == pytest.approx(3000)
    assert found.high == pytest.approx(3000 * np.exp(quantile(0.9, nu) * spread))
    assert found.low == pytest.approx(3000 * np.exp(-quantile(0.9, nu) * spread))
    assert found.over == pytest.approx(1 - cdf(np.log(3100 / 3000) / spread, nu))


def test_the_last_two_days_are_not_learned() -> None:
    usage = noisy(60)
    other = usage.copy()
    other[-2:] = [9_999, np.nan]
    assert same(one(usage), one(other))


def test_nothing_older_than_56_learned_days_counts() -> None:
    usage = noisy(80)
    assert same(one(usage), one(usage[-58:]))
    assert one(usage).days == 58


def same(left: Forecast, right: Forecast) -> bool:
    return all(
        np.array_equal(getattr(left, name), getattr(right, name), equal_nan=True)
        for name in ("median", "low", "high", "over", "run_out", "pace", "record")
    )


@pytest.mark.parametrize(
    ("days", "speaks"),
    [(0, "no"), (2, "no"), (13, "no"), (14, "shown"), (27, "shown"), (28, "told"), (90, "told")],
)
def test_how_much_history_decides_what_is_said(days: int, speaks: str) -> None:
    found = one(noisy(days))
    assert found.speaks == Speaks(speaks)
    assert np.isnan(found.median[0]) == np.isnan(found.over[0]) == (speaks == "no")
    assert found.days == min(days, 58)


def test_without_a_forecast_a_reached_limit_is_still_reached() -> None:
    found = one(noisy(5), spent=1000)
    assert (found.over[0], found.pace[0], found.run_out[:, 0].tolist()) == (1.0, 0.0, [-1, -1, -1])
    assert np.isnan([found.median[0], found.low[0], found.high[0], found.record[0]]).all()


def test_without_a_forecast_and_with_room_nothing_runs_out() -> None:
    found = one(noisy(5), spent=100)
    assert np.isnan(found.over[0])
    assert found.run_out[:, 0].tolist() == [10, 10, 10]
    assert found.pace == pytest.approx(90)


@pytest.mark.parametrize("spent", [1000.0, 1500.0])
def test_a_reached_limit_is_certain(spent: float) -> None:
    found = one(noisy(40), spent=spent)
    assert (found.over[0], found.pace[0], found.run_out[:, 0].tolist()) == (1.0, 0.0, [-1, -1, -1])


@pytest.mark.parametrize(("spent", "over", "pace"), [(999.0, 0.0, np.inf), (1000.0, 1.0, 0.0)])
def test_a_period_without_days_left_ends_as_it_stands(spent: float, over: float, pace: float) -> None:
    found = one(noisy(40), spent=spent, rest=rest_of(0))
    assert (found.over[0], found.pace[0]) == (over, pace)
    assert (found.low[0], found.median[0], found.high[0]) == (spent, spent, spent)
    assert found.run_out[:, 0].tolist() == [0 if over == 0 else -1] * 3


def test_who_never_used_anything_is_expected_to_go_on_so() -> None:
    found = one([0.0] * 40)
    assert (found.median[0], found.high[0], found.over[0]) == (0.0, 0.0, 0.0)
    assert found.run_out[:, 0].tolist() == [10, 10, 10]
    assert np.isnan(found.record[0])


def test_one_huge_day_makes_the_forecast_unsure_and_not_infinite() -> None:
    usage = noisy(58)
    usage[30] = 1e6
    found, calm = one(usage), one(noisy(58))
    assert np.isfinite([found.low[0], found.high[0], found.record[0]]).all()
    assert found.high[0] / found.low[0] > 3 * calm.high[0] / calm.low[0]


def test_a_first_day_of_use_after_weeks_of_nothing_can_be_judged() -> None:
    found = one([0.0] * 54 + [500.0, 0, 0, 0], spent=500)
    assert 0 < found.over[0] < 1


def test_a_day_never_fetched_silences_its_own_budget_only() -> None:
    usage = np.stack([noisy(58), noisy(58, 2), noisy(58)], axis=1)
    usage[20, 1] = np.nan
    found = forecast(usage, np.arange(58) % 7, rest_of(10), np.zeros(3), np.full(3, 500.0))
    assert np.isnan(found.over).tolist() == [False, True, False]
    assert np.isnan([found.median[1], found.low[1], found.high[1], found.record[1]]).all()
    assert found.run_out[:, 1].tolist() == [10, 10, 10]
    assert found.over[0] == pytest.approx(found.over[2])


def test_a_cut_day_counts_by_what_is_left_of_it() -> None:
    usage = WEEK * 8
    whole, half = one(usage, rest=rest_of(2)), one(usage, rest=rest_of(2, shares=[0.25, 1]))
    assert whole.median == pytest.approx(220, rel=0.01)
    assert half.median == pytest.approx(145, rel=0.01)
    assert half.pace == pytest.approx(1000 / 1.25)
    nothing_yet = one(usage, rest=rest_of(2, shares=[0, 1]))
    assert nothing_yet.median == pytest.approx(120, rel=0.01)
    assert np.isfinite(nothing_yet.high[0])


def test_steady_growth_is_taken_for_no_accident() -> None:
    growing: Floats = 100 * 1.005 ** np.arange(58, dtype=np.float64)
    found = one(growing, rest=rest_of(20), limit=5000)
    level = growing[:56] @ 2.0 ** (-np.arange(55, -1, -1) / 10) / (2.0 ** (-np.arange(56) / 10)).sum()
    assert found.median[0] > 1.03 * 20 * level
    assert found.record[0] == pytest.approx(0.09, abs=0.03)


def test_the_record_is_what_four_of_five_week_long_forecasts_kept() -> None:
    quiet, loud = one(noisy(58, noise=0.05)), one(noisy(58, noise=0.5))
    assert 0 < quiet.record[0] < 0.1 < loud.record[0] < 1
    assert quiet.high[0] - quiet.low[0] < loud.high[0] - loud.low[0]


def test_noise_without_drift_and_drift_without_noise_are_told_apart() -> None:
    jitter = [100 + 30 * (-1) ** day for day in range(56)]
    noise = learn(np.array([jitter], dtype=np.float64).T, np.arange(56) % 7)
    # Its single days were as forecast and its three days were not.
    late = [100] * 7 + [600, 100, 100, 200, 200]
    drift = learn(np.array([late], dtype=np.float64).T, np.arange(12) % 7)
    assert noise.noise[0] > 0.05
    assert noise.drift[0] == DRIFT
    assert drift.noise[0] == 0
    assert drift.drift[0] > 0.1


def test_weekdays_seen_less_than_four_times_are_pulled_to_the_mean() -> None:
    model = learn(np.array(WEEK * 2)[:, None], np.arange(14) % 7)
    mean = sum(WEEK) / 7
    assert model.factors[:, 0] == pytest.approx([(2 * day + 2 * mean) / 4 / mean for day in WEEK])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(14, 70), st.floats(1, 3000), st.integers(1, 30))
def test_many_budgets_at_once_are_judged_like_each_alone(seed: int, days: int, limit: float, left: int) -> None:
    rng = np.random.default_rng(seed)
    usage = np.round(rng.gamma(0.3, 100, (days, 4)))
    spent, rest, weekdays = usage[-3:].sum(axis=0), rest_of(left), np.arange(days) % 7
    found = forecast(usage, weekdays, rest, spent, np.full(4, limit))
    for index in range(4):
        alone = forecast(usage[:, [index]], weekdays, rest, spent[[index]], np.array([limit]))
        for name in ("median", "low", "high", "over", "pace", "record"):
            expected = pytest.approx(getattr(alone, name)[0], rel=1e-9, abs=1e-9, nan_ok=True)
            assert getattr(found, name)[index] == expected


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.integers(14, 70), st.floats(1, 5000), st.integers(0, 30))
def test_what_is_forecast_is_in_order(seed: int, days: int, limit: float, left: int) -> None:
    rng = np.random.default_rng(seed)
    usage = np.round(rng.gamma(0.3, 100, days))
    found = one(usage, spent=float(usage[-3:].sum()), limit=limit, rest=rest_of(left))
    early, middle, late = found.run_out[:, 0].tolist()
    assert 0 <= found.over[0] <= 1
    assert usage[-3:].sum() <= found.low[0] <= found.median[0] <= found.high[0]
    assert -1 <= early <= middle <= late <= left
    assert (early, middle, late) == (-1, -1, -1) or (middle < left) == (found.median[0] >= limit)


@given(st.floats(0.01, 1000))
@settings(max_examples=25, deadline=None)
def test_the_unit_does_not_matter(factor: float) -> None:
    found, scaled = one(noisy(58), limit=700), one(noisy(58) * factor, limit=700 * factor)
    assert scaled.over == pytest.approx(found.over)
    assert scaled.median == pytest.approx(found.median * factor)


NAN = float("nan")


@pytest.mark.parametrize(
    ("over", "standing"),
    [
        ([0.9], "."),
        ([0.9, 0.9, 0.9], ".##"),
        ([0.9, 0.7, 0.9], "..."),
        ([0.8, 0.8, 0.7, 0.5, 0.7], ".####"),
        ([0.9, 0.9, 0.4, 0.9, 0.4, 0.6, 0.4], ".######"),
        ([0.9, 0.9, 0.4, 0.4, 0.9], ".##.."),
        ([0.9, NAN, 0.9, 0.9], "...#"),
        ([0.9, 0.9, 0.4, NAN, 0.4, 0.9], ".###.."),
        ([0.9, 0.9, 0.1, 0.1] * 3, ".##..##....."),
        ([0.9, 0.9, 1.0, 1.0], ".###"),
    ],
)
def test_what_is_told_stands_until_it_is_unlikely(over: list[float], standing: str) -> None:
    column = np.array(over)[:, None]
    found = told(column, np.ones_like(column, dtype=bool), 0.8)
    assert "".join("#" if day else "." for day in found[:, 0]) == standing


def test_where_it_may_not_be_told_it_begins_later_and_still_ends() -> None:
    over = np.array([0.9, 0.9, 0.9, 0.1, 0.1])[:, None]
    may = np.array([True, False, True, False, False])[:, None]
    assert told(over, may, 0.8)[:, 0].tolist() == [False, False, True, True, False]


def test_budgets_are_told_of_each_for_itself() -> None:
    over = np.array([[0.9, 0.1], [0.9, 0.9], [0.9, 0.9]])
    assert told(over, np.ones((3, 2), dtype=bool), 0.8).tolist() == [[False, False], [True, False], [True, True]]
