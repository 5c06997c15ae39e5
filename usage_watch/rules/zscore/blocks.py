"""A history in blocks, each judged from eight weeks before it on.

What is found of a bucket leans on nothing but those weeks and its block, whatever else was loaded: so the daemon, which
judges 90 days at a time, a backtest, which judges the last few, and each next day find the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from usage_watch.core.series import DAY, Flags, Floats, Ints, Width
from usage_watch.core.stats.seasonal import Judged, News, Season, Seasonal, Singles, Usage, days_of
from usage_watch.core.stats.seasonal.tuning import Tuning
from usage_watch.rules.drawing import POINTS

WARM_UP = 8 * 7 * DAY
"""Seconds before a block that are learned from."""
BLOCK = 12 * 7 * DAY
"""Seconds."""
_MONDAY = 4 * DAY
"""1970-01-05: a block begins on a Monday."""
_KEPT_BACK = (10, 4)
"""Days before the newest bucket at which the fold is kept: what came lately is all that changes at most polls."""
_SHORTENED_BY = 7 * DAY
"""Seconds, at least: what is shortened is copied."""
_ROUNDS = 8
"""A block that was not judged while all others were, so many times over, is over, or its rule is gone."""
_MOST = 4_000_000
"""Buckets that are kept, of all series and rules; one takes about thirty bytes."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How it is judged."""

    news: News
    tuning: Tuning
    least: float
    """The lowest score that it speaks at."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some buckets of a history, judged."""

    rows: slice
    """Which of the history's buckets are the block's own."""
    first: int
    """Which of them was the first that it is still known of what was found."""
    judged: Judged
    """From there on."""


def begin_of(at: int) -> int:
    """Where the history must begin that judges the bucket which starts at `at` (epoch seconds)."""
    return at - (at - _MONDAY) % BLOCK - WARM_UP


def judged_blocks(usage: Usage, season: Season, asked: Asked, first: int, name: str) -> Iterator[Block]:
    """Judge the buckets from the index `first` on, block by block.

    `name`: of whose usage it is; what was judged under it before is not judged again where nothing has changed.
    """
    starts = usage.starts
    for rows in _blocks(starts, first):
        begins_at = begin_of(int(starts[rows.start]))
        begin = int(np.searchsorted(starts, begins_at))
        some, own = slice(begin, rows.stop), f"{name} {begins_at}"
        judged = _MEMO.get().judge(usage.rows(some), season.rows(some), asked, own, rows.start - begin)
        yield Block(rows, begin + judged.earlier.buckets, judged)


def _blocks(starts: Ints, first: int) -> list[slice]:
    numbers = (starts[first:] - _MONDAY) // BLOCK
    edges = first + 1 + np.flatnonzero(np.diff(numbers))
    bounds = [first, *edges.tolist(), len(starts)]
    return [slice(begin, end) for begin, end in pairwise(bounds) if end > begin]


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What a block was judged by: as small as it goes, for it is kept of every series."""

    first: int
    """Start of the first bucket, epoch seconds."""
    width: Width
    series: int
    asked: Asked
    counts: Floats | Singles
    by_row: tuple[NDArray[np.generic], ...]
    """Seasons, what was settled, what might be learned and new levels: a row a bucket, bits side by side."""

    @classmethod
    def of(cls, usage: Usage, season: Season, asked: Asked) -> _Inputs:
        rebased = np.zeros((len(usage.starts), 1), dtype=np.int64) if usage.rebased is None else usage.rebased
        seasons = np.column_stack([season.slots, season.classes]).astype(np.int16)
        settled, learnable = (np.packbits(each, axis=1) for each in (usage.settled, usage.learnable))
        by_row = (seasons, settled, learnable, rebased)
        return cls(int(usage.starts[0]), usage.width, usage.counts.shape[1], asked, _small(usage.counts), by_row)

    def alike(self, other: _Inputs) -> bool:
        """Whether any buckets of the two can be the same."""
        mine, theirs = ((each.first, each.width, each.series, each.asked) for each in (self, other))
        return mine == theirs

    def find(self, only: _Inputs) -> int | None:
        """Which of the series is the only one of the others, to the last number; None where none is."""
        if not self.alike(replace(only, series=self.series)) or len(self.counts) != len(only.counts):
            return None
        seasons, settled, learnable, rebased = zip(self.by_row, only.by_row, strict=True)
        if not np.array_equal(*seasons):
            return None
        same = (self.counts == only.counts).all(axis=0) & (rebased[0] == rebased[1]).all(axis=0)
        for mine, theirs in (settled, learnable):
            same &= (_unpacked(mine, self.series) == _unpacked(theirs, 1)).all(axis=0)
        return int(np.argmax(same)) if same.any() else None


@dataclass(slots=True)
class _Kept:
    """A block as it was judged last."""

    inputs: _Inputs
    judged: Judged
    folds: dict[int, Seasonal]
    """By the index of the bucket that is to be judged next."""
    asked: int = 0
    """The number of the question that it last answered."""

    @property
    def first(self) -> int:
        """The first bucket of which it is still known what was found."""
        return self.judged.earlier.buckets


class Memo:
    """Blocks as they were judged last: only from the first changed bucket on are they judged again.

    Nothing but time depends on it. It compares the numbers, so that there is nothing to be told when they change.

    It is one thread's. But another's may `lend` from it: a block is never written to once it is kept, and to look one
    up is a single step of a dict, which no other thread comes into.
    """

    def __init__(self, most: int = _MOST, lender: Memo | None = None) -> None:
        """`lender`: another thread's, which knows most of what will be asked for of single series."""
        self._most, self._lender = most, lender
        self._asked = 0
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def judge(self, usage: Usage, season: Season, asked: Asked, name: str, needed: int = 0) -> Judged:
        """As a fold over all of it would. Only how rare something is will be asked of buckets before `needed`."""
        inputs, first = _Inputs.of(usage, season, asked), _first(usage, asked, needed)
        lent = None if self._lender is None else self._lender.lend(name, inputs, first)
        if lent is not None:
            return lent
        known = self._kept.pop(name, None)
        kept = _continued(known, usage, season, inputs) if known is not None and known.first <= first else None
        self._kept[name] = kept = _shortened(kept or _anew(usage, season, inputs), first)
        kept.asked = self._asked = self._asked + 1
        while len(self._kept) > 1 and self._is_too_much():
            self._kept.popitem(last=False)
        return kept.judged

    def lend(self, name: str, inputs: _Inputs, first: int) -> Judged | None:
        """What is known of one series from the bucket `first` on, alone or among others. Any thread may ask."""
        kept = self._kept.get(name)
        if kept is None or kept.first > first or inputs.series > 1:
            return None
        column = kept.inputs.find(inputs)
        return None if column is None else kept.judged.alone(column)

    def _is_too_much(self) -> bool:
        oldest = next(iter(self._kept.values()))
        stale = self._asked - oldest.asked > _ROUNDS * len(self._kept)
        return stale or sum(each.inputs.counts.size for each in self._kept.values()) > self._most


