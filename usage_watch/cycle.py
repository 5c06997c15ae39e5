"""One cycle: fetch -> save -> load -> assess -> commit -> deliver. A crash anywhere is mended by running it again."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Event
from types import TracebackType
from typing import Self

from usage_watch import logs
from usage_watch.assess import Outcome
from usage_watch.clock import APART, Clock, true_clock
from usage_watch.config import Config
from usage_watch.core.promise import Post
from usage_watch.deliver import Delivered, Dispatch
from usage_watch.fetch import TURN, Asking, Fetched, Progress, Turn, fetch, look_up, silent
from usage_watch.loading import SEEN_BACK, Health, Stores, health_of, judged, load_ledger, load_sight, retention
from usage_watch.logs.alerts import decided
from usage_watch.source.sync import next_due
from usage_watch.store.database import Database
from usage_watch.store.outbox import Outbox
from usage_watch.store.prune import Pruner
from usage_watch.terms import asking_of, open_client, terms_of


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
        turn: float = TURN,
    ) -> None:
        """`thorough`: read all and wait for slow channels too, since there may be no later cycle to hear of them in.

        `turn`: seconds after which a long round of asking is broken off, to be gone on with in the next cycle.
        """
        self._clock, self._stop, self._environ = true_clock(clock), stop, environ
        self._progress, self._thorough = progress, thorough
        self._turn = math.inf if thorough else turn
        self._database, self._stores, self._pruner = database, Stores(database), Pruner(database)
        self._config, self._terms = config, terms_of(config)
        self._judged: Outcome | None = None
        self._called = False
        self._health: Health = ()
        self._keep_targets(config)
        self._exit = ExitStack()
        self._client = open_client(config, environ)
        self._exit.callback(lambda: self._client.close())
        form = self._terms.desk.form
        dispatch = Dispatch(Outbox(database), config.channels, environ, self._clock, stop, form)
        self._dispatch = self._exit.enter_context(closing(dispatch))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    def run(self) -> Summary:
        """One whole cycle; the same with nothing to fetch when something else is due."""
        self._ask_the_time()
        now = self._clock.now()
        asking = asking_of(self._config, now)
        turn = Turn(self._stop, self._turn)
        self._clock.asking()
        fetched = fetch(self._client, self._stores.history, asking, now, turn, self._progress)
        if self._stop.is_set():
            # What was read is stored, and judged at the next start: whoever ends us does not wait for that.
            return Summary(fetched, Outcome(), Delivered(), now)
        if fetched.asked:
            # A clock that was set must not make anything due, a reminder say, nor undo a silence.
            self._learn(self._client.its_time)
        at = self._clock.now()
        # Where the source fails, whom to look up waits with all else.
        looked_up = 0 if fetched.failures else self._look_up(at)
        news = looked_up > 0 or self._is_news(fetched, at)
        outcome = self._judge(at) if news else replace(self._known, posts=())
        delivered = self._dispatch.round(thorough=self._thorough)
        if self._has_turned(at):
            # That a channel fails, or is well again, is told at once, through another.
            outcome = self._judge(at, outcome.posts)
            delivered += self._dispatch.round(thorough=self._thorough)
        if self._thorough and not fetched.failures and self._look_up(at):
            outcome = self._judge(at, outcome.posts)
            delivered += self._dispatch.round(thorough=True)
        return Summary(fetched, outcome, delivered, self._next(asking, fetched, outcome, at))

    def called(self) -> bool:
        """Whether another process has written something, a silence say, that this one is to heed."""
        self._called = self._called or self._database.changed_by_others()
        return self._called

    def tidy(self) -> bool:
        """Remove some of what is too old to keep, for a quarter of a second; whether more of it is left."""
        now = self._clock.now()
        return self._pruner.some(lambda: retention(self._config, self._stores, now), now)

    def rehearse(self, config: Config) -> Outcome:
        """What the next cycle would have to tell by another rules file. Writes nothing, changes nothing."""
        now, terms = self._clock.now(), terms_of(config)
        ledger = load_ledger(self._stores, terms.rules, terms.desk, now)
        return judged(self._stores, terms, ledger, load_sight(self._stores, terms.feeds, ledger, now), now)

    def heed(self, config: Config) -> None:
        """From now on another rules file holds, over the same database; who is under way with a message goes on."""
        source = self._config.source
        # First what may fail: a disk that is full leaves all as it was, to be tried again.
        self._keep_targets(config)
        self._config, self._terms = config, terms_of(config)
        if config.source != source:
            self._client.close()
            self._client = open_client(config, self._environ)
        self._dispatch.heed(config.channels, self._terms.desk.form)
        self.judge_again()

    def judge_again(self) -> None:
        """The next cycle judges, whether or not it sees a reason to."""
        self._judged = None

    def prove_writable(self) -> None:
        """MachineError unless there is a point in a cycle: each asks the source for what it could not store."""
        self._database.prove_writable()

    def hold(self) -> None:
        """What can be done while nothing can be stored."""
        self._dispatch.hold()

    def _keep_targets(self, config: Config) -> None:
        settings = {name: channel.digest for name, channel in config.channels.items()}
        self._stores.targets.keep(settings, self._clock.now())

    @property
    def _known(self) -> Outcome:
        return self._judged or Outcome()

    def _ask_the_time(self) -> None:
        """Where the clock was set: before anything is asked for, judged or told by it."""
        if self._terms.feeds and self._clock.in_doubt():
            self._learn(self._client.told_time(self._terms.feeds[0], self._clock.now()))

    def _learn(self, its_time: datetime | None) -> None:
        """What time it is. That the machine's clock is wrong is said once, until it is right or wrong by more."""
        before = self._clock.off
        self._clock.learn(its_time)
        off = self._clock.off
        if off and abs(off - before) > APART:
            logs.warning("clock.corrected", ahead_by=off)
        elif before and not off:
            logs.event("clock.trusted")

    def _is_news(self, fetched: Fetched, now: datetime) -> bool:
        """Whether there is anything to judge that was not when it was last done: most wakes are for deliveries."""
        next_at = self._known.next_at
        due = next_at is not None and next_at <= now
        return self.called() or self._judged is None or fetched.asked > 0 or due or self._has_turned(now)

    def _judge(self, now: datetime, posted: Sequence[Post] = ()) -> Outcome:
        """load -> assess -> commit. `posted` is what this cycle has told already."""
        stores, terms, self._called = self._stores, self._terms, False
        ledger = load_ledger(stores, terms.rules, terms.desk, now)
        sight = load_sight(stores, terms.feeds, ledger, now)
        self._health = health_of(sight.targets, now)
        found = judged(stores, terms, ledger, sight, now)
        told = (found.incidents, found.rules, found.decisions, found.posts)
        stores.alerts.commit(*told, now, found.recalled, found.lookups)
        decided(found.decisions, {each.id: each for each in (*ledger.incidents, *found.incidents)})
        self._judged = replace(found, posts=(*posted, *found.posts))
        return self._judged

    def _has_turned(self, now: datetime) -> bool:
        """Whether it goes otherwise with a channel than when that was last judged."""
        return health_of(self._stores.targets.states(now - SEEN_BACK), now) != self._health

    def _look_up(self, now: datetime) -> int:
        """Ask for what is wanted once, so that it can be said who an alert comes from; how many members."""
        stores = self._stores
        return look_up(self._client, stores.history, stores.lookups, now, self._stop)

    def _next(self, asking: Asking, fetched: Fetched, outcome: Outcome, now: datetime) -> datetime:
        history = self._stores.history
        states = [history.state(feed) for feed in asking.feeds if not history.forgets(feed)]
        poll_at = next_due(states, now, asking.poll_every)
        due_at = self._dispatch.next_due(self._clock.now())
        turned_at = now if self._has_turned(now) else None
        waiting = [] if fetched.failures else self._stores.lookups.waiting(now)
        lookup_at = min((max(now, each.retry_at or now) for each in waiting), default=None)
        return min(at for at in (poll_at, due_at, outcome.next_at, turned_at, lookup_at) if at is not None)
