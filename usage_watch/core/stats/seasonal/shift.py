"""How long usage has been out of the usual on one side: after some days it is the new usual."""

from __future__ import annotations

import numpy as np

from usage_watch.core.series import Flags, Ints
from usage_watch.core.stats.seasonal.deviance import Singles
from usage_watch.core.stats.seasonal.noise import DOWN, UP


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
