"""From notifications to posts: what goes to whom in one message, and in which conversation."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from usage_watch.core.entry import called
from usage_watch.core.incident import Incident
from usage_watch.core.message import Conversation, Message, Notice, Reason, RuleName
from usage_watch.core.money import Price
from usage_watch.core.pricing import priced
from usage_watch.core.privacy import Members, veiled
from usage_watch.core.promise import Notification, Post, Target, Told
from usage_watch.core.template import Flawed, Style, has_fields, series, styled


def _unheard(_rule_id: str, _error: Exception) -> None:
    """Where nobody listens."""


@dataclass(frozen=True, slots=True)
class Form:
    """How messages are put together."""

    targets: Mapping[str, Target]
    """Each target by its name."""
    zone: ZoneInfo
    """In which people read times."""
    styles: Mapping[str, Style] = field(default_factory=dict)
    """By rule id, how its messages are worded; plainly, where it is left out."""
    flawed: Flawed = _unheard
    """Told, once for each rule, why its title or text could not be filled: the built-in stands in its place."""
    price: Price | None = None
    """Of 1,000 credits; None where no amounts are to be said."""
    page: str | None = None
    """Under which people reach the status page; None where messages are to link to none."""


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
    posts, flaws = [], dict[str, Exception]()
    for keys in _together(notifications, incidents, known, form.targets):
        first, target = incidents[keys[0].incident_id], keys[0].target
        conversation = known.get((first.id, target))
        together = () if conversation is None else members[conversation.id]
        standing = dict.fromkeys([*together, *(key.incident_id for key in keys)])
        plainly = Message(
            news=tuple(notice(incidents[key.incident_id], key.reason) for key in keys),
            standing=tuple(_stands(incidents[each]) for each in standing if each in incidents),
            decided_at=now,
            zone=form.zone.key,
            data_until=data_until.get(first.rule.id),
            page=form.page,
        )
        message = _to(target, plainly, form, flaws.setdefault)
        posts.append(Post(f"ntf_{_digest(keys)}", target, conversation or _begin(keys, message), message, tuple(keys)))
    for rule_id, error in flaws.items():
        form.flawed(rule_id, error)
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


def _begin(keys: Sequence[Notification], message: Message) -> Conversation:
    """A new conversation. Its subject never changes, so that mail programs keep the thread."""
    first, title = message.news[0], called(message.news)
    labels = series(first) if len(keys) == 1 else f"{len(keys)} alerts"
    started = first.started_at.astimezone(ZoneInfo(message.zone))
    parts = (title, "" if f" {labels} " in f" {title} " else labels, f"{started:%-d %b %H:%M}")
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


def restated(incidents: Iterable[Incident], target: str, form: Form, now: datetime) -> Message | None:
    """What stands, for a target by state: each as it was told, with what is true of it now; None where nothing does."""
    alone = (Message((notice(each, Reason.FIRED),), (), now, form.zone.key, None, page=form.page) for each in incidents)
    said = [_to(target, each, form, _unheard) for each in alone]
    return replace(said[0], news=tuple(each.news[0] for each in said)) if said else None


def _to(target: str, plainly: Message, form: Form, flawed: Flawed) -> Message:
    """As the target is told it. Names are hidden before anything is cut: half an address would not look like one."""
    members = form.targets[target].members if target in form.targets else Members.FULL
    return veiled(_in_its_words(plainly, form, flawed), members)


def _in_its_words(plainly: Message, form: Form, flawed: Flawed) -> Message:
    """With amounts, and in the words of the rule that it is about."""
    style = form.styles.get(plainly.news[0].rule.id, Style())
    return styled(priced(plainly, form.price), style, flawed)


def as_told(incident: Incident, form: Form, now: datetime, flawed: Flawed = _unheard) -> Incident:
    """The incident as messages speak of it: the title of its rule filled in, amounts beside its credits."""
    plainly = Message((notice(incident, Reason.FIRED),), (), now, form.zone.key, None)
    said = _in_its_words(plainly, form, flawed).news[0]
    return replace(incident, rule=said.rule, evidence=said.evidence)


_TRIED = 100
"""Open incidents on which the words of a rule are tried: what fails, fails on the first, if it is not ours to blame."""


def unfilled(rule: RuleName, incidents: Sequence[Incident], form: Form, now: datetime) -> str | None:
    """Why a rule's title or text cannot be filled for what is open, or was last where nothing is; None where they can.

    `incidents` are those of the rule, in any order.
    """
    if not has_fields(rule.title, form.styles.get(rule.id, Style())):
        return None
    flaws: list[str] = []
    going_on = [incident for incident in incidents if incident.open]
    last = sorted(incidents, key=lambda each: (each.ended_at or now, each.id))[-1:]
    for incident in going_on[:_TRIED] or last:
        as_told(replace(incident, rule=rule), form, now, lambda _, error: flaws.append(_said(error)))
    return flaws[0] if flaws else None


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


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
        latest=incident.latest,
    )
