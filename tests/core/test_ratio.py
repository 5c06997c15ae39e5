"""What is usual of a share or a duration, and how far a window is from it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usage_watch.core.series import DAY, HOUR, Floats
from usage_watch.core.stats.bands import mean as mean_of
from usage_watch.core.stats.bands import parse_band, quantile, share, share_over
from usage_watch.core.stats.ratio import score_ratio
from usage_watch.core.stats.rolling import Scores

MONTH = 28 * DAY
NAMES = ["<1m", "1-5 min", "5-15m", "15m-1h", "1h+"]
BANDS = [band for name in NAMES if (band := parse_band(name)) is not None]
USUAL = [0.1, 0.5, 0.25, 0.13, 0.02]
SLOW = [0.04, 0.26, 0.35, 0.28, 0.07]


def of_share(slow: Floats, tasks: Floats, usable: Floats | None = None) -> Scores:
    """Hours in which so many of so many tasks were slow, scored by their share."""
    found = share(slow, tasks)
    n = len(slow)
    learned = np.ones(n, dtype=bool) if usable is None else usable.astype(bool)
    starts = HOUR * np.arange(n, dtype=np.int64)
    return score_ratio(starts, np.nan_to_num(found.values), found.variances, tasks, learned, HOUR, MONTH)


def hours(n: int, tasks: float, slow: float) -> tuple[Floats, Floats]:
    return np.full(n, slow), np.full(n, tasks)


def drawn(seed: int, per_hour: int, days: int = 60, slower_from: int | None = None) -> Floats:
    """Tasks by band and hour, shape (bands, n): from an hour on all took twice as long."""
    rng, n = np.random.default_rng(seed), 24 * days
    tasks = rng.poisson(per_hour, n)
    usual = np.array([rng.multinomial(each, USUAL) for each in tasks])
    slow = np.array([rng.multinomial(each, SLOW) for each in tasks])
    late = np.arange(n) >= (n if slower_from is None else slower_from)
    return np.where(late[:, None], slow, usual).T.astype(np.float64)


def scores(table: Floats, statistic: str) -> Floats:
    tasks = table.sum(axis=0)
    found = {"mean": mean_of(BANDS, table), "p50": quantile(BANDS, table, 50), "over": share_over(BANDS, table, 900)}
    values, n = found[statistic], table.shape[1]
    starts = HOUR * np.arange(n, dtype=np.int64)
    return score_ratio(starts, np.nan_to_num(values.values), values.variances, tasks, tasks >= 20, HOUR, MONTH).scores


# ---- baselines -------------------------------------------------------------------------------------------------------


def test_a_baseline_needs_three_days_that_are_two_days_over() -> None:
    found = of_share(*hours(24 * 7, 100, 10))
    assert np.flatnonzero(~np.isnan(found.centers))[0] == 24 * 5
    assert np.isnan(found.spreads[: 24 * 5]).all()
    assert (found.scores[: 24 * 5] == 0).all()
    assert found.centers[24 * 5 :] == pytest.approx(np.full(48, 10.0))


def test_what_is_not_usable_is_not_learned() -> None:
    slow, tasks = hours(24 * 10, 100, 10)
    usable = np.ones(len(slow))
    slow[24:72], usable[24:72] = 90, 0
    assert of_share(slow, tasks, usable).centers[24 * 8 :] == pytest.approx(np.full(48, 10.0))


def test_windows_of_nothing_have_no_score_and_teach_nothing() -> None:
    slow, tasks = hours(24 * 10, 100, 10)
    slow[24 * 9 :: 2], tasks[24 * 9 :: 2] = 0, 0
    slow[12], tasks[12] = 0, 0
    found = of_share(slow, tasks)
    assert (found.scores[24 * 9 :: 2] == 0).all()
    assert not np.isnan(found.scores).any()
    assert found.centers[-1] == pytest.approx(10.0)


def test_of_an_empty_series_there_is_nothing_to_say() -> None:
    none = np.zeros(0)
    assert len(of_share(none, none).scores) == 0


def test_a_ratio_that_never_moves_has_no_score_where_it_stands() -> None:
    n = 24 * 10
    starts, still = HOUR * np.arange(n, dtype=np.int64), np.zeros(n)
    found = score_ratio(starts, still, still, still + 5, np.ones(n, dtype=bool), HOUR, MONTH)
    assert (found.scores == 0).all()


def test_a_few_windows_far_out_hardly_move_what_is_usual() -> None:
    table = drawn(1, 50)
    spoilt = table.copy()
    spoilt[:, 24 * 40 : 24 * 40 + 12] = np.array([0, 0, 0, 0, 50.0])[:, None]
    clean, after = scores(table, "mean")[24 * 50 :], scores(spoilt, "mean")[24 * 50 :]
    assert np.abs(clean - after).max() < 0.5


def test_what_lasts_becomes_usual() -> None:
    table = drawn(2, 100, days=60, slower_from=24 * 30)
    found = scores(table, "mean")
    assert np.median(found[24 * 31 : 24 * 33]) > 3
    assert abs(np.median(found[24 * 57 :])) < 1


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 24 * 20), st.integers(0, 100))
def test_what_comes_later_changes_nothing(until: int, seed: int) -> None:
    table = drawn(seed, 30, days=20)
    assert scores(table[:, :until], "mean") == pytest.approx(scores(table, "mean")[:until])


# ---- chance ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("slow", "tasks"), [(1, 1), (2, 2), (3, 5), (5, 5), (3, 20)])
def test_a_handful_of_slow_tasks_proves_nothing(slow: int, tasks: int) -> None:
    # Slow ones are one in a hundred.
    usual, of = hours(24 * 40, 100, 1)
    usual[-1], of[-1] = slow, tasks
    assert 0 < of_share(usual, of).scores[-1] < 6.5


@pytest.mark.parametrize("before", [1, 2, 3])
def test_one_slow_task_more_of_five_is_no_news(before: int) -> None:
    slow, tasks = hours(24 * 40, 5, before)
    slow[-1] += 1
    assert of_share(slow, tasks).scores[-1] < 2


def test_the_same_share_of_more_tasks_proves_more() -> None:
    found = []
    for tasks in (10, 100, 1000):
        slow, of = hours(24 * 40, 100, 10)
        slow[-1], of[-1] = tasks * 0.3, tasks
        found.append(of_share(slow, of).scores[-1])
    assert found == sorted(found)
    assert found[0] < 3 < 6.5 < found[2]


@pytest.mark.parametrize("statistic", ["mean", "p50", "over"])
def test_a_quiet_series_stays_below_six_and_a_half(statistic: str) -> None:
    worst = [float(np.abs(scores(drawn(seed, 30), statistic)).max()) for seed in range(10)]
    assert max(worst) < 6.5


@pytest.mark.parametrize("statistic", ["mean", "p50", "over"])
def test_tasks_that_take_twice_as_long_are_found_where_there_are_enough(statistic: str) -> None:
    found = [scores(drawn(seed, 400, slower_from=24 * 55), statistic)[24 * 55 : 24 * 55 + 3].max() for seed in range(5)]
    assert min(found) > 6.5
