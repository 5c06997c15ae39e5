"""A statistic of each series over trailing windows, with what stands behind each value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from usage_watch.core.selection import Selected, Selection, select
from usage_watch.core.series import FeedHistory, Flags, Floats, Ints
from usage_watch.core.stats import bands
from usage_watch.core.stats.bands import Band, Estimate, band_of
from usage_watch.core.stats.windows import all_true, trailing_sum
from usage_watch.rules.statistic import DURATION_AXIS, PERCENTS, AnyStatistic, ShareOver, Statistic, is_time

Named = Mapping[str, tuple[float, float]]
"""The bands that the rules file names: from and to, in seconds."""
_DIGITS = 1
"""Behind the point of a duration in seconds."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A statistic of one series over trailing windows. All arrays have shape (n,)."""

    labels: Mapping[str, str]
    starts: Ints
    """Start of each window's last bucket, epoch seconds."""
    values: Floats
    """0 where there is nothing to judge."""
    counts: Ints
    """Of each window's last bucket alone."""
    known: Flags
    """Whether every bucket of the window was fetched, and all in it can be read."""
    settled: Flags
    """Whether every bucket of the window is settled."""
    enough: Flags
    """Whether there was enough to judge; an empty or thin window is clear."""
    grows: bool
    """Whether late numbers can only raise it."""
    behind: Floats
    """How much each value is made of: the tasks, or what a share is of; of a sum, itself."""
    variances: Floats
    """What chance does to each value, in its unit squared, were all that is behind it independent."""
    at_least: Flags
    """Whether the value is only a lower bound, for tasks of an open band decide it."""
    made_of: Mapping[str, Ints]
    """The tasks behind it by their band, the shortest first; empty for what is not made of bands."""


def measure(
    history: FeedHistory, watched: Sequence[Selected], statistic: AnyStatistic, window: int, min_total: float | None
) -> list[Measured]:
    """The total or the share of each series of a rule, over windows of `window` buckets.

    Below `min_total` a share says nothing.
    """
    return [_counted(history, series, statistic == Statistic.SHARE, window, min_total or 0) for series in watched]


def _counted(history: FeedHistory, series: Selected, is_share: bool, window: int, min_total: float) -> Measured:
    # Of a sum all is said by itself: of many series over a long history it matters what is made anew.
    sums = totals = trailing_sum(series.counts, window).astype(np.float64)
    found = Estimate(sums, sums)
    if is_share:
        totals = trailing_sum(series.totals, window).astype(np.float64)
        found = bands.share(sums, totals)
    return Measured(
        labels=series.labels,
        starts=history.starts,
        counts=series.counts,
        values=np.nan_to_num(found.values) if is_share else sums,
        known=all_true(series.known, window),
        settled=all_true(history.settled & series.known, window),
        enough=totals >= max(min_total, 1) if is_share else np.ones(len(sums), dtype=bool),
        grows=not is_share,
        behind=totals,
        variances=found.variances,
        at_least=np.zeros(len(sums), dtype=bool),
        made_of={},
    )


def measure_tasks(
    history: FeedHistory, member: str | None, statistic: AnyStatistic, window: int, least: float, named: Named
) -> Measured:
    """How long tasks took, of everyone or of one member, over windows of `window` buckets.

    Fewer than `least` tasks say nothing. A window that holds a task of a band that nobody knows is unknown itself: it
    may be slower or faster than all others.
    """
    found = _bands(history, member, named)
    axis_known = found.known & (found.unread == 0)
    counts = trailing_sum(found.counts, window).T
    estimate, at_least = _estimate(statistic, found.bands, counts.astype(np.float64))
    behind = counts.sum(axis=0).astype(np.float64)
    return Measured(
        labels={},
        starts=history.starts,
        counts=found.counts.sum(axis=1),
        values=np.nan_to_num(np.round(estimate.values, _DIGITS) if is_time(statistic) else estimate.values),
        known=all_true(axis_known, window),
        settled=all_true(history.settled & axis_known, window),
        enough=behind >= max(least, 1),
        grows=False,
        behind=behind,
        variances=estimate.variances,
        at_least=at_least,
        made_of=dict(zip(found.labels, counts, strict=True)),
    )


def unread_bands(history: FeedHistory, member: str | None, named: Named, since: int) -> list[str]:
    """The bands of tasks in buckets from `since` on (epoch seconds) that nobody knows."""
    rest = history.cut(since)
    return [each for each, counts in _by_label(rest, member).items() if band_of(each, named) is None and counts.any()]


@dataclass(frozen=True, slots=True)
class _Bands:
    """A feed's tasks by band."""

    labels: Sequence[str]
    bands: Sequence[Band]
    """The shortest first."""
    counts: Ints
    """Shape (n, bands)."""
    unread: Ints
    """Tasks of bands that nobody knows. Shape (n,)."""
    known: Flags
    """Where the axis was answered. Shape (n,)."""


def _bands(history: FeedHistory, member: str | None, named: Named) -> _Bands:
    by_label = _by_label(history, member)
    read = {label: band_of(label, named) for label in by_label}
    taken = sorted((band, label) for label, band in read.items() if band is not None and band.low < band.high)
    nothing = np.zeros(len(history.starts), dtype=np.int64)
    counts = [by_label[label] for _, label in taken]
    return _Bands(
        labels=[label for _, label in taken],
        bands=[band for band, _ in taken],
        counts=np.stack(counts, axis=1) if counts else np.zeros((len(nothing), 0), dtype=np.int64),
        unread=sum((by_label[label] for label, band in read.items() if band is None), nothing),
        known=select(history, Selection(DURATION_AXIS, None, member))[0].known,
    )


def _by_label(history: FeedHistory, member: str | None) -> dict[str, Ints]:
    """Tasks by the name of their band. Shape (n,) each."""
    split = select(history, Selection(DURATION_AXIS, None, member, DURATION_AXIS))
    return {label: each.counts for each in split for label in each.labels.values()}


def _estimate(statistic: AnyStatistic, of: Sequence[Band], counts: Floats) -> tuple[Estimate, Flags]:
    """The statistic, and where it is only a lower bound. `counts`: shape (bands, n)."""
    begins = bands.open_from(of, counts)
    if isinstance(statistic, ShareOver):
        limit = statistic.share_over.total_seconds()
        return bands.share_over(of, counts, limit), begins < limit
    if statistic == Statistic.MEAN:
        return bands.mean(of, counts), np.isfinite(begins)
    found = bands.quantile(of, counts, PERCENTS[statistic])
    return found, found.values >= begins
