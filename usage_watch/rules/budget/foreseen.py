"""The forecasts that people are told of: each day's are made at once, the first time that one of them is asked for."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from usage_watch.core.series import Floats, Ints
from usage_watch.core.stats.forecast import Forecast
from usage_watch.rules.budget.days import Days


@dataclass(frozen=True, slots=True)
class _Made:
    """The forecasts of some series."""

    columns: Ints
    """In rising order."""
    all: Forecast


class Foreseen:
    """Forecasts of single series of a page."""

    def __init__(self, days: Days, limits: Floats) -> None:
        self._days = days
        self._limits = limits
        self._expected: dict[int, list[int]] = defaultdict(list)
        self._made: dict[int, _Made] = {}

    def expect(self, index: int, column: int) -> None:
        """One series' forecast from the end of a frontier day will be asked for."""
        self._expected[index].append(column)

    def of(self, index: int, column: int) -> Forecast:
        """The forecast of one series, with arrays of length 1."""
        if index not in self._made:
            self._made[index] = self._make(index, [*self._expected[index], column])
        made = self._made[index]
        if column not in made.columns:
            made = self._make(index, [column])
        return made.all.one(int(np.searchsorted(made.columns, column)))

    def _make(self, index: int, columns: list[int]) -> _Made:
        which = np.array(sorted(set(columns)))
        return _Made(which, self._days.forecast(index, which, self._limits[which]))
