"""What a zscore rule can be told, beside what all rules can."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from usage_watch.core.series import Floats
from usage_watch.rules.common import Strict

Score = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]


class Method(StrEnum):
    """What usual means."""

    SEASONAL = "seasonal"
    """What came at this hour of the week, over several windows at once."""
    PLAIN = "plain"
    """Rolling mean and standard deviation."""
    ROBUST = "robust"
    """Rolling median and median absolute deviation, with a floor."""


class Direction(StrEnum):
    """Which deviations are news."""

    UP = "up"
    DOWN = "down"
    BOTH = "both"


class Scores(Strict):
    """A score for each severity that the rule shall speak at."""

    info: Score | None = None
    """Worth knowing."""
    warning: Score | None = None
    """Somebody should look today."""
    critical: Score | None = None
    """Somebody should look now."""


SEASONAL_SCORES: Final = Scores(warning=6.5, critical=8)
ROLLING_SCORES: Final = Scores(warning=4, critical=6)
"""Also of shares and durations, whatever the method."""
LEAST_CHANGE: Final = 10
"""A smaller deviation is no news where a rule does not say how small."""


def worse(direction: Direction, ranks: NDArray[np.int8], scores: Floats) -> NDArray[np.int8]:
    """Which side is worse: of a rule that looks both ways, the one on which a breach stands."""
    side = {Direction.UP: 1, Direction.DOWN: -1, Direction.BOTH: 0}[direction]
    sides = np.full(len(ranks), side, dtype=np.int8)
    return np.where((ranks > 0) & (side == 0), np.where(scores > 0, 1, -1), sides).astype(np.int8)
