"""What is usual: a level, and a shape over the week.

Sums that fade, each of counts over what the level let expect, so that a busy week weighs more than a quiet one and a
change of level does not bend the shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from usage_watch.core.series import Flags, Floats, Ints
from usage_watch.core.stats.seasonal.deviance import Singles
from usage_watch.core.stats.seasonal.season import Season
from usage_watch.core.stats.seasonal.tuning import Tuning

Kind = TypeVar("Kind", bound=np.generic)

LEVEL_FADES = 0.5 ** (1 / 14)
"""What is left of a day in the level after another one: half after two weeks."""
RECENT_FADES = 0.5
"""The same in the recent level: half after a day."""
SLOT_KEEPS = 0.85
"""What is left of a visit in its slot after another one."""
CLASS_KEEPS = 0.95
"""The same of a class."""
LEVEL_PRIOR = 0.25
"""Days of the level that the recent level begins with."""
RENEWED_PRIOR = 1 / 24
"""Days of the former level that a new one begins with."""
CLASS_PRIOR = 6.0
"""Visits that the class is worth in the shape of a slot."""
TOTAL_PRIOR = 1.0
"""Visits that both classes of an hour together are worth in the shape of each."""
SEEN_TWO_WEEKS = 14.0
"""Learned days from which the hour of the week is used, and not only the hour of the day."""
_TINY = 1e-6
LEAST_EXPECTED = 1e-4
"""Counts a bucket that are expected of a series that has nearly none."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What was expected of some buckets. Arrays of shape (n, series)."""

    shape: Singles
    """Relative to the level."""
    usual: Singles
    """The level times the shape."""
    low: Singles
    """The same where the recent level is lower: what has been low for days is no news."""

    @classmethod
    def joined(cls, parts: Sequence[Expected]) -> Expected:
        """What was expected of buckets that follow each other."""
        return cls(
            joined([part.shape for part in parts]),
            joined([part.usual for part in parts]),
            joined([part.low for part in parts]),
        )


def joined(parts: Sequence[NDArray[Kind]], axis: int = 0) -> NDArray[Kind]:
    """Arrays that follow each other; mostly it is one."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=axis)


class Profile:
    """The level and shape of each series; fades and grows in place."""

    def __init__(self, series: int, tuning: Tuning) -> None:
        self._tuning = tuning
        # Single precision is enough for what is averaged. Sums are double: they must not depend on their order.
        self._slots = np.zeros((2, tuning.slots, series), dtype=np.float32)
        self._classes = np.zeros((2, tuning.classes, series), dtype=np.float32)
        self._level = np.zeros((2, series))
        self._recent = np.zeros((2, series))
        self.days = np.zeros(series)
        """Learned buckets, in days. Shape (series,)."""

    @property
    def level(self) -> Floats:
        """Counts a bucket. Shape (series,)."""
        level: Floats = self._level[0] / np.maximum(self._level[1], _TINY)
        return level

    def learn(
        self, season: Season, counts: Singles, clipped: Singles, shape: Singles, mask: Flags, by_day: int
    ) -> None:
        """Learn the buckets of a day, where `mask` is set; all of shape (n, series).

        `clipped`: the counts without what is far out; `shape`: what was expected of them, relative to the level.
        """
        whole = mask.all()
        if not whole:
            counts, clipped, shape = counts * mask, clipped * mask, shape * mask
        exposure = _total(shape)
        self._level *= LEVEL_FADES
        self._level += _total(clipped), exposure
        self._recent *= RECENT_FADES
        self._recent += _total(counts), exposure
        worth = self._weight() * mask
        for sums, places, keeps in (
            (self._slots, season.slots, SLOT_KEEPS),
            (self._classes, season.classes, CLASS_KEEPS),
        ):
            kept = sums[:, places]
            kept *= keeps if whole else 1 - np.float32(1 - keeps) * mask
            kept[0] += clipped
            kept[1] += worth
            sums[:, places] = kept
        self.days += mask.sum(axis=0) / by_day

    def renew(self, which: Ints, sums: Floats, by_day: int) -> Floats:
        """Take the level of the series of `which` from what came, and what was expected of a level of 1.

        `sums`: shape (2, of which). Returns the new level over the former one.
        """
        former = np.maximum(self.level[which], _TINY)
        sums = sums + RENEWED_PRIOR * by_day * np.array([former, np.ones_like(former)])
        self._level[:, which] = self._recent[:, which] = sums
        # So that what was seen before goes on weighing as much in the shape as it did.
        ratio: Floats = np.maximum(self.level[which], _TINY) / former
        self._slots[..., which] *= ratio
        self._classes[..., which] *= ratio
        return ratio

    def lift(self, which: Ints, more: Floats) -> None:
        """Raise the shape of the series of `which` at all hours alike; both of shape (of which,)."""
        for sums in (self._slots, self._classes):
            sums[0][:, which] += (more * sums[1][:, which]).astype(np.float32)

    def expect(self, season: Season, by_day: int) -> Expected:
        """What is usual for buckets."""
        level = np.maximum(self.level, _TINY)
        shape = self._shape(season)
        prior = LEVEL_PRIOR * by_day
        recent = (self._recent[0] + prior * level) / (self._recent[1] + prior)
        return Expected(shape, _expected(level, shape), _expected(np.minimum(level, recent), shape))

    def _weight(self) -> Singles:
        """What a visit weighs: the level. Shape (series,)."""
        return np.maximum(self.level, _TINY).astype(np.float32)

    def _shape(self, season: Season) -> Singles:
        classes = self._class_shape(season.classes)
        seasoned = self.days >= SEEN_TWO_WEEKS
        if not seasoned.any():
            return classes
        sums = self._slots[:, season.slots]
        if self._tuning.blend:
            before, after = ((season.slots + step) % self._tuning.slots for step in (-1, 1))
            beside = self._slots[:, before]
            beside += self._slots[:, after]
            beside *= self._tuning.blend
            sums += beside
        shape = _leaning(sums, classes, CLASS_PRIOR * self._weight())
        return shape if seasoned.all() else np.where(seasoned, shape, classes)

    def _class_shape(self, places: Ints) -> Singles:
        weight = self._weight()
        own = self._classes[:, places]
        both = self._classes[:, (places + self._tuning.classes // 2) % self._tuning.classes]
        both += own
        return _leaning(own, _leaning(both, 1.0, 2 * weight), TOTAL_PRIOR * weight)


def _total(values: Singles) -> Floats:
    total: Floats = values.sum(axis=0, dtype=np.float64)
    return total


def _expected(level: Floats, shape: Singles) -> Singles:
    expected: Singles = shape * level.astype(np.float32)
    return np.maximum(expected, np.float32(LEAST_EXPECTED), out=expected)


def _leaning(sums: Singles, other: Singles | float, weight: Singles) -> Singles:
    """What sums say of the shape, as if `other` had been seen with a weight too; changes them: (2, n, series)."""
    sums[0] += weight * other
    sums[1] += weight
    shape: Singles = np.divide(sums[0], sums[1], out=sums[0])
    return shape
