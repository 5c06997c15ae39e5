"""One cycle: fetch -> save -> load -> assess -> commit -> deliver. A crash anywhere is mended by running it again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Event
from types import TracebackType
from typing import Self

from usage_watch import logs, meta
from usage_watch.assess import REACH, Desk, Ledger, Outcome, assess, known_from, wanted
from usage_watch.clock import Clock
from usage_watch.config import Config
from usage_watch.core.compose import Form
from usage_watch.core.hello import hello_id
from usage_watch.core.promise import Post, Target
from usage_watch.core.series import Feed
from usage_watch.core.silence import Orders
from usage_watch.core.targetstate import TargetState
from usage_watch.deliver import Delivered, Dispatch
from usage_watch.fetch import Asking, Fetched, Progress, fetch, look_up, seen_at, silent
from usage_watch.meta import Sight
from usage_watch.rules import Rule
from usage_watch.source.client import AnalyticsClient
from usage_watch.source.sync import next_due
from usage_watch.store.alerts import AlertStore
from usage_watch.store.answers import AnswerStore
from usage_watch.store.database import Database
from usage_watch.store.history import HistoryStore
from usage_watch.store.lookups import LookupStore
from usage_watch.store.outbox import Outbox
from usage_watch.store.silences import SilenceStore
from usage_watch.store.targets import TargetStore

SEEN_BACK = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Summary:
    """What one cycle did, and when there is something to do again."""

    fetched: Fetched
    outcome: Outcome
    delivered: Delivered
    next_at: datetime


class Cycle:
    """The six calls, over one rules file, one database and one source. A context manager."""

    def __init__(
        self,
        config: Config,
        database: Database,
        clock: Clock,
        stop: Event,
        environ: Mapping[str, str] = os.environ,
        progress: Progress = silent,
        thorough: bool = False,
    ) -> None:
        """`thorough`: wait for slow channels too, since there may be no later cycle to hear of them in."""
        self._config, self._clock, self._stop = config, clock, stop
        self._progress, self._thorough = progress, thorough
        self._database, self._stores = database, Stores(database)
        self._rules = config.enabled
        self._desk = desk(config)
        self._judged: Outcome | None = None
        self._called = False
        self._ahead = timedelta()
        self._health: Health = ()
        settings = {name: channel.digest for name, channel in config.channels.items()}
        self._stores.targets.keep(settings, clock.now())
        self._exit = ExitStack()
        self._client = self._exit.enter_context(open_client(config, environ))
        dispatch = Dispatch(Outbox(database), config.channels, environ, clock, stop, self._desk.form)
        self._dispatch = self._exit.enter_context(closing(dispatch))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    def run(self) -> Summary:
        """One whole cycle; the same with nothing to fetch when something else is due."""
        now = self._clock.now()
        asking = asking_of(self._config, now)
        fetched = fetch(self._client, self._stores.history, asking, now, self._stop, self._progress)
        if fetched.polled:
            # A clock that jumped ahead must not make anything due, a reminder say.
            self._ahead = now - seen_at(self._client, now)
        at = now - self._ahead
        # Where the source fails, whom to look up waits with all else.
        looked_up = 0 if fetched.failures else self._look_up(now)
        news = looked_up > 0 or self._is_news(fetched, at)
        outcome = self._judge(at) if news else replace(self._known, posts=())
        delivered = self._dispatch.round(thorough=self._thorough)
        if self._has_turned(at):
            # That a channel fails, or is well again, is told at once, through another.
            outcome = self._judge(at, outcome.posts)
            delivered += self._dispatch.round(thorough=self._thorough)
        if self._thorough and not fetched.failures and self._look_up(now):
            outcome = self._judge(at, outcome.posts)
            delivered += self._dispatch.round(thorough=True)
        return Summary(fetched, outcome, delivered, self._next(asking, fetched, outcome, now))

    def called(self) -> bool:
        """Whether another process has written something, a silence say, that this one is to heed."""
        self._called = self._called or self._database.changed_by_others()
        return self._called

    @property
    def _known(self) -> Outcome:
        return self._judged or Outcome()

    def _is_news(self, fetched: Fetched, now: datetime) -> bool:
        """Whether there is anything to judge that was not when it was last done: most wakes are for deliveries."""
        next_at = self._known.next_at
        due = next_at is not None and next_at <= now
        return self.called() or self._judged is None or fetched.asked > 0 or due or self._has_turned(now)

    def _judge(self, now: datetime, posted: Sequence[Post] = ()) -> Outcome:
        """load -> assess -> commit. `posted` is what this cycle has told already."""
        stores, self._called = self._stores, False
        ledger = load_ledger(stores, self._rules, self._desk, now)
        wants = wanted(self._rules, ledger.incidents, self._desk, now, lookups=ledger.lookups)
        sight = load_sight(stores, self._config.feeds(), ledger, now)
        self._health = _health(sight.targets, now)
        found = assess(self._rules, stores.history.load(wants), ledger, self._desk, sight, now)
        more = wanted(self._rules, [*ledger.incidents, *found.incidents], self._desk, now, lookups=ledger.lookups)
        if more != wants:  # what is new is told with its reason, for which more must be known
            found = assess(self._rules, stores.history.load(more), ledger, self._desk, sight, now)
        told = (found.incidents, found.rules, found.decisions, found.posts)
        stores.alerts.commit(*told, now, found.recalled, found.lookups)
        self._judged = replace(found, posts=(*posted, *found.posts))
        return self._judged

    def _has_turned(self, now: datetime) -> bool:
        """Whether it goes otherwise with a channel than when that was last judged."""
        return _health(self._stores.targets.states(now - SEEN_BACK), now) != self._health

    def _look_up(self, now: datetime) -> int:
        """Ask for what is wanted once, so that it can be said who an alert comes from; how many members."""
        stores = self._stores
        return look_up(self._client, stores.history, stores.lookups, now, self._stop)

    def _next(self, asking: Asking, fetched: Fetched, outcome: Outcome, now: datetime) -> datetime:
        states = [self._stores.history.state(feed) for feed in asking.feeds]
        poll_at = next_due(states, now, asking.poll_every)
        due_at = self._dispatch.next_due(self._clock.now())
        news_at = None if outcome.next_at is None else outcome.next_at + self._ahead
        turned_at = now if self._has_turned(now - self._ahead) else None
        waiting = [] if fetched.failures else self._stores.lookups.waiting(now)
        lookup_at = min((max(now, each.retry_at or now) for each in waiting), default=None)
        return min(at for at in (poll_at, due_at, news_at, turned_at, lookup_at) if at is not None)


Health = tuple[tuple[str, bool, bool, bool, int], ...]
"""Of each channel: is it blocked, does it fail and lag, does it lag at all, how many of its messages were given up."""


def _health(targets: Iterable[TargetState], now: datetime) -> Health:
    lagging = ((each, each.lags(now)) for each in targets)
    return tuple(
        (each.name, each.blocked_from is not None, lags and each.failing_from is not None, lags, len(each.given_up))
        for each, lags in lagging
    )


class Stores:
    """What is kept in a database, by its parts."""

    def __init__(self, database: Database) -> None:
        self.history = HistoryStore(database)
        self.alerts = AlertStore(database)
        self.lookups = LookupStore(database)
        self.silences = SilenceStore(database)
        self.answers = AnswerStore(database)
        self.targets = TargetStore(database)


def open_client(config: Config, environ: Mapping[str, str]) -> AnalyticsClient:
    """A client of the source; its key is read anew for each request, so that a rotated one heals by itself."""
    return AnalyticsClient(config.source.base_url, lambda: config.source.api_key.read(environ).reveal())


def asking_of(config: Config, now: datetime) -> Asking:
    """What a rules file says about asking."""
    return Asking(config.feeds(), config.backfill_from(now), config.source.poll_every)


def desk(config: Config) -> Desk:
    """What a rules file says about telling."""
    targets = {
        name: Target(channel.people, channel.edits, channel.members, channel.restate_every is not None)
        for name, channel in config.channels.items()
    }
    styles = {rule.id: rule.style for rule in config.rules}
    form = Form(targets, config.timezone, styles, _flawed, config.list_price)
    return Desk(config.defaults, config.routes, form, config.reminders, config.mutes)


def _flawed(rule_id: str, error: Exception) -> None:
    logs.warning("text_not_filled", rule=rule_id, error=repr(error))


def load_ledger(stores: Stores, rules: Sequence[Rule], desk: Desk, now: datetime) -> Ledger:
    """What earlier cycles committed, as far back as it is judged again, and what people said."""
    alerts, since = stores.alerts, now - REACH
    incidents = alerts.incidents(known_from(rules, alerts.incidents(now), desk, now))
    ids = [incident.id for incident in incidents]
    silences, acks = stores.silences.all(since), stores.silences.acks(ids)
    orders = Orders(silences, acks, expected=stores.answers.expected(), rebased=stores.answers.rebased())
    strangers = alerts.strangers({name: hello_id(name) for name in desk.form.targets})
    lookups = stores.lookups.of(ids)
    return Ledger(alerts.rules(), incidents, alerts.told(ids), orders, alerts.held(ids), strangers, lookups)


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
    )
