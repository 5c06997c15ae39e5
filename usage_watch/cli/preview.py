"""What a silence would hold back, and would have held back lately."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from usage_watch.cli.common.printing import count
from usage_watch.views.incidents import is_open, named, urgent

if TYPE_CHECKING:
    from datetime import datetime

    from usage_watch.core.incident import Incident
    from usage_watch.core.silence import Matcher
    from usage_watch.store.database import Database
    from usage_watch.views.times import Reader


@dataclass(frozen=True, slots=True)
class Preview:
    """What a silence with these matchers is about."""

    matchers: Sequence[Matcher]
    open: Sequence[Incident]
    """What matches now, the most urgent first."""
    since_at: datetime
    told: int
    """How many alerts somebody was told of since then."""
    kept: Sequence[tuple[str, int]]
    """By the rule's id how many of these match, the most first."""


def preview(matchers: Sequence[Matcher], database: Database, since_at: datetime) -> Preview:
    """Each alert as it stands now, or stood at its end; told means that it began, rose, went on, or came and went."""
    from usage_watch.core.difference import HELD_BACK
    from usage_watch.store.alerts import AlertStore

    store = AlertStore(database)
    incidents = store.incidents(since_at)
    records = store.told([incident.id for incident in incidents])
    told = {
        each.notification.incident_id
        for each in records
        if each.notification.reason in HELD_BACK and each.decided_at >= since_at and not each.recalled
    }
    found = [incident for incident in incidents if all(matcher.matches(incident) for matcher in matchers)]
    kept = Counter(incident.rule.id for incident in found if incident.id in told)
    going_on = urgent(incident for incident in found if is_open(incident))
    return Preview(matchers, going_on, since_at, len(told), kept.most_common())


def described(found: Preview, reader: Reader) -> Iterator[tuple[str, str]]:
    """As names and values."""
    kept = sum(alerts for _, alerts in found.kept)
    yield "About", " ".join(map(str, found.matchers))
    yield "Matches now", f"{count(len(found.open), 'alert')}: {named(found.open)}" if found.open else "no open alert"
    yield "Since", f"{reader.moment(found.since_at)} (times in {reader.zone.key})"
    yield "Told since", count(found.told, "alert")
    yield "Kept quiet", f"{kept:,} of them{': ' if kept else ''}{', '.join(f'{rule} {n:,}' for rule, n in found.kept)}"


def preview_json(found: Preview) -> dict[str, Any]:
    """For programs."""
    return {
        "matchers": [{"name": each.name, "operator": each.operator, "value": each.value} for each in found.matchers],
        "matches": [incident.id for incident in found.open],
        "since": found.since_at,
        "told": found.told,
        "kept": [{"rule": rule, "alerts": alerts} for rule, alerts in found.kept],
    }
