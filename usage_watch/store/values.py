"""The counts of a feed's buckets, and what they were before they were revised."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from operator import itemgetter

from usage_watch.core.aging import Aging
from usage_watch.core.series import EACH_MEMBER, Reading, SeriesKey
from usage_watch.store.catalog import Name
from usage_watch.store.database import Database

Spot = tuple[int, int]
"""Series id and bucket start: one cell of the history."""
Known = tuple[int, int]
"""A cell's count, and when it became what we know (epoch seconds). No class: there is one a cell."""

LATEST = 2**62
"""Later than any bucket."""

_UPSERT = (
    "INSERT INTO bucket (series_id, start, count, seen_at) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (series_id, start) DO UPDATE SET count = excluded.count, seen_at = excluded.seen_at"
)
_BLOCK = 200
_UPSERT_BLOCK = _UPSERT.replace("(?, ?, ?, ?)", ", ".join(["(?, ?, ?, ?)"] * _BLOCK))
_REVISE = "INSERT INTO revision (series_id, start, count, seen_at, superseded_at) VALUES (?, ?, ?, ?, ?)"


def write(
    db: Database, feed_id: int, reading: Reading, ids: Mapping[Name, int], before: Mapping[int, Aging], at: int
) -> set[int]:
    """Replace the reading's buckets; `before` are those of them that were fetched earlier.

    Superseded values of those go to `revision`. Answers the starts where a known value changed.
    """
    if not before:
        _write_new(db, reading.rows, ids, at)
        return set()
    _write_new(db, (row for row in reading.rows if row[1] not in before), ids, at)
    return _write_again(db, feed_id, reading, ids, before, at)


def totals(db: Database, feed_id: int, first: int, last: int = LATEST) -> dict[int, int]:
    """The feed's totals by start, from `first` to `last`: sums over members where it has several; without zeros."""
    rows = db.query(
        "SELECT start, sum(count) FROM bucket "
        "WHERE series_id IN (SELECT id FROM series WHERE feed_id = ? AND axis = '') AND start BETWEEN ? AND ? "
        "GROUP BY start",
        (feed_id, first, last),
    )
    return {start: total for start, total in rows if total}


def by_member(db: Database, feed_id: int, first: int) -> dict[str, int]:
    """What each member used in all from `first` on; nobody who used nothing."""
    rows = db.query(
        "SELECT member, sum(count) FROM series CROSS JOIN bucket ON series_id = series.id AND start >= ? "
        "WHERE feed_id = ? AND axis = '' AND category = '' AND member <> '' GROUP BY member HAVING sum(count) > 0",
        (first, feed_id),
    )
    return dict(rows)


def _write_new(db: Database, rows: Iterable[tuple[SeriesKey, int, int]], ids: Mapping[Name, int], at: int) -> None:
    # The hot path of every backfill: one pass, no branch for what cannot be here, and in the order of the table.
    found = [(ids[key.axis, key.category, key.member], start, count, at) for key, start, count in rows if count]
    found.sort(key=itemgetter(0))
    _put(db, found)


def _put(db: Database, rows: Sequence[tuple[int, int, int, int]]) -> None:
    # One statement for 200 rows takes two thirds of the time of 200 statements.
    whole = len(rows) - len(rows) % _BLOCK
    blocks = (tuple(chain.from_iterable(rows[i : i + _BLOCK])) for i in range(0, whole, _BLOCK))
    db.execute_many(_UPSERT_BLOCK, blocks)
    db.execute_many(_UPSERT, rows[whole:])


def _write_again(
    db: Database, feed_id: int, reading: Reading, ids: Mapping[Name, int], before: Mapping[int, Aging], at: int
) -> set[int]:
    stored = _stored(db, feed_id, before)
    said = _said(reading, ids, before)
    names = {series_id: name for name, series_id in ids.items()}
    said.update(dict.fromkeys(_fallen_silent(reading, names, stored.keys() - said.keys()), 0))
    values, revisions = [], []
    for spot, count in said.items():
        old = stored.get(spot) or _zero(before[spot[1]], names[spot[0]][0])
        if count != (old[0] if old else 0):
            values.append((*spot, count, at))
            if old:
                revisions.append((*spot, *old, at))
    _put(db, sorted(values))
    db.execute_many(_REVISE, sorted(revisions))
    return {start for _, start, *_ in revisions}


def _stored(db: Database, feed_id: int, before: Mapping[int, Aging]) -> dict[Spot, Known]:
    rows = db.query(
        "SELECT series_id, start, count, seen_at FROM bucket "
        "WHERE series_id IN (SELECT id FROM series WHERE feed_id = ?) AND start BETWEEN ? AND ?",
        (feed_id, min(before), max(before)),
    )
    return {(series_id, start): (count, since) for series_id, start, count, since in rows if start in before}


def _said(reading: Reading, ids: Mapping[Name, int], before: Mapping[int, Aging]) -> dict[Spot, int]:
    return {
        (ids[key.axis, key.category, key.member], start): count for key, start, count in reading.rows if start in before
    }


def _fallen_silent(reading: Reading, names: Mapping[int, Name], silent: Iterable[Spot]) -> list[Spot]:
    """Which stored values are zero now: the reading speaks of their bucket and axis, and of their member's day."""
    answered = {None, *reading.axes}
    here = {(key.member, start) for key, start, _ in reading.rows} if reading.feed.scope == EACH_MEMBER else None
    gone = []
    for series_id, start in silent:
        axis, _, member = names[series_id]
        if axis in answered and (here is None or (member, start) in here):
            gone.append((series_id, start))
    return gone


def _zero(fetch: Aging, axis: str | None) -> Known | None:
    """What was known where no value is stored: zero, or nothing if the axis was not answered then."""
    since = fetch.known_since(axis)
    return None if since is None else (0, since)
