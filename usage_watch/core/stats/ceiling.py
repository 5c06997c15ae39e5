"""How much a forecast can expect at most: a bound in one pass, so that only who comes near a limit is forecast."""

from __future__ import annotations

import numpy as np

from usage_watch.core.series import Floats, Ints
from usage_watch.core.stats.forecast import EMBARGO, HALF_LIFE, LEARNED, MOST

_WEEK = 7


def ceilings(history: Floats, first: int, rests: Ints) -> Floats:
    """What the medians of `forecast` leave for the rest of a period, from the end of each day from `first` on, at most.

    `history` (days, budgets) without gaps, none below 0; `rests`: days that are left after each of these days, shape
    (days - first,). Answers (days - first, budgets) in the history's unit; infinite where under a week is learned.
    """
    frontiers = np.arange(first, len(history))
    ages = frontiers[:, None] - EMBARGO - np.arange(len(history))
    weights = np.where((ages >= 0) & (ages < LEARNED), 2.0 ** (-np.maximum(ages, 0) / HALF_LIFE), 0.0)
    # The factors of any seven days in a row add up to 7. So the level's denominator holds at least 7 of the least
    # weight of each whole week that is learned, and the rest no more than 7 of each week that it begins.
    each_week = _WEEK * 2.0 ** (-(_WEEK * np.arange(LEARNED // _WEEK + 1) + _WEEK - 1) / HALF_LIFE)
    weeks = np.clip(frontiers + 1 - EMBARGO, 0, LEARNED) // _WEEK
    least = (np.cumsum(each_week) - each_week)[weeks]
    most = np.exp(MOST) * _WEEK * -(-rests // _WEEK)
    per_level = np.divide(most, least, out=np.full(len(frontiers), np.inf), where=least > 0)
    with np.errstate(invalid="ignore"):
        bound = per_level[:, None] * (weights @ history)
    return np.where(np.isnan(bound), np.inf, bound)
