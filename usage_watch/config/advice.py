"""What a rules file may say, but hardly means."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel

from usage_watch.config.complaint import Complaint, Path
from usage_watch.config.keeping import kept_longer
from usage_watch.config.settings import Config
from usage_watch.config.shapes import near
from usage_watch.core.datasets import DATASETS, find_axis
from usage_watch.core.lessons import LEARNING
from usage_watch.core.mute import Mute
from usage_watch.core.selection import MEMBER, Choice
from usage_watch.core.series import HOUR
from usage_watch.core.stats.bands import Band, band_of, same_name
from usage_watch.core.units import format_duration, quantity, spell_duration
from usage_watch.errors import Fault
from usage_watch.meta import KIND as META
from usage_watch.meta import RULES as META_RULES
from usage_watch.rules import Rule
from usage_watch.rules.budget import BudgetRule, pool
from usage_watch.rules.budget.amounts import Amounts
from usage_watch.rules.budget.burn import ACTIVE, FEW, FEW_MEMBERS
from usage_watch.rules.measure import MeasuredRule
from usage_watch.rules.statistic import DURATION_AXIS, OF_DURATIONS, ShareOver, is_time
from usage_watch.rules.threshold import ThresholdRule
from usage_watch.secret import SecretRef

PARTS = {"budget": ("levels", "forecast", "burn")}
"""What speaks of a kind, where that is not the rule as a whole."""
_MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
"""Any day does: what begins each week anew ends in each, or never."""

Seen = Mapping[tuple[str, str], Collection[str]]
"""By dataset and axis (as the source writes it, or `member`), the categories that stored history has."""


def warnings(config: Config, environ: Mapping[str, str], seen: Seen) -> list[Fault]:
    """What is worth a second look, in the order of the file. Of an axis that `seen` lacks nothing is said."""
    found = [
        *_of_file(config),
        *_of_secrets(config, environ),
        *(each for index, rule in enumerate(config.rules) for each in _of_rule(("rules", index), rule, seen)),
        *_of_budgets(config, seen),
        *_of_durations(config, _seen(seen, OF_DURATIONS, DURATION_AXIS)),
        *_told_to_nobody(config),
        *_of_events(config),
        *_of_mutes(config),
        *kept_longer(config),
    ]
    faults = [complaint.fault(config.document) for complaint in found]
    return sorted(faults, key=lambda fault: (fault.line, fault.column))


def _of_file(config: Config) -> Iterator[Complaint]:
    if not config.channels:
        yield Complaint((), "nobody is told of anything: write `channels` and `notify`")
    if not config.rules:
        yield Complaint(("rules",), "nothing is watched: write `rules`")
    if config.source.poll_every < timedelta(minutes=1):
        place: Path = ("source", "poll_every")
        yield Complaint(place, "this asks the source more than once a minute, for numbers that come hours late")


def _of_secrets(config: Config, environ: Mapping[str, str]) -> Iterator[Complaint]:
    for name in ("source", "heartbeat", "channels"):
        for path, secret in _secrets((name,), getattr(config, name)):
            yield from (Complaint(path, sentence) for sentence in secret.warnings(environ))


def _secrets(at: Path, value: Any) -> Iterator[tuple[Path, SecretRef]]:
    if isinstance(value, SecretRef):
        yield at, value
    for step, item in _held(value):
        yield from _secrets((*at, step), item)


def _held(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, BaseModel):
        yield from ((name, getattr(value, name)) for name in type(value).model_fields)
    elif isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, tuple):
        yield from enumerate(value)


def _of_rule(at: Path, rule: Rule, seen: Seen) -> Iterator[Complaint]:
    if rule.dataset not in DATASETS:
        meant = near(rule.dataset, DATASETS)
        hint = f"did you mean {meant}?" if meant else f"known are {', '.join(DATASETS)}"
        yield Complaint((*at, "dataset"), f"no dataset of this name is known, and so nothing of it is checked; {hint}")
    for name, wanted in rule.where.items():
        known = _seen(seen, rule.dataset, name)
        patterns = wanted if isinstance(wanted, str | list) else wanted.none_of
        for pattern in [patterns] if isinstance(patterns, str) else patterns:
            if known and not _matches(pattern, name, known):
                yield Complaint((*at, "where", name), _never_seen(pattern, known))


def _seen(seen: Seen, dataset: str, name: str) -> Collection[str]:
    axis = find_axis(name, (axis for known, axis in seen if known == dataset))
    return () if axis is None else seen[dataset, axis]


def _matches(pattern: str, name: str, known: Collection[str]) -> bool:
    if name.casefold() == MEMBER:
        return pattern.casefold() in {member.casefold() for member in known}
    choice = Choice((pattern,))
    return any(choice.takes(value) for value in known)


def _never_seen(pattern: str, known: Collection[str]) -> str:
    meant = near(pattern, sorted(known))
    return f"history has never seen `{pattern}`" + (f"; did you mean `{meant}`?" if meant else "")


def _of_budgets(config: Config, seen: Seen) -> Iterator[Complaint]:
    pooled = any(isinstance(rule, BudgetRule) and rule.of == "pool" for rule in config.rules)
    for index, rule in enumerate(config.rules):
        if isinstance(rule, BudgetRule):
            yield from _overrides_of_strangers(("rules", index), rule, seen)
            yield from _half_hours(("rules", index), rule, config)
            yield from _too_few(("rules", index), rule, seen.get((rule.dataset, ACTIVE), ()))
            if config.seats is not None and not pooled:
                yield from _better_a_pool(("rules", index), rule)


def _overrides_of_strangers(at: Path, rule: BudgetRule, seen: Seen) -> Iterator[Complaint]:
    known = _seen(seen, rule.dataset, rule.for_each or "")
    for name in rule.limit.overrides if isinstance(rule.limit, Amounts) else ():
        if known and name.casefold() not in {each.casefold() for each in known}:
            yield Complaint((*at, "limit", "overrides", name), _never_seen(name, known), at_key=True)


def _half_hours(at: Path, rule: BudgetRule, config: Config) -> Iterator[Complaint]:
    if rule.width == HOUR and rule.rolling is None:
        zone = rule.periods(config.defaults).zone
        if (zone.utcoffset(_MONDAY.replace(tzinfo=None)) or timedelta()) % timedelta(hours=1):
            yield Complaint(at, f"hours of the source begin at half past in {zone.key}: they count by their start")


def _too_few(at: Path, rule: BudgetRule, members: Collection[str]) -> Iterator[Complaint]:
    if rule.burn == "on" and rule.burns and not rule.of_one_member and 0 < len(members) < FEW_MEMBERS:
        pairs = ", ".join(pair.written for pair in FEW)
        few = f"with {quantity(len(members), 'active members')} usage is too rough for all of its windows"
        yield Complaint(at, f"`burn`: {few}; write `burn: [{pairs}]`")


def _better_a_pool(at: Path, rule: BudgetRule) -> Iterator[Complaint]:
    for name, wanted in rule.where.items():
        if find_axis(name, [pool.SOURCE]) and wanted in (pool.PAID, [pool.PAID]):
            hidden = "paid credits hold the allowances of `seats` too: that some have used the shared pool up is hidden"
            yield Complaint((*at, "where", name), f"{hidden}; write a budget `of: pool` in its place, or beside it")


def _of_durations(config: Config, known: Collection[str]) -> Iterator[Complaint]:
    """Names that are not known, and limits that nothing can be seen to pass; `known`: the bands that history has."""
    asking = [(index, rule) for index, rule in enumerate(config.rules) if _asks_for_tasks(rule)]
    for name in config.bands:
        if known and not any(same_name(name, each) for each in known):
            yield Complaint(("bands", name), _never_seen(name, known), at_key=True)
    read = {name: band_of(name, config.bands) for name in sorted(known)}
    for name in [name for name, band in read.items() if band is None] if asking else ():
        advice = f"write `bands: {{{json.dumps(name, ensure_ascii=False)}: [1m, 5m]}}` with its times, or off"
        unread = f"no window that holds tasks of the band `{name}` can be judged, for its name says no time; {advice}"
        yield Complaint(("rules", asking[0][0], "statistic"), unread)
    last = _open_end([band for band in read.values() if band is not None])
    for index, rule in asking if last is not None else ():
        yield from _beyond(("rules", index), rule, last or timedelta())


def _asks_for_tasks(rule: Rule) -> bool:
    return isinstance(rule, MeasuredRule) and rule.is_of_tasks


def _open_end(bands: Collection[Band]) -> timedelta | None:
    """Where the last band begins, if it is open: no task is known to have taken longer."""
    last = max(bands, key=lambda band: (band.low if band.is_open else band.high, band.is_open), default=None)
    return timedelta(seconds=last.low) if last is not None and last.is_open else None


def _beyond(at: Path, rule: Rule, last: timedelta) -> Iterator[Complaint]:
    """What asks for more than the open last band can tell."""
    written, said = format_duration(last), f"since the last band is open from {spell_duration(last)} on"
    if isinstance(rule, MeasuredRule) and isinstance(rule.statistic, ShareOver) and rule.statistic.share_over > last:
        never = f"no task is known to have taken so long, {said}; write {written} or less"
        yield Complaint((*at, "statistic", "share_over"), never)
    if isinstance(rule, ThresholdRule) and is_time(rule.statistic):
        name, upper = ("above", True) if rule.above is not None else ("below", False)
        for level in rule.levels:
            if level.limit > last.total_seconds() or (upper and level.limit == last.total_seconds()):
                never = f"`{rule.statistic}` is never seen to be {'over' if upper else 'as much as'} this, {said}"
                own = () if isinstance(getattr(rule, name), float) else (level.severity.value,)
                yield Complaint((*at, name, *own), f"{never}; write `statistic: {{share_over: {written}}}`")


def _told_to_nobody(config: Config) -> Iterator[Complaint]:
    """Rules, and the watcher, that would speak to nobody; said once for all where there is no channel."""
    if config.channels and not any(config.meta_routes.values()):
        silent = "nobody is told when the source cannot be read, or seems to stand; add a channel"
        yield Complaint(("meta", "notify"), silent)
    routes = config.routes
    for index, rule in enumerate(config.rules):
        told = any(routes[rule.id].get(level.severity) for level in rule.levels)
        if config.channels and rule.enabled and not told:
            severities = ", ".join(dict.fromkeys(level.severity.value for level in rule.levels))
            yield Complaint(("rules", index, "notify"), f"nobody is told of this rule's {severities}; add a channel")


def _of_events(config: Config) -> Iterator[Complaint]:
    learning = any(rule.kind in LEARNING for rule in config.rules)
    for index, event in enumerate(config.events):
        if not event.mute and not event.teaches:
            something = "write `mute: [zscore]` (kinds of rules), `as: weekend` or `learn: no`"
            yield Complaint(("events", index), f"this event does nothing; {something}")
        if event.mute and not covered(event.muted(config.timezone), config):
            yield Complaint(("events", index, "mute"), "this event mutes no rule: none of the file's is of such a kind")
        if event.teaches and not learning:
            yield Complaint(("events", index), "this event teaches no rule: none of the file's learns what is usual")


def _of_mutes(config: Config) -> Iterator[Complaint]:
    for index, each in enumerate(config.mute):
        mute = each.muted(config.timezone)
        if mute.free_at(_MONDAY) is None:
            never = "this mute never ends, so that its rules are never told of; write `days` or `hours`"
            yield Complaint(("mute", index), never)
        for item, pattern in enumerate(mute.rules):
            if not covered(replace(mute, rules=(pattern,)), config):
                yield Complaint(("mute", index, "rules", item), _no_rule(pattern, config))


def _no_rule(pattern: str, config: Config) -> str:
    meant = near(pattern, [rule.id for rule in config.rules])
    return f"this mutes no rule; did you mean `{meant}`?" if meant else "this mutes no rule: none has such an id"


def covered(mute: Mute, config: Config) -> list[str]:
    """The ids of what it is about: rules, enabled or not, and the watcher's own."""
    rules = [rule.id for rule in config.rules if mute.takes(rule.id, rule.kind, PARTS.get(rule.kind, ()))]
    return [*rules, *(name for name in META_RULES if mute.takes(name, META, ()))]
