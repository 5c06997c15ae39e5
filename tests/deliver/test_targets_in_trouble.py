"""A target that fails is left alone as a whole, and no other is held up; nothing is given up in silence."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta

import pytest

from tests.deliver.mailroom import DAY, HOUR, SECOND, Mailroom, Poisoned, hook, ids, letter
from tests.fakes.scripted_http import Answer, Request, Reset, Step
from tests.fakes.webhook_receiver import WebhookReceiver
from tests.store.store_samples import NOON
from usage_watch.channels import WebhookSettings
from usage_watch.deliver import Delivered
from usage_watch.deliver.outlook import EXPIRES_AFTER, LEAST_ATTEMPTS, LONGEST_PAUSE, LONGEST_WAIT
from usage_watch.secret import SecretRef
from usage_watch.store.outbox import State

MOMENT = timedelta(microseconds=1)


class Failing(WebhookReceiver):
    """Answers with a status, until it is mended."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status: int | None = status

    def respond(self, request: Request) -> Step:
        return super().respond(request) if self.status is None else Answer(self.status)


# ---- paused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [Answer(500), Answer(429), Answer(404), Reset()])
def test_a_target_that_fails_is_paused_as_a_whole_and_others_go_on(
    mailroom: Mailroom, pager: WebhookReceiver, other: WebhookReceiver, step: Step
) -> None:
    mailroom.put(*(letter(number) for number in range(3)), *(letter(number, "other") for number in range(3, 6)))
    pager.script.append(step)
    delivered = mailroom.deliver()
    assert (delivered.sent, len(delivered.failures)) == (3, 1)
    assert (ids(pager), ids(other)) == (["ntf_0"], ["ntf_3", "ntf_4", "ntf_5"])
    assert mailroom.deliver_until(NOON + HOUR + SECOND) == 3
    assert sorted(ids(pager)[1:]) == ["ntf_0", "ntf_1", "ntf_2"]


@pytest.mark.parametrize("status", [429, 503])
def test_who_says_how_long_to_wait_hears_nothing_before_and_all_of_it_then(
    mailroom: Mailroom, pager: WebhookReceiver, other: WebhookReceiver, status: int
) -> None:
    mailroom.put(letter(1), letter(2), letter(3, "other"))
    pager.script.append(Answer(status, headers={"Retry-After": "7"}))
    with closing(mailroom.dispatch()) as dispatch:
        assert dispatch.round().sent == 1
        mailroom.put(letter(4), letter(5, "other"))
        assert dispatch.round().sent == 1, "to the other"
        assert dispatch.next_due(NOON) == NOON + 7 * SECOND
        mailroom.clock.step(NOON + 7 * SECOND - MOMENT)
        assert dispatch.round() == Delivered()
        mailroom.clock.step(NOON + 7 * SECOND)
        assert dispatch.round() == Delivered(sent=3)
    assert (ids(pager), ids(other)) == (["ntf_1", "ntf_1", "ntf_2", "ntf_4"], ["ntf_3", "ntf_5"]), "in order"


@pytest.mark.parametrize("asked", ["999999999", "Fri, 31 Dec 9999 23:59:59 -1200"], ids=["seconds", "date"])
def test_who_asks_for_more_patience_than_there_is_gets_one_last_attempt(
    mailroom: Mailroom, pager: WebhookReceiver, asked: str
) -> None:
    mailroom.put(letter(1))
    pager.script.append(Answer(429, headers={"Retry-After": asked}))
    mailroom.deliver()
    assert mailroom.wait_until_due() == EXPIRES_AFTER
    assert mailroom.deliver() == Delivered(sent=1)


def test_who_asks_for_years_of_something_old_does_not_stop_what_comes_later(
    mailroom: Mailroom, pager: WebhookReceiver
) -> None:
    mailroom.put(letter(1))
    mailroom.wait(5 * DAY)
    pager.script.append(Answer(429, headers={"Retry-After": "999999999"}))
    mailroom.deliver()
    mailroom.put(letter(2))
    assert mailroom.wait_until_due() == LONGEST_WAIT
    assert mailroom.deliver() == Delivered(sent=2)


