from __future__ import annotations

import numpy as np
import pytest

from usage_watch.core.series import HOUR
from usage_watch.core.settling import settled


@pytest.mark.parametrize(
    ("totals", "seen_after_hours", "expected"),
    [
        ([], [], []),
        ([5], [1], [False]),
        ([0, 5], [2, 2], [True, False]),
        ([5, 0, 0, 7, 0], [5] * 5, [True, True, True, False, False]),
        ([0, 0], [48, 49], [False, False]),
        ([0, 0], [49, 50], [True, True]),
        ([0, 0], [49, 5], [True, False]),
    ],
)
def test_a_bucket_settles_when_a_later_one_holds_usage_or_when_it_was_seen_old(
    totals: list[int], seen_after_hours: list[int], expected: list[bool]
) -> None:
    starts = HOUR * np.arange(len(totals), dtype=np.int64)
    seen_at = HOUR * np.array(seen_after_hours, dtype=np.int64)
    assert settled(starts, np.array(totals, dtype=np.int64), seen_at, HOUR).tolist() == expected
