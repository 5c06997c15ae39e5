"""BACKTEST: what rules would have told. The daemon's own functions, with the clock and the store of the past.

Each rule is judged again at every hour at which something of its feed became known, over what was known then, and its
ledger is kept in memory: every post counts as sent. What nobody can tell any more of the past is left out: what failed
to be delivered, and what the watcher said of itself. So are reminders: how many come of an alert follows from how long
it stood open and from when somebody acknowledged it, which is not a matter of the rules that are tried.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from usage_watch.assess import REACH, Desk, Ledger, assess, known_from, wanted
from usage_watch.core.incident import Incident, RuleRecord
from usage_watch.core.message import Reason
from usage_watch.core.periods import Calendar, Every, between
from usage_watch.core.promise import Decision, Notification, Target, Told
from usage_watch.core.series import HOUR, Feed, History
from usage_watch.core.units import from_epoch, to_epoch
from usage_watch.meta import Sight
from usage_watch.rules import Rule
from usage_watch.store.replay import NEVER, Change, Knowledge

STEADY_REACH = timedelta(days=4)
"""At least so far back is judged again at each step: the daemon's own reach is many times the work."""
STAND_IN = "backtest"
"""The channel of a rule that names none."""

Progress = Callable[[Rule, datetime], None]
"""Told at each step: which rule, and what time it is there."""


@dataclass(frozen=True, slots=True)
class Telling:
    """Something that would have been told."""

    at: datetime
    key: Notification
    incident: Incident
    """As it stood then."""


@dataclass(frozen=True, slots=True)
class Replay:
    """All that would have been told."""

    told: tuple[Telling, ...]
    """In the order of their times."""
    incidents: tuple[Incident, ...]
    """Those that were told, as they stood at the end, in the order of their starts."""


@dataclass(frozen=True, slots=True)
class Month:
    """What one rule would have told in a month, and how long its alerts stood open."""

    rule: str
    """Its id."""
    month: str
    """`2026-11`."""
    fired: int
    escalated: int
    fired_and_ended: int
    retracted: int
    open_hours: float
    """The sum over its alerts."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What two replays of the same time tell, compared."""

    added: tuple[Incident, ...]
    """Only the new one tells it."""
    removed: tuple[Incident, ...]
    """Only the old one does."""
    both: int
    """Of the new one's alerts."""
    regraded: int
    """Those of them that stand at another severity."""


@dataclass(frozen=True, slots=True)
class ReadLater:
    """Buckets of a feed that nobody watched as they ended: see `store.replay` for when they count as known."""

    feed: str
    bucket: str
    """`1h` or `1d`."""
    count: int
    of: int
    """All that were read of the same time."""
    until: datetime
    """End of the last of them."""


def wants_of(rules: Iterable[Rule], desk: Desk, since: datetime) -> dict[Feed, datetime]:
    """Which knowledge a replay from `since` on needs: each feed, from when on."""
    return wanted(rules, (), desk, since)


def replay(
    rules: Iterable[Rule],
    knowledge: Mapping[Feed, Knowledge],
    desk: Desk,
    since: datetime,
    until: datetime,
    progress: Progress,
) -> Replay:
    """What these rules would have told from `since` to `until`.

    Each speaks as a rule that was new at `since`: what was open then is told once, and what had ended is history. It
    reminds of nothing, whatever the desk says.
    """
    quiet = replace(desk, remind={}, says_why=False)
    found = [each for rule in rules for each in _rehearsed(rule, knowledge[rule.feed], quiet, since, until, progress)]
    incidents = {incident.id: incident for _, incident in found}
    return Replay(
        told=tuple(sorted((telling for telling, _ in found), key=lambda telling: telling.at)),
        incidents=tuple(sorted(incidents.values(), key=lambda incident: (incident.started_at, incident.id))),
    )


def _rehearsed(
    rule: Rule, known: Knowledge, desk: Desk, since: datetime, until: datetime, progress: Progress
) -> list[tuple[Telling, Incident]]:
    """What one rule tells, each with how the incident stands at the end. Rules know nothing of each other."""
    rehearsal = _Rehearsal(rule, known, _with_somebody_to_tell(rule, desk))
    told = rehearsal.step(since, REACH)
    for change in known.changes(since, until, rule.width):
        progress(rule, change.at)
        told += rehearsal.step(change.at, rehearsal.reach(change))
    return [(telling, rehearsal.incidents[telling.incident.id]) for telling in told]


def _with_somebody_to_tell(rule: Rule, desk: Desk) -> Desk:
    routes = desk.routes.get(rule.id, {})
    if any(routes.values()):
        return replace(desk, routes={rule.id: routes})
    targets = {**desk.form.targets, STAND_IN: Target(people=False)}
    severities = {level.severity: (STAND_IN,) for level in rule.levels}
    return replace(desk, routes={rule.id: severities}, form=replace(desk.form, targets=targets))


