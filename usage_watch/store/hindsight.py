"""What became of buckets after they were first read: those that came late, and those that changed once they were final.

Of a sum of stored series. A bucket that was over before anything of these was ever read came with a backfill: how late
it was nobody knows, unless it was seen as zero first.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from usage_watch.core.series import Feed, SeriesKey
from usage_watch.store.catalog import Catalog
from usage_watch.store.database import Database
from usage_watch.store.times import moment, seconds

_IDS = """
SELECT series.id FROM json_each(:names) JOIN series ON (feed_id, axis, category, member)
    = (:feed, json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'))
"""
# CROSS JOIN keeps the order: from each series to its rows, of which there are thousands, and never the other way round.
_LATE = """
WITH used AS (
    SELECT start, min(seen_at) AS at FROM json_each(:ids) CROSS JOIN bucket ON series_id = value AND start >= :since
    WHERE count > 0 GROUP BY start
), late AS MATERIALIZED (
    SELECT start, at, start + :width > (SELECT min(at) FROM used) AS watched FROM used
    WHERE at > start + :width + :after
), earlier AS MATERIALIZED (
    SELECT start, min(CASE WHEN count > 0 THEN seen_at END) AS used_at,
           min(CASE WHEN count = 0 THEN seen_at END) AS zero_at
    FROM json_each(:ids) CROSS JOIN revision ON series_id = value AND start >= :since
    WHERE start IN (SELECT start FROM late) GROUP BY start
), found AS (
    SELECT start, min(at, coalesce(used_at, at)) AS at, watched, zero_at FROM late LEFT JOIN earlier USING (start)
)
SELECT start, at, coalesce(zero_at < at, 0) FROM found
WHERE at > start + :width + :after AND (watched OR zero_at < at) ORDER BY start
"""
_REVISED = """
WITH changed AS MATERIALIZED (
    SELECT revision.start, settled_at, max(superseded_at) AS at
    FROM json_each(:ids)
    CROSS JOIN revision ON series_id = value AND revision.start >= :since
    CROSS JOIN fetch ON feed_id = :feed AND fetch.start = revision.start
    WHERE settled_at < superseded_at GROUP BY revision.start
)
SELECT start, at,
    sum(coalesce(
        (SELECT count FROM revision WHERE (series_id, revision.start) = (value, changed.start)
         AND seen_at <= settled_at AND settled_at < superseded_at),
        (SELECT count FROM bucket WHERE (series_id, bucket.start) = (value, changed.start) AND seen_at <= settled_at),
        0)),
    sum(coalesce((SELECT count FROM bucket WHERE (series_id, bucket.start) = (value, changed.start)), 0))
FROM changed CROSS JOIN json_each(:ids) GROUP BY start ORDER BY start
"""


@dataclass(frozen=True, slots=True)
class Late:
    """A bucket whose usage came long after its end."""

    start: int
    """Epoch seconds."""
    used_at: datetime
    """When it was first seen to hold any."""
    was_zero: bool
    """It had been read before, as nothing."""


@dataclass(frozen=True, slots=True)
class Revised:
    """A bucket that was changed once it was final."""

    start: int
    """Epoch seconds."""
    at: datetime
    """When it last was."""
    before: int
    """What it held when it was taken for final."""
    after: int
    """What it holds now."""


class HindsightStore:
    """Reads out of an open database what a feed's series went through."""

    def __init__(self, db: Database, feed: Feed, keys: Collection[SeriesKey]) -> None:
        self._db, self._feed = db, feed
        self._feed_id = Catalog(db).feed(feed)
        names = [[key.axis or "", key.category or "", key.member or ""] for key in keys]
        terms = {"feed": self._feed_id, "names": json.dumps(names)}
        self._ids = json.dumps([series_id for (series_id,) in db.query(_IDS, terms)])

    def late(self, since: datetime, after: timedelta) -> list[Late]:
        """Of the buckets from `since` on those whose usage came later than `after` their end, oldest first."""
        terms = {"ids": self._ids, "since": seconds(since), "width": self._feed.width, "after": after.total_seconds()}
        return [Late(start, moment(at), bool(was_zero)) for start, at, was_zero in self._db.query(_LATE, terms)]

    def revised(self, since: datetime) -> list[Revised]:
        """Of the buckets from `since` on those that changed once they were final, oldest first."""
        terms = {"ids": self._ids, "since": seconds(since), "feed": self._feed_id}
        rows = self._db.query(_REVISED, terms)
        return [Revised(start, moment(at), before, after) for start, at, before, after in rows]
