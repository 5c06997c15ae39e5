"""What is usual at a time: the mean of the same weekdays and hours of the weeks before it, which are four.

It is learned of buckets at least six days older than those that it is compared with, long after they have settled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from usage_watch.core.series import DAY, Flags, Floats, Ints

WEEK = 7 * DAY
WEEKS = 4
"""How many weeks before a time its usual is the mean of, where nobody says another number."""
_HALF = 0.5
"""Share of a window's buckets that a week must hold to tell how much weeks differ."""


@dataclass(frozen=True, slots=True)
class Usual:
    """A window against the weeks before it, for c series at once."""

    actual: Floats
    """Sums over the window. Shape (c,)."""
    expected: Floats
    """What such a window usually holds. Shape (c,)."""
    weeks: Floats
    """What it held in each of the weeks before, gaps filled with the mean. Shape (w, c), none of them too many."""
    before: Floats
    """Sums over all that is known of the weeks before. Shape (c,)."""
    buckets: int
    """How many buckets of the weeks before are known, at least one."""


def against_weeks(
    starts: Ints, cells: Floats, learnable: Flags, wanted: Flags, since: int, width: int, weeks: int = WEEKS
) -> Usual | None:
    """Compare the `wanted` buckets (none before `since`, epoch seconds) with so many weeks before `since`.

    `starts` is a grid without holes of `width` seconds, shape (n,), as the flags are; `cells` has shape (n, c). Of what
    is not `learnable` nothing is learned. Where no week holds a bucket, the same hour of other days stands in, then any
    bucket. None where nothing is known of these weeks.
    """
    base = learnable & (starts >= since - weeks * WEEK) & (starts + width <= since)
    if not base.any():
        return None
    slots = np.flatnonzero(wanted)
    # A window longer than a week is compared with the last weeks before all of it, again and again.
    nearest = (starts[slots] - since) // WEEK + 1
    mates = slots[:, None] - (nearest[:, None] + np.arange(weeks)) * (WEEK // width)
    known = (mates >= 0) & base[np.maximum(mates, 0)]
    seen = cells[np.maximum(mates, 0)] * known[:, :, None]
    counted = known.sum(axis=1)
    means = seen.sum(axis=1) / np.maximum(counted, 1)[:, None]
    bare = counted == 0
    if bare.any():
        means[bare] = _same_hours(starts, cells, base, starts[slots[bare]])
    filled = np.where(known[:, :, None], seen, means[:, None, :])
    usable = known.sum(axis=0) >= max(1.0, _HALF * len(slots))
    return Usual(
        cells[slots].sum(axis=0),
        means.sum(axis=0),
        filled.sum(axis=0)[usable],
        cells[base].sum(axis=0),
        int(base.sum()),
    )


def _same_hours(starts: Ints, cells: Floats, base: Flags, wanted: Ints) -> Floats:
    """For each wanted start the mean of the same hour on any day, else of all there is. Shape (wanted, c)."""
    means = np.tile(cells[base].mean(axis=0), (len(wanted), 1))
    for hour in np.unique(wanted % DAY):
        same = base & (starts % DAY == hour)
        if same.any():
            means[wanted % DAY == hour] = cells[same].mean(axis=0)
    return means
