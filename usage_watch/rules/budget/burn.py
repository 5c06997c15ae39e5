"""burn: something is eating the budget now; one incident a period, which a stronger pair of windows escalates."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import Field

from usage_watch.core.episode import Level
from usage_watch.core.message import Drawn, Evidence, Fact, Severity
from usage_watch.core.periods import midnight
from usage_watch.core.series import DAY, Floats, Ints, Width
from usage_watch.core.stats.burn import WEEK, Burning, Terms, Windows, burning, expected_rest
from usage_watch.core.stats.windows import trailing_sum
from usage_watch.core.units import (
    Duration,
    day_time,
    format_duration,
    from_epoch,
    number,
    percent,
    quantity,
    span,
    spell_duration,
)
from usage_watch.rules.budget.books import BudgetFindings, Page
from usage_watch.rules.budget.words import in_period
from usage_watch.rules.common import FileDefaults, Problem, Strict
from usage_watch.rules.drawing import drawn
from usage_watch.rules.evidence import around

if TYPE_CHECKING:
    from usage_watch.rules.budget import BudgetRule

PART: Final = "burn"
FEW_MEMBERS: Final = 10
"""With fewer active members the usage is too rough for the shortest and the longest windows."""
ACTIVE: Final = "active member"
"""Beside the axes of a dataset: who used anything lately."""
_NAMED_FOR: Final = 30 * DAY
"""Seconds of the period that the table is written for."""


class Pair(Strict):
    """Two windows, and the rate that spending in both must exceed; 1 uses the limit up just at the period's end."""

    long: Duration
    """The long window, such as 24h."""
    short: Duration
    """The short window, such as 2h: it must still be going on."""
    rate: Annotated[float, Field(ge=1, le=10_000, allow_inf_nan=False, strict=True)]
    """How many times faster than an even pace, such as 4."""
    severity: Severity
    """`info`, `warning` or `critical`."""

    @property
    def grade(self) -> int:
        """What escalates: a graver severity, and of the same a higher rate."""
        return self.severity.weight * 10_000_000 + math.ceil(100 * self.rate)

    @property
    def written(self) -> str:
        """As the rules file has it."""
        long, short = format_duration(self.long), format_duration(self.short)
        return f"{{long: {long}, short: {short}, rate: {self.rate:g}, severity: {self.severity}}}"

    def windows(self, width: Width, scale: float = 1.0) -> Windows:
        """In buckets, none of them under one."""
        long, short = (max(1, round(each.total_seconds() * scale / width)) for each in (self.long, self.short))
        return Windows(long, short, self.rate)


def _pair(long: int, short: int, rate: float, severity: Severity) -> Pair:
    return Pair(long=f"{long}h", short=f"{short}h", rate=rate, severity=severity)


TABLE: Final = (
    _pair(168, 24, 1.4, Severity.WARNING),
    _pair(72, 6, 2, Severity.WARNING),
    _pair(24, 2, 4, Severity.CRITICAL),
    _pair(6, 1, 8, Severity.CRITICAL),
)
"""For periods of 30 days. Not the table of service levels: a budget is meant to be spent."""
FEW: Final = TABLE[1:3]
"""What is left of it for few members."""


@dataclass(frozen=True, slots=True)
class Row:
    """One pair as it applies to a period."""

    windows: Windows
    severity: Severity
    grade: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnFindings(BudgetFindings):
    """What was spent in the long window of the pair that stands at each bucket."""

    rows: Sequence[Row]
    ahead: Floats
    """What the rest of the period is expected to use, from the end of each bucket. Shape (m,)."""


def rows(rule: BudgetRule, period: int) -> list[Row]:
    """The pairs of a rule in a period of so many seconds, the strongest last; windows of the table grow with it."""
    written = rule.burn if isinstance(rule.burn, tuple) else FEW if rule.of_one_member else TABLE
    scale = 1.0 if isinstance(rule.burn, tuple) else period / _NAMED_FOR
    ordered = sorted(written, key=lambda pair: pair.grade)
    return [Row(pair.windows(rule.width, scale), pair.severity, pair.grade) for pair in ordered]


