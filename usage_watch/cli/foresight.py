"""What a rules file will lead to, told before anything runs."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from usage_watch.errors import Fault, MachineError

if TYPE_CHECKING:
    from usage_watch.config import Config
    from usage_watch.core.series import Feed
    from usage_watch.rules.budget import BudgetRule

_SHOWN = 3
"""Period starts a budget."""
_LATELY = timedelta(days=28)
"""Who used nothing for so long is not active."""


@dataclass(frozen=True, slots=True)
class Question:
    """What will be asked again and again; its names are those of `check --json`."""

    feed: str
    dataset: str
    bucket: str
    scope: str
    every: str
    """A duration, such as `15m`."""
    requests_per_poll: int | None
    """At most, once history is read; None where it depends on the number of members, and history has none yet."""

    @property
    def cost(self) -> str:
        """`1 every 15m`."""
        if self.requests_per_poll is None:
            return f"1 per 100 members and day, every {self.every}"
        return f"{'up to ' if self.scope == 'each-member' else ''}{self.requests_per_poll} every {self.every}"


@dataclass(frozen=True, slots=True)
class NextPeriods:
    """When a budget begins anew."""

    rule: str
    timezone: str
    starts: tuple[datetime, ...]
    """In that zone; each is a day's beginning there."""


@dataclass(frozen=True, slots=True)
class Burn:
    """When a budget that is used so fast is told of; of each series the same, where there are several."""

    rule: str
    long: str
    """A duration, such as `6h`."""
    short: str
    rate: float
    """How many times faster than an even pace."""
    amount: float
    """What the long window must hold more than, in the running period, or one as long where none runs."""
    unit: str
    severity: str


@dataclass(frozen=True, slots=True)
class Part:
    """From when on a part of a budget can speak, as far as history goes, or will once the first start has read it."""

    rule: str
    part: str
    speaks_from: datetime


class Seen:
    """What stored history knows; nothing where there is none yet, or none that can be read."""

    def __init__(self, config: Config) -> None:
        from usage_watch.core.selection import MEMBER
        from usage_watch.store.database import open_for_reading
        from usage_watch.store.history import HistoryStore

        self.categories: dict[tuple[str, str], Collection[str]] = {}
        """By dataset and axis, or `member`."""
        self.members: Collection[str] = ()
        self.oldest: dict[Feed, datetime | None] = {}
        """From when on each feed was read."""
        with suppress(MachineError), open_for_reading(Path(config.store.path)) as database:
            history = HistoryStore(database)
            self.members = history.members()
            self.oldest = {rule.feed: history.state(rule.feed).oldest_at for rule in config.enabled}
            for dataset in {rule.dataset for rule in config.rules}:
                axes = {**history.categories(dataset), MEMBER: self.members}
                self.categories |= {(dataset, axis): values for axis, values in axes.items()}


def warned(config: Config, seen: Seen) -> list[Fault]:
    """What is right but perhaps not meant."""
    from usage_watch.config import warnings

    return warnings(config, os.environ, {**seen.categories, **_active(config)})


def _active(config: Config) -> dict[tuple[str, str], Collection[str]]:
    """By dataset of the budgets, who used anything lately, as far as days of members were read."""
    from usage_watch.clock import open_clock
    from usage_watch.core.series import DAY, EACH_MEMBER, Feed
    from usage_watch.rules.budget.burn import ACTIVE
    from usage_watch.store.database import open_for_reading
    from usage_watch.store.history import HistoryStore

    feeds = {Feed(rule.dataset, DAY, EACH_MEMBER) for rule in config.enabled if rule.kind == "budget"}
    with suppress(MachineError), open_for_reading(Path(config.store.path)) as database:
        loaded = HistoryStore(database).load(dict.fromkeys(feeds, open_clock().now() - _LATELY))
        return {
            (each.feed.dataset, ACTIVE): {key.member for key, used in each.counts.items() if key.member and used.any()}
            for each in loaded
        }
    return {}


def questions(config: Config, seen: Seen) -> list[Question]:
    """What the rules need to be asked."""
    return [_question(feed, config, len(seen.members)) for feed in config.feeds()]


def _question(feed: Feed, config: Config, members: int) -> Question:
    from usage_watch.core.series import EACH_MEMBER, HOUR
    from usage_watch.core.units import format_duration
    from usage_watch.source.sync import poll_every_of, requests_per_poll

    unknown = feed.scope == EACH_MEMBER and not members
    return Question(
        feed=str(feed),
        dataset=feed.dataset,
        bucket="1h" if feed.width == HOUR else "1d",
        scope=feed.scope,
        every=format_duration(poll_every_of(feed, config.source.poll_every)),
        requests_per_poll=None if unknown else requests_per_poll(feed, members),
    )


def next_periods(config: Config, now: datetime) -> list[NextPeriods]:
    """The next three starts of each enabled budget."""
    return list(_periods(config, now))


def _periods(config: Config, now: datetime) -> Iterator[NextPeriods]:
    from usage_watch.core.periods import upcoming
    from usage_watch.rules.budget import BudgetRule

    for rule in config.enabled:
        if isinstance(rule, BudgetRule) and rule.rolling is None:
            periods = rule.periods(config.defaults)
            starts = tuple(at.astimezone(periods.zone) for at in upcoming(periods, now, _SHOWN))
            yield NextPeriods(rule.id, periods.zone.key, starts)


def parts(config: Config, seen: Seen, now: datetime) -> list[Part]:
    """Each part of each enabled budget that speaks at all."""
    from usage_watch.rules.budget import BudgetRule

    backfilled = config.backfill_from(now)
    return [
        part
        for rule in config.enabled
        if isinstance(rule, BudgetRule)
        for part in _parts(rule, config, min(backfilled, seen.oldest.get(rule.feed) or backfilled), now)
    ]


def _parts(rule: BudgetRule, config: Config, known_from: datetime, now: datetime) -> Iterator[Part]:
    from usage_watch.core.periods import upcoming
    from usage_watch.rules.budget import NEEDS

    begun_at = now
    if rule.rolling is None:
        periods = rule.periods(config.defaults)
        begun_at = now if periods.containing(now) is not None else upcoming(periods, now, 1)[0]
    for part in rule.parts:
        yield Part(rule.id, part, max(begun_at, known_from + NEEDS[part]))


def burns(config: Config, now: datetime) -> list[Burn]:
    """The burn rates of each enabled budget, the strongest last."""
    from usage_watch.rules.budget import BudgetRule

    return [row for rule in config.enabled if isinstance(rule, BudgetRule) for row in _burns(rule, config, now)]


def _burns(rule: BudgetRule, config: Config, now: datetime) -> Iterator[Burn]:
    from usage_watch.core.periods import between
    from usage_watch.core.units import format_duration
    from usage_watch.rules.budget.burn import rows

    limit = rule.limit_of({})
    if not rule.burns or not limit:
        return
    [span, *_] = between(rule.periods(config.defaults), now, now + timedelta(days=36_500))
    buckets = int((span.end_at - span.start_at).total_seconds()) // rule.width
    for row in rows(rule, buckets * rule.width):
        long, short = (timedelta(seconds=each * rule.width) for each in (row.windows.long, row.windows.short))
        amount = row.windows.rate * row.windows.long / buckets * limit
        words = format_duration(long), format_duration(short)
        yield Burn(rule.id, *words, row.windows.rate, round(amount), rule.unit, row.severity)
