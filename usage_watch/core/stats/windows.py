"""Trailing windows over the buckets of a series."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from usage_watch.core.series import Flags, Ints

Number = TypeVar("Number", np.int64, np.float64)


def trailing_sum(values: NDArray[Number], buckets: int) -> NDArray[Number]:
    """For each bucket the sum over it and the `buckets - 1` before it; shape (n, …) as given, summed along axis 0.

    At the start the window holds what there is: for counts a lower bound.
    """
    sums = np.cumsum(values, axis=0)
    sums[buckets:] = sums[buckets:] - sums[:-buckets]
    return sums


def all_true(flags: Flags, buckets: int) -> Flags:
    """For each bucket whether it and the `buckets - 1` before it are all true; false where the window is not whole."""
    missing: Ints = trailing_sum((~flags).astype(np.int64), buckets)
    whole: Flags = missing == 0
    whole[: buckets - 1] = False
    return whole
