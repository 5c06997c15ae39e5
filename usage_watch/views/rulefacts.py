"""What a rule says, as names and values: the settings that hold, those that nobody wrote included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from usage_watch.config import Config
from usage_watch.core.message import Severity
from usage_watch.core.selection import Choice
from usage_watch.core.series import DAY
from usage_watch.core.units import number, percent, quantity, spell_duration
from usage_watch.rules import Rule
from usage_watch.rules.absence import AbsenceRule
from usage_watch.rules.budget import BudgetRule
from usage_watch.rules.budget.amounts import Amounts
from usage_watch.rules.budget.burn import PART as BURN
from usage_watch.rules.budget.forecast import PART as FORECAST
from usage_watch.rules.budget.forecast import foresight
from usage_watch.rules.measure import MeasuredRule
from usage_watch.rules.novelty import NoveltyRule
from usage_watch.rules.statistic import Statistic
from usage_watch.rules.threshold import ThresholdRule
from usage_watch.rules.zscore import ZscoreRule
from usage_watch.rules.zscore.options import LEAST_CHANGE
from usage_watch.views.rulewords import FAR, lasting, limit, limits, period, severities, statistic

Facts = Iterator[tuple[str, str]]


def facts(rule: Rule, config: Config) -> Facts:
    """All that makes it speak, and whom it tells."""
    yield "Rule", f"{rule.id} ({rule.kind})"
    yield "Data", f"{rule.dataset}, by {'UTC days' if rule.width == DAY else 'hours'}"
    yield from ((fact.name, fact.value) for fact in rule.narrowed())
    if rule.for_each is not None:
        yield "One series", f"for each {rule.for_each}"
    yield from _of_kind(rule)
    yield from _patience(rule)
    yield "Tells", _told(rule, config.routes[rule.id])
    yield "Reminds", "never" if rule.reminds is None else f"after {spell_duration(rule.reminds)}, then less and less"


def _of_kind(rule: Rule) -> Facts:
    match rule:
        case ThresholdRule():
            yield from _threshold(rule)
        case ZscoreRule():
            yield from _zscore(rule)
        case AbsenceRule():
            yield from _absence(rule)
        case NoveltyRule():
            yield from _novelty(rule)
        case BudgetRule():
            yield from _budget(rule)


def _measured(rule: MeasuredRule) -> Facts:
    yield "Window", spell_duration(rule.span)
    if rule.statistic != Statistic.TOTAL:
        yield "Statistic", statistic(rule)
    if rule.min_total:
        yield "Needs", f"{quantity(rule.min_total, rule.unit)} at least: fewer say nothing"


def _threshold(rule: ThresholdRule) -> Facts:
    yield from _measured(rule)
    yield "Speaks", limits(rule)
    if rule.clear_at is not None:
        yield "Is clear", f"at {percent(rule.clear_at / 100)} of the lowest level"


def _zscore(rule: ZscoreRule) -> Facts:
    if rule.is_seasonal:
        yield "Windows", ", ".join(map(spell_duration, rule.spans))
        yield "Usual", "by the time of the week"
    else:
        yield from _measured(rule)
        yield "Usual", f"rolling, of {spell_duration(rule.baseline)} ({rule.method})"
    yield "Speaks", f"from a score of {severities(rule.levels)}, {FAR[rule.direction]} the usual"
    usual = 0 if rule.is_of_tasks else LEAST_CHANGE
    change = usual if rule.min_change is None else rule.min_change
    least = f"{quantity(change, rule.judged_unit)} or " if change else ""
    yield "No news", f"less than {least}{percent(rule.min_relative / 100)} off the usual"
    yield "Is clear", f"at {percent(rule.clear_at / 100)} of the lowest score"


def _absence(rule: AbsenceRule) -> Facts:
    yield "Speaks", f"after {spell_duration(rule.quiet_for)} of nothing ({rule.severity})"
    if rule.for_each is not None:
        yield "Regular use", f"{rule.min_active_days} of 28 days"


def _novelty(rule: NoveltyRule) -> Facts:
    if rule.expected is not None:
        yield "Expected", Choice(tuple(rule.expected)).said
    yield "Speaks", f"of what was not used for {spell_duration(rule.unseen_for)} ({rule.severity})"


def _budget(rule: BudgetRule) -> Facts:
    yield "Limit", f"{limit(rule)} {period(rule)}{_exceptions(rule)}"
    yield "Levels", ", ".join(f"{severity} {percent(share / 100)}" for severity, share in rule.levels_)
    if FORECAST in rule.parts:
        told = foresight(rule)
        yield "Forecast", f"told from {percent(told.probability / 100)} likely ({told.severity})"
    else:
        yield "Forecast", "off"
    yield "Burn", "on" if BURN in rule.parts else "off"


def _exceptions(rule: BudgetRule) -> str:
    if not isinstance(rule.limit, Amounts) or not rule.limit.overrides:
        return ""
    return f"; {number(len(rule.limit.overrides))} with a limit of their own"


def _patience(rule: Rule) -> Facts:
    if isinstance(rule, BudgetRule | NoveltyRule):
        return  # what is spent stays spent, and what is new is so for a day
    if rule.for_buckets > 1:
        yield "Must stand", f"for {lasting(rule.for_buckets, rule.width)}"
    yield "Has ended", f"after {lasting(rule.resolve_buckets, rule.width)} of being clear"


def _told(rule: Rule, routes: Mapping[Severity, Sequence[str]]) -> str:
    """`ops`, or by severity `warning: ops; critical: ops, pager`."""
    spoken = sorted({level.severity for level in rule.levels}, key=_weight)
    told = {severity: ", ".join(routes.get(severity, ())) or "nobody" for severity in spoken}
    if len(set(told.values())) == 1:
        return next(iter(told.values()))
    return "; ".join(f"{severity}: {names}" for severity, names in told.items())


def _weight(severity: Severity) -> int:
    return severity.weight
