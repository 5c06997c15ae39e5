"""The detectors: ours as the rule runs them, and what people use otherwise."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from detect.judging import Scores
from usage_watch.core.series import DAY, HOUR, Floats, Width
from usage_watch.core.stats.rolling import EMBARGO, Spread, score
from usage_watch.core.stats.seasonal import News, Usage, replay, season_of
from usage_watch.core.stats.seasonal.tuning import TUNINGS

MONDAY = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp())
"""The simulator's weeks begin on Monday, at midnight."""
ZONE = ZoneInfo("UTC")
NEWS = News(change=10, relative=0.25)
"""The rule's defaults."""
_BASELINE = 28 * DAY
_LIMIT = 4
_WEEKS = 4
_WEEK = 168
_BY_DAY = 24


def usage_of(counts: Floats, width: Width = HOUR) -> Usage:
    """Counts of shape (n, series) that all came at once."""
    starts = MONDAY + width * np.arange(len(counts), dtype=np.int64)
    every = np.ones(counts.shape, dtype=bool)
    return Usage(starts, width, counts, every, every)


def seasonal(counts: Floats, width: Width = HOUR, *, embargo: int = EMBARGO, shift: float | None = None) -> Scores:
    """The seasonal rule, in both directions: shape (series, n)."""
    usage, tuning = usage_of(counts, width), TUNINGS[width]
    tuning = replace(tuning, embargo=embargo, shift=tuning.shift if shift is None else shift)
    found = replay(usage, season_of(usage.starts, width, ZONE), NEWS, tuning)
    return np.ascontiguousarray(found.scores.max(axis=0).T, dtype=np.float32)


def daily(counts: Floats) -> Scores:
    """The seasonal rule on days, known at the end of their last hour: shape (series, hours)."""
    days = counts.reshape(-1, _BY_DAY, counts.shape[1]).sum(axis=1)
    scores = np.zeros(counts.T.shape, dtype=np.float32)
    scores[:, _BY_DAY - 1 :: _BY_DAY] = seasonal(days, DAY)
    return scores


def rolling(counts: Floats, spread: Spread, limit: float = _LIMIT) -> Scores:
    """The plain or the robust rule, in both directions: shape (series, n). It learns nothing that is beyond `limit`."""
    usage = usage_of(counts)
    known = np.ones(len(counts), dtype=bool)
    found = np.zeros(counts.T.shape, dtype=np.float32)
    for series, values in enumerate(np.ascontiguousarray(counts.T)):
        scored = score(usage.starts, values, known, HOUR, _BASELINE, limit, spread)
        usual = np.nan_to_num(scored.centers)
        found[series] = np.abs(scored.scores) * NEWS.worth(values - usual, usual)
    return found


def hour_of_week(counts: Floats) -> Scores:
    """Mean and deviation of the same hour in the four weeks before, as a sheet would compute them."""
    found = np.zeros(counts.T.shape, dtype=np.float32)
    for hour in range((_WEEKS + 1) * _WEEK, len(counts)):
        same = counts[hour - _WEEKS * _WEEK : hour : _WEEK]
        mean = same.mean(axis=0)
        deviation = np.maximum(same.std(axis=0), np.sqrt(np.maximum(mean, 1)))
        change = counts[hour] - mean
        found[:, hour] = np.abs(change) / deviation * NEWS.worth(change, mean)
    return found


def is_causal(counts: Floats, cuts: int = 6, series: int = 52) -> bool:
    """Whether replays of prefixes, which end anywhere in a day, give the scores that a replay of all gives."""
    some = np.ascontiguousarray(counts[:, :series])
    whole = seasonal(some)
    ends = np.linspace(_WEEK, len(some), cuts, dtype=int) - np.arange(cuts) * 5
    return all(np.array_equal(seasonal(some[:end]), whole[:, :end]) for end in ends)
