"""The difference between what is true and what has been told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from usage_watch.core.difference import Case, Say, came_and_went_muted
from usage_watch.core.entry import META
from usage_watch.core.incident import Incident
from usage_watch.core.message import Severity
from usage_watch.core.promise import Decision, Notification, Target, Told, said_over_at
from usage_watch.core.silence import Orders

Routes = Mapping[str, Mapping[Severity, Sequence[str]]]
"""For each rule's id the targets of each severity; a rule or severity left out is told to nobody."""

_Muted = AbstractSet[tuple[str, str | None]]
"""Incidents and targets: of what came and went, and a mute has held back."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Who is told of what, and how often."""

    routes: Routes
    targets: Mapping[str, Target]
    remind: Mapping[str, timedelta | None] = field(default_factory=dict)
    """For each rule's id the time to the first reminder; no reminders where it is None or left out."""
    orders: Orders = field(default_factory=Orders)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done about the difference."""

    notifications: tuple[Notification, ...] = ()
    """What is to be told, in the order of the incidents."""
    recalled: frozenset[str] = frozenset()
    """Ids of posts that wait, and that nothing of has left: what they said is said anew, or is not true any more."""
    held: tuple[Decision, ...] = ()
    """What would be told, but for a silence or a mute."""
    next_at: datetime | None = None
    """The next instant at which there would be more to tell, though nothing happens."""


def plan(
    incidents: Sequence[Incident],
    before: Mapping[str, Incident],
    told: Sequence[Told],
    terms: Terms,
    now: datetime,
    held: Iterable[Decision] = (),
) -> Plan:
    """What is still to be told. Telling it makes the next plan empty.

    `before`: the incidents as the last cycle left them, by id. `told` is in the order in which it was promised,
    whatever the clock said then: clocks are set back. `held`: what was noted as held back already.
    """
    muted = {(each.incident_id, each.target) for each in held if came_and_went_muted(each)}
    says = _differences(incidents, before, told, muted, terms, now)
    recalled = _recalled(says, told)
    if recalled:
        says = _differences(incidents, before, taken_back(told, recalled), muted, terms, now)
    instants = [say.again_at for say in says if say.again_at is not None]
    return Plan(
        notifications=tuple(say.notification for say in says if say.notification is not None),
        recalled=recalled,
        held=tuple(say.held for say in says if say.held is not None),
        next_at=min(instants, default=None),
    )


def taken_back(told: Iterable[Told], posts: AbstractSet[str]) -> list[Told]:
    """What was told, without what these posts said."""
    return [replace(each, recalled=True) if each.post_id in posts else each for each in told]


def _recalled(says: Iterable[Say], told: Iterable[Told]) -> frozenset[str]:
    """Posts that wait in a conversation in which there is more to say: all of it is better said at once, as it is now.

    So an outage of a target piles nothing up, and what began and ended in it is one message.
    """
    waiting: dict[str, set[str]] = defaultdict(set)
    conversations: dict[tuple[str, str], str] = {}
    for each in told:
        conversations[each.notification.incident_id, each.notification.target] = each.conversation.id
        if each.waits:
            waiting[each.conversation.id].add(each.post_id)
    news = (say.notification for say in says if say.notification is not None)
    spoken = {conversations.get((key.incident_id, key.target)) for key in news}
    return frozenset(post for conversation, posts in waiting.items() if conversation in spoken for post in posts)


def _differences(
    incidents: Iterable[Incident],
    before: Mapping[str, Incident],
    told: Iterable[Told],
    muted: _Muted,
    terms: Terms,
    now: datetime,
) -> list[Say]:
    by_incident: dict[str, dict[str, list[Told]]] = defaultdict(lambda: defaultdict(list))
    for record in told:
        by_incident[record.notification.incident_id][record.notification.target].append(record)
    return [
        case.say()
        for incident in incidents
        if not incident.history
        for case in _cases(incident, before.get(incident.id), by_incident[incident.id], muted, terms, now)
    ]


def _cases(
    incident: Incident,
    before: Incident | None,
    told: Mapping[str, list[Told]],
    muted: _Muted,
    terms: Terms,
    now: datetime,
) -> Iterable[Case]:
    """One for each target that is to hear of the incident, or heard of it."""
    routed, ended_now = routed_to(incident, terms), _ended_now(incident, before)
    holds = [hold for hold in terms.orders.holds if hold.covers(incident)]
    ack = terms.orders.acks.get(incident.id)
    over_at = said_over_at(each for records in told.values() for each in records)
    for name in dict.fromkeys([*routed, *told]):
        yield Case(
            incident=incident,
            name=name,
            target=terms.targets.get(name, _GONE),
            told=told.get(name, ()),
            routed=name in routed,
            ended_now=ended_now,
            remind=terms.remind.get(incident.rule.id),
            known=ack is not None and ack.stands(incident, over_at),
            holds=holds,
            muted=(incident.id, name) in muted,
            now=now,
        )


_GONE = Target(people=False)
"""A channel that is not in the rules file any more: what it is owed is noted, and cannot be delivered."""


def routed_to(incident: Incident, terms: Terms) -> Sequence[str]:
    """Who is to hear of an incident. That a channel fails is told through others, and be it those that hear nothing
    else."""
    names = terms.routes.get(incident.rule.id, {}).get(incident.severity, ())
    about = incident.labels.get(CHANNEL) if incident.rule.kind == META else None
    others = [name for name in names if name != about]
    return others or [name for name in terms.targets if name != about] if names else ()


CHANNEL = "Channel"
"""The label of what the watcher says of a channel."""


def _ended_now(incident: Incident, before: Incident | None) -> bool:
    """Whether this cycle found its end, or a later one: what nobody was told of is told then, or never."""
    if incident.ended_at is None or incident.closed is not None:
        return False
    return before is None or before.ended_at is None or before.retracted or before.ended_at < incident.ended_at
