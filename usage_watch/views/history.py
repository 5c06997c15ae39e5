"""What is stored of a dataset: when in the week it is used, how its days went, and by whom and what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np

from usage_watch.core.chart import Course, hours_of_week
from usage_watch.core.datasets import DATASETS
from usage_watch.core.selection import MEMBER
from usage_watch.core.series import DAY, EACH_MEMBER, EVERYONE, HOUR, Feed, FeedHistory, Flags, Floats, SeriesKey
from usage_watch.core.stats.axes import splits
from usage_watch.core.units import from_epoch
from usage_watch.core.why import UNATTRIBUTED
from usage_watch.store.database import Database
from usage_watch.store.hindsight import series
from usage_watch.store.history import HistoryStore

_WEEK = 7


@dataclass(frozen=True, slots=True)
class Part:
    """One category of an axis."""

    name: str
    used: int
    share: float
    """Its part of all that was used, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Axis:
    """All categories of an axis."""

    name: str
    parts: Sequence[Part]
    """The largest first; none that used nothing."""
    adds_up: bool
    """Whether they sum to the whole: some axes' categories overlap."""
    rest: Part | None = None
    """What none of them explains, where they add up and there is such."""


@dataclass(frozen=True)
class Usage:
    """Everyone's usage of one dataset, or one category's or one member's of it."""

    history: FeedHistory
    axis: str | None = None
    category: str | None = None
    member: str | None = None

    @property
    def hourly(self) -> bool:
        """Whether it is counted by hours; else by the source's UTC days."""
        return self.history.feed.width == HOUR

    @property
    def unit(self) -> str:
        """Of what is counted."""
        known = DATASETS.get(self.history.feed.dataset)
        return "units" if known is None else known.unit

    @cached_property
    def known(self) -> Flags:
        """Which of its buckets were ever answered. Shape (n,)."""
        return self.history.fetched & self.history.known(self.axis)

    @cached_property
    def final(self) -> Flags:
        """Which of them, and all before them, are not expected to change.

        Single counts are final sooner than the zeros around them, which would make each hour look busier than it is.
        """
        frontier = self.history.frontier
        return self.known & (self.history.starts < (frontier or 0))

    @cached_property
    def counts(self) -> Floats:
        """Bucket by bucket; 0 where not known. Shape (n,)."""
        key = SeriesKey(self.history.feed, self.axis, self.category, self.member)
        found: Floats = self.history.of(key).astype(np.float64)
        return found

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """From the first final bucket to the end of the last; None where there is none."""
        places = np.flatnonzero(self.final)
        if not len(places):
            return None
        starts = self.history.starts
        return from_epoch(int(starts[places[0]])), from_epoch(int(starts[places[-1]]) + self.history.feed.width)

    def week(self, zone: ZoneInfo) -> Floats:
        """Of hours, the mean of each hour of the local week; NaN where none of it is final. Shape (7, 24)."""
        return hours_of_week(self.history.starts, self.counts, self.final, zone)

    def weekdays(self) -> list[float | None]:
        """Of days, the mean of each from Monday to Sunday; None where none of it is final."""
        day = (self.history.starts // self.history.feed.width + 3) % _WEEK
        found = (self.counts[self.final & (day == each)] for each in range(_WEEK))
        return [float(each.mean()) if len(each) else None for each in found]

    def course(self) -> Course:
        """Bucket by bucket, and from when on it may still grow."""
        settled, counted_until = self.history.frontier, self.history.counted_until or 0
        values = np.where(self.known & (self.history.starts < counted_until), self.counts, np.nan)
        until_at = None if settled is None else from_epoch(settled)
        return Course(self.history.starts, self.history.feed.width, values, until_at)


def datasets(database: Database) -> list[Feed]:
    """What is stored of everyone: each dataset by hours, or by days without them; in the contract's order."""
    found: dict[str, Feed] = {}
    for state in HistoryStore(database).feed_states():
        if state.feed.scope == EVERYONE and state.oldest_at is not None:
            # An hour is less wide than a day, and so comes first.
            found.setdefault(state.feed.dataset, state.feed)
    order = list(DATASETS)
    return sorted(found.values(), key=lambda each: (order.index(each.dataset) if each.dataset in order else 99, each))


def usage(database: Database, feed: Feed, since_at: datetime) -> Usage:
    """All that is stored of a feed since then."""
    return Usage(HistoryStore(database).load({feed: since_at})[feed])


def axes(history: FeedHistory) -> Iterator[Axis]:
    """Every axis of it, with what each category used in all; nothing of those that nobody used."""
    exclusive = splits(history)
    for name in sorted(history.axes):
        known = history.known(name)
        whole = int(history.total()[known].sum())
        sums = {key.category: int(counts[known].sum()) for key, counts in history.counts.items() if key.axis == name}
        parts = [Part(category, used, used / whole) for category, used in sums.items() if category and used and whole]
        if parts:
            rest, adds_up = whole - sum(each.used for each in parts), name in exclusive
            unexplained = Part(UNATTRIBUTED, rest, rest / whole) if adds_up and rest > 0 else None
            yield Axis(name, sorted(parts, key=_largest), adds_up, unexplained)


def members(database: Database, dataset: str, since_at: datetime) -> Iterator[Axis]:
    """Everybody who used it on the source's UTC days since then, as an axis; nothing where no such days are stored."""
    used = HistoryStore(database).used_by_member(_each_member(dataset), since_at)
    whole = sum(used.values())
    parts = [Part(name, count, count / whole) for name, count in used.items()]
    if parts:
        yield Axis(MEMBER, sorted(parts, key=_largest), adds_up=True)


def known_members(database: Database, dataset: str) -> set[str]:
    """Everybody whose days are stored of it."""
    return {key.member for key in series(database, _each_member(dataset)) if key.member and key.axis is None}


def usage_of(database: Database, dataset: str, member: str, since_at: datetime) -> Usage:
    """One member's days since then."""
    history = HistoryStore(database).load_member(_each_member(dataset), member, since_at)
    return Usage(history, member=member)


def _each_member(dataset: str) -> Feed:
    return Feed(dataset, DAY, EACH_MEMBER)


def _largest(part: Part) -> tuple[int, str]:
    return -part.used, part.name
