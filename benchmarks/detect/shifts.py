"""Usage that changes for good: how long the rule goes on about it, with and without a new level."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from detect.detectors import NEWS, ZONE, usage_of
from detect.judging import LAUNCHES, MONTH, Figures, World
from usage_watch.core.series import DAY, HOUR, Flags, Floats, Width
from usage_watch.core.stats.seasonal import Cause, replay, season_of
from usage_watch.core.stats.seasonal.tuning import TUNINGS

FACTORS = (1.0, 1.5, 2.5, 5.0, 0.3)
"""Usage from the change on, as a multiple of what it was."""
_CHANGES = 60
"""The day of the change; at ten o'clock."""
_HOUR = 10
_SOON = 5
"""Days after the change that count as the beginning."""
_ANSWERED = 6
"""Hours after which a human says that it is the new normal."""
_LEAST = 5.0
"""Counts an hour of a series that is looked at."""
NEVER = 1e9


def shifts(world: World, width: Width, level: float, most: int = 400) -> Figures:
    """Alerts at a level, once a day while it lasts, by factor: in the first days and a series-month after them."""
    counts = _clean(world, most)
    return {
        str(factor): {
            "never": _alerts(_changed(counts, factor, width), width, level, shift=NEVER),
            "sustained": _alerts(_changed(counts, factor, width), width, level),
            "answered": _alerts(_changed(counts, factor, width), width, level, shift=NEVER, answered=True),
        }
        for factor in FACTORS
    }


def _clean(world: World, most: int) -> Floats:
    """Series of some size without anomalies and benign changes: shape (hours, series)."""
    simulation = world.simulation
    labelled = np.zeros(len(simulation.y), dtype=bool)
    labelled[[label.series for label in simulation.labels]] = True
    changing = (simulation.benign[:, simulation.warm :] == LAUNCHES).any(axis=1)
    fit = np.flatnonzero(~labelled & ~changing & (simulation.y.mean(axis=1) > _LEAST))
    some = fit[np.linspace(0, len(fit) - 1, min(most, len(fit)), dtype=int)]
    return np.ascontiguousarray(simulation.y[some].T)


def _changed(counts: Floats, factor: float, width: Width) -> Floats:
    changed = counts.copy()
    rest = slice(_CHANGES * DAY // HOUR + _HOUR, None)
    changed[rest] = np.round(changed[rest] * factor)
    return changed if width == HOUR else changed.reshape(-1, DAY // HOUR, changed.shape[1]).sum(axis=1)


def _alerts(
    counts: Floats, width: Width, level: float, *, shift: float | None = None, answered: bool = False
) -> Figures:
    by_day, tuning = DAY // width, TUNINGS[width]
    usage = usage_of(counts, width)
    if answered:
        since = _CHANGES * by_day + (_HOUR if width == HOUR else 0)
        rebased = np.zeros(counts.shape, dtype=np.int64)
        rebased[since + (_ANSWERED if width == HOUR else 1)] = usage.starts[since]
        usage = replace(usage, rebased=rebased)
    tuning = tuning if shift is None else replace(tuning, shift=shift)
    found = replay(usage, season_of(usage.starts, width, ZONE), NEWS, tuning)
    firing = (found.scores.max(axis=0) >= level)[_CHANGES * by_day :]
    soon = _SOON * by_day
    alerts = _once_a_day(firing, by_day)
    months = (len(firing) - soon) / by_day * DAY / HOUR / MONTH
    return {
        "first_days": round(float(alerts[:soon].sum(axis=0).mean()), 2),
        "a_month_after": round(float(alerts[soon:].sum(axis=0).mean() / months), 2),
        "new_levels": round(float((found.shifts[_CHANGES * by_day :] == Cause.SUSTAINED).sum(axis=0).mean()), 2),
    }


def _once_a_day(firing: Flags, by_day: int) -> Flags:
    alerts, last = np.zeros_like(firing), np.full(firing.shape[1], -by_day)
    for at in range(len(firing)):
        alerts[at] = firing[at] & (at - last >= by_day)
        last[alerts[at]] = at
    return alerts
