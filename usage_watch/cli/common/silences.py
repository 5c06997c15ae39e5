"""Silences in a line, and as data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from usage_watch.cli.common.printing import print_table
from usage_watch.views.silences import about, matched, state

if TYPE_CHECKING:
    from datetime import datetime

    from usage_watch.core.incident import Incident
    from usage_watch.core.silence import Silence
    from usage_watch.views.times import Reader


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
