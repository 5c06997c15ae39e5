"""Silences in a line, and as data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from usage_watch.cli.common.incidents import is_open, urgent
from usage_watch.cli.common.printing import print_table

if TYPE_CHECKING:
    from datetime import datetime

    from usage_watch.cli.common.times import Reader
    from usage_watch.core.incident import Incident
    from usage_watch.core.silence import Silence


def about(silence: Silence, incidents: Sequence[Incident]) -> list[Incident]:
    """What is open and what the silence is about, whether it is in force or not; the most urgent first."""
    return urgent(incident for incident in incidents if is_open(incident) and silence.covers(incident))


def matched(silence: Silence) -> str:
    """Its matchers, as they are written."""
    return " ".join(map(str, silence.matchers))


def state(silence: Silence, now: datetime) -> str:
    """`in force`, `to come` or `over`."""
    if silence.in_force(now):
        return "in force"
    return "to come" if silence.expired_at is None and now < silence.from_at else "over"


def print_silences(silences: Sequence[Silence], incidents: Sequence[Incident], reader: Reader) -> None:
    """A line each, with how many of the incidents it holds back."""
    rows = (
        (
            each.id,
            state(each, reader.now),
            reader.moment(each.from_at),
            reader.moment(each.ends_at),
            len(about(each, incidents)) if each.in_force(reader.now) else "",
            f"{matched(each)} ({each.author}: {each.reason})",
        )
        for each in silences
    )
    print_table(("id", "state", "from", "until", "holds", "what"), rows, "There is no silence in force or to come.")


def silence_json(silence: Silence, incidents: Sequence[Incident], now: datetime) -> dict[str, Any]:
    """For programs."""
    return {
        "id": silence.id,
        "state": state(silence, now),
        "matchers": [{"name": each.name, "operator": each.operator, "value": each.value} for each in silence.matchers],
        "from": silence.from_at,
        "until": silence.until_at,
        "author": silence.author,
        "reason": silence.reason,
        "created_at": silence.created_at,
        "expired_at": silence.expired_at,
        "matches": [incident.id for incident in about(silence, incidents)],
    }
