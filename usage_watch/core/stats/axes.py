"""One axis of a feed over a time, against its usual: what every explanation and every ranking is made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

import numpy as np

from usage_watch.core.datasets import DATASETS, find_axis
from usage_watch.core.selection import MEMBER, Selected, Selection, fold_label, select
from usage_watch.core.series import FeedHistory, Flags, Floats, Ints
from usage_watch.core.stats.contributors import Parts, decompose, spread
from usage_watch.core.stats.grids import on_grid
from usage_watch.core.stats.weeks import WEEK, WEEKS, Usual, against_weeks
from usage_watch.core.units import to_epoch

ALL = Selection()
"""Everything that a feed counts."""
_TOLD_APART = 2 * WEEK
"""Seconds of known buckets of the four weeks before without which nobody is called new."""


class Newness(Enum):
    """Why somebody has no usual."""

    NEW = "new"
    """No usage in all that is stored from before."""
    BACK = "back"
    """None in the four weeks before, yet some earlier."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """An axis over a time against its usual. Rows are the categories by name, then the unattributed rest."""

    axis: str
    """As the source writes it, or `member`."""
    names: tuple[str, ...]
    """Of the categories: one less than there are rows."""
    parts: Parts
    """In the unit of the dataset."""
    variances: Floats
    """How much each row varies by itself, the unit squared. Shape (categories + 1,)."""
    newness: tuple[Newness | None, ...]
    """Of the categories that have no usual, and some usage now."""
    lasts: timedelta
    """From the start of the first bucket to the end of the last."""


@dataclass(frozen=True, slots=True)
class _Grid:
    """One feed's buckets, and which of them are compared."""

    starts: Ints
    wanted: Flags
    settled: Flags
    since: int
    width: int
    weeks: int

    def against(self, cells: Floats, known: Flags) -> Usual | None:
        wanted = self.wanted & known
        if not wanted.any():
            return None
        return against_weeks(self.starts, cells, self.settled & known, wanted, self.since, self.width, self.weeks)


def splits(history: FeedHistory, selection: Selection = ALL) -> tuple[str, ...]:
    """Axes by which a selection of this feed can be split: its own where it has one, and never overlapping ones.

    `member` is among them for a feed of each member's days, unless the selection is of one member.
    """
    axes = tuple(axis for axis in sorted(history.axes) if _splits(history, axis, selection))
    each = selection.member is None and any(key.member for key in history.counts) and history.feed.member is None
    return (MEMBER, *axes) if each else axes


def total(
    history: FeedHistory, from_at: datetime, until_at: datetime, selection: Selection = ALL, weeks: int = WEEKS
) -> tuple[float, float] | None:
    """What a selection used in the buckets from `from_at` to `until_at`, and usually uses; None where not known.

    Usual is the mean of so many weeks before.
    """
    whole = _whole(history, selection)
    found = _grid(history, from_at, until_at, weeks).against(_cells([whole]), whole.known)
    return None if found is None else (float(found.actual[0]), float(found.expected[0]))


def compare(
    history: FeedHistory,
    axis: str,
    from_at: datetime,
    until_at: datetime,
    selection: Selection = ALL,
    totals: FeedHistory | None = None,
    weeks: int = WEEKS,
) -> Comparison | None:
    """An axis (or `member`) of a feed from `from_at` to `until_at` against so many weeks before.

    The rows sum to what `totals` says, a feed of the same width for everyone: without it, to the feed's own total. None
    where the time or all that was before it is not known. Raises ValueError where the selection cannot be split so.
    """
    label = axis if axis == MEMBER else find_axis(axis, history.axes) or axis
    if label != MEMBER and not _splits(history, label, selection):
        raise ValueError(f"{label} does not split this usage into parts that can be summed")
    if totals is not None and totals.feed.width != history.feed.width:
        raise ValueError("a total of another bucket width is no total of these parts")
    rows = _rows(history, label, selection)
    if not rows:
        return None
    grid = _grid(history, from_at, until_at, weeks)
    return _compared(label, rows, _on(grid.starts, totals or history, selection), grid)


