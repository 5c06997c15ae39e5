"""How far a feed was read, what was learned of it, and when it may be asked again: what decides the next fetch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from usage_watch.core.series import Feed
from usage_watch.core.settling import NOTHING_LEARNED, Learned


@dataclass(frozen=True, slots=True)
class FeedState:
    """One feed as the store knows it; a feed that was never asked has nothing but None and 0."""

    feed: Feed
    oldest_at: datetime | None = None
    """From when on it was read: the oldest fetched bucket, or where a window began that was read to its end though the
    source had nothing so old. None while nothing is fetched."""
    frontier_at: datetime | None = None
    """End of the last bucket before the first unsettled one (see `FeedHistory.frontier`); None while nothing is
    settled."""
    polled_at: datetime | None = None
    """When it was last asked, with whatever outcome."""
    read_at: datetime | None = None
    """When it was last read up to the present."""
    retry_at: datetime | None = None
    """Not to be asked before this; None after a success."""
    failures: int = 0
    """Failed attempts in a row; 0 after a success."""
    last_error: str | None = None
    """What the last attempt failed of, in one sentence; None after a success."""
    learned: Learned = NOTHING_LEARNED
    """How late it is, as of the last poll that succeeded."""
    stale_from: datetime | None = None
    """End of the newest bucket with usage, while the sync seems to stand; None while it runs."""


@dataclass(frozen=True, slots=True)
class Poll:
    """One attempt to read a feed."""

    feed: Feed
    at: datetime
    fault: str | None
    """What kept it from being read (a `Fault` of the source, or `drift`); None after a success."""
    detail: str | None
    """The same in one sentence."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Buckets that were never fetched, between some that were."""

    feed: Feed
    start_at: datetime
    end_at: datetime


@dataclass(frozen=True, slots=True)
class LargeRevision:
    """A total that changed by much after it had been taken for final."""

    feed: Feed
    bucket_at: datetime
    """Start of the bucket."""
    before: int
    after: int
    at: datetime
    """When that was learned."""
