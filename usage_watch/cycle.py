"""One cycle: fetch -> save -> load -> assess -> commit -> deliver. A crash anywhere is mended by running it again."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event
from types import TracebackType
from typing import Self

from usage_watch import meta
from usage_watch.assess import Desk, Ledger, Outcome, assess, known_from, wanted
from usage_watch.clock import Clock
from usage_watch.config import Config
from usage_watch.core.compose import Form
from usage_watch.core.plan import Target
from usage_watch.core.series import Feed
from usage_watch.deliver import Delivered, deliver
from usage_watch.fetch import Asking, Fetched, Progress, fetch, silent
from usage_watch.meta import Sight
from usage_watch.rules import Rule
from usage_watch.source.client import AnalyticsClient
from usage_watch.source.sync import next_due
from usage_watch.store.alerts import AlertStore
from usage_watch.store.database import Database
from usage_watch.store.history import HistoryStore
from usage_watch.store.outbox import Outbox

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
    ) -> None:
        self._config, self._clock, self._stop = config, clock, stop
        self._environ, self._progress = environ, progress
        self._history, self._alerts, self._outbox = HistoryStore(database), AlertStore(database), Outbox(database)
        self._rules = config.enabled
        self._desk = desk(config)
        self._exit = ExitStack()
        self._client = self._exit.enter_context(open_client(config, environ))

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
        fetched = fetch(self._client, self._history, asking, now, self._stop, self._progress)
        outcome = self._judge(now)
        delivered = deliver(self._outbox, self._config.channels, self._environ, self._clock, self._stop)
        return Summary(fetched, outcome, delivered, self._next(asking, outcome, now))

    def _judge(self, now: datetime) -> Outcome:
        """load -> assess -> commit."""
        ledger = load_ledger(self._alerts, self._rules, self._desk, now)
        history = self._history.load(wanted(self._rules, ledger.incidents, self._desk, now))
        sight = load_sight(self._history, self._config.feeds(), ledger, now)
        outcome = assess(self._rules, history, ledger, self._desk, sight, now)
        self._alerts.commit(outcome.incidents, outcome.rules, outcome.decisions, outcome.posts, now)
        return outcome

    def _next(self, asking: Asking, outcome: Outcome, now: datetime) -> datetime:
        states = [self._history.state(feed) for feed in asking.feeds]
        poll_at = next_due(states, now, asking.poll_every)
        return min(at for at in (poll_at, self._outbox.next_due(), outcome.next_at) if at is not None)


def open_client(config: Config, environ: Mapping[str, str]) -> AnalyticsClient:
    """A client of the source; its key is read anew for each request, so that a rotated one heals by itself."""
    return AnalyticsClient(config.source.base_url, lambda: config.source.api_key.read(environ).reveal())


def asking_of(config: Config, now: datetime) -> Asking:
    """What a rules file says about asking."""
    return Asking(config.feeds(), config.backfill_from(now), config.source.poll_every)


def desk(config: Config) -> Desk:
    """What a rules file says about telling."""
    targets = {name: Target(channel.people, channel.edits) for name, channel in config.channels.items()}
    return Desk(config.defaults, config.routes, Form(targets, config.timezone))


def load_ledger(alerts: AlertStore, rules: Sequence[Rule], desk: Desk, now: datetime) -> Ledger:
    """What earlier cycles committed, as far back as it is judged again."""
    incidents = alerts.incidents(known_from(rules, alerts.incidents(now), desk, now))
    return Ledger(alerts.rules(), incidents, alerts.told([incident.id for incident in incidents]))


def load_sight(history: HistoryStore, feeds: Sequence[Feed], ledger: Ledger, now: datetime) -> Sight:
    """What the watcher can see of itself: of the last two days, and of as long as something of its own is open."""
    since = now - SEEN_BACK
    own = [incident.started_at for incident in ledger.incidents if incident.open and incident.rule.kind == meta.KIND]
    return Sight(
        polls=history.polls(min([since, *own])),
        feeds=[history.state(feed) for feed in feeds],
        gaps=history.gaps(),
        revisions=history.large_revisions(since),
    )
