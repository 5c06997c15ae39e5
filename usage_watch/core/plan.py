"""The difference between what is true and what has been told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from usage_watch.core.incident import Incident
from usage_watch.core.message import Conversation, Message, Reason, Severity

Item = TypeVar("Item")


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
    face: str = ""
    """What the message shows of it; see `Incident.face`."""


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


@dataclass(frozen=True, slots=True)
class Target:
    """What a channel is, as far as it matters for what it is told."""

    people: bool
    """It gets one message per rule and cycle; a machine gets one per incident."""
    edits: bool = False
    """What it was told can be corrected in place."""


LATE_NEWS = timedelta(hours=24)
"""What ended longer ago, untold and not critical, is no news any more."""
CORRECTED_FOR = timedelta(days=7)
"""For how long after its end something that was told is corrected or retracted."""


def plan(
    incidents: Iterable[Incident],
    before: Mapping[str, Incident],
    told: Iterable[Told],
    routes: Routes,
    targets: Mapping[str, Target],
    now: datetime,
) -> list[Notification]:
    """What is still to be told, in the order of the incidents. Telling it makes the next plan empty.

    `before`: the incidents as the last cycle left them, by id. `told` is in the order in which it was promised,
    whatever the clock said then: clocks are set back.
    """
    by_incident: dict[str, dict[str, list[Told]]] = defaultdict(lambda: defaultdict(list))
    for record in told:
        by_incident[record.notification.incident_id][record.notification.target].append(record)
    return [
        notification
        for incident in incidents
        if not incident.history
        for notification in _difference(
            incident,
            _ended_now(incident, before.get(incident.id)),
            by_incident[incident.id],
            routes.get(incident.rule.id, {}),
            targets,
            now,
        )
    ]


def _ended_now(incident: Incident, before: Incident | None) -> bool:
    """Whether this cycle found its end, or a later one: what nobody was told of is told then, or never."""
    if incident.ended_at is None or incident.closed is not None:
        return False
    return before is None or before.ended_at is None or before.retracted or before.ended_at < incident.ended_at


def _difference(
    incident: Incident,
    ended_now: bool,
    told: Mapping[str, list[Told]],
    routes: Mapping[Severity, Sequence[str]],
    targets: Mapping[str, Target],
    now: datetime,
) -> Iterator[Notification]:
    """An open incident is told to whom its severity is routed; its end to exactly those who were told."""
    routed = routes.get(incident.severity, ())
    for name in dict.fromkeys([*(routed if incident.open or ended_now else ()), *told]):
        records, target = told.get(name, []), targets.get(name, _GONE)
        reason = _first_of(
            _opening(incident, records, now) if incident.open and name in routed else None,
            _late(incident, records, now) if ended_now and name in routed else None,
            None if incident.open else _ending(incident, records, target, now),
            _correction(incident, records, target, now),
        )
        if reason is not None:
            ordinal = 1 + sum(record.notification.reason == reason for record in records)
            yield Notification(incident.id, name, reason, ordinal, incident.rank, incident.face)


_GONE = Target(people=False)
"""A channel that is not in the rules file any more: what it is owed is noted, and cannot be delivered."""


def _first_of(*reasons: Reason | None) -> Reason | None:
    return next((reason for reason in reasons if reason is not None), None)


def _opening(incident: Incident, records: Sequence[Told], now: datetime) -> Reason | None:
    """What an open incident still has to say to a target that was told these."""
    if not _heard(records) and _stale(incident, now):
        return None
    heard_ends = [record.counts and record.notification.reason.ending for record in records]
    current = [record for record in _after_last(records, heard_ends) if record.notification.reason.firing]
    # What was given up counts here too: trying the same again each cycle would never end.
    if incident.rank <= max((record.notification.rank for record in current), default=0):
        return None
    return Reason.ESCALATED if any(record.counts for record in current) else Reason.FIRED


def _stale(incident: Incident, now: datetime) -> bool:
    """Whether it looks over, and so long ago that nobody would be told of its end: the watcher was down, say."""
    was_long_ago = now - incident.evidence.until_at >= LATE_NEWS
    return incident.looks_over and was_long_ago and incident.severity is not Severity.CRITICAL


def _late(incident: Incident, records: Sequence[Told], now: datetime) -> Reason | None:
    """What ended before it could be told at its level is told once, where it still matters."""
    worth = incident.severity is Severity.CRITICAL or _ended_within(incident, LATE_NEWS, now)
    counted = [record.notification for record in records if record.counts]
    stands = _after_last(counted, [each.reason is Reason.RETRACTED for each in counted])
    told_rank = max((each.rank for each in stands if each.reason is not Reason.UPDATED), default=0)
    owed_its_end = any(each.reason.firing for each in _after_last(counted, [each.reason.ending for each in counted]))
    return Reason.FIRED_AND_ENDED if worth and not owed_its_end and incident.rank > told_rank else None


def _ending(incident: Incident, records: Sequence[Told], target: Target, now: datetime) -> Reason | None:
    """The end of an incident, for a target that was told of it and not yet of its end; once, even if given up."""
    if incident.retracted:
        unheard = [record.notification.reason is Reason.RETRACTED for record in records]
        due = _ended_within(incident, CORRECTED_FOR, now)
        return Reason.RETRACTED if due and _heard(_after_last(records, unheard)) else None
    ends = [record.notification.reason.ending for record in records]
    if not _heard(_after_last(records, ends)):
        return None
    if incident.closed:
        return Reason.CLOSED
    # Machines keep track; people are not told that what they were told once is no news any more.
    return None if incident.quiet and target.people else Reason.RESOLVED


def _heard(records: Iterable[Told]) -> bool:
    """Whether anything was told; corrections are only seen by who looks."""
    return any(record.counts and record.notification.reason is not Reason.UPDATED for record in records)


def _correction(incident: Incident, records: Sequence[Told], target: Target, now: datetime) -> Reason | None:
    """What stands where it was told is kept true, for a week after its end."""
    told = any(record.counts for record in records)
    if not target.edits or not told or not _ended_within(incident, CORRECTED_FOR, now):
        return None
    # What was given up counts here too: trying the same correction again each cycle would never end.
    return Reason.UPDATED if records[-1].notification.face != incident.face else None


def _ended_within(incident: Incident, span: timedelta, now: datetime) -> bool:
    return incident.ended_at is None or now - incident.ended_at < span


def _after_last(records: Sequence[Item], marked: Sequence[bool]) -> Sequence[Item]:
    """The records after the last marked one; all of them where none is."""
    return records[max((index for index, mark in enumerate(marked, 1) if mark), default=0) :]
