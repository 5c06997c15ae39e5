"""How the budgets of all members stand, for machines: what is spent, against what limit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from usage_watch.config import Config
from usage_watch.core.series import Feed, FeedHistory
from usage_watch.rules.budget import BudgetRule
from usage_watch.rules.budget.books import Books, Page
from usage_watch.rules.common import FileDefaults
from usage_watch.store.history import HistoryStore
from usage_watch.vitals import BudgetGauge

_SPARE = timedelta(days=2)
"""What a rolling period holds ends with the newest bucket, which may be so old."""


def budget_gauges(config: Config, history: HistoryStore, now: datetime) -> tuple[BudgetGauge, ...]:
    """Of each enabled budget with one series that is nobody's alone: members, and what has no end, are no labels."""
    rules = list(_shown(config))
    wants: dict[Feed, datetime] = {}
    for rule in rules:
        since = rule.begins(now, config.defaults) - _SPARE
        wants[rule.feed] = min(since, wants.get(rule.feed, since))
    found = history.load(wants)
    return tuple(
        BudgetGauge(rule.id, spent, rule.limit_of({}))
        for rule in rules
        if (spent := _spent(rule, found[rule.feed], config.defaults, now)) is not None
    )


def _shown(config: Config) -> Iterator[BudgetRule]:
    for rule in config.enabled:
        if isinstance(rule, BudgetRule) and rule.for_each is None and not rule.of_one_member:
            yield rule


def _spent(rule: BudgetRule, history: FeedHistory, defaults: FileDefaults, now: datetime) -> float | None:
    """None where nothing is read yet, or where no period runs."""
    series = rule.series(history, defaults) if len(history.starts) else []
    if not series:
        return None
    books = Books.of(history, series, [rule.limit_of({})])
    if rule.rolling is not None:
        window = int(rule.rolling.total_seconds()) // books.width
        return float(books.used[-window:, 0].sum())
    span = rule.periods(defaults).containing(now)
    return None if span is None else float(books.used[Page(books, span).inside, 0].sum())
