from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage_watch.core.stats.windows import all_true, trailing_sum


@pytest.mark.parametrize(
    ("values", "buckets", "sums"),
    [
        ([], 1, []),
        ([], 3, []),
        ([5], 1, [5]),
        ([5], 3, [5]),
        ([1, 2, 3, 4], 1, [1, 2, 3, 4]),
        ([1, 2, 3, 4], 2, [1, 3, 5, 7]),
        ([1, 2, 3, 4], 4, [1, 3, 6, 10]),
        ([1, 2, 3, 4], 9, [1, 3, 6, 10]),
    ],
)
def test_a_window_sums_what_there_is(values: list[int], buckets: int, sums: list[int]) -> None:
    assert trailing_sum(np.array(values, dtype=np.int64), buckets).tolist() == sums


def test_several_series_are_summed_side_by_side() -> None:
    values = np.array([[1, 10], [2, 20], [3, 30]])
    assert trailing_sum(values, 2).tolist() == [[1, 10], [3, 30], [5, 50]]


@given(st.lists(st.integers(0, 10**6), max_size=30), st.integers(1, 40))
def test_sums_are_exact_and_leave_the_counts_alone(values: list[int], buckets: int) -> None:
    counts = np.array(values, dtype=np.int64)
    sums = trailing_sum(counts, buckets)
    assert sums.tolist() == [sum(values[max(0, end - buckets) : end]) for end in range(1, len(values) + 1)]
    assert counts.tolist() == values


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 40))
def test_a_window_is_true_only_where_it_is_whole_and_all_of_it_is(values: list[bool], buckets: int) -> None:
    flags = all_true(np.array(values, dtype=bool), buckets)
    expected = [end >= buckets and all(values[end - buckets : end]) for end in range(1, len(values) + 1)]
    assert flags.tolist() == expected
    assert flags.dtype == np.bool_
