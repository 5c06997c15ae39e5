"""What is usual of a ratio: a share, a mean or a quantile, each made of more or fewer things.

A ratio of few things jumps by chance alone. So each window is measured against two spreads at once: how far the windows
of the baseline lie apart beyond what chance explains, and what chance does to this one with what stands behind it.

Baselines move once a UTC day and end 48 h before it, as those of `rolling` do. What was unusual is not left out of
them: it is drawn in, so that a few windows hardly move what is usual, and a level that lasts becomes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from usage_watch.core.series import DAY, Flags, Floats, Ints
from usage_watch.core.stats.rolling import CONSISTENT, EMBARGO, LEAST, Scores

_REACH: Final = 3.0
"""Standard deviations from the median beyond which a window of the baseline counts as though it stood there."""
_FLOOR: Final = 0.03
"""Of the center: windows are taken to lie apart at least so far, since nothing is known more exactly than that."""
_FEW: Final = 10.0
"""Things of which chance is hardly known itself: five of them prove nothing, however they turned out."""


@dataclass(frozen=True, slots=True)
class _Usual:
    """A baseline."""

    center: float
    between: float
    """Variance of the windows beyond what chance explains."""
    single: float
    """What chance does to a window of one single thing, as a variance."""


def score_ratio(
    starts: Ints, values: Floats, variances: Floats, weights: Floats, usable: Flags, width: int, baseline: int
) -> Scores:
    """Score each window against the `baseline` seconds that ended 48 h before its UTC day. All arrays have shape (n,).

    `starts`: of the last bucket of each window, epoch seconds, ascending. `variances`: what chance does to each of the
    `values`, in their unit squared. `weights`: how many things stand behind each; windows of none have no score.
    `usable`: what may be learned from. `width`: seconds a bucket.
    """
    centers, spreads = np.full(len(starts), np.nan), np.full(len(starts), np.nan)
    usable = usable & (weights > 0)
    midnights = np.unique(starts // DAY) * DAY
    firsts, lasts, begins, ends = (
        np.searchsorted(starts, midnights + moved) for moved in (0, DAY, -EMBARGO - baseline, -EMBARGO)
    )
    for first, last, begin, end in zip(firsts, lasts, begins, ends, strict=True):
        learned = begin + np.flatnonzero(usable[begin:end])
        if len(learned) * width >= LEAST:
            usual, day = _usual(values[learned], variances[learned], weights[learned]), slice(first, last)
            centers[day] = usual.center
            spreads[day] = np.sqrt(usual.between + _by_chance(usual, variances[day], weights[day]))
    scored = (weights > 0) & (spreads > 0)
    scores = np.divide(values - centers, spreads, out=np.zeros(len(starts)), where=scored)
    return Scores(centers, spreads, scores)


def _usual(values: Floats, variances: Floats, weights: Floats) -> _Usual:
    """The method of moments, after what lies far out was drawn in."""
    middle = float(np.median(values))
    reach = _REACH * CONSISTENT * float(np.median(np.abs(values - middle)))
    drawn_in = np.clip(values, middle - reach, middle + reach)
    center = float(np.average(drawn_in, weights=weights))
    single = float(np.median(variances * weights))
    # Each window alike: those of few things are of the hours that differ most.
    apart = float(np.mean((drawn_in - center) ** 2 - single / weights))
    return _Usual(center, max(apart, (_FLOOR * center) ** 2), single)


def _by_chance(usual: _Usual, variances: Floats, weights: Floats) -> Floats:
    """What chance does to windows with so many things behind them.

    By the baseline alone, three slow tasks of five would be far out where slow ones are rare; by what the window itself
    shows, nothing would, since what is slower scatters more. Between the two, the score is about that of the deviance.
    """
    things = np.maximum(weights, 1)
    expected = usual.single / things
    chance: Floats = np.sqrt(expected * np.maximum(expected, np.where(np.isfinite(variances), variances, 0)))
    return chance * (1 + (_FEW / things) ** 2)
