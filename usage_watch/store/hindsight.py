"""What became of buckets after they were first read: those that came late, and those that changed once they were final.

Of a sum of stored series. A bucket that was over before anything of its feed was ever read came with a backfill: how
late it was nobody knows, unless it was seen as zero first. Of a sum of so many that a page would have to wait only the
buckets are looked at that changed last.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from usage_watch.core.series import Feed, SeriesKey
from usage_watch.store.catalog import Catalog, key_of
from usage_watch.store.database import Database
from usage_watch.store.replay import NEVER
from usage_watch.store.times import moment, seconds
from usage_watch.store.values import LATEST

_CELLS = 2_000
"""Of all series together, that are looked at: some 20 ms."""

_IDS = """
SELECT series.id FROM json_each(:names) CROSS JOIN series ON (feed_id, axis, category, member)
    = (:feed, json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'))
"""
# CROSS JOIN keeps the order: from the few buckets whose feed says that something came of it, to their cells.
_LATE = """
WITH asked AS MATERIALIZED (
    SELECT start, start + :width > (SELECT min(first_seen_at) FROM fetch WHERE feed_id = :feed) AS watched FROM fetch
    WHERE feed_id = :feed AND start >= :since AND start < :until
      AND changed_at > start + :width + :after AND (watched OR first_seen_at < changed_at)
    ORDER BY changed_at DESC LIMIT :most
), late AS MATERIALIZED (
    SELECT asked.start, min(seen_at) AS at, watched
    FROM asked CROSS JOIN json_each(:ids) CROSS JOIN bucket ON (series_id, bucket.start) = (value, asked.start)
    WHERE count > 0 GROUP BY asked.start HAVING at > asked.start + :width + :after
), earlier AS MATERIALIZED (
    SELECT late.start, min(CASE WHEN count > 0 THEN seen_at END) AS used_at,
           min(CASE WHEN count = 0 THEN seen_at END) AS zero_at
    FROM late CROSS JOIN json_each(:ids) CROSS JOIN revision ON (series_id, revision.start) = (value, late.start)
    GROUP BY late.start
), found AS (
    SELECT start, min(at, coalesce(used_at, at)) AS at, watched, zero_at FROM late LEFT JOIN earlier USING (start)
)
SELECT start, at, coalesce(zero_at < at, 0) FROM found
WHERE at > start + :width + :after AND (watched OR zero_at < at) ORDER BY start
"""
_REVISED = f"""
WITH asked AS MATERIALIZED (
    SELECT start, settled_at,
           min(coalesce(settled_at, {NEVER}), CASE WHEN nonzero_at <= :known THEN :known ELSE {NEVER} END) AS counted_at
    FROM fetch WHERE feed_id = :feed AND start >= :since AND start < :until AND counted_at < changed_at
    ORDER BY changed_at DESC LIMIT :most
), cells AS (
    SELECT asked.start, superseded_at AS at, settled_at, iif(seen_at <= counted_at, count, 0) AS before, 0 AS after
    FROM asked CROSS JOIN json_each(:ids) CROSS JOIN revision ON (series_id, revision.start) = (value, asked.start)
    WHERE counted_at < superseded_at
    UNION ALL
    SELECT asked.start, NULL, settled_at, iif(seen_at <= counted_at, count, 0), count
    FROM asked CROSS JOIN json_each(:ids) CROSS JOIN bucket ON (series_id, bucket.start) = (value, asked.start)
)
SELECT start, max(at), sum(before), sum(after), coalesce(settled_at < max(at), 0) FROM cells
GROUP BY start HAVING max(at) IS NOT NULL ORDER BY start
"""  # noqa: S608


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
    """A bucket that was changed once it was final, or once somebody counted on it."""

    start: int
    """Epoch seconds."""
    at: datetime
    """When it last was."""
    before: int
    """What it held then."""
    after: int
    """What it holds now."""
    was_final: bool
    """It was taken for final when it last was changed; else it was still to grow."""


def series(db: Database, feed: Feed, member: str | None = None) -> list[SeriesKey]:
    """Every series of a feed, or one member's, that anything was ever stored of."""
    rows = db.query(
        "SELECT axis, category, member FROM series WHERE feed_id = ? AND member = coalesce(?, member)",
        (Catalog(db).feed(feed), member),
    )
    return [key_of(feed, *name) for name in rows]


class HindsightStore:
    """Reads out of an open database what a feed's series went through."""

    def __init__(self, db: Database, feed: Feed, keys: Collection[SeriesKey]) -> None:
        self._db, self._feed = db, feed
        self._feed_id = Catalog(db).feed(feed)
        names = [[key.axis or "", key.category or "", key.member or ""] for key in keys]
        terms = {"feed": self._feed_id, "names": json.dumps(names)}
        ids = [series_id for (series_id,) in db.query(_IDS, terms)]
        self._ids, self._most = json.dumps(ids), max(1, _CELLS // max(1, len(ids)))

    def late(self, since: datetime, after: timedelta, until: datetime | None = None) -> list[Late]:
        """Of the buckets from `since` on those whose usage came later than `after` their end, oldest first."""
        terms = {**self._terms(since, until), "width": self._feed.width, "after": after.total_seconds()}
        return [Late(start, moment(at), bool(was_zero)) for start, at, was_zero in self._db.query(_LATE, terms)]

    def revised(
        self, since: datetime, until: datetime | None = None, known_at: datetime | None = None
    ) -> list[Revised]:
        """Of the buckets from `since` on those that changed once they were final, oldest first.

        `known_at`: also those that held usage by then, and changed later.
        """
        terms = {**self._terms(since, until), "known": known_at and seconds(known_at)}
        rows = self._db.query(_REVISED, terms)
        return [Revised(start, moment(at), before, after, bool(final)) for start, at, before, after, final in rows]

    def _terms(self, since: datetime, until: datetime | None) -> dict[str, object]:
        end = LATEST if until is None else seconds(until)
        return {
            "ids": self._ids,
            "most": self._most,
            "feed": self._feed_id,
            "since": seconds(since),
            "until": end,
        }
