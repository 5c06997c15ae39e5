"""A UTC day of many series, as far as it is known, until it is learned and no new level can be taken from it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from usage_watch.core.series import Flags, Floats, Ints
from usage_watch.core.stats.seasonal.deviance import Singles
from usage_watch.core.stats.seasonal.profile import Expected, joined
from usage_watch.core.stats.seasonal.season import Season


@dataclass(slots=True)
class Day:
    """What will be learned of a day. Lists hold its parts, in the order of time."""

    start: int
    """Epoch seconds."""
    known: Flags
    """Of which series anything was expected when it was judged. Shape (series,)."""
    calibrated: Flags
    """Which series had a learned spread when it was judged. Shape (series,)."""
    starts: list[Ints] = field(default_factory=list)
    seasons: list[Season] = field(default_factory=list)
    expected: list[Expected] = field(default_factory=list)
    counts: list[Singles] = field(default_factory=list)
    masks: list[Flags] = field(default_factory=list)
    """Which buckets may be learned."""
    deviations: list[Singles] = field(default_factory=list)
    """Shape (windows, n, series) each."""
    teaching: list[Flags] = field(default_factory=list)
    """Which of them may be learned, in the same shape."""
    learned: bool = False

    def add(self, starts: Ints, season: Season, expected: Expected, counts: Floats, mask: Flags) -> None:
        """The next part; arrays of shape (n,) or (n, series)."""
        self.starts.append(starts)
        self.seasons.append(season)
        self.expected.append(expected)
        self.counts.append(counts.astype(np.float32))
        self.masks.append(mask)

    def since(self, since: Ints, which: Ints) -> tuple[Singles, Flags]:
        """What came of the series of `which` from `since` (epoch seconds) on, 0 elsewhere, and which buckets count.

        Both have shape (n, of which).
        """
        mask = np.concatenate([each[:, which] for each in self.masks])
        mask &= np.concatenate(self.starts)[:, None] >= since
        return np.concatenate([each[:, which] for each in self.counts]) * mask, mask

    def joined(self) -> tuple[Singles, Flags, Singles, Flags]:
        """Counts, masks, deviations and which of those teach, of all parts."""
        return (
            joined(self.counts),
            joined(self.masks),
            joined(self.deviations, axis=1),
            joined(self.teaching, axis=1),
        )

    def forget(self) -> None:
        """It was learned: only its counts may be wanted again."""
        self.learned = True
        self.expected.clear()
        self.deviations.clear()
        self.teaching.clear()
