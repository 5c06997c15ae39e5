"""budget: what a period may use, and the levels on the way there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema

from usage_watch.core.datasets import DATASETS
from usage_watch.core.episode import Findings, Level
from usage_watch.core.message import Evidence, Fact, Severity
from usage_watch.core.periods import Periods, Span, between
from usage_watch.core.selection import Selected
from usage_watch.core.series import DAY, FeedHistory
from usage_watch.core.units import from_epoch, local_time, number, parse_percent, percent, quantity
from usage_watch.rules.common import FileDefaults, Problem, Rule
from usage_watch.rules.drawing import drawn, stride_over
from usage_watch.rules.evidence import around
from usage_watch.rules.period import CalendarPeriod, FixedPeriod, Period, periods_of

Rung = tuple[Severity, float]
"""A severity and the percentage of the limit at which it is reached."""

_HELP = "write levels such as {info: 50%, warning: 80%, critical: 100%}, [50%, 80%, 100%] or {80%: warning}"
_MOST_LEVELS = 100


def _levels(value: Any) -> tuple[Rung, ...]:
    """Any of the three spellings, as rungs in the order of their percentage."""
    if isinstance(value, list):
        rungs = [(Severity.WARNING, share) for share in sorted(_share(item) for item in value)]
        rungs[-1:] = [(Severity.CRITICAL, rungs[-1][1])] if rungs else []
    elif isinstance(value, dict):
        rungs = [rung for key, item in value.items() for rung in _rungs(key, item)]
    else:
        raise ValueError(_HELP)
    shares = [share for _, share in rungs]
    if not rungs or len(set(shares)) < len(shares):
        raise ValueError("names two levels at the same percentage; keep one" if rungs else _HELP)
    if len(rungs) > _MOST_LEVELS:
        raise ValueError(f"names more than {_MOST_LEVELS} levels; keep those that somebody would act on")
    return tuple(sorted(rungs, key=lambda rung: rung[1]))


def _rungs(key: str, item: Any) -> list[Rung]:
    if key in list(Severity):
        return [(Severity(key), _share(each)) for each in (item if isinstance(item, list) else [item])]
    if item in list(Severity):
        return [(Severity(item), _share(key))]
    raise ValueError(_HELP)


def _share(text: Any) -> float:
    if not isinstance(text, str):
        raise ValueError("takes percentages such as 80%")
    return parse_percent(text)


_PERCENT = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?%$"}
_PERCENTS = {"type": "array", "items": _PERCENT, "minItems": 1}
_LEVELS_SCHEMA = {
    "anyOf": [
        {
            "type": "object",
            "minProperties": 1,
            "properties": {severity.value: {"anyOf": [_PERCENT, _PERCENTS]} for severity in Severity},
            "patternProperties": {_PERCENT["pattern"]: {"enum": [severity.value for severity in Severity]}},
            "additionalProperties": False,
        },
        _PERCENTS,
    ],
    "examples": [{"info": "50%", "warning": "80%", "critical": ["100%", "120%"]}],
}

Levels = Annotated[
    tuple[Rung, ...],
    PlainValidator(_levels),
    PlainSerializer(
        lambda rungs: {f"{share:g}%": severity.value for severity, share in rungs}, return_type=dict[str, str]
    ),
    WithJsonSchema(_LEVELS_SCHEMA),
]

DEFAULT_LEVELS: Any = {"info": "50%", "warning": "80%", "critical": "100%"}
"""As a user would write them."""


class BudgetRule(Rule):
    """Speaks once per period and level when spending reaches a percentage of the limit."""

    kind: Literal["budget"]
    limit: Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]
    """What a period may use, in the dataset's unit."""
    period: Period = "cycle"
    """cycle, day, week, month, quarter, year, {every: month, starts_on: 14}, or {every: 30d, from: DATE}."""
    levels_: Annotated[Levels, Field(alias="levels", validate_default=True)] = DEFAULT_LEVELS
    """Percentages of the limit, each told once per period."""

    of: Literal["usage"] = "usage"
    """What is budgeted: the dataset's counts."""
    forecast: Literal["off"] = "off"
    """Whether it speaks of a limit that will be passed."""
    burn: Literal["off"] = "off"
    """Whether it speaks of spending too fast."""

    later: ClassVar[frozenset[str]] = Rule.later | {"of", "forecast", "burn", "min_impact"}
    later_values: ClassVar[Mapping[str, frozenset[str]]] = {
        "limit": frozenset({"default", "overrides"}),
        "period": frozenset({"rolling"}),
    }

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        known = DATASETS.get(self.dataset)
        if known is not None and not known.additive:
            yield Problem(("dataset",), f"cannot be budgeted: {self.dataset} does not add up over days")
        yield from self._period_problems()
        for name in ("for_", "resolve_after"):
            if getattr(self, name) is not None:
                yield Problem(
                    (name.rstrip("_"),), "has no meaning for a budget: a level is reached at once, and for the period"
                )

    def _period_problems(self) -> Iterator[Problem]:
        period = self.period
        if isinstance(period, FixedPeriod) and (period.every <= timedelta(0) or period.every.total_seconds() % DAY):
            yield Problem(("period", "every"), "must be whole days, such as 30d")
        if isinstance(period, CalendarPeriod) and period.every in ("day", "week") and period.starts_on != 1:
            yield Problem(("period", "starts_on"), "is a day of the month; leave it out for days and weeks")

    @property
    def levels(self) -> tuple[Level, ...]:
        return tuple(Level(each, self.limit * share / 100, math.ceil(100 * share)) for each, share in self.levels_)

    @property
    def reminds(self) -> timedelta | None:
        # What is spent stays spent for the rest of the period.
        return None if self.remind_every is None else super().reminds

    def periods(self, defaults: FileDefaults) -> Periods:
        """Days of members are UTC days, and so are all other daily buckets: their periods snap to them."""
        return periods_of(self.period, defaults, snap=self.width == DAY)

    def leans_on(self, defaults: FileDefaults) -> list[str]:
        return [repr(self.periods(defaults))]

    def look_back(self, since: datetime, defaults: FileDefaults) -> datetime:
        spans = between(self.periods(defaults), since, since + timedelta(seconds=1))
        return min([since, *(span.start_at for span in spans)])

    def judge(self, history: FeedHistory, since: datetime, defaults: FileDefaults) -> list[Findings]:
        if not len(history.starts):
            return []
        newest = from_epoch(int(history.starts[-1]) + history.feed.width)
        spans = between(self.periods(defaults), since, newest)
        return [self._judge_one(history, series, span) for series in self.watched(history) for span in spans]

    def _judge_one(self, history: FeedHistory, series: Selected, span: Span) -> Findings:
        """What was spent up to and including each bucket of one period. Levels are reached at >=."""
        first_fetched = history.starts[history.fetched][:1].sum()
        edges = [max(span.start_at.timestamp(), first_fetched), span.end_at.timestamp()]
        inside = slice(*np.searchsorted(history.starts, edges))
        spent = np.cumsum(series.counts[inside]).astype(np.float64)
        limits = np.array([level.limit for level in self.levels])
        # With a limit of 0 any use is over; no use is not.
        ranks = np.where(spent > 0, np.searchsorted(limits, spent, side="right"), 0).astype(np.int8)
        frontier = history.frontier
        over = frontier is not None and frontier >= span.end_at.timestamp()
        return Findings(
            labels=series.labels,
            width=self.width,
            starts=history.starts[inside],
            ranks=ranks,
            holding=np.zeros(len(spent), dtype=bool),
            settled=(history.settled & series.known)[inside],
            grows=True,
            worse=np.ones(len(spent), dtype=np.int8),
            values=spent,
            limits=limits[np.maximum(ranks - 1, 0)],
            part="levels",
            period_at=span.start_at,
            closed="The period is over." if over else None,
        )

    def evidence(self, findings: Findings, index: int, rank: int, defaults: FileDefaults) -> Evidence:
        span = self._span(findings, defaults)
        until_at = from_epoch(int(findings.starts[index]) + findings.width)
        _, share = self.levels_[rank - 1]
        value = float(findings.values[index])
        spent = f"{number(value)} of {quantity(self.limit, self.unit)} spent"
        part = f" ({percent(value / self.limit)})" if self.limit else ""
        return around(
            findings,
            index,
            until_at - span.start_at,
            dataset=self.dataset,
            unit=self.unit,
            value=value,
            limit=self.levels[rank - 1].limit,
            summary=f"{spent}{part}, past the {percent(share / 100)} level",
            facts=tuple(self._facts(findings, span, until_at, defaults)),
            series=drawn(
                f"{self.unit} spent",
                int(findings.starts[index]) + findings.width,
                findings.width,
                findings.values[: index + 1],
                ((level.severity, level.limit) for level in self.levels),
                stride=stride_over(index + 1),
            ),
        )

    def _span(self, findings: Findings, defaults: FileDefaults) -> Span:
        start = findings.period_at
        if start is None:
            raise TypeError("a budget's findings have a period")
        return between(self.periods(defaults), start, start + timedelta(seconds=1))[0]

    def _facts(self, findings: Findings, span: Span, until_at: datetime, defaults: FileDefaults) -> Iterator[Fact]:
        yield from self.narrowed()
        zone = self.periods(defaults).zone
        passed = (until_at - span.start_at) / (span.end_at - span.start_at)
        first, last = (local_time(at, zone, until_at) for at in (span.start_at, span.end_at))
        yield Fact("Period", f"{first} to {last} ({zone.key}), {percent(passed)} of it over")
        yield Fact("Even pace", f"{quantity(round(self.limit * passed), self.unit)} by now")
        # In half-hour zones the first bucket begins after the period, within its own width.
        if findings.starts[0] >= span.start_at.timestamp() + findings.width:
            since = local_time(from_epoch(int(findings.starts[0])), zone, until_at)
            yield Fact("Known", f"since {since} only: history begins inside the period, so more was spent")
