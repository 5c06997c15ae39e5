"""Usage history: what the source said, when it said so, and what it said before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from usage_watch.core.feedstate import FeedState
from usage_watch.core.series import Feed, FeedHistory, History, Reading, Width, empty
from usage_watch.store import export, feeds, fetches, grid, values
from usage_watch.store.catalog import Catalog
from usage_watch.store.database import Database
from usage_watch.store.export import ExportRow
from usage_watch.store.times import seconds


@dataclass(frozen=True, slots=True)
class Saved:
    """What a reading brought, in buckets of its feed."""

    new: int
    """Fetched for the first time."""
    changed: int
    """Fetched before, and something that was known of them is different now."""


class HistoryStore:
    """Reads and writes usage history in an open database."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._catalog = Catalog(db)

    def save(self, reading: Reading, seen_at: datetime) -> Saved:
        """Store what one answer said, replacing its buckets as `Reading` describes; all of it or nothing."""
        if not reading.starts:
            return Saved(0, 0)
        try:
            with self._db.transaction():
                return self._save(reading, seconds(seen_at))
        except BaseException:
            self._catalog.forget()
            raise

    def load(self, wants: Mapping[Feed, datetime]) -> History:
        """Each feed from the bucket that holds its time to the newest one that was fetched; empty where none was."""
        return History({feed: self._load(feed, since) for feed, since in wants.items()})

    def feed_states(self) -> list[FeedState]:
        """Every feed that was ever polled or fetched."""
        return [feeds.state(self._db, feed_id, feed) for feed_id, feed in self._catalog.feeds()]

    def state(self, feed: Feed) -> FeedState:
        """One feed; nothing but None and 0 where it is new."""
        feed_id = self._catalog.feed(feed)
        if feed_id is None:
            return FeedState(feed, None, None, None, None, 0, None)
        return feeds.state(self._db, feed_id, feed)

    def record_poll(
        self,
        feed: Feed,
        at: datetime,
        error: str | None,
        retry_at: datetime | None,
        read_from: datetime | None = None,
    ) -> None:
        """Note that a feed was asked; `error` is None after a success, else one sentence.

        `read_from`: where the oldest window began that was read to its end, so that what the source has nothing of is
        not asked for again.
        """
        with self._db.transaction():
            feeds.record_poll(self._db, self._catalog.ensure_feed(feed), at, error, retry_at, read_from)

    def export(
        self, dataset: str | None = None, bucket: Width | None = None, since: datetime | None = None
    ) -> Iterator[ExportRow]:
        """Counts by dataset, bucket width, scope, and in order of start, member, axis and category, as they are read.

        `bucket` is a width in seconds, and `since` the earliest start; None takes all.
        """
        first = None if since is None else seconds(since)
        for feed_id, feed in self._catalog.feeds():
            if dataset in (None, feed.dataset) and bucket in (None, feed.width):
                yield from export.rows(self._db, feed_id, feed, first)

    def categories(self, dataset: str) -> dict[str, set[str]]:
        """Every category that was ever seen in a dataset, by axis."""
        found: dict[str, set[str]] = defaultdict(set)
        rows = self._db.query(
            "SELECT DISTINCT axis, category FROM series JOIN feed ON feed.id = series.feed_id "
            "WHERE dataset = ? AND axis <> ''",
            (dataset,),
        )
        for axis, category in rows:
            found[axis].add(category)
        return dict(found)

    def members(self) -> set[str]:
        """The email of every member of whom anything was ever stored."""
        return {member for (member,) in self._db.query("SELECT DISTINCT member FROM series WHERE member <> ''")}

    def _load(self, feed: Feed, since: datetime) -> FeedHistory:
        feed_id = self._catalog.feed(feed)
        return empty(feed) if feed_id is None else grid.load(self._db, feed_id, feed, seconds(since))

    def _save(self, reading: Reading, at: int) -> Saved:
        feed, first = reading.feed, reading.starts[0]
        feed_id = self._catalog.ensure_feed(feed)
        before = fetches.fetched(self._db, feed_id, reading.starts)
        ids = self._catalog.series(feed_id)
        changed = values.write(self._db, feed_id, reading, ids, before, at)
        still_open = fetches.oldest_open(self._db, feed_id)
        since = first if still_open is None else min(first, still_open)
        totals = values.totals(self._db, feed_id, since)
        fetches.note(self._db, feed_id, reading, before, changed, totals, at)
        fetches.settle(self._db, feed_id, feed.width, since, totals, at)
        return Saved(len(reading.starts) - len(before), len(changed))
