"""What a chart is drawn of: plain values, that whoever draws has computed. Arrays have shape (n,), NaN is not known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

import numpy as np

from usage_watch.core.message import Severity
from usage_watch.core.series import DAY, Floats, Ints

LEAST, MOST = 1e-6, 1e15
"""What is less is drawn as nothing, and what is more as the most."""


@dataclass(frozen=True)
class Course:
    """What was counted or measured, bucket by bucket."""

    starts: Ints
    """Epoch seconds, ascending."""
    width: int
    """Seconds a bucket."""
    values: Floats
    """NaN where not known: a gap, never a zero."""
    settled_until: datetime | None = None
    """What ends after it may still grow, and is drawn so; None where all of it is final."""

    @property
    def by_days(self) -> bool:
        """Whether its buckets are days, which are the source's UTC days."""
        return self.width % DAY == 0

    @cached_property
    def points(self) -> Ints:
        """Where each value stands, epoch seconds: a day's in its middle, else where the bucket ends."""
        return self.starts + (DAY // 2 if self.by_days else self.width)

    @cached_property
    def known(self) -> Floats:
        """Its values as they can be drawn; NaN where not known."""
        return drawable(self.values)

    @cached_property
    def open_from(self) -> int:
        """Index of the first bucket that may still grow; n where there is none."""
        if self.settled_until is None:
            return len(self.starts)
        return int(np.searchsorted(self.starts + self.width, self.settled_until.timestamp(), side="right"))


@dataclass(frozen=True, slots=True)
class Band:
    """What is usual of each bucket of a course; NaN where that is not known."""

    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class Level:
    """Where a rule speaks."""

    value: float
    severity: Severity
    name: str = ""
    """What stands beside its number; the severity where it is empty."""


@dataclass(frozen=True, slots=True)
class Shade:
    """An episode: a stretch of time that an alert is about."""

    from_at: datetime
    until_at: datetime | None
    """None while it goes on."""
    severity: Severity
    text: str
    """Shown when somebody points at it."""


class Kind(StrEnum):
    """What became of a bucket after it was first read."""

    LATE = "late"
    """Its usage came long after it had ended."""
    REVISED = "revised"
    """Its number was changed once it was final."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A bucket that a word is to be said of."""

    at: datetime
    """Its start."""
    kind: Kind
    text: str
    """Shown when somebody points at it."""


def drawable(values: Floats) -> Floats:
    """The same with nothing infinite or below 0: NaN is not known."""
    bounded = np.where(values < LEAST, 0.0, np.minimum(values, MOST))
    found: Floats = np.where(np.isfinite(values), bounded, np.nan)
    return found


def drawable_one(value: float) -> float:
    """The same of one number; nothing where it is not known."""
    return float(min(value, MOST)) if math.isfinite(value) and value >= LEAST else 0.0