@pytest.mark.parametrize("asked", ["0", "0.0", "Mon, 01 Jan 2001 00:00:00 GMT"])
def test_who_asks_for_no_patience_is_not_asked_again_in_the_same_round(
    mailroom: Mailroom, pager: WebhookReceiver, asked: str
) -> None:
    mailroom.put(letter(1))
    pager.script.extend([Answer(429, headers={"Retry-After": asked})] * 3)
    assert len(mailroom.deliver().failures) == 1
    assert timedelta() < mailroom.wait_until_due() <= 2 * SECOND


# ---- one message that its target cannot bear ------------------------------------------------------------------------


@pytest.mark.parametrize("step", [Answer(500), Reset()], ids=["server", "ambiguous"])
def test_a_message_that_its_target_cannot_bear_starves_no_other(mailroom: Mailroom, step: Step) -> None:
    with Poisoned("ntf_0", step) as poisoned:
        mailroom.channels["pager"] = hook(poisoned)
        mailroom.put(letter(0, conversation="cnv"), letter(1, conversation="cnv"), letter(2))
        assert mailroom.deliver_until(NOON + 3 * SECOND) == 1
        mailroom.deliver_until(NOON + HOUR / 2)
        waits = [waited(mailroom, number, timedelta(minutes=20)) for number in range(3, 6)]
        assert max(waits) <= LONGEST_PAUSE
    assert mailroom.states(0, 1) == [State.QUEUED, State.QUEUED]
    assert mailroom.row(0).attempts > 6, "it is still tried, less and less often"


def test_what_is_put_while_a_target_rests_goes_before_what_it_cannot_bear(mailroom: Mailroom) -> None:
    with Poisoned("ntf_0", Answer(500)) as poisoned:
        mailroom.channels["pager"] = hook(poisoned)
        mailroom.put(letter(0))
        for number in range(1, 9):
            mailroom.wait_until_due()
            mailroom.deliver()
            failed_at = mailroom.clock.now()
            mailroom.wait(MOMENT)
            mailroom.put(letter(number))
            due_at = mailroom.outbox.next_due(mailroom.clock.now())
            assert due_at is not None
            assert due_at <= failed_at + LONGEST_PAUSE
            mailroom.clock.step(max(due_at, mailroom.clock.now()))
            assert mailroom.deliver().sent == 1


def waited(mailroom: Mailroom, number: int, at_most: timedelta) -> timedelta:
    """How long a message waits that is put now."""
    put_at = mailroom.clock.now()
    mailroom.put(letter(number))
    mailroom.deliver_until(put_at + at_most)
    ended_at = mailroom.row(number).ended_at
    assert ended_at is not None
    return ended_at - put_at


def test_a_message_that_its_target_cannot_bear_is_given_up_alone(mailroom: Mailroom) -> None:
    with Poisoned("ntf_0", Answer(500)) as poisoned:
        mailroom.channels["pager"] = hook(poisoned)
        mailroom.put(letter(0, conversation="cnv"), letter(1, conversation="cnv"))
        for _ in range(LEAST_ATTEMPTS - 1):
            mailroom.wait_until_due()
            mailroom.deliver()
        mailroom.put(letter(2))
        mailroom.clock.step(NOON + EXPIRES_AFTER)
        mailroom.deliver_until(NOON + EXPIRES_AFTER + HOUR / 2)
    assert mailroom.states(0, 1, 2) == [State.DEAD, State.SENT, State.SENT]


# ---- what somebody must mend ----------------------------------------------------------------------------------------


