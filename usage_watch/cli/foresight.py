"""What a rules file will lead to, told before anything runs."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from usage_watch.errors import Fault, MachineError

if TYPE_CHECKING:
    from usage_watch.config import Config
    from usage_watch.core.series import Feed

_SHOWN = 3
"""Period starts a budget."""


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


class Seen:
    """What stored history knows; nothing where there is none yet, or none that can be read."""

    def __init__(self, config: Config) -> None:
        from usage_watch.core.selection import MEMBER
        from usage_watch.store.database import open_for_reading
        from usage_watch.store.history import HistoryStore

        self.categories: dict[tuple[str, str], Collection[str]] = {}
        """By dataset and axis, or `member`."""
        self.members: Collection[str] = ()
        with suppress(MachineError), open_for_reading(Path(config.store.path)) as database:
            history = HistoryStore(database)
            self.members = history.members()
            for dataset in {rule.dataset for rule in config.rules}:
                axes = {**history.categories(dataset), MEMBER: self.members}
                self.categories |= {(dataset, axis): values for axis, values in axes.items()}


def warned(config: Config, seen: Seen) -> list[Fault]:
    """What is right but perhaps not meant."""
    from usage_watch.config import warnings

    return warnings(config, os.environ, seen.categories)


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
        if isinstance(rule, BudgetRule):
            periods = rule.periods(config.defaults)
            starts = tuple(at.astimezone(periods.zone) for at in upcoming(periods, now, _SHOWN))
            yield NextPeriods(rule.id, periods.zone.key, starts)
