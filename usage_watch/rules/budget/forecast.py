"""forecast: the limit will not last until the period's end; told with its probability, by the days that are settled."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import Field

from usage_watch.core.episode import Level
from usage_watch.core.message import Evidence, Fact, Severity
from usage_watch.core.periods import midnight
from usage_watch.core.series import DAY, Flags, Floats, Ints
from usage_watch.core.stats.forecast import Forecast, Rest, told
from usage_watch.core.units import Percent, from_epoch, number, percent, quantity, short_day, span
from usage_watch.rules.budget.books import BudgetFindings, Page
from usage_watch.rules.budget.days import Days
from usage_watch.rules.budget.foreseen import Foreseen
from usage_watch.rules.budget.words import chance, in_period, report, spent_of
from usage_watch.rules.common import FileDefaults, Problem, Strict
from usage_watch.rules.drawing import drawn, stride_over
from usage_watch.rules.evidence import around

if TYPE_CHECKING:
    from usage_watch.rules.budget import BudgetRule

PART: Final = "forecast"
REPORTED: Final = 10
"""The day of a period whose forecast is weighed against how it ended."""
_DIGITS = 3
"""Of what is expected: more would promise more than there is."""


class Foresight(Strict):
    """From which probability on it is told, and how grave that is."""

    probability: Annotated[Percent, Field(ge=50, le=99.9)] = Field("80%", validate_default=True)
    """How sure it must be that the limit is passed, from 50% up."""
    severity: Severity = Severity.WARNING
    """`info`, `warning` or `critical`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastFindings(BudgetFindings):
    """What is expected by the period's end, from the end of each frontier day."""

    days: Days
    foreseen: Foreseen


def foresight(rule: BudgetRule) -> Foresight:
    """As it was written."""
    return rule.forecast if isinstance(rule.forecast, Foresight) else Foresight()


def level(rule: BudgetRule, limit: float) -> Level:
    """The one level that it speaks at."""
    severity = foresight(rule).severity
    return Level(severity, limit, 1 + severity.weight)


def problems(rule: BudgetRule) -> Iterator[Problem]:
    """What cannot be forecast, though it was asked for."""
    asked = "forecast" in rule.model_fields_set and rule.forecast != "off"
    if asked and rule.rolling is not None:
        no_end = "has no meaning for a rolling period, which has no end: write off, or leave it out"
        yield Problem(("forecast",), no_end)
    if asked and rule.of == "pool":
        late = "is not there for a pool, which is drawn on late in a cycle and then fast: write off, or leave it out"
        yield Problem(("forecast",), late)


# ---- judging ---------------------------------------------------------------------------------------------------------


def judge(rule: BudgetRule, page: Page, whole: bool) -> Iterator[ForecastFindings]:
    """One for each series that is told of, or for each where the `whole` is asked for; none with a limit of 0."""
    days, limits = Days(page), page.books.limits
    asked = days.speaks[:, None] & (limits > 0) & (days.spent < limits)
    if whole:
        columns = np.flatnonzero(limits > 0)
    else:
        asked &= days.near(limits)
        # What is told has stood for two days in a row.
        columns = np.flatnonzero((asked[1:] & asked[:-1]).any(axis=0))
    if not len(columns):
        return
    median, over = _expected(days, columns, limits[columns], asked[:, columns])
    matters = median - limits[columns] >= limits[columns] * rule.min_impact / 100
    standing = told(over, matters, foresight(rule).probability / 100)
    sure, foreseen = over >= foresight(rule).probability / 100, Foreseen(days, limits)
    for place, column in enumerate(columns.tolist()):
        if whole or standing[:, place].any():
            breach = standing[:, place] & sure[:, place] & ~np.isnan(median[:, place])
            yield _found(rule, days, foreseen, column, breach, standing[:, place], median[:, place])


def _expected(days: Days, columns: Ints, limits: Floats, asked: Flags) -> tuple[Floats, Floats]:
    """Median and probability (f, columns), where they are asked for.

    Elsewhere the median is NaN. The probability is 1 where the limit is reached, NaN where nothing can be said, and 0
    where it is below a half: nothing that is told depends on how much.
    """
    median = np.full(asked.shape, np.nan)
    over = np.where(days.spent[:, columns] >= limits, 1.0, 0.0)
    over[~days.speaks] = np.nan
    for index in np.flatnonzero(asked.any(axis=1)).tolist():
        some = asked[index]
        median[index, some], over[index, some] = days.numbers(("median", "over"), index, columns[some], limits[some])
    return rounded(median), over


def rounded(amounts: Floats) -> Floats:
    """To as many digits as a forecast has."""
    sizes = np.where(np.isfinite(amounts) & (amounts != 0), np.abs(amounts), 1.0)
    digits = np.maximum(np.floor(np.log10(sizes)) - _DIGITS + 1, 0)
    return np.asarray(np.round(amounts / 10**digits) * 10**digits)


