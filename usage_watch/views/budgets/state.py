"""How a budget stands in its running period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from usage_watch.core.incident import Incident
from usage_watch.core.message import Fact, Reason
from usage_watch.core.periods import Span
from usage_watch.core.promise import Notification, Told
from usage_watch.rules.budget import BudgetRule
from usage_watch.rules.budget.outlook import Silent
from usage_watch.rules.budget.unattributed import Unattributed
from usage_watch.views.freshness import Freshness

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Ahead:
    """How one series is expected to end."""

    median: float
    """Spent at the period's end, in the rule's unit."""
    settled: float
    """The same by settled days alone, as people are told: less where far more was seen since than was expected."""
    settled_over: float
    """`over` by settled days alone, as people are told."""
    low: float
    """It is more with 90 %."""
    high: float
    """It is less with 90 %."""
    over: float
    """Probability that the limit is reached in the period, 0 to 1."""
    earliest_at: datetime | None
    """The middle of the day on which the limit is reached at the earliest (10 %); None for not in this period."""
    run_out_at: datetime | None
    """The same with 50 %."""
    latest_at: datetime | None
    """The same with 90 %."""
    record: float | None
    """Four of five earlier forecasts of 7 days were wrong by at most this part; None where there was none."""


@dataclass(frozen=True, slots=True)
class Line:
    """One series of a budget, in the running period."""

    labels: Mapping[str, str]
    limit: float
    spent: float
    """What was seen: a lower bound where there are `Budget.doubts`."""
    recent: float | None
    """Used a day, in the last 7 settled days."""
    ahead: Ahead | None

    @property
    def share(self) -> float:
        """Part of the limit; of a limit of 0 nothing is 0 and anything is endless."""
        if self.limit:
            return self.spent / self.limit
        return float("inf") if self.spent else 0.0

    @property
    def over(self) -> bool:
        """Whether the limit is reached; with a limit of 0 any use is over."""
        return self.spent > 0 and self.spent >= self.limit

    def pace(self, left: timedelta) -> float | None:
        """What may be spent a day to stay inside; None where nothing is left of limit or time."""
        return (self.limit - self.spent) / (left / _DAY) if left and not self.over else None


@dataclass(frozen=True, slots=True)
class Budget:
    """One budget in its running period."""

    rule: BudgetRule
    zone: ZoneInfo
    """Of the period's days."""
    span: Span | None
    """None for a rolling one, and before the first."""
    begins_at: datetime | None
    """When the first period begins, where that is still to come."""
    lines: Sequence[Line]
    """The largest share of the limit first."""
    doubts: Sequence[Fact]
    """Why more may be spent, in words: some of it was never read, or lies before history."""
    days: int
    """Settled days that a forecast rests on, of those that there are."""
    silent: Silent | None
    """Why nothing is expected of it; None where something is."""
    feed: Freshness | None
    """How fresh its data is."""
    incidents: Sequence[Incident]
    """What is open of it, and what was found in this period; as messages word it, the most urgent first."""
    unattributed: Unattributed | None
    """What of a pool's paid credits is no member's; None where that is not known, and elsewhere."""
    told: Mapping[str, Sequence[Told]]
    """What was promised of each, by id."""

    @property
    def alone(self) -> Line | None:
        """The one series of a budget that has no `for_each`."""
        return self.lines[0] if self.lines and self.rule.for_each is None else None

    def passed(self, now: datetime) -> float | None:
        """How much of the period is over, 0 to 1."""
        return None if self.span is None else (now - self.span.start_at) / (self.span.end_at - self.span.start_at)

    def left(self, now: datetime) -> timedelta:
        """How much of the period is to come; nothing where it has no end."""
        return timedelta() if self.span is None else self.span.end_at - now

    def even(self, line: Line, now: datetime) -> float | None:
        """What a series would have spent by now at an even pace."""
        passed = self.passed(now)
        return None if passed is None else line.limit * passed

    def said(self, incident: Incident) -> list[tuple[datetime, Notification, list[str]]]:
        """When which level was told, and to whom, oldest first; without corrections, which ping nobody."""
        found: dict[tuple[datetime, str], tuple[Notification, list[str]]] = {}
        for each in self.told[incident.id]:
            notification = each.notification
            if each.counts and notification.reason is not Reason.UPDATED:
                _, targets = found.setdefault((each.decided_at, notification.reason), (notification, []))
                targets.append(notification.target)
        return [(at, notification, targets) for (at, _), (notification, targets) in sorted(found.items())]
