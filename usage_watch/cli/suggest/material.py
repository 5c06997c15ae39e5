"""What suggestions are made from: stored usage of credits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from usage_watch.cli.frequency.counting import Counted, Past
from usage_watch.core.series import DAY, EACH_MEMBER, HOUR, Feed, FeedHistory, Flags, Ints, SeriesKey
from usage_watch.core.units import from_epoch, to_epoch
from usage_watch.errors import UsageError
from usage_watch.rules import AnyRule, FileDefaults, Rule
from usage_watch.store.history import HistoryStore

CREDITS = "credit_usage"
LEAST_DAYS = 14
"""Days of settled history below which nothing can be said."""
_LONG_AGO = timedelta(days=2 * 365)
"""How far back cycles are looked at."""


@dataclass(frozen=True, slots=True)
class Material:
    """Stored usage, and when it is looked at. A history is empty where its feed is not stored."""

    past: Past
    now: datetime
    hours: FeedHistory
    """Credits of everyone, by the hour."""
    days: FeedHistory
    """The same by the UTC day: as it is stored, or summed up from the hours."""
    members: FeedHistory
    """Credits of each member, by the day."""
    categories: Mapping[str, set[str]]
    """Of credits, by axis."""

    known: tuple[datetime, datetime]
    """From when to when usage is known and settled."""

    @property
    def defaults(self) -> FileDefaults:
        """What the file says for all rules."""
        return self.past.defaults

    @property
    def best(self) -> FeedHistory:
        """The finest of what is stored of everyone."""
        return _best(self.hours, self.days)

    def count(self, rule: Rule) -> Counted | None:
        """How often a rule would have fired; None where its feed is not stored."""
        return None if self._history(rule).frontier is None else self.counted(rule)

    def counted(self, rule: Rule) -> Counted:
        """The same of a rule whose feed is stored."""
        return self.past.count(rule, self._history(rule))

    def _history(self, rule: Rule) -> FeedHistory:
        if rule.feed == self.days.feed:
            return self.days.cut(to_epoch(rule.look_back(self.past.since, self.defaults)))
        return self.past.of(rule)


def _best(hours: FeedHistory, days: FeedHistory) -> FeedHistory:
    return hours if hours.fetched.any() else days


def _known(history: FeedHistory) -> tuple[datetime, datetime] | None:
    frontier = history.frontier
    return None if frontier is None else (from_epoch(int(history.starts[history.fetched][0])), from_epoch(frontier))


def gathered(store: HistoryStore, defaults: FileDefaults, now: datetime) -> Material:
    """What is stored of credits; UsageError where that is too little to say anything."""
    past, since = Past(store, defaults, now), now - _LONG_AGO
    hours = past.history(Feed(CREDITS, HOUR), since)
    days = past.history(Feed(CREDITS, DAY), since)
    members = past.history(Feed(CREDITS, DAY, EACH_MEMBER), since)
    whole = _longer(days, hours)
    known = _known(_best(hours, whole))
    settled = 0 if known is None else (known[1] - known[0]).days
    if known is None or settled < LEAST_DAYS:
        stored = (
            f"of the {LEAST_DAYS} days that it takes {settled} {'is' if settled == 1 else 'are'} stored and settled"
        )
        advice = "leave `usage-watch run` on for a while, or read older ones with `usage-watch history backfill`"
        raise UsageError(f"There is too little usage of credits to suggest rules from: {stored}; {advice}.")
    return Material(past, now, hours, whole, members, store.categories(CREDITS), known)


def _longer(days: FeedHistory, hours: FeedHistory) -> FeedHistory:
    """The days, or the hours summed up where they reach further back."""
    if days.fetched.any() and (not hours.fetched.any() or days.starts[0] <= hours.starts[0] + DAY):
        return days
    return by_days(hours)


def by_days(hours: FeedHistory) -> FeedHistory:
    """Hours, summed up by UTC day; a day is known or settled where each of its hours is, and the last is left out."""
    begins = np.flatnonzero(hours.starts % DAY == 0)
    first = int(begins[0]) if len(begins) else len(hours.starts)
    whole = (len(hours.starts) - first) // 24
    rows = slice(first, first + 24 * whole)

    def each(flags: Flags) -> Flags:
        found: Flags = np.all(flags[rows].reshape(whole, 24), axis=1)
        return found

    def summed(counts: Ints) -> Ints:
        found: Ints = counts[rows].reshape(whole, 24).sum(axis=1)
        return found

    feed = replace(hours.feed, width=DAY)
    counts = {SeriesKey(feed, key.axis, key.category, key.member): summed(row) for key, row in hours.counts.items()}
    axes = {axis: each(known) for axis, known in hours.axes.items()}
    flags = (each(hours.fetched), each(hours.settled), each(hours.aged))
    return FeedHistory(feed, hours.starts[rows][::24], *flags, axes, counts)


_RULE: TypeAdapter[AnyRule] = TypeAdapter(AnyRule)


def made(written: Mapping[str, Any]) -> AnyRule:
    """A rule as the file would have it."""
    return _RULE.validate_python(written)
