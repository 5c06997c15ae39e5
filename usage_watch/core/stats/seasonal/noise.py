"""How far from the usual is usual: learned of each series, window and side from the deviations that it had.

No squares: a spread that follows mean absolute deviations, capped, hardly moves with anomalies. What the spread does
not say of rare deviations, the tail says: by how much they exceed `TAIL` on average, beside what they would if they
were normally distributed.
"""

from __future__ import annotations

import numpy as np

from usage_watch.core.series import Flags, Floats, Ints
from usage_watch.core.stats.seasonal.deviance import Singles

UP, DOWN = 0, 1
"""Sides, as they index arrays."""
TAIL = 1.5
"""Deviation from which on the tail is learned, in standard deviations."""
LIGHT = 0.44
"""The mean excess over `TAIL` of normally distributed deviations."""
_PRIOR_EXCESS = 0.6
_PRIOR_COUNT = 15.0
"""What is thought of a tail before it was seen: its mean excess, and how many deviations that is worth."""
_EXCESS_CAP = 4.0
_TAIL_KEEPS = 0.98
"""What is left of a day's tail after another one."""
_CAP = 3.0
_MEAN = 0.78
"""The mean absolute value of normally distributed deviations, capped."""
_STEP = 0.08
_LEAST, _MOST = 0.05, 1e7
_WIDENS = 10.0
"""At most so many times: a series that was asleep does not say how its usage spreads."""


class Noise:
    """The spread and tails of each window and series; moves in place."""

    def __init__(self, windows: tuple[int, ...], series: int) -> None:
        self.spread = np.ones((len(windows), series))
        """Variance over the mean, as far as counts average out. Shape (windows, series)."""
        self.days = np.zeros(series)
        """Days that were learned. Shape (series,)."""
        self._steps = np.zeros(series)
        self._tails = np.zeros((len(windows), 2, 2, series))
        # The windows of a day overlap: 24 of 24 h say little more than one.
        self._worth = np.array(windows, dtype=np.float64)[:, None] ** -0.5

    def begin(self, squares: Singles, expected: Singles, which: Flags) -> None:
        """Guess the spread of the series of `which` from squared deviations; arguments of shape (n, series), (series,).

        What was measured with a guessed spread teaches a spread, but no tail.
        """
        total, known = (each.sum(axis=0, dtype=np.float64) for each in (squares, expected))
        which = which & (known > 0)
        moments = np.divide(total, known, out=np.ones_like(total), where=which)
        guessed = np.clip(self.spread + (moments - self.spread) / (self.days + 1), _LEAST, _MOST)
        self.spread = np.where(which, guessed, self.spread)
        self.days += which

    def widen(self, which: Ints, ratio: Floats) -> None:
        """Of a level that has grown by `ratio`, shape (of which,), expect that its spread grew with it."""
        self.spread[:, which] = np.clip(self.spread[:, which] * np.clip(ratio, 1, _WIDENS), _LEAST, _MOST)

    def learn(self, z: Singles, masks: Flags) -> None:
        """Learn a day's deviations where the masks are set; both of shape (windows, n, series)."""
        seen = _count(masks)
        if not masks.all():
            z = z * masks
        size = np.abs(z)
        mean = _total(np.clip(size, 0, _CAP, out=size))
        ratio = np.divide(mean, seen * _MEAN, out=np.ones_like(seen), where=seen > 0)
        step = np.maximum(_STEP, 1 / (self._steps + 2))
        self.spread = np.clip(self.spread * np.exp(step * (ratio - 1)), _LEAST, _MOST)
        self._tails *= _TAIL_KEEPS
        for side, excess, beyond in (
            (UP, _total(np.clip(z, TAIL, TAIL + _EXCESS_CAP, out=size)), z > TAIL),
            (DOWN, -_total(np.clip(z, -TAIL - _EXCESS_CAP, -TAIL, out=size)), z < -TAIL),
        ):
            self._tails[:, side, 0] += (excess - TAIL * z.shape[1]) * self._worth
            self._tails[:, side, 1] += _count(beyond) * self._worth
        self._steps += seen[0] > 0
        self.days += seen[0] > 0

    def slopes(self) -> Floats:
        """What deviations beyond `TAIL` are multiplied by, up and down: at most 1. Shape (windows, 2, series)."""
        excess, count = self._tails[:, :, 0], self._tails[:, :, 1]
        mean = (excess + _PRIOR_COUNT * _PRIOR_EXCESS) / (count + _PRIOR_COUNT)
        return LIGHT / np.maximum(mean, LIGHT)


def untamed(score: Floats, slope: Floats) -> Floats:
    """The deviations that have these scores."""
    return np.where(score > TAIL, TAIL + (score - TAIL) / slope, score)


def _total(values: Singles) -> Singles:
    """The sum over a day's buckets, shape (windows, series): in their order, also of a series that is alone."""
    total: Singles = values.sum(axis=1) if values.shape[2] > 1 else np.cumsum(values, axis=1)[:, -1]
    return total


def _count(flags: Flags) -> Singles:
    """How many of a day's buckets are set, shape (windows, series): a day has too few for a byte to overflow."""
    counts: Singles = flags.sum(axis=1, dtype=np.uint8).astype(np.float32)
    return counts
