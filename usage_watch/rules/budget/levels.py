"""levels: what was spent has reached a percentage of the limit; told once a period and level."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from usage_watch.core.episode import Level
from usage_watch.core.message import Evidence, Fact
from usage_watch.core.units import from_epoch, percent, quantity
from usage_watch.rules.budget import forecast
from usage_watch.rules.budget.books import BudgetFindings, Page
from usage_watch.rules.budget.words import in_period, known_since, not_read, report, spent_of
from usage_watch.rules.common import FileDefaults
from usage_watch.rules.drawing import drawn, stride_over
from usage_watch.rules.evidence import around

if TYPE_CHECKING:
    from usage_watch.rules.budget import BudgetRule
    from usage_watch.rules.budget.rungs import Rung

PART: Final = "levels"


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelFindings(BudgetFindings):
    """What was spent, against the levels."""


def levels_of(rungs: Sequence[Rung], limit: float) -> tuple[Level, ...]:
    """Percentages of a limit, as levels."""
    return tuple(Level(severity, limit * share / 100, math.ceil(100 * share)) for severity, share in rungs)


def judge(rule: BudgetRule, page: Page, whole: bool) -> Iterator[LevelFindings]:
    """One for each series that has reached a level, or for each where the `whole` is asked for."""
    limits, spent = page.books.limits, page.spent
    lowest = limits * rule.levels_[0][1] / 100
    ends = spent[-1] if len(spent) else np.zeros(len(limits), dtype=np.int64)
    columns = np.arange(len(limits)) if whole else np.flatnonzero((ends > 0) & (ends >= lowest))
    for column, foreseen in zip(columns.tolist(), forecast.reports(rule, page, columns), strict=True):
        # What is drawn on a pool is never foreseen.
        yield _judge_one(rule, page, column, "; by an estimate" if rule.of == "pool" else foreseen)


def _judge_one(rule: BudgetRule, page: Page, column: int, foreseen: str) -> LevelFindings:
    """What was spent up to and including each bucket of one period. Levels are reached at >=."""
    books, spent = page.books, page.spent[:, column].astype(np.float64)
    levels = levels_of(rule.levels_, float(books.limits[column]))
    limits = np.array([level.limit for level in levels])
    # With a limit of 0 any use is over; no use is not.
    ranks = np.where(spent > 0, np.searchsorted(limits, spent, side="right"), 0).astype(np.int8)
    return LevelFindings(
        labels=books.labels[column],
        levels=levels,
        width=books.width,
        starts=page.starts,
        ranks=ranks,
        holding=np.zeros(len(spent), dtype=bool),
        settled=books.settled[page.inside],
        grows=True,
        worse=np.ones(len(spent), dtype=np.int8),
        values=spent,
        limits=limits[np.maximum(ranks - 1, 0)],
        part=PART,
        period_at=page.span.start_at,
        closed=report(page, column, rule.unit, foreseen) if page.over else None,
        page=page,
        column=column,
    )


def evidence(rule: BudgetRule, findings: BudgetFindings, index: int, rank: int, defaults: FileDefaults) -> Evidence:
    """What was spent at a bucket, against the level of a rank."""
    until_at = from_epoch(int(findings.starts[index]) + findings.width)
    value, limit, (_, share) = float(findings.values[index]), findings.limit, rule.levels_[rank - 1]
    least = "at least " if findings.page.missing[index] else ""
    spent = f"{least}{spent_of(value, limit, rule.unit)}"
    return around(
        findings,
        index,
        until_at - findings.page.span.start_at,
        dataset=rule.dataset,
        unit=rule.unit,
        value=value,
        limit=findings.levels[rank - 1].limit,
        summary=f"{spent}, past the {percent(share / 100)} level",
        facts=(*rule.counted(findings), *_facts(rule, findings, index, defaults)),
        series=drawn(
            f"{rule.unit} spent",
            int(findings.starts[index]) + findings.width,
            findings.width,
            findings.values[: index + 1],
            ((level.severity, level.limit) for level in findings.levels),
            stride=stride_over(index + 1),
        ),
    )


def _facts(rule: BudgetRule, findings: BudgetFindings, index: int, defaults: FileDefaults) -> Iterator[Fact]:
    page, until_at = findings.page, from_epoch(int(findings.starts[index]) + findings.width)
    zone = rule.periods(defaults).zone
    passed = (until_at - page.span.start_at) / (page.span.end_at - page.span.start_at)
    yield in_period(page.span, until_at, zone)
    yield Fact("Even pace", f"{quantity(round(findings.limit * passed), rule.unit)} by now")
    yield from known_since(int(findings.starts[0]), findings.width, page.span.start_at, until_at, zone)
    yield from not_read(int(page.missing[index]), findings.width)
