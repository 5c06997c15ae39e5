"""The daemon without the world: cycles of `assess` over histories in memory, and what they commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tests.rules.making import UTC_FILE
from usage_watch.assess import REACH, Desk, Ledger, Outcome, assess
from usage_watch.core.compose import Form
from usage_watch.core.incident import Incident
from usage_watch.core.message import Severity
from usage_watch.core.plan import taken_back
from usage_watch.core.promise import Target, Told
from usage_watch.core.series import FeedHistory, History
from usage_watch.meta import Sight
from usage_watch.rules import Rule
from usage_watch.store.alerts import AlertStore
from usage_watch.store.database import Database
from usage_watch.store.outbox import Outbox

Notify = Sequence[str] | Mapping[str, Sequence[str]]
"""Channels, or channels by severity."""


TARGETS = {"ops": Target(people=True), "board": Target(people=True, edits=True), "pager": Target(people=False)}
"""What the channels of these tests are: `board` can be corrected in place."""


def desk_of(notify: Mapping[str, Notify]) -> Desk:
    """A desk that tells each rule's channels, which are those of `TARGETS`."""
    routes = {rule: _routes(channels) for rule, channels in notify.items()}
    return Desk(UTC_FILE, routes, Form(TARGETS, ZoneInfo("UTC")))


def _routes(notify: Notify) -> Mapping[Severity, Sequence[str]]:
    if isinstance(notify, Mapping):
        return {Severity(severity): channels for severity, channels in notify.items()}
    return dict.fromkeys(Severity, notify)


def applied(ledger: Ledger, outcome: Outcome, now: datetime) -> Ledger:
    """The ledger of the next cycle, as the store would answer it."""
    incidents = {incident.id: incident for incident in [*ledger.incidents, *outcome.incidents]}
    told = [Told(key, post.conversation, now, post.id) for post in outcome.posts for key in post.keys]
    return Ledger(
        orders=ledger.orders,
        held=ledger.held | {each for each in outcome.decisions if not each.told},
        rules={**ledger.rules, **{record.id: record for record in outcome.rules}},
        incidents=sorted(incidents.values(), key=lambda incident: (incident.started_at, incident.id)),
        told=[*taken_back(ledger.told, outcome.recalled), *told],
    )


@dataclass
class Telling:
    """Cycles over one ledger."""

    rules: Sequence[Rule]
    desk: Desk
    ledger: Ledger = field(default_factory=Ledger)
    outcomes: list[tuple[datetime, Outcome]] = field(default_factory=list)
    sight: Sight = field(default_factory=Sight)
    reach: timedelta = REACH

    def cycle(self, feed: FeedHistory, now: datetime) -> Outcome:
        """Judge, and keep what is to be committed."""
        outcome = assess(self.rules, History({feed.feed: feed}), self.ledger, self.desk, self.sight, now, self.reach)
        self.ledger = applied(self.ledger, outcome, now)
        self.outcomes.append((now, outcome))
        return outcome

    def told(self, feed: FeedHistory, now: datetime) -> list[str]:
        """Judge, and answer what is told: `fired ops`, or `fired ops opus` for one series of several."""
        return said(self.cycle(feed, now), self.ledger)

    def restarted(self, database: Database) -> None:
        """Take everything through a real database, in which all is sent as soon as it is decided."""
        store, outbox = AlertStore(database), Outbox(database)
        for now, outcome in self.outcomes:
            store.commit(outcome.incidents, outcome.rules, outcome.decisions, outcome.posts, now, outcome.recalled)
            while rows := outbox.lease(now):
                for row in rows:
                    outbox.record_sent(row, now, None, "", timedelta())
        incidents = store.incidents(datetime.fromtimestamp(0, ZoneInfo("UTC")))
        ids = [incident.id for incident in incidents]
        self.ledger = Ledger(store.rules(), incidents, store.told(ids), self.ledger.orders, store.held(ids))

    @property
    def incidents(self) -> list[Incident]:
        return list(self.ledger.incidents)

    @property
    def one(self) -> Incident:
        """The only incident."""
        (incident,) = self.ledger.incidents
        return incident

    @property
    def why(self) -> list[str]:
        """Every decision's reason, in order."""
        return [decision.why for _, outcome in self.outcomes for decision in outcome.decisions]


def said(outcome: Outcome, ledger: Ledger) -> list[str]:
    """What an outcome tells, and whom."""
    by_id = {incident.id: incident for incident in ledger.incidents}
    keys = [key for post in outcome.posts for key in post.keys]
    return [" ".join([key.reason, key.target, *by_id[key.incident_id].labels.values()]) for key in keys]


def given_up(ledger: Ledger) -> Ledger:
    """The same, but everything that was told turned out to be undeliverable."""
    return replace(ledger, told=[replace(record, counts=False) for record in ledger.told])
