"""Counts against what is usual for their hour of the week, over several windows at once.

Each bucket is judged by what was learned from buckets that were over 48 h before its UTC day began, live and in a
replay alike: so when a number arrived cannot change what was learned, and a runaway does not teach that it is usual
before it has been told. A day is the unit: what is learned moves at UTC midnight, and a replay works on whole days.

Two things need not wait for that: what a human says is the new usual, and what has been out of the usual on one side
for days. From the next bucket, or midnight, on the level is what came since; windows begin anew there.

What a `Seasonal` carries is only a cache of the counts it was given.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from usage_watch.core.series import DAY, Flags, Floats, Ints, Width
from usage_watch.core.stats.rolling import LEAST
from usage_watch.core.stats.seasonal.day import Day
from usage_watch.core.stats.seasonal.deviance import Reals, Singles
from usage_watch.core.stats.seasonal.judged import Cause, Judged
from usage_watch.core.stats.seasonal.noise import Noise
from usage_watch.core.stats.seasonal.profile import LEAST_EXPECTED, Expected, Profile
from usage_watch.core.stats.seasonal.season import Season
from usage_watch.core.stats.seasonal.shift import Runs, evenly_more
from usage_watch.core.stats.seasonal.sums import UNSETTLED, UNTAUGHT, Sums
from usage_watch.core.stats.seasonal.tuning import TUNINGS, Tuning
from usage_watch.core.stats.seasonal.weighing import Weighing

CLIP = 4.0
"""Standard deviations from the usual beyond which a count is learned as if it stood there."""
_NEVER = np.iinfo(np.int64).min
AT_ONCE = 2500
"""Series that are replayed together: enough that what a call costs does not count, not more than memory bears."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Buckets on a grid without holes. Arrays (n, series) but for the starts."""

    starts: Ints
    """Epoch seconds, `width` apart. Shape (n,)."""
    width: Width
    counts: Floats
    """What has come; 0 where a bucket was not fetched."""
    settled: Flags
    """What will not change."""
    learnable: Flags
    """What may be learned: false for spans that people have taken out of what is usual; unsettled buckets never are."""
    rebased: Ints | None = None
    """At a bucket from which a human's answer holds: since when usage is of the new kind (epoch s). 0 elsewhere."""

    def rows(self, rows: slice, series: slice = slice(None)) -> Usage:
        """Some of the buckets of some of the series."""
        cut = rows, series
        rebased = None if self.rebased is None else self.rebased[cut]
        return Usage(self.starts[rows], self.width, self.counts[cut], self.settled[cut], self.learnable[cut], rebased)


@dataclass(frozen=True, slots=True)
class News:
    """What is too little to be news, in the rule's unit."""

    change: float = 0
    """A smaller deviation, in counts."""
    relative: float = 0
    """A smaller deviation, as part of the expected."""

    def worth(self, change: NDArray[Reals], expected: NDArray[Reals]) -> Flags:
        """Which deviations are news."""
        size = np.abs(change)
        return (size >= self.change) & (size >= self.relative * expected)


