"""From notifications to posts: what goes to whom in one message, and in which conversation."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from usage_watch.core.incident import Incident
from usage_watch.core.message import Conversation, Message, Notice, Reason
from usage_watch.core.promise import Notification, Post, Target, Told


@dataclass(frozen=True, slots=True)
class Form:
    """How messages are put together."""

    targets: Mapping[str, Target]
    """Each target by its name."""
    zone: ZoneInfo
    """In which people read times."""


def compose(
    notifications: Sequence[Notification],
    incidents: Mapping[str, Incident],
    told: Iterable[Told],
    data_until: Mapping[str, datetime],
    form: Form,
    now: datetime,
) -> list[Post]:
    """Put notifications into one post per conversation, in the order in which each is first named.

    Incidents that are first told together to people share a conversation for life; a machine has one per incident.
    `data_until` says for each rule's id how fresh its data is.
    """
    members: dict[str, list[str]] = defaultdict(list)
    known: dict[tuple[str, str], Conversation] = {}
    for record in told:
        key = record.notification
        known[key.incident_id, key.target] = record.conversation
        if not record.recalled:
            members[record.conversation.id].append(key.incident_id)
    posts = []
    for keys in _together(notifications, incidents, known, form.targets):
        first = incidents[keys[0].incident_id]
        conversation = known.get((first.id, keys[0].target)) or _begin(keys, incidents, form.zone)
        standing = dict.fromkeys([*members[conversation.id], *(key.incident_id for key in keys)])
        message = Message(
            news=tuple(notice(incidents[key.incident_id], key.reason) for key in keys),
            standing=tuple(_stands(incidents[each]) for each in standing if each in incidents),
            decided_at=now,
            zone=form.zone.key,
            data_until=data_until.get(first.rule.id),
        )
        posts.append(Post(f"ntf_{_digest(keys)}", keys[0].target, conversation, message, tuple(keys)))
    return posts


_BY_NEWS = {Reason.REMINDER: 1, Reason.UPDATED: 2}
"""What is new comes before what is only said again, and that before what is only corrected."""


def _together(
    notifications: Sequence[Notification],
    incidents: Mapping[str, Incident],
    known: Mapping[tuple[str, str], Conversation],
    targets: Mapping[str, Target],
) -> Iterable[list[Notification]]:
    groups: dict[tuple[str, str], list[Notification]] = defaultdict(list)
    for key in notifications:
        groups[key.target, _shared(key, incidents, known, targets)].append(key)
    # A post is known by its first.
    return [sorted(keys, key=lambda key: _BY_NEWS.get(key.reason, 0)) for keys in groups.values()]


def _shared(
    key: Notification,
    incidents: Mapping[str, Incident],
    known: Mapping[tuple[str, str], Conversation],
    targets: Mapping[str, Target],
) -> str:
    """What notifications to one target have in common that go into one post."""
    # A channel may have become a machine's since the conversation began: it takes one incident at a time all the same.
    target = targets.get(key.target)
    if target is not None and not target.people:
        return key.incident_id
    conversation = known.get((key.incident_id, key.target))
    return conversation.id if conversation else incidents[key.incident_id].rule.id


def _begin(keys: Sequence[Notification], incidents: Mapping[str, Incident], zone: ZoneInfo) -> Conversation:
    """A new conversation. Its subject never changes, so that mail programs keep the thread."""
    first = incidents[keys[0].incident_id]
    labels = ", ".join(first.labels.values()) if len(keys) == 1 else f"{len(keys)} alerts"
    started = first.started_at.astimezone(zone)
    parts = (first.rule.title, labels, f"{started:%-d %b %H:%M}")
    return Conversation("cnv_" + _digest(keys), "usage-watch: " + ", ".join(part for part in parts if part), None)


def _digest(keys: Sequence[Notification]) -> str:
    """Equal for the same notifications: computed again after a crash, nothing gets another id."""
    written = json.dumps([[key.incident_id, key.target, key.reason, key.ordinal] for key in keys])
    return hashlib.sha256(written.encode()).hexdigest()[:20]


def _stands(incident: Incident) -> Notice:
    if incident.open:
        return notice(incident, Reason.FIRED)
    over = Reason.CLOSED if incident.closed else Reason.RESOLVED
    return notice(incident, Reason.RETRACTED if incident.retracted else over)


def notice(incident: Incident, reason: Reason) -> Notice:
    """What there is to say about an incident."""
    return Notice(
        reason=reason,
        severity=incident.severity,
        rule=incident.rule,
        incident_id=incident.id,
        sequence=incident.sequence,
        labels=incident.labels,
        part=incident.part,
        period_at=incident.period_at,
        started_at=incident.started_at,
        ended_at=incident.ended_at,
        evidence=incident.evidence,
        note=incident.closed,
        looks_over=incident.looks_over,
    )
