"""Usage history: what the source said, when it said so, and what it said before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from usage_watch.core.feedstate import FeedState, Gap, LargeRevision, Poll
from usage_watch.core.series import EVERYONE, Feed, FeedHistory, History, Reading, Width, empty
from usage_watch.store import export, feeds, fetches, grid, learning, replay, values
from usage_watch.store.catalog import Catalog
from usage_watch.store.database import Database
from usage_watch.store.export import ExportRow
from usage_watch.store.forgotten import Forgotten
from usage_watch.store.replay import Knowledge
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
        self._forgotten = Forgotten(db)

    def forgets(self, feed: Feed) -> bool:
        """Whether nothing of a feed is ever stored: its member was forgotten."""
        return self._forgotten.covers(feed)

    def removals(self) -> int:
        """How often data of members was removed."""
        return self._forgotten.removals()

    def save(self, reading: Reading, seen_at: datetime) -> Saved:
        """Store what one answer said, replacing its buckets as `Reading` describes; all of it or nothing.

        But nothing of members who were forgotten.
        """
        if not reading.starts:
            return Saved(0, 0)
        try:
            with self._db.transaction():
                if self.forgets(reading.feed):
                    return Saved(0, 0)
                return self._save(self._forgotten.without(reading), seconds(seen_at))
        except BaseException:
            self._catalog.forget()
            raise

    def load(self, wants: Mapping[Feed, datetime]) -> History:
        """Each feed from the bucket that holds its time to the newest one that was fetched; empty where none was."""
        return History({feed: self._load(feed, since) for feed, since in wants.items()})

    def load_member(self, feed: Feed, member: str, since: datetime) -> FeedHistory:
        """The same of one feed and one of its members, without all others."""
        feed_id = self._catalog.feed(feed)
        return empty(feed) if feed_id is None else grid.load(self._db, feed_id, feed, seconds(since), member)

    def used_by_member(self, feed: Feed, since: datetime) -> dict[str, int]:
        """What each member used in all from the bucket on that holds `since`; nobody who used nothing."""
        feed_id = self._catalog.feed(feed)
        first = seconds(since) // feed.width * feed.width
        return {} if feed_id is None else values.by_member(self._db, feed_id, first)

    def knowledge(self, wants: Mapping[Feed, datetime]) -> dict[Feed, Knowledge]:
        """All that was ever known of each feed from its time on, and since when: what `load` answered at any moment."""
        ids = {feed: self._catalog.feed(feed) for feed in wants}
        return {feed: replay.load(self._db, ids[feed], feed, seconds(since)) for feed, since in wants.items()}

    def feed_states(self) -> list[FeedState]:
        """Every feed that was ever polled or fetched."""
        return [feeds.state(self._db, feed_id, feed) for feed_id, feed in self._catalog.feeds()]

    def state(self, feed: Feed) -> FeedState:
        """One feed; nothing but None and 0 where it is new."""
        feed_id = self._catalog.feed(feed)
        if feed_id is None:
            return FeedState(feed)
        return feeds.state(self._db, feed_id, feed)

    def read_up(self, feed: Feed, at: datetime, seen_at: datetime, poll_every: timedelta, read_from: datetime) -> None:
        """Note that a feed was read up to the present, learn how late it is, and settle what is final by now.

        `seen_at`: when the source said so, by its own clock if that is trusted more; `poll_every`: how often the feed
        is asked. `read_from`: where the oldest window began that was read to its end, so that what the source has
        nothing of is not asked for again.
        """
        with self._db.transaction():
            if self.forgets(feed):
                return
            feed_id = self._catalog.ensure_feed(feed)
            feeds.succeeded(self._db, feed_id, at, read_from)
            learning.settle_feed(self._db, feed_id, feed, poll_every, seconds(seen_at))

    def failed(self, feed: Feed, at: datetime, fault: str, error: str, retry_at: datetime) -> None:
        """Note that a feed could not be read: for which kind of reason, and why in one sentence."""
        with self._db.transaction():
            if not self.forgets(feed):
                feeds.failed(self._db, self._catalog.ensure_feed(feed), at, fault, error, retry_at)

    def keep_oddity(self, feed: Feed, at: datetime, detail: str, body: bytes) -> None:
        """Keep an answer that is not what the contract promises, for a human to look at; only the newest of a feed."""
        with self._db.transaction():
            if not self.forgets(feed):
                body = self._forgotten.veiled(body)
                feeds.keep_oddity(self._db, self._catalog.ensure_feed(feed), at, detail, body)

    def polls(self, since: datetime) -> list[Poll]:
        """Every attempt to read a feed at `since` or later, oldest first."""
        return feeds.polls(self._db, since)

    def unread(self, feed: Feed) -> list[tuple[datetime, datetime]]:
        """What a backfill that was broken off left to be read, between what was fetched: [start, end), oldest first."""
        feed_id = self._catalog.feed(feed)
        return [] if feed_id is None else list(feeds.unread(self._db, feed_id, feed))

    def gaps(self) -> list[Gap]:
        """What was asked for and never came for a week, between what did."""
        return [gap for feed_id, feed in self._catalog.feeds() for gap in feeds.gaps(self._db, feed_id, feed)]

    def large_revisions(self, since: datetime) -> list[LargeRevision]:
        """Totals of everyone that changed by over 5 % and 10 units once settled, learned at `since` or later."""
        return [
            revision
            for feed_id, feed in self._catalog.feeds()
            if feed.scope == EVERYONE
            for revision in learning.large_revisions(self._db, feed_id, feed, seconds(since))
        ]

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
        feed = reading.feed
        feed_id = self._catalog.ensure_feed(feed)
        before = fetches.fetched(self._db, feed_id, reading.starts)
        ids = self._catalog.series(feed_id)
        changed = values.write(self._db, feed_id, reading, ids, before, at)
        totals = values.totals(self._db, feed_id, reading.starts[0], reading.starts[-1])
        fetches.note(self._db, feed_id, reading, before, changed, totals, at)
        fetches.settle_old(self._db, feed_id, reading, at)
        return Saved(len(reading.starts) - len(before), len(changed))
