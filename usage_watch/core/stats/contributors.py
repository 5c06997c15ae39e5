"""Who or what a change comes from: a total's change split over an axis, and those of its parts that stand out.

Of a change, each category has its part: what it used less what it usually uses. The parts and the unattributed rest
sum to the change exactly. Some categories *stand out* when they moved otherwise than the rest did, by far more than
they differ from week to week, and when without them at least half of the change would not be there. Where none do,
the change is broad-based.

The gross share alone (the few largest that make 67 % of all rises) does not tell these apart: of three models, two
nearly always make 67 %. The surprise of a set ranks axes as in Adtributor (Bhagwan et al., NSDI 2014).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from usage_watch.core.series import Floats

FEW = 5
"""The most that may stand out."""
_OF_THREE = 3
"""At most one in so many stands out: of two sources one is always the larger, and half of all are not few."""
_HALF = 0.5
"""Share of the total's change that those who stand out must make beyond what they would as the rest did."""
_WORTH = 0.05
"""Share of the total's usual that they must make: matters where rises and falls cancel out."""
_CLEAR = 4.0
"""Standard deviations by which each of them must differ from the rest: there are hundreds that might by chance."""
_PRIOR = 3
"""Weeks that the spread common to an axis weighs beside a category's own."""
_UNTOLD = 1.0
"""Variance in squares of the usual, where fewer than two weeks are known: members' days vary by their own size."""
_NONE = 1e-9
"""Share of a total under which nothing is left of it."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A total by category; the last row is what no category accounts for. Shape (categories + 1,) each."""

    actual: Floats
    expected: Floats

    @property
    def change(self) -> Floats:
        """What each has above its usual; sums to the total's change."""
        return self.actual - self.expected

    def shares(self, rising: bool) -> Floats:
        """Each one's part of all rises (or falls), 0 to 1: falls elsewhere cannot hide a rise."""
        moved = np.maximum(self.change if rising else -self.change, 0.0)
        whole = moved.sum()
        return moved / whole if whole > 0 else moved


def decompose(actual: Floats, expected: Floats, total_actual: float, total_expected: float) -> Parts:
    """Split a total's change over its categories, shape (categories,) each; what is missing to the total is a row.

    That row is below zero where the categories sum to more than the total.
    """
    return Parts(np.append(actual, total_actual - actual.sum()), np.append(expected, total_expected - expected.sum()))


def surprise(parts: Parts) -> Floats:
    """Each row's term of the Jensen-Shannon divergence of actual from expected shares, in nats, from 0. Shape (c,)."""
    before, after = _distribution(parts.expected), _distribution(parts.actual)
    return 0.5 * (_relative(before, before + after) + _relative(after, before + after))


def spread(weeks: Floats, expected: Floats, ordinary: Floats) -> Floats:
    """How much each category varies: the variance of its window, were the total as usual. Shape (c,).

    `weeks` (w, c) is what earlier weeks held, `expected` (c,) their mean, and `ordinary` (c,) what such a window would
    hold by all days of those weeks alike, for those who happened to be away. A few weeks tell little of one category:
    each is drawn towards what they all have in common.
    """
    own, common, count = np.zeros(len(expected)), _UNTOLD, len(weeks)
    level = np.maximum(expected, ordinary)
    if count > 1:
        # Of the categories against each other: what all of them share does not make one stand out.
        whole = expected.sum()
        sizes = weeks.sum(axis=1) / whole if whole > 0 else np.ones(count)
        # The mean of so few weeks is uncertain too.
        own = ((weeks - np.outer(sizes, expected)) ** 2).sum(axis=0) / (count - 1) * (1 + 1 / count)
        squares = (expected[expected > 0] ** 2).sum()
        common = own[expected > 0].sum() / squares if squares > 0 else _UNTOLD
    freedom = max(count - 1, 0)
    drawn = (freedom * own + _PRIOR * common * level**2) / (freedom + _PRIOR)
    return drawn + np.maximum(level, 1.0)  # no count varies less than a Poisson count


def stand_out(parts: Parts, variances: Floats, rising: bool) -> tuple[int, ...]:
    """Rows of those few, largest change first, that explain a total's rise (or fall); none where it is broad-based."""
    change = parts.change if rising else -parts.change
    there = int(((parts.actual[:-1] > 0) | (parts.expected[:-1] > 0)).sum())
    moved = np.flatnonzero(change[:-1] > 0)
    largest = moved[np.argsort(-change[moved], kind="stable")][: min(FEW, there // _OF_THREE)]
    wanted = max(_HALF * change.sum(), _WORTH * parts.expected.sum(), _NONE)
    for count in range(1, len(largest) + 1):
        excess, clear = _excess(parts, variances, largest[:count], rising)
        if not clear:
            break
        if excess >= wanted:
            return tuple(int(row) for row in largest[:count])
    return ()


def _excess(parts: Parts, variances: Floats, rows: np.ndarray, rising: bool) -> tuple[float, bool]:
    """What these rows have beyond moving as the rest did, and whether the last of them is clearly beyond it."""
    actual, expected = parts.actual, parts.expected
    whole = expected.sum()
    rest = whole - expected[rows].sum()
    if whole > 0 and rest <= _NONE * whole:  # there is no rest to compare with
        return 0.0, False
    grown = (actual.sum() - actual[rows].sum()) / rest if whole > 0 else 0.0
    beyond = (actual[rows] - grown * expected[rows]) * (1 if rising else -1)
    last = rows[-1]
    lever = expected[last] / rest if whole > 0 else 0.0
    variance = variances[last] + lever**2 * (variances.sum() - variances[rows].sum())
    return float(beyond.sum()), bool(beyond[-1] >= _CLEAR * max(grown, 1.0) * np.sqrt(variance))


def _distribution(values: Floats) -> Floats:
    """Shares of what is above zero; zeros where nothing is."""
    positive = np.maximum(values, 0.0)
    whole = positive.sum()
    return positive / whole if whole > 0 else positive


def _relative(share: Floats, both: Floats) -> Floats:
    """share x ln(share / mean of both), 0 where there is no share."""
    has = share > 0
    terms = np.zeros(len(share))
    terms[has] = share[has] * np.log(2 * share[has] / both[has])
    return terms