class Seasonal:
    """Judges the buckets of many series in the order of time."""

    def __init__(self, series: int, width: Width, news: News | None = None, tuning: Tuning | None = None) -> None:
        self.tuning = tuning or TUNINGS[width]
        self._by_day = DAY // width
        self._kept = max(self.tuning.embargo, self.tuning.sustained * DAY)
        self._news = news or News()
        self._profile = Profile(series, self.tuning)
        self._noise = Noise(self.tuning.lengths, series)
        self._begun: Flags = np.zeros(series, dtype=bool)
        self._days: deque[Day] = deque()
        self._runs = Runs(series)
        self._shifted: Flags = np.zeros(series, dtype=bool)
        self._renewed_at: Ints = np.full(series, _NEVER)
        self._weighing = self._weigh()
        self._newest: Floats = np.zeros((self.tuning.longest, series))
        self._sums = Sums(self.tuning.lengths, self._by_day, series)

    def judge(self, usage: Usage, season: Season, into: Judged | None = None) -> Judged:
        """Judge the buckets that follow those judged before; `into` takes the findings where it is given."""
        days = days_of(usage.starts)
        found = into or Judged.blank(self.tuning, usage.counts, days)
        found.before[0], found.before[1:] = self._newest, self._sums.last()
        for index, day in enumerate(days):
            self._enter(int(usage.starts[day.start]) // DAY * DAY)
            for rows in _parts(usage, day):
                some, into_rows = usage.rows(rows), found.of_day(index, rows)
                self._renew(some, into_rows.shifts[0])
                self._judge_rows(some, season.rows(rows), into_rows)
        if days:
            self._remember(usage)
        return found

    def _enter(self, midnight: int) -> None:
        """Begin the UTC day at `midnight`, if it has not begun: the only moment at which anything is learned."""
        if self._days:
            if self._days[-1].start == midnight:
                return
            self._watch(self._days[-1])
        for day in self._days:
            if day.start + DAY + self.tuning.embargo <= midnight and not day.learned:
                self._learn(day)
        while self._days and self._days[0].start + DAY + self._kept <= midnight:
            self._days.popleft()
        self._shifted = self._runs.lasting(self.tuning.sustained)
        self._sums.roll()
        self._weighing = self._weigh()
        self._days.append(Day(midnight, self._profile.days > 0, self._noise.days > 0))

    def _weigh(self) -> Weighing:
        return Weighing(self.tuning, self._noise.spread, self._noise.slopes())

    def _watch(self, day: Day) -> None:
        """Count the day, if it was out of the usual as a whole."""
        deviation, teaching = day.deviations[-1][-1, -1], day.teaching[-1][-1, -1]
        scored = day.calibrated & (self._profile.days >= LEAST / DAY)
        self._runs.add(deviation * teaching * scored, self.tuning.shift)

    def _renew(self, usage: Usage, causes: NDArray[np.int8]) -> None:
        """Give the series a new level of which a human said so at the first bucket, or whose usage has shifted."""
        now, today = int(usage.starts[0]), self._days[-1].start
        since = np.where(self._shifted, today - self.tuning.sustained * DAY, 0)
        causes[self._shifted] = Cause.SUSTAINED
        if usage.rebased is not None:
            said = usage.rebased[0] > 0
            since[said], causes[said] = usage.rebased[0, said], Cause.SAID
        which = np.flatnonzero(causes)
        if len(which):
            sums = self._came(since[which], which)
            self._noise.widen(which, self._profile.renew(which, sums, self._by_day))
            self._sums.forget(which)
            self._runs.forget(which)
            self._renewed_at[which] = now
            self._weighing = self._weigh()
        self._shifted = np.zeros_like(self._shifted)

    def _came(self, since: Ints, which: Ints) -> Floats:
        """What came of the series of `which` since then, and what a level of 1 lets expect: shape (2, of which).

        What runs day and night is no multiple of what was usual: their shape is raised by it.
        """
        days = [day for day in self._days if day.starts]
        if not days:
            return np.zeros((2, len(which)))
        season = Season.joined([each for day in days for each in day.seasons])
        counts, masks = (np.concatenate(each) for each in zip(*(day.since(since, which) for day in days), strict=True))
        shape = self._profile.expect(season, self._by_day).shape[:, which] * masks
        level = np.maximum(self._profile.level[which], LEAST_EXPECTED)
        raised = evenly_more(counts, shape * level, masks) / level
        self._profile.lift(which, raised)
        sums: Floats = np.array([counts.sum(axis=0, dtype=np.float64), (shape + raised * masks).sum(axis=0)])
        return sums

    def _judge_rows(self, usage: Usage, season: Season, found: Judged) -> None:
        expected = self._profile.expect(season, self._by_day)
        day, mask = self._days[-1], self._mask(usage)
        self._sums.add(usage.counts, expected.usual, expected.low, ~usage.settled, ~mask)
        day.add(usage.starts, season, expected, usage.counts, mask)
        scored = (self._profile.days >= LEAST / DAY) & day.calibrated
        found.scores[...], found.windows[...] = self._judge_windows(day, scored, found.settled)
        found.usual[...], found.low[...] = expected.usual, expected.low
        found.spreads[...], found.slopes[...] = self._weighing.spreads, self._weighing.slopes
        found.learned[...] = self._profile.days * scored

    def _judge_windows(self, day: Day, scored: Flags, settled: Flags) -> tuple[Singles, NDArray[np.int8]]:
        """Judge the buckets added last, and keep for later what the deviations of all windows teach."""
        without = self._sums.without()
        settled[...] = without[UNSETTLED, -1]
        came, usual, low = self._sums.amounts()
        over = came > usual
        expected = np.minimum(np.maximum(came, low, out=low), usual, out=usual)
        deviations = self._weighing.deviations(came, expected, over)
        day.deviations.append(deviations)
        day.teaching.append(without[UNTAUGHT])
        came -= expected
        return self._weighing.best(deviations, self._news.worth(came, expected) & scored, without[UNSETTLED])

    def _mask(self, usage: Usage) -> Flags:
        """What of a day may be learned. A series begins with its first count: before, it was not there."""
        mask: Flags = usage.settled & usage.learnable
        if not self._begun.all():
            begun = np.logical_or.accumulate(usage.counts > 0, axis=0) | self._begun
            self._begun = begun[-1]
            mask &= begun
        return mask

    def _learn(self, day: Day) -> None:
        season, expected = Season.joined(day.seasons), Expected.joined(day.expected)
        counts, mask, deviations, teaching = day.joined()
        if (self._renewed_at > day.start).any():
            # What a new level was taken from is not learned again: it would be clipped, to the old one.
            mask = mask & (np.concatenate(day.starts)[:, None] >= self._renewed_at)
            teaching = teaching & mask
        clipped = self._clip(counts, expected)
        if not day.calibrated.all():
            clipped = np.where(day.calibrated, clipped, counts)
            teaching = teaching & day.calibrated
            self._begin(day, counts, expected, mask)
        self._profile.learn(season, counts, clipped, expected.shape, mask, self._by_day)
        self._noise.learn(deviations, teaching)
        day.forget()

    def _begin(self, day: Day, counts: Singles, expected: Expected, mask: Flags) -> None:
        teaching = mask & day.known
        self._noise.begin((counts - expected.usual) ** 2 * teaching, expected.usual * teaching, ~day.calibrated)

    def _clip(self, counts: Singles, expected: Expected) -> Singles:
        noise, spread = self._noise.spread[0].astype(np.float32), self.tuning.windows[0].up.spread
        high = _deviation(expected.usual, np.clip(expected.usual, 1, None), noise, spread)
        low = _deviation(expected.low, expected.low, noise, spread)
        return np.clip(counts, expected.low - low, expected.usual + high)

    def _remember(self, usage: Usage) -> None:
        """Keep the newest counts as they are: what came is told to the last digit."""
        self._newest = np.concatenate([self._newest, usage.counts])[-self.tuning.longest :]
        starts = usage.starts[-1] - usage.width * np.arange(len(self._newest))[::-1, None]
        self._newest[starts < self._renewed_at] = 0


def _deviation(expected: Singles, noisy: Singles, noise: Singles, spread: float) -> Singles:
    """`CLIP` standard deviations of counts."""
    variance = expected * (spread * CLIP**2)
    variance *= expected
    variance += noisy * (noise * CLIP**2)
    deviation: Singles = np.sqrt(variance, out=variance)
    return deviation


def replay(usage: Usage, season: Season, news: News | None = None, tuning: Tuning | None = None) -> Judged:
    """Judge a whole history: the same as a `Seasonal` that is given it all at once, in less time for many series."""
    tuning = tuning or TUNINGS[usage.width]
    found = Judged.blank(tuning, usage.counts, days_of(usage.starts))
    series = usage.counts.shape[1]
    for first in range(0, series, AT_ONCE):
        some = slice(first, min(first + AT_ONCE, series))
        fold = Seasonal(some.stop - first, usage.width, news, tuning)
        fold.judge(usage.rows(slice(None), some), season, found.of_series(some))
    return found


def _parts(usage: Usage, day: slice) -> list[slice]:
    """The rows of a day, cut at buckets from which an answer holds."""
    if usage.rebased is None:
        return [day]
    cuts = day.start + np.flatnonzero(usage.rebased[day].any(axis=1))
    bounds = sorted({day.start, *cuts.tolist(), day.stop})
    return [slice(first, last) for first, last in pairwise(bounds)]


def days_of(starts: Ints) -> list[slice]:
    """Slices of the buckets of each UTC day."""
    edges = np.flatnonzero(np.diff(starts // DAY)) + 1
    bounds = [0, *edges.tolist(), len(starts)]
    return [slice(first, last) for first, last in pairwise(bounds) if last > first]
