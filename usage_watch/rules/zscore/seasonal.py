"""`method: seasonal`: what came at this hour of the week before, over several windows at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from usage_watch.core.episode import Findings, Level
from usage_watch.core.lessons import Lessons
from usage_watch.core.series import Flags, Floats, Ints, Width
from usage_watch.core.stats.seasonal import (
    CAME,
    DOWN,
    LOW,
    UP,
    USUAL,
    Cause,
    Judged,
    Singles,
    Usage,
    as_weekend,
    season_of,
)
from usage_watch.core.units import to_epoch
from usage_watch.rules.common import FileDefaults
from usage_watch.rules.measure import Measured, MeasuredFindings
from usage_watch.rules.zscore.blocks import Asked, Block, judged_blocks
from usage_watch.rules.zscore.options import Direction, worse

_NEWEST = 4
"""The newest part of a window, a quarter, must be out of the usual too: else it speaks of what is over."""

Places = tuple[Ints, Ints]
"""Rows and series of some cells."""

_BACK = 2
"""Usage that is so many times its new level, or such a part of it, is not at it."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What is asked of the scores."""

    rule: str
    """Its id."""
    levels: tuple[Level, ...]
    width: Width
    direction: Direction
    asked: Asked
    clear_at: float
    """The score from which on it is not clear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeasonalFindings(MeasuredFindings):
    """Findings that know from what the usual was known. Their limits are what is usual: edges take a search."""

    scores: Floats
    """Below 0 for too little."""
    blocks: Sequence[Block]
    first: int
    """Which of the series' buckets the first finding is of."""
    column: int
    """Which of the blocks' series it is."""

    def place(self, index: int) -> tuple[Judged, int]:
        """Where a finding's bucket was judged."""
        row = self.first + index
        block = next(each for each in self.blocks if row < each.rows.stop)
        return block.judged, row - block.first

    def renewed(self, first: int, end: int, stop: int) -> Cause | None:
        """Why there was a new level from the bucket `first` on, at which usage stands from `end` to `stop`; or None."""
        places = [self.place(each) for each in range(first, min(stop, len(self.starts)))]
        causes = (judged.shifted_at(row, self.column) for judged, row in reversed(places))
        cause = next((cause for cause in causes if cause is not None), None)
        came, usual = (
            sum(float(getattr(judged, name)[row, self.column]) for judged, row in places[end - first :])
            for name in ("counts", "usual")
        )
        # Hours of the night may stay unusual for a while: the end comes after the new level. Where usage fell back to
        # the former one, it is no reason.
        return cause if usual < _BACK * came and came < _BACK * usual else None


def judge(terms: Terms, series: Sequence[Measured], first: int, defaults: FileDefaults) -> list[Findings]:
    """Judge the buckets of all series from the index `first` on, at once."""
    if not series:
        return []
    usage = _usage(terms, series, defaults.lessons)
    season = season_of(usage.starts, terms.width, defaults.zone)
    season = as_weekend(season, defaults.lessons.days_off(usage.starts, terms.width), terms.width)
    blocks = list(judged_blocks(usage, season, terms.asked, first, terms.rule))
    sheet = _Sheet.joined([_sheet(terms, block) for block in blocks], len(series))
    return [_findings(terms, each, sheet, blocks, first, column) for column, each in enumerate(series)]


def _usage(terms: Terms, series: Sequence[Measured], lessons: Lessons) -> Usage:
    starts = series[0].starts
    return Usage(
        starts,
        terms.width,
        np.column_stack([each.counts for each in series]).astype(np.float64),
        np.column_stack([each.settled for each in series]),
        lessons.learnable_each(terms.rule, [each.labels for each in series], starts, terms.width),
        _rebased(terms, series, lessons),
    )


def _rebased(terms: Terms, series: Sequence[Measured], lessons: Lessons) -> Ints | None:
    """At the first bucket that is judged by a new normal, since when that is; None where there is none of it."""
    found: Ints = np.zeros((len(series[0].starts), len(series)), dtype=np.int64)
    for column, each in enumerate(series):
        for said in lessons.rebases(terms.rule, each.labels):
            found[np.searchsorted(each.starts, to_epoch(said.at)) :, column][:1] = to_epoch(said.since_at)
    return found if found.any() else None


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What was found, in the rule's direction. Arrays of shape (n, series)."""

    scores: Floats
    """Below 0 for too little."""
    values: Floats
    """What came in the window that won; in the bucket alone, where none did."""
    usual: Floats
    """What was expected of it."""
    lasting: Flags
    """Whether the newest part of that window is out of the usual too."""
    settled: Flags
    """Whether anything was known to be usual, and no later number can change what was found."""

    @classmethod
    def joined(cls, parts: Sequence[_Sheet], series: int) -> _Sheet:
        """What was found of buckets that follow each other; nothing of no buckets."""
        none = np.zeros((0, series))
        whole = [np.concatenate([none, *(getattr(each, name) for each in parts)]) for name in cls.__slots__]
        return cls(*whole[:3], *(each.astype(bool) for each in whole[3:]))


