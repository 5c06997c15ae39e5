"""The plain idea of usual: level and spread of the last weeks, whatever the hour.

Baselines move once a UTC day and end 48 h before it, so that nothing that may still change is ever learned, and when
a number arrived cannot change what was learned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from usage_watch.core.series import DAY, Flags, Floats, Ints

EMBARGO = 2 * DAY
"""Seconds that a bucket must be over before anything is learned of it."""
LEAST = 3 * DAY
"""Seconds of known buckets without which there is no baseline."""
SUSTAINED = 3 * DAY
"""Seconds after which what stays unusual is learned: it is the new level."""
CONSISTENT = 1.4826
"""What makes the median absolute deviation of a normal distribution its standard deviation."""

Spread = Callable[[Floats], tuple[float, float]]


def plain(values: Floats) -> tuple[float, float]:
    """Mean and standard deviation."""
    return float(values.mean()), float(values.std())


def robust(values: Floats) -> tuple[float, float]:
    """Median and scaled median absolute deviation."""
    center = float(np.median(values))
    return center, CONSISTENT * float(np.median(np.abs(values - center)))


@dataclass(frozen=True, slots=True)
class Scores:
    """A series against its baselines. All arrays have shape (n,)."""

    centers: Floats
    """What was usual; NaN where there is no baseline."""
    spreads: Floats
    """One standard deviation, never under that of a count of the same size."""
    scores: Floats
    """(value - center) / spread; 0 where there is no baseline."""


def score(
    starts: Ints, values: Floats, known: Flags, width: int, baseline: int, limit: float, spread: Spread
) -> Scores:
    """Score each bucket against the `baseline` seconds that ended 48 h before its UTC day.

    What stood beyond `limit` is left out of later baselines, unless it has stood there, on the same side, for three
    days without a break.
    """
    centers, spreads = np.full(len(starts), np.nan), np.full(len(starts), np.nan)
    scores = np.zeros(len(starts))
    sides = np.zeros(len(starts), dtype=np.int8)
    learnable = known.copy()
    for day in _days(starts):
        midnight = int(starts[day.start]) // DAY * DAY
        window = slice(*np.searchsorted(starts, [midnight - EMBARGO - baseline, midnight - EMBARGO]))
        usual = values[window][learnable[window]]
        if len(usual) * width >= LEAST:
            center, deviation = spread(usual)
            # A count spreads at least like a Poisson count: without this floor, sparse series have none.
            deviation = max(deviation, np.sqrt(max(center, 1.0)))
            centers[day], spreads[day] = center, deviation
            scores[day] = (values[day] - center) / deviation
        unusual = known[day] & (np.abs(scores[day]) > limit)
        sides[day] = np.where(unusual, np.sign(scores[day]), 0)
        _leave_out(learnable, sides, day, SUSTAINED // width)
    return Scores(centers, spreads, scores)


def _days(starts: Ints) -> list[slice]:
    """Slices of the buckets of each UTC day."""
    edges = np.flatnonzero(np.diff(starts // DAY)) + 1
    bounds = [0, *edges.tolist(), len(starts)]
    return [slice(first, last) for first, last in pairwise(bounds) if last > first]


def _leave_out(learnable: Flags, sides: NDArray[np.int8], day: slice, sustained: int) -> None:
    """Take the day's unusual buckets out of what is learned, but for those at the end of a sustained run.

    `sides` says of each bucket whether it was unusually high (1), low (-1) or neither (0).
    """
    for index in day.start + np.flatnonzero(sides[day]):
        before = sides[max(0, index - sustained) : index]
        learnable[index] &= len(before) == sustained and bool(np.all(before == sides[index]))
