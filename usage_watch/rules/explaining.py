"""Why the alerts of a rule stand, cycle by cycle: what is said anew, and what stays as it was said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from usage_watch.core.incident import Incident
from usage_watch.core.lookup import Lookup
from usage_watch.core.message import Contributor, Evidence, Who
from usage_watch.core.series import History
from usage_watch.core.units import local_time, quantity
from usage_watch.rules import reasons
from usage_watch.rules.common import Rule


def explained(
    rule: Rule,
    found: Sequence[Incident],
    stored: Sequence[Incident],
    history: History,
    lookups: Mapping[str, Lookup],
    zone: ZoneInfo,
    now: datetime,
) -> Iterator[Incident]:
    """The incidents, and why those stand that a message would name, new ones first; of the rest stays what was said.

    `lookups`: by the id of the incident for which members were looked up.
    """
    before = {incident.id: incident.evidence for incident in stored}
    open_to_it = [each for each in found if reasons.explainable(rule, each, now)]
    chosen = {each.id for each in sorted(open_to_it, key=lambda each: _prominence(each, before))[: rule.max_incidents]}
    for each in found:
        said, lookup = before.get(each.id, each.evidence), lookups.get(each.id)
        found_now = reasons.because(rule, each, history, lookup) if each.id in chosen else None
        if found_now is None or _knows_less(said.who, found_now.who):
            yield _saying(each, said.why, said.contributors, said.who)
            continue
        sentence, who = found_now.why.sentence, found_now.who
        if lookup is not None and who is Who.LOOKED_UP:
            sentence += _caveat(lookup, zone, now)
        yield _saying(each, sentence, found_now.why.contributors, who)


def _knows_less(before: Who | None, now: Who | None) -> bool:
    """Hours that were asked for once are compared once: what comes later of the total is in nobody's part of it."""
    return before is not None and now is not Who.CONFIRMED


def _caveat(lookup: Lookup, zone: ZoneInfo, now: datetime) -> str:
    # With its day: the sentence stands until members' days come.
    at = local_time(now, zone, now + timedelta(days=1))
    return f"; by the hours of the {quantity(len(lookup.feeds), 'heaviest members')}, read {at}"


def _saying(incident: Incident, why: str | None, contributors: tuple[Contributor, ...], who: Who | None) -> Incident:
    evidence = incident.evidence
    if (evidence.why, evidence.contributors, evidence.who) == (why, contributors, who):
        return incident  # nearly all of them, which are long over
    return replace(incident, evidence=replace(evidence, why=why, contributors=contributors, who=who))


def _prominence(incident: Incident, before: Mapping[str, Evidence]) -> tuple[bool, float, int, float]:
    evidence = incident.evidence
    beyond = abs(evidence.value - evidence.limit)
    return incident.id in before, -evidence.until_at.timestamp(), -incident.severity.weight, -beyond
