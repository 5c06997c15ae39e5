"""When an incident happened, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from usage_watch.core.message import Message, Notice, Reason
from usage_watch.core.units import local_time, quantity, span, spell_duration

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Times:
    """When an incident began and ended: hours, or the first and last day where it was judged by days."""

    began: str
    ended: str
    whole: str
    """From when to when."""
    lasted: str
    stands: str
    """For how long it has been open, roughly: `2 days`."""
    worst: str
    """The time of which its numbers are."""
    learned: str | None
    """When it was found that it did not happen; None where the message is not about that."""


def times(notice: Notice, message: Message, *, by_days: bool) -> Times:
    """The times of one notice, as they are read in the message's zone. The source's days are UTC days."""
    zone, now = ZoneInfo(message.zone), message.as_of
    began_at, ended_at = notice.started_at, notice.ended_at or now
    began, ended, whole = local_time(began_at, zone, now), local_time(ended_at, zone, now), zone
    if by_days:
        began = span(began_at, began_at + _DAY, _UTC, now)
        if _is_midnight(ended_at):  # not where it was closed in the midst of a day
            ended, whole = span(ended_at - _DAY, ended_at, _UTC, now), _UTC
    is_news = any(each.reason is Reason.RETRACTED and each.incident_id == notice.incident_id for each in message.news)
    return Times(
        began=began,
        ended=ended,
        whole=span(began_at, ended_at, whole, now),
        lasted=spell_duration(ended_at - began_at),
        stands=_roughly(now - began_at),
        worst=span(notice.evidence.from_at, notice.evidence.until_at, _UTC if by_days else zone, now),
        learned=local_time(message.decided_at, zone, now) if is_news else None,
    )


def _is_midnight(at: datetime) -> bool:
    return at.astimezone(_UTC).time() == time()


def _roughly(lasted: timedelta) -> str:
    """In one unit, rounded down: `2 days`, `5 h`, `40 min`."""
    lasted = max(lasted, timedelta())  # the clock was set back
    if lasted >= _DAY:
        return quantity(lasted // _DAY, "days")
    return spell_duration(lasted - lasted % (_HOUR if lasted >= _HOUR else timedelta(minutes=1)))
