"""How long things are kept, against how far back the rules look: what is needed is never thrown away.

A `keep` that is too short is refused, for it is said of everything and no rule could be right by it. `keep_members` is
a wish about people, and is kept wherever no rule judges by their days; where one does, `check` says so, and how long.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from usage_watch.config.complaint import Complaint
from usage_watch.config.settings import Config
from usage_watch.core.series import EVERYONE
from usage_watch.core.units import format_duration
from usage_watch.rules import FileDefaults, Rule
from usage_watch.rules.budget import BudgetRule
from usage_watch.store.settings import SHORTEST

_DAY = timedelta(days=1)
_SOME_MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
_ROUND = 85
"""Days after which each kind of look-back has been at its longest, but for that of periods."""
_PERIODS = 13


def needs(rule: Rule, defaults: FileDefaults) -> timedelta:
    """How old what a rule looks at gets, in whole days: all of the last 90 days is judged again."""
    longest = max(since - rule.look_back(since, defaults) for since in _instants(rule, defaults))
    return -(-(SHORTEST + _DAY + longest) // _DAY) * _DAY


def _instants(rule: Rule, defaults: FileDefaults) -> Iterator[datetime]:
    """Enough of them for one at which a rule looks back the furthest."""
    yield from (_SOME_MONDAY + _DAY * number for number in range(_ROUND))
    if isinstance(rule, BudgetRule) and rule.rolling is None:
        at = _SOME_MONDAY
        for _ in range(_PERIODS):
            yield at
            at = rule.begins(at, defaults) - timedelta(seconds=1)


def too_short(config: Config) -> Iterator[Complaint]:
    """Where less is to be kept than is needed; only what was written is refused."""
    if "keep" not in config.store.model_fields_set:
        return
    if config.store.keep < config.source.backfill:
        written = format_duration(config.source.backfill)
        yield Complaint(("store", "keep"), f"`keep` is shorter than `source.backfill`; write {written} or more")
        return
    longest = _longest(config, config.enabled)
    if longest is not None and config.store.keep < longest[1]:
        rule, needed = longest
        why = f"rule `{rule.id}` looks back that far"
        yield Complaint(("store", "keep"), f"`keep` must be {format_duration(needed)} or more: {why}")


def kept_longer(config: Config) -> Iterator[Complaint]:
    """Where members' days are kept for longer than was written, since rules judge by them."""
    if config.store.keep_members is None:
        return
    longest = _longest(config, [rule for rule in config.enabled if rule.feed.scope != EVERYONE])
    if longest is not None and config.store.keep_members < longest[1]:
        rule, needed = longest
        longer = f"what rule `{rule.id}` judges by is kept for up to {format_duration(needed)}: it looks back so far"
        yield Complaint(("store", "keep_members"), f"{longer}; write that, or do without the rule")


def _longest(config: Config, rules: Iterable[Rule]) -> tuple[Rule, timedelta] | None:
    found = [(rule, needs(rule, config.defaults)) for rule in rules]
    return max(found, key=lambda each: each[1], default=None)
