"""Burn rates: is something eating a budget now?

A rate of 1 uses the limit up just at the period's end. Each pair of windows asks whether both a long and a short
stretch stand over its rate, so that it speaks neither of one odd hour nor of what is over. Windows see their own period
only: what the last one used is not taken from this one. All of it is a lower bound that late numbers can only raise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usage_watch.core.series import DAY, Flags, Floats, Ints
from usage_watch.core.stats.rolling import EMBARGO
from usage_watch.core.stats.windows import trailing_sum

WEEK = 7 * DAY
"""Seconds of usage that say what the rest of a period will need."""
LEARNED_FROM = EMBARGO + WEEK
"""Seconds before a bucket without which nothing is known of what is usual there."""
_SOON = 1 / 30
"""Of the period. What burns over no longer a window is weighed as though it went on for as long again: else it speaks
only once what it took stands for the whole overrun, which is when half of it is gone."""
_LINGERS = 1 / 10
"""Of the period. A long window up to that length keeps an episode open until it is clear again; longer ones would hold
it for a week, and be silent of the next one meanwhile."""


@dataclass(frozen=True, slots=True)
class Windows:
    """A pair of windows, in buckets, and the rate that both must exceed."""

    long: int
    short: int
    rate: float


@dataclass(frozen=True, slots=True)
class Terms:
    """What one period may use, for all series alike."""

    buckets: int
    """How many the period has."""
    limits: Floats
    """Shape (s,), in the unit of the counts; none of them 0."""
    least: Floats
    """What a window must hold beyond an even pace to matter, shape (s,)."""


@dataclass(frozen=True, slots=True)
class Burning:
    """Each bucket of a period against each pair, the strongest kept. Arrays have shape (n, s)."""

    ranks: NDArray[np.int8]
    """The last of the pairs that burns, counted from 1; 0 for none."""
    holding: Flags
    """None burns, but what did is not over yet."""


def even(pair: Windows, terms: Terms, buckets: int) -> Floats:
    """What the rate of a pair makes of so many buckets: (s,)."""
    return pair.rate * buckets / terms.buckets * terms.limits


def burning(counts: Ints, ahead: Floats, pairs: Sequence[Windows], terms: Terms) -> Burning:
    """Judge the buckets of one period, shape (n, s) from its first one on.

    `ahead`: what the rest of the period is expected to use, as `expected_rest` answers it; NaN where that is unknown,
    and then nothing burns.
    """
    headed_for = np.cumsum(counts, axis=0) + ahead
    ranks = np.zeros(counts.shape, dtype=np.int8)
    lingering = np.zeros(counts.shape, dtype=bool)
    for rank, pair in enumerate(pairs, 1):
        used = trailing_sum(counts, pair.long)
        over = used > even(pair, terms, pair.long)
        enough = used - terms.limits * pair.long / terms.buckets >= terms.least
        going_on = used if pair.long <= _SOON * terms.buckets else 0
        now = trailing_sum(counts, pair.short) > even(pair, terms, pair.short)
        ranks[over & now & enough & (headed_for + going_on >= terms.limits)] = rank
        if pair.long <= _LINGERS * terms.buckets:
            lingering |= over
    return Burning(ranks, lingering & (ranks == 0))


def expected_rest(counts: Ints, first: int, places: Ints, end: int, width: int) -> Floats:
    """What each series will use from the end of a bucket to the period's end, were it as in the last week known.

    That week ended 48 h before the bucket; each hour of the week to come is taken to be as it was there.

    counts: shape (n, s), from `first` on known. places: the buckets, indices into it, shape (m,). end: index of the
    bucket after the period's last, may lie beyond n. width: seconds a bucket. Answers (m, s), NaN where the week is not
    known.
    """
    week, embargo = WEEK // width, EMBARGO // width
    sums = np.concatenate([np.zeros((1, counts.shape[1]), dtype=np.int64), np.cumsum(counts, axis=0)])
    known = places - embargo - week >= first
    start, weeks_end = places[known] + 1, places[known] - embargo
    weeks_start = weeks_end - week
    whole, rest = np.divmod(np.maximum(end - start, 0), week)
    # The hours to come were there a week before; those of which that is the embargo, two weeks before.
    near = np.minimum(rest, weeks_end - (start - week))
    partly = sums[start - week + near] - sums[start - week]
    partly += sums[weeks_start + rest - near] - sums[weeks_start]
    ahead = np.full((len(places), counts.shape[1]), np.nan)
    ahead[known] = whole[:, None] * (sums[weeks_end] - sums[weeks_start]) + partly
    return ahead
