"""Which buckets of a chart came late, and which were changed once they were final: a mark for each."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from usage_watch.core.chart import Kind, Mark
from usage_watch.rules import Rule
from usage_watch.rules.evidence import bucket_name
from usage_watch.store.database import Database
from usage_watch.store.hindsight import HindsightStore
from usage_watch.views.arrivals import Arrival, came, changed, keys_of, late_after, said, when
from usage_watch.views.charts import Choice
from usage_watch.views.times import Reader

MOST: Final = 30
"""Marks of a kind: the latest and the largest changes."""


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
