"""What an observer knows of a feed at each poll: ours by the program's own functions, the others by one rule each."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

import numpy as np

from latedata.world import BEGIN, World
from usage_watch.core.aging import Aging, seen_again, seen_first
from usage_watch.core.feedstate import FeedState
from usage_watch.core.series import DAY, HOUR, Feed, FeedHistory, Ints, SeriesKey
from usage_watch.core.settling import LEARNED_OVER, NEVER, WEEKS, Watch, learn, settle, stale_from
from usage_watch.core.units import from_epoch, to_epoch
from usage_watch.source.sync import wanted

FEED = Feed("credit_usage", HOUR)
POLL_EVERY = timedelta(minutes=15)
_LOOKED_AT = max(LEARNED_OVER, (WEEKS + 1) * 7 * DAY)


class Observer(Protocol):
    """Sees what a source shows, and says what of it may be judged."""

    def poll(self, shown: Ints, complete: int, at: int) -> FeedHistory | None:
        """What is known now; None where nothing changed. `shown`: every hour; the first so many are `complete`."""


class Delayed:
    """Waits a fixed time after an hour's end, and takes what there is then for final."""

    def __init__(self, world: World, hours: int) -> None:
        self._starts, self._delay = world.starts, hours
        self._seen = np.zeros(0, dtype=np.int64)

    def poll(self, shown: Ints, complete: int, at: int) -> FeedHistory | None:
        """Every hour that is old enough, as it is shown now."""
        seen = shown[: complete - self._delay]
        if np.array_equal(seen, self._seen):
            return None
        self._seen = seen.copy()
        return history(self._starts, self._seen)


def history(starts: Ints, counts: Ints) -> FeedHistory:
    """Counts of which all is settled."""
    yes = np.ones(len(counts), dtype=bool)
    return FeedHistory(FEED, starts[: len(counts)], yes, yes, yes, {}, {SeriesKey(FEED): counts})


class Settled:
    """The program's own: re-reads, ages, learns and settles as its store does, in memory."""

    def __init__(self, world: World) -> None:
        self._starts = world.starts
        self._counts = np.zeros(len(world.starts), dtype=np.int64)
        self._since = np.zeros(len(world.starts), dtype=np.int64)
        self._aging: list[Aging] = []
        self._aged = np.zeros(len(world.starts), dtype=bool)
        self._columns = np.full((len(world.starts), 7), NEVER, dtype=np.int64)
        """Those of a `Watch` after `starts` and `totals`."""
        self._revised: list[tuple[int, int]] = []
        """Start, and how long its value stood before it was revised though settled."""
        self._state = FeedState(FEED)
        self._changed = False

    def poll(self, shown: Ints, complete: int, at: int) -> FeedHistory | None:
        """Read what is due, and settle."""
        now, known = from_epoch(at), len(self._aging)
        for start_at, end_at in wanted(self._state, now, POLL_EVERY, from_epoch(BEGIN)):
            self._read(shown, (to_epoch(start_at) - BEGIN) // HOUR, (to_epoch(end_at) - BEGIN) // HOUR, at)
        settled = self._settle(at)
        changed, self._changed = self._changed or settled or len(self._aging) > known, False
        feed = self._history()
        self._state = FeedState(FEED, from_epoch(BEGIN), _moment(feed.frontier), now, now)
        return feed if changed else None

    def _read(self, shown: Ints, first: int, stop: int, at: int) -> None:
        counts = shown[first:stop].tolist()
        for index, (count, before) in enumerate(zip(counts, self._counts[first:stop].tolist(), strict=True), first):
            if index == len(self._aging):
                self._aging.append(seen_first(count > 0, {}, at))
                self._since[index] = at
                continue
            self._aging[index] = seen_again(self._aging[index], count > 0, count != before, {}, at)
            if count != before:
                self._revise(index, before, at)
        self._counts[first:stop] = counts
        self._columns[first:stop, :6] = np.array([_columns(aging) for aging in self._aging[first:stop]])

    def _revise(self, index: int, before: int, at: int) -> None:
        self._changed = True
        if before > 0 and NEVER < self._columns[index, 6] < at:
            self._revised.append((int(self._starts[index]), at - int(self._since[index])))
        self._since[index] = at

    def _settle(self, at: int) -> bool:
        """As `store.learning` does; whether anything is settled that was not."""
        stop = len(self._aging)
        opened = np.flatnonzero(self._columns[:stop, 6] == NEVER)
        looked_at = max((at - _LOOKED_AT - BEGIN) // HOUR, 0)
        part = slice(min(looked_at, int(opened[0])) if len(opened) else looked_at, stop)
        watch = Watch(self._starts[part], self._counts[part], *self._columns[part].T)
        still_for = max((stood for start, stood in self._revised if start >= at - LEARNED_OVER), default=0)
        learned = learn(watch, HOUR, int(POLL_EVERY.total_seconds()), at, still_for)
        stale = stale_from(watch.starts, watch.totals, HOUR, learned.usual_lag, at) is not None
        found = settle(watch, HOUR, learned, stale)
        new = found.settled & (watch.settled_at == NEVER)
        new_aged = found.aged & ~self._aged[part]
        self._columns[part, 6][new] = at
        self._aged[part][new_aged] = True
        return bool((new | new_aged).any())

    def _history(self) -> FeedHistory:
        stop = len(self._aging)
        return FeedHistory(
            FEED,
            self._starts[:stop],
            np.ones(stop, dtype=bool),
            self._columns[:stop, 6] != NEVER,
            self._aged[:stop],
            {},
            {SeriesKey(FEED): self._counts[:stop]},
        )


def _columns(aging: Aging) -> tuple[int, ...]:
    return (
        aging.first_seen_at,
        aging.seen_at,
        NEVER if aging.nonzero_at is None else aging.nonzero_at,
        NEVER if aging.zero_gap is None else aging.zero_gap,
        aging.changed_at,
        aging.unchanged_polls,
    )


def _moment(at: int | None) -> datetime | None:
    return None if at is None else from_epoch(at)
