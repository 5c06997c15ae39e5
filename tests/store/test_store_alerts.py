"""Incidents, rules, decisions and the notification log."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.store.store_samples import EVIDENCE, NOON, at, greeting, incident, post
from usage_watch.core.hello import hello_id
from usage_watch.core.incident import Incident, RuleRecord
from usage_watch.core.message import Conversation, Reason
from usage_watch.core.promise import Decision, Notification, Post, Told
from usage_watch.store.alerts import AlertStore, Attempts, Decided
from usage_watch.store.database import Database
from usage_watch.store.outbox import Failure, Outbox, State

ONE, TWO = incident(1), incident(2, ended_at=at(5))


@pytest.fixture
def store(db: Database) -> AlertStore:
    return AlertStore(db)


def commit(
    store: AlertStore,
    incidents: Collection[Incident] = (),
    rules: Collection[RuleRecord] = (),
    decisions: Collection[Decision] = (),
    posts: Collection[Post] = (),
    when: datetime = NOON,
    recalled: Collection[str] = (),
) -> None:
    store.commit(incidents, rules, decisions, posts, when, recalled)


# Incidents


def test_an_incident_comes_back_exactly(store: AlertStore) -> None:
    bare = replace(ONE, id="inc_bare", labels={}, part=None, period_at=None, history=True, closed="The rule went.")
    commit(store, [ONE, bare])
    assert store.incident(ONE.id) == ONE
    assert store.incident("inc_bare") == bare


def test_an_incident_that_went_on_is_replaced_but_for_its_first_commit(store: AlertStore) -> None:
    commit(store, [ONE])
    later = replace(ONE, started_at=at(-2), ended_at=at(3) + timedelta(microseconds=7), rank=3, sequence=2)
    commit(store, [replace(later, committed_at=at(9))])
    assert store.incident(ONE.id) == later


def test_open_incidents_are_found_and_those_that_ended_late_enough(store: AlertStore) -> None:
    old = incident(3, ended_at=at(4))
    earlier = replace(incident(4), started_at=at(-5))
    commit(store, [ONE, TWO, old, earlier])
    assert store.incidents(at(5)) == [earlier, ONE, TWO]
    assert store.incidents(at(6)) == [earlier, ONE]


def test_incidents_are_found_of_some_rules(store: AlertStore) -> None:
    other = replace(incident(3, ended_at=at(4)), rule=replace(ONE.rule, id="other"))
    commit(store, [ONE, other])
    assert store.incidents(at(0), ["other"]) == [other]
    assert store.incidents(at(0), ["other", ONE.rule.id]) == [ONE, other]
    assert store.incidents(at(5), ["other"]) == []
    assert store.incidents(at(0), []) == []


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("inc_abc", "inc_abc"),
        ("inc_abcd", "inc_abcd"),
        ("inc_b", "inc_b1"),
        ("b", "inc_b1"),
        ("abc", None),
        ("inc_", None),
        ("", None),
        ("inc_x", None),
        ("inc_%", None),
    ],
)
def test_an_incident_is_found_by_its_id_or_a_beginning_that_only_one_has(
    store: AlertStore, asked: str, found: str | None
) -> None:
    commit(store, [replace(ONE, id=id) for id in ("inc_abcd", "inc_abc", "inc_b1")])
    incident = store.incident(asked)
    assert (incident and incident.id) == found


# Rules


def test_a_rule_comes_back(store: AlertStore) -> None:
    speaking = RuleRecord("a", "digest", at(0), removed=False, removals=4)
    silent = RuleRecord("b", "digest", None, removed=True)
    commit(store, rules=[speaking, silent])
    assert store.rules() == {"a": speaking, "b": silent}
    commit(store, rules=[replace(speaking, removals=6)])
    assert store.rules()["a"].removals == 6


def test_a_rule_remembers_when_its_digest_was_first_seen_and_when_it_went(store: AlertStore, db: Database) -> None:
    rule = RuleRecord("a", "one", None, removed=False)

    def times() -> object:
        return db.one("SELECT seen_at, removed_at FROM rule")

    commit(store, rules=[rule], when=at(1))
    commit(store, rules=[replace(rule, speaks_from=at(0))], when=at(2))
    assert times() == (at(1).timestamp(), None)
    commit(store, rules=[replace(rule, digest="two")], when=at(3))
    assert times() == (at(3).timestamp(), None)
    commit(store, rules=[replace(rule, digest="two", removed=True)], when=at(4))
    commit(store, rules=[replace(rule, digest="two", removed=True)], when=at(5))
    assert times() == (at(3).timestamp(), at(4).timestamp())
    commit(store, rules=[replace(rule, digest="two")], when=at(6))
    assert times() == (at(3).timestamp(), None)


# What was promised


def test_what_is_posted_is_told_from_then_on(store: AlertStore) -> None:
    fired = post(1, ONE)
    commit(store, [ONE], posts=[fired], when=at(0) + timedelta(microseconds=3))
    decided_at = at(0) + timedelta(microseconds=3)
    assert store.told([ONE.id]) == [
        Told(fired.keys[0], fired.conversation, decided_at, fired.id, counts=True, waits=True)
    ]
    assert store.told([TWO.id]) == []
    assert store.told([]) == []


def test_one_post_keeps_several_promises(store: AlertStore) -> None:
    both = replace(post(1, ONE), keys=(*post(1, ONE).keys, *post(1, TWO).keys))
    commit(store, [ONE, TWO], posts=[both])
    assert [told.notification.incident_id for told in store.told([ONE.id, TWO.id])] == [ONE.id, TWO.id]
    assert [row.id for row in store.attempts_of(TWO.id)] == ["ntf_1"]


STANDING = [
    # state, unsure: counts, waits, recalled
    (State.QUEUED, False, (True, True, False)),
    (State.QUEUED, True, (True, False, False)),
    (State.LEASED, False, (True, False, False)),
    (State.LEASED, True, (True, False, False)),
    (State.SENT, False, (True, False, False)),
    (State.SENT, True, (True, False, False)),
    (State.BLOCKED, False, (True, True, False)),
    (State.BLOCKED, True, (True, False, False)),
    (State.DEAD, False, (False, False, False)),
    (State.DEAD, True, (False, False, False)),
    (State.UNDELIVERABLE, False, (False, False, False)),
    (State.UNDELIVERABLE, True, (False, False, False)),
    (State.RECALLED, False, (False, False, True)),
    (State.RECALLED, True, (False, False, True)),
]


@pytest.mark.parametrize(("state", "unsure", "standing"), STANDING)
def test_what_may_be_counted_on_depends_on_what_became_of_it(
    store: AlertStore, db: Database, state: State, unsure: bool, standing: tuple[bool, bool, bool]
) -> None:
    commit(store, [ONE], posts=[post(1, ONE)])
    with db.transaction():
        db.execute("UPDATE outbox SET state = ?, unsure = ?", (state, unsure))
    assert [(told.counts, told.waits, told.recalled) for told in store.told([ONE.id])] == [standing]


def test_every_state_is_in_that_table() -> None:
    assert {(state, unsure) for state, unsure, _ in STANDING} == {(s, u) for s in State for u in (False, True)}


def test_told_is_in_the_order_of_decisions_and_knows_the_handle(store: AlertStore, db: Database) -> None:
    commit(store, [ONE], posts=[post(2, ONE)])
    (row,) = Outbox(db).lease(at(1))
    Outbox(db).record_sent(row, at(1), "C1/17.5", "", timedelta())
    commit(store, posts=[post(1, ONE, reason=Reason.RESOLVED), post(0, ONE, "pager", conversation="cnv_2")])
    told = store.told([ONE.id])
    assert [record.notification.reason for record in told] == [Reason.FIRED, Reason.RESOLVED, Reason.FIRED]
    assert [record.conversation.ref for record in told] == ["C1/17.5", "C1/17.5", None]


def test_a_conversation_stays_as_it_began(store: AlertStore) -> None:
    commit(store, [ONE], posts=[post(1, ONE)])
    other = replace(post(2, ONE, reason=Reason.ESCALATED), conversation=Conversation("cnv_1", "Another", "ref"))
    commit(store, posts=[other])
    assert {told.conversation for told in store.told([ONE.id])} == {Conversation("cnv_1", "Hourly credits", None)}


def test_telling_the_same_twice_is_a_fault_and_changes_nothing(store: AlertStore) -> None:
    commit(store, [ONE], posts=[post(1, ONE)])
    with pytest.raises(sqlite3.IntegrityError):
        commit(
            store,
            [replace(ONE, rank=9), TWO],
            [RuleRecord("a", "digest", None, removed=False)],
            [Decision(ONE.id, None, Reason.FIRED, told=True, why="because")],
            [post(2, TWO), post(3, ONE)],
        )
    assert store.incident(ONE.id) == ONE
    assert store.incident(TWO.id) is None
    assert store.rules() == {}
    assert store.decisions_of(ONE.id) == []
    assert [row.id for row in store.attempts_of(ONE.id)] == ["ntf_1"]


def test_a_promise_about_nothing_is_a_fault(store: AlertStore) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        commit(store, posts=[post(1, ONE)])


def test_a_message_that_cannot_be_kept_stops_the_whole_commit(store: AlertStore) -> None:
    spoilt = replace(ONE, evidence=replace(EVIDENCE, value=float("nan")))
    with pytest.raises(ValueError, match="not JSON compliant"):
        commit(store, [TWO, spoilt])
    assert store.incident(TWO.id) is None


# What is taken back


def ends(number: int, conversation: str = "cnv_1") -> Post:
    """What is told in place of what was taken back."""
    return post(number, ONE, reason=Reason.FIRED_AND_ENDED, conversation=conversation)


@pytest.mark.parametrize("state", [State.QUEUED, State.BLOCKED])
def test_what_waits_is_taken_back(store: AlertStore, db: Database, state: State) -> None:
    commit(store, [ONE], posts=[post(1, ONE)])
    with db.transaction():
        db.execute("UPDATE outbox SET state = ?", (state,))
    commit(store, posts=[ends(2)], when=at(1), recalled=["ntf_1"])
    first, second = store.attempts_of(ONE.id)
    assert (first.state, first.next_attempt_at, first.ended_at) == (State.RECALLED, None, at(1))
    assert (second.state, second.next_attempt_at) == (State.QUEUED, at(1))
    assert [row.id for row in Outbox(db).lease(at(1))] == ["ntf_2"]


def test_a_recall_alone_is_enough_to_commit(store: AlertStore, db: Database) -> None:
    commit(store, [ONE], posts=[post(1, ONE)])
    commit(store, recalled=["ntf_1"])
    assert [told.recalled for told in store.told([ONE.id])] == [True]
    assert Outbox(db).next_due(at(1)) is None


def test_what_is_said_in_place_of_it_is_as_old_as_it_was(store: AlertStore) -> None:
    """So that it is given up at the same time: being taken back buys nothing."""
    other = post(3, ONE, "pager", conversation="cnv_2")
    commit(store, [ONE], posts=[post(2, ONE, reason=Reason.ESCALATED)], when=at(1))
    commit(store, posts=[post(1, ONE), other], when=at(0))
    anew = [ends(4), post(5, TWO, conversation="cnv_3")]
    commit(store, [TWO], posts=anew, when=at(9), recalled=["ntf_1", "ntf_2", "ntf_3"])
    assert [(row.id, row.created_at) for row in store.attempts_of(ONE.id)][-1] == ("ntf_4", at(0))
    assert [row.created_at for row in store.attempts_of(TWO.id)] == [at(9)], "of another conversation"
    assert [told.decided_at for told in store.told([ONE.id])][-1] == at(9)


@pytest.mark.parametrize(
    ("state", "unsure"), [(state, unsure) for state, unsure, (_, waits, _) in STANDING if not waits]
)
def test_what_may_have_left_is_never_taken_back(store: AlertStore, db: Database, state: State, unsure: bool) -> None:
    commit(store, [ONE], posts=[post(1, ONE), post(2, ONE, "pager", conversation="cnv_2")])
    with db.transaction():
        db.execute("UPDATE outbox SET state = ?, unsure = ? WHERE id = 'ntf_1'", (state, unsure))
    before = store.attempts_of(ONE.id)
    with pytest.raises(RuntimeError, match="has left already"):
        commit(store, [TWO], posts=[ends(3)], when=at(1), recalled=["ntf_1", "ntf_2"])
    assert store.attempts_of(ONE.id) == before
    assert store.incident(TWO.id) is None, "all of it or nothing"


def test_what_is_unknown_cannot_be_taken_back(store: AlertStore) -> None:
    with pytest.raises(RuntimeError, match="has left already"):
        commit(store, recalled=["ntf_9"])


def test_nothing_to_commit_writes_nothing(store: AlertStore, db: Database) -> None:
    changes = db.one("SELECT total_changes()")
    commit(store)
    assert db.one("SELECT total_changes()") == changes


# Why and how


def test_decisions_come_back_in_order(store: AlertStore) -> None:
    held = Decision(ONE.id, "ops", Reason.FIRED, told=False, why="Silenced by ana until 14:00.")
    for_all = Decision(ONE.id, None, Reason.FIRED, told=True, why="It stands above its limit.")
    commit(store, [ONE, TWO], decisions=[held, replace(held, incident_id=TWO.id)], when=at(1))
    commit(store, decisions=[for_all], when=at(2))
    assert store.decisions_of(ONE.id) == [Decided(at(1), held), Decided(at(2), for_all)]


def test_what_was_held_back_is_found_and_what_was_told_is_not(store: AlertStore) -> None:
    held = Decision(ONE.id, "ops", Reason.FIRED, told=False, why="Silenced by ana until 14:00.")
    for_all = replace(held, target=None, reason=Reason.REMINDER)
    told = replace(held, told=True, why="It stands above its limit.")
    of_two = replace(held, incident_id=TWO.id)
    commit(store, [ONE, TWO], decisions=[held, for_all, told, of_two])
    commit(store, decisions=[held], when=at(1))
    assert store.held([ONE.id]) == {held, for_all}
    assert store.held([ONE.id, TWO.id]) == {held, for_all, of_two}
    assert store.held([]) == set()


def test_attempts_tell_how_a_delivery_goes(store: AlertStore, db: Database) -> None:
    pager = post(2, ONE, "pager", conversation="cnv_2")
    commit(store, [ONE], posts=[post(1, ONE), pager, post(3, ONE, "hook", conversation="cnv_3")], when=at(0))
    outbox = Outbox(db)
    ops, queued, dead = outbox.lease(at(1))
    outbox.record_sent(ops, at(2), "ref", "one of two recipients was refused", timedelta())
    failed = Failure("It answered with 503.", State.QUEUED, at(4), True, False, at(3), at(-72))
    outbox.record_failure(queued, at(3), failed)
    outbox.record_failure(dead, at(3), replace(failed, detail="It refused.", state=State.DEAD, retry_at=None))
    stored = [
        Attempts(
            "ntf_1", "ops", Reason.FIRED, State.SENT, 1, at(0), at(1), None, at(2), "one of two recipients was refused"
        ),
        Attempts("ntf_2", "pager", Reason.FIRED, State.QUEUED, 1, at(0), at(1), at(4), None, "It answered with 503."),
        Attempts("ntf_3", "hook", Reason.FIRED, State.DEAD, 1, at(0), at(1), None, at(3), "It refused."),
    ]
    assert store.attempts_of(ONE.id) == stored
    assert [each.sent_at for each in stored] == [at(2), None, None]


def test_notifications_of_other_ordinals_and_targets_are_others(store: AlertStore) -> None:
    again = replace(post(2, ONE), keys=(Notification(ONE.id, "ops", Reason.FIRED, 2, 2),))
    commit(store, [ONE], posts=[post(1, ONE), again, post(3, ONE, "pager", conversation="cnv_2")])
    found = {(told.notification.target, told.notification.ordinal) for told in store.told([ONE.id])}
    assert found == {("ops", 1), ("ops", 2), ("pager", 1)}


# Greetings

HELLOS = {name: hello_id(name) for name in ("ops", "finance")}
SPEAKS = RuleRecord("hourly-credits", "digest", at(0), removed=False)


def test_a_greeting_is_sent_as_it_was_decided_and_is_about_no_incident(store: AlertStore, db: Database) -> None:
    commit(store, posts=[greeting()])
    (row,) = Outbox(db).lease(NOON)
    assert (row.id, row.message, row.conversation) == (hello_id("ops"), greeting().message, greeting().conversation)
    assert store.told([ONE.id]) == []


def test_a_channel_is_a_stranger_until_it_was_greeted(store: AlertStore) -> None:
    assert store.strangers(HELLOS) == {"ops", "finance"}
    commit(store, rules=[SPEAKS], posts=[greeting("ops")])
    assert store.strangers(HELLOS) == {"finance"}
    commit(store, posts=[greeting("finance")])
    assert store.strangers(HELLOS) == set()


def test_one_that_was_told_something_by_a_version_without_greetings_is_no_stranger(store: AlertStore) -> None:
    commit(store, [ONE], [SPEAKS], posts=[post(1, ONE, "ops")])
    assert store.strangers(HELLOS) == {"finance"}


def test_what_the_watcher_said_of_itself_before_any_rule_spoke_is_no_greeting(store: AlertStore) -> None:
    commit(store, [ONE], [replace(SPEAKS, speaks_from=None)], posts=[post(1, ONE, "ops")])
    assert store.strangers(HELLOS) == {"ops", "finance"}


def test_a_greeting_that_was_given_up_was_a_greeting(store: AlertStore, db: Database) -> None:
    commit(store, rules=[SPEAKS], posts=[greeting()])
    box = Outbox(db)
    (row,) = box.lease(NOON)
    box.record_failure(row, NOON, Failure("It answered 400.", State.DEAD, None, False, True, None, None))
    assert store.strangers(HELLOS) == {"finance"}