def _found(
    rule: BudgetRule,
    days: Days,
    foreseen: Foreseen,
    column: int,
    breach: Flags,
    standing: Flags,
    median: Floats,
) -> ForecastFindings:
    page = days.page
    if breach.any():
        foreseen.expect(int(np.flatnonzero(breach)[-1]), column)
    limit = float(page.books.limits[column])
    return ForecastFindings(
        labels=page.books.labels[column],
        levels=(level(rule, limit),),
        width=DAY,
        starts=days.starts,
        ranks=breach.astype(np.int8),
        # What is less sure again, or has come true, keeps what was told open, and is not what it is told by.
        holding=standing & ~breach,
        settled=days.speaks,
        grows=False,
        worse=np.ones(len(breach), dtype=np.int8),
        values=median,
        limits=np.full(len(breach), limit),
        part=PART,
        period_at=page.span.start_at,
        closed=report(page, column, rule.unit) if page.over else None,
        quiet=True,
        newest=True,
        page=page,
        column=column,
        days=days,
        foreseen=foreseen,
    )


def reports(rule: BudgetRule, page: Page, columns: Ints) -> list[str]:
    """How the forecast of day 10 did, of each of these series: a clause, empty where there was none."""
    days, limits = Days(page), page.books.limits[columns]
    none = [""] * len(columns)
    if not page.over or not rule.foresees or len(days.starts) <= REPORTED or not days.speaks[REPORTED - 1]:
        return none
    fields, bearable = ("median", "low", "high"), np.where(limits > 0, limits, 1.0)
    each = rounded(days.numbers(fields, REPORTED - 1, columns, bearable)).T.tolist()
    said = [
        f"; the forecast of day {REPORTED} was {number(m)} ({number(low)} to {number(high)})" for m, low, high in each
    ]
    return [sentence if limit > 0 else "" for sentence, limit in zip(said, limits.tolist(), strict=True)]


# ---- in words --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _View:
    """What is said of one series, from the end of one frontier day."""

    rule: BudgetRule
    findings: ForecastFindings
    index: int
    expected: Forecast
    rest: Rest
    zone: ZoneInfo
    """Of the period."""

    @property
    def until_at(self) -> datetime:
        """End of the frontier day."""
        return from_epoch(int(self.findings.starts[self.index]) + DAY)

    @property
    def spent(self) -> float:
        return float(self.findings.days.spent[self.index, self.findings.column])

    @property
    def ends_on(self) -> str:
        """`14 Dec`."""
        return short_day(self.findings.page.span.end_at.astimezone(self.zone).date())

    def run_out(self, row: int) -> str | None:
        """The day on which the limit is reached with 10, 50 or 90 % (`Thu 4 Dec`); None for not in this period."""
        place = int(self.expected.run_out[row, 0])
        if not 0 <= place < len(self.rest.shares):
            return None
        # Days are UTC days; what is expected is not so sure that the hours between matter.
        day = (self.until_at + timedelta(days=place)).date()
        return span(midnight(day, _UTC), midnight(day + timedelta(days=1), _UTC), _UTC, self.until_at)


_UTC = ZoneInfo("UTC")


def evidence(rule: BudgetRule, findings: ForecastFindings, index: int, defaults: FileDefaults) -> Evidence:
    """How the period ends, as far as could be known at the end of a frontier day."""
    limit, expected = findings.limit, findings.foreseen.of(index, findings.column)
    view = _View(rule, findings, index, expected, findings.days.rest(index), rule.periods(defaults).zone)
    spent = findings.days.spent[: index + 1, findings.column]
    return around(
        findings,
        index,
        view.until_at - findings.page.span.start_at,
        dataset=rule.dataset,
        unit=rule.unit,
        value=_one(expected.median),
        limit=limit,
        summary=_summary(view),
        facts=(*rule.counted(findings), *_facts(view)),
        series=drawn(
            f"{rule.unit} spent",
            int(findings.starts[index]) + DAY,
            DAY,
            spent,
            [(findings.levels[0].severity, limit)],
            stride=stride_over(len(spent)),
        ),
    )


def _summary(view: _View) -> str:
    said = f"{quantity(_one(view.expected.median), view.rule.unit)} by {view.ends_on} at this pace"
    reached = view.run_out(1)
    about = f"; limit reached about {reached}" if reached else ""
    over = f"over the limit of {number(view.findings.limit)}"
    return f"{said}, {over} (P {chance(float(view.expected.over[0]))}{about})"


def _facts(view: _View) -> Iterator[Fact]:
    expected, limit, unit = view.expected, view.findings.limit, view.rule.unit
    low, high = _one(expected.low), _one(expected.high)
    yield Fact("Likely range", f"{number(low)} to {quantity(high, unit)} by {view.ends_on} (80 %)")
    if (earliest := view.run_out(0)) is not None:
        latest = view.run_out(2)
        yield Fact("Limit reached", f"{_between(earliest, latest)} (80 %)")
    pace, rest = _one(expected.pace), float(view.rest.shares.sum())
    if rest and math.isfinite(expected.median[0]):
        goes_on = number(rounded((expected.median - view.spent) / rest)[0])
        yield Fact("To stay inside", f"at most {quantity(pace, unit)} a day from here; {goes_on} are expected")
    yield Fact("Spent", spent_of(view.spent, limit, unit).replace(" spent", ""))
    yield in_period(view.findings.page.span, view.until_at, view.zone)
    if math.isfinite(expected.record[0]):
        yield Fact("Record", f"7-day forecasts were within ±{percent(float(expected.record[0]))}, four of five times")


def _between(earliest: str, latest: str | None) -> str:
    if latest is None:
        return f"{earliest} or later, if at all"
    return earliest if earliest == latest else f"between {earliest} and {latest}"


def _one(numbers: Floats) -> float:
    """Of the one series, in as many digits as are worth saying."""
    return float(rounded(numbers)[0])
