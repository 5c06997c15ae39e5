"""How often zscore rules would have fired, at their own levels and at those that people think of first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from usage_watch.assess import midnight_of
from usage_watch.cli.frequency.counting import Counted, Past, taught
from usage_watch.cli.frequency.progress import counting
from usage_watch.core.series import DAY
from usage_watch.core.stats.rolling import EMBARGO, LEAST
from usage_watch.core.stats.seasonal.profile import SEEN_TWO_WEEKS
from usage_watch.core.units import from_epoch
from usage_watch.errors import MachineError
from usage_watch.rules.zscore import ZscoreRule
from usage_watch.store.database import open_for_reading
from usage_watch.store.history import HistoryStore

if TYPE_CHECKING:
    from usage_watch.config import Config
    from usage_watch.core.series import FeedHistory

TYPED = (3.0, 5.0, 8.0)
"""What people type, and what they should know of it."""
OFTEN = 2.0
"""Alerts a month that are too many for what is to wake somebody."""
WANTED = 1.2
"""Alerts a month that are few enough: about one."""
HIGHEST = 30.0
"""Beyond it a score is no longer raised: then it is not the level that is wrong."""
STEP = 0.5
_LEAST_DAYS = 14
"""Judged days below which a rate is chance."""
_NEAR = 0.6
"""Of the lowest level: what stayed below never came near."""


@dataclass(frozen=True, slots=True)
class Level:
    """What would have fired above a score; its names are those of `--json`."""

    above: float
    severity: str | None
    """Where it is one of the rule's own."""
    times: int
    per_month: float | None
    """In 30 days; None where not even a day was judged."""
    series: int
    """How many fired."""
    started: tuple[datetime, ...]
    """When each began."""


@dataclass(frozen=True, slots=True)
class Frequency:
    """One rule on stored history; its names are those of `--json`."""

    rule: str
    series: int
    """How many could be judged."""
    young: int
    """How many are not known for long enough."""
    known_from: datetime | None
    """When usage was seen first, as far back as is looked at; None where none is stored."""
    judged_from: datetime | None
    judged_until: datetime | None
    """How far history has settled."""
    days: int
    """How many were judged."""
    speaks_from: datetime | None
    """Until then it is silent, since too little is known to be usual; None where nothing is stored."""
    weekdays_from: datetime | None
    """Until then it goes by the hour of day only, workdays and weekends apart; None for rules that know no weekdays."""
    highest: float | None
    """The highest score."""
    levels: tuple[Level, ...]
    raise_to: Level | None
    """From which score on it would have fired about once a month; None where its own fires seldom enough."""
    in_vain: bool
    """Whether it fires too often whatever the score."""
    near: bool
    """Whether anything came near its lowest level."""


def frequencies(config: Config, now: datetime) -> list[Frequency]:
    """Of each enabled zscore rule; without figures where there is no database yet, or none that can be read."""
    rules = [rule for rule in config.enabled if isinstance(rule, ZscoreRule)]
    if not rules:
        return []
    with suppress(MachineError), open_for_reading(Path(config.store.path)) as database, counting() as shown:
        past, found = Past(HistoryStore(database), taught(config, database), now), []
        for rule in rules:
            shown(rule.id)
            found.append(frequency(rule, past))
        return found
    return [_unknown(rule) for rule in rules]


def frequency(rule: ZscoreRule, past: Past) -> Frequency:
    """How often one rule would have fired."""
    known_from = _known_from(rule, past.of(rule))
    if known_from is None:
        return _unknown(rule)
    own = past.count(rule)
    raise_to, in_vain = _raised(rule, past, own)
    return Frequency(
        rule=rule.id,
        series=own.series,
        young=own.young,
        known_from=known_from,
        judged_from=own.from_at,
        judged_until=own.until_at,
        days=round(own.days),
        speaks_from=_speaks_from(rule, known_from),
        weekdays_from=_learned(known_from, timedelta(days=SEEN_TWO_WEEKS)) if rule.is_seasonal else None,
        highest=own.highest,
        levels=tuple(_levels(rule, past)),
        raise_to=raise_to,
        in_vain=in_vain,
        near=bool(own.firings) or (own.highest or 0) >= _NEAR * rule.levels[0].limit,
    )


