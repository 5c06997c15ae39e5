"""Which buckets of a chart came late, and which were changed once they were final: a mark for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from usage_watch.core.chart import Kind, Mark
from usage_watch.core.selection import MEMBER, fold_label
from usage_watch.core.series import SeriesKey
from usage_watch.rules import Rule
from usage_watch.rules.evidence import bucket_name
from usage_watch.store.database import Database
from usage_watch.store.hindsight import HindsightStore
from usage_watch.store.history import HistoryStore
from usage_watch.store.replay import WATCHED
from usage_watch.views.arrivals import Arrival, came, changed, said, when
from usage_watch.views.charts import Choice
from usage_watch.views.times import Reader

MOST: Final = 30
"""Marks of a kind: the latest and the largest changes."""
_TIMES_USUAL = 2
"""What comes so many times later than usual is late."""


def marks(database: Database, choice: Choice, reader: Reader) -> list[Mark]:
    """Of the series that was chosen, in the order of time; none of what is drawn in its period."""
    if choice.budget is not None:
        return []
    rule, since_at = choice.rule, choice.since_at
    store = HindsightStore(database, rule.feed, keys_of(rule, choice.labels, choice.history.counts))
    late = store.late(since_at, late_after(database, rule))
    changes = changed(store.revised(since_at), late, rule.width)
    found = [
        *(_mark(Kind.LATE, each, rule, reader) for each in came(late, rule.width)[:MOST]),
        *(_mark(Kind.REVISED, each, rule, reader) for each in changes[:MOST]),
    ]
    return sorted(found, key=_begin)


def _mark(kind: Kind, arrival: Arrival, rule: Rule, reader: Reader) -> Mark:
    text = f"{when(arrival, bucket_name(rule.width), reader)}: {said(arrival, rule.unit, reader)}"
    return Mark(arrival.from_at, kind, text)


def _begin(mark: Mark) -> datetime:
    return mark.at


def late_after(database: Database, rule: Rule) -> timedelta:
    """How long after the end of a bucket its usage has to come to be late."""
    usual = HistoryStore(database).state(rule.feed).learned.usual_lag
    return timedelta(seconds=max(_TIMES_USUAL * usual, WATCHED[rule.width]))


def keys_of(rule: Rule, labels: Mapping[str, str], every: Iterable[SeriesKey]) -> list[SeriesKey]:
    """What a series of a rule is the sum of."""
    return [key for key in every if _is_part(rule, labels, key)]


def _is_part(rule: Rule, labels: Mapping[str, str], key: SeriesKey) -> bool:
    selection = rule.selection
    if not _is_of(labels.get(MEMBER, selection.member), key):
        return False
    if key.axis is None or selection.axis is None:
        return key.axis is None and selection.axis is None
    category = next((value for axis, value in labels.items() if axis != MEMBER), key.category)
    takes = selection.choice is None or selection.choice.takes(key.category or "")
    return fold_label(key.axis) == fold_label(selection.axis) and key.category == category and takes


def _is_of(member: str | None, key: SeriesKey) -> bool:
    """Whether a series is that member's; None for whoever's."""
    return member is None or (key.member or "").casefold() == member.casefold()