def _first(usage: Usage, asked: Asked, needed: int) -> int:
    """The first bucket of a day from which on all must be known that can be asked of `needed`."""
    reach = max(0, needed - max(POINTS, asked.tuning.longest))
    return int(np.searchsorted(usage.starts, int(usage.starts[reach]) // DAY * DAY))


def _shortened(kept: _Kept, first: int) -> _Kept:
    """Without what was found of the buckets before `first`, where it is worth it."""
    gone, inputs = first - kept.first, kept.inputs
    if gone * inputs.width < _SHORTENED_BY:
        return kept
    return _Kept(inputs, kept.judged.after(gone, inputs.asked.least), kept.folds)


def _anew(usage: Usage, season: Season, inputs: _Inputs) -> _Kept:
    fold = Seasonal(inputs.series, inputs.width, inputs.asked.news, inputs.asked.tuning)
    return _from(fold, 0, _blank(usage, inputs), {}, usage, season, inputs)


def _continued(known: _Kept, usage: Usage, season: Season, inputs: _Inputs) -> _Kept | None:
    """From the newest fold on before which nothing has changed; None where there is none."""
    if not known.inputs.alike(inputs):
        return None
    same = _same(known, inputs)
    if same == len(usage.counts) == len(known.inputs.counts):
        return known
    whole = {row: fold for row, fold in known.folds.items() if known.first < row <= same}
    if not whole:
        return None
    row = max(whole)
    found = replace(_blank(usage, inputs, known.first), earlier=known.judged.earlier)
    found.take(known.judged, row - known.first)
    return _from(deepcopy(whole[row]), row, found, whole, usage, season, inputs)


def _blank(usage: Usage, inputs: _Inputs, first: int = 0) -> Judged:
    """Room for what is found of the buckets from `first` on."""
    return Judged.blank(inputs.asked.tuning, inputs.counts[first:], days_of(usage.starts[first:]))


def _from(
    fold: Seasonal,
    row: int,
    found: Judged,
    folds: Mapping[int, Seasonal],
    usage: Usage,
    season: Season,
    inputs: _Inputs,
) -> _Kept:
    """Judge from a row on, and keep the fold where it may be wanted again; `found` takes the findings."""
    kept, gone = dict(folds), found.earlier.buckets
    for stop in _stops(usage.starts, row):
        some = slice(row, stop)
        fold.judge(usage.rows(some), season.rows(some), found.of_rows(slice(row - gone, stop - gone)))
        row = stop
        if row < len(usage.starts):
            kept[row] = deepcopy(fold)
    newest = sorted(kept)[-len(_KEPT_BACK) :]
    return _Kept(inputs, found, {row: kept[row] for row in newest})


def _stops(starts: Ints, row: int) -> list[int]:
    """The buckets after `row` before which the fold is to be kept, each begins a UTC day; and the end."""
    midnight = int(starts[-1]) // DAY * DAY
    found = (int(np.searchsorted(starts, midnight - back * DAY)) for back in _KEPT_BACK)
    return [each for each in (*found, len(starts)) if each > row]


def _unpacked(flags: NDArray[np.generic], series: int) -> NDArray[np.uint8]:
    return np.unpackbits(flags.view(np.uint8), axis=1, count=series)


def _small(counts: Floats) -> Floats | Singles:
    """A copy in single precision, where that is exact: counts are whole numbers, and mostly far below 2**24."""
    # Never a view: that would keep the whole history's, of which they are a part.
    small = counts.astype(np.float32)
    return small if np.array_equal(small, counts) else counts.copy()


def _same(known: _Kept, inputs: _Inputs) -> int:
    """How many buckets there are before the first that has changed."""
    n = min(len(inputs.counts), len(known.inputs.counts))
    changed: Flags = np.zeros(n, dtype=bool)
    before, now = ((each.counts, *each.by_row) for each in (known.inputs, inputs))
    for old, new in zip(before, now, strict=True):
        changed |= (old[:n] != new[:n]).any(axis=1)
    return int(np.argmax(changed)) if changed.any() else n


_CYCLES = Memo()
_MEMO: ContextVar[Memo] = ContextVar("blocks", default=_CYCLES)


def apart(most: int) -> None:
    """From here on in this context what the cycles know is used, and what they do not is kept in a memo of its own.

    Of at most so many buckets: for what is judged here is of no use to them, nor is anything that they keep pushed out.
    """
    _MEMO.set(Memo(most, _CYCLES))