@dataclass(slots=True)
class _Rehearsal:
    """One rule's daemon, with its store in memory."""

    rule: Rule
    known: Knowledge
    desk: Desk
    records: dict[str, RuleRecord] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    held: set[Decision] = field(default_factory=set)

    def step(self, now: datetime, reach: timedelta) -> list[Telling]:
        """Judge the buckets of the last `reach` again, by what was known at `now`."""
        ledger = self._ledger(now, reach)
        wants = wanted([self.rule], ledger.incidents, self.desk, now, reach)
        history = History({feed: self.known.at(now, since) for feed, since in wants.items()})
        outcome = assess([self.rule], history, ledger, self.desk, Sight(), now, reach)
        self.records |= {record.id: record for record in outcome.rules}
        self.incidents |= {incident.id: incident for incident in outcome.incidents}
        self.held |= {decision for decision in outcome.decisions if not decision.told}
        self.told += [Told(key, post.conversation, now, post.id) for post in outcome.posts for key in post.keys]
        return [Telling(now, key, self.incidents[key.incident_id]) for post in outcome.posts for key in post.keys]

    def reach(self, change: Change) -> timedelta:
        """How far back a change may be felt."""
        record = self.records.get(self.rule.id)
        if record is None or record.speaks_from is None:
            return REACH
        # An episode that opens soon after the end of another continues it, and whatever is touched is judged whole.
        near = (self.rule.for_buckets + 3 * self.rule.resolve_buckets) * timedelta(seconds=self.rule.width)
        since = min(change.oldest_at, change.at - STEADY_REACH) - near
        touched = (
            each.started_at for each in self.incidents.values() if each.ended_at is None or each.ended_at > since
        )
        return min(REACH, change.at - min([since, *touched]))

    def _ledger(self, now: datetime, reach: timedelta) -> Ledger:
        """As the store would answer it: see `known_from`."""
        open_ones = [incident for incident in self.incidents.values() if incident.open]
        since = known_from([self.rule], open_ones, self.desk, now, reach)
        kept = [each for each in self.incidents.values() if each.ended_at is None or each.ended_at >= since]
        kept.sort(key=lambda incident: (incident.started_at, incident.id))
        ids = {incident.id for incident in kept}
        told = [record for record in self.told if record.notification.incident_id in ids]
        return Ledger(self.records, kept, told, held=self.held)


def months(found: Replay, zone: ZoneInfo, since: datetime, until: datetime) -> list[Month]:
    """Per rule and calendar month of a zone, those with anything in them. What several channels hear counts once."""
    spans = between(Calendar(Every.MONTH, zone), since, until + timedelta(microseconds=1))
    first = {(each.key.incident_id, each.key.reason, each.key.ordinal): each for each in reversed(found.told)}
    rules = sorted({incident.rule.id for incident in found.incidents})
    return [
        Month(
            rule=rule,
            month=f"{span.start_at.astimezone(zone):%Y-%m}",
            fired=counts[Reason.FIRED],
            escalated=counts[Reason.ESCALATED],
            fired_and_ended=counts[Reason.FIRED_AND_ENDED],
            retracted=counts[Reason.RETRACTED],
            open_hours=stood / timedelta(hours=1),
        )
        for rule in rules
        for span in spans
        for counts in [_counts(first.values(), rule, span.start_at, span.end_at)]
        for stood in [_open(found.incidents, rule, max(span.start_at, since), min(span.end_at, until))]
        if counts or stood
    ]


def _counts(told: Iterable[Telling], rule_id: str, start_at: datetime, end_at: datetime) -> Counter[Reason]:
    here = (each for each in told if each.incident.rule.id == rule_id and start_at <= each.at < end_at)
    return Counter(each.key.reason for each in here)


def _open(incidents: Iterable[Incident], rule_id: str, start_at: datetime, end_at: datetime) -> timedelta:
    spans = (
        min(each.ended_at or end_at, end_at) - max(each.started_at, start_at)
        for each in incidents
        if each.rule.id == rule_id
    )
    return sum((span for span in spans if span > timedelta()), timedelta())


def compare(old: Replay, new: Replay) -> Difference:
    """Alerts on the same series of a rule that overlap are the same alert."""
    before, after = _by_fingerprint(old.incidents), _by_fingerprint(new.incidents)
    twins = [(each, _twin(each, before[each.fingerprint])) for each in new.incidents]
    return Difference(
        added=tuple(each for each, twin in twins if twin is None),
        removed=tuple(each for each in old.incidents if _twin(each, after[each.fingerprint]) is None),
        both=sum(twin is not None for _, twin in twins),
        regraded=sum(twin is not None and twin.severity != each.severity for each, twin in twins),
    )


def _by_fingerprint(incidents: Iterable[Incident]) -> Mapping[str, Sequence[Incident]]:
    grouped: dict[str, list[Incident]] = defaultdict(list)
    for incident in incidents:
        grouped[incident.fingerprint].append(incident)
    return grouped


def _twin(incident: Incident, others: Sequence[Incident]) -> Incident | None:
    """The first of the others that overlaps."""
    return next((other for other in others if _before_end(incident, other) and _before_end(other, incident)), None)


def _before_end(incident: Incident, other: Incident) -> bool:
    return other.ended_at is None or incident.started_at < other.ended_at


def read_later(known: Iterable[Knowledge], since: datetime, until: datetime) -> Iterator[ReadLater]:
    """What of the time from `since` to `until` was not watched, feed by feed."""
    for each in known:
        inside = slice(*np.searchsorted(each.starts, [to_epoch(since), to_epoch(until)]))
        later = np.flatnonzero(each.unwatched[inside])
        if len(later):
            last = int(each.starts[inside][later[-1]]) + each.feed.width
            of = int(np.count_nonzero(each.fetched_at[inside] != NEVER))
            yield ReadLater(str(each.feed), "1h" if each.feed.width == HOUR else "1d", len(later), of, from_epoch(last))
