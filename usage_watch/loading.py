"""load: what is stored, as those need it who judge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from usage_watch import meta
from usage_watch.assess import REACH, Desk, Ledger, Outcome, assess, known_from, wanted
from usage_watch.config import Config
from usage_watch.core.hello import hello_id
from usage_watch.core.series import Feed
from usage_watch.core.silence import Orders
from usage_watch.core.targetstate import TargetState
from usage_watch.meta import Sight
from usage_watch.rules import Rule
from usage_watch.store.alerts import AlertStore
from usage_watch.store.answers import AnswerStore
from usage_watch.store.database import Database
from usage_watch.store.history import HistoryStore
from usage_watch.store.lookups import LookupStore
from usage_watch.store.policy import Policy
from usage_watch.store.reads import ReadStore
from usage_watch.store.silences import SilenceStore
from usage_watch.store.targets import TargetStore
from usage_watch.terms import Terms, terms_of

SEEN_BACK = timedelta(days=2)


class Stores:
    """What is kept in a database, by its parts."""

    def __init__(self, database: Database) -> None:
        self.history = HistoryStore(database)
        self.alerts = AlertStore(database)
        self.lookups = LookupStore(database)
        self.silences = SilenceStore(database)
        self.answers = AnswerStore(database)
        self.targets = TargetStore(database)
        self.reads = ReadStore(database)


def judged(stores: Stores, terms: Terms, ledger: Ledger, sight: Sight, now: datetime) -> Outcome:
    """load -> assess: what there is to commit. Writes nothing."""
    rules, desk_ = terms.rules, terms.desk
    wants = wanted(rules, ledger.incidents, desk_, now, lookups=ledger.lookups)
    found = assess(rules, stores.history.load(wants), ledger, desk_, sight, now)
    more = wanted(rules, [*ledger.incidents, *found.incidents], desk_, now, lookups=ledger.lookups)
    if more != wants:  # what is new is told with its reason, for which more must be known
        found = assess(rules, stores.history.load(more), ledger, desk_, sight, now)
    return found


def load_ledger(stores: Stores, rules: Sequence[Rule], desk: Desk, now: datetime) -> Ledger:
    """What earlier cycles committed, as far back as it is judged again, and what people said."""
    alerts, since = stores.alerts, now - REACH
    incidents = alerts.incidents(known_from(rules, alerts.incidents(now), desk, now))
    ids = [incident.id for incident in incidents]
    silences, acks = stores.silences.all(since), stores.silences.acks(ids)
    orders = Orders(silences, acks, expected=stores.answers.expected(), rebased=stores.answers.rebased())
    strangers = alerts.strangers({name: hello_id(name) for name in desk.form.targets})
    lookups = stores.lookups.of(ids)
    told, held, removals = alerts.told(ids), alerts.held(ids), stores.history.removals()
    return Ledger(alerts.rules(), incidents, told, orders, held, strangers, lookups, removals)


def load_sight(stores: Stores, feeds: Sequence[Feed], ledger: Ledger, now: datetime) -> Sight:
    """What the watcher can see of itself: of the last two days, and of as long as something of its own is open."""
    history, since = stores.history, now - SEEN_BACK
    own = [incident.started_at for incident in ledger.incidents if incident.open and incident.rule.kind == meta.KIND]
    return Sight(
        polls=history.polls(min([since, *own])),
        feeds=[history.state(feed) for feed in feeds],
        gaps=history.gaps(),
        revisions=history.large_revisions(since),
        targets=stores.targets.states(since),
        late_since=meta.late_since(ledger.incidents),
        refused=stores.reads.refused(),
    )


def retention(config: Config, stores: Stores, now: datetime) -> Policy:
    """What may be thrown away, and what is looked at still."""
    terms = terms_of(config)
    rules, told = terms.rules, terms.desk
    ledger = load_ledger(stores, rules, told, now)
    return Policy(
        keep=config.store.keep,
        keep_members=config.store.members,
        needed=wanted(rules, ledger.incidents, told, now, lookups=ledger.lookups),
        polled=frozenset(terms.feeds),
        backfill_from=config.backfill_from(now),
        alerts_from=known_from(rules, [each for each in ledger.incidents if each.open], told, now),
    )


Health = tuple[tuple[str, bool, bool, bool, int], ...]
"""Of each channel: is it blocked, does it fail and lag, does it lag at all, how many of its messages were given up."""


def health_of(targets: Iterable[TargetState], now: datetime) -> Health:
    """What of the channels' state is news where it changes."""
    lagging = ((each, each.lags(now)) for each in targets)
    return tuple(
        (each.name, each.blocked_from is not None, lags and each.failing_from is not None, lags, len(each.given_up))
        for each, lags in lagging
    )