def _sheet(terms: Terms, block: Block) -> _Sheet:
    judged, rows = block.judged, slice(block.rows.start - block.first, block.rows.stop - block.first)
    falls = _falls(terms.direction, judged.scores[:, rows])
    values = judged.counts[rows].astype(np.float64)
    usual = np.where(falls, judged.low[rows], judged.usual[rows]).astype(np.float64)
    lasting = np.zeros(values.shape, dtype=bool)
    won = np.where(falls, judged.windows[DOWN, rows], judged.windows[UP, rows])
    sums = _Sums(judged, falls, rows)
    for index, window in enumerate(judged.tuning.windows):
        at, series = np.nonzero(won == index)
        here = at, series
        values[here], usual[here] = sums.came(here, window.buckets), sums.expected(here, window.buckets)
        newest = max(1, window.buckets // _NEWEST)
        expected = sums.expected(here, newest)
        change = sums.came(here, newest) - expected
        lasting[here] = np.where(falls[here], -change, change) >= terms.asked.news.relative * expected
    scores = np.where(falls, -judged.scores[DOWN, rows], judged.scores[UP, rows]).astype(np.float64)
    known = judged.settled[rows] & (judged.learned[judged.days[rows]] > 0)
    return _Sheet(scores, values, usual, lasting, known)


def _falls(direction: Direction, scores: Singles) -> Flags:
    """Whether it is too little that a bucket is judged for; `scores` of shape (2, n, series)."""
    if direction is Direction.BOTH:
        falls: Flags = scores[DOWN] > scores[UP]
        return falls
    return np.full(scores[UP].shape, direction is Direction.DOWN)


class _Sums:
    """Sums over windows that end with some buckets; none reaches back over a new level.

    Of most buckets no window is asked for: so they are looked up where they are.
    """

    def __init__(self, judged: Judged, falls: Flags, rows: slice) -> None:
        self._judged, self._falls, self._rows = judged, falls, rows
        self._renewed = np.maximum.accumulate(
            np.where(judged.rebased, np.arange(len(judged.counts), dtype=np.int32)[:, np.newaxis], 0), axis=0
        )

    def came(self, here: Places, buckets: int) -> Floats:
        """What came in the windows of so many buckets; `here`: places among the rows. Shape (of here,)."""
        return self._within(self._came, here, buckets)

    def expected(self, here: Places, buckets: int) -> Floats:
        """What was usual, or the least that was where it falls."""
        falls = self._falls[here]
        if not falls.any():
            return self._within(self._usual, here, buckets)
        return np.where(falls, *(self._within(each, here, buckets) for each in (self._low, self._usual)))

    @cached_property
    def _came(self) -> Floats:
        return self._judged.running(CAME)

    @cached_property
    def _usual(self) -> Floats:
        return self._judged.running(USUAL)

    @cached_property
    def _low(self) -> Floats:
        return self._judged.running(LOW)

    def _within(self, sums: Floats, here: Places, buckets: int) -> Floats:
        places, series = here
        ends = self._rows.start + places + 1
        begins = np.maximum(np.maximum(ends - buckets, 0), self._renewed[ends - 1, series])
        within: Floats = sums[ends, series] - sums[begins, series]
        return within


def _findings(
    terms: Terms, measured: Measured, sheet: _Sheet, blocks: Sequence[Block], first: int, column: int
) -> Findings:
    scores, usual = sheet.scores[:, column], sheet.usual[:, column]
    height = np.where(sheet.lasting[:, column], np.abs(scores), 0)
    ranks = np.searchsorted([level.limit for level in terms.levels], height, side="left").astype(np.int8)
    return SeasonalFindings(
        labels=measured.labels,
        levels=terms.levels,
        width=terms.width,
        starts=measured.starts[first:],
        ranks=ranks,
        holding=(ranks == 0) & (height > terms.clear_at),
        settled=sheet.settled[:, column],
        # That there is enough of it again is known of a window only once all of it is settled.
        grows=terms.direction is not Direction.DOWN,
        worse=worse(terms.direction, ranks, scores),
        values=sheet.values[:, column],
        limits=usual,
        scores=scores,
        usual=usual,
        measured=measured,
        blocks=blocks,
        first=first,
        column=column,
    )
