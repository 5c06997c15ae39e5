"""One feed's values beside another's."""

from __future__ import annotations

import numpy as np
import pytest

from usage_watch.core.series import HOUR
from usage_watch.core.stats.grids import on_grid


@pytest.mark.parametrize(
    ("first", "values", "found"),
    [
        (0, [1, 2, 3], [1, 2, 3]),
        (1, [1, 2], [0, 1, 2]),
        (2, [1, 2], [0, 0, 1]),
        (-1, [1, 2, 3, 4, 5], [2, 3, 4]),
        (-2, [1, 2, 3], [3, 0, 0]),
        (-3, [1, 2, 3], [0, 0, 0]),
        (3, [1, 2, 3], [0, 0, 0]),
        (0, [], [0, 0, 0]),
    ],
)
def test_what_two_grids_share_is_taken_over(first: int, values: list[int], found: list[int]) -> None:
    grid = HOUR * np.arange(100, 103, dtype=np.int64)
    starts = HOUR * (100 + first + np.arange(len(values), dtype=np.int64))
    assert on_grid(grid, starts, np.array(values, dtype=np.int64)).tolist() == found
    assert on_grid(grid, starts, np.array(values, dtype=np.int64) > 0).tolist() == [each > 0 for each in found]
    assert on_grid(grid[:0], starts, np.array(values, dtype=np.int64)).tolist() == []
