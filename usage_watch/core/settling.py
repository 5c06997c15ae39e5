"""Which buckets are not expected to change any more: the source syncs late and says nothing about it."""

from __future__ import annotations

import numpy as np

from usage_watch.core.series import HOUR, Flags, Ints

GIVEN_UP_AFTER = 48 * HOUR
"""Age in seconds, from a bucket's end, at which it counts as complete whatever it holds."""


def settled(starts: Ints, totals: Ints, seen_at: Ints, width: int) -> Flags:
    """Flags the fetched buckets of one feed that are settled: a later one holds usage, or they were seen old enough.

    `starts` ascend; `seen_at` is when each bucket was last seen, not the present: a zero that was seen young and never
    fetched again stays open. Times in epoch seconds, `width` in seconds. Shapes (n,), n may be 0.
    """
    overtaken = np.zeros(len(starts), dtype=bool)
    used = np.flatnonzero(totals)
    if len(used):
        overtaken[: used[-1]] = True
    grown_old: Flags = seen_at - (starts + width) >= GIVEN_UP_AFTER
    return overtaken | grown_old
