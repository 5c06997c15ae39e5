"""How long usage has been out of the usual on one side: after some days it is the new usual."""

from __future__ import annotations

import numpy as np

from usage_watch.core.series import Flags, Floats, Ints
from usage_watch.core.stats.seasonal.deviance import Singles
from usage_watch.core.stats.seasonal.noise import DOWN, UP

_CLEARLY = 0.9
"""An addition must miss what came by less than such a part of what a multiple does."""
_APART = 4
"""So many times as much must be usual in one bucket as in another: of a few office hours nobody can tell."""


def evenly_more(came: Singles, usual: Singles, mask: Flags) -> Floats:
    """How much more came in each bucket alike, where that explains it better than a multiple of the usual; else 0.

    A job that runs day and night is as much at night, when little is usual; a launch is a multiple at any hour. Of what
    was never used there is neither. `came` and `usual` are 0 where `mask` is not set: all (n, series). Shape (series,).
    """
    known, total, expected = (each.sum(axis=0, dtype=np.float64) for each in (mask, came, usual))
    more = (total - expected) / np.maximum(known, 1)
    multiple = usual * (total / np.maximum(expected, 1))
    added = (usual + more) * mask
    beside, times = (((came - each) ** 2 / np.maximum(each, 1)).sum(axis=0) for each in (added, multiple))
    most, least = usual.max(axis=0, initial=0), np.where(mask, usual, np.inf).min(axis=0, initial=np.inf)
    told_apart = (expected >= 1) & (most >= _APART * least)
    even = told_apart & (more > 0) & (beside < _CLEARLY * times)
    return np.where(even, more, 0.0)


class Runs:
    """Days on end, of each series and side, that were out of the usual as a whole; moves in place."""

    def __init__(self, series: int) -> None:
        self._days = np.zeros((2, series), dtype=np.int64)

    def add(self, deviation: Singles, least: float) -> None:
        """The next day: deviations of the longest window at its end, shape (series,); 0 where nothing is known."""
        self._days += 1
        self._days[UP, deviation < least] = 0
        self._days[DOWN, deviation > -least] = 0

    def lasting(self, days: int) -> Flags:
        """Which series have been out of the usual for so many days. Shape (series,)."""
        up, down = self._days >= days
        lasting: Flags = np.logical_or(up, down)
        return lasting

    def forget(self, which: Ints) -> None:
        """Begin anew, where there is a new usual."""
        self._days[:, which] = 0
