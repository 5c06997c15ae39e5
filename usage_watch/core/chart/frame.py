"""Where times and values stand, and the axes that a person would choose: round numbers, and 0 at their beginning."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import overload

import numpy as np

from usage_watch.core.chart.look import Look
from usage_watch.core.chart.svg import at, path, text
from usage_watch.core.chart.values import MOST
from usage_watch.core.series import Floats, Ints
from usage_watch.core.units import number

MARGIN = 16
"""Pixels, to the edge of the picture."""
_GAP = 26
"""Pixels that two lines of the grid are apart at least."""
_SIZES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True, slots=True)
class Scale:
    """The axis of values: it begins at 0."""

    step: float
    """From one number to the next."""
    steps: int

    @classmethod
    def reaching(cls, highest: float, height: float) -> Scale:
        """The finest that has room: a fifth to a half of the highest, as people count: 1, 2 or 5 and zeros."""
        highest = min(highest, MOST)
        if highest < 1e-12:
            return cls(1.0, 1)
        size = 10.0 ** math.floor(math.log10(highest / 2))
        rough = [size * each for each in (1, 2, 5, 10)]
        found = next((step for step in rough if highest / step <= min(5.0, height / _GAP)), rough[-1])
        return cls(found, max(1, math.ceil(highest / found - 1e-9)))

    @property
    def top(self) -> float:
        return self.step * self.steps

    def names(self) -> list[str]:
        """`0`, `2,500`, `10k`, `1.5M`: alike on all of an axis."""
        steps = ((size, letter, size if letter == "k" else size / 10) for size, letter in _SIZES)
        size, letter = next(
            ((size, letter) for size, letter, least in steps if self.top >= size and self.step >= least), (1.0, "")
        )
        return [number(place * self.step / size) + (letter if place else "") for place in range(self.steps + 1)]


@dataclass(frozen=True, slots=True)
class Frame:
    """The plot's edges in pixels, and what stands at them."""

    left: float
    right: float
    top: float
    bottom: float
    first: float
    """Epoch seconds."""
    last: float
    scale: Scale

    @overload
    def x(self, at: float) -> float: ...
    @overload
    def x(self, at: Ints) -> Floats: ...
    def x(self, at: float | Ints) -> float | Floats:
        """Of epoch seconds, within the plot."""
        share = np.clip((np.asarray(at, dtype=np.float64) - self.first) / (self.last - self.first), 0, 1)
        found: float | Floats = self.left + (self.right - self.left) * share
        return found

    @overload
    def y(self, value: float) -> float: ...
    @overload
    def y(self, value: Floats) -> Floats: ...
    def y(self, value: float | Floats) -> float | Floats:
        """Of a value, within the plot."""
        share = np.clip(np.asarray(value, dtype=np.float64) / self.scale.top, 0, 1)
        found: float | Floats = self.bottom - (self.bottom - self.top) * share
        return found

    def holds(self, moment: datetime) -> bool:
        """Whether a time is in sight."""
        return self.first <= moment.timestamp() <= self.last

    @property
    def width(self) -> float:
        return self.right - self.left


def grid(frame: Frame, look: Look) -> Iterator[str]:
    """A line and a number at each step."""
    lines = "".join(f"M{at(frame.left)} {at(_row(frame, n))}H{at(frame.right)}" for n in range(frame.scale.steps + 1))
    yield path(lines, stroke=look.palette.grid)
    for place, name in enumerate(frame.scale.names()):
        yield text(frame.left - 7, _row(frame, place) + 4, name, look.palette.faint, anchor="end")


def _row(frame: Frame, place: int) -> float:
    return frame.bottom - (frame.bottom - frame.top) * place / frame.scale.steps


def room_for(scale: Scale, look: Look) -> float:
    """Pixels left of the plot, for its numbers."""
    return max(look.size.length(name) for name in scale.names()) + MARGIN + 3
