"""What is left of judged buckets once only newer ones are asked about: a few numbers, where there were arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usage_watch.core.series import Floats, Ints
from usage_watch.core.stats.seasonal.deviance import Singles


@dataclass(frozen=True, slots=True)
class Earlier:
    """Enough to say how rare something is, and to go on adding."""

    buckets: int
    """How many they were."""
    scored: Ints
    """How many of them were scored: shape (series,)."""
    places: NDArray[np.int32]
    """Where they scored high: side, bucket and series, in the order of buckets on each side. Shape (3, n)."""
    scores: Singles
    """How high. Shape (n,)."""
    sums: Floats
    """Of what came, what was usual and the least that was: shape (3, series)."""

    @classmethod
    def none(cls, series: int) -> Earlier:
        """Nothing came before."""
        nothing = np.zeros(series, dtype=np.int64)
        places = np.empty((3, 0), dtype=np.int32)
        return cls(0, nothing, places, np.empty(0, dtype=np.float32), np.zeros((3, series)))

    def like(self, side: int, series: int, score: float) -> Ints:
        """Buckets that scored so high, counted back from the first that came after them: -1 was the last."""
        sides, buckets, owners = self.places
        found: Ints = buckets[(sides == side) & (owners == series) & (self.scores >= score)] - np.int64(self.buckets)
        return found

    def alone(self, series: int) -> Earlier:
        """One of the series."""
        own = self.places[2] == series
        places = self.places[:, own] * np.array([[1], [1], [0]], dtype=np.int32)
        some = slice(series, series + 1)
        return Earlier(self.buckets, self.scored[some], places, self.scores[own], self.sums[:, some])

    def and_then(self, scores: Singles, scored: Ints, sums: Floats, least: float) -> Earlier:
        """With buckets that came after them; what scored less than `least` was not high.

        `scores`: shape (2, n, series); `scored`: how many of each series were; `sums`: of all there was by their end.
        """
        # Rounded as the scores were, so that none is missed that is above it.
        places = np.array(np.nonzero(scores >= np.float32(least)), dtype=np.int32)
        high = scores[tuple(places)]
        places[1] += self.buckets
        return Earlier(
            self.buckets + scores.shape[1],
            self.scored + scored,
            np.concatenate([self.places, places], axis=1),
            np.concatenate([self.scores, high]),
            sums,
        )