def problems(rule: BudgetRule) -> Iterator[Problem]:
    """What is wrong with pairs that were written out."""
    for index, pair in enumerate(rule.burn if isinstance(rule.burn, tuple) else ()):
        hours = "hours" if rule.width != DAY else "days"
        for name, window in (("long", pair.long), ("short", pair.short)):
            if window <= timedelta(0) or window.total_seconds() % rule.width:
                yield Problem(("burn", index, name), f"must be whole {hours}: this rule judges {hours}")
        if pair.short > pair.long:
            yield Problem(("burn", index, "short"), "must not be longer than `long`")


def judge(rule: BudgetRule, page: Page, whole: bool) -> Iterator[BurnFindings]:
    """One for each series that burned, or for each where the `whole` is asked for; none with a limit of 0."""
    books = page.books
    columns = np.flatnonzero(books.limits > 0)
    if not len(page.starts) or not len(columns):
        return
    table = rows(rule, page.buckets * books.width)
    used, limits = books.used[:, columns], books.limits[columns]
    ahead = _ahead(page, used)
    terms = Terms(page.buckets, limits, limits * rule.min_impact / 100)
    found = burning(used[page.inside], ahead, [row.windows for row in table], terms)
    for place, column in enumerate(columns.tolist()):
        if whole or found.ranks[:, place].any():
            yield _found(page, column, table, found, place, ahead[:, place])


def _ahead(page: Page, used: Ints) -> Floats:
    """What the rest is expected to use; not known from the first bucket on that was never read."""
    books, inside = page.books, page.inside
    places = np.arange(inside.start, inside.stop, dtype=np.int64)
    ahead = expected_rest(used, books.first, places, page.end, books.width)
    ahead[page.missing > 0] = np.nan
    return ahead


def _found(page: Page, column: int, table: Sequence[Row], found: Burning, place: int, ahead: Floats) -> BurnFindings:
    books, ranks = page.books, found.ranks[:, place]
    counts, limit = books.used[page.inside, column], float(books.limits[column])
    amounts = [float(row.windows.rate * row.windows.long / page.buckets * limit) for row in table]
    standing = np.maximum(ranks - 1, 0)
    used = np.array([trailing_sum(counts, row.windows.long) for row in table], dtype=np.float64)
    longest = max(row.windows.long for row in table)
    unsettled = trailing_sum((~books.settled[page.inside]).astype(np.int64), longest)
    known = ~np.isnan(ahead)
    return BurnFindings(
        labels=books.labels[column],
        levels=tuple(Level(row.severity, amount, row.grade) for row, amount in zip(table, amounts, strict=True)),
        width=books.width,
        starts=page.starts,
        ranks=ranks,
        holding=found.holding[:, place] & known,
        settled=(unsettled == 0) & known,
        grows=True,
        worse=np.ones(len(ranks), dtype=np.int8),
        values=used[standing, np.arange(len(ranks))],
        limits=np.array(amounts)[standing],
        part=PART,
        period_at=page.span.start_at,
        closed="The period is over." if page.over else None,
        page=page,
        column=column,
        rows=table,
        ahead=ahead,
    )


def evidence(rule: BudgetRule, findings: BurnFindings, index: int, rank: int, defaults: FileDefaults) -> Evidence:
    """What a pair saw at a bucket, and where that leads."""
    windows, page = findings.rows[rank - 1].windows, findings.page
    zone = rule.periods(defaults).zone
    lasted = _lasts(windows.long, findings)
    value = _used(findings, index, windows.long)
    rate = value / findings.limit * page.buckets / windows.long
    return around(
        findings,
        index,
        lasted,
        dataset=rule.dataset,
        unit=rule.unit,
        value=value,
        limit=findings.levels[rank - 1].limit,
        summary=f"{quantity(value, rule.unit)} in {spell_duration(lasted)}: {_times(rate)} what the budget bears; "
        + _leads_to(findings, index, value / windows.long, zone, defaults.zone),
        facts=(*rule.counted(findings), *_facts(rule, findings, index, windows, zone)),
        series=_drawn(rule, findings, index, windows.long, findings.levels[rank - 1]),
    )


