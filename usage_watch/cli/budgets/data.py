"""Budgets as data for programs; the names stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from usage_watch.cli.common.incidents import incident_json
from usage_watch.core.money import CREDITS
from usage_watch.core.units import format_duration
from usage_watch.rules.budget.levels import PART as LEVELS
from usage_watch.rules.budget.rolling import told_level

if TYPE_CHECKING:
    from datetime import datetime

    from usage_watch.core.incident import Incident
    from usage_watch.core.money import Price
    from usage_watch.core.promise import Notification
    from usage_watch.views.budgets.state import Budget, Line
    from usage_watch.views.orders import Words


def budget_json(budget: Budget, words: Words, price: Price | None, now: datetime) -> dict[str, Any]:
    """All that is known of it; the largest share of the limit first."""
    rule, feed = budget.rule, budget.feed
    return {
        "rule": {"id": rule.id, "title": rule.title or rule.id},
        "of": rule.of,
        "estimate": rule.of == "pool",
        "dataset": rule.dataset,
        "unit": rule.unit,
        "period": _period(budget),
        "rolling": rule.rolling and format_duration(rule.rolling),
        "timezone": budget.zone.key,
        "begins_at": budget.begins_at,
        "passed": budget.passed(now),
        "for_each": rule.for_each,
        "lower_bound": [fact.value for fact in budget.doubts],
        "unattributed": budget.unattributed,
        "forecast_days": budget.days,
        "no_forecast": budget.silent,
        "data_until": feed and feed.data_until,
        "settled_until": feed and feed.settled_until,
        "series": [_line(budget, each, price if rule.unit == CREDITS else None, now) for each in budget.lines],
        "incidents": [_incident(budget, each, words) for each in budget.incidents],
    }


def _line(budget: Budget, line: Line, price: Price | None, now: datetime) -> dict[str, Any]:
    return {
        "labels": line.labels,
        "limit": line.limit,
        "spent": line.spent,
        "share": _share(line),
        "over": line.over,
        "amount": price
        and {"spent": price.worth(line.spent), "limit": price.worth(line.limit), "currency": price.currency},
        "even_pace": budget.even(line, now),
        "pace_left": line.pace(budget.left(now)),
        "recent_pace": line.recent,
        "forecast": line.ahead,
    }


def _incident(budget: Budget, incident: Incident, words: Words) -> dict[str, Any]:
    return {
        **incident_json(incident, words.get(incident.id)),
        "told": [
            {"at": at, "reason": each.reason, "level": _level(incident, each), "channels": to}
            for at, each, to in budget.said(incident)
        ],
    }


def _level(incident: Incident, notification: Notification) -> float | None:
    """Which part of the limit; None for what has no levels."""
    return told_level(notification.rank) if incident.part == LEVELS and notification.rank else None


def budget_brief(budget: Budget, now: datetime) -> dict[str, Any]:
    """What one line says of it: of several series the sum, how many there are, and the largest share of a limit."""
    alone = budget.alone
    return {
        "rule": budget.rule.id,
        "unit": budget.rule.unit,
        "period": _period(budget),
        "passed": budget.passed(now),
        "series": len(budget.lines),
        "over": sum(line.over for line in budget.lines),
        "spent": sum(line.spent for line in budget.lines),
        "limit": alone and alone.limit,
        "share": _share(budget.lines[0]) if budget.lines else None,
        "lower_bound": bool(budget.doubts),
        "unattributed": budget.unattributed and budget.unattributed.rest,
        "forecast": alone and alone.ahead,
    }


def _period(budget: Budget) -> dict[str, datetime] | None:
    return None if budget.span is None else {"start": budget.span.start_at, "end": budget.span.end_at}


def _share(line: Line) -> float | None:
    return round(line.share, 4) if line.limit else None
