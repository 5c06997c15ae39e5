"""A source that answers well unless told otherwise, the client that reads it, and the store behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event

from tests.fakes.analytics_faults import AnalyticsFaults, Answer, Seen, Step
from tests.fakes.analytics_pages import bucket, page
from usage_watch.core.feedstate import FeedState
from usage_watch.core.series import DAY, EACH_MEMBER, HOUR, Feed
from usage_watch.fetch import Asking, Fetched, Turn, fetch, silent
from usage_watch.source.client import AnalyticsClient
from usage_watch.store.database import Database
from usage_watch.store.history import HistoryStore

NOW = datetime(2026, 11, 22, 12, 34, 56, tzinfo=UTC)
HOURS, DAYS = Feed("credit_usage", HOUR), Feed("credit_usage", DAY)
QUERIES = Feed("query_volume", HOUR)
MEMBERS = Feed("credit_usage", DAY, EACH_MEMBER)
EVERY = timedelta(minutes=15)
AXES = {"credit_usage": ("Model", "Credit Source"), "query_volume": ("Feature",), "skills": ("Skill",)}


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def counted(seen: Seen, count: int = 7) -> Step:
    """A good answer of v1: `count` in every bucket that was asked for."""
    width = HOUR if seen.query["bucket_width"] == "1h" else DAY
    first = int(seen.query.get("page", seen.query["start_time"]))
    end = int(seen.query["end_time"])
    last = min(end, first + width * int(seen.query["limit"]))
    parts: dict[str, dict[str, int]] = {axis: {} for axis in AXES[seen.query["dataset"]]}
    buckets = [bucket(start, width, count, parts) for start in range(first, last, width)]
    return Answer(page(buckets, AXES[seen.query["dataset"]], str(last) if last < end else None))


@dataclass
class Round:
    """A source that answers well unless told otherwise, and a store of its own."""

    server: AnalyticsFaults
    client: AnalyticsClient
    history: HistoryStore
    fault: Callable[[Seen], Step | None] = lambda seen: None
    keys: Callable[[], str] = lambda: "key"
    stop: Event = field(default_factory=Event)

    def fetch(
        self, *feeds: Feed, at: datetime = NOW, back: timedelta = timedelta(days=3), at_once: bool = False
    ) -> Fetched:
        asking = Asking(feeds or (HOURS,), at - back, EVERY, at_once)
        return fetch(self.client, self.history, asking, at, Turn(self.stop), silent)

    def state(self, feed: Feed = HOURS) -> FeedState:
        return self.history.state(feed)

    @property
    def datasets(self) -> list[str]:
        """What was asked for since last looked at."""
        asked = [seen.query["dataset"] for seen in self.server.seen]
        self.server.seen.clear()
        return asked


@contextmanager
def open_round(database: Database) -> Iterator[Round]:
    """A source on loopback, and all that reads it."""

    def script(seen: Seen) -> Step:
        return made.fault(seen) or counted(seen)

    with AnalyticsFaults(script) as server, AnalyticsClient(server.url, lambda: made.keys(), deadline=5.0) as client:
        made = Round(server, client, HistoryStore(database))
        yield made
