"""The outbox: each row is handed out to one at a time, in order, and is never lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.store.store_samples import at, incident, post
from usage_watch.core.message import Conversation, Reason
from usage_watch.store.alerts import AlertStore
from usage_watch.store.database import Database, open_for_writing
from usage_watch.store.outbox import LEASE_FOR, Outbox, OutboxRow, State

ONE = incident(1)
MINUTE = timedelta(minutes=1)
LEASED_UNTIL = at(0) + LEASE_FOR


@pytest.fixture
def outbox(db: Database) -> Outbox:
    return Outbox(db)


@pytest.fixture
def queue(db: Database) -> Callable[..., None]:
    """Queues a message under an id, in a conversation with a target."""
    reasons = iter(Reason)

    def put(number: int, conversation: str = "cnv_1", target: str = "ops") -> None:
        letter = post(number, ONE, target, next(reasons), conversation)
        AlertStore(db).commit([ONE], [], [], [letter], at(0))

    return put


def ids(rows: list[OutboxRow]) -> list[str]:
    return [row.id for row in rows]


def test_what_is_queued_is_due_at_once_and_comes_whole(outbox: Outbox, queue: Callable[..., None]) -> None:
    assert outbox.next_due() is None
    queue(1)
    assert outbox.next_due() == at(0)
    assert outbox.lease(at(0)) == [
        OutboxRow(
            id="ntf_1",
            target="ops",
            conversation=Conversation("cnv_1", "Hourly credits", None),
            message=post(1, ONE).message,
            attempts=1,
            created_at=at(0),
            lease_until=LEASED_UNTIL,
            last_error=None,
        )
    ]


def test_nothing_is_due_before_its_time(outbox: Outbox, queue: Callable[..., None]) -> None:
    queue(1)
    assert outbox.lease(at(0) - timedelta(microseconds=1)) == []


def test_what_is_leased_is_not_handed_out_again_until_the_lease_ends(
    outbox: Outbox, queue: Callable[..., None]
) -> None:
    queue(1)
    outbox.lease(at(0))
    assert outbox.next_due() == LEASED_UNTIL
    assert outbox.lease(LEASED_UNTIL - timedelta(microseconds=1)) == []
    (again,) = outbox.lease(LEASED_UNTIL)
    assert (again.id, again.attempts) == ("ntf_1", 2)


def test_two_processes_never_hold_the_same_row(db: Database, queue: Callable[..., None]) -> None:
    for number in range(4):
        queue(number, f"cnv_{number}")
    with open_for_writing(db.path) as other:
        both = [*Outbox(db).lease(at(0), limit=2), *Outbox(other).lease(at(0), limit=5)]
    assert ids(both) == ["ntf_0", "ntf_1", "ntf_2", "ntf_3"]


def test_a_conversation_goes_in_order_and_others_do_not_wait_for_it(outbox: Outbox, queue: Callable[..., None]) -> None:
    queue(1)
    queue(2)
    queue(3, "cnv_2")
    assert ids(outbox.lease(at(0))) == ["ntf_1", "ntf_3"]
    assert outbox.lease(at(0)) == []
    outbox.record_sent("ntf_1", at(0), "ref")
    assert ids(outbox.lease(at(0))) == ["ntf_2"]


@pytest.mark.parametrize(
    ("state", "younger_may_go"),
    [(State.QUEUED, False), (State.BLOCKED, False), (State.DEAD, True)],
)
def test_a_younger_row_waits_until_the_older_is_sent_or_given_up(
    outbox: Outbox, queue: Callable[..., None], state: State, younger_may_go: bool
) -> None:
    queue(1)
    queue(2)
    outbox.lease(at(0))
    next_attempt_at = None if state is State.DEAD else at(1)
    outbox.record_failure("ntf_1", at(0), "It did not answer.", next_attempt_at, state)  # type: ignore[arg-type]
    assert outbox.next_due() == (at(0) if younger_may_go else at(1))
    assert ids(outbox.lease(at(0) + MINUTE)) == (["ntf_2"] if younger_may_go else [])
    assert ids(outbox.lease(at(1))) == (["ntf_2"] if younger_may_go else ["ntf_1"])


def test_a_held_row_holds_up_its_conversation_and_wakes_nobody(
    outbox: Outbox, queue: Callable[..., None], db: Database
) -> None:
    queue(1)
    queue(2)
    with db.transaction():
        db.execute("UPDATE outbox SET state = 'held' WHERE id = 'ntf_1'")
    assert outbox.next_due() is None
    assert outbox.lease(at(9)) == []


def test_an_attempt_that_failed_is_tried_again_with_the_same_id(outbox: Outbox, queue: Callable[..., None]) -> None:
    queue(1)
    outbox.lease(at(0))
    outbox.record_failure("ntf_1", at(0), "It answered with 503.", at(0) + 2 * MINUTE, State.QUEUED)
    assert outbox.next_due() == at(0) + 2 * MINUTE
    (again,) = outbox.lease(at(0) + 2 * MINUTE)
    assert (again.id, again.attempts, again.last_error) == ("ntf_1", 2, "It answered with 503.")


def test_the_newest_handle_of_a_conversation_is_its_own(outbox: Outbox, queue: Callable[..., None]) -> None:
    for number in (1, 2, 3):
        queue(number)
    refs = []
    for ref in ("C1/1", "C1/2", None):
        (row,) = outbox.lease(at(0))
        refs.append(row.conversation.ref)
        outbox.record_sent(row.id, at(0), ref)
    assert refs == [None, "C1/1", "C1/2"]


def test_a_message_without_a_handle_leaves_its_conversation_without_one(
    outbox: Outbox, queue: Callable[..., None]
) -> None:
    queue(1)
    queue(2)
    outbox.record_sent(outbox.lease(at(0))[0].id, at(0), None)
    assert outbox.lease(at(0))[0].conversation.ref is None


def test_a_failure_that_comes_late_does_not_undo_what_was_sent(outbox: Outbox, queue: Callable[..., None]) -> None:
    queue(1)
    outbox.lease(at(0))
    outbox.lease(LEASED_UNTIL)
    outbox.record_sent("ntf_1", LEASED_UNTIL, "ref")
    outbox.record_failure("ntf_1", LEASED_UNTIL, "It did not answer.", at(1), State.QUEUED)
    assert outbox.next_due() is None
    assert outbox.pending() == {}


def test_what_waits_for_a_removed_channel_is_given_up(outbox: Outbox, queue: Callable[..., None]) -> None:
    queue(1, "cnv_1", "ops")
    queue(2, "cnv_2", "gone")
    queue(3, "cnv_2", "gone")
    queue(4, "cnv_3", "old")
    (sent,) = [row for row in outbox.lease(at(0)) if row.target == "old"]
    outbox.record_sent(sent.id, at(0), None)
    assert outbox.undeliverable(["ops", "pager"]) == 2
    assert outbox.undeliverable(["ops", "pager"]) == 0
    assert outbox.pending() == {"ops": {State.LEASED: 1}, "gone": {State.UNDELIVERABLE: 2}}
    assert outbox.next_due() == LEASED_UNTIL


def test_pending_counts_by_target_and_state(outbox: Outbox, queue: Callable[..., None]) -> None:
    queue(1, "cnv_1", "ops")
    queue(2, "cnv_1", "ops")
    queue(3, "cnv_2", "pager")
    queue(4, "cnv_3", "pager")
    outbox.lease(at(0))
    outbox.record_failure("ntf_3", at(0), "The token is wrong.", at(1), State.BLOCKED)
    outbox.record_failure("ntf_4", at(0), "It refused.", None, State.DEAD)
    assert outbox.pending() == {
        "ops": {State.LEASED: 1, State.QUEUED: 1},
        "pager": {State.BLOCKED: 1, State.DEAD: 1},
    }


def test_the_limit_takes_the_oldest(outbox: Outbox, queue: Callable[..., None]) -> None:
    for number in (3, 1, 2):
        queue(number, f"cnv_{number}")
    assert ids(outbox.lease(at(0), limit=2)) == ["ntf_3", "ntf_1"]
