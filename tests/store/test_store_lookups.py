from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.core.builders import at
from tests.store.store_samples import incident
from usage_watch.core.lookup import Lookup
from usage_watch.core.series import HOUR, Feed
from usage_watch.store.alerts import AlertStore
from usage_watch.store.database import Database, open_for_writing
from usage_watch.store.lookups import LookupStore

NOW = at(30)
FEEDS = tuple(Feed("credit_usage", HOUR, who) for who in ("zoe@example.com", "ana@example.com"))


def wanted(number: int, hours: float = 30) -> Lookup:
    return Lookup(f"inc_{number}", FEEDS, at(20), at(23), at(hours))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_for_writing(tmp_path / "usage-watch.db") as database:
        yield database


def commit(database: Database, *lookups: Lookup) -> LookupStore:
    incidents = [replace(incident(), id=each.incident_id) for each in lookups]
    AlertStore(database).commit(incidents, (), (), (), NOW, (), lookups)
    return LookupStore(database)


def test_what_is_wanted_is_answered_as_it_was_written(database: Database) -> None:
    store = commit(database, wanted(2, 29), wanted(1))
    assert store.of(["inc_1", "inc_2", "inc_3"]) == [wanted(2, 29), wanted(1)]
    assert store.of(["inc_1"]) == [wanted(1)]
    assert store.of([]) == []


def test_an_incident_has_one_for_life_and_a_cycle_that_wants_another_commits_nothing(database: Database) -> None:
    store = commit(database, wanted(1))
    with pytest.raises(sqlite3.IntegrityError):
        commit(database, wanted(3), wanted(1))
    assert store.of(["inc_1", "inc_3"]) == [wanted(1)]
    assert [each.id for each in AlertStore(database).incidents(NOW)] == ["inc_1"]


def test_it_waits_until_all_were_asked_for_or_it_is_too_late(database: Database) -> None:
    store = commit(database, wanted(1))
    assert store.waiting(NOW) == [wanted(1)]
    store.failed("inc_1", NOW + timedelta(minutes=1))
    store.failed("inc_1", NOW + timedelta(minutes=3))
    assert store.waiting(NOW) == [replace(wanted(1), failures=2, retry_at=NOW + timedelta(minutes=3))]
    store.asked("inc_1")
    assert store.waiting(NOW) == [replace(wanted(1), asked=1)]
    day = NOW + timedelta(days=1)
    assert store.waiting(day) == []
    store.asked("inc_1")
    assert store.waiting(NOW) == []
    assert [each.done for each in store.of(["inc_1"])] == [True]
