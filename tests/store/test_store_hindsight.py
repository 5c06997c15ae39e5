from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from usage_watch.core.series import HOUR, Feed, Reading, SeriesKey
from usage_watch.core.units import from_epoch, to_epoch
from usage_watch.store import hindsight
from usage_watch.store.database import Database, open_for_writing
from usage_watch.store.hindsight import HindsightStore, series
from usage_watch.store.history import HistoryStore

FEED = Feed("credit_usage", HOUR)
TOTAL = SeriesKey(FEED)
FIRST = datetime(2026, 11, 16, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Six hours that were read in time and became final; then one after the other was changed, the last one first."""
    with open_for_writing(tmp_path / "usage-watch.db") as database:
        read(database, 6, FIRST + timedelta(hours=6), 100)
        read(database, 6, FIRST + 3 * DAY, 100)
        for done in range(6):
            start = 5 - done
            read(database, 1, FIRST + (4 + done) * DAY, 100 + start, FIRST + timedelta(hours=start))
        yield database


def read(database: Database, hours: int, at: datetime, count: int, first_at: datetime = FIRST) -> None:
    starts = tuple(to_epoch(first_at) + place * HOUR for place in range(hours))
    history = HistoryStore(database)
    history.save(Reading(FEED, (), starts, tuple((TOTAL, start, count) for start in starts)), at)
    history.read_up(FEED, at, at, timedelta(hours=1), from_epoch(starts[0]))


def test_of_a_feed_that_was_never_read_nothing_is_known(database: Database) -> None:
    other = Feed("skills", HOUR)
    assert series(database, other) == []
    store = HindsightStore(database, other, [])
    assert (store.late(FIRST, DAY), store.revised(FIRST)) == ([], [])


def test_each_change_is_told_with_what_was_and_what_is(database: Database) -> None:
    assert series(database, FEED) == [TOTAL]
    found = HindsightStore(database, FEED, [TOTAL]).revised(FIRST)
    assert [(each.before, each.after, each.was_final) for each in found] == [(100, 100 + n, True) for n in range(1, 6)]
    assert [each.at for each in found] == [FIRST + (9 - n) * DAY for n in range(1, 6)]


def test_an_end_is_not_inside(database: Database) -> None:
    store = HindsightStore(database, FEED, [TOTAL])
    inside = store.revised(FIRST + timedelta(hours=2), FIRST + timedelta(hours=4))
    assert [each.start for each in inside] == [to_epoch(FIRST) + n * HOUR for n in (2, 3)]


def test_of_more_than_can_be_looked_at_what_changed_last_is(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hindsight, "_CELLS", 2)
    found = HindsightStore(database, FEED, [TOTAL]).revised(FIRST)
    assert [each.after for each in found] == [101, 102]
