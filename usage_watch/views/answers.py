"""What people answered to an alert about what is usual, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from usage_watch.core.incident import Incident
    from usage_watch.core.lessons import Answer
    from usage_watch.views.times import Reader


def name(answer: Answer) -> str:
    """What it is called."""
    return "Expected" if answer.kind == "expected" else "New usual"


def answerable(incident: Incident) -> bool:
    """Whether anything is usual to its rule, so that an answer would teach it something."""
    from usage_watch.core.lessons import LEARNING

    return incident.rule.kind in LEARNING


def note(answer: Answer) -> str:
    """What a line says of one that stands: `expected, said by ana`."""
    return f"{name(answer).casefold()}, said by {answer.author}"


def fact(answer: Answer, incident: Incident, reader: Reader) -> tuple[str, str]:
    """All that there is to it, as a name and a value."""
    note = f": {answer.note}" if answer.note else ""
    said = f"said {reader.moment(answer.at)} by {answer.author}{note}"
    if answer.taken_back_at is not None:
        return name(answer), f"{said}; taken back {reader.moment(answer.taken_back_at)} by {answer.taken_back_by}"
    return name(answer), f"{meaning(answer, incident, reader)}; {said}"


def meaning(answer: Answer, incident: Incident, reader: Reader) -> str:
    """`14:00 to its end is not learned from`, `judged against what came since 14:00`."""
    since = span(answer, incident, reader)
    if answer.kind == "rebaseline":
        return f"judged against what came {since}"
    return f"{since} is not learned from"


def span(answer: Answer, incident: Incident, reader: Reader) -> str:
    """`14:00 to 16:00`, `14:00 to its end`, `since 14:00`."""
    bucket = incident.evidence.bucket
    if answer.kind == "rebaseline":
        return f"since {reader.first(answer.from_at or incident.started_at, bucket)}"
    own_start, own_end = reader.first(incident.started_at, bucket), reader.last(incident.ended_at, bucket, "its end")
    begin, end = reader.moment(answer.from_at, own_start), reader.moment(answer.until_at, own_end)
    return f"{begin} to {end}"
