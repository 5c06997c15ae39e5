"""The whole brain, in one page: what is true, against what was told, gives what is to be told.

Pure: the live daemon, a dry run and a replay are callers of `assess` with another clock, source and sink.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from usage_watch.core.compose import Form, compose
from usage_watch.core.episode import Findings, Run, fold, runs
from usage_watch.core.incident import Happening, Incident, RuleRecord, close, reconcile
from usage_watch.core.message import Reason, RuleName
from usage_watch.core.plan import Decision, Notification, Post, Routes, Told, plan
from usage_watch.core.series import DAY, Feed, FeedHistory, History
from usage_watch.core.units import from_epoch, to_epoch
from usage_watch.rules import FileDefaults, Rule

REACH = timedelta(days=90)
"""How far back buckets are judged again at each cycle: as far as the source may revise them."""
UNREAD = timedelta(days=2)
"""A feed whose newest bucket ended longer ago was not read up to the present: a backfill that broke off, say."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What earlier cycles committed."""

    rules: Mapping[str, RuleRecord] = field(default_factory=dict)
    incidents: Sequence[Incident] = ()
    """All open ones, and those that ended since `known_from`."""
    told: Sequence[Told] = ()
    """Everything told about these incidents, oldest first."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What the rules file says about telling."""

    defaults: FileDefaults
    routes: Routes
    form: Form


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one cycle has to commit, all in one transaction."""

    rules: tuple[RuleRecord, ...] = ()
    """New or changed ones."""
    incidents: tuple[Incident, ...] = ()
    """New or changed ones."""
    decisions: tuple[Decision, ...] = ()
    posts: tuple[Post, ...] = ()


def wanted(rules: Iterable[Rule], incidents: Iterable[Incident], desk: Desk, now: datetime) -> dict[Feed, datetime]:
    """Which buckets must be loaded to judge these rules: each feed, from when on."""
    wants: dict[Feed, datetime] = {}
    known = list(incidents)
    for rule in rules:
        since = rule.look_back(judged_from(rule, known, now), desk.defaults)
        wants[rule.feed] = min(since, wants.get(rule.feed, since))
    return wants


def known_from(rules: Iterable[Rule], open_ones: Iterable[Incident], desk: Desk, now: datetime) -> datetime:
    """From when on a ledger must know what has ended: what is judged again must never be taken for new."""
    return min([midnight_of(now - REACH), *wanted(rules, open_ones, desk, now).values()])


def midnight_of(at: datetime) -> datetime:
    """The start of its UTC day."""
    return from_epoch(to_epoch(at) // DAY * DAY)


def judged_from(rule: Rule, incidents: Iterable[Incident], now: datetime) -> datetime:
    """From when on a rule's buckets are judged: as far back as may be revised, and all of what is still open."""
    open_since = (each.started_at for each in incidents if each.rule.id == rule.id and each.open)
    return min([midnight_of(now - REACH), *open_since])


def assess(rules: Sequence[Rule], history: History, ledger: Ledger, desk: Desk, now: datetime) -> Outcome:
    """Judge the enabled rules over history and say what is new against the ledger."""
    by_rule: dict[str, list[Incident]] = defaultdict(list)
    for incident in ledger.incidents:
        by_rule[incident.rule.id].append(incident)
    records: list[RuleRecord] = []
    incidents: list[Incident] = []
    for rule in rules:
        feed, stored = history[rule.feed], by_rule.pop(rule.id, [])
        record = _record(rule, ledger.rules.get(rule.id), feed, desk.defaults, now)
        records.append(record)
        changed = record.digest != getattr(ledger.rules.get(rule.id), "digest", record.digest)
        incidents += _incidents(rule, record, changed, feed, stored, desk, now)
    records += _removed(ledger.rules.values(), {rule.id for rule in rules})
    orphans = [incident for its_own in by_rule.values() for incident in its_own]
    incidents += [close(each, now, "Its rule was removed or disabled.") if each.open else each for each in orphans]
    notifications = plan(incidents, ledger.told, desk.routes)
    incidents = _counted(incidents, notifications)
    return _outcome(records, incidents, notifications, history, ledger, {rule.id: rule for rule in rules}, desk, now)


def _record(
    rule: Rule, known: RuleRecord | None, feed: FeedHistory, defaults: FileDefaults, now: datetime
) -> RuleRecord:
    """A rule speaks from the frontier of its feed when its digest was new."""
    digest = rule.digest(defaults)
    if known is not None and not known.removed and known.digest == digest and known.speaks_from is not None:
        return known
    if not _read_up(feed, now):
        # The digest stays until it judges: what then closes, closes because the rule was changed.
        return RuleRecord(rule.id, digest if known is None else known.digest, None, removed=False)
    speaks_from = feed.frontier or int(feed.starts[feed.fetched][0])
    return RuleRecord(rule.id, digest, from_epoch(speaks_from), removed=False)


