"""Who and what an alert comes from, by the usage that is stored now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from usage_watch.config import Config
    from usage_watch.core.incident import Incident
    from usage_watch.core.stats.axes import Comparison
    from usage_watch.rules import Rule
    from usage_watch.store.database import Database


@dataclass(frozen=True, slots=True)
class Compared:
    """Every axis of an alert's usage against its usual."""

    table: Sequence[Comparison]
    from_at: datetime
    until_at: datetime
    rising: bool
    """Whether it was told for being too much."""
    bucket: str


def rule_of(config: Config, incident: Incident) -> Rule | None:
    """The rule that found it, as it is now; None where it is gone, or of another kind."""
    rule = next((each for each in config.rules if each.id == incident.rule.id), None)
    return None if rule is None or rule.kind != incident.rule.kind else rule


def comparisons(config: Config, database: Database, incident: Incident) -> Compared | None:
    """By the rule as it is now; None where it is gone, where nothing is compared, or where the usual is not known."""
    from usage_watch.rules import reasons
    from usage_watch.store.history import HistoryStore
    from usage_watch.store.lookups import LookupStore

    rule = rule_of(config, incident)
    if rule is None:
        return None
    lookup = next(iter(LookupStore(database).of([incident.id])), None)
    history = HistoryStore(database).load(reasons.wants(rule, incident, lookup))
    found = reasons.because(rule, incident, history, lookup)
    if found is None or not found.why.table:
        return None
    rising = reasons.rises(rule, incident)
    return Compared(found.why.table, found.from_at, found.until_at, rising, incident.evidence.bucket)
