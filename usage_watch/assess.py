"""The whole brain, in one page: what is true, against what was told, gives what is to be told.

Pure: the live daemon, a dry run and a replay are callers of `assess` with another clock, source and sink.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from usage_watch import meta
from usage_watch.core.compose import Form, compose, unfilled
from usage_watch.core.decisions import decisions
from usage_watch.core.episode import Findings, Run, fold, looks_over, runs
from usage_watch.core.hello import Watch, greetings
from usage_watch.core.incident import (
    LESSENED,
    Explain,
    Gone,
    Happening,
    Incident,
    RuleRecord,
    close,
    ended_here,
    reconcile,
)
from usage_watch.core.lookup import Lookup
from usage_watch.core.message import Reason, RuleName
from usage_watch.core.mute import Mute
from usage_watch.core.plan import Plan, Routes, Terms, plan, taken_back
from usage_watch.core.promise import Decision, Notification, Post, Told
from usage_watch.core.series import DAY, Feed, FeedHistory, History
from usage_watch.core.silence import Orders
from usage_watch.core.units import from_epoch, quantity, to_epoch
from usage_watch.rules import FileDefaults, Rule, reasons
from usage_watch.rules.explaining import explained
from usage_watch.rules.lookups import lookups
from usage_watch.rules.measure import all_unread_bands

Named = TypeVar("Named", Happening, Incident)

REACH = timedelta(days=90)
"""How far back buckets are judged again at each cycle: as far as the source may revise them."""
UNREAD = timedelta(days=2)
"""A feed whose newest bucket ended longer ago was not read up to the present: a backfill that broke off, say."""
_NEVER, _ALWAYS = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What earlier cycles committed."""

    rules: Mapping[str, RuleRecord] = field(default_factory=dict)
    incidents: Sequence[Incident] = ()
    """All open ones, and those that ended since `known_from`."""
    told: Sequence[Told] = ()
    """Everything told about these incidents, oldest first."""
    orders: Orders = field(default_factory=Orders)
    """What people said about being told."""
    held: AbstractSet[Decision] = frozenset()
    """What was held back so far, and is not to be noted again."""
    strangers: AbstractSet[str] = frozenset()
    """Channels that were never greeted."""
    lookups: Sequence[Lookup] = ()
    """Whose hours were ever wanted for these incidents."""
    removals: int = 0
    """How often data of members was removed by now."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What the rules file says about telling."""

    defaults: FileDefaults
    routes: Routes
    form: Form
    remind: Mapping[str, timedelta | None] = field(default_factory=dict)
    """For each rule's id the time to the first reminder; no reminders where it is None or left out."""
    mutes: Sequence[Mute] = ()
    """When it wants quiet."""
    says_why: bool = True
    """Whether alerts are explained; a replay, which shows none of that, need not read what it takes."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one cycle has to commit, all in one transaction."""

    rules: tuple[RuleRecord, ...] = ()
    """New or changed ones."""
    incidents: tuple[Incident, ...] = ()
    """New or changed ones."""
    decisions: tuple[Decision, ...] = ()
    posts: tuple[Post, ...] = ()
    recalled: frozenset[str] = frozenset()
    """Ids of earlier posts that wait and are not to be sent any more."""
    next_at: datetime | None = None
    """When there may be something to say though nothing new is read; None where there is no such instant."""
    lookups: tuple[Lookup, ...] = ()
    """Whose hours to ask for, so that the next cycle can say who it comes from."""


def wanted(
    rules: Iterable[Rule],
    incidents: Iterable[Incident],
    desk: Desk,
    now: datetime,
    reach: timedelta = REACH,
    lookups: Iterable[Lookup] = (),
) -> dict[Feed, datetime]:
    """Which buckets must be loaded to judge these rules, and to explain these incidents: each feed, from when on."""
    wants: dict[Feed, datetime] = {}
    known, looked_up = list(incidents), {each.incident_id: each for each in lookups}
    for rule in rules:
        found = [(rule.feed, rule.look_back(judged_from(rule, known, now, reach), desk.defaults))]
        if desk.says_why:
            own = (each for each in known if each.rule.id == rule.id and reasons.explainable(rule, each, now))
            found += (want for each in own for want in reasons.wants(rule, each, looked_up.get(each.id)).items())
        for feed, since in found:
            wants[feed] = min(since, wants.get(feed, since))
    return wants


