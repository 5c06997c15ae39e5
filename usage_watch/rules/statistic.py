"""What is judged of a series: its sum, its part of the whole, or how long tasks took."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from usage_watch.core.units import Duration
from usage_watch.rules.common import Strict

OF_DURATIONS: Final = "task_durations"
"""The dataset that counts tasks by how long they took."""
DURATION_AXIS: Final = "Task Duration"
"""Its axis: the bands."""
FEW_TASKS: Final = 20
"""Fewer tasks than these say nothing of how long tasks take, where no rule says another number."""


class Statistic(StrEnum):
    """What is judged of a series."""

    TOTAL = "total"
    """The sum of its counts."""
    SHARE = "share"
    """Its part of the dataset's total for the same members, in percent."""
    MEAN = "mean"
    """How long a task took on average."""
    P50 = "p50"
    P90 = "p90"
    P95 = "p95"
    P99 = "p99"
    """How long the slowest tasks took, but for 1 %."""


class ShareOver(Strict):
    """The part of the tasks that took longer, in percent."""

    share_over: Duration
    """Longer than this, such as 15m."""


AnyStatistic = Statistic | ShareOver

PERCENTS: Final = {Statistic.P50: 50, Statistic.P90: 90, Statistic.P95: 95, Statistic.P99: 99}
"""Of the quantiles: how many percent of the tasks took at most so long."""


def is_time(statistic: AnyStatistic) -> bool:
    """Whether its values are durations."""
    return statistic == Statistic.MEAN or statistic in PERCENTS


def is_of_tasks(statistic: AnyStatistic) -> bool:
    """Whether it is made of the bands of task durations."""
    return isinstance(statistic, ShareOver) or is_time(statistic)


def is_percent(statistic: AnyStatistic) -> bool:
    """Whether its values are percentages."""
    return isinstance(statistic, ShareOver) or statistic == Statistic.SHARE


def least_tasks(statistic: AnyStatistic) -> int:
    """How many tasks it takes by default: of a quantile so many that one of them may lie beyond it."""
    percent = PERCENTS.get(statistic, 0) if isinstance(statistic, Statistic) else 0
    return max(FEW_TASKS, 100 // (100 - percent))
