"""What the seasonal rule found, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum

import numpy as np
from numpy.typing import NDArray

from usage_watch.core.series import Flags, Floats, Ints
from usage_watch.core.stats.seasonal.deviance import Singles, edge
from usage_watch.core.stats.seasonal.earlier import Earlier
from usage_watch.core.stats.seasonal.noise import DOWN, UP, untamed
from usage_watch.core.stats.seasonal.profile import SEEN_TWO_WEEKS
from usage_watch.core.stats.seasonal.tuning import Tuning

NO_WINDOW = -1
CAME, USUAL, LOW = range(3)
"""Counts, what was expected and the least that was, as they index arrays."""


class Basis(StrEnum):
    """From what the usual was known."""

    NOTHING = "nothing"
    """Too little history: nothing is scored."""
    CLASS = "class"
    """The hour of the day, workdays and weekends apart (of days: workday or weekend); under two weeks of history."""
    SLOT = "slot"
    """The hour of the week (of days: the day of the week), leaning on the class where it was seen seldom."""


class Cause(IntEnum):
    """Why usage is judged by a new level from a bucket on."""

    SAID = 1
    """A human's answer."""
    SUSTAINED = 2
    """Usage has been out of the usual on one side for days."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One side of one bucket of a series: what its highest score says. Counts are sums over the window."""

    score: float
    buckets: int
    """Length of the window, which ends with the bucket."""
    came: float
    """What is known to have come; more may come while a bucket is not settled."""
    expected: float
    low: float
    high: float
    """The usual range: where the score of that window would reach the asked one."""
    basis: Basis
    weeks: float
    """Weeks of buckets that the usual was learned from."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The scores of some buckets, and what is needed to say why. Arrays (n, series) but for those by day.

    Single precision where that is what was computed: sums are to be made in double all the same.
    """

    tuning: Tuning
    counts: Floats | Singles
    """Single only where each of them is exact so."""
    scores: Singles
    """Up and down: shape (2, n, series). At least 0, and 0 where nothing was scored; nothing beyond 0 without news."""
    windows: NDArray[np.int8]
    """Which of the tuning's windows won: shape (2, n, series); -1 where the score is 0."""
    settled: Flags
    """Whether all buckets of the longest window are settled: later numbers change nothing. Shape (n, series)."""
    usual: Singles
    """What was expected of each bucket."""
    low: Singles
    """The same against which too little is judged."""
    shifts: NDArray[np.int8]
    """The `Cause` at each bucket that is the first to be judged by a new level, 0 elsewhere."""
    days: Ints
    """Index of each bucket's day in the arrays by day. Shape (n,)."""
    spreads: Floats
    """Learned noise: shape (days, windows, series)."""
    slopes: Floats
    """Of the tails: shape (days, windows, 2, series)."""
    learned: Floats
    """Days of buckets that were learned: shape (days, series); 0 where nothing is scored yet."""
    before: Floats
    """Counts and expectations of the buckets before the first, up to the longest window: shape (3, longest, series)."""
    earlier: Earlier
    """What is left of what was judged before them."""
    found: dict[tuple[float, ...], list[float]] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Edges that were asked for: nothing here changes, each takes a search, and at each cycle they are the same."""

    @classmethod
    def blank(cls, tuning: Tuning, counts: Floats | Singles, days: list[slice]) -> Judged:
        """Room for what will be found of buckets on these days."""
        n, series = counts.shape
        windows = len(tuning.windows)
        return cls(
            tuning=tuning,
            counts=counts,
            scores=np.empty((2, n, series), dtype=np.float32),
            windows=np.empty((2, n, series), dtype=np.int8),
            settled=np.empty((n, series), dtype=bool),
            usual=np.empty((n, series), dtype=np.float32),
            low=np.empty((n, series), dtype=np.float32),
            shifts=np.zeros((n, series), dtype=np.int8),
            days=np.repeat(np.arange(len(days)), [rows.stop - rows.start for rows in days]),
            spreads=np.empty((len(days), windows, series)),
            slopes=np.empty((len(days), windows, 2, series)),
            learned=np.empty((len(days), series)),
            before=np.empty((3, tuning.longest, series)),
            earlier=Earlier.none(series),
        )

    def of_day(self, day: int, rows: slice) -> Judged:
        """The part of one day, of whose arrays by day only that day's is left; all are views."""
        return self._cut(rows, slice(None), day)

    def of_series(self, series: slice) -> Judged:
        """The part of some series; all are views."""
        return self._cut(slice(None), series, slice(None))

    def alone(self, series: int) -> Judged:
        """One of the series, as if no other had been judged with it. Its arrays are views; nothing is written here."""
        return replace(self.of_series(slice(series, series + 1)), earlier=self.earlier.alone(series))

    def of_rows(self, rows: slice) -> Judged:
        """The part of some whole days, at least one; all are views, but for what came before other than the first."""
        days = slice(int(self.days[rows.start]), int(self.days[rows.stop - 1]) + 1)
        part = self._cut(rows, slice(None), days)
        if not rows.start:
            return part
        return replace(part, days=part.days - days.start, before=np.zeros_like(self.before))

    def take(self, other: Judged, rows: int) -> None:
        """Write what another has found of the first buckets, so many of whole days, in the place of its own."""
        mine, theirs = self.of_rows(slice(0, rows)), other.of_rows(slice(0, rows))
        for name in _FOUND:
            getattr(mine, name)[...] = getattr(theirs, name)

    def after(self, buckets: int, least: float) -> Judged:
        """Without its first ones, so many of whole days: of them it is kept where they scored `least` or more.

        All arrays but the counts are its own. Nothing may be asked of windows that reach back to what is gone.
        """
        rest = self.of_rows(slice(buckets, len(self.days)))
        own = {name: getattr(rest, name).copy() for name in _FOUND}
        scored = (self.learned[self.days[:buckets]] > 0).sum(axis=0)
        sums = np.stack([self.running(what)[buckets] for what in (CAME, USUAL, LOW)])
        earlier = self.earlier.and_then(self.scores[:, :buckets], scored, sums, least)
        return replace(rest, **own, earlier=earlier)

    def like(self, side: int, before: int, series: int, score: float) -> Ints:
        """Buckets before one that scored so high: below 0 for those that are only left in part."""
        own = np.flatnonzero(self.scores[side, :before, series] >= score)
        return np.concatenate([self.earlier.like(side, series, score), own])

    def running(self, what: int) -> Floats:
        """Sums of all `CAME`, `USUAL` or `LOW` up to each bucket, and up to the end: shape (n + 1, series).

        They are as they would be had nothing been left out, to the last digit.
        """
        amounts = (self.counts, self.usual, self.low)[what]
        sums = np.concatenate([self.earlier.sums[what : what + 1], amounts])
        return np.cumsum(sums, axis=0, out=sums)

    def scored(self, bucket: int, series: int) -> int:
        """How many buckets were scored up to one."""
        own = self.learned[self.days[: bucket + 1], series] > 0
        return int(self.earlier.scored[series] + own.sum())

    def _cut(self, rows: slice, series: slice, day: int | slice) -> Judged:
        return Judged(
            tuning=self.tuning,
            counts=self.counts[rows, series],
            scores=self.scores[:, rows, series],
            windows=self.windows[:, rows, series],
            settled=self.settled[rows, series],
            usual=self.usual[rows, series],
            low=self.low[rows, series],
            shifts=self.shifts[rows, series],
            days=self.days[rows],
            spreads=self.spreads[day, ..., series],
            slopes=self.slopes[day, ..., series],
            learned=self.learned[day, ..., series],
            before=self.before[..., series],
            earlier=self.earlier,
        )

    @property
    def rebased(self) -> Flags:
        """Which buckets are the first to be judged by a new level. Shape (n, series)."""
        return self.shifts > 0

    def shifted_at(self, bucket: int, series: int) -> Cause | None:
        """Why a bucket is the first to be judged by a new level; None where it is not."""
        cause = int(self.shifts[bucket, series])
        return Cause(cause) if cause else None

    def basis(self, bucket: int, series: int) -> Basis:
        """From what the usual of a bucket was known."""
        learned = self.learned[self.days[bucket], series]
        if not learned:
            return Basis.NOTHING
        return Basis.SLOT if learned >= SEEN_TWO_WEEKS else Basis.CLASS

    def finding(self, bucket: int, series: int, side: int, score: float) -> Finding:
        """What stands behind a score above 0: `score` is the one whose edges are the usual range."""
        index, buckets, (came, usual, low) = self._window(bucket, series, side)
        bottom, top = self._edges(np.array([usual]), np.array([low]), np.array([bucket]), series, index, score)
        return Finding(
            score=float(self.scores[side, bucket, series]),
            buckets=buckets,
            came=came,
            expected=low if side == DOWN else usual,
            low=float(bottom[0]),
            high=float(top[0]),
            basis=self.basis(bucket, series),
            weeks=float(self.learned[self.days[bucket], series]) / 7,
        )

    def reached(self, bucket: int, series: int, side: int, scores: Sequence[float]) -> list[float]:
        """Where the window that won would reach each of these scores on its side: sums over the window."""
        index, _, (_, usual, low) = self._window(bucket, series, side)
        usuals, lows, buckets = (np.full(len(scores), each) for each in (usual, low, bucket))
        bottom, top = self._edges(usuals, lows, buckets, series, index, np.array(scores))
        reached: list[float] = (top if side == UP else bottom).tolist()
        return reached

    def _window(self, bucket: int, series: int, side: int) -> tuple[int, int, Sequence[float]]:
        """Which window won, its buckets, and what came in it, was usual and the least that was."""
        index = int(self.windows[side, bucket, series])
        buckets = self._reach(bucket, series, self.tuning.windows[index].buckets)
        return index, buckets, [float(self._sum(what, bucket, series, buckets)) for what in (CAME, USUAL, LOW)]

    def band(self, rows: slice, series: int, score: float) -> tuple[Floats, Floats]:
        """The usual range of single buckets at a score, to be drawn: low and high, shape (n,)."""
        buckets = np.arange(len(self.days))[rows]
        usual, low = (each[rows, series].astype(np.float64) for each in (self.usual, self.low))
        return self._edges(usual, low, buckets, series, 0, score)

    def _edges(
        self, usual: Floats, low: Floats, buckets: Ints, series: int, index: int, score: float | Floats
    ) -> tuple[Floats, Floats]:
        n = len(buckets)
        asked = (*usual.tolist(), *low.tolist(), *buckets.tolist(), series, index, *np.ravel(score).tolist())
        if asked not in self.found:
            self.found[asked] = self._searched(usual, low, buckets, series, index, score).tolist()
        both = np.array(self.found[asked])
        return both[:n], both[n:]

    def _searched(
        self, usual: Floats, low: Floats, buckets: Ints, series: int, index: int, score: float | Floats
    ) -> Floats:
        """The lower edges, then the upper ones."""
        n, days, window = len(buckets), self.days[buckets], self.tuning.windows[index]
        noise = self.spreads[days, index, series]
        slopes = self.slopes[days, index, :, series]
        up = untamed(np.full(n, score * window.up.scale), slopes[:, UP])
        down = untamed(np.full(n, score * window.down.scale), slopes[:, DOWN])
        # Both at once: it takes a search of many steps, each of which costs the same however many there are.
        spreads = np.repeat([window.down.spread, window.up.spread], n)
        return edge(np.concatenate([low, usual]), np.tile(noise, 2), spreads, np.concatenate([-down, up]))

    def _reach(self, bucket: int, series: int, buckets: int) -> int:
        """Buckets of a window that ends with `bucket`: none before the last new level."""
        first = max(0, bucket + 1 - buckets)
        renewed = np.flatnonzero(self.shifts[first : bucket + 1, series])
        return bucket + 1 - first - int(renewed[-1]) if len(renewed) else buckets

    def _sum(self, what: int, bucket: int, series: int, buckets: int) -> Floats:
        rows = (self.counts, self.usual, self.low)[what]
        first = bucket + 1 - buckets
        earlier = self.before[what, first:, series] if first < 0 else self.before[what, :0, series]
        total: Floats = rows[max(first, 0) : bucket + 1, series].astype(np.float64).sum() + earlier.sum()
        return total


_FOUND = ("scores", "windows", "settled", "usual", "low", "shifts", "spreads", "slopes", "learned", "before")
