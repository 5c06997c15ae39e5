"""What a silence is about, and whether it holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from usage_watch.views.incidents import is_open, urgent

if TYPE_CHECKING:
    from datetime import datetime

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
