"""Stored history as rows for other programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from usage_watch.core.series import HOUR, Feed
from usage_watch.store.database import Database

_BUCKETS_A_TIME = 168
"""A long export is many short reads, so that it neither fills memory nor keeps the write-ahead log from shrinking."""

_ROWS = """
SELECT start, :member AS member, '' AS axis, '' AS category,
       coalesce((SELECT bucket.count FROM series JOIN bucket ON bucket.series_id = series.id
                 WHERE series.feed_id = :feed AND series.axis = '' AND bucket.start = fetch.start), 0),
       settled_at IS NOT NULL
FROM fetch
WHERE feed_id = :feed AND start >= :first AND start < :end AND :scope <> 'each-member'
UNION ALL
SELECT start, series.member, series.axis, series.category, bucket.count, settled_at IS NOT NULL
FROM series JOIN bucket ON bucket.series_id = series.id JOIN fetch USING (feed_id, start)
WHERE series.feed_id = :feed AND start >= :first AND start < :end
  AND bucket.count <> 0 AND (series.axis <> '' OR :scope = 'each-member')
ORDER BY 1, 2, 3, 4
"""


@dataclass(frozen=True, slots=True)
class ExportRow:
    """One stored count; '' where a column does not apply."""

    dataset: str
    bucket: str
    """`1h` or `1d`."""
    start: datetime
    member: str
    axis: str
    """Empty for a total."""
    category: str
    count: int
    settled: bool


def rows(db: Database, feed_id: int, feed: Feed, since: int | None) -> Iterator[ExportRow]:
    """The feed's counts in order of start, member, axis and category, read as they are asked for.

    Each fetched bucket has its total, zeros too; of a feed of each member only the members' rows are there.
    """
    span = db.one("SELECT min(start), max(start) FROM fetch WHERE feed_id = ? AND start >= ?", (feed_id, since or 0))
    if span is None or span[0] is None:
        return
    bucket = "1h" if feed.width == HOUR else "1d"
    step = _BUCKETS_A_TIME * feed.width
    for first in range(span[0], span[1] + 1, step):
        window = {
            "feed": feed_id,
            "scope": feed.scope,
            "member": feed.member or "",
            "first": first,
            "end": first + step,
        }
        for start, member, axis, category, count, settled in db.query(_ROWS, window):
            at = datetime.fromtimestamp(start, UTC)
            yield ExportRow(feed.dataset, bucket, at, member, axis, category, count, bool(settled))
