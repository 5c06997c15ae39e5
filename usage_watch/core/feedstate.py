"""How far a feed was read, and when it may be asked again: what decides the next fetch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from usage_watch.core.series import Feed


@dataclass(frozen=True, slots=True)
class FeedState:
    """One feed as the store knows it; a feed that was never asked has nothing but None and 0."""

    feed: Feed
    oldest_at: datetime | None
    """From when on it was read: the oldest fetched bucket, or where a window began that was read to its end though the
    source had nothing so old. None while nothing is fetched."""
    frontier_at: datetime | None
    """End of the last bucket before the first unsettled one (a hole is unsettled); None while nothing is settled."""
    polled_at: datetime | None
    """When it was last asked, with whatever outcome."""
    retry_at: datetime | None
    """Not to be asked before this; None after a success."""
    failures: int
    """Failed attempts in a row; 0 after a success."""
    last_error: str | None
    """What the last attempt failed of, in one sentence; None after a success."""
