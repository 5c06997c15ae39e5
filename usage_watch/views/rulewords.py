"""What a rule watches, in one plain sentence."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from usage_watch.core.datasets import DATASETS
from usage_watch.core.episode import Level
from usage_watch.core.series import HOUR
from usage_watch.core.units import number, percent, quantity, short_day, spell_duration
from usage_watch.rules import Rule
from usage_watch.rules.absence import AbsenceRule
from usage_watch.rules.budget import BudgetRule
from usage_watch.rules.budget.amounts import Amounts
from usage_watch.rules.budget.forecast import PART as FORECAST
from usage_watch.rules.measure import MeasuredRule
from usage_watch.rules.novelty import NoveltyRule
from usage_watch.rules.period import CalendarPeriod, FixedPeriod, RollingPeriod
from usage_watch.rules.statistic import ShareOver, Statistic, is_time
from usage_watch.rules.threshold import ThresholdRule
from usage_watch.rules.zscore import Direction, Method, ZscoreRule

FAR: Final = {Direction.UP: "far above", Direction.DOWN: "far below", Direction.BOTH: "far from"}
"""Which deviations are news."""
_CENTERS: Final = {Method.PLAIN: "mean", Method.ROBUST: "median", Method.SEASONAL: "median"}
"""Of rolling scores; what has no hour of the week goes by the median, too."""


def watches(rule: Rule) -> str:
    """`Credits of each Model in 3 h, above 6,000 (warning) or 12,000 (critical).`"""
    said = _said(rule)
    return f"{said[:1].upper()}{said[1:]}."


def _said(rule: Rule) -> str:
    match rule:
        case ThresholdRule():
            return f"{_measured(rule)}, {limits(rule)}"
        case ZscoreRule():
            return _unusual(rule)
        case AbsenceRule():
            return f"no {_absent(rule)} for {spell_duration(rule.quiet_for)}"
        case NoveltyRule():
            return _new(rule)
        case BudgetRule():
            return _budgeted(rule)
        case _:
            return usage(rule)


def usage(rule: Rule) -> str:
    """What is counted: `credits of each member with Credit Source paid`, `threads (connectors)`."""
    return f"{_counted(rule)}{_of_whom(rule)}{_narrowed(rule)}"


def _counted(rule: Rule) -> str:
    """Several datasets count the same: those are named."""
    alike = sum(each.unit == rule.unit for each in DATASETS.values())
    return rule.unit if alike == 1 else f"{rule.unit} ({rule.dataset})"


def _of_whom(rule: Rule) -> str:
    return "" if rule.for_each is None else f" of each {rule.for_each}"


def _narrowed(rule: Rule) -> str:
    return "".join(f" with {fact.value}" for fact in rule.narrowed())


# What is measured


def _measured(rule: MeasuredRule) -> str:
    within = f"in {spell_duration(rule.span)}"
    if isinstance(rule.statistic, ShareOver):
        return f"part of the {usage(rule)} that took {statistic(rule)} {within}"
    if is_time(rule.statistic):
        return f"how long {usage(rule)} took ({statistic(rule)}) {within}"
    share = "share of " if rule.statistic == Statistic.SHARE else ""
    return f"{share}{usage(rule)} {within}"


def statistic(rule: MeasuredRule) -> str:
    """`share`, `p95`, `over 15 min`."""
    asked = rule.statistic
    return f"over {spell_duration(asked.share_over)}" if isinstance(asked, ShareOver) else str(asked)


def limits(rule: ThresholdRule) -> str:
    """`above 6,000 (warning) or 12,000 (critical)`."""
    side = "above" if rule.above is not None else "below"
    return f"{side} {' or '.join(f'{rule.plainly(each.limit)} ({each.severity})' for each in rule.levels)}"


def _unusual(rule: ZscoreRule) -> str:
    far = FAR[rule.direction]
    if rule.is_seasonal:
        when = "hour of the week" if rule.width == HOUR else "day of the week"
        return f"{usage(rule)}, {far} what is usual at that {when}"
    return f"{_measured(rule)}, {far} their {_CENTERS[rule.method]} of {spell_duration(rule.baseline)}"


# What is or is not there


def _absent(rule: AbsenceRule) -> str:
    watched = "" if rule.for_each is None else f" of a {rule.for_each} in regular use"
    return f"{_counted(rule)}{watched}{_narrowed(rule)}"


def _new(rule: NoveltyRule) -> str:
    used = f"{_narrowed(rule)} ({rule.dataset})"
    if rule.expected is not None:
        return f"any {rule.for_each} in use that is not expected{used}"
    return f"any {rule.for_each} that is used for the first time in {spell_duration(rule.unseen_for)}{used}"


# What may be spent


def _budgeted(rule: BudgetRule) -> str:
    shares = ", ".join(percent(share / 100) for _, share in rule.levels_)
    lasts = "; and whether that will last" if FORECAST in rule.parts else ""
    return f"{limit(rule)} {period(rule)}, told at {shares}{lasts}"


def limit(rule: BudgetRule) -> str:
    """`15,000 credits of each member`; of several limits that which most have."""
    drawn = " drawn on the shared pool" if rule.of == "pool" else ""
    amount = rule.limit.default if isinstance(rule.limit, Amounts) else rule.limit
    return f"{quantity(amount, rule.unit)}{drawn}{_of_whom(rule)}{_narrowed(rule)}"


def period(rule: BudgetRule) -> str:
    """`in each billing cycle`, `in any 30 d`."""
    match rule.period:
        case RollingPeriod(rolling=length):
            return f"in any {spell_duration(length)}"
        case FixedPeriod():
            since = f"{short_day(rule.period.from_)} {rule.period.from_.year}"
            return f"in each {spell_duration(rule.period.every)} from {since} on"
        case CalendarPeriod(starts_on=1):
            return f"in each {rule.period.every}"
        case CalendarPeriod():
            return f"in each {rule.period.every} from day {rule.period.starts_on} on"
        case "cycle":
            return "in each billing cycle"
        case _:
            return f"in each {rule.period}"


def severities(levels: Iterable[Level]) -> str:
    """`warning 6.5, critical 8`."""
    return ", ".join(f"{each.severity} {number(each.limit)}" for each in levels)


def lasting(buckets: int, width: int) -> str:
    """So many buckets, as a time."""
    return spell_duration(timedelta(seconds=buckets * width))
