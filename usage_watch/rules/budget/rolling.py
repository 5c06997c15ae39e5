"""levels of a rolling period: each is told once, and again once spending has been below nine tenths of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from usage_watch.core.episode import Findings, Level
from usage_watch.core.message import Evidence, Fact
from usage_watch.core.series import DAY, Flags, Floats, Ints
from usage_watch.core.stats.windows import trailing_sum
from usage_watch.core.units import from_epoch, percent, spell_duration, to_epoch
from usage_watch.rules.budget.books import Books
from usage_watch.rules.budget.levels import PART, levels_of
from usage_watch.rules.budget.words import known_since, not_read, spent_of
from usage_watch.rules.common import FileDefaults
from usage_watch.rules.drawing import drawn, stride_over
from usage_watch.rules.evidence import around

if TYPE_CHECKING:
    from usage_watch.rules.budget import BudgetRule

REARMED: Final = 0.9
"""Of a level: below that it is told again when it is reached again."""
_AGAIN: Final = 1_000_000
"""Grade that a level gains each time that it was re-armed: above whatever was told before."""
_RANKS: Final = 127
"""How many a finding's ranks can tell apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RollingFindings(Findings):
    """What was spent in the period that ends with each bucket."""

    length: timedelta
    """Of the period."""
    limit: float
    """What the series may use in it."""
    missing: Ints
    """How many of its buckets were never read, since history began. Shape (n,)."""
    begins: int
    """Start of the first bucket that was ever read, epoch seconds."""


def judge(rule: BudgetRule, length: timedelta, books: Books, since: datetime, whole: bool) -> Iterator[RollingFindings]:
    """One for each series that has reached a level, or for each where the `whole` is asked for."""
    window = int(length.total_seconds()) // books.width
    spent = trailing_sum(books.used, window).astype(np.float64)
    begin = max(int(np.searchsorted(books.starts, to_epoch(since))), books.first)
    lowest = books.limits * rule.levels_[0][1] / 100
    most = spent[begin:].max(axis=0, initial=0)
    for column in range(len(lowest)) if whole else np.flatnonzero((most > 0) & (most >= lowest)):
        yield _judge_one(rule, length, books, int(column), spent[:, column], begin)


def _judge_one(
    rule: BudgetRule, length: timedelta, books: Books, column: int, spent: Floats, begin: int
) -> RollingFindings:
    window = int(length.total_seconds()) // books.width
    limit, judged = float(books.limits[column]), slice(begin, None)
    levels = levels_of(rule.levels_, limit)
    limits, values = np.array([level.limit for level in levels]), spent[judged]
    reached = np.where(values > 0, np.searchsorted(limits, values, side="right"), 0)
    begun = np.arange(len(books.starts)) >= books.first
    settled = trailing_sum((begun & ~books.settled).astype(np.int64), window)[judged] == 0
    told, ranks = _told_again(levels, values, reached, settled)
    return RollingFindings(
        labels=books.labels[column],
        levels=told,
        width=books.width,
        starts=books.starts[judged],
        ranks=ranks,
        holding=(ranks == 0) & (values > 0) & (values >= REARMED * limits[0]),
        settled=settled,
        grows=True,
        worse=np.ones(len(values), dtype=np.int8),
        values=values,
        limits=limits[np.maximum(reached - 1, 0)],
        part=PART,
        length=length,
        limit=limit,
        missing=trailing_sum((begun & ~books.known).astype(np.int64), window)[judged],
        begins=int(books.starts[books.first]) if begun.any() else 0,
    )


def _told_again(
    levels: Sequence[Level], values: Floats, reached: Ints, settled: Flags
) -> tuple[tuple[Level, ...], NDArray[np.int8]]:
    """Levels and ranks in which a level that is reached again, once re-armed, stands above all that was told before.

    So it escalates what is open, though it is no higher than what was told; below all levels everything begins anew.
    """
    steps: list[tuple[int, int]] = []
    top, times, rearmed = 0, 0, False
    for value, rank, final in zip(values.tolist(), reached.tolist(), settled.tolist(), strict=True):
        while final and top and value < REARMED * levels[top - 1].limit:
            top, rearmed = top - 1, True
        if top == 0:
            times, rearmed = 0, False
        if rank > top:
            top, times, rearmed = rank, times + rearmed, False
        steps.append((times, rank))
    # As far as ranks can count: after that it is not told again.
    first = {(0, rank) for rank in range(1, len(levels) + 1)}
    every = sorted(first.union(step for step in steps if step[1]))[:_RANKS]
    places = {step: place for place, step in enumerate(every, 1)}
    ranks = np.array([places.get(step, len(every)) if step[1] else 0 for step in steps], dtype=np.int8)
    return tuple(_graded(levels[rank - 1], times) for times, rank in every), ranks


def _graded(level: Level, times: int) -> Level:
    return Level(level.severity, level.limit, level.grade + times * _AGAIN)


def told_level(grade: int) -> float:
    """Which part of the limit a level of that grade is, told again or not."""
    return grade % _AGAIN / 10_000


def evidence(rule: BudgetRule, findings: RollingFindings, index: int, rank: int, defaults: FileDefaults) -> Evidence:
    """What was spent in the period that ends with a bucket, against the level of a rank."""
    level, value = findings.levels[rank - 1], float(findings.values[index])
    until_at = from_epoch(int(findings.starts[index]) + findings.width)
    missing = int(findings.missing[index])
    least = "at least " if missing else ""
    spent = spent_of(value, findings.limit, rule.unit, f" in {spell_duration(findings.length)}")
    share = told_level(level.grade)
    return around(
        findings,
        index,
        findings.length,
        dataset=rule.dataset,
        unit=rule.unit,
        value=value,
        limit=level.limit,
        summary=f"{least}{spent}, past the {percent(share)} level",
        facts=(*rule.narrowed(), *_facts(findings, index, level, defaults)),
        series=drawn(
            f"{rule.unit} in {spell_duration(findings.length)}",
            to_epoch(until_at),
            findings.width,
            findings.values[: index + 1],
            ((each.severity, each.limit) for each in levels_of(rule.levels_, findings.limit)),
            stride=stride_over(index + 1),
        ),
    )


def _facts(findings: RollingFindings, index: int, level: Level, defaults: FileDefaults) -> Iterator[Fact]:
    until_at = from_epoch(int(findings.starts[index]) + findings.width)
    if level.grade > _AGAIN:
        yield Fact("Told again", f"it had been below {percent(REARMED)} of this level since")
    zone = ZoneInfo("UTC") if findings.width == DAY else defaults.zone
    yield from known_since(findings.begins, findings.width, until_at - findings.length, until_at, zone)
    yield from not_read(int(findings.missing[index]), findings.width)
