"""Which buckets of a feed were fetched, and how each aged."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from usage_watch.core.series import Ints, Reading
from usage_watch.core.settling import settled
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


@dataclass(frozen=True, slots=True)
class Fetch:
    """One row of `fetch`: times in epoch seconds."""

    first_seen_at: int
    seen_at: int
    nonzero_at: int | None
    zero_gap: int | None
    changed_at: int
    unchanged_polls: int
    axes: Mapping[str, int]
    """Since when each axis is known."""

    def known_since(self, axis: str | None) -> int | None:
        """Since when the total (None) or an axis is known; None where it is not."""
        return self.first_seen_at if axis is None else self.axes.get(axis)


def fetched(db: Database, feed_id: int, starts: Collection[int]) -> dict[int, Fetch]:
    """Those of the buckets that were fetched before, by start."""
    wanted = set(starts)
    rows = db.query(_SELECT, (feed_id, min(wanted), max(wanted)))
    return {row[0]: _fetch(row) for row in rows if row[0] in wanted}


def note(
    db: Database,
    feed_id: int,
    reading: Reading,
    before: Mapping[int, Fetch],
    changed: Collection[int],
    totals: Mapping[int, int],
    at: int,
) -> None:
    """Write that the reading's buckets were seen; `totals` are the feed's, by start."""
    answered = dict.fromkeys(reading.axes, at)
    rows = []
    for start in reading.starts:
        old = before.get(start)
        if old is None:
            fetch = Fetch(at, at, at if totals.get(start) else None, None, at, 0, answered)
        else:
            fetch = _again(old, start in changed, totals.get(start, 0) != 0, answered, at)
        rows.append((feed_id, start, *_columns(fetch)))
    db.execute_many(_UPSERT, rows)


def _again(old: Fetch, changed: bool, used: bool, answered: Mapping[str, int], at: int) -> Fetch:
    first_use = used and old.nonzero_at is None
    return Fetch(
        first_seen_at=old.first_seen_at,
        seen_at=at,
        nonzero_at=at if first_use else old.nonzero_at,
        zero_gap=at - old.seen_at if first_use else old.zero_gap,
        changed_at=at if changed else old.changed_at,
        unchanged_polls=0 if changed else old.unchanged_polls + 1,
        axes={**answered, **old.axes},
    )


def _fetch(row: Row) -> Fetch:
    _, first_seen_at, seen_at, nonzero_at, zero_gap, changed_at, unchanged_polls, axes = row
    return Fetch(first_seen_at, seen_at, nonzero_at, zero_gap, changed_at, unchanged_polls, json.loads(axes))


def _columns(fetch: Fetch) -> tuple[int | str | None, ...]:
    return (
        fetch.first_seen_at,
        fetch.seen_at,
        fetch.nonzero_at,
        fetch.zero_gap,
        fetch.changed_at,
        fetch.unchanged_polls,
        json.dumps(fetch.axes),
    )


def oldest_open(db: Database, feed_id: int) -> int | None:
    """Start of the feed's first fetched bucket that is not settled."""
    row = db.one(_OLDEST_OPEN, (feed_id,))
    return None if row is None else row[0]


def settle(db: Database, feed_id: int, width: int, since: int, totals: Mapping[int, int], at: int) -> None:
    """Mark what is settled by now among the buckets from `since` on; what is marked already stays so."""
    rows = list(db.query("SELECT start, seen_at FROM fetch WHERE feed_id = ? AND start >= ?", (feed_id, since)))
    starts, seen_at = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    flags = settled(starts, _at(starts, totals), seen_at, width)
    db.execute_many(
        "UPDATE fetch SET settled_at = ? WHERE feed_id = ? AND start = ? AND settled_at IS NULL",
        [(at, feed_id, start) for start in starts[flags].tolist()],
    )


def _at(starts: Ints, totals: Mapping[int, int]) -> Ints:
    return np.array([totals.get(start, 0) for start in starts.tolist()], dtype=np.int64)