def _unknown(rule: ZscoreRule) -> Frequency:
    """Of what nothing is stored."""
    return Frequency(
        rule=rule.id,
        series=0,
        young=0,
        known_from=None,
        judged_from=None,
        judged_until=None,
        days=0,
        speaks_from=None,
        weekdays_from=None,
        highest=None,
        levels=(),
        raise_to=None,
        in_vain=False,
        near=False,
    )


def at_score(rule: ZscoreRule, score: float) -> ZscoreRule:
    """The same rule, speaking from a score on."""
    return rule.model_copy(update={"above": score})


def _levels(rule: ZscoreRule, past: Past) -> Iterator[Level]:
    own = {level.limit: level.severity.value for level in rule.levels}
    for score in sorted({*TYPED, *own}):
        yield _level(rule, past, score, own.get(score))


def _level(rule: ZscoreRule, past: Past, score: float, severity: str | None = None) -> Level:
    found = past.count(at_score(rule, score))
    started = tuple(each.at for each in found.firings)
    return Level(score, severity, len(started), found.per_month, found.fired, started)


def _raised(rule: ZscoreRule, past: Past, own: Counted) -> tuple[Level | None, bool]:
    """The lowest score that fires about once a month, where its own fires too often; and whether there is none."""
    if own.days < _LEAST_DAYS or (own.per_month or 0) <= OFTEN:
        return None, False
    found = seldom(lambda score: past.count(at_score(rule, score)), rule.levels[0].limit)
    return None if found is None else _level(rule, past, found), found is None


def seldom(count: Callable[[float], Counted], lowest: float) -> float | None:
    """The lowest score from `lowest` on, in steps of a half, that fires at most about once a month; None for none."""
    scores = np.arange(ceil(lowest / STEP), HIGHEST / STEP + 1) * STEP
    low, high = 0, len(scores)
    # What fires more seldom with a lower score, because two alerts become one, is not looked for.
    while low < high:
        middle = (low + high) // 2
        if (count(float(scores[middle])).per_month or 0) > WANTED:
            low = middle + 1
        else:
            high = middle
    return float(scores[low]) if low < len(scores) else None


def _known_from(rule: ZscoreRule, history: FeedHistory) -> datetime | None:
    used = [int(history.starts[np.argmax(each.counts > 0)]) for each in rule.watched(history) if each.counts.any()]
    return from_epoch(min(used)) if used else None


def _speaks_from(rule: ZscoreRule, known_from: datetime) -> datetime:
    if not rule.is_seasonal:
        return _learned(known_from, timedelta(seconds=LEAST))
    # Once a day is learned something is expected, and once days since then are, it is known how far that is off.
    return midnight_of(known_from) + 2 * timedelta(seconds=DAY + EMBARGO)


def _learned(known_from: datetime, needed: timedelta) -> datetime:
    """When so much has been learned: at the beginning of a UTC day, and of what was over two days before."""
    seconds = (known_from + needed).timestamp() + EMBARGO
    return from_epoch(ceil(seconds / DAY) * DAY)


def twins(config: Config) -> Sequence[tuple[ZscoreRule, ZscoreRule]]:
    """The hourly seasonal rules that have no daily one beside them, and what that would be."""
    rules = [rule for rule in config.enabled if isinstance(rule, ZscoreRule) and rule.is_seasonal]
    days = {_what(rule) for rule in rules if rule.width == DAY}
    taken = {rule.id for rule in config.rules}
    pairs = ((rule, daily(rule, taken)) for rule in rules if rule.width != DAY and _what(rule) not in days)
    return [(rule, twin) for rule, twin in pairs if not any(twin.problems())]


def _what(rule: ZscoreRule) -> tuple[object, ...]:
    where = {name.casefold(): repr(value) for name, value in rule.where.items()}
    return rule.dataset, tuple(sorted(where.items())), (rule.for_each or "").casefold()


def daily(rule: ZscoreRule, taken: set[str]) -> ZscoreRule:
    """The same on days, by an id that no rule has."""
    names = (f"{rule.id[:_ROOM]}-days{number or ''}" for number in range(len(taken) + 1))
    kept = {"kind", "dataset", "where", "for_each", "direction", "notify"} & rule.model_fields_set
    fields = {name: getattr(rule, name) for name in kept} | {"bucket": "1d"}
    return ZscoreRule.model_validate({**fields, "id": next(name for name in names if name not in taken)})


_ROOM = 55
"""Characters of an id that leave room for an ending."""
