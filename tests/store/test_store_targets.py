"""Targets: what is remembered of each channel, and what a change of the rules file does to what it is owed."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.store.store_samples import at, greeting, incident, post
from usage_watch.core.targetstate import GivenUp, TargetState
from usage_watch.store.alerts import AlertStore, Attempts
from usage_watch.store.database import Database
from usage_watch.store.outbox import Failed, Failure, Outbox, State
from usage_watch.store.targets import TargetStore

LONG_AGO = at(-1000)
MOMENT, HOUR = timedelta(microseconds=1), timedelta(hours=1)
WHY = "It answered 404."


class Office:
    """Channels, and what is for them: message n is about incident n."""

    def __init__(self, db: Database) -> None:
        self.targets, self.box, self.alerts = TargetStore(db), Outbox(db), AlertStore(db)

    def put(self, number: int, target: str = "ops", when: datetime | None = None) -> None:
        letter = post(number, incident(number), target, conversation=f"cnv_{number}")
        self.alerts.commit([incident(number)], [], [], [letter], when or at(0))

    def fails(
        self,
        state: Failed,
        retry_at: datetime | None,
        when: datetime,
        *,
        pause: timedelta | None = HOUR,
        unsure: bool = False,
    ) -> None:
        """The next message fails, and its target is paused; None: it refuses it."""
        (row,) = self.box.lease(when)
        failure = Failure(WHY, state, retry_at, unsure, False, None if pause is None else when + pause, at(-72))
        self.box.record_failure(row, when, failure)

    def sends(self, when: datetime) -> None:
        (row,) = self.box.lease(when)
        self.box.record_sent(row, when, None, "", timedelta())

    def stored(self, number: int) -> Attempts:
        (found,) = self.alerts.attempts_of(incident(number).id)
        return found

    def recalled(self, number: int) -> bool:
        (told,) = self.alerts.told([incident(number).id])
        assert told.recalled == (self.stored(number).state is State.RECALLED)
        return told.recalled and not told.counts

    def state(self, name: str = "ops", since: datetime = LONG_AGO) -> TargetState:
        (found,) = (each for each in self.targets.states(since) if each.name == name)
        return found


@pytest.fixture
def newborn(db: Database) -> Office:
    """Nobody has said yet which channels there are."""
    return Office(db)


@pytest.fixture
def office(newborn: Office) -> Office:
    """Its channels are `ops` and `pager`."""
    newborn.targets.keep({"ops": "a", "pager": "b"}, at(0))
    return newborn


# ---- how it goes ----------------------------------------------------------------------------------------------------


def test_of_a_channel_that_was_never_used_nothing_is_known(office: Office) -> None:
    assert office.targets.states(LONG_AGO) == [TargetState("ops"), TargetState("pager")]


def test_a_channel_that_fails_says_since_when_and_why(office: Office) -> None:
    office.put(1, when=at(0))
    office.put(2, when=at(1))
    office.fails(State.QUEUED, at(2), at(1))
    office.fails(State.BLOCKED, at(4), at(2))
    office.fails(State.QUEUED, at(5), at(3))
    failing = TargetState(
        "ops", blocked_from=at(2), failing_from=at(1), last_error=WHY, waiting=2, waiting_from=at(0), given_up=()
    )
    assert office.targets.states(LONG_AGO) == [failing, TargetState("pager")]


def test_a_success_makes_it_well_again(office: Office) -> None:
    office.put(1)
    office.fails(State.BLOCKED, at(2), at(0))
    office.put(2, when=at(1))
    office.sends(at(1))
    assert office.state() == TargetState("ops", waiting=1, waiting_from=at(0))


def test_a_message_that_it_refuses_leaves_it_well(office: Office) -> None:
    office.put(1)
    office.put(2)
    office.fails(State.BLOCKED, at(2), at(0))
    office.fails(State.DEAD, None, at(1), pause=None)
    well = TargetState("ops", waiting=1, waiting_from=at(0), given_up=(GivenUp(at(1), WHY, "hourly-credits"),))
    assert office.state() == well


def test_what_is_on_its_way_waits_and_what_was_recalled_does_not(office: Office) -> None:
    office.put(1)
    office.put(2)
    office.alerts.commit([], [], [], [], at(0), ["ntf_2"])
    office.box.lease(at(0))
    assert office.state().waiting == 1


def test_what_was_given_up_is_told_from_when_it_was_asked_for(office: Office) -> None:
    for number in range(3):
        office.put(number, "pager")
        office.fails(State.DEAD, None, at(number))
    assert [each.at for each in office.state("pager", at(1)).given_up] == [at(1), at(2)]
    assert office.state("pager", at(2) + MOMENT).given_up == ()
    assert office.state("ops", at(0)).given_up == ()


# ---- another chance -------------------------------------------------------------------------------------------------


def test_the_same_channels_change_nothing(office: Office) -> None:
    office.put(1)
    office.fails(State.BLOCKED, at(1), at(0))
    before = office.state()
    assert office.targets.keep({"pager": "b", "ops": "a"}, at(0)) == 0
    assert office.state() == before
    assert office.stored(1).state is State.BLOCKED


def test_a_channel_that_was_changed_gets_another_chance_and_others_do_not(office: Office) -> None:
    for number in range(3):
        office.put(number)
    office.fails(State.DEAD, None, at(0), pause=None)
    office.fails(State.BLOCKED, at(9), at(0))
    office.put(3, "pager")
    office.fails(State.BLOCKED, at(9), at(0))
    assert office.targets.keep({"ops": "another", "pager": "b"}, at(0)) == 2
    assert office.state() == TargetState("ops", waiting=2, waiting_from=at(0))
    assert office.recalled(0)
    assert office.stored(0).ended_at == at(0), "when it was given up"
    assert (office.stored(1).state, office.stored(1).next_attempt_at) == (State.QUEUED, at(0))
    assert [row.id for row in office.box.lease(at(0))] == ["ntf_1"]
    assert office.stored(3).state is State.BLOCKED


def test_what_waits_for_its_next_attempt_goes_at_once_when_its_channel_was_changed(office: Office) -> None:
    office.put(1)
    office.fails(State.QUEUED, at(3), at(0))
    assert office.targets.keep({"ops": "another", "pager": "b"}, at(0)) == 0, "it had its chance before"
    assert [row.id for row in office.box.lease(at(0))] == ["ntf_1"]


def test_a_channel_is_pardoned_on_request(office: Office) -> None:
    for number in range(2):
        office.put(number)
    office.fails(State.DEAD, None, at(0), pause=None)
    office.fails(State.BLOCKED, at(9), at(0))
    assert office.targets.pardon("ops") == 2
    assert office.targets.pardon("ops") == 0
    assert office.state() == TargetState("ops", waiting=1, waiting_from=at(0))
    assert [row.id for row in office.box.lease(at(0))] == ["ntf_1"]


@pytest.mark.parametrize("pause", [HOUR, None], ids=["too old", "refused"])
def test_what_was_given_up_and_may_have_arrived_keeps_its_id(office: Office, pause: timedelta | None) -> None:
    """Said anew it would have another: its reader could not tell the copy."""
    office.put(1)
    office.fails(State.QUEUED, at(0), at(0), pause=timedelta(), unsure=True)
    office.fails(State.DEAD, None, at(1), pause=pause)
    assert office.targets.pardon("ops") == 1
    assert not office.recalled(1)
    stored = office.stored(1)
    assert (stored.state, stored.next_attempt_at, stored.ended_at) == (State.QUEUED, at(0), None)
    assert office.state() == TargetState("ops", waiting=1, waiting_from=at(0)), "it is not given up any more"
    (row,) = office.box.lease(at(2))
    assert (row.id, row.unsure) == ("ntf_1", True)


def test_of_what_was_given_up_only_what_never_arrived_is_said_anew(office: Office) -> None:
    for number, unsure in ((1, True), (2, False), (3, True)):
        office.put(number)
        office.fails(State.DEAD, None, at(0), pause=None, unsure=unsure)
    assert office.targets.keep({"ops": "another", "pager": "b"}, at(1)) == 3
    assert [office.recalled(number) for number in (1, 2, 3)] == [False, True, False]
    assert office.targets.pardon("ops") == 0, "all have had their chance"


def test_a_pardon_is_of_one_channel(office: Office) -> None:
    for number, unsure in ((1, True), (2, False)):
        office.put(number, "pager")
        office.fails(State.DEAD, None, at(0), pause=None, unsure=unsure)
    assert office.targets.pardon("ops") == 0
    assert [office.stored(number).state for number in (1, 2)] == [State.DEAD, State.DEAD]


def test_a_pardon_does_not_touch_what_is_on_its_way_or_sent(office: Office) -> None:
    office.put(1)
    office.sends(at(0))
    office.put(2)
    (row,) = office.box.lease(at(0))
    assert office.targets.pardon("ops") == 0
    assert [office.stored(number).state for number in (1, 2)] == [State.SENT, State.LEASED]
    assert office.box.next_due(at(0)) == row.lease_until


def test_a_pardon_lets_a_resting_channel_go_on(office: Office) -> None:
    office.put(1)
    office.put(2)
    (row,) = office.box.lease(at(0))
    office.box.record_sent(row, at(0), None, "", timedelta(minutes=1))
    assert office.box.lease(at(0)) == []
    office.targets.pardon("ops")
    assert [each.id for each in office.box.lease(at(0))] == ["ntf_2"]


# ---- removed --------------------------------------------------------------------------------------------------------


def test_what_is_for_a_removed_channel_is_undeliverable_and_the_channel_forgotten(office: Office) -> None:
    for number in range(4):
        office.put(number)
    office.sends(at(0))
    office.fails(State.BLOCKED, at(9), at(0))
    office.targets.pardon("ops")
    office.box.lease(at(0))
    office.put(4, "pager")
    assert office.targets.keep({"pager": "b"}, at(3)) == 0
    undeliverable = [office.stored(number) for number in range(1, 4)]
    assert {each.state for each in undeliverable} == {State.UNDELIVERABLE}
    assert {each.next_attempt_at for each in undeliverable} == {None}
    assert {each.ended_at for each in undeliverable} == {at(3)}
    assert office.stored(0).state is State.SENT
    assert [each.name for each in office.targets.states(LONG_AGO)] == ["pager"]
    assert office.box.next_due(at(0)) == at(0)
    assert [row.id for row in office.box.lease(at(0))] == ["ntf_4"]


def test_what_was_undeliverable_is_said_anew_when_its_channel_comes_back(office: Office) -> None:
    office.put(1)
    office.targets.keep({"pager": "b"}, at(0))
    office.put(2, "pager")
    assert office.targets.keep({"pager": "b", "ops": "a"}, at(1)) == 1
    assert office.recalled(1)
    assert not office.recalled(2)
    assert office.state() == TargetState("ops")


def test_what_was_on_its_way_to_a_channel_that_was_removed_goes_on_when_it_comes_back(office: Office) -> None:
    """Nobody knows whether it arrived; of what waited it is known."""
    office.put(1)
    office.put(2)
    assert [row.id for row in office.box.lease(at(0))] == ["ntf_1"]
    office.targets.keep({"pager": "b"}, at(0))
    assert [office.stored(number).state for number in (1, 2)] == [State.UNDELIVERABLE, State.UNDELIVERABLE]
    assert office.targets.keep({"ops": "a", "pager": "b"}, at(1)) == 2
    assert [office.recalled(number) for number in (1, 2)] == [False, True]
    (row,) = office.box.lease(at(1))
    assert (row.id, row.attempts, row.unsure) == ("ntf_1", 2, True)


def test_what_was_in_doubt_before_its_channel_was_removed_stays_so(office: Office) -> None:
    office.put(1)
    office.fails(State.QUEUED, at(0), at(0), unsure=True)
    office.targets.keep({"pager": "b"}, at(0))
    office.targets.keep({"ops": "a", "pager": "b"}, at(1))
    (row,) = office.box.lease(at(1))
    assert row.unsure


def test_what_was_decided_for_a_channel_before_it_was_known_is_kept(newborn: Office) -> None:
    newborn.put(1)
    assert newborn.targets.keep({"ops": "a"}, at(0)) == 0
    assert newborn.stored(1).state is State.QUEUED


def test_a_channel_that_failed_before_its_settings_were_known_is_kept_from_then_on(newborn: Office) -> None:
    newborn.put(1)
    newborn.fails(State.QUEUED, at(1), at(0))
    failing = TargetState("ops", failing_from=at(0), last_error=WHY, waiting=1, waiting_from=at(0))
    assert newborn.state() == failing
    newborn.targets.keep({"ops": "a"}, at(0))
    assert newborn.state() == TargetState("ops", waiting=1, waiting_from=at(0))


# A greeting, which nobody says anew


def hello_state(db: Database) -> State:
    (found,) = db.query("SELECT state FROM outbox WHERE reason = 'hello'")
    return State(found[0])


@pytest.mark.parametrize("gone", [False, True])
def test_a_greeting_that_was_given_up_is_sent_once_its_channel_is_mended(
    office: Office, db: Database, gone: bool
) -> None:
    office.alerts.commit([], [], [], [greeting()], at(0))
    if gone:
        office.targets.keep({"pager": "b"}, at(1))
    else:
        office.fails(State.DEAD, None, at(1))
    assert hello_state(db) is (State.UNDELIVERABLE if gone else State.DEAD)
    assert office.targets.keep({"ops": "another", "pager": "b"}, at(2)) == 1
    assert hello_state(db) is State.QUEUED
    office.sends(at(2))
    assert office.targets.pardon("ops") == 0
    assert hello_state(db) is State.SENT


def test_nobody_is_greeted_who_was_told_something_since(office: Office, db: Database) -> None:
    office.alerts.commit([], [], [], [greeting()], at(0))
    office.fails(State.DEAD, None, at(1), pause=None)
    office.put(1, when=at(1))
    office.sends(at(1))
    office.targets.pardon("ops")
    assert hello_state(db) is State.RECALLED
