"""budget: what a period may use, and how it goes: one file a part, and here what is written of all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Final, Literal

import numpy as np
from pydantic import Field

from usage_watch.core.datasets import DATASETS
from usage_watch.core.episode import Findings, Level, Patience
from usage_watch.core.message import Evidence, Fact
from usage_watch.core.periods import Periods, between
from usage_watch.core.selection import MEMBER, Selected
from usage_watch.core.series import DAY, EACH_MEMBER, Feed, FeedHistory, Width
from usage_watch.core.stats.burn import LEARNED_FROM
from usage_watch.core.stats.forecast import EMBARGO, LEARNED, NEEDED, TOLD_FROM
from usage_watch.core.units import Percent, from_epoch
from usage_watch.rules.asking import Refusal
from usage_watch.rules.budget import burn, forecast, levels, pool, rolling
from usage_watch.rules.budget.amounts import Amount, Amounts
from usage_watch.rules.budget.books import Books, BudgetFindings, Page
from usage_watch.rules.budget.burn import Pair
from usage_watch.rules.budget.forecast import Foresight
from usage_watch.rules.budget.rungs import DEFAULT_LEVELS, Levels
from usage_watch.rules.common import FileDefaults, Problem, Rule
from usage_watch.rules.period import CalendarPeriod, FixedPeriod, Period, RollingPeriod, periods_of

Part = Callable[["BudgetRule", Page, bool], Iterator[BudgetFindings]]

PARTS: Final[Mapping[str, Part]] = {
    levels.PART: levels.judge,
    forecast.PART: forecast.judge,
    burn.PART: burn.judge,
}
"""What speaks in each period, in the order in which it is told."""
LEARNS: Final[Mapping[str, timedelta]] = {
    levels.PART: timedelta(),
    forecast.PART: timedelta(days=EMBARGO + LEARNED),
    burn.PART: timedelta(seconds=LEARNED_FROM),
}
"""How much before a period each looks at."""
NEEDS: Final[Mapping[str, timedelta]] = {**LEARNS, forecast.PART: timedelta(days=TOLD_FROM + NEEDED - 1)}
"""Of that so much is enough to speak."""


class BudgetRule(Rule):
    """Speaks of what a period may use: levels that are reached, a limit that will not last, what eats it up now."""

    algorithm: ClassVar[int] = 2

    kind: Literal["budget"]
    limit: Amount | Amounts
    """What a period may use, in the dataset's unit; with `for_each` also `{default: …, overrides: {NAME: …}}`."""
    period: Period = "cycle"
    """cycle, day, week, month, quarter, year, {every: month, starts_on: 14}, {every: 30d, from: DATE} or
    {rolling: 30d}."""
    levels_: Annotated[Levels, Field(alias="levels", validate_default=True)] = DEFAULT_LEVELS
    """Percentages of the limit, each told once per period."""

    of: Literal["usage", "pool"] = "usage"
    """What is budgeted: `usage`, the dataset's counts, or `pool`: what members use beyond their `seats`."""
    forecast: Literal["on", "off"] | Foresight = "on"
    """Whether it speaks of a limit that will be passed: on, off, or {probability: 80%, severity: warning}."""
    burn: Literal["on", "off"] | Annotated[tuple[Pair, ...], Field(min_length=1, max_length=10)] = "on"
    """Whether it speaks of spending that eats the budget up: on, off, or a list of {long, short, rate, severity}."""
    min_impact: Percent = Field("1%", validate_default=True)
    """Less than this part of the limit is no news: beyond it for `forecast`, beyond an even pace for `burn`."""

    # ---- what is wrong though each field alone is right --------------------------------------------------------

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        known = DATASETS.get(self.dataset)
        if known is not None and not known.additive:
            yield Problem(("dataset",), f"cannot be budgeted: {self.dataset} does not add up over days")
        yield from self._period_problems()
        yield from self._part_problems()
        yield from forecast.problems(self)
        yield from burn.problems(self)
        if self.of == "pool":
            yield from pool.problems(self)
        if isinstance(self.limit, Amounts) and self.for_each is None:
            yield Problem(
                ("limit",), "has a limit for each series, but there is only one: write a number, or `for_each`"
            )

    def _period_problems(self) -> Iterator[Problem]:
        period = self.period
        if isinstance(period, FixedPeriod) and (period.every <= timedelta(0) or period.every.total_seconds() % DAY):
            yield Problem(("period", "every"), "must be whole days, such as 30d")
        if isinstance(period, RollingPeriod) and (
            period.rolling <= timedelta(0) or period.rolling.total_seconds() % DAY
        ):
            yield Problem(("period", "rolling"), "must be whole days, such as 30d")
        if isinstance(period, CalendarPeriod) and period.every in ("day", "week") and period.starts_on != 1:
            yield Problem(("period", "starts_on"), "is a day of the month; leave it out for days and weeks")

    def _part_problems(self) -> Iterator[Problem]:
        if self.for_ is not None:
            yield Problem(("for",), "has no meaning for a budget: a level is reached at once, and for the period")
        if self.resolve_after is not None and not self.burns:
            levels_only = "has no meaning for a budget without `burn`: what is spent stays spent for the period"
            yield Problem(("resolve_after",), levels_only)
        if self.rolling is not None and isinstance(self.burn, tuple):
            yield Problem(
                ("burn",), "has no meaning for a rolling period, which has no end: write off, or leave it out"
            )

    # ---- what follows from the fields --------------------------------------------------------------------------

    @property
    def rolling(self) -> timedelta | None:
        """How long a rolling period is; None for periods that begin and end."""
        return self.period.rolling if isinstance(self.period, RollingPeriod) else None

    @property
    def burns(self) -> bool:
        """Whether it has the part `burn`."""
        return self.burn != "off" and self.rolling is None

    @property
    def foresees(self) -> bool:
        """Whether it has the part `forecast`; what is drawn on a pool comes late in a cycle, as no day before tells."""
        return self.forecast != "off" and self.rolling is None and self.of != "pool"

    @property
    def sums_members(self) -> bool:
        return self.of == "pool"

    @property
    def parts(self) -> list[str]:
        """The names of the parts that speak."""
        # With a limit of 0 any use is over: there is nothing to expect, and nothing that lasts.
        limits = (self.limit.default, *self.limit.overrides.values()) if isinstance(self.limit, Amounts) else self.limit
        bears = np.any(np.asarray(limits) > 0)
        silent = {forecast.PART: not (self.foresees and bears), burn.PART: not (self.burns and bears)}
        return [part for part in PARTS if not silent.get(part, False)]

    @property
    def of_one_member(self) -> bool:
        """Whether each of its series is one person."""
        return (self.for_each or "").casefold() == MEMBER or self._member() is not None

    @property
    def width(self) -> Width:
        return DAY if self.of == "pool" else super().width

    def answer(self) -> Feed | Refusal:
        return Feed(self.dataset, DAY, EACH_MEMBER) if self.of == "pool" else super().answer()

    def limit_of(self, labels: Mapping[str, str]) -> float:
        """What one series may use in a period."""
        return self.limit.of(labels) if isinstance(self.limit, Amounts) else self.limit

    @property
    def levels(self) -> tuple[Level, ...]:
        """Of the largest limit, and of a period of 30 days where there are several."""
        limit = self.limit_of({})
        pairs = burn.rows(self, 30 * DAY) if self.burns and limit else []
        of_burn = (
            Level(row.severity, row.windows.rate * row.windows.long * self.width / (30 * DAY) * limit, row.grade)
            for row in pairs
        )
        of_forecast = [forecast.level(self, limit)] if self.foresees and limit else []
        return (*levels.levels_of(self.levels_, limit), *of_forecast, *of_burn)

    @property
    def reminds(self) -> timedelta | None:
        # What is spent stays spent for the rest of the period.
        return None if self.remind_every is None else super().reminds

    def patience(self, part: str | None) -> Patience:
        # What a rolling period has spent is clear once it is below the lowest level by a tenth: no need to wait.
        return Patience(1, self.resolve_buckets if part == burn.PART else 1)

    def periods(self, defaults: FileDefaults) -> Periods:
        """Days of members are UTC days, and so are all other daily buckets: their periods snap to them."""
        return periods_of(self.period, defaults, snap=self.width == DAY)

    def leans_on(self, defaults: FileDefaults) -> list[str]:
        period = [] if self.rolling is not None else [repr(self.periods(defaults))]
        return [*period, repr(defaults.seats)] if self.of == "pool" else period

    def begins(self, since: datetime, defaults: FileDefaults) -> datetime:
        """When the period began that runs at an instant, which is the answer where none does."""
        if self.rolling is not None:
            return since - self.rolling
        spans = between(self.periods(defaults), since, since + timedelta(seconds=1))
        return min([since, *(span.start_at for span in spans)])

    def look_back(self, since: datetime, defaults: FileDefaults) -> datetime:
        learned = self.begins(since, defaults) - max(LEARNS[part] for part in self.parts)
        # What was drawn on a pool then depends on all that was used in that period.
        return self.begins(learned, defaults) if self.of == "pool" else learned

    # ---- judging -----------------------------------------------------------------------------------------------

    def judge(self, history: FeedHistory, since: datetime, defaults: FileDefaults) -> list[Findings]:
        return self._judge(history, since, defaults, self.series(history, defaults), whole=False)

    def judge_whole(
        self, history: FeedHistory, since: datetime, defaults: FileDefaults, labels: Mapping[str, str] | None = None
    ) -> list[Findings]:
        every = self.series(history, defaults)
        series = [each for each in every if labels is None or each.labels == labels]
        return self._judge(history, since, defaults, series, whole=True)

    def series(self, history: FeedHistory, defaults: FileDefaults) -> list[Selected]:
        """What is budgeted."""
        if self.of == "pool":
            return [pool.drawn_on(history, self.periods(defaults), defaults)]
        return self.watched(history)

    def _judge(
        self, history: FeedHistory, since: datetime, defaults: FileDefaults, series: Sequence[Selected], *, whole: bool
    ) -> list[Findings]:
        if not len(history.starts) or not series:
            return []
        books = Books.of(history, series, (self.limit_of(each.labels) for each in series))
        if self.rolling is not None:
            return [*rolling.judge(self, self.rolling, books, since, whole)]
        newest = from_epoch(int(history.starts[-1]) + history.feed.width)
        pages = [Page(books, span) for span in between(self.periods(defaults), since, newest)]
        found = [each for part in self.parts for page in pages for each in PARTS[part](self, page, whole)]
        return [*sorted(found, key=lambda each: each.column)]

    # ---- in words ----------------------------------------------------------------------------------------------

    def evidence(self, findings: Findings, index: int, rank: int, defaults: FileDefaults) -> Evidence:
        if isinstance(findings, rolling.RollingFindings):
            return rolling.evidence(self, findings, index, rank, defaults)
        if not isinstance(findings, BudgetFindings):
            raise TypeError("a budget's findings have a period")
        said = self._said(findings, index, rank, defaults)
        return replace(said, newest=findings.newest, over_at=findings.page.span.end_at)

    def _said(self, findings: BudgetFindings, index: int, rank: int, defaults: FileDefaults) -> Evidence:
        match findings:
            case forecast.ForecastFindings():
                return forecast.evidence(self, findings, index, defaults)
            case burn.BurnFindings():
                return burn.evidence(self, findings, index, rank, defaults)
            case _:
                return levels.evidence(self, findings, index, rank, defaults)

    def whole(self, findings: Findings, start_at: int, end_at: int) -> float | None:
        return burn.whole(findings, start_at, end_at) if isinstance(findings, burn.BurnFindings) else None

    def counted(self, findings: BudgetFindings) -> list[Fact]:
        """Which usage counts, where not all does."""
        return [pool.ESTIMATE] if self.of == "pool" else self.narrowed()


__all__ = ["BudgetRule"]
