"""Which buckets of a feed were fetched, and how each aged."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

import numpy as np

from usage_watch.core.aging import Aging, seen_again, seen_first
from usage_watch.core.series import Reading
from usage_watch.core.settling import GIVEN_UP_AFTER, NEVER, Settling, Watch
from usage_watch.store.database import Database, Row

_SELECT = """
SELECT start, first_seen_at, seen_at, nonzero_at, zero_gap, changed_at, unchanged_polls, axes
FROM fetch WHERE feed_id = ? AND start BETWEEN ? AND ?
"""
_OLDEST_OPEN = "SELECT min(start) FROM fetch INDEXED BY fetch_unsettled WHERE feed_id = ? AND settled_at IS NULL"
_UPSERT = """
INSERT INTO fetch (feed_id, start, first_seen_at, seen_at, nonzero_at, zero_gap, changed_at, unchanged_polls, axes)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (feed_id, start) DO UPDATE SET
    seen_at = excluded.seen_at, nonzero_at = excluded.nonzero_at, zero_gap = excluded.zero_gap,
    changed_at = excluded.changed_at, unchanged_polls = excluded.unchanged_polls, axes = excluded.axes
"""
_WATCH = f"""
SELECT start, 0, first_seen_at, seen_at, coalesce(nonzero_at, {NEVER}), coalesce(zero_gap, {NEVER}),
       changed_at, unchanged_polls, coalesce(settled_at, {NEVER})
FROM fetch WHERE feed_id = ? AND start >= ? ORDER BY start
"""  # noqa: S608
_LONGEST_STILL = """
SELECT max(revision.superseded_at - revision.seen_at)
FROM revision JOIN series ON series.id = series_id JOIN fetch USING (feed_id, start)
WHERE feed_id = ? AND start >= ? AND axis = '' AND settled_at < superseded_at AND count > 0
"""
_SETTLE_OLD = """
UPDATE fetch INDEXED BY fetch_unsettled SET settled_at = :at, aged_at = coalesce(aged_at, :at)
WHERE feed_id = :feed AND settled_at IS NULL AND seen_at >= start + :width + :given_up AND start <= coalesce(
    (SELECT start FROM fetch WHERE feed_id = :feed AND nonzero_at IS NOT NULL ORDER BY start DESC LIMIT 1), :last
)
"""


def fetched(db: Database, feed_id: int, starts: Collection[int]) -> dict[int, Aging]:
    """Those of the buckets that were fetched before, by start."""
    wanted = set(starts)
    rows = db.query(_SELECT, (feed_id, min(wanted), max(wanted)))
    return {row[0]: _aging(row) for row in rows if row[0] in wanted}


def note(
    db: Database,
    feed_id: int,
    reading: Reading,
    before: Mapping[int, Aging],
    changed: Collection[int],
    totals: Mapping[int, int],
    at: int,
) -> None:
    """Write that the reading's buckets were seen; `totals` are the feed's, by start."""
    answered = dict.fromkeys(reading.axes, at)
    rows = []
    for start in reading.starts:
        old, used = before.get(start), totals.get(start, 0) > 0
        aging = seen_first(used, answered, at) if old is None else seen_again(old, used, start in changed, answered, at)
        rows.append((feed_id, start, *_columns(aging)))
    db.execute_many(_UPSERT, rows)


def _aging(row: Row) -> Aging:
    _, first_seen_at, seen_at, nonzero_at, zero_gap, changed_at, unchanged_polls, axes = row
    return Aging(first_seen_at, seen_at, nonzero_at, zero_gap, changed_at, unchanged_polls, json.loads(axes))


def _columns(aging: Aging) -> tuple[int | str | None, ...]:
    return (
        aging.first_seen_at,
        aging.seen_at,
        aging.nonzero_at,
        aging.zero_gap,
        aging.changed_at,
        aging.unchanged_polls,
        json.dumps(aging.axes),
    )


def oldest_open(db: Database, feed_id: int) -> int | None:
    """Start of the feed's first fetched bucket that is not settled."""
    row = db.one(_OLDEST_OPEN, (feed_id,))
    return None if row is None else row[0]


def watch(db: Database, feed_id: int, since: int, totals: Mapping[int, int]) -> Watch:
    """How the feed's fetched buckets from `since` on aged."""
    rows = np.array(list(db.query(_WATCH, (feed_id, since))), dtype=np.int64).reshape(-1, 9)
    rows[:, 1] = [totals.get(start, 0) for start in rows[:, 0].tolist()]
    return Watch(*rows.T)


def longest_still(db: Database, feed_id: int, since: int) -> int:
    """The longest, in seconds, that a count of the feed's totals stood still and was revised once settled; 0: none."""
    row = db.one(_LONGEST_STILL, (feed_id, since))
    return (row and row[0]) or 0


def settle(db: Database, feed_id: int, watch: Watch, found: Settling, at: int) -> None:
    """Mark what is settled; what is marked already stays so."""
    _mark(db, "aged_at", feed_id, watch.starts[found.aged & (watch.settled_at == NEVER)].tolist(), at)
    _mark(db, "settled_at", feed_id, watch.starts[found.settled & (watch.settled_at == NEVER)].tolist(), at)


def settle_old(db: Database, feed_id: int, reading: Reading, at: int) -> None:
    """Mark what is final at its age whatever was learned, so that a backfill which breaks off goes on from there.

    Zeros at the end of the feed's usage are not among it: whether the sync stands is only known once all is read.
    """
    db.execute(
        _SETTLE_OLD,
        {
            "feed": feed_id,
            "width": reading.feed.width,
            "last": reading.starts[-1],
            "given_up": GIVEN_UP_AFTER,
            "at": at,
        },
    )


def _mark(db: Database, column: str, feed_id: int, starts: Collection[int], at: int) -> None:
    db.execute_many(
        f"UPDATE fetch SET {column} = ? WHERE feed_id = ? AND start = ? AND {column} IS NULL",  # noqa: S608
        [(at, feed_id, start) for start in starts],
    )
