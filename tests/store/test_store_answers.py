"""What people answered to alerts."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlite_utils import Migrations

from tests.store.store_samples import NOON, at, incident
from usage_watch.core.incident import Incident
from usage_watch.core.lessons import Answer, AnswerKind, Expected, Rebased
from usage_watch.core.silence import Ack
from usage_watch.store import schema
from usage_watch.store.alerts import AlertStore
from usage_watch.store.answers import AnswerStore
from usage_watch.store.database import Database, open_for_reading, open_for_writing
from usage_watch.store.header import APPLICATION_ID
from usage_watch.store.silences import SilenceStore

ONE, TWO = incident(1), replace(incident(2), labels={"Model": "op'us \x00\udc80"})
EXPECTED = Answer(
    ONE.id, AnswerKind.EXPECTED, at(-1), at(2) + timedelta(microseconds=7), at(3), "Ana Ünal", "see 'wiki'"
)
USUAL = Answer(TWO.id, AnswerKind.REBASELINE, at(-2), None, at(4), "bo")
ACK = Ack(ONE.id, 2, at(3), "Ana Ünal", "see 'wiki'")


@pytest.fixture
def store(db: Database) -> AnswerStore:
    commit(db, ONE, TWO)
    return AnswerStore(db)


def commit(db: Database, *incidents: Incident) -> None:
    AlertStore(db).commit(incidents, [], [], [], NOON)


def acks(db: Database) -> dict[str, Ack]:
    return SilenceStore(db).acks([ONE.id, TWO.id])


def test_answers_come_back_exactly(store: AnswerStore) -> None:
    store.say(EXPECTED, None)
    store.say(USUAL, None)
    assert store.latest([ONE.id, TWO.id, "inc_nothing"]) == {ONE.id: EXPECTED, TWO.id: USUAL}
    assert store.latest([TWO.id]) == {TWO.id: USUAL}
    assert store.latest([]) == {}


def test_rules_are_taught_by_what_stands(store: AnswerStore) -> None:
    assert (store.expected(), store.rebased()) == ([], [])
    store.say(EXPECTED, None)
    store.say(USUAL, None)
    assert store.expected() == [Expected(ONE.rule.id, ONE.labels, at(-1), at(2) + timedelta(microseconds=7))]
    assert store.rebased() == [Rebased(TWO.rule.id, TWO.labels, at(-2), at(4))]
    store.take_back(ONE.id, at(5), "cy")
    store.take_back(TWO.id, at(5), "cy")
    assert (store.expected(), store.rebased()) == ([], [])


def test_times_that_were_not_said_are_the_alerts_own_whatever_becomes_of_it(db: Database, store: AnswerStore) -> None:
    going_on = replace(ONE, started_at=at(0), ended_at=None)
    commit(db, going_on)
    store.say(replace(EXPECTED, from_at=None, until_at=None), None)
    assert store.expected() == [Expected(ONE.rule.id, ONE.labels, at(0), None)]
    commit(db, replace(going_on, started_at=at(-2), ended_at=at(6)))
    assert store.expected() == [Expected(ONE.rule.id, ONE.labels, at(-2), at(6))]


def test_the_latest_stands_and_nothing_is_deleted(db: Database, store: AnswerStore) -> None:
    store.say(EXPECTED, None)
    usual = replace(USUAL, incident_id=ONE.id, at=at(1))  # the clock was set back
    store.say(usual, None)
    assert store.latest([ONE.id]) == {ONE.id: usual}
    assert (store.expected(), len(store.rebased())) == ([], 1)
    assert list(db.query("SELECT kind, taken_back_by FROM answer ORDER BY id")) == [
        ("expected", "bo"),
        ("rebaseline", None),
    ]


def test_a_repeated_answer_is_stored_once(db: Database, store: AnswerStore) -> None:
    store.say(EXPECTED, ACK)
    store.say(replace(EXPECTED, at=at(9), author="bo"), None)
    assert store.latest([ONE.id]) == {ONE.id: EXPECTED}
    store.say(replace(EXPECTED, at=at(9), author="bo"), replace(ACK, rank=3, at=at(9), author="bo"))
    assert db.one("SELECT count(*) FROM answer") == (1,)
    assert acks(db) == {ONE.id: Ack(ONE.id, 3, at(9), "bo", ACK.note)}


def test_who_answers_knows_of_it_until_it_is_taken_back(db: Database, store: AnswerStore) -> None:
    by_hand = Ack(ONE.id, 1, at(0), "cy")
    SilenceStore(db).ack(by_hand)
    store.say(EXPECTED, ACK)
    assert acks(db) == {ONE.id: ACK}
    assert store.take_back(ONE.id, at(5), "bo")
    assert acks(db) == {ONE.id: by_hand}
    assert store.latest([ONE.id]) == {ONE.id: replace(EXPECTED, taken_back_at=at(5), taken_back_by="bo")}
    assert not store.take_back(ONE.id, at(6), "bo")
    assert db.one("SELECT taken_back_at FROM answer") == (at(5).timestamp(),)


def test_whoever_acknowledges_it_after_an_answer_knows_of_it_still(db: Database, store: AnswerStore) -> None:
    store.say(EXPECTED, ACK)
    SilenceStore(db).ack(by_hand := Ack(ONE.id, 2, at(4), "cy"))
    store.take_back(ONE.id, at(5), "bo")
    assert acks(db) == {ONE.id: by_hand}


def test_what_replaces_an_answer_is_known_by_who_says_it(db: Database, store: AnswerStore) -> None:
    store.say(EXPECTED, ACK)
    store.say(replace(USUAL, incident_id=ONE.id), None)
    assert acks(db) == {}


def test_only_an_incident_that_is_stored_can_be_answered(store: AnswerStore) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        store.say(replace(EXPECTED, incident_id="inc_nothing"), None)
    assert store.expected() == []


def test_of_an_alert_one_answer_stands_and_a_new_usual_has_a_beginning(db: Database, store: AnswerStore) -> None:
    store.say(EXPECTED, None)
    columns = "INSERT INTO answer (incident_id, kind, from_at, until_at, at, author) VALUES "
    with pytest.raises(sqlite3.IntegrityError), db.transaction():
        db.execute(columns + f"('{ONE.id}', 'expected', 1, 2, 3, 'x')")
    with pytest.raises(sqlite3.IntegrityError), db.transaction():
        db.execute(columns + f"('{TWO.id}', 'rebaseline', NULL, NULL, 3, 'x')")


def test_whoever_only_looks_reads_them(path: Path) -> None:
    with open_for_writing(path) as db:
        commit(db, ONE)
        AnswerStore(db).say(EXPECTED, ACK)
    with open_for_reading(path) as reading:
        assert AnswerStore(reading).latest([ONE.id]) == {ONE.id: EXPECTED}
        with pytest.raises(RuntimeError, match="opened for reading"):
            AnswerStore(reading).take_back(ONE.id, at(5), "bo")


def test_a_database_from_before_keeps_what_was_known(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Migrations("usage_watch")
    before()(schema.usage_history)
    before()(schema.incidents_and_outbox)
    with monkeypatch.context() as patch:
        patch.setattr(schema, "_migrations", before)
        patch.setattr(schema, "VERSION", 2)
        with open_for_writing(path) as db:
            commit(db, ONE)
            with db.transaction():
                db.execute("INSERT INTO ack VALUES (1, ?, 1, ?, 'ana', NULL)", (ONE.id, at(0).timestamp()))
    with open_for_writing(path) as db:
        assert db.one("PRAGMA application_id") == (APPLICATION_ID,)
        assert acks(db) == {ONE.id: Ack(ONE.id, 1, at(0), "ana")}
        AnswerStore(db).say(EXPECTED, ACK)
        assert acks(db) == {ONE.id: ACK}
