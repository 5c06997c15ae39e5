"""META-ALERTS: the watcher watches itself. One incident per cause, never per rule.

Pure: each is a fold over stored facts, as the episodes of rules are, and so are their incidents, outbox and ends. The
few that can be seen only while they last (`state`, `deliveries`) are ended by whoever does not find them any more.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from usage_watch.core.incident import Happening
from usage_watch.meta import deliveries, revisions, rulesfile, state, troubles
from usage_watch.meta.causes import CAUSES
from usage_watch.meta.deliveries import late_since
from usage_watch.meta.polls import troubles_of
from usage_watch.meta.sight import Sight
from usage_watch.meta.telling import KIND, Reader

RULES: tuple[str, ...] = tuple(
    rule.id
    for rule in (*(cause.rule for cause in CAUSES), *state.RULES, revisions.RULE, *deliveries.RULES, rulesfile.RULE)
)
"""The ids of all of them."""
TO_ANSWER: tuple[str, ...] = tuple(each for each in RULES if each != state.GAP.id)
"""The ids of those that somebody can do something about, and is reminded of."""


def happenings(sight: Sight, zone: ZoneInfo, now: datetime) -> list[Happening]:
    """Everything that is wrong with the watcher, or was in the time that its sight covers."""
    reader = Reader(zone, now)
    return [
        *troubles.happenings(sight, reader),
        *state.happenings(sight, reader),
        *revisions.happenings(sight, reader),
        *deliveries.happenings(sight, reader),
        *rulesfile.happenings(sight),
    ]


def next_at(sight: Sight, now: datetime) -> datetime | None:
    """The next instant at which something would be found though nothing new is seen; None where there is none."""
    turns = [at for trouble in troubles_of(sight, now) for run in trouble.runs for at in run.turns()]
    return min((at for at in (*turns, *revisions.ends(sight), *deliveries.turns(sight)) if at > now), default=None)


__all__ = ["KIND", "RULES", "TO_ANSWER", "Sight", "happenings", "late_since", "next_at"]