def test_a_wrong_configuration_blocks_and_is_tried_hourly(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    mailroom.put(letter(1))
    pager.script.extend([Answer(404), Answer(401)])
    for attempt in (1, 2):
        assert len(mailroom.deliver().failures) == 1
        assert (mailroom.row().state, mailroom.row().attempts) == (State.BLOCKED, attempt)
        assert mailroom.target().blocked_from == NOON
        assert mailroom.wait_until_due() == HOUR
    assert mailroom.deliver() == Delivered(sent=1)
    assert mailroom.row().state is State.SENT
    assert mailroom.target().blocked_from is None


def test_a_blocked_target_is_probed_with_one_message_an_hour_each_in_turn(mailroom: Mailroom) -> None:
    with Failing(404) as gone:
        mailroom.channels["pager"] = hook(gone)
        mailroom.put(*(letter(number) for number in range(3)))
        mailroom.deliver_until(NOON + 5 * HOUR)
        assert ids(gone) == ["ntf_0", "ntf_1", "ntf_2", "ntf_0", "ntf_1"]
        gone.status = None
        assert mailroom.deliver() == Delivered(sent=3), "all of them at once"
    assert ids(gone)[5] == "ntf_2"
    assert sorted(ids(gone)[5:]) == ["ntf_0", "ntf_1", "ntf_2"]


def test_a_secret_that_cannot_be_read_blocks_only_its_own_channel(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    signed = WebhookSettings(kind="webhook", url=pager.url("/signed"), signing_secret=SecretRef(env="HOOK_SECRET"))
    mailroom.channels["signed"] = signed
    mailroom.put(letter(1, "signed"), letter(2), letter(3, "signed"))
    missing = "signed: env HOOK_SECRET is not set: set it where usage-watch is started."
    assert mailroom.deliver() == Delivered(sent=1, failures=(missing,))
    assert mailroom.states(1, 2, 3) == [State.BLOCKED, State.SENT, State.QUEUED]
    mailroom.environ["HOOK_SECRET"] = "a secret that has been set by now"
    mailroom.wait(HOUR)
    assert mailroom.deliver() == Delivered(sent=2)
    assert all("webhook-signature" in request.headers for request in pager.requests if request.path == "/signed")


def test_a_blocked_target_that_refuses_a_message_takes_the_others_at_once(mailroom: Mailroom) -> None:
    with Failing(404) as gone:
        mailroom.channels["pager"] = hook(gone)
        mailroom.put(letter(1), letter(2))
        fails_for(mailroom, 2)
        assert mailroom.states(1, 2) == [State.BLOCKED, State.BLOCKED]
        mailroom.wait_until_due()
        gone.status = None
        gone.script.append(Answer(400))
        assert mailroom.deliver().sent == 2
    assert mailroom.target().blocked_from is None


def test_a_channel_that_was_mended_in_the_rules_file_gets_all_of_it_at_once(
    mailroom: Mailroom, pager: WebhookReceiver, other: WebhookReceiver
) -> None:
    mailroom.put(letter(1), letter(2))
    pager.script.append(Answer(404))
    mailroom.deliver()
    assert mailroom.deliver() == Delivered(), "not before an hour has passed"
    mailroom.channels["pager"] = hook(other)
    assert mailroom.deliver() == Delivered(sent=2)


def test_what_was_for_a_removed_channel_is_undeliverable(mailroom: Mailroom, other: WebhookReceiver) -> None:
    mailroom.put(letter(1), letter(2, "other"), letter(3, "other"))
    other.script.append(Answer(500))
    assert mailroom.deliver().sent == 1
    del mailroom.channels["other"]
    assert mailroom.deliver() == Delivered()
    assert mailroom.states(1, 2, 3) == [State.SENT, State.UNDELIVERABLE, State.UNDELIVERABLE]


# ---- given up -------------------------------------------------------------------------------------------------------


def fails_for(mailroom: Mailroom, times: int) -> None:
    for _ in range(times):
        mailroom.wait_until_due()
        assert len(mailroom.deliver().failures) == 1


@pytest.mark.parametrize(("status", "state"), [(500, State.QUEUED), (404, State.BLOCKED)])
def test_after_three_days_and_twelve_attempts_it_is_given_up(mailroom: Mailroom, status: int, state: State) -> None:
    with Failing(status) as failing:
        mailroom.channels["pager"] = hook(failing)
        mailroom.put(letter(1))
        fails_for(mailroom, LEAST_ATTEMPTS - 2)
        mailroom.clock.step(NOON + EXPIRES_AFTER - MOMENT)
        fails_for(mailroom, 1)
        assert mailroom.row().state is state
        mailroom.clock.step(NOON + EXPIRES_AFTER)
        fails_for(mailroom, 1)
    row = mailroom.row()
    assert (row.state, row.attempts, row.ended_at) == (State.DEAD, LEAST_ATTEMPTS, mailroom.clock.now())
    assert mailroom.outbox.next_due(mailroom.clock.now()) is None


@pytest.mark.parametrize(("status", "state"), [(503, State.QUEUED), (404, State.BLOCKED)])
def test_after_days_of_being_down_one_failure_gives_nothing_up(
    mailroom: Mailroom, pager: WebhookReceiver, status: int, state: State
) -> None:
    """The program was down, not the receiver: neither the message nor its neighbours are given up."""
    mailroom.put(letter(1), letter(2, conversation="cnv"), letter(3, conversation="cnv"))
    mailroom.wait(5 * DAY)
    pager.script.append(Answer(status))
    assert len(mailroom.deliver().failures) == 1
    assert mailroom.states(1, 2, 3) == [state, State.QUEUED, State.QUEUED]
    assert mailroom.deliver_until(NOON + 5 * DAY + 2 * HOUR) == 3


def test_nor_where_it_had_failed_once_before(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    """Nobody tried it all those days, however long it seems to have failed."""
    mailroom.put(letter(1), letter(2))
    pager.script.extend([Answer(503)] * 2)
    mailroom.deliver()
    mailroom.wait(5 * DAY)
    assert len(mailroom.deliver().failures) == 1
    assert mailroom.states(1, 2) == [State.QUEUED, State.QUEUED]
    assert mailroom.deliver_until(NOON + 5 * DAY + HOUR) == 2


def test_what_came_while_it_was_down_is_tried_twelve_times(mailroom: Mailroom) -> None:
    with Failing(500) as failing:
        mailroom.channels["pager"] = hook(failing)
        mailroom.put(letter(1))
        mailroom.wait(5 * DAY)
        fails_for(mailroom, LEAST_ATTEMPTS - 1)
        assert mailroom.row().state is State.QUEUED
        fails_for(mailroom, 1)
    assert mailroom.row().state is State.DEAD


@pytest.mark.parametrize("status", [500, 404])
def test_what_is_for_a_target_that_fails_for_three_days_is_given_up_as_it_gets_so_old(
    mailroom: Mailroom, status: int
) -> None:
    with Failing(status) as failing:
        mailroom.channels["pager"] = hook(failing)
        mailroom.put(*(letter(number) for number in range(8)))
        fails_for(mailroom, LEAST_ATTEMPTS)
        mailroom.clock.step(NOON + 2 * DAY)
        mailroom.put(letter(8))
        mailroom.clock.step(NOON + EXPIRES_AFTER - MOMENT)
        mailroom.deliver()
        assert not mailroom.target().given_up
        mailroom.clock.step(NOON + EXPIRES_AFTER)
        fails_for(mailroom, 1)
        assert mailroom.states(*range(8)) == [State.DEAD] * 8
        assert mailroom.row(8).state in (State.QUEUED, State.BLOCKED)
        given_up = mailroom.target().given_up
        assert (len(given_up), {str(status) in each.detail for each in given_up}) == (8, {True})
        failing.status = None
        assert mailroom.deliver_until(NOON + EXPIRES_AFTER + 4 * HOUR) == 1
    assert mailroom.row(8).state is State.SENT


def test_a_last_attempt_that_is_given_up_leaves_a_wrong_configuration_alone_for_an_hour(mailroom: Mailroom) -> None:
    with Failing(404) as failing:
        mailroom.channels["pager"] = hook(failing)
        mailroom.put(letter(1))
        mailroom.wait(5 * DAY)
        fails_for(mailroom, LEAST_ATTEMPTS)
        assert mailroom.row().state is State.DEAD
        mailroom.put(letter(2))
        assert mailroom.wait_until_due() == HOUR


def test_a_receiver_that_is_well_gets_it_however_late(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    mailroom.put(letter(1), letter(2))
    mailroom.wait(5 * DAY)
    assert mailroom.deliver() == Delivered(sent=2), "the daemon was down, not the receiver"


def test_what_is_refused_for_good_takes_no_other_along(mailroom: Mailroom) -> None:
    with Poisoned("ntf_1", Answer(400)) as poisoned:
        mailroom.channels["pager"] = hook(poisoned)
        mailroom.put(letter(1), letter(2), letter(3))
        mailroom.wait(5 * DAY)
        assert mailroom.deliver().sent == 2
    assert mailroom.states(1, 2, 3) == [State.DEAD, State.SENT, State.SENT]