def _splits(history: FeedHistory, axis: str, selection: Selection) -> bool:
    dataset = DATASETS.get(history.feed.dataset)
    if dataset is not None and axis in dataset.overlapping:
        return False
    return selection.axis is None or fold_label(selection.axis) == fold_label(axis)


def _rows(history: FeedHistory, axis: str, selection: Selection) -> list[Selected]:
    narrowed = selection.axis if axis == MEMBER else axis
    return select(history, replace(selection, axis=narrowed, for_each=axis))


def _whole(history: FeedHistory, selection: Selection) -> Selected:
    return select(history, replace(selection, for_each=None))[0]


def _on(starts: Ints, totals: FeedHistory, selection: Selection) -> Selected:
    """The total of a selection, on the grid of its parts."""
    whole = _whole(totals, selection)
    counts = on_grid(starts, totals.starts, whole.counts)
    return Selected({}, counts, on_grid(starts, totals.starts, whole.known), counts)


def _grid(history: FeedHistory, from_at: datetime, until_at: datetime, weeks: int) -> _Grid:
    since, until, width = to_epoch(from_at), to_epoch(until_at), history.feed.width
    wanted = (history.starts >= since) & (history.starts + width <= until)
    return _Grid(history.starts, wanted, history.settled, since, width, weeks)


def _cells(rows: list[Selected]) -> Floats:
    return np.stack([row.counts for row in rows], axis=1).astype(np.float64)


def _compared(axis: str, rows: list[Selected], whole: Selected, grid: _Grid) -> Comparison | None:
    known = rows[0].known & whole.known
    own = grid.against(_cells([*rows, whole]), known)
    totals = grid.against(_cells([whole]), whole.known)
    if own is None or totals is None:
        return None
    scale = _scale(own, whole, grid, known)
    parts = decompose(own.actual[:-1], own.expected[:-1] * scale, float(totals.actual[0]), float(totals.expected[0]))
    weeks = own.weeks * scale
    weeks[:, -1] -= weeks[:, :-1].sum(axis=1)
    names = tuple(next(iter(row.labels.values())) for row in rows)
    return Comparison(
        axis=axis,
        names=names,
        parts=parts,
        variances=spread(weeks, parts.expected, _ordinary(own, parts)),
        newness=_newness(rows, own, grid),
        lasts=timedelta(seconds=int(np.ptp(grid.starts[grid.wanted])) + grid.width),
    )


def _scale(own: Usual, whole: Selected, grid: _Grid, known: Flags) -> float:
    """From the weeks in which an axis was answered to those in which the total was."""
    if own.expected[-1] <= 0 or np.array_equal(known, whole.known):
        return 1.0
    settled = grid.settled & whole.known
    found = replace(grid, settled=settled, wanted=grid.wanted & known).against(_cells([whole]), whole.known)
    return 1.0 if found is None else float(found.expected[0] / own.expected[-1])


def _ordinary(own: Usual, parts: Parts) -> Floats:
    """What each would use in such a time if all days were alike to it, the rest last."""
    whole = own.before[-1]
    sums = np.append(own.before[:-1], max(0.0, float(whole - own.before[:-1].sum())))
    return sums * (parts.expected.sum() / whole) if whole > 0 else sums


def _newness(rows: list[Selected], own: Usual, grid: _Grid) -> tuple[Newness | None, ...]:
    if own.buckets * grid.width < _TOLD_APART:
        return (None,) * len(rows)
    earlier = grid.starts < grid.since - grid.weeks * WEEK
    without = (own.before[:-1] == 0) & (own.actual[:-1] > 0)
    return tuple(
        (Newness.BACK if row.counts[earlier].any() else Newness.NEW) if none else None
        for row, none in zip(rows, without.tolist(), strict=True)
    )
