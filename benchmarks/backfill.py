"""How fast a backfill is stored, beside SQLite alone: `python benchmarks/backfill.py`, JSON out.

A million counts (200 series of a feed, 168 hours a reading) go through `HistoryStore.save`, one transaction a reading.
The peer writes the same rows into the same tables by `executemany … ON CONFLICT`: same schema, pragmas, order of rows
and size of transactions, its tuples made before its clock starts, and with no lock, no look at what is stored, no
revisions and no account of what was fetched. Both take turns reading by reading, so that a busy machine slows both.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from usage_watch.core.series import HOUR, Feed, Reading, SeriesKey
from usage_watch.store.database import Database, open_for_writing
from usage_watch.store.history import HistoryStore

SERIES = 200
HOURS_A_READING = 168
BEGIN = 1_767_225_600
SEEN_AT = datetime(2026, 11, 22, tzinfo=UTC)
FEED = Feed("credit_usage", HOUR)
Tuples = list[tuple[int, int, int, int]]

UPSERT = (
    "INSERT INTO bucket (series_id, start, count, seen_at) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (series_id, start) DO UPDATE SET count = excluded.count, seen_at = excluded.seen_at"
)


def readings(rows: int) -> Iterator[Reading]:
    """Readings of 168 hours, as many as hold about so many rows; no count is zero, so that all are written."""
    for number in range(max(1, round(rows / (SERIES * HOURS_A_READING)))):
        first = BEGIN + number * HOURS_A_READING * HOUR
        starts = tuple(range(first, first + HOURS_A_READING * HOUR, HOUR))
        # A key a row, as the source makes them: nothing here may be faster for being shared.
        yield Reading(
            FEED,
            ("Model",),
            starts,
            tuple((key(i), start, 1 + start // HOUR * (i + 7) % 997) for start in starts for i in range(SERIES)),
        )


def key(number: int) -> SeriesKey:
    """The total, or one of the categories."""
    return SeriesKey(FEED, "Model", f"model-{number}") if number else SeriesKey(FEED)


def peer_database(path: Path) -> Database:
    """The same schema, with the series in place."""
    db = open_for_writing(path)
    with db.transaction():
        db.execute("INSERT INTO feed (id, dataset, width, scope) VALUES (1, 'credit_usage', 3600, 'everyone')")
        series = [(i + 1, f"model-{i}") for i in range(SERIES)]
        db.execute_many("INSERT INTO series VALUES (?, 1, 'Model', ?, '')", series)
    return db


def peer(db: Database, batch: Tuples) -> float:
    """Seconds for a batch through SQLite alone."""
    connection = db.tables.conn
    begun = time.perf_counter()
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(UPSERT, batch)
    connection.execute("COMMIT")
    return time.perf_counter() - begun


def ours(store: HistoryStore, reading: Reading) -> float:
    """Seconds for a reading through the store."""
    begun = time.perf_counter()
    store.save(reading, SEEN_AT)
    return time.perf_counter() - begun


def tuples(reading: Reading) -> Tuples:
    """The rows in the order of the table, which is the fastest to write."""
    at = int(SEEN_AT.timestamp())
    ids = {key(i): i + 1 for i in range(SERIES)}
    return sorted((ids[series], start, count, at) for series, start, count in reading.rows)


def measure(rows: int, directory: Path) -> tuple[int, float, float]:
    """Rows written by each, our seconds and the peer's."""
    written, our_seconds, peer_seconds = 0, 0.0, 0.0
    with open_for_writing(directory / "ours.db") as db, peer_database(directory / "peer.db") as other:
        store = HistoryStore(db)
        for reading in readings(rows):
            batch = tuples(reading)
            peer_seconds += peer(other, batch)
            our_seconds += ours(store, reading)
            written += len(batch)
    return written, our_seconds, peer_seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="about so many; default a million")
    with tempfile.TemporaryDirectory() as directory:
        rows, seconds, peer_seconds = measure(parser.parse_args().rows, Path(directory))
    result = {
        "benchmark": "backfill",
        "rows": rows,
        "seconds": round(seconds, 3),
        "rows_per_second": round(rows / seconds),
        "peer": "executemany … ON CONFLICT",
        "peer_seconds": round(peer_seconds, 3),
        "ratio": round(peer_seconds / seconds, 3),
    }
    print(json.dumps(result, ensure_ascii=False))


if __name__ == "__main__":
    main()
