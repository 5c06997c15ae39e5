"""The outbox: each row is handed out to one at a time, in order, and is never lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.store.store_samples import at, incident, post
from usage_watch.core.message import Conversation
from usage_watch.store.alerts import AlertStore, Attempts
from usage_watch.store.database import Database, open_for_writing
from usage_watch.store.outbox import CLOCK_SLACK, LEASE_FOR, Failure, Outbox, OutboxRow, State

MINUTE, SECOND, MOMENT = timedelta(minutes=1), timedelta(seconds=1), timedelta(microseconds=1)
DAY, NO_PACE = timedelta(days=1), timedelta()
LEASED_UNTIL = at(0) + LEASE_FOR
WHY = "It did not answer."


class Queue:
    """An outbox and what is put into it: message n is about incident n."""

    def __init__(self, db: Database) -> None:
        self.box, self.alerts = Outbox(db), AlertStore(db)

    def put(self, number: int, conversation: str = "cnv_1", target: str = "ops", when: datetime | None = None) -> None:
        letter = post(number, incident(number), target, conversation=conversation)
        self.alerts.commit([incident(number)], [], [], [letter], when or at(0))

    def lease(self, when: datetime | None = None, busy: tuple[str, ...] = ()) -> list[str]:
        """The ids of what is handed out."""
        return [row.id for row in self.box.lease(when or at(0), busy)]

    def one(self, when: datetime | None = None) -> OutboxRow:
        """The only row that is handed out."""
        (row,) = self.box.lease(when or at(0))
        return row

    def sent(self, row: OutboxRow, when: datetime | None = None, pace: timedelta = NO_PACE) -> None:
        self.box.record_sent(row, when or at(0), None, "", pace)

    def stored(self, number: int) -> Attempts:
        (found,) = self.alerts.attempts_of(incident(number).id)
        return found


@pytest.fixture
def queue(db: Database) -> Queue:
    return Queue(db)


def failure(state: Any = State.QUEUED, retry_at: datetime | None = None, **more: Any) -> Failure:
    """A failure of the row alone, unless `target_retry_at` says otherwise."""
    usual = {"unsure": False, "minimal": False, "target_retry_at": None, "expired_from": at(-72)}
    return Failure(WHY, state, retry_at, **(usual | more))


# ---- handed out -----------------------------------------------------------------------------------------------------


def test_what_is_queued_is_due_at_once_and_comes_whole(queue: Queue) -> None:
    assert queue.box.next_due(at(0)) is None
    assert queue.lease() == []
    queue.put(1)
    assert queue.box.next_due(at(0)) == at(0)
    assert queue.one() == OutboxRow(
        id="ntf_1",
        target="ops",
        conversation=Conversation("cnv_1", "Hourly credits", None),
        message=post(1, incident(1)).message,
        attempts=1,
        created_at=at(0),
        lease_until=LEASED_UNTIL,
        last_error=None,
        unsure=False,
        minimal=False,
        failures=0,
    )


def test_nothing_is_due_before_its_time(queue: Queue) -> None:
    queue.put(1)
    assert queue.lease(at(0) - MOMENT) == []


def test_what_is_leased_is_not_handed_out_again_until_the_lease_ends(queue: Queue) -> None:
    queue.put(1)
    queue.lease()
    assert queue.box.next_due(at(0)) == LEASED_UNTIL
    assert queue.lease(LEASED_UNTIL - MOMENT) == []
    again = queue.one(LEASED_UNTIL)
    assert (again.id, again.attempts) == ("ntf_1", 2)


def test_each_target_gets_one_at_a_time_and_none_while_it_is_busy(queue: Queue) -> None:
    for number, target in enumerate(["ops", "ops", "pager", "pager"]):
        queue.put(number, f"cnv_{number}", target)
    assert queue.lease() == ["ntf_0", "ntf_2"]
    assert queue.lease(busy=("ops", "pager")) == []
    assert queue.lease(busy=("ops",)) == ["ntf_3"]


def test_when_something_is_due_leaves_out_who_is_busy(queue: Queue) -> None:
    queue.put(1, "cnv_1", "ops", at(-2))
    queue.put(2, "cnv_2", "pager", at(-1))
    assert queue.box.next_due(at(0)) == at(-2)
    assert queue.box.next_due(at(0), ["ops"]) == at(-1)
    assert queue.box.next_due(at(0), ["ops", "pager"]) is None


class Slow(Outbox):
    """Others may do something between its look at what is due and its claim."""

    def __init__(self, db: Database, meanwhile: Callable[[], object]) -> None:
        super().__init__(db)
        transaction = db.transaction

        @contextmanager
        def later() -> Iterator[None]:
            meanwhile()
            with transaction():
                yield

        db.transaction = later  # type: ignore[method-assign]


def test_what_another_process_claims_meanwhile_is_left_to_it(db: Database, queue: Queue) -> None:
    queue.put(1, "cnv_1", "ops")
    queue.put(2, "cnv_2", "pager")
    with open_for_writing(db.path) as slow:
        box = Slow(slow, lambda: queue.lease(busy=("pager",)))
        assert [row.id for row in box.lease(at(0))] == ["ntf_2"]
    assert [queue.stored(number).attempts for number in (1, 2)] == [1, 1]


def test_a_lease_that_ran_out_is_claimed_by_one_alone(db: Database, queue: Queue) -> None:
    queue.put(1)
    queue.lease()
    with open_for_writing(db.path) as slow:
        assert Slow(slow, lambda: queue.lease(LEASED_UNTIL)).lease(LEASED_UNTIL) == []
    assert queue.stored(1).attempts == 2


@pytest.mark.parametrize("state", [State.SENT, State.DEAD, State.UNDELIVERABLE, State.RECALLED])
def test_what_came_to_its_end_meanwhile_is_not_handed_out(db: Database, queue: Queue, state: State) -> None:
    queue.put(1)

    def end() -> None:
        with db.transaction():
            db.execute("UPDATE outbox SET state = ?", (state,))

    with open_for_writing(db.path) as slow:
        assert Slow(slow, end).lease(at(0)) == []
    assert queue.stored(1).state is state


def test_two_processes_never_hold_the_same_row(db: Database, queue: Queue) -> None:
    for number in range(4):
        queue.put(number, f"cnv_{number}", f"target {number}")
    with open_for_writing(db.path) as other:
        first = queue.lease(busy=("target 2", "target 3"))
        second = [row.id for row in Outbox(other).lease(at(0))]
    assert (first, second) == (["ntf_0", "ntf_1"], ["ntf_2", "ntf_3"])


# ---- in order -------------------------------------------------------------------------------------------------------


def test_a_conversation_goes_in_order_and_others_do_not_wait_for_it(queue: Queue) -> None:
    queue.put(1)
    queue.put(2)
    queue.put(3, "cnv_2")
    first = queue.one()
    assert first.id == "ntf_1"
    assert queue.lease() == ["ntf_3"]
    assert queue.lease() == []
    queue.sent(first)
    assert queue.lease() == ["ntf_2"]


@pytest.mark.parametrize(
    ("state", "younger_may_go"), [(State.QUEUED, False), (State.BLOCKED, False), (State.DEAD, True)]
)
def test_a_younger_row_waits_until_the_older_is_sent_or_given_up(
    queue: Queue, state: State, younger_may_go: bool
) -> None:
    queue.put(1)
    queue.put(2)
    retry_at = None if younger_may_go else at(1)
    queue.box.record_failure(queue.one(), at(0), failure(state, retry_at, target_retry_at=at(0)))
    assert queue.box.next_due(at(0)) == (at(0) if younger_may_go else at(1))
    assert queue.lease(at(0) + MINUTE) == (["ntf_2"] if younger_may_go else [])
    assert queue.lease(at(1)) == (["ntf_2"] if younger_may_go else ["ntf_1"])


def test_the_oldest_goes_first_and_what_was_never_tried_before_what_failed(queue: Queue) -> None:
    for number in (3, 1, 2):
        queue.put(number, f"cnv_{number}")
    queue.box.record_failure(queue.one(), at(0), failure(State.QUEUED, at(0) + MOMENT))
    assert [*queue.lease(at(1)), *queue.lease(at(1)), *queue.lease(at(1))] == ["ntf_1", "ntf_2", "ntf_3"]


# ---- what an attempt leaves behind ----------------------------------------------------------------------------------


def test_an_attempt_that_failed_is_tried_again_with_the_same_id(queue: Queue) -> None:
    queue.put(1)
    queue.box.record_failure(queue.one(), at(0), failure(State.QUEUED, at(0) + 2 * MINUTE))
    assert queue.box.next_due(at(0)) == at(0) + 2 * MINUTE
    again = queue.one(at(0) + 2 * MINUTE)
    assert (again.id, again.attempts, again.last_error) == ("ntf_1", 2, WHY)


def test_what_may_have_arrived_once_stays_in_doubt(queue: Queue) -> None:
    queue.put(1)
    doubts = []
    for unsure in (False, True, False):
        row = queue.one()
        doubts.append(row.unsure)
        queue.box.record_failure(row, at(0), failure(State.QUEUED, at(0), unsure=unsure))
    assert [*doubts, queue.one().unsure] == [False, False, True, True]


def test_a_message_that_was_refused_as_a_whole_comes_back_as_the_least_of_it(queue: Queue) -> None:
    queue.put(1)
    queue.box.record_failure(queue.one(), at(0), failure(State.QUEUED, at(0), minimal=True))
    assert queue.one().minimal


def test_the_newest_handle_of_a_conversation_is_its_own(queue: Queue) -> None:
    for number in (1, 2, 3):
        queue.put(number)
    refs = []
    for ref in ("C1/1", "C1/2", None):
        row = queue.one()
        refs.append(row.conversation.ref)
        queue.box.record_sent(row, at(0), ref, "", NO_PACE)
    assert refs == [None, "C1/1", "C1/2"]


def test_a_message_without_a_handle_leaves_its_conversation_without_one(queue: Queue) -> None:
    queue.put(1)
    queue.put(2)
    queue.sent(queue.one())
    assert queue.one().conversation.ref is None


def test_a_failure_that_comes_late_does_not_undo_what_was_sent(queue: Queue) -> None:
    queue.put(1)
    late = queue.one()
    queue.sent(queue.one(LEASED_UNTIL), LEASED_UNTIL)
    queue.box.record_failure(late, LEASED_UNTIL, failure(State.QUEUED, at(1)))
    assert queue.box.next_due(at(1)) is None
    assert (queue.stored(1).state, queue.stored(1).ended_at) == (State.SENT, LEASED_UNTIL)


def test_what_was_given_up_says_when_and_what_was_not_does_not(queue: Queue) -> None:
    for number, state in enumerate((State.DEAD, State.QUEUED, State.BLOCKED)):
        queue.put(number, f"cnv_{number}")
        queue.box.record_failure(queue.one(), at(1), failure(state, None if state is State.DEAD else at(2)))
    assert [queue.stored(number).ended_at for number in range(3)] == [at(1), None, None]


def test_what_a_process_had_in_hand_when_it_died_is_found(queue: Queue) -> None:
    assert queue.box.on_their_way() == []
    queue.put(1, "cnv_1", "ops")
    queue.put(2, "cnv_2", "pager")
    queue.put(3, "cnv_2", "pager")
    in_hand = queue.box.lease(at(0))
    assert queue.box.on_their_way() == in_hand
    queue.sent(in_hand[0])
    assert queue.box.on_their_way() == in_hand[1:]


# ---- what a process leaves that died --------------------------------------------------------------------------------


def test_what_is_taken_over_is_in_doubt_and_waits_with_its_id(queue: Queue) -> None:
    queue.put(1)
    queue.box.take_over(queue.one(), at(0) + MINUTE, WHY)
    stored = queue.stored(1)
    assert (stored.state, stored.attempts, stored.last_error) == (State.QUEUED, 1, WHY)
    assert queue.box.next_due(at(0)) == at(0) + MINUTE, "its lease has ended"
    assert queue.box.on_their_way() == []
    again = queue.one(at(0) + MINUTE)
    assert (again.id, again.attempts, again.unsure) == ("ntf_1", 2, True)


def test_what_is_taken_over_leaves_its_target_as_it_was(queue: Queue) -> None:
    queue.put(1, "cnv_1")
    queue.put(2, "cnv_2")
    queue.box.record_failure(queue.one(), at(0), failure(State.QUEUED, at(9), target_retry_at=at(0)))
    queue.box.take_over(queue.one(), at(9), WHY)
    queue.put(3, "cnv_3")
    row = queue.one()
    assert (row.id, row.failures, row.unsure) == ("ntf_3", 1, False)


@pytest.mark.parametrize("state", [State.SENT, State.UNDELIVERABLE])
def test_what_came_to_its_end_is_not_taken_over(db: Database, queue: Queue, state: State) -> None:
    queue.put(1)
    row = queue.one()
    with db.transaction():
        db.execute("UPDATE outbox SET state = ?", (state,))
    queue.box.take_over(row, at(1), WHY)
    assert (queue.stored(1).state, queue.stored(1).last_error) == (state, None)


# ---- targets --------------------------------------------------------------------------------------------------------


def test_a_target_that_fails_is_left_alone_with_all_that_is_for_it(queue: Queue) -> None:
    for number, target in enumerate(["ops", "ops", "pager", "pager"]):
        queue.put(number, f"cnv_{number}", target)
    failed, sent = queue.box.lease(at(0))
    queue.box.record_failure(failed, at(0), failure(State.QUEUED, at(2), target_retry_at=at(1)))
    queue.sent(sent)
    assert queue.box.next_due(at(0)) == at(0)
    assert queue.lease(at(1) - MOMENT) == ["ntf_3"]
    assert queue.box.next_due(at(0), ["pager"]) == at(1)
    assert queue.lease(at(1), busy=("pager",)) == ["ntf_1"]
    assert queue.box.next_due(at(1), ["pager"]) == at(1) + LEASE_FOR


def test_what_a_target_refuses_as_such_is_the_rows_own_affair(queue: Queue) -> None:
    queue.put(1, "cnv_1")
    queue.put(2, "cnv_2")
    queue.box.record_failure(queue.one(), at(0), failure(State.DEAD))
    assert queue.one().id == "ntf_2"


def test_failures_of_a_target_are_counted_until_it_answers(queue: Queue) -> None:
    for number in range(5):
        queue.put(number, f"cnv_{number}")
    failing = failure(State.QUEUED, at(9), target_retry_at=at(0))
    counted = []
    for answer in (failing, failing, None, failing, failure(State.DEAD)):
        row = queue.one()
        counted.append(row.failures)
        if answer is None:
            queue.sent(row)
        else:
            queue.box.record_failure(row, at(0), answer)
    assert counted == [0, 1, 2, 0, 1]
    assert queue.one(at(9)).failures == 0, "a refusal is an answer"


def test_after_a_message_a_target_rests_for_its_pace_and_others_do_not(queue: Queue) -> None:
    for number, target in enumerate(["ops", "ops", "pager", "pager"]):
        queue.put(number, f"cnv_{number}", target)
    for row in queue.box.lease(at(0)):
        queue.sent(row, at(0), SECOND if row.target == "ops" else NO_PACE)
    assert queue.lease(at(0) + SECOND - MOMENT) == ["ntf_3"]
    assert queue.box.next_due(at(0), ["pager"]) == at(0) + SECOND
    assert queue.lease(at(0) + SECOND) == ["ntf_1"]


def test_a_success_frees_what_was_blocked_of_its_target_and_of_no_other(queue: Queue) -> None:
    for number, target in enumerate(["ops", "ops", "pager", "ops"]):
        queue.put(number, f"cnv_{number}", target)
    blocked = failure(State.BLOCKED, at(1), target_retry_at=at(0))
    for row in [*queue.box.lease(at(0)), *queue.box.lease(at(0))]:
        queue.box.record_failure(row, at(0), blocked)
    queue.sent(queue.one())
    assert [queue.stored(number).state for number in range(3)] == [State.QUEUED, State.QUEUED, State.BLOCKED]
    assert [*queue.lease(), *queue.lease()] == ["ntf_0", "ntf_1"]
    assert queue.lease(busy=("ops",)) == []


def test_a_refusal_frees_what_was_blocked_of_its_target_too(queue: Queue) -> None:
    """It takes messages again."""
    for number, target in enumerate(["ops", "pager", "ops"]):
        queue.put(number, f"cnv_{number}", target)
    blocked = failure(State.BLOCKED, at(1), target_retry_at=at(0))
    for row in queue.box.lease(at(0)):
        queue.box.record_failure(row, at(0), blocked)
    queue.box.record_failure(queue.one(), at(0), failure(State.DEAD))
    assert [queue.stored(number).state for number in range(3)] == [State.QUEUED, State.BLOCKED, State.DEAD]
    assert queue.lease() == ["ntf_0"]


def fails_from(queue: Queue, when: datetime) -> None:
    """A first message for `ops`, which fails it."""
    queue.put(0, "cnv_0", when=at(-80))
    failed = failure(State.QUEUED, at(99), target_retry_at=when, expired_from=None)
    queue.box.record_failure(queue.one(when), when, failed)


@pytest.mark.parametrize(
    ("failing_from", "answer", "dies"),
    [
        (at(-80), {"target_retry_at": at(1)}, True),
        (at(-72), {"target_retry_at": at(1)}, True),
        (at(-72) + MOMENT, {"target_retry_at": at(1)}, False),
        (at(-80), {"target_retry_at": at(1), "expired_from": None}, False),
        (at(-80), {"target_retry_at": None}, False),
    ],
    ids=["for longer", "for three days", "not for so long", "hardly tried", "refuses"],
)
def test_old_rows_of_a_target_that_fails_for_as_long_die_along_and_no_others(
    queue: Queue, failing_from: datetime, answer: dict[str, Any], dies: bool
) -> None:
    fails_from(queue, failing_from)
    queue.put(1, "cnv_1", when=at(-73))
    queue.put(2, "cnv_2", when=at(-72))
    queue.put(3, "cnv_3", when=at(-72) + MOMENT)
    queue.put(4, "cnv_4", "pager", when=at(-72))
    queue.put(5, "cnv_5", "pager", when=at(-72))
    leased = queue.box.lease(at(0))
    assert [row.id for row in leased] == ["ntf_1", "ntf_4"]
    queue.box.record_failure(leased[0], at(0), failure(State.DEAD, **answer))
    along = State.DEAD if dies else State.QUEUED
    states = [queue.stored(number).state for number in range(6)]
    assert states == [along, State.DEAD, along, State.QUEUED, State.LEASED, State.QUEUED]
    gone = queue.stored(2)
    assert (gone.ended_at, gone.last_error) == ((at(0), WHY) if dies else (None, None))
    assert (gone.next_attempt_at is None) == dies


def test_the_first_failure_of_a_target_gives_nothing_up(queue: Queue) -> None:
    queue.put(1, "cnv_1", when=at(-99))
    queue.put(2, "cnv_2", when=at(-99))
    queue.box.record_failure(queue.one(), at(0), failure(State.QUEUED, at(1), target_retry_at=at(1)))
    assert [queue.stored(number).state for number in (1, 2)] == [State.QUEUED, State.QUEUED]


def test_blocked_rows_that_are_old_die_along_too(queue: Queue) -> None:
    queue.put(1, "cnv_1", when=at(-72))
    queue.box.record_failure(queue.one(at(-72)), at(-72), failure(State.BLOCKED, at(1), target_retry_at=at(0)))
    queue.put(2, "cnv_2", when=at(-71))
    queue.box.record_failure(queue.one(), at(0), failure(State.BLOCKED, at(1), target_retry_at=at(1)))
    assert [queue.stored(number).state for number in (1, 2)] == [State.DEAD, State.BLOCKED]


# ---- clocks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("back", [DAY, CLOCK_SLACK + SECOND])
def test_a_clock_that_was_set_back_makes_all_due_at_once(queue: Queue, back: timedelta) -> None:
    queue.put(1, "cnv_1", "ops")
    queue.put(2, "cnv_2", "ops")
    queue.put(3, "cnv_3", "pager")
    failed, leased = queue.box.lease(at(0))
    assert leased.target == "pager"
    queue.box.record_failure(failed, at(0), failure(State.QUEUED, at(0) + MINUTE, target_retry_at=at(1)))
    earlier = at(0) - back
    due_at = queue.box.next_due(earlier)
    assert due_at is not None
    assert due_at < earlier
    assert queue.lease(earlier) == ["ntf_1", "ntf_3"]
    assert queue.lease(earlier, busy=("pager",)) == ["ntf_2"]


def test_a_clock_that_went_back_a_little_makes_nothing_due(queue: Queue) -> None:
    queue.put(1)
    queue.box.record_failure(queue.one(), at(0), failure(State.QUEUED, at(1), target_retry_at=at(1)))
    assert queue.lease(at(0) - CLOCK_SLACK) == []
    assert queue.box.next_due(at(0) - CLOCK_SLACK) == at(1)


def test_a_clock_that_was_set_ahead_finds_all_due(queue: Queue) -> None:
    queue.put(1)
    queue.box.record_failure(queue.one(), at(0), failure(State.QUEUED, at(1), target_retry_at=at(1)))
    assert queue.lease(at(0) + DAY) == ["ntf_1"]


# ---- what waits -----------------------------------------------------------------------------------------------------


def test_pending_counts_by_target_and_state(queue: Queue) -> None:
    for number, target in enumerate(["ops", "ops", "pager", "pager", "hook"]):
        queue.put(number, f"cnv_{number}", target)
    first = {row.target: row for row in queue.box.lease(at(0))}
    queue.sent(first["hook"])
    paused = failure(State.BLOCKED, at(1), target_retry_at=at(0))
    queue.box.record_failure(first["pager"], at(0), paused)
    (dying,) = queue.box.lease(at(0), ["ops"])
    queue.box.record_failure(dying, at(1), replace(paused, state=State.DEAD, retry_at=None))
    assert queue.box.pending(at(1)) == {
        "ops": {State.LEASED: 1, State.QUEUED: 1},
        "pager": {State.BLOCKED: 1, State.DEAD: 1},
    }
    assert queue.box.pending(at(1) + MOMENT)["pager"] == {State.BLOCKED: 1}


def test_what_was_recalled_is_not_pending_and_wakes_nobody(queue: Queue) -> None:
    queue.put(1)
    queue.alerts.commit([], [], [], [], at(1), ["ntf_1"])
    assert queue.box.pending(at(0)) == {}
    assert queue.box.next_due(at(2)) is None
