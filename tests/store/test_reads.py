from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from usage_watch.core.rulesfile import Refused
from usage_watch.store.database import Database, open_for_writing
from usage_watch.store.reads import Read, ReadStore

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_for_writing(tmp_path / "usage-watch.db") as database:
        yield database


def test_before_the_first_there_is_none(database: Database) -> None:
    reads = ReadStore(database)
    assert (reads.newest(), reads.refused()) == (None, None)


def test_it_is_refused_since_the_first_refusal_after_what_was_last_taken_up(database: Database) -> None:
    reads = ReadStore(database)
    reads.note(NOON, "no.", "an old fault")
    reads.note(NOON + MINUTE, "Started.")
    assert reads.refused() is None
    reads.note(NOON + 2 * MINUTE, "no.", "one fault")
    reads.note(NOON + 3 * MINUTE, "no.", "another\nand a third")
    assert reads.newest() == Read(4, "another\nand a third", "no.")
    assert reads.refused() == Refused(NOON + 2 * MINUTE, "another\nand a third", 2)
    reads.note(NOON + 4 * MINUTE, "Taken up.")
    assert (reads.newest(), reads.refused()) == (Read(5, None, "Taken up."), None)


def test_only_the_newest_are_kept_and_numbers_go_on(database: Database) -> None:
    reads = ReadStore(database)
    for number in range(150):
        reads.note(NOON + number * MINUTE, "no.", "a fault")
    newest, refused = reads.newest(), reads.refused()
    assert newest is not None
    assert newest.number == 150
    assert refused is not None
    assert refused.times == 100
