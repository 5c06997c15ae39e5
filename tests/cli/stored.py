"""Made-up usage, put into a real database as if it had been read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from usage_watch.core.series import DAY, EACH_MEMBER, HOUR, Feed, Ints, Reading, SeriesKey, Width
from usage_watch.core.units import from_epoch, to_epoch
from usage_watch.store.database import open_for_writing
from usage_watch.store.history import HistoryStore

OPUS, SONNET = "claude-opus-4-8", "claude-sonnet-4-8"


def hours(since: datetime, now: datetime) -> Ints:
    """The starts of all hours that are over."""
    return np.arange(to_epoch(since), to_epoch(now) // HOUR * HOUR, HOUR, dtype=np.int64)


def days(since: datetime, now: datetime) -> Ints:
    """The starts of all UTC days that are over."""
    return np.arange(to_epoch(since), to_epoch(now) // DAY * DAY, DAY, dtype=np.int64)


def usual(starts: Ints, size: float, seed: int) -> Ints:
    """Counts that spread like counts: at night a tenth, on weekends a third."""
    hour, weekday = starts % DAY // HOUR, (starts // DAY + 3) % 7
    wanted = size * np.where((hour >= 7) & (hour < 18), 1.0, 0.1) * np.where(weekday >= 5, 0.3, 1.0)
    counts: Ints = np.random.default_rng(seed).poisson(wanted).astype(np.int64)
    return counts


def add(counts: Ints, starts: Ints, at: datetime, amount: int, buckets: int = 1) -> None:
    """Let something run away."""
    first = int(np.searchsorted(starts, to_epoch(at)))
    counts[first : first + buckets] += amount


def store(
    path: Path,
    now: datetime,
    starts: Ints,
    models: Mapping[str, Ints],
    *,
    dataset: str = "credit_usage",
    axis: str = "Model",
    members: bool = False,
    paid: bool = False,
) -> None:
    """Put counts by category, or with `members` by member, into the database at `path`: read once, just now."""
    width: Width = HOUR if len(starts) > 1 and starts[1] - starts[0] == HOUR else DAY
    feed = Feed(dataset, width, EACH_MEMBER) if members else Feed(dataset, width)
    series: dict[SeriesKey, Ints] = {}
    for name, counts in models.items():
        series[SeriesKey(feed, member=name) if members else SeriesKey(feed, axis, name)] = counts
    if not members:
        series[SeriesKey(feed)] = np.sum(list(models.values()), axis=0)
    if paid:
        series[SeriesKey(feed, "Credit Source", "paid")] = np.sum(list(models.values()), axis=0)
    rows = tuple(
        (key, at, count)
        for key, counts in series.items()
        for at, count in zip(starts.tolist(), counts.tolist(), strict=True)
        if count
    )
    axes = () if members else (axis, "Credit Source") if paid else (axis,)
    with open_for_writing(path) as database:
        history = HistoryStore(database)
        history.save(Reading(feed, axes, tuple(starts.tolist()), rows), now)
        history.read_up(feed, now, now, timedelta(minutes=15), from_epoch(int(starts[0])))
