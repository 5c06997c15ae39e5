"""The chart of one of a rule's series, by what is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeGuard

import numpy as np

from usage_watch.config import Config
from usage_watch.core.chart import BurnUp, Course, Expected, LineChart, Look, Mark, burn_up, line_chart
from usage_watch.core.plain import plain
from usage_watch.core.privacy import Veil
from usage_watch.core.selection import Selected, fold_label
from usage_watch.core.series import FeedHistory
from usage_watch.core.units import to_epoch
from usage_watch.errors import UsageError
from usage_watch.rules import FileDefaults, Rule
from usage_watch.rules.budget import BudgetRule
from usage_watch.rules.budget.levels import PART
from usage_watch.rules.charting import charted, rungs, settled_until
from usage_watch.store.answers import AnswerStore
from usage_watch.store.database import Database
from usage_watch.store.history import HistoryStore
from usage_watch.views.budgets.reading import budgets
from usage_watch.views.budgets.state import Ahead, Budget

_SHOWN = 8
"""Series that are named."""
_LONGEST = 80
"""Characters of what a sentence repeats."""
_LATELY = timedelta(days=7)


class NothingToDrawError(UsageError):
    """There is such a rule, and nothing to see of it yet, or in that time."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be drawn."""

    config: Config
    database: Database
    rule: Rule
    now: datetime
    series: str | Mapping[str, str] | None = None
    """`NAME` or `Axis=NAME`, as people write it, or all of its labels; None for the largest."""
    since_at: datetime | None = None
    """From when on; None for the last week. What is drawn in its period begins with that."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a rule's series, with what it is drawn from."""

    rule: Rule
    labels: Mapping[str, str]
    every: Sequence[Mapping[str, str]]
    """Of all series that there are, the largest first."""
    history: FeedHistory
    config: Config
    defaults: FileDefaults
    since_at: datetime
    budget: Budget | None
    """How it stands, where it is drawn in its period."""


def in_period(rule: Rule) -> TypeGuard[BudgetRule]:
    """Whether it is drawn in its running period: any budget but a rolling one."""
    return isinstance(rule, BudgetRule) and rule.rolling is None


def choose(asked: Asked) -> Choice:
    """The series that is asked for; UsageError where there is none such, or nothing is known of it."""
    defaults = taught(asked.config, asked.database)
    return _of_budget(asked, asked.rule, defaults) if in_period(asked.rule) else _over_time(asked, defaults)


def drawn(choice: Choice, looks: Iterable[Look], marks: Sequence[Mark] = (), veil: Veil = str) -> list[str]:
    """SVG of the same chart for each look; NothingToDrawError where there is nothing to see.

    `marks`: of what is drawn over time; `veil`: what to do with the names of members in its title.
    """
    if choice.budget is not None:
        in_its_period = _burn_up(choice, choice.budget, veil)
        return [burn_up(in_its_period, look) for look in looks]
    over_time = _line(choice, marks, veil)
    return [line_chart(over_time, look) for look in looks]


def names(every: Sequence[Mapping[str, str]]) -> str:
    """The first of these series: `ana@example.com, bo@example.com, …`."""
    named = [plain(" ".join(each.values()), _LONGEST) for each in every[:_SHOWN]]
    return ", ".join(named) + (", …" if len(every) > _SHOWN else "")


def taught(config: Config, database: Database) -> FileDefaults:
    """What the file says for all rules, and what people answered to alerts."""
    answers, defaults = AnswerStore(database), config.defaults
    return replace(defaults, lessons=defaults.lessons.with_answers(answers.expected(), answers.rebased()))


def _history(asked: Asked, defaults: FileDefaults, since: datetime) -> FeedHistory:
    feed = asked.rule.feed
    history = HistoryStore(asked.database).load({feed: asked.rule.look_back(since, defaults)})[feed]
    if not len(history.starts):
        raise NothingToDrawError(f"Nothing is stored of {feed} yet; `usage-watch status` says what is read.")
    return history


def called(rule: Rule) -> str:
    """Its title; its id where it has none, or one that is filled in alert by alert, which says nothing here."""
    return rule.title if rule.title and "$" not in rule.title else rule.id


def _title(rule: Rule, labels: Mapping[str, str], veil: Veil) -> str:
    # Before it is cut: half an address is none that could be found.
    return veil(": ".join([called(rule), *labels.values()]))


# Which series