def known_from(
    rules: Iterable[Rule], open_ones: Iterable[Incident], desk: Desk, now: datetime, reach: timedelta = REACH
) -> datetime:
    """From when on a ledger must know what has ended: what is judged again must never be taken for new."""
    judging = replace(desk, says_why=False)
    return min([midnight_of(now - reach), *wanted(rules, open_ones, judging, now, reach).values()])


def midnight_of(at: datetime) -> datetime:
    """The start of its UTC day."""
    return from_epoch(to_epoch(at) // DAY * DAY)


def judged_from(rule: Rule, incidents: Iterable[Incident], now: datetime, reach: timedelta = REACH) -> datetime:
    """From when on a rule's buckets are judged: as far back as may be revised, and all of what is still open."""
    open_since = (each.started_at for each in incidents if each.rule.id == rule.id and each.open)
    return min([midnight_of(now - reach), *open_since])


def assess(
    rules: Sequence[Rule],
    history: History,
    ledger: Ledger,
    desk: Desk,
    sight: meta.Sight,
    now: datetime,
    reach: timedelta = REACH,
) -> Outcome:
    """Judge the enabled rules over history, and the watcher itself by its sight; say what is new against the ledger."""
    desk = replace(desk, defaults=_taught(desk.defaults, ledger.orders))
    by_rule: dict[str, list[Incident]] = defaultdict(list)
    for incident in ledger.incidents:
        by_rule[incident.rule.id].append(incident)
    records: list[RuleRecord] = []
    incidents: list[Incident] = []
    looked_up = {each.incident_id: each for each in ledger.lookups}
    explain = partial(explained, history=history, lookups=looked_up, zone=desk.form.zone, now=now)
    for rule in rules:
        feed, stored = history[rule.feed], by_rule.pop(rule.id, [])
        record = _record(rule, ledger.rules.get(rule.id), feed, desk.defaults, now)
        new_rule = record.speaks_from is not None and record != ledger.rules.get(rule.id)
        if rule.sums_members and record.speaks_from is not None and _read_up(feed, now):
            lessened = not new_rule and record.removals < ledger.removals
            stored = [replace(each, lessened=lessened) for each in stored]
            record = replace(record, removals=ledger.removals)
        records.append(record)
        found = list(_incidents(rule, record, new_rule, feed, stored, desk, now, reach))
        incidents += explain(rule, found, stored) if desk.says_why else found
    records += _removed(ledger.rules.values(), {rule.id for rule in rules})
    orphans = [incident for its_own in by_rule.values() for incident in its_own]
    own = [incident for incident in orphans if incident.rule.kind == meta.KIND]
    incidents += [_without_rule(incident, now) for incident in orphans if incident.rule.kind != meta.KIND]
    left_out = {rule.id: rule.left_out(history[rule.feed]) for rule in rules}
    unread = all_unread_bands(rules, history, desk.defaults, now)
    unworded = dict(_unworded(rules, incidents, desk.form, now))
    sight = replace(sight, left_out=left_out, unworded=unworded, unread_bands=unread)
    incidents += _own_incidents(meta.happenings(sight, desk.form.zone, now), own, now)
    before = {incident.id: incident for incident in ledger.incidents}
    terms = Terms(desk.routes, desk.form.targets, desk.remind, replace(ledger.orders, mutes=desk.mutes))
    planned = plan(incidents, before, ledger.told, terms, now, ledger.held)
    incidents = _counted(incidents, planned.notifications)
    by_id = {rule.id: rule for rule in rules}
    outcome = _outcome(records, incidents, planned, terms, history, ledger, by_id, desk, now)
    if desk.says_why:
        told = {each.notification.incident_id for each in ledger.told if each.counts}
        told |= {each.incident_id for each in planned.notifications}
        outcome = replace(outcome, lookups=lookups(rules, incidents, told, ledger.lookups, history, now))
    instants = (planned.next_at, meta.next_at(sight, now))
    return replace(outcome, next_at=min((at for at in instants if at is not None), default=None))


def _taught(defaults: FileDefaults, orders: Orders) -> FileDefaults:
    """What the file says for all rules, and what people answered to alerts."""
    return replace(defaults, lessons=defaults.lessons.with_answers(orders.expected, orders.rebased))


def _without_rule(incident: Incident, now: datetime) -> Incident:
    return close(incident, now, "Its rule was removed or disabled.") if incident.open else incident


def _unworded(
    rules: Iterable[Rule], incidents: Iterable[Incident], form: Form, now: datetime
) -> Iterator[tuple[str, str]]:
    """The rules whose words cannot be filled in, and why: tried each time, so that it needs no memory."""
    by_rule: dict[str, list[Incident]] = defaultdict(list)
    for incident in incidents:
        by_rule[incident.rule.id].append(incident)
    for rule in rules:
        why = unfilled(_name(rule), by_rule[rule.id], form, now)
        if why is not None:
            yield rule.id, why


def _own_incidents(found: Iterable[Happening], stored: Sequence[Incident], now: datetime) -> Iterator[Incident]:
    """The watcher's own incidents: what is not found any more has ended, and nothing of it is ever taken back.

    For all of it lies before the judged, whatever the clock says now.
    """
    happened, before = _by_fingerprint(found), _by_fingerprint(stored)
    for fingerprint in dict.fromkeys([*before, *happened]):
        known = before[fingerprint]
        whole = ended_here(happened[fingerprint], known, now)
        yield from reconcile(whole, known, _ALWAYS, _NEVER, False, _explained(lambda _: (), bool), now)


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
    return RuleRecord(rule.id, digest, from_epoch(rule.speaks_from(feed)), removed=False)


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
    new_rule: bool,
    feed: FeedHistory,
    stored: Sequence[Incident],
    desk: Desk,
    now: datetime,
    reach: timedelta,
) -> Iterator[Incident]:
    """Every incident of a rule that was judged, whether it changed or not."""
    if record.speaks_from is None or not _read_up(feed, now):
        yield from stored
        return
    since = judged_from(rule, stored, now, reach)
    # Other rules may need more of the same feed; what one rule finds must not depend on them.
    own = feed.cut(to_epoch(rule.look_back(since, desk.defaults)))
    judged = rule.judge_speaking(own, since, desk.defaults, record.speaks_from)
    data_until = feed.data_until
    happened = _by_fingerprint(
        happening for findings in judged for happening in _happenings(rule, findings, data_until, desk.defaults)
    )

    def of_its_series(incident: Incident) -> Iterator[Findings]:
        yield from judged
        yield from rule.judge_whole(own, since, desk.defaults, incident.labels)

    before, explain = _by_fingerprint(stored), _explained(of_its_series, lambda: rule.left_out(own) > 0)
    for fingerprint in dict.fromkeys([*before, *happened]):
        found, known = happened[fingerprint], before[fingerprint]
        whole = reconcile(found, known, since, record.speaks_from, new_rule, explain, now)
        yield from rule.regarded(whole, known, new_rule)


