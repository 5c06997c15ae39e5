"""Stored history as rows: complete, in order, and no more of it in memory than is asked for."""

from __future__ import annotations

from dataclasses import astuple, fields
from itertools import islice

import pytest

from tests.store.store_samples import HOURLY, MEMBERS, Cell, at, day, hour, reading, totals
from usage_watch.core.series import DAY, HOUR, Feed
from usage_watch.store.database import Database
from usage_watch.store.export import ExportRow
from usage_watch.store.history import HistoryStore

ANA = "ana@example.com"
CONNECTORS = Feed("connectors", HOUR, ANA)


@pytest.fixture
def store(db: Database) -> HistoryStore:
    return HistoryStore(db)


@pytest.fixture
def filled(store: HistoryStore) -> HistoryStore:
    cells: dict[Cell, int] = {(None, None, None): 7, ("Model", "opus", None): 5, ("Credit Source", "paid", None): 7}
    axes = ("Model", "Credit Source")
    store.save(reading(HOURLY, {hour(0): cells, hour(1): {(None, None, None): 0}}, axes), at(2))
    store.save(reading(MEMBERS, {day(0): {(None, None, ANA): 3, ("Model", "opus", ANA): 3}, day(1): {}}), at(60))
    store.save(totals({hour(3): 1}, CONNECTORS), at(4))
    return store


def test_the_columns_are_the_contracts() -> None:
    assert [column.name for column in fields(ExportRow)] == [
        "dataset",
        "bucket",
        "start",
        "member",
        "axis",
        "category",
        "count",
        "settled",
    ]


def test_every_fetched_bucket_has_its_total_and_zero_is_not_unknown(filled: HistoryStore) -> None:
    assert [astuple(row) for row in filled.export()] == [
        ("connectors", "1h", at(3), ANA, "", "", 1, False),
        ("credit_usage", "1h", at(0), "", "", "", 7, False),
        ("credit_usage", "1h", at(0), "", "Credit Source", "paid", 7, False),
        ("credit_usage", "1h", at(0), "", "Model", "opus", 5, False),
        ("credit_usage", "1h", at(1), "", "", "", 0, False),
        ("credit_usage", "1d", at(-12), ANA, "", "", 3, True),
        ("credit_usage", "1d", at(-12), ANA, "Model", "opus", 3, True),
    ]


def test_what_became_zero_is_left_out_but_for_totals(filled: HistoryStore) -> None:
    filled.save(reading(HOURLY, {hour(0): {}, hour(2): {(None, None, None): 1}}), at(50))
    rows = list(filled.export("credit_usage", HOUR))
    assert [(row.start, row.axis, row.count, row.settled) for row in rows] == [
        (at(0), "", 0, True),
        (at(0), "Credit Source", 7, True),
        (at(1), "", 0, False),
        (at(2), "", 1, False),
    ]


@pytest.mark.parametrize(
    ("dataset", "bucket", "since", "count"),
    [
        (None, None, None, 7),
        ("credit_usage", None, None, 6),
        ("credit_usage", DAY, None, 2),
        (None, HOUR, None, 5),
        (None, None, at(1), 2),
        ("skills", None, None, 0),
        (None, None, at(100), 0),
    ],
)
def test_it_can_be_narrowed(filled: HistoryStore, dataset: str, bucket: int, since: object, count: int) -> None:
    assert len(list(filled.export(dataset, bucket, since))) == count  # type: ignore[arg-type]


def test_a_long_history_is_read_piece_by_piece_and_in_order(store: HistoryStore, db: Database) -> None:
    store.save(totals({hour(number): number for number in range(400)}), at(400))
    store.save(totals({hour(number): number for number in range(1000, 1002)}), at(1002))
    rows = store.export()
    assert [row.count for row in islice(rows, 3)] == [0, 1, 2]
    # What was not asked for is not read yet.
    with db.transaction():
        db.execute("UPDATE bucket SET count = 7 WHERE start = ?", (hour(1001),))
    assert [row.count for row in rows] == [*range(3, 400), 1000, 7]
