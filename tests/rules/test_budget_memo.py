from __future__ import annotations

import numpy as np

from usage_watch.core.series import Floats
from usage_watch.core.stats.forecast import Forecast, Rest, forecast
from usage_watch.rules.budget.memo import Memo

REST = Rest(np.arange(5) % 7, np.ones(5))


def asked(memo: Memo, usage: Floats, limit: float = 500, rest: Rest = REST) -> Forecast:
    budgets = usage.shape[1]
    return memo.forecast(usage, np.arange(len(usage)) % 7, rest, np.zeros(budgets), np.full(budgets, limit))


def usage(seed: int, budgets: int = 1) -> Floats:
    return np.random.default_rng(seed).poisson(90, (58, budgets)).astype(np.float64)


def test_it_answers_as_the_forecast_does() -> None:
    plain = forecast(usage(1), np.arange(58) % 7, REST, np.zeros(1), np.full(1, 500.0))
    assert asked(Memo(), usage(1)).over == plain.over


def test_the_same_numbers_are_forecast_once() -> None:
    memo = Memo()
    assert asked(memo, usage(1)) is asked(memo, usage(1))


def test_other_numbers_are_another_forecast() -> None:
    memo = Memo()
    first, cut = asked(memo, usage(1)), Rest(REST.weekdays, np.array([1, 1, 1, 1, 0.5]))
    others = [asked(memo, usage(2)), asked(memo, usage(1), 501), asked(memo, usage(1), rest=cut)]
    assert all(each is not first for each in others)


def test_the_oldest_are_forgotten_and_made_anew() -> None:
    memo = Memo(most=10)
    kept = {seed: asked(memo, usage(seed, 4)) for seed in (1, 2)}
    assert asked(memo, usage(1, 4)) is kept[1]
    asked(memo, usage(3, 4))
    assert asked(memo, usage(1, 4)) is kept[1]
    again = asked(memo, usage(2, 4))
    assert again is not kept[2]
    assert (again.over == kept[2].over).all()


def test_more_than_it_should_keep_is_kept_until_the_next() -> None:
    memo = Memo(most=2)
    first = asked(memo, usage(1, 4))
    assert asked(memo, usage(1, 4)) is first
    asked(memo, usage(2))
    assert asked(memo, usage(1, 4)) is not first
