"""How far each feed was read, and how its polls went."""

from __future__ import annotations

from datetime import datetime, timedelta

from usage_watch.core.feedstate import FeedState
from usage_watch.core.series import Feed
from usage_watch.store.database import Database
from usage_watch.store.times import instant, moment, seconds

POLLS_KEPT = timedelta(days=30)


def state(db: Database, feed_id: int, feed: Feed) -> FeedState:
    """One feed as the store knows it."""
    row = db.one(
        "SELECT read_from, polled_at, retry_at, failures, last_error, "
        "(SELECT min(start) FROM fetch WHERE feed_id = :feed) FROM feed WHERE id = :feed",
        {"feed": feed_id},
    )
    assert row is not None
    read_from, polled_at, retry_at, failures, last_error, oldest = row
    frontier = None if oldest is None else _frontier(db, feed_id, feed.width, oldest)
    begin = min((at for at in (read_from, oldest) if at is not None), default=None)
    return FeedState(feed, moment(begin), moment(frontier), moment(polled_at), moment(retry_at), failures, last_error)


def record_poll(
    db: Database, feed_id: int, at: datetime, error: str | None, retry_at: datetime | None, read_from: datetime | None
) -> None:
    """Note that the feed was asked, with what outcome, and forget outcomes older than 30 days."""
    db.execute(
        "UPDATE feed SET polled_at = :at, retry_at = :retry_at, last_error = :error, "
        "failures = CASE WHEN :error IS NULL THEN 0 ELSE failures + 1 END, "
        "read_from = min(coalesce(read_from, :read_from), coalesce(:read_from, read_from)) WHERE id = :feed",
        {
            "feed": feed_id,
            "at": instant(at),
            "retry_at": retry_at and instant(retry_at),
            "error": error,
            "read_from": read_from and seconds(read_from),
        },
    )
    db.execute(
        "INSERT INTO poll (feed_id, at, ok, detail) VALUES (?, ?, ?, ?)",
        (feed_id, instant(at), int(error is None), error),
    )
    db.execute("DELETE FROM poll WHERE feed_id = ? AND at < ?", (feed_id, instant(at - POLLS_KEPT)))


def _frontier(db: Database, feed_id: int, width: int, oldest: int) -> int | None:
    """End of the last bucket before the first that is missing or not settled; None while nothing is settled."""
    here = {"feed": feed_id, "width": width}
    row = db.one(
        "SELECT coalesce((SELECT min(start) FROM fetch INDEXED BY fetch_unsettled "
        "WHERE feed_id = :feed AND settled_at IS NULL), max(start) + :width) FROM fetch WHERE feed_id = :feed",
        here,
    )
    assert row is not None
    end: int = row[0]
    # Counting is many times faster than looking for a hole, and holes are rare.
    count = db.one("SELECT count(*) FROM fetch WHERE feed_id = :feed AND start < :end", {**here, "end": end})
    if count != ((end - oldest) // width,):
        hole = db.one(
            "SELECT start + :width FROM fetch AS here WHERE feed_id = :feed AND NOT EXISTS "
            "(SELECT 1 FROM fetch AS next WHERE next.feed_id = :feed AND next.start = here.start + :width) "
            "ORDER BY start LIMIT 1",
            here,
        )
        assert hole is not None
        end = hole[0]
    return end if end > oldest else None
