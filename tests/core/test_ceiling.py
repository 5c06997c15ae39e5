from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from usage_watch.core.stats.ceiling import ceilings
from usage_watch.core.stats.forecast import SHOWN_FROM, Rest, forecast


@given(st.integers(0, 10**6), st.integers(SHOWN_FROM, 90), st.integers(0, 40), st.floats(0.05, 4))
@settings(max_examples=150, deadline=None)
def test_no_forecast_ever_expects_more(seed: int, days: int, left: int, noise: float) -> None:
    rng = np.random.default_rng(seed)
    week = rng.exponential(100, (7, 3)) * (rng.random((7, 3)) < 0.6)
    usage = np.floor(week[np.arange(days) % 7] * np.exp(rng.normal(0, noise, (days, 3))))
    rest = Rest(np.arange(days, days + left) % 7, np.ones(left))
    found = forecast(usage, np.arange(days) % 7, rest, np.zeros(3), np.ones(3))
    (most,) = ceilings(usage, days - 1, np.array([left]))
    assert (found.median <= most * (1 + 1e-9)).all()


def test_it_is_close_enough_to_leave_out_most() -> None:
    usage = np.full((60, 1), 100.0)
    (most,) = ceilings(usage, 59, np.array([21]))
    assert 2100 < most[0] < 2 * 2100


def test_each_day_has_its_own() -> None:
    usage = np.arange(40.0)[:, None]
    found = ceilings(usage, 30, np.arange(9, -1, -1))
    assert found.shape == (10, 1)
    assert found[-1, 0] == 0
    assert found[0, 0] == ceilings(usage[:31], 30, np.array([9]))[0, 0]


def test_of_less_than_a_learned_week_there_is_no_bound() -> None:
    found = ceilings(np.zeros((10, 1)), 7, np.array([5, 5, 5]))
    assert found[:, 0].tolist() == [np.inf, 0, 0]