def _by_fingerprint(items: Iterable[Named]) -> dict[str, list[Named]]:
    grouped: dict[str, list[Named]] = defaultdict(list)
    for item in items:
        grouped[item.fingerprint].append(item)
    return grouped


def _happenings(rule: Rule, findings: Findings, data_until: int | None, defaults: FileDefaults) -> Iterator[Happening]:
    patience = rule.patience(findings.part)
    episodes = fold(findings, patience.for_buckets, patience.resolve_buckets)
    for run in runs(findings, episodes, 2 * patience.resolve_buckets):
        over = looks_over(findings, run.latest, patience.resolve_buckets, data_until)
        yield _happening(rule, findings, run, over, defaults)


def _happening(rule: Rule, findings: Findings, run: Run, over: bool, defaults: FileDefaults) -> Happening:
    latest = run.latest
    level = findings.levels[latest.rank - 1]
    evidence = rule.evidence(findings, latest.peak, latest.rank, defaults)
    if run.ended_at is not None:
        after = rule.afterwards(findings, run.started_at, run.ended_at) or evidence.after
        evidence = replace(evidence, whole=rule.whole(findings, run.started_at, run.ended_at), after=after)
    return Happening(
        rule=_name(rule),
        labels=findings.labels,
        part=findings.part,
        period_at=findings.period_at,
        started_at=from_epoch(run.started_at),
        ended_at=None if run.ended_at is None else from_epoch(run.ended_at),
        rank=level.grade,
        severity=level.severity,
        evidence=evidence,
        closed=findings.closed if latest.closes else None,
        looks_over=over,
        quiet=findings.quiet,
        latest=rule.latest(findings) if run.ended_at is None else None,
    )


