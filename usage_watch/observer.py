"""Whom the daemon's loop tells how it goes: it publishes a snapshot after each turn, and passes on signs of life."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from usage_watch import logs, meta
from usage_watch.channels.base import Verdict
from usage_watch.clock import Clock
from usage_watch.config import Config
from usage_watch.core.series import EVERYONE, Feed
from usage_watch.core.targetstate import LAGS_AFTER
from usage_watch.cycle import Summary
from usage_watch.heartbeat import Heartbeat
from usage_watch.meta.causes import cause_of
from usage_watch.spent import budget_gauges
from usage_watch.statusline import status_line
from usage_watch.store.database import Database
from usage_watch.store.gauges import GaugeStore, Read
from usage_watch.store.history import HistoryStore
from usage_watch.store.locks import beside
from usage_watch.systemd import Supervisor
from usage_watch.vitals import AlertGauge, BudgetGauge, ChannelGauge, FeedGauge, Snapshot, Vitals

T = TypeVar("T", int, float)

SUCCESS = "success"
"""The outcome of a poll that did not fail."""


class Observer:
    """Used by the main thread alone; what it publishes is for all."""

    def __init__(
        self,
        vitals: Vitals,
        config: Config,
        database: Database,
        clock: Clock,
        heartbeat: Heartbeat | None = None,
        supervisor: Supervisor | None = None,
    ) -> None:
        self._vitals, self._config, self._clock = vitals, config, clock
        self.heartbeat = heartbeat
        """Asked while all is well."""
        self._supervisor = supervisor or Supervisor({})
        self._path = database.path
        self._gauges, self._history = GaugeStore(database), HistoryStore(database)
        self._last_poll = self._gauges.last_poll()
        self._polls: Counter[tuple[str, str]] = Counter()
        self._notifications: Counter[tuple[str, str]] = Counter()
        self._turns, self._turned_for = 0, 0.0
        self._budgets: tuple[BudgetGauge, ...] | None = None
        self.heed(config)

    def heed(self, config: Config) -> None:
        """From now on these rules hold; what was counted goes on."""
        self._config, self._budgets = config, None
        # From 0 on: of a series that begins with 1, nobody can tell that it has just risen.
        self._notifications.update({(name, each.value): 0 for name in config.channels for each in Verdict})

    def beat(self) -> None:
        """The main loop goes on."""
        now = self._clock.now()
        sign(now, self._vitals, self._supervisor, self._path)
        snapshot = self._vitals.snapshot
        if self.heartbeat is None or snapshot is None:
            return
        hindered = self._vitals.hindered
        if _well(snapshot, now) if hindered is None else hindered.heard:
            self.heartbeat.beat()

    def turning(self) -> None:
        """A cycle begins."""
        self._vitals.idle.clear()

    def turned(self, summary: Summary, seconds: float) -> None:
        """A cycle is done, and took so long. Whatever is wrong with looking at it, the watch goes on."""
        self._vitals.idle.set()
        self._turns, self._turned_for = self._turns + 1, self._turned_for + seconds
        try:
            self._publish(summary)
        except Exception as error:
            logs.fault("observer", error)
        self.beat()

    def _publish(self, summary: Summary) -> None:
        self._notifications.update((target, verdict.value) for target, verdict in summary.delivered.attempts)
        self._count_polls()
        if summary.fetched.asked or self._budgets is None:
            self._budgets = budget_gauges(self._config, self._history, self._clock.now())
        snapshot, config = self._look(), self._config
        self._vitals.publish(snapshot)
        now = self._clock.now()
        self._supervisor.status(status_line(len(config.enabled), snapshot, summary.next_at, config.timezone, now))

    def _count_polls(self) -> None:
        for number, feed, fault in self._gauges.polls_after(self._last_poll):
            self._last_poll = number
            self._polls[_name(feed), fault or SUCCESS] += 1

    def _look(self) -> Snapshot:
        feeds = self._gauges.feeds()
        return Snapshot(
            feeds=tuple(self._feeds(feeds)),
            alerts=tuple(
                AlertGauge(rule, severity, "acknowledged" if known else "firing", count)
                for rule, severity, known, count in self._gauges.open_alerts()
            ),
            channels=tuple(self._channels()),
            budgets=self._budgets or (),
            polls={(_name(feed), SUCCESS): 0 for feed in self._config.feeds()} | dict(self._polls),
            notifications=dict(self._notifications),
            turns=self._turns,
            turned_for=self._turned_for,
            database_bytes=_size(self._path),
            failing=sum(found.fault is not None for feed, found in feeds.items() if feed in self._config.feeds()),
            accounted=self._accounted(feeds),
        )

    def _feeds(self, found: Mapping[Feed, Read]) -> Iterator[FeedGauge]:
        """The worst under each name, of those that the rules need."""
        needed = [feed for feed in self._config.feeds() if feed in found]
        until = self._gauges.data_until(needed)
        for name, feeds in groupby(sorted(needed, key=_name), _name):
            alike = list(feeds)
            yield FeedGauge(
                name,
                _least(_seconds(found[feed].read_at) for feed in alike),
                _least(until[feed] for feed in alike),
            )

    def _channels(self) -> Iterator[ChannelGauge]:
        waiting = self._gauges.waiting()
        for name in self._config.channels:
            count, oldest_at = waiting.get(name, (0, None))
            yield ChannelGauge(name, count, oldest_at)

    def _accounted(self, found: Mapping[Feed, Read]) -> bool:
        """Whether each feed was read, or somebody was sent why not: nobody else has to notice that by silence."""
        failing = [(feed, cause_of(found[feed].fault)) for feed in self._config.feeds() if feed in found]
        causes = [(cause, cause.scope.labels(feed)) for feed, cause in failing if cause is not None]
        told = self._gauges.told(meta.KIND) if causes else set()
        return all((cause.rule.id, tuple(sorted(labels.items()))) in told for cause, labels in causes)


def sign(now: datetime, vitals: Vitals, supervisor: Supervisor, database: Path) -> None:
    """The main loop lives: for whoever asks, whoever supervises, and whoever looks at a file's age."""
    vitals.beat(now)
    supervisor.alive()
    with suppress(OSError):
        # It needs neither room nor a working database.
        os.utime(beside(database, "daemon"))


def _well(snapshot: Snapshot, now: datetime) -> bool:
    """Whether those elsewhere may rely on being told."""
    return snapshot.accounted and snapshot.waited(now) < LAGS_AFTER.total_seconds()


def _name(feed: Feed) -> str:
    """As people see it elsewhere; but one for all single members, who are no labels."""
    return str(feed) if feed.member is None else f"{replace(feed, scope=EVERYONE)} one-member"


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def _least(found: Iterable[T | None]) -> T | None:
    """None where any is: what was never so is the worst."""
    known = list(found)
    return None if None in known else min(each for each in known if each is not None)


def _size(path: Path) -> int:
    """Bytes of the database, and of what is not yet in its place."""
    total = 0
    for each in (path, path.with_name(f"{path.name}-wal")):
        with suppress(OSError):
            total += each.stat().st_size
    return total
