"""What holds news back, whoever wants it so: silences and mutes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from usage_watch.core.incident import Incident
from usage_watch.core.mute import Mute
from usage_watch.core.schedule import AGAIN
from usage_watch.core.silence import Silence

Hold = Silence | Mute
Some = TypeVar("Some", bound=Silence | Mute)
"""Those of one sort, or of both."""

_NEVER = datetime.max.replace(tzinfo=UTC)


def holding(holds: Iterable[Some], incident: Incident, now: datetime) -> Some | None:
    """What holds back what there is to say of an incident: a silence before a mute; of several, the longest.

    What ended under a silence is never told, so that it counts even where there is a mute, too.
    """
    found = (each for each in holds if each.in_force(now) and each.covers(incident))
    return max(found, key=lambda each: (isinstance(each, Silence), each.free_at(now) or _NEVER), default=None)


def heard_from(holds: Sequence[Hold], incident: Incident, at: datetime) -> datetime | None:
    """The first instant from then on at which nothing holds back what there is to say of it; None where there is none.

    Mutes that take turns through the whole week would be followed for ever: what is held back for two weeks by nothing
    but what comes again each week always is.
    """
    until = max([at, *(each.over_at for each in holds if each.over_at is not None)]) + AGAIN
    while (hold := holding(holds, incident, at)) is not None:
        free_at = hold.free_at(at)
        if free_at is None or free_at > until:
            return None
        at = free_at
    return at
