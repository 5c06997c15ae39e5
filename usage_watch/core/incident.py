"""Incidents: episodes that were committed, told or not; and matching recomputed episodes to them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime

from usage_watch.core.message import Evidence, RuleName, Severity


@dataclass(frozen=True, slots=True)
class RuleRecord:
    """What is remembered of a rule between cycles."""

    id: str
    digest: str
    """Of the fields that judge and of the kind's algorithm: another digest is another rule under the same name."""
    speaks_from: datetime | None
    """The frontier when the digest was new: what ended before is history. None until it judged fetched data."""
    removed: bool
    """It left the rules file, or is disabled."""


@dataclass(frozen=True, slots=True)
class Incident:
    """An episode once committed. Its id never changes, even where revised data move its start."""

    id: str
    """`inc_…`, from the fingerprint and the start when it was first committed."""
    fingerprint: str
    """Rule id and series labels, hashed: never value, level, threshold, text, route or product version."""
    rule: RuleName
    labels: Mapping[str, str]
    part: str | None
    period_at: datetime | None
    started_at: datetime
    """Start of the first bucket of the episode."""
    ended_at: datetime | None
    """End of its last bucket; None while it goes on."""
    rank: int
    """The grade of the highest level reached."""
    severity: Severity
    evidence: Evidence
    """The bucket at which it stood highest."""
    sequence: int
    """How many times something about it was decided to be told."""
    history: bool
    """It ended before its rule was first seen: listed, never told."""
    closed: str | None
    """Why it was closed (rule removed or changed, period ended) in one sentence; None where it ended by itself."""
    committed_at: datetime
    """When it was first committed."""

    @property
    def open(self) -> bool:
        """Whether it goes on."""
        return self.ended_at is None


@dataclass(frozen=True, slots=True)
class Happening:
    """One run of episodes as the history now tells it, in its rule's words."""

    rule: RuleName
    labels: Mapping[str, str]
    part: str | None
    period_at: datetime | None
    started_at: datetime
    ended_at: datetime | None
    rank: int
    severity: Severity
    evidence: Evidence
    closed: str | None

    @property
    def fingerprint(self) -> str:
        """Equal for all that happens on one series of one rule."""
        period = self.period_at.isoformat() if self.period_at else None
        return _digest(1, self.rule.id, sorted(self.labels.items()), self.part, period)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()[:20]


def reconcile(
    found: Sequence[Happening],
    stored: Sequence[Incident],
    judged_from: datetime,
    speaks_from: datetime,
    gone: str,
    now: datetime,
) -> list[Incident]:
    """Match what happened on one series to the incidents that were committed for it.

    `found` and `stored` are in time order and of one fingerprint; `judged_from` is where judging began, so that what
    lies before stays as stored. An overlap is the same incident, even if its start moved. Of several under one run the
    oldest lives on and the others close as merged; of several runs over one incident the earliest keeps it.
    An open one that nothing happened under any more closes, `gone` says why. Returns every incident of the series,
    changed or not.
    """
    # What was closed (as merged, say) is taken up again only where nothing that lives stands under the run.
    left = sorted(stored, key=lambda incident: (incident.closed is not None, incident.started_at))
    taken = {incident.id for incident in stored}
    matched: list[Incident] = []
    for happening in found:
        same = [incident for incident in left if _overlap(incident, happening)]
        left = [incident for incident in left if incident not in same]
        if same:
            matched.append(_continue(same[0], happening, judged_from))
        else:
            matched.append(_begin(happening, _new_id(happening, taken), speaks_from, now))
        matched += [close(other, now, f"It is part of {same[0].id} now.") for other in same[1:]]
    return matched + [close(incident, now, gone) if incident.open else incident for incident in left]


def _overlap(incident: Incident, happening: Happening) -> bool:
    begins_before_its_end = happening.ended_at is None or incident.started_at < happening.ended_at
    return begins_before_its_end and (incident.ended_at is None or happening.started_at < incident.ended_at)


def _continue(incident: Incident, happening: Happening, judged_from: datetime) -> Incident:
    reaches_back = incident.started_at < judged_from
    if reaches_back and not incident.open and happening.ended_at is not None:
        return incident
    return replace(
        incident,
        rule=happening.rule,
        started_at=min(incident.started_at, happening.started_at) if reaches_back else happening.started_at,
        ended_at=happening.ended_at,
        rank=happening.rank,
        severity=happening.severity,
        evidence=happening.evidence,
        closed=happening.closed,
        history=incident.history and happening.ended_at is not None,
    )


def _new_id(happening: Happening, taken: Set[str]) -> str:
    """From the fingerprint and the start; another one where an incident that has since moved began there first."""
    parts = [happening.fingerprint, happening.started_at.isoformat()]
    while (candidate := "inc_" + _digest(*parts)[:12]) in taken:
        parts.append(candidate)
    return candidate


def _begin(happening: Happening, incident_id: str, speaks_from: datetime, now: datetime) -> Incident:
    return Incident(
        id=incident_id,
        fingerprint=happening.fingerprint,
        rule=happening.rule,
        labels=happening.labels,
        part=happening.part,
        period_at=happening.period_at,
        started_at=happening.started_at,
        ended_at=happening.ended_at,
        rank=happening.rank,
        severity=happening.severity,
        evidence=happening.evidence,
        sequence=0,
        history=happening.ended_at is not None and happening.ended_at <= speaks_from,
        closed=happening.closed,
        committed_at=now,
    )


def close(incident: Incident, now: datetime, why: str) -> Incident:
    """End an incident for another reason than that its usage went back; one that had ended keeps its end."""
    # Not before its start, even where the clock was set back.
    ended_at = incident.ended_at or max(now, incident.started_at)
    return replace(incident, ended_at=ended_at, closed=incident.closed or why)
