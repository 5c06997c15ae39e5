"""What the polls of a feed have taught about it, and so what is final: `core.settling` over stored rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np

from usage_watch.core.feedstate import LargeRevision
from usage_watch.core.series import DAY, Feed
from usage_watch.core.settling import LEARNED_OVER, WEEKS, Learned, Watch, learn, settle, stale_from
from usage_watch.store import fetches, values
from usage_watch.store.database import Database
from usage_watch.store.feeds import IN_REACH
from usage_watch.store.times import moment

_REACH = max(LEARNED_OVER, (WEEKS + 1) * 7 * DAY)
"""Seconds of history that settling looks at, beside what is open."""
_LARGE = """
SELECT start, before, after, superseded_at FROM (
    SELECT start, superseded_at, revision.count AS before,
           coalesce(lead(revision.count) OVER later, bucket.count) AS after
    FROM revision JOIN bucket USING (series_id, start)
    WHERE series_id IN (SELECT id FROM series WHERE feed_id = :feed AND axis = '') AND start >= :first
    WINDOW later AS (PARTITION BY series_id, start ORDER BY revision.id)
) JOIN fetch USING (start)
WHERE feed_id = :feed AND superseded_at >= :since AND settled_at < superseded_at
  AND abs(after - before) > 10 AND abs(after - before) > 0.05 * before
ORDER BY superseded_at, start
"""


def settle_feed(db: Database, feed_id: int, feed: Feed, poll_every: timedelta, at: int) -> None:
    """After a feed was read to its end: learn anew how late it is, and mark what is final."""
    open_from = fetches.oldest_open(db, feed_id)
    since = min(at - _REACH, at if open_from is None else open_from)
    totals = values.totals(db, feed_id, since)
    watch = fetches.watch(db, feed_id, since, totals)
    if not len(watch.starts):
        return
    still_for = fetches.longest_still(db, feed_id, at - LEARNED_OVER)
    learned = learn(watch, feed.width, int(poll_every.total_seconds()), at, still_for)
    # One member may be on holiday: only of several can it be said that somebody should have used something.
    stale = None if feed.member is not None else _stale_from(watch, feed.width, learned, at)
    fetches.settle(db, feed_id, watch, settle(watch, feed.width, learned, stale is not None), at)
    db.execute(
        "UPDATE feed SET usual_lag = ?, lag_from = ?, zero_age = ?, zeros_from = ?, still_for = ?, stale_from = ? "
        "WHERE id = ?",
        (
            learned.usual_lag,
            learned.lag_from,
            learned.zero_age,
            learned.zeros_from,
            learned.still_for,
            stale,
            feed_id,
        ),
    )


def _stale_from(watch: Watch, width: int, learned: Learned, at: int) -> int | None:
    grid = np.arange(watch.starts[0], watch.starts[-1] + width, width, dtype=np.int64)
    counts = np.zeros(len(grid), dtype=np.int64)
    counts[(watch.starts - grid[0]) // width] = watch.totals
    return stale_from(grid, counts, width, learned.usual_lag, at)


def large_revisions(db: Database, feed_id: int, feed: Feed, since: int) -> Iterator[LargeRevision]:
    """Totals of a feed that changed by over 5 % and 10 units once they were settled, oldest first."""
    # What is older than the source goes back is not read again, so that nothing new is learned of it.
    here = {"feed": feed_id, "since": since, "first": since - IN_REACH - DAY}
    for start, before, after, at in db.query(_LARGE, here):
        yield LargeRevision(feed, moment(start), before, after, moment(at))
