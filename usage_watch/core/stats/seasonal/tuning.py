"""What was chosen by measuring: `benchmarks/detection.py` says what it is worth."""

from __future__ import annotations

from dataclasses import dataclass

from usage_watch.core.series import DAY, HOUR, Width
from usage_watch.core.stats.rolling import EMBARGO


@dataclass(frozen=True, slots=True)
class Side:
    """How deviations of a window to one side are weighed."""

    spread: float
    """Variance of the usual, relative to its square, that no number of counts averages out."""
    scale: float
    """What scores are divided by, so that each window and side raises its part of the false alerts."""


@dataclass(frozen=True, slots=True)
class Window:
    """A trailing window that is judged."""

    buckets: int
    up: Side
    down: Side


@dataclass(frozen=True, slots=True)
class Tuning:
    """How buckets of a width are judged."""

    windows: tuple[Window, ...]
    """The first is a single bucket; each other is some times as long as the one before."""
    usual: float
    """The score up to which it is usual: about 19 of 20."""
    slots: int
    """Fine seasons in a week."""
    classes: int
    """Coarse seasons."""
    blend: float
    """What a neighbouring slot's buckets count beside the slot's own."""
    sustained: int
    """Days after which a shift is the new usual."""
    shift: float
    """Standard deviations that the longest window must be from the usual, at the end of each of these days."""
    embargo: int = EMBARGO
    """Seconds that a bucket must be over before anything is learned of it."""

    @property
    def longest(self) -> int:
        """Buckets of the longest window."""
        return self.lengths[-1]

    @property
    def lengths(self) -> tuple[int, ...]:
        """Buckets of each window."""
        return tuple(window.buckets for window in self.windows)


_HOUR, _DAY = 1.45, 1.96
"""What a standard deviation scores: so that at 6.5 about one alert in ten series-months is false, of hours and days."""

HOURLY = Tuning(
    windows=(
        Window(1, up=Side(0.04, 1.08 / _HOUR), down=Side(0.30, 0.93 / _HOUR)),
        Window(3, up=Side(0.04, 1.00 / _HOUR), down=Side(0.30, 0.71 / _HOUR)),
        Window(12, up=Side(0.04, 0.93 / _HOUR), down=Side(0.20, 0.69 / _HOUR)),
        Window(24, up=Side(0.04, 0.86 / _HOUR), down=Side(0.20, 0.93 / _HOUR)),
    ),
    usual=2 * _HOUR,
    slots=168,
    classes=48,
    blend=0.5,
    sustained=3,
    shift=2.5,
)
DAILY = Tuning(
    windows=(
        Window(1, up=Side(0.05, 1.00 / _DAY), down=Side(0.20, 1.00 / _DAY)),
        Window(2, up=Side(0.03, 1.00 / _DAY), down=Side(0.20, 1.00 / _DAY)),
        Window(4, up=Side(0.02, 1.00 / _DAY), down=Side(0.20, 1.00 / _DAY)),
    ),
    usual=2 * _DAY,
    slots=7,
    classes=2,
    blend=0.0,
    sustained=3,
    shift=2.5,
)
TUNINGS: dict[Width, Tuning] = {HOUR: HOURLY, DAY: DAILY}
