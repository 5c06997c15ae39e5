"""A history in blocks, each judged from eight weeks before it on.

What is found of a bucket leans on nothing but those weeks and its block, whatever else was loaded: so the daemon, which
judges 90 days at a time, a backtest, which judges the last few, and each next day find the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usage_watch.core.series import DAY, Flags, Ints
from usage_watch.core.stats.seasonal import Judged, News, Season, Seasonal, Usage
from usage_watch.core.stats.seasonal.tuning import Tuning

WARM_UP = 8 * 7 * DAY
"""Seconds before a block that are learned from."""
BLOCK = 12 * 7 * DAY
"""Seconds."""
_MONDAY = 4 * DAY
"""1970-01-05: a block begins on a Monday."""
_KEPT_BACK = (10, 4)
"""Days before the newest bucket at which the fold is kept: what came lately is all that changes at most polls."""
_MOST = 4_000_000
"""Buckets that are kept, of all series and rules; one takes about a hundred bytes."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How it is judged."""

    news: News
    tuning: Tuning


@dataclass(frozen=True, slots=True)
class Block:
    """Some buckets of a history, judged."""

    rows: slice
    """Which of the history's buckets are the block's own."""
    first: int
    """Which of them the block's fold began with."""
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
        begin = int(np.searchsorted(starts, begin_of(int(starts[rows.start]))))
        some = slice(begin, rows.stop)
        judged = MEMO.judge(usage.rows(some), season.rows(some), asked, f"{name} {int(starts[rows.start]) // BLOCK}")
        yield Block(rows, begin, judged)


def _blocks(starts: Ints, first: int) -> list[slice]:
    numbers = (starts[first:] - _MONDAY) // BLOCK
    edges = first + 1 + np.flatnonzero(np.diff(numbers))
    bounds = [first, *edges.tolist(), len(starts)]
    return [slice(begin, end) for begin, end in pairwise(bounds) if end > begin]


@dataclass(slots=True)
class _Kept:
    """A block as it was judged last."""

    usage: Usage
    season: Season
    asked: Asked
    judged: Judged
    folds: dict[int, Seasonal]
    """By the index of the bucket that is to be judged next."""


class Memo:
    """Blocks as they were judged last: only from the first changed bucket on are they judged again.

    Nothing but time depends on it. It compares the numbers, so that there is nothing to be told when they change.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def judge(self, usage: Usage, season: Season, asked: Asked, name: str) -> Judged:
        """As a fold over all of it would."""
        known = self._kept.pop(name, None)
        kept = _continued(known, usage, season, asked) if known is not None else None
        self._kept[name] = kept = kept or _anew(usage, season, asked)
        while len(self._kept) > 1 and sum(each.usage.counts.size for each in self._kept.values()) > self._most:
            self._kept.popitem(last=False)
        return kept.judged


def _anew(usage: Usage, season: Season, asked: Asked) -> _Kept:
    fold = Seasonal(usage.counts.shape[1], usage.width, asked.news, asked.tuning)
    return _from(fold, 0, [], {}, usage, season, asked)


def _continued(known: _Kept, usage: Usage, season: Season, asked: Asked) -> _Kept | None:
    """From the newest fold on before which nothing has changed; None where there is none."""
    if (known.asked, known.usage.width, known.usage.counts.shape[1]) != (asked, usage.width, usage.counts.shape[1]):
        return None
    same = _same(known, usage, season)
    if same == len(usage.starts) == len(known.usage.starts):
        return known
    whole = {row: fold for row, fold in known.folds.items() if row <= same}
    if not whole:
        return None
    row = max(whole)
    return _from(deepcopy(whole[row]), row, [_head(known.judged, row)], whole, usage, season, asked)


def _from(
    fold: Seasonal,
    row: int,
    parts: list[Judged],
    folds: Mapping[int, Seasonal],
    usage: Usage,
    season: Season,
    asked: Asked,
) -> _Kept:
    """Judge from a row on, and keep the fold where it may be wanted again."""
    kept = dict(folds)
    for stop in [*_stops(usage.starts, row), len(usage.starts)]:
        some = slice(row, stop)
        parts.append(fold.judge(usage.rows(some), season.rows(some)))
        row = stop
        if row < len(usage.starts):
            kept[row] = deepcopy(fold)
    newest = sorted(kept)[-len(_KEPT_BACK) :]
    return _Kept(usage, season, asked, _joined(parts), {row: kept[row] for row in newest})


def _stops(starts: Ints, row: int) -> list[int]:
    """The buckets after `row` before which the fold is to be kept; each begins a UTC day."""
    midnight = int(starts[-1]) // DAY * DAY
    found = (int(np.searchsorted(starts, midnight - back * DAY)) for back in _KEPT_BACK)
    return [each for each in found if each > row]


def _same(known: _Kept, usage: Usage, season: Season) -> int:
    """How many buckets there are before the first that has changed."""
    n = min(len(usage.starts), len(known.usage.starts))
    changed: Flags = usage.starts[:n] != known.usage.starts[:n]
    changed |= season.slots[:n] != known.season.slots[:n]
    for before, now in zip(_inputs(known.usage), _inputs(usage), strict=True):
        changed |= (before[:n] != now[:n]).any(axis=1)
    return int(np.argmax(changed)) if changed.any() else n


_BY_DAY = frozenset({"spreads", "slopes", "learned"})
_SECOND = frozenset({"scores", "windows"})
"""Of these the second axis is that of the buckets."""


def _head(judged: Judged, rows: int) -> Judged:
    """The first buckets, which are whole days."""
    days = int(judged.days[rows - 1]) + 1

    def cut(name: str, values: Any) -> Any:
        if name in _SECOND:
            return values[:, :rows]
        return values[: days if name in _BY_DAY else rows]

    cuts: dict[str, Any] = {name: cut(name, values) for name, values in _arrays(judged)}
    return replace(judged, days=judged.days[:rows], **cuts)


def _joined(parts: Sequence[Judged]) -> Judged:
    """What was found of buckets that follow each other, each part from the beginning of a UTC day on."""
    first = parts[0]
    whole: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts], axis=1 if name in _SECOND else 0)
        for name, _ in _arrays(first)
    }
    counted = np.cumsum([0, *(len(part.learned) for part in parts)])
    days = [part.days - part.days[0] + past for part, past in zip(parts, counted.tolist(), strict=False)]
    return replace(first, **whole, days=np.concatenate(days))


def _arrays(judged: Judged) -> Iterator[tuple[str, Any]]:
    """What has a value for each bucket, or each day."""
    for each in fields(judged):
        if each.name not in ("tuning", "before", "days"):
            yield each.name, getattr(judged, each.name)


def _inputs(usage: Usage) -> Sequence[NDArray[np.generic]]:
    rebased = np.broadcast_to(np.int64(0), usage.counts.shape) if usage.rebased is None else usage.rebased
    return usage.counts, usage.settled, usage.learnable, rebased


MEMO = Memo()
