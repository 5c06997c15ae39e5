"""Incidents: episodes that were committed, told or not; and matching recomputed episodes to them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime

from usage_watch.core.message import Evidence, RuleName, Severity

LESSENED = "A member's data was removed"
"""Why what is judged fell, though the source revised nothing; never whose it was."""


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
    removals: int = 0
    """How many removals of members' data it has judged."""


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
    """Why it was closed (rule removed or changed, period ended) or retracted, in one sentence; None where it ended by
    itself."""
    committed_at: datetime
    """When it was first committed."""
    looks_over: bool = False
    """It goes on, and would have ended, were what is known final."""
    retracted: bool = False
    """The usage that it was about was revised away, or removed: it did not happen, for all that is known."""
    quiet: bool = False
    """Its end is no news to people."""
    latest: str | None = field(default=None, compare=False)
    """How what is judged stands now, in words, for who is reminded; known only in the cycle that judged it."""
    lessened: bool = field(default=False, compare=False)
    """It fell, or nothing is left of it, when it was first judged after all of a member was removed; known only in the
    cycle that judged it."""

    @property
    def open(self) -> bool:
        """Whether it goes on."""
        return self.ended_at is None

    @property
    def face(self) -> str:
        """What of it is worth correcting in place when it changes: not each digit of a number that grows."""
        state = "retracted" if self.retracted else self.closed or self.ended_at or ("over" if self.looks_over else "")
        return f"{self.severity} {self.evidence.value:.2g} {state} {self.evidence.who or ''}".rstrip()


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
    looks_over: bool = False
    quiet: bool = False
    latest: str | None = None

    @property
    def fingerprint(self) -> str:
        """Equal for all that happens on one series of one rule."""
        period = self.period_at.isoformat() if self.period_at else None
        return _digest(1, self.rule.id, sorted(self.labels.items()), self.part, period)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()[:20]


@dataclass(frozen=True, slots=True)
class Gone:
    """Why nothing happened under an incident any more."""

    why: str
    """One sentence."""
    revised: bool
    """What it counted is gone; else it is only judged otherwise, or not watched any more."""


Explain = Callable[[Incident], Gone]


def reconcile(
    found: Sequence[Happening],
    stored: Sequence[Incident],
    judged_from: datetime,
    speaks_from: datetime,
    new_rule: bool,
    explain: Explain,
    now: datetime,
) -> list[Incident]:
    """Match what happened on one series to the incidents that were committed for it.

    `found` and `stored` are in time order and of one fingerprint; `judged_from` is where judging began, so that what
    lies before stays as stored; it is not after the start of an open one that is not found. An overlap is the same
    incident, even if its start moved. Of several under one run the oldest lives on and the others close as merged; of
    several runs over one incident the earliest keeps it. One that nothing happened under any more is retracted where
    what it counted is gone, as `explain` says; otherwise, and under a new rule, an open one closes and an ended one
    stays. Returns every incident of the series, changed or not.
    """
    # What was closed (as merged, say) is taken up again only where nothing that lives stands under the run.
    left = sorted(stored, key=lambda incident: (incident.closed is not None, incident.started_at))
    taken = {incident.id for incident in stored}
    matched: list[Incident] = []
    for happening in found:
        same = [incident for incident in left if _overlap(incident, happening)]
        left = [incident for incident in left if incident not in same]
        if same:
            matched.append(_continue(same[0], happening, judged_from, new_rule))
        else:
            # A part of what was history, once the numbers between its parts are known, is history too.
            old = new_rule or any(incident.history and _overlap(incident, happening) for incident in stored)
            matched.append(_begin(happening, _new_id(happening, taken), speaks_from, old, now))
        matched += [close(other, now, f"It is part of {same[0].id} now.") for other in same[1:]]
    return matched + [_without(incident, judged_from, new_rule, explain, now) for incident in left]


def _without(incident: Incident, judged_from: datetime, new_rule: bool, explain: Explain, now: datetime) -> Incident:
    """An incident that nothing happened under."""
    if incident.closed is not None or incident.started_at < judged_from:
        return incident
    gone = Gone("Its rule was changed.", revised=False) if new_rule else explain(incident)
    if gone.revised:
        return replace(close(incident, now, gone.why), retracted=True)
    return close(incident, now, gone.why) if incident.open else incident


def _overlap(incident: Incident, happening: Happening) -> bool:
    if incident.started_at == happening.started_at:
        return True  # even of no length: what was closed while the clock stood before its start
    begins_before_its_end = happening.ended_at is None or incident.started_at < happening.ended_at
    return begins_before_its_end and (incident.ended_at is None or happening.started_at < incident.ended_at)


def _continue(incident: Incident, happening: Happening, judged_from: datetime, new_rule: bool) -> Incident:
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
        looks_over=happening.looks_over,
        retracted=False,
        quiet=happening.quiet,
        latest=happening.latest,
        lessened=incident.lessened and happening.evidence.value < incident.evidence.value,
        history=_remains_history(incident, happening, new_rule),
    )


def _remains_history(incident: Incident, happening: Happening, new_rule: bool) -> bool:
    """History ends with a breach after it was first committed; what a returned rule finds over has become history."""
    if new_rule and incident.closed is not None:
        return _is_over(happening)
    ended_by_then = happening.ended_at is not None and happening.ended_at <= incident.committed_at
    return incident.history and (happening.looks_over or ended_by_then)


def _is_over(happening: Happening) -> bool:
    """Whether it has ended, as far as is known."""
    return happening.ended_at is not None or happening.looks_over


def _new_id(happening: Happening, taken: Set[str]) -> str:
    """From the fingerprint and the start; another one where an incident that has since moved began there first."""
    parts = [happening.fingerprint, happening.started_at.isoformat()]
    while (candidate := "inc_" + _digest(*parts)[:12]) in taken:
        parts.append(candidate)
    return candidate


def _begin(happening: Happening, incident_id: str, speaks_from: datetime, old: bool, now: datetime) -> Incident:
    ended_before = happening.ended_at is not None and happening.ended_at <= speaks_from
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
        # A new rule meets yesterday's data before it is settled: what looks over then is not news.
        history=ended_before or (old and _is_over(happening)),
        closed=happening.closed,
        looks_over=happening.looks_over,
        quiet=happening.quiet,
        latest=happening.latest,
        committed_at=now,
    )


def ended_here(found: Sequence[Happening], stored: Sequence[Incident], now: datetime) -> list[Happening]:
    """What happened, and then the end of each open incident that nothing was found under any more."""
    missing = [each for each in stored if each.open and not any(_overlap(each, happening) for happening in found)]
    ends = [
        Happening(
            rule=incident.rule,
            labels=incident.labels,
            part=incident.part,
            period_at=incident.period_at,
            started_at=incident.started_at,
            ended_at=max(now, incident.started_at),
            rank=incident.rank,
            severity=incident.severity,
            evidence=incident.evidence,
            closed=None,
            quiet=incident.quiet,
        )
        for incident in missing
    ]
    return [*found, *ends]  # in time order: what is found after its start would be under it


def close(incident: Incident, now: datetime, why: str) -> Incident:
    """End an incident for another reason than that its usage went back; one that had ended keeps its end."""
    # Not before its start, even where the clock was set back.
    ended_at = incident.ended_at or max(now, incident.started_at)
    return replace(incident, ended_at=ended_at, closed=incident.closed or why, looks_over=False)
