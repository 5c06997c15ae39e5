"""Why things were told or not: what `alerts show` answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from usage_watch.core.incident import LESSENED, Incident
from usage_watch.core.message import Reason
from usage_watch.core.plan import Plan, Terms, routed_to
from usage_watch.core.promise import Decision, Notification, Told


def decisions(
    incidents: Sequence[Incident],
    before: Mapping[str, Incident],
    planned: Plan,
    told: Sequence[Told],
    held: AbstractSet[Decision],
    terms: Terms,
) -> Iterator[Decision]:
    """Why each thing was told, or held back, and why what is new was not.

    `before`: the incidents as the last cycle left them, by id; `held`: what was noted as held back already.
    """
    by_id = {incident.id: incident for incident in incidents}
    for key in planned.notifications:
        yield Decision(key.incident_id, key.target, key.reason, True, _why(key, by_id[key.incident_id]))
    yield from _unsaid(planned, told)
    yield from (each for each in planned.held if each not in held)
    spoken = {key.incident_id for key in planned.notifications} | {each.incident_id for each in planned.held}
    for incident in incidents:
        known = before.get(incident.id)
        if incident.id not in spoken and (known is None or (incident.open and incident.rank > known.rank)):
            yield Decision(incident.id, None, Reason.FIRED, False, _why_not(incident, terms))


def _unsaid(planned: Plan, told: Sequence[Told]) -> Iterator[Decision]:
    """What was promised, had not left, and is not said any more."""
    said = {(key.incident_id, key.target) for key in planned.notifications}
    for each in told:
        key = each.notification
        if each.post_id in planned.recalled and (key.incident_id, key.target) not in said:
            why = "It had not left yet, and is not how it stands any more."
            yield Decision(key.incident_id, key.target, key.reason, False, why)


def _why(key: Notification, incident: Incident) -> str:
    changed = "What was told is not how it stands now."
    return {
        Reason.FIRED: f"It is open at {incident.severity}.",
        Reason.ESCALATED: f"It rose to {incident.severity}.",
        Reason.REMINDER: "It is still open, and nobody has acknowledged it.",
        Reason.UPDATED: f"{LESSENED}. {changed}" if incident.lessened else changed,
        Reason.RESOLVED: "It has ended.",
        Reason.FIRED_AND_ENDED: "It had ended before it could be told.",
        Reason.RETRACTED: incident.closed or "It was revised away.",
        Reason.CLOSED: incident.closed or "It was closed.",
    }[key.reason]


def _why_not(incident: Incident, terms: Terms) -> str:
    if incident.history:
        return "It was over before its rule was first seen: history."
    if incident.closed is not None:
        return f"It was closed before it could be told: {incident.closed}"
    if not routed_to(incident, terms):
        return f"No channel is listed for {incident.severity}."
    if incident.looks_over:
        return "It looks over, and that for too long to be news."
    if incident.open:
        return "That level was told before."
    return "It had ended before it could be told, too long ago to be news."
