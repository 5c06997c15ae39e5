"""Counting threads: totals, and counts by category, for groups of threads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .arrays import BoolArray, IntArray
from .datasets import Counts, Dataset
from .threads import ABSENT, Threads


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """The counts of some groups: hours, days or members."""

    totals: IntArray
    """[group]"""
    by_axis: Mapping[str, IntArray]
    """Axis -> [group, category]; a row may sum to less than the group's total."""
    categories: Mapping[str, tuple[str, ...]]

    def row(self, group: int) -> dict[str, Any]:
        """`count` and `by_categories` of a group, as the API spells them."""
        by_categories = {axis: self._list(axis, counts[group]) for axis, counts in self.by_axis.items()}
        return {"count": int(self.totals[group]), "by_categories": by_categories}

    def _list(self, axis: str, counts: IntArray) -> list[dict[str, Any]]:
        """Largest first; what was not used is left out."""
        used = [(-int(counts[i]), self.categories[axis][i]) for i in np.flatnonzero(counts)]
        return [{"category": category, "count": -count} for count, category in sorted(used)]


def tally(
    dataset: Dataset,
    axes: tuple[str, ...],
    categories: Mapping[str, tuple[str, ...]],
    threads: Threads,
    chosen: BoolArray,
    group: IntArray,
    groups: int,
) -> Tally:
    """Count the chosen threads of the dataset. chosen: [thread]; group: [thread], 0 to groups - 1."""
    if dataset.of_axis is not None:
        chosen = chosen & (threads.codes[dataset.of_axis] != ABSENT)
    group, weight = group[chosen], threads.credits[chosen] if dataset.counts is Counts.CREDITS else None
    if dataset.counts is Counts.MEMBERS:
        return Tally(_distinct(group, threads.member[chosen], groups), {}, categories)
    by_axis = {
        axis: _matrix(group, threads.codes[axis][chosen], weight, groups, len(categories[axis])) for axis in axes
    }
    return Tally(_sums(group, weight, groups), by_axis, categories)


def _matrix(group: IntArray, code: IntArray, weight: IntArray | None, groups: int, categories: int) -> IntArray:
    """[group, category]; the unattributed fall into a column of their own, which is dropped."""
    columns = categories + 1
    return _sums(group * columns + code + 1, weight, groups * columns).reshape(groups, columns)[:, 1:]


def _sums(index: IntArray, weight: IntArray | None, size: int) -> IntArray:
    return np.bincount(index, weight, minlength=size).astype(np.int64)


def _distinct(group: IntArray, member: IntArray, groups: int) -> IntArray:
    members = int(member.max(initial=0)) + 1
    seen = _sums(group * members + member, None, groups * members).reshape(groups, members) > 0
    distinct: IntArray = seen.sum(axis=1)
    return distinct
