"""Hours that the store changes its mind about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from .arrays import DAY, HOUR, IntArray
from .day import NEVER, UsageDay, join_days
from .scenario import Revision


def revise(made: UsageDay, day: int, revisions: Iterable[Revision], seed: int) -> UsageDay:
    """A day (its number since the epoch) as its revisions serve it, each from when it is learned to the next one."""
    by_hour = _by_hour(day, revisions)
    if not by_hour:
        return made
    rank = np.random.default_rng([seed, 6, day]).random(len(made.threads))
    parts = [made.take(~np.isin(made.threads.hour, list(by_hour)))]
    for hour, of_hour in by_hour.items():
        rows = np.flatnonzero(made.threads.hour == hour)
        parts += _stages(made, rows[np.argsort(rank[rows])], of_hour)
    return join_days(parts)


def _by_hour(day: int, revisions: Iterable[Revision]) -> Mapping[int, list[Revision]]:
    """Hour of the day -> its revisions, in the order in which they are learned."""
    by_hour = defaultdict(list)
    for revision in sorted(revisions, key=lambda revision: revision.learned_at):
        number, second = divmod(int(revision.hour_at.timestamp()), DAY)
        if number == day:
            by_hour[second // HOUR].append(revision)
    return by_hour


def _stages(made: UsageDay, rows: IntArray, revisions: Sequence[Revision]) -> list[UsageDay]:
    """The hour's rows before, between and after its revisions.

    Each stage takes the rows from the front, and again from the front where they do not suffice: so a larger factor
    shows everything that a smaller one does.
    """
    factors = [1.0, *(revision.factor for revision in revisions)]
    turns = [0, *(int(np.ceil(revision.learned_at.timestamp())) for revision in revisions), NEVER]
    counts = [int(len(rows) * factor + 0.5) for factor in factors]
    return [
        made.take(np.resize(rows, count)).between(*span) for count, span in zip(counts, pairwise(turns), strict=True)
    ]
