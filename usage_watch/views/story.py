"""What was found: all of it lately, and the story of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from usage_watch.config import Config
from usage_watch.core.incident import Incident
from usage_watch.core.selection import MEMBER
from usage_watch.rules.evidence import bucket_name
from usage_watch.store.alerts import AlertStore, Attempts, Decided
from usage_watch.store.database import Database
from usage_watch.store.hindsight import HindsightStore, series
from usage_watch.views.arrivals import NOTHING, Arrival, Arrivals, came, changed, keys_of, late_after
from usage_watch.views.because import Compared, comparisons, rule_of
from usage_watch.views.incidents import find, in_words, urgent
from usage_watch.views.orders import Word, Words, words_of

_MOST = 20
"""Buckets of which it is said how they came."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What is open, and what has ended lately."""

    incidents: Sequence[Incident]
    """The most urgent first, as messages word it."""
    words: Words
    """What people said of them."""
    hidden: int
    """How many more there are of history: over before their rule was first seen."""


@dataclass(frozen=True, slots=True)
class Story:
    """All that there is to tell of one incident."""

    incident: Incident
    """As messages word it."""
    word: Word
    """What people said of it."""
    arrivals: Arrivals
    """What of the usage that it was judged by came late, or was changed since it was found."""
    compared: Compared | None
    """Who and what it comes from; None where that is not known."""
    decisions: Sequence[Decided]
    """What was told to whom or was not, and why."""
    attempts: Sequence[Attempts]
    """How it went with the messages."""


def listed(config: Config, database: Database, since_at: datetime, now: datetime, *, history: bool = False) -> Listed:
    """What is open, and what has ended since then; also of `history`."""
    every = AlertStore(database).incidents(since_at)
    shown = urgent(in_words((incident for incident in every if history or not incident.history), config, now))
    return Listed(shown, words_of(config, database, every, now), len(every) - len(shown))


def story(config: Config, database: Database, id: str, now: datetime) -> Story:
    """Of the incident with that id, or with that beginning of it; UsageError where there is none, or several."""
    store = AlertStore(database)
    incident = find(store, id)
    [worded] = in_words([incident], config, now)
    return Story(
        incident=worded,
        word=words_of(config, database, [incident], now)[incident.id],
        arrivals=_arrivals(config, database, incident),
        compared=comparisons(config, database, incident),
        decisions=store.decisions_of(incident.id),
        attempts=store.attempts_of(incident.id),
    )


def _arrivals(config: Config, database: Database, incident: Incident) -> Arrivals:
    """By the rule as it is now; nothing where it is gone, or judges something else."""
    rule, evidence = rule_of(config, incident), incident.evidence
    if rule is None or (rule.dataset, bucket_name(rule.width)) != (evidence.dataset, evidence.bucket):
        return NOTHING
    every = series(database, rule.feed, incident.labels.get(MEMBER))
    store = HindsightStore(database, rule.feed, keys_of(rule, incident.labels, every))
    late = store.late(evidence.from_at, late_after(database, rule), evidence.until_at)
    revised = store.revised(evidence.from_at, evidence.until_at, incident.committed_at)
    # What was changed may be why it was taken back: no number of late ones stands in its place.
    found: list[Arrival] = [*changed(revised, late, rule.width), *came(late, rule.width)]
    shown = sorted(found[:_MOST], key=lambda each: each.from_at)
    return Arrivals(shown, len(found) - len(shown), evidence.bucket, rule.unit)
