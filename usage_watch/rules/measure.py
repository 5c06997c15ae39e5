"""The statistics that threshold and zscore judge: totals and shares over a trailing window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from usage_watch.core.selection import Selection, select
from usage_watch.core.series import FeedHistory, Flags, Floats, Ints
from usage_watch.core.stats.windows import all_true, trailing_sum
from usage_watch.core.units import number
from usage_watch.rules.evidence import amount


class Statistic(StrEnum):
    """What is judged of a series."""

    TOTAL = "total"
    """The sum of its counts."""
    SHARE = "share"
    """Its part of the dataset's total for the same members, in percent."""


LATER_STATISTICS = frozenset({"mean", "p50", "p90", "p95", "p99", "share_over"})
"""Statistics of the contract that are not built yet: those of task_durations."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A statistic of one series over trailing windows. All arrays have shape (n,)."""

    labels: Mapping[str, str]
    starts: Ints
    """Start of each window's last bucket, epoch seconds."""
    values: Floats
    known: Flags
    """Whether every bucket of the window was fetched."""
    settled: Flags
    """Whether every bucket of the window is settled."""
    enough: Flags
    """Whether there was enough to judge; an empty or thin window is clear."""
    grows: bool
    """Whether late numbers can only raise it."""


def measure(
    history: FeedHistory, selection: Selection, statistic: Statistic, window: int, min_total: float
) -> list[Measured]:
    """Measure each series of a rule over windows of `window` buckets; below `min_total` a share says nothing."""
    measured = []
    for series in select(history, selection):
        sums = trailing_sum(series.counts, window).astype(np.float64)
        totals = trailing_sum(series.totals, window).astype(np.float64)
        is_share = statistic == Statistic.SHARE
        measured.append(
            Measured(
                labels=series.labels,
                starts=history.starts,
                values=np.divide(100 * sums, totals, out=np.zeros_like(sums), where=totals > 0) if is_share else sums,
                known=all_true(series.known, window),
                settled=all_true(history.settled & series.known, window),
                enough=totals >= max(min_total, 1) if is_share else np.ones(len(sums), dtype=bool),
                grows=not is_share,
            )
        )
    return measured


def said(value: float, statistic: Statistic, unit: str) -> str:
    """A measured value in words: `12,345 credits`, `63 % of credits`."""
    return f"{number(value)} % of {unit}" if statistic == Statistic.SHARE else amount(value, unit)
