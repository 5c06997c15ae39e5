"""What a process had in hand when it died may have arrived: it is sent again, with the same id, and says so."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta

import pytest

from tests.deliver.mailroom import DAY, HOUR, SECOND, Mailroom, app, ids, letter
from tests.fakes.scripted_http import Answer, Reset, Step
from tests.fakes.slack_api import SlackApi
from tests.fakes.webhook_receiver import WebhookReceiver
from tests.store.store_samples import NOON, incident
from usage_watch.core.message import Delivery
from usage_watch.core.targetstate import TargetState
from usage_watch.deliver import Delivered
from usage_watch.deliver.outlook import LEAST_ATTEMPTS, LONGEST_WAIT
from usage_watch.store.outbox import State


def test_it_is_sent_again_with_the_same_id_after_a_while(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    mailroom.put(letter(1))
    mailroom.dies_with()
    with closing(mailroom.dispatch()) as dispatch:
        row = mailroom.row()
        assert (row.state, row.attempts) == (State.QUEUED, 1)
        assert row.last_error == "usage-watch ended while it was on its way."
        due_at = dispatch.next_due(NOON)
        assert due_at is not None
        assert NOON <= due_at <= NOON + 2 * SECOND, "long before its lease would have run out"
        mailroom.clock.step(due_at)
        assert dispatch.round() == Delivered(sent=1)
    assert (mailroom.row().attempts, ids(pager)) == (2, ["ntf_1"])


def test_it_is_in_doubt_and_cannot_be_taken_back(mailroom: Mailroom) -> None:
    mailroom.put(letter(1))
    mailroom.dies_with()
    mailroom.dispatch().close()
    (told,) = mailroom.alerts.told([incident(1).id])
    assert (told.counts, told.waits) == (True, False)
    mailroom.wait(2 * SECOND)
    (row,) = mailroom.dies_with()
    assert row.unsure


def test_what_had_arrived_in_slack_is_not_posted_twice(mailroom: Mailroom, slack: SlackApi) -> None:
    mailroom.channels["ops"] = app(slack, mailroom)
    mailroom.put(letter(1, "ops"))
    (row,) = mailroom.dies_with()
    with closing(mailroom.channels["ops"].connect(mailroom.environ)) as sender:
        sender.send(Delivery(row.id, row.message, row.conversation, row.attempts, NOON))
    assert mailroom.deliver_until(NOON + 3 * SECOND) == 1
    assert (mailroom.row().state, mailroom.row().attempts) == (State.SENT, 2)
    assert len(slack.messages) == 1


def test_one_row_of_each_target_is_taken_over(
    mailroom: Mailroom, pager: WebhookReceiver, other: WebhookReceiver
) -> None:
    mailroom.put(letter(1), letter(2), letter(3, "other"))
    assert {row.id for row in mailroom.dies_with()} == {"ntf_1", "ntf_3"}
    assert mailroom.deliver_until(NOON + 3 * SECOND) == 3
    assert (sorted(ids(pager)), ids(other)) == (["ntf_1", "ntf_2"], ["ntf_3"])


def test_what_follows_in_its_conversation_waits_for_it(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    mailroom.put(letter(1, conversation="cnv"), letter(2, conversation="cnv"))
    mailroom.dies_with()
    assert mailroom.deliver_until(NOON + 3 * SECOND) == 2
    assert ids(pager) == ["ntf_1", "ntf_2"]


def test_a_process_that_dies_again_and_again_tries_less_and_less_often(mailroom: Mailroom) -> None:
    mailroom.put(letter(1))
    for attempt in range(1, 6):
        assert [row.attempts for row in mailroom.dies_with()] == [attempt]
        mailroom.dispatch().close()
        assert mailroom.wait_until_due() <= timedelta(seconds=2**attempt)


def test_a_channel_that_was_removed_meanwhile_gets_nothing(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    mailroom.put(letter(1))
    mailroom.dies_with()
    del mailroom.channels["pager"]
    assert mailroom.deliver() == Delivered()
    assert mailroom.row().state is State.UNDELIVERABLE
    assert pager.requests == []


def test_it_comes_back_with_its_channel_and_the_same_id(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    mailroom.put(letter(1))
    mailroom.dies_with()
    settings = mailroom.channels.pop("pager")
    mailroom.deliver()
    mailroom.channels["pager"] = settings
    assert mailroom.deliver() == Delivered(sent=1)
    assert ids(pager) == ["ntf_1"]


def test_its_target_is_as_it_was(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    mailroom.put(letter(1), letter(2))
    mailroom.dies_with()
    with closing(mailroom.dispatch()) as dispatch:
        assert mailroom.target() == TargetState("pager", waiting=2, waiting_from=NOON)
        assert dispatch.round() == Delivered(sent=1), "the other does not wait"
    assert ids(pager) == ["ntf_2"]


def test_a_target_that_fails_goes_on_to_fail(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    mailroom.put(letter(1), letter(2))
    pager.script.append(Answer(500))
    mailroom.deliver()
    failing = mailroom.target()
    mailroom.wait(2 * SECOND)
    (row,) = mailroom.dies_with()
    assert row.failures == 1
    mailroom.dispatch().close()
    assert mailroom.target() == failing


@pytest.mark.parametrize("step", [Answer(204), Answer(503), Reset()], ids=["well", "fails", "ambiguous"])
def test_what_a_process_had_in_hand_that_was_down_for_days_is_not_given_up(
    mailroom: Mailroom, pager: WebhookReceiver, step: Step
) -> None:
    """Nobody has heard anything bad of its target for so long."""
    mailroom.put(letter(1), letter(2))
    mailroom.dies_with()
    mailroom.wait(5 * DAY)
    pager.script.append(step)
    assert mailroom.deliver_until(NOON + 5 * DAY + HOUR) == 2
    assert mailroom.states(1, 2) == [State.SENT, State.SENT]


def test_who_dies_often_enough_gives_nothing_up_by_that(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    mailroom.put(letter(1))
    mailroom.wait(5 * DAY)
    for _ in range(LEAST_ATTEMPTS + 1):
        (row,) = mailroom.dies_with()
        mailroom.dispatch().close()
        mailroom.wait(LONGEST_WAIT)
    assert row.attempts == LEAST_ATTEMPTS + 1
    assert mailroom.deliver() == Delivered(sent=1)