def _name(rule: Rule) -> RuleName:
    return RuleName(rule.id, rule.kind, rule.title or rule.id, rule.runbook)


def _explained(findings_of: Callable[[Incident], Iterable[Findings]], crowded: Callable[[], bool]) -> Explain:
    """What became of an incident that nothing happened under any more: its bucket then and now.

    `crowded`: whether the rule has more series than it watches.
    """

    def explain(incident: Incident) -> Gone:
        if incident.lessened:
            return Gone(f"{LESSENED}.", revised=True)
        evidence = incident.evidence
        told = quantity(evidence.value, evidence.unit)
        now = next((value for findings in findings_of(incident) for value in _held(findings, incident)), None)
        if now is None and crowded():
            return Gone("It is not among the `max_series` largest series any more.", revised=False)
        if now is None:
            return Gone(f"The source revised it: {told} turned out to be nothing.", revised=True)
        if now != evidence.value:
            return Gone(f"The source revised it: {told} turned out to be {quantity(now, evidence.unit)}.", revised=True)
        if evidence.score is not None:
            return Gone(f"What is usual is known better by now: {told} is not out of it.", revised=False)
        return Gone(f"The source revised the numbers around it: {told} is no alert any more.", revised=True)

    return explain


def _held(findings: Findings, incident: Incident) -> Iterator[float]:
    """What a series holds at the bucket that an incident was told of; nothing for other series."""
    which = (findings.labels, findings.part, findings.period_at)
    if which == (incident.labels, incident.part, incident.period_at):
        at = findings.starts == to_epoch(incident.evidence.until_at) - findings.width
        yield from findings.values[at].tolist()


def _counted(incidents: Iterable[Incident], notifications: Iterable[Notification]) -> list[Incident]:
    """A receiver drops what is older by the sequence: it grows with each decision to tell."""
    told = {key.incident_id for key in notifications if key.reason is not Reason.UPDATED}
    return [replace(each, sequence=each.sequence + 1) if each.id in told else each for each in incidents]


def _watch(
    rules: Iterable[Rule], records: Iterable[RuleRecord], desk: Desk, data_until: Mapping[str, datetime]
) -> Watch:
    """What is watched, for who is greeted; a rule tells whom its levels are routed to."""
    hearers = {
        rule.id: {name for level in rule.levels for name in desk.routes.get(rule.id, {}).get(level.severity, ())}
        for rule in rules
    }
    own = {name for each in meta.RULES for names in desk.routes.get(each, {}).values() for name in names}
    judged = {record.id for record in records if record.id in hearers and record.speaks_from is not None}
    return Watch(hearers, own, judged, max(data_until.values(), default=None))


def _outcome(
    records: Iterable[RuleRecord],
    incidents: Sequence[Incident],
    planned: Plan,
    terms: Terms,
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
    told = taken_back(ledger.told, planned.recalled)
    watch = _watch(rules.values(), records, desk, fresh)
    return Outcome(
        rules=tuple(record for record in records if ledger.rules.get(record.id) != record),
        incidents=tuple(incident for incident in incidents if before.get(incident.id) != incident),
        decisions=tuple(decisions(incidents, before, planned, ledger.told, ledger.held, terms)),
        posts=(
            *greetings(ledger.strangers, watch, desk.form, now),
            *compose(planned.notifications, by_id, told, fresh, desk.form, now),
        ),
        recalled=planned.recalled,
    )