def _read_up(feed: FeedHistory, now: datetime) -> bool:
    """Whether a feed was read up to the present: what is open at the edge of half a backfill may be long over."""
    read = feed.starts[feed.fetched]
    return len(read) > 0 and int(read[-1]) + feed.feed.width >= to_epoch(now - UNREAD)


def _removed(records: Iterable[RuleRecord], present: set[str]) -> Iterator[RuleRecord]:
    for record in records:
        if record.id not in present:
            yield replace(record, removed=True)


def _incidents(
    rule: Rule,
    record: RuleRecord,
    changed: bool,
    feed: FeedHistory,
    stored: Sequence[Incident],
    desk: Desk,
    now: datetime,
) -> Iterator[Incident]:
    """Every incident of a rule that was judged, whether it changed or not."""
    if record.speaks_from is None or not _read_up(feed, now):
        yield from stored
        return
    since = judged_from(rule, stored, now)
    found: dict[str, list[Happening]] = defaultdict(list)
    for happening in _happenings(rule, feed, since, desk.defaults):
        found[happening.fingerprint].append(happening)
    before: dict[str, list[Incident]] = defaultdict(list)
    for incident in stored:
        before[incident.fingerprint].append(incident)
    gone = "Its rule was changed." if changed else "The usage it was about was revised: it did not happen."
    for fingerprint in dict.fromkeys([*before, *found]):
        yield from reconcile(found[fingerprint], before[fingerprint], since, record.speaks_from, gone, now)


def _happenings(rule: Rule, feed: FeedHistory, since: datetime, defaults: FileDefaults) -> Iterator[Happening]:
    # Other rules may need more of the same feed; what one rule finds must not depend on them.
    own = feed.cut(to_epoch(rule.look_back(since, defaults)))
    for findings in rule.judge(own, since, defaults):
        episodes = fold(findings, rule.for_buckets, rule.resolve_buckets)
        for run in runs(findings, episodes, 2 * rule.resolve_buckets):
            yield _happening(rule, findings, run, defaults)


def _happening(rule: Rule, findings: Findings, run: Run, defaults: FileDefaults) -> Happening:
    latest = run.latest
    level = rule.levels[latest.rank - 1]
    return Happening(
        rule=RuleName(rule.id, rule.kind, rule.title or rule.id, rule.runbook),
        labels=findings.labels,
        part=findings.part,
        period_at=findings.period_at,
        started_at=from_epoch(run.started_at),
        ended_at=None if run.ended_at is None else from_epoch(run.ended_at),
        rank=level.grade,
        severity=level.severity,
        evidence=rule.evidence(findings, latest.peak, latest.rank, defaults),
        closed=findings.closed if latest.ended else None,
    )


def _counted(incidents: Iterable[Incident], notifications: Iterable[Notification]) -> list[Incident]:
    """A receiver drops what is older by the sequence: it grows with each decision to tell."""
    told = {notification.incident_id for notification in notifications}
    return [replace(each, sequence=each.sequence + 1) if each.id in told else each for each in incidents]


def _outcome(
    records: Iterable[RuleRecord],
    incidents: Sequence[Incident],
    notifications: Sequence[Notification],
    history: History,
    ledger: Ledger,
    rules: Mapping[str, Rule],
    desk: Desk,
    now: datetime,
) -> Outcome:
    before = {incident.id: incident for incident in ledger.incidents}
    by_id = {incident.id: incident for incident in incidents}
    until = {rule.id: history[rule.feed].data_until for rule in rules.values()}
    fresh = {rule_id: from_epoch(at) for rule_id, at in until.items() if at is not None}
    return Outcome(
        rules=tuple(record for record in records if ledger.rules.get(record.id) != record),
        incidents=tuple(incident for incident in incidents if before.get(incident.id) != incident),
        decisions=tuple(_decisions(incidents, before, notifications, by_id)),
        posts=tuple(compose(notifications, by_id, ledger.told, fresh, desk.form, now)),
    )


def _decisions(
    incidents: Iterable[Incident],
    before: Mapping[str, Incident],
    notifications: Sequence[Notification],
    by_id: Mapping[str, Incident],
) -> Iterator[Decision]:
    """Why each thing was told, and why what is new was not."""
    told = {notification.incident_id for notification in notifications}
    for key in notifications:
        yield Decision(key.incident_id, key.target, key.reason, True, _why(key, by_id[key.incident_id]))
    for incident in incidents:
        known = before.get(incident.id)
        if incident.id not in told and (known is None or (incident.open and incident.rank > known.rank)):
            yield Decision(incident.id, None, Reason.FIRED, False, _why_not(incident))


def _why(key: Notification, incident: Incident) -> str:
    return {
        Reason.FIRED: f"It is open at {incident.severity}.",
        Reason.ESCALATED: f"It rose to {incident.severity}.",
        Reason.RESOLVED: "It has ended.",
        Reason.CLOSED: incident.closed or "It was closed.",
    }[key.reason]


def _why_not(incident: Incident) -> str:
    if incident.history:
        return "It ended before its rule was first seen: history."
    if not incident.open:
        return "It had ended before it could be told."
    return f"No channel is listed for {incident.severity}."
