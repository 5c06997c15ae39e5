"""Values of one feed beside those of another."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from usage_watch.core.series import Ints

Value = TypeVar("Value", np.int64, np.bool_)


def on_grid(grid: Ints, starts: Ints, values: NDArray[Value]) -> NDArray[Value]:
    """One feed's values, shape (n,) as its `starts`, on another's grid of the same width; 0 or False where it has none.

    Neither has holes: what they share is one stretch of each.
    """
    found = np.zeros(len(grid), dtype=values.dtype)
    if len(grid) and len(starts):
        found[_within(grid, starts)] = values[_within(starts, grid)]
    return found


def _within(grid: Ints, other: Ints) -> slice:
    """Which part of a grid lies in another."""
    return slice(*np.searchsorted(grid, [other[0], other[-1] + 1]))
