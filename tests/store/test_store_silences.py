"""Silences and acknowledgements."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.store.store_samples import NOON, at, incident
from usage_watch.core.silence import Ack, Matcher, Operator, Silence
from usage_watch.store.alerts import AlertStore
from usage_watch.store.database import Database, open_for_reading, open_for_writing
from usage_watch.store.silences import SilenceStore

MATCHERS = (
    Matcher("rule", Operator.IS, "hourly-credits"),
    Matcher("Credit Source", Operator.UNLIKE, 'pa"id\\\n\x00\udc80.*'),
)
ONE = Silence(
    id="sil_0a1b2c3d4e5f",
    matchers=MATCHERS,
    from_at=at(1),
    until_at=at(3) + timedelta(microseconds=7),
    author="Ana Ünal",
    reason="load test; see 'wiki'",
    created_at=at(0),
)


@pytest.fixture
def store(db: Database) -> SilenceStore:
    return SilenceStore(db)


def test_a_silence_comes_back_exactly(store: SilenceStore) -> None:
    store.add(ONE)
    expired = replace(ONE, id="sil_2", matchers=MATCHERS[:1], expired_at=at(2))
    store.add(expired)
    assert store.find(ONE.id) == ONE
    assert store.find("sil_2") == expired


def test_two_silences_of_one_id_are_a_fault_of_ours(store: SilenceStore) -> None:
    store.add(ONE)
    with pytest.raises(sqlite3.IntegrityError):
        store.add(replace(ONE, reason="another"))
    assert store.all(at(0)) == [ONE]


def test_those_in_force_and_to_come_are_found_and_those_that_ended_late_enough(store: SilenceStore) -> None:
    later = replace(ONE, id="sil_later", from_at=at(5), until_at=at(9))
    ended = replace(ONE, id="sil_ended", from_at=at(-3), until_at=at(0))
    expired = replace(ONE, id="sil_expired", expired_at=at(2))
    never = replace(ONE, id="sil_never", from_at=at(4), until_at=at(9), expired_at=at(0))
    for each in (later, ended, expired, never, ONE):
        store.add(each)
    assert store.all(at(-9)) == [ended, ONE, expired, never, later]
    assert store.all(at(2)) == [ONE, expired, never, later]
    assert store.all(at(2.5)) == [ONE, never, later]
    assert store.all(at(9)) == [later]
    assert store.all(at(9.1)) == []


HOURS = st.integers(-4, 4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.tuples(HOURS, st.integers(1, 6), st.none() | HOURS), max_size=6), HOURS)
def test_sql_and_core_agree_on_when_a_silence_ends(
    db: Database, spans: list[tuple[int, int, int | None]], since: int
) -> None:
    store = SilenceStore(db)
    with db.transaction():
        db.execute("DELETE FROM silence")
    every = [
        replace(
            ONE,
            id=f"sil_{number}",
            from_at=at(start),
            until_at=at(start + hours),
            expired_at=None if expired is None else at(expired),
        )
        for number, (start, hours, expired) in enumerate(spans)
    ]
    for each in every:
        store.add(each)
    wanted = [each for each in every if each.ends_at >= at(since)]
    assert store.all(at(since)) == sorted(wanted, key=lambda each: (each.from_at, each.id))


@pytest.mark.parametrize("prefix", ["sil_0a1b2c3d4e5f", "0a1b2c3d4e5f", "sil_0", "0a"])
def test_a_beginning_is_enough_where_only_one_has_it(store: SilenceStore, prefix: str) -> None:
    store.add(ONE)
    store.add(replace(ONE, id="sil_1"))
    found = store.find(prefix)
    assert found is not None
    assert found.id == ONE.id


def test_the_whole_id_is_found_also_where_it_begins_another(store: SilenceStore) -> None:
    for id in ("sil_ab", "sil_a", "sil_abc"):
        store.add(replace(ONE, id=id))
    found = store.find("sil_a")
    assert found is not None
    assert found.id == "sil_a"


@pytest.mark.parametrize("prefix", ["", "sil_", "sil_9", "%", "_", "il_"])
def test_what_begins_none_or_several_finds_none(store: SilenceStore, prefix: str) -> None:
    store.add(ONE)
    store.add(replace(ONE, id="sil_1"))
    assert store.find(prefix) is None


def test_nothing_is_the_beginning_of_none(store: SilenceStore) -> None:
    store.add(ONE)
    assert store.find("") is None


def test_a_silence_is_ended_once(store: SilenceStore) -> None:
    store.add(ONE)
    store.add(replace(ONE, id="sil_other"))
    assert store.expire(ONE.id, at(2))
    assert not store.expire(ONE.id, at(2.5))
    assert store.find(ONE.id) == replace(ONE, expired_at=at(2))
    assert store.find("sil_other") == replace(ONE, id="sil_other")


@pytest.mark.parametrize(("id", "hour"), [("sil_nothing", 2), (ONE.id[:8], 2), (ONE.id, 4)])
def test_what_is_not_there_or_over_cannot_be_ended(store: SilenceStore, id: str, hour: int) -> None:
    store.add(ONE)
    assert not store.expire(id, at(hour))
    assert store.find(ONE.id) == ONE


def test_a_silence_to_come_can_be_ended_before_it_begins(store: SilenceStore) -> None:
    store.add(ONE)
    assert store.expire(ONE.id, at(0))
    found = store.find(ONE.id)
    assert found is not None
    assert found.ends_at == ONE.from_at
    assert not any(found.in_force(at(hour / 2)) for hour in range(-4, 10))


def acked(db: Database) -> tuple[str, str]:
    """Two incidents to acknowledge."""
    one, two = incident(1), incident(2)
    AlertStore(db).commit([one, two], [], [], [], NOON)
    return one.id, two.id


def test_the_latest_acknowledgement_counts_whatever_the_clock_said(db: Database, store: SilenceStore) -> None:
    one, two = acked(db)
    first, second = Ack(one, 1, at(2), "ana", "looking"), Ack(one, 2, at(1) + timedelta(microseconds=3), "bo")
    other = Ack(two, 1, at(0), "ana")
    for ack in (first, other, second):
        store.ack(ack)
    assert store.acks([one, two, "inc_nothing"]) == {one: second, two: other}
    assert store.acks([two]) == {two: other}
    assert store.acks([]) == {}


def test_only_an_incident_that_is_stored_can_be_acknowledged(store: SilenceStore) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        store.ack(Ack("inc_nothing", 1, at(0), "ana"))


def test_both_are_read_by_whoever_only_looks(path: Path) -> None:
    with open_for_writing(path) as db:
        one, _ = acked(db)
        SilenceStore(db).add(ONE)
        SilenceStore(db).ack(Ack(one, 1, at(0), "ana"))
    with open_for_reading(path) as reading:
        assert SilenceStore(reading).all(at(0)) == [ONE]
        assert SilenceStore(reading).acks([one])[one].author == "ana"
        with pytest.raises(RuntimeError, match="opened for reading"):
            SilenceStore(reading).add(ONE)