def _chosen(asked: Asked, every: Sequence[Mapping[str, str]]) -> Mapping[str, str]:
    """The first of those that match, the largest first."""
    rule, wanted = asked.rule, asked.series
    if rule.for_each is None and isinstance(wanted, str):
        raise UsageError(f"{rule.id} has only one series; leave --series out.")
    if not every:
        raise NothingToDrawError(f"{rule.id} has no series yet; `usage-watch status` says what is read.")
    if wanted is None:
        return every[0]
    found = next((each for each in every if _matches(each, wanted)), None)
    if found is None:
        name = plain(wanted if isinstance(wanted, str) else " ".join(wanted.values()), _LONGEST)
        raise UsageError(f"{rule.id} has no series {name!r}; the largest are {names(every)}.")
    return found


def _matches(labels: Mapping[str, str], wanted: str | Mapping[str, str]) -> bool:
    """`NAME`, or `Axis=NAME`, or all of them."""
    if not isinstance(wanted, str):
        return dict(labels) == dict(wanted)
    pairs = [(fold_label(axis), value.casefold()) for axis, value in labels.items()]
    axis, _, value = wanted.partition("=")
    return any(wanted.casefold() == own or (fold_label(axis), value.casefold()) == (name, own) for name, own in pairs)


# Over time


def _over_time(asked: Asked, defaults: FileDefaults) -> Choice:
    since_at = asked.now - _LATELY if asked.since_at is None else asked.since_at
    history = _history(asked, defaults, since_at)
    every = _largest(asked.rule, history, defaults, since_at)
    return Choice(
        rule=asked.rule,
        labels=_chosen(asked, every),
        every=every,
        history=history,
        config=asked.config,
        defaults=defaults,
        since_at=since_at,
        budget=None,
    )


def _largest(rule: Rule, history: FeedHistory, defaults: FileDefaults, since: datetime) -> Sequence[Mapping[str, str]]:
    found = rule.series(history, defaults) if isinstance(rule, BudgetRule) else rule.watched(history)
    sizes = {id(each): _size(each, history, since) for each in found}
    return [each.labels for each in sorted(found, key=lambda each: -sizes[id(each)])]


def _size(series: Selected, history: FeedHistory, since: datetime) -> int:
    return int(series.counts[history.starts >= to_epoch(since)].sum())


def _line(choice: Choice, marks: Sequence[Mark], veil: Veil) -> LineChart:
    found = charted(choice.rule, choice.history, choice.since_at, choice.defaults, choice.labels)
    if found is None:
        raise NothingToDrawError(f"Nothing of {choice.rule.id} is stored since then; write an earlier --since.")
    return LineChart(
        title=_title(choice.rule, choice.labels, veil),
        what=found.what,
        most=found.most,
        course=found.course,
        zone=choice.config.timezone,
        band=found.band,
        levels=found.levels,
        shades=found.shades,
        marks=marks,
    )


# In its period


def _of_budget(asked: Asked, rule: BudgetRule, defaults: FileDefaults) -> Choice:
    [budget] = budgets(asked.config, asked.database, [rule], asked.now)
    if budget.span is None:
        raise NothingToDrawError(f"The first period of {rule.id} has not begun; there is nothing to draw yet.")
    history = _history(asked, defaults, budget.span.start_at)
    every = [each.labels for each in budget.lines]
    return Choice(
        rule=rule,
        labels=_chosen(asked, every),
        every=every,
        history=history,
        config=asked.config,
        defaults=defaults,
        since_at=budget.span.start_at,
        budget=budget,
    )


def _burn_up(choice: Choice, budget: Budget, veil: Veil) -> BurnUp:
    rule, history, span, labels = budget.rule, choice.history, budget.span, choice.labels
    assert span is not None
    line = next(each for each in budget.lines if each.labels == labels)
    judged = rule.judge_whole(history, span.start_at, choice.defaults, labels)
    spent = next((each for each in judged if each.part == PART and each.period_at == span.start_at), None)
    none = np.zeros(0)
    starts, values = (none.astype(np.int64), none) if spent is None else (spent.starts, spent.values)
    return BurnUp(
        title=_title(rule, labels, veil),
        unit=rule.unit,
        span=span,
        zone=budget.zone,
        limit=line.limit,
        spent=Course(starts, rule.width, values, settled_until(history, int(span.start_at.timestamp()))),
        levels=[each for each in rungs(rule, line.limit) if each.value < line.limit],
        expected=None if line.ahead is None else _expected(line.ahead),
    )


def _expected(ahead: Ahead) -> Expected:
    return Expected(ahead.low, ahead.median, ahead.high, ahead.earliest_at, ahead.run_out_at, ahead.latest_at)
