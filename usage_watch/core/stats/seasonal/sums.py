"""Sums over windows: each window is made of the one before, so that it costs little however long it is.

Nothing is subtracted, so single precision is enough; and how a sum is made does not depend on how many buckets are
added at once.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from usage_watch.core.series import Flags, Floats, Ints
from usage_watch.core.stats.seasonal.deviance import Singles

Kind = TypeVar("Kind", np.float32, np.bool_)

_AMOUNTS, _FLAWS = 3, 2
UNSETTLED, UNTAUGHT = range(_FLAWS)
"""What is wrong with a bucket: it may change, or is not learned."""


class Sums:
    """The buckets of a day, and as many before it as the longest window needs."""

    def __init__(self, lengths: tuple[int, ...], by_day: int, series: int) -> None:
        """`lengths`: buckets of each window, each a multiple of the one before."""
        self._lengths = lengths
        self._before = lengths[-1]
        rows = self._before + by_day
        self._amounts = np.zeros((_AMOUNTS, rows, series), dtype=np.float32)
        # Nothing is known of what was before: a window that reaches there is not whole.
        self._flaws: Flags = np.ones((_FLAWS, rows, series), dtype=bool)
        self._end = self._before
        self._added = 0

    def roll(self) -> None:
        """Begin a day: forget what no window needs any more."""
        kept = slice(self._end - self._before, self._end)
        self._amounts[:, : self._before] = self._amounts[:, kept]
        self._flaws[:, : self._before] = self._flaws[:, kept]
        self._end = self._before

    def add(self, counts: Floats, usual: Singles, low: Singles, unsettled: Flags, untaught: Flags) -> None:
        """The next buckets of the day; arrays of shape (n, series)."""
        rows = slice(self._end, self._end + len(counts))
        self._amounts[0, rows], self._amounts[1, rows], self._amounts[2, rows] = counts, usual, low
        self._flaws[UNSETTLED, rows], self._flaws[UNTAUGHT, rows] = unsettled, untaught
        self._end, self._added = rows.stop, len(counts)

    def forget(self, which: Ints) -> None:
        """Let the windows of the series of `which` begin with the next bucket: of those before nothing is left."""
        self._amounts[:, : self._end, which] = 0
        # What is forgotten is no flaw of a window, but for teaching.
        self._flaws[UNSETTLED][: self._end, which] = False
        self._flaws[UNTAUGHT][: self._end, which] = True

    def amounts(self) -> Singles:
        """What came, was usual and the least that was, in the windows that end with each of the buckets added last.

        Shape (3, windows, n, series).
        """
        return self._over(self._amounts, np.add)

    def without(self) -> Flags:
        """Which of these windows have no bucket with a flaw: (2, windows, n, series)."""
        return ~self._over(self._flaws, np.logical_or)

    def last(self) -> Singles:
        """What was usual and the least that was, of the buckets before the next one: shape (2, longest, series)."""
        return self._amounts[1:, self._end - self._before : self._end]

    def _over(self, values: NDArray[Kind], join: np.ufunc) -> NDArray[Kind]:
        parts, length = values[:, self._end - self._added - self._before + 1 : self._end], 1
        found = np.empty((len(values), len(self._lengths), self._added, values.shape[2]), dtype=values.dtype)
        for index, buckets in enumerate(self._lengths):
            if buckets > length:
                parts, length = _joined(parts, length, buckets, join), buckets
            found[:, index] = parts[:, parts.shape[1] - self._added :]
        return found


def _joined(parts: NDArray[Kind], length: int, buckets: int, join: np.ufunc) -> NDArray[Kind]:
    """Windows of so many buckets from those of `length`, along the second axis: it gets shorter by the difference."""
    n = parts.shape[1] - (buckets - length)
    whole: NDArray[Kind] = join(parts[:, :n], parts[:, length : length + n])
    for first in range(2 * length, buckets, length):
        join(whole, parts[:, first : first + n], out=whole)
    return whole
