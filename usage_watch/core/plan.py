"""The difference between what is true and what has been told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from usage_watch.core.incident import Incident
from usage_watch.core.message import Conversation, Message, Reason, Severity


@dataclass(frozen=True, slots=True)
class Notification:
    """One thing to tell one target about one incident; (incident, target, reason, ordinal) is told at most once."""

    incident_id: str
    target: str
    """A channel's name: a changed address or token is the same target."""
    reason: Reason
    ordinal: int
    """Counts this reason for that incident and target, from 1."""
    rank: int
    """The level that it speaks of."""


@dataclass(frozen=True, slots=True)
class Told:
    """A notification that was promised before."""

    notification: Notification
    conversation: Conversation
    decided_at: datetime
    counts: bool
    """Whether it counts as told: sent, leased, queued or blocked. Held, dead and undeliverable do not."""


@dataclass(frozen=True, slots=True)
class Post:
    """One outbox row: a message to one target, and the notifications that it keeps."""

    id: str
    """`ntf_…`"""
    target: str
    conversation: Conversation
    message: Message
    keys: tuple[Notification, ...]
    """Never empty."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Why something was told or not: a row that `alerts show` prints."""

    incident_id: str
    target: str | None
    """None where it concerns everyone."""
    reason: Reason
    told: bool
    why: str
    """One sentence."""


Routes = Mapping[str, Mapping[Severity, Sequence[str]]]
"""For each rule's id the targets of each severity; a rule or severity left out is told to nobody."""


def plan(incidents: Iterable[Incident], told: Iterable[Told], routes: Routes) -> list[Notification]:
    """What is still to be told, in the order of the incidents. Telling it makes the next plan empty.

    `told` is in the order in which it was promised, whatever the clock said then: clocks are set back.
    """
    by_incident: dict[str, dict[str, list[Told]]] = defaultdict(lambda: defaultdict(list))
    for record in told:
        by_incident[record.notification.incident_id][record.notification.target].append(record)
    return [
        notification
        for incident in incidents
        if not incident.history
        for notification in _difference(incident, by_incident[incident.id], routes.get(incident.rule.id, {}))
    ]


def _difference(
    incident: Incident, told: Mapping[str, list[Told]], routes: Mapping[Severity, Sequence[str]]
) -> list[Notification]:
    """An open incident is told to whom its severity is routed; its end to exactly those who were told."""
    targets = dict.fromkeys(routes.get(incident.severity, ())) if incident.open else told
    planned = []
    for target in targets:
        records = told.get(target, [])
        reason = _opening(incident, records) if incident.open else _ending(incident, records)
        if reason is not None:
            ordinal = 1 + sum(record.notification.reason == reason for record in records)
            planned.append(Notification(incident.id, target, reason, ordinal, incident.rank))
    return planned


def _opening(incident: Incident, records: Sequence[Told]) -> Reason | None:
    """What an open incident still has to say to a target that was told these."""
    heard_ends = [record.counts and not record.notification.reason.firing for record in records]
    current = [record for record in _after_last(records, heard_ends) if record.notification.reason.firing]
    # What was given up counts here too: trying the same again each cycle would never end.
    if incident.rank <= max((record.notification.rank for record in current), default=0):
        return None
    return Reason.ESCALATED if any(record.counts for record in current) else Reason.FIRED


def _ending(incident: Incident, records: Sequence[Told]) -> Reason | None:
    """The end of an incident, for a target that was told of it and not yet of its end; once, even if given up."""
    ends = [not record.notification.reason.firing for record in records]
    if not any(record.counts for record in _after_last(records, ends)):
        return None
    return Reason.CLOSED if incident.closed else Reason.RESOLVED


def _after_last(records: Sequence[Told], marked: Sequence[bool]) -> Sequence[Told]:
    """The records after the last marked one; all of them where none is."""
    return records[max((index for index, mark in enumerate(marked, 1) if mark), default=0) :]
