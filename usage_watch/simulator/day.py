"""One day of usage, and when each part of it is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from .arrays import BoolArray, IntArray
from .threads import Threads, join

NEVER = int(np.iinfo(np.int64).max)
"""Epoch second at which goes what stays."""


@dataclass(frozen=True, slots=True, eq=False)
class UsageDay:
    """One UTC day. A thread may stand in several rows: as a duplicate, or once for each span in which it is seen."""

    threads: Threads
    synced_at: IntArray
    """[row] epoch second from which on it is seen."""
    gone_at: IntArray
    """[row] epoch second from which on it is no longer seen; NEVER where that does not come."""

    def seen(self, now: datetime) -> BoolArray:
        """[row]: what the store has at that instant."""
        at = now.timestamp()
        return (self.synced_at <= at) & (at < self.gone_at)

    def take(self, rows: IntArray | BoolArray) -> UsageDay:
        """Some of the rows, by index (which may come twice) or by mask."""
        return UsageDay(self.threads.take(rows), self.synced_at[rows], self.gone_at[rows])

    def between(self, start: int, end: int) -> UsageDay:
        """The rows, seen in [start, end) alone; epoch seconds."""
        return UsageDay(self.threads, np.maximum(self.synced_at, start), np.minimum(self.gone_at, end))


def join_days(parts: Sequence[UsageDay]) -> UsageDay:
    """All rows of parts of one day."""
    return UsageDay(
        threads=join([part.threads for part in parts]),
        synced_at=np.concatenate([part.synced_at for part in parts]),
        gone_at=np.concatenate([part.gone_at for part in parts]),
    )
