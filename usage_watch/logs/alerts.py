"""What was decided about alerts, as events: one for all channels that it concerns alike."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from usage_watch.logs import event

if TYPE_CHECKING:
    from usage_watch.core.incident import Incident
    from usage_watch.core.promise import Decision

_IN_PLACE = "updated"


def decided(decisions: Iterable[Decision], incidents: Mapping[str, Incident]) -> None:
    """Log why each thing is told or not; `incidents`: by id, at least those that are decided about."""
    grouped: dict[tuple[str, bool, str, str], list[Decision]] = {}
    for each in decisions:
        if each.incident_id not in incidents:
            continue
        grouped.setdefault((each.incident_id, each.told, each.reason.value, each.why), []).append(each)
    for (incident_id, told, reason, why), alike in grouped.items():
        incident = incidents[incident_id]
        name, level = _name(incident, told, reason)
        event(
            name,
            level=level,
            incident=incident.id,
            rule=incident.rule.id,
            severity=incident.severity,
            series=", ".join(f"{axis}={value}" for axis, value in incident.labels.items()) or None,
            reason=reason,
            targets=",".join(each.target for each in alike if each.target is not None) or None,
            why=why,
        )


def _name(incident: Incident, told: bool, reason: str) -> tuple[str, int]:
    if incident.history or reason == _IN_PLACE:
        return "alert.noted", logging.DEBUG
    return ("alert.told" if told else "alert.held"), logging.INFO
