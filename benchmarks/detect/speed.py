"""What the seasonal rule costs: time on one thread, and memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from statistics import median
from types import ModuleType

import numpy as np

from detect.detectors import NEWS, ZONE, usage_of
from detect.judging import Figures
from usage_watch.core.series import DAY, HOUR
from usage_watch.core.stats.seasonal import Season, Seasonal, Usage, replay, season_of

MOST_TIMES = 2.5
"""What a replay may take, in pandas' rolling means and deviations."""
MOST_MS = 5
"""What a new bucket of every series may take."""
_WINDOW = 28 * DAY // HOUR
"""Hours of the rolling mean and deviation."""
_WARM = 10 * DAY // HOUR
"""Hours before the buckets that are added one by one."""


def many(series: int, hours: int, rounds: int, pandas: ModuleType, bottleneck: ModuleType) -> Figures:
    """A replay of `hours` buckets of each series, what others need for less, and one new bucket for all of them."""
    usage, season = _made(series, hours)
    frame = pandas.DataFrame(usage.counts)
    works: dict[str, Callable[[], object]] = {
        "pandas": lambda: (frame.rolling(_WINDOW).mean(), frame.rolling(_WINDOW).std()),
        "bottleneck": lambda: (
            bottleneck.move_mean(usage.counts, _WINDOW, axis=0),
            bottleneck.move_std(usage.counts, _WINDOW, axis=0),
        ),
        "replay": lambda: replay(usage, season, NEWS),
    }
    before = _rss_mb()
    works["replay"]()
    after = _rss_mb()
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            taken[name].append(_seconds(work))
    best = {name: min(times) for name, times in taken.items()}
    one_by_one = _added(usage, season)
    # The first bucket of a UTC day also learns a day.
    at_midnight = [ms for at, ms in one_by_one if at % (DAY // HOUR) == 0]
    others = [ms for at, ms in one_by_one if at % (DAY // HOUR)]
    return {
        "series": series,
        "hours": hours,
        "rounds": rounds,
        "replay_s": round(best["replay"], 2),
        "pandas_s": round(best["pandas"], 2),
        "bottleneck_s": round(best["bottleneck"], 2),
        "replay_over_pandas": round(best["replay"] / best["pandas"], 2),
        "new_bucket_ms": round(median(others), 2),
        "new_bucket_worst_ms": round(max(others), 2),
        "new_bucket_at_midnight_ms": round(median(at_midnight), 2),
        "rss_mb": {"with_the_counts": before, "most_in_a_replay": after},
    }


def few(series: int, rounds: int, hours: int = 4_200) -> Figures:
    """The daily case of a daemon: few series, replayed whole, and bucket by bucket."""
    usage, season = _made(series, hours)
    replayed = min(_seconds(lambda: replay(usage, season, NEWS)) for _ in range(rounds))
    one_by_one = _added(usage, season)
    return {
        "series": series,
        "hours": hours,
        "replay_ms": round(1e3 * replayed, 1),
        "new_bucket_ms": round(median(ms for _, ms in one_by_one), 2),
    }


def _made(series: int, hours: int) -> tuple[Usage, Season]:
    generator = np.random.default_rng(1)
    shape = 1 + np.sin(np.arange(hours) * (2 * np.pi / 24))[:, None]
    usage = usage_of(generator.poisson(20 * shape, (hours, series)).astype(np.float64))
    return usage, season_of(usage.starts, HOUR, ZONE)


def _added(usage: Usage, season: Season, buckets: int = 2 * DAY // HOUR) -> list[tuple[int, float]]:
    """Judge the last buckets one by one: of each its index, and milliseconds."""
    last = len(usage.starts)
    first = last - buckets
    fold = Seasonal(usage.counts.shape[1], HOUR, NEWS)
    warm = slice(max(0, first - _WARM), first)
    fold.judge(usage.rows(warm), season.rows(warm))
    times = []
    for at in range(first, last):
        rows = slice(at, at + 1)
        some, of_some = usage.rows(rows), season.rows(rows)
        began = time.process_time()
        fold.judge(some, of_some)
        times.append((at, 1e3 * (time.process_time() - began)))
    return times


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _rss_mb() -> int:
    """The most memory that this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
