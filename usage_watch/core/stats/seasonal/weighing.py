"""From deviations to scores: tails scaled, and the windows and sides made comparable."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from usage_watch.core.series import Flags, Floats
from usage_watch.core.stats.seasonal.deviance import Singles, deviation
from usage_watch.core.stats.seasonal.judged import NO_WINDOW
from usage_watch.core.stats.seasonal.noise import DOWN, TAIL, UP
from usage_watch.core.stats.seasonal.tuning import Tuning


class Weighing:
    """What was learned of the spread, so that it goes with arrays of shape (windows, n, series).

    Single precision is enough for deviations, and twice as fast.
    """

    def __init__(self, tuning: Tuning, spreads: Floats, slopes: Floats) -> None:
        """`spreads`: shape (windows, series); `slopes`: of the tails, shape (windows, 2, series)."""
        self.spreads, self.slopes = spreads.copy(), slopes
        self._noise = spreads[:, None].astype(np.float32)
        down, up = (self._noise / _by_window(tuning, side, "spread") for side in (DOWN, UP))
        self._successes, self._more_up = down, up - down
        self._scales = _scales(tuning)

    def deviations(self, came: Singles, expected: Singles, over: Flags) -> Singles:
        """Standard deviations from what was expected; `over`: where more came than is usual."""
        successes = self._more_up * over
        successes += self._successes
        return deviation(came, expected, self._noise, successes)

    def best(self, deviations: Singles, news: Flags, whole: Flags) -> tuple[Singles, NDArray[np.int8]]:
        """The highest score up and down, at least 0, and whose it is: shape (2, n, series) each.

        `news`: which deviations are scored: mostly few, so that they are looked at one by one. `whole`: which windows
        are settled. What is not may still grow: it can be too much already, but not too little.
        """
        at = np.flatnonzero(news)
        z = deviations.ravel()[at]
        side = np.where(z < 0, DOWN, UP)
        z = np.abs(z) * (whole.ravel()[at] | (side == UP))
        _, n, series = deviations.shape
        index, cell = np.divmod(at, n * series)
        slope = self.slopes[index, side, cell % series]
        scores = (np.minimum(z, TAIL + (z - TAIL) * slope) / self._scales[index, side]).astype(np.float32)
        place = side * (n * series) + cell
        best = np.zeros(2 * n * series, dtype=np.float32)
        np.maximum.at(best, place, scores)
        windows = np.full(best.shape, NO_WINDOW, dtype=np.int8)
        won = np.flatnonzero((scores == best[place]) & (scores > 0))[::-1]
        # Of windows with the same score the first is written last.
        windows[place[won]] = index[won]
        return best.reshape(2, n, series), windows.reshape(2, n, series)


@cache
def _scales(tuning: Tuning) -> Singles:
    return np.stack([_by_window(tuning, side, "scale")[:, 0, 0] for side in (UP, DOWN)], axis=1)


@cache
def _by_window(tuning: Tuning, side: int, what: str) -> Singles:
    values = [getattr((window.up, window.down)[side], what) for window in tuning.windows]
    return np.array(values, dtype=np.float32)[:, None, None]