def _lasts(buckets: int, findings: BurnFindings) -> timedelta:
    return timedelta(seconds=buckets * findings.width)


def _used(findings: BurnFindings, index: int, buckets: int) -> float:
    return float(_counts(findings)[max(0, index + 1 - buckets) : index + 1].sum())


def _counts(findings: BurnFindings) -> Ints:
    return findings.page.books.used[findings.page.inside, findings.column]


def _times(rate: float) -> str:
    return f"{number(round(rate, 1) if rate < 10 else round(rate))} times"


def _leads_to(findings: BurnFindings, index: int, pace: float, zone: ZoneInfo, clock: ZoneInfo) -> str:
    """When the limit is reached, if it goes on. `pace`: a bucket; days are of the period's `zone`, hours of `clock`."""
    page, limit = findings.page, findings.limit
    spent = float(page.spent[index, findings.column])
    if spent >= limit:
        return f"the limit of {number(limit)} is used up"
    at = from_epoch(int(findings.starts[index]) + findings.width)
    # With nothing in the window (of a made-up case only) there is no such day.
    left = (limit - spent) / pace * findings.width if pace else math.inf
    if left >= (page.span.end_at - at).total_seconds():
        return f"the limit of {number(limit)} does not last until {_day(page.span.end_at, zone)}"
    # Of days no hour is known. With its day: it is said, and read, on later ones too.
    soon, at = left < DAY and findings.width != DAY, at + timedelta(seconds=left)
    when = f"by {day_time(at, clock, at)}" if soon else f"on {_day(at, zone)}"
    return f"at this pace the limit of {number(limit)} is reached {when}"


def _day(at: datetime, zone: ZoneInfo) -> str:
    """`Thu 26 Nov`."""
    day = at.astimezone(zone).date()
    return span(midnight(day, zone), midnight(day + timedelta(days=1), zone), zone, at)


def _facts(rule: BudgetRule, findings: BurnFindings, index: int, windows: Windows, zone: ZoneInfo) -> Iterator[Fact]:
    page, limit = findings.page, findings.limit
    until_at = from_epoch(int(findings.starts[index]) + findings.width)
    spent, ahead = float(page.spent[index, findings.column]), float(findings.ahead[index])
    now = _used(findings, index, windows.short)
    rate = now / limit * page.buckets / windows.short
    yield Fact("Spent", f"{number(spent)} of {quantity(limit, rule.unit)} ({percent(spent / limit)})")
    yield in_period(page.span, until_at, zone)
    short = spell_duration(_lasts(windows.short, findings))
    yield Fact(
        "Still going on", f"{quantity(now, rule.unit)} in {short}, {_times(rate)}; told from {_times(windows.rate)}"
    )
    if not math.isnan(ahead):
        week = spell_duration(timedelta(seconds=WEEK))
        yield Fact("As usual from here", f"{quantity(round(spent + ahead), rule.unit)} in all, by the {week} before")


def _drawn(rule: BudgetRule, findings: BurnFindings, index: int, buckets: int, level: Level) -> Drawn | None:
    shown = trailing_sum(_counts(findings)[: index + 1], buckets).astype(np.float64)
    return drawn(
        f"{rule.unit} in {spell_duration(_lasts(buckets, findings))}",
        int(findings.starts[index]) + findings.width,
        findings.width,
        shown,
        [(level.severity, level.limit)],
    )


def whole(findings: BurnFindings, start_at: int, end_at: int) -> float:
    """What was counted between two instants, epoch seconds."""
    first, end = np.searchsorted(findings.starts, (start_at, end_at))
    return float(_counts(findings)[first:end].sum())
