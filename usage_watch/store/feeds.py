"""How far each feed was read, and how its polls went."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from usage_watch.core.feedstate import FeedState, Gap, Poll
from usage_watch.core.series import DAY, HOLES_OPEN_FOR, Feed
from usage_watch.core.settling import Learned
from usage_watch.store.database import Database
from usage_watch.store.times import instant, moment, seconds
from usage_watch.store.values import LATEST

POLLS_KEPT = timedelta(days=30)
IN_REACH = 90 * DAY
"""Seconds that the source goes back."""
ODDITY_BYTES = 64 * 1024
"""How much of an odd answer is kept."""

_HOLES = """
SELECT following - gap, following FROM (
    SELECT start AS following, start - lag(start) OVER (ORDER BY start) - :width AS gap
    FROM fetch WHERE feed_id = :feed AND start >= :since
)
WHERE gap > 0 AND following > :after AND following <= :until ORDER BY following
"""
_MISSING = """
SELECT (max(start) - min(start)) / :width + 1 - count(*) FROM fetch WHERE feed_id = :feed AND start >= :since
"""
_FIRST_HOLE = """
SELECT min(end) FROM (
    SELECT :since AS end WHERE NOT EXISTS (SELECT 1 FROM fetch WHERE feed_id = :feed AND start = :since)
    UNION ALL
    SELECT min(start) + :width FROM fetch AS here WHERE feed_id = :feed AND start >= :since AND NOT EXISTS
        (SELECT 1 FROM fetch AS next WHERE next.feed_id = :feed AND next.start = here.start + :width)
)
"""


def state(db: Database, feed_id: int, feed: Feed) -> FeedState:
    """One feed as the store knows it."""
    row = db.one(
        "SELECT read_from, polled_at, read_at, retry_at, failures, last_error, stale_from, "
        "usual_lag, lag_from, zero_age, zeros_from, still_for, "
        "(SELECT min(start) FROM fetch WHERE feed_id = :feed) FROM feed WHERE id = :feed",
        {"feed": feed_id},
    )
    assert row is not None
    read_from, polled_at, read_at, retry_at, failures, last_error, stale_from, *learned, oldest = row
    begin = min((at for at in (read_from, oldest) if at is not None), default=None)
    return FeedState(
        feed=feed,
        oldest_at=moment(begin),
        frontier_at=moment(None if oldest is None else _frontier(db, feed_id, feed.width, oldest)),
        polled_at=moment(polled_at),
        read_at=moment(read_at),
        retry_at=moment(retry_at),
        failures=failures,
        last_error=last_error,
        learned=Learned() if learned[0] is None else Learned(*learned),
        stale_from=moment(stale_from),
    )


def succeeded(db: Database, feed_id: int, at: datetime, read_from: datetime) -> None:
    """Note that the feed was read to its end, from `read_from` on at the oldest."""
    db.execute(
        "UPDATE feed SET polled_at = :at, read_at = :at, retry_at = NULL, last_error = NULL, failures = 0, "
        "read_from = min(coalesce(read_from, :read_from), :read_from) WHERE id = :feed",
        {"feed": feed_id, "at": instant(at), "read_from": seconds(read_from)},
    )
    _record(db, feed_id, at, None, None)


def failed(db: Database, feed_id: int, at: datetime, fault: str, error: str, retry_at: datetime) -> None:
    """Note that the feed could not be read."""
    db.execute(
        "UPDATE feed SET polled_at = ?, retry_at = ?, last_error = ?, failures = failures + 1 WHERE id = ?",
        (instant(at), instant(retry_at), error, feed_id),
    )
    _record(db, feed_id, at, fault, error)


def _record(db: Database, feed_id: int, at: datetime, fault: str | None, detail: str | None) -> None:
    """Add an outcome, and forget those older than 30 days."""
    db.execute(
        "INSERT INTO poll (feed_id, at, fault, detail) VALUES (?, ?, ?, ?)", (feed_id, instant(at), fault, detail)
    )
    db.execute("DELETE FROM poll WHERE feed_id = ? AND at < ?", (feed_id, instant(at - POLLS_KEPT)))


def polls(db: Database, since: datetime) -> list[Poll]:
    """Every outcome at `since` or later, oldest first."""
    rows = db.query(
        "SELECT dataset, width, scope, at, fault, detail FROM feed CROSS JOIN poll ON feed.id = feed_id "
        "WHERE at >= ? ORDER BY at, poll.id",
        (instant(since),),
    )
    return [Poll(Feed(*feed), moment(at), fault, detail) for *feed, at, fault, detail in rows]


def keep_oddity(db: Database, feed_id: int, at: datetime, detail: str, body: bytes) -> None:
    """Keep an odd answer in place of the one before."""
    db.execute(
        "INSERT INTO oddity (feed_id, at, detail, body) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (feed_id) DO UPDATE SET at = excluded.at, detail = excluded.detail, body = excluded.body",
        (feed_id, instant(at), detail, body[:ODDITY_BYTES]),
    )


def gaps(db: Database, feed_id: int, feed: Feed) -> Iterator[Gap]:
    """Holes in what was read to its end, which ended a week or more before the newest bucket; oldest first.

    Those that the source does not reach back to any more are over.
    """
    read_from, _, newest = _read(db, feed_id)
    if read_from is not None and newest is not None:
        since = max(read_from, newest - IN_REACH)
        for start, end in _holes(db, feed_id, feed.width, since, newest + feed.width - HOLES_OPEN_FOR):
            yield Gap(feed, start, end)


def unread(db: Database, feed_id: int, feed: Feed) -> Iterator[tuple[datetime, datetime]]:
    """Holes before what was ever read to its end, oldest first."""
    read_from, oldest, _ = _read(db, feed_id)
    if oldest is not None and (read_from is None or oldest < read_from):
        yield from _holes(db, feed_id, feed.width, oldest, LATEST if read_from is None else read_from)


def _read(db: Database, feed_id: int) -> tuple[int | None, int | None, int | None]:
    """Where the feed was ever read from to its end, and its oldest and newest fetched buckets."""
    row = db.one(
        "SELECT read_from, (SELECT min(start) FROM fetch WHERE feed_id = :feed), "
        "(SELECT max(start) FROM fetch WHERE feed_id = :feed) FROM feed WHERE id = :feed",
        {"feed": feed_id},
    )
    assert row is not None
    return row[0], row[1], row[2]


def _holes(db: Database, feed_id: int, width: int, after: int, until: int) -> Iterator[tuple[datetime, datetime]]:
    """What is missing between fetched buckets, as far as it ends after `after` and no later than `until`."""
    # From the bucket before it on, and no further back: this is done at each cycle, however long the history is.
    here = {"feed": feed_id, "width": width, "after": after, "until": until}
    found = db.one("SELECT coalesce(max(start), 0) FROM fetch WHERE feed_id = :feed AND start <= :after", here)
    here |= {"since": 0 if found is None else found[0]}
    # As below: counting is many times faster than looking.
    if db.one(_MISSING, here) == (0,):
        return
    for start, end in db.query(_HOLES, here):
        yield moment(start), moment(end)


def _frontier(db: Database, feed_id: int, width: int, oldest: int) -> int | None:
    """End of the last bucket before the first that is not settled, or is missing and not given up for lost.

    None while nothing is settled.
    """
    row = db.one(
        "SELECT coalesce((SELECT min(start) FROM fetch INDEXED BY fetch_unsettled "
        "WHERE feed_id = :feed AND settled_at IS NULL), max(start) + :width), max(start) + :width - :kept_open "
        "FROM fetch WHERE feed_id = :feed",
        {"feed": feed_id, "width": width, "kept_open": HOLES_OPEN_FOR},
    )
    assert row is not None
    end: int = row[0]
    since = max(oldest, row[1] - row[1] % width)
    here = {"feed": feed_id, "width": width, "since": since, "end": end}
    # Counting is many times faster than looking for a hole, and holes are rare.
    count = db.one("SELECT count(*) FROM fetch WHERE feed_id = :feed AND start >= :since AND start < :end", here)
    if since < end and count != ((end - since) // width,):
        hole = db.one(_FIRST_HOLE, here)
        assert hole is not None
        end = hole[0]
    return end if end > oldest else None
