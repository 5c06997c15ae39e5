"""What is due is sent, once, in order; what failed is tried again, and what is refused given up."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.deliver.mailroom import DAY, HOUR, SECOND, Mailroom, app, hook, ids, letter
from tests.fakes.scripted_http import Answer, Request, Reset, Step
from tests.fakes.slack_api import SlackApi, refusal
from tests.fakes.smtp_server import SmtpServer
from tests.fakes.webhook_receiver import WebhookReceiver
from tests.listening import listening
from tests.store.store_samples import NOON, incident
from usage_watch.channels import EmailSettings, LogSettings
from usage_watch.core.promise import Post
from usage_watch.deliver import Delivered
from usage_watch.store.outbox import State


def unspeakable(number: int, target: str) -> Post:
    """A message that no channel of people can render: there is no such zone."""
    whole = letter(number, target)
    return replace(whole, message=replace(whole.message, zone="Nowhere/At_all"))


# ---- sent -----------------------------------------------------------------------------------------------------------


def test_an_empty_outbox_is_nothing_to_do(mailroom: Mailroom) -> None:
    assert mailroom.deliver() == Delivered()
    assert mailroom.deliver(thorough=True) == Delivered()


def test_what_is_due_is_sent_once(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    mailroom.put(letter(1))
    assert mailroom.deliver() == Delivered(sent=1)
    assert mailroom.deliver() == Delivered()
    row = mailroom.row()
    assert (row.state, row.attempts, row.sent_at, row.last_error) == (State.SENT, 1, NOON, None)
    assert ids(pager) == ["ntf_1"]
    assert mailroom.outbox.next_due(NOON) is None


def test_one_dispatch_goes_on_round_after_round(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    with closing(mailroom.dispatch()) as dispatch:
        for number in (1, 2):
            mailroom.put(letter(number))
            assert dispatch.next_due(NOON) == NOON
            assert dispatch.round() == Delivered(sent=1)
            assert dispatch.next_due(NOON) is None
    assert ids(pager) == ["ntf_1", "ntf_2"]


def test_all_that_is_due_goes_in_one_round(mailroom: Mailroom, pager: WebhookReceiver, other: WebhookReceiver) -> None:
    mailroom.put(*(letter(number, "pager" if number % 2 else "other") for number in range(6)))
    assert mailroom.deliver() == Delivered(sent=6)
    assert (ids(pager), ids(other)) == (["ntf_1", "ntf_3", "ntf_5"], ["ntf_0", "ntf_2", "ntf_4"])


def test_a_follow_up_goes_into_the_conversation_that_the_first_message_began(
    mailroom: Mailroom, slack: SlackApi
) -> None:
    mailroom.channels["ops"] = app(slack, mailroom)
    mailroom.put(letter(0, "ops", "cnv"), letter(1, "ops", "cnv"))
    assert mailroom.deliver_until(NOON + 2 * SECOND) == 2
    first, reply = slack.messages.values()
    assert reply.thread_ts == first.ts


def test_messages_of_one_conversation_go_out_in_order(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    mailroom.put(*(letter(number, conversation="cnv") for number in range(4)))
    assert mailroom.deliver().sent == 4
    assert ids(pager) == ["ntf_0", "ntf_1", "ntf_2", "ntf_3"]


def test_a_channel_of_people_prints_it(mailroom: Mailroom, capsys: pytest.CaptureFixture[str]) -> None:
    mailroom.channels["screen"] = LogSettings(kind="log")
    mailroom.put(letter(0, "screen"))
    assert mailroom.deliver() == Delivered(sent=1)
    assert "12,345 credits in 3 h" in capsys.readouterr().out


def test_it_stops_between_two_messages(mailroom: Mailroom) -> None:
    class Stopping(WebhookReceiver):
        def respond(self, request: Request) -> Step:
            mailroom.stop.set()
            return Answer(204)

    with Stopping() as stopping:
        mailroom.channels["pager"] = hook(stopping)
        mailroom.put(letter(1), letter(2))
        # Who is under way when all stops may be back within the round, or be met when it closes.
        mailroom.deliver(thorough=True)
        assert mailroom.states(1, 2) == [State.SENT, State.QUEUED]
        assert mailroom.deliver(thorough=True) == Delivered(), "stopped before it began"
        mailroom.stop.clear()
        mailroom.deliver()
        assert mailroom.states(1, 2) == [State.SENT, State.SENT]
        assert ids(stopping) == ["ntf_1", "ntf_2"]


def test_rounds_add_up() -> None:
    assert Delivered(1, ("a",)) + Delivered(2, ("b",)) == Delivered(3, ("a", "b"))


# ---- tried again ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [Answer(503), Answer(408), Reset()], ids=["server", "time-out", "ambiguous"])
def test_what_may_pass_is_tried_again_with_the_same_id(mailroom: Mailroom, pager: WebhookReceiver, step: Step) -> None:
    mailroom.put(letter(1))
    pager.script.extend([step] * 2)
    for attempt in (1, 2):
        delivered = mailroom.deliver()
        row = mailroom.row()
        assert (row.state, row.attempts, row.attempted_at) == (State.QUEUED, attempt, mailroom.clock.now())
        assert delivered == Delivered(0, (f"pager: {row.last_error}",))
        assert mailroom.target().last_error == row.last_error
        mailroom.wait_until_due()
    assert mailroom.deliver() == Delivered(sent=1)
    assert ids(pager) == ["ntf_1"] * 3
    assert mailroom.row().last_error is None
    assert mailroom.target().failing_from is None


def test_where_nobody_listens_nothing_was_sent_and_it_is_tried_again(mailroom: Mailroom) -> None:
    with WebhookReceiver() as gone:
        mailroom.channels["pager"] = hook(gone)
    mailroom.put(letter(1))
    assert len(mailroom.deliver().failures) == 1
    assert mailroom.row().state is State.QUEUED
    (told,) = mailroom.alerts.told([incident(1).id])
    assert told.waits, "it may be taken back"


def test_what_may_have_arrived_is_in_doubt_and_so_it_says(mailroom: Mailroom, slack: SlackApi) -> None:
    slack.scopes = {"chat:write"}
    mailroom.channels["ops"] = app(slack, mailroom)
    mailroom.put(letter(1, "ops"))
    slack.script.append(Reset())
    assert len(mailroom.deliver().failures) == 1
    mailroom.wait_until_due()
    assert mailroom.deliver().sent == 1
    (posted,) = slack.messages.values()
    assert "repeat" in str(posted.payload)


def test_a_mail_server_that_is_busy_is_tried_again(mailroom: Mailroom) -> None:
    with SmtpServer(replies={"DATA": "451 later"}) as server:
        mailroom.channels["mail"] = EmailSettings(
            kind="email",
            host="127.0.0.1",
            port=server.port,
            security="none",
            sender="watch@example.com",
            recipients=("ana@example.com",),
        )
        mailroom.put(letter(1, "mail"), letter(2, "mail"), letter(3))
        delivered = mailroom.deliver()
        assert (delivered.sent, len(delivered.failures)) == (1, 1), "the other mail waits along"
        server.replies.clear()
        assert mailroom.deliver_until(NOON + timedelta(seconds=3)) == 2
        assert len(server.mails) == 2


def test_the_wait_at_most_doubles_up_to_a_quarter_of_an_hour(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    mailroom.put(letter(1))
    most = [timedelta(seconds=2 * 2**attempt) for attempt in range(9)]
    pager.script.extend([Answer(500)] * len(most))
    waits = []
    for _ in most:
        mailroom.deliver()
        waits.append(mailroom.wait_until_due())
    assert all(timedelta(0) <= wait <= bound for wait, bound in zip(waits, most, strict=True))
    assert len(set(waits)) > 4, "jittered"


def test_what_waits_holds_up_its_conversation_and_its_target_but_no_other(
    mailroom: Mailroom, pager: WebhookReceiver, other: WebhookReceiver
) -> None:
    mailroom.put(letter(0, conversation="cnv"), letter(1, conversation="cnv"), letter(2), letter(3, "other"))
    pager.script.append(Answer(500))
    assert mailroom.deliver().sent == 1
    assert (ids(pager), ids(other)) == (["ntf_0"], ["ntf_3"])
    assert mailroom.deliver_until(NOON + timedelta(seconds=5)) == 3
    later = ids(pager)[1:]
    assert sorted(later) == ["ntf_0", "ntf_1", "ntf_2"]
    assert later.index("ntf_0") < later.index("ntf_1")


# ---- refused --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 413])
def test_what_is_refused_is_said_once_more_in_its_least_form_at_once(
    mailroom: Mailroom, pager: WebhookReceiver, status: int
) -> None:
    mailroom.put(letter(0, conversation="cnv"), letter(1, conversation="cnv"))
    pager.script.append(Answer(status))
    delivered = mailroom.deliver()
    assert (delivered.sent, len(delivered.failures)) == (2, 1)
    assert ids(pager) == ["ntf_0", "ntf_0", "ntf_1"]
    whole, least, following = (request.json for request in pager.requests)
    assert (len(whole["contributors"]), len(least["contributors"]), len(following["contributors"])) == (1, 0, 1)
    assert mailroom.row(0).attempts == 2


def test_what_is_refused_in_its_least_form_too_is_given_up_and_the_next_goes_on(
    mailroom: Mailroom, pager: WebhookReceiver
) -> None:
    mailroom.put(letter(0, conversation="cnv"), letter(1, conversation="cnv"))
    pager.script.extend([Answer(400), Answer(400)])
    delivered = mailroom.deliver()
    assert (delivered.sent, len(delivered.failures)) == (1, 2)
    assert mailroom.states(0, 1) == [State.DEAD, State.SENT]
    assert ids(pager) == ["ntf_0", "ntf_0", "ntf_1"]
    assert [each.detail for each in mailroom.target().given_up] == [mailroom.row(0).last_error]


def test_what_slack_cannot_take_is_said_as_text_alone(mailroom: Mailroom, slack: SlackApi) -> None:
    mailroom.channels["ops"] = app(slack, mailroom)
    mailroom.put(letter(1, "ops"))
    slack.script.append(refusal("invalid_blocks"))
    assert mailroom.deliver().sent == 1
    (posted,) = slack.messages.values()
    assert "blocks" not in posted.payload


def test_a_message_that_we_cannot_render_is_given_up_and_others_go_on(
    mailroom: Mailroom, slack: SlackApi, pager: WebhookReceiver
) -> None:
    mailroom.channels["ops"] = app(slack, mailroom)
    mailroom.put(unspeakable(1, "ops"), letter(2, "ops"), letter(3))
    fault = "ops: A fault of ours (ZoneInfoNotFoundError): please report it."
    with listening() as heard:
        assert mailroom.deliver() == Delivered(sent=2, failures=(fault, fault))
    assert mailroom.states(1, 2, 3) == [State.DEAD, State.SENT, State.SENT]
    ours = [name for name in heard.names if name != "delivery.sent"]
    assert ours == ["fault.caught", "delivery.failed", "fault.caught", "delivery.abandoned"]
    assert mailroom.target("ops").given_up[0].detail == fault.removeprefix("ops: ")


# ---- heard of -------------------------------------------------------------------------------------------------------


def test_a_failure_is_an_event_and_so_is_a_success(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    mailroom.put(letter(1))
    pager.script.append(Answer(500))
    with listening() as heard:
        mailroom.deliver()
        mailroom.wait_until_due()
        mailroom.deliver()
    assert heard.names == ["delivery.failed", "delivery.sent"]
    assert [(each["target"], each["id"]) for each in heard.fields] == [("pager", "ntf_1")] * 2
    assert heard.fields[0]["verdict"] == "server"
    assert (heard.fields[1]["rule"], heard.fields[1]["reasons"]) == (letter(1).message.news[0].rule.id, "fired")


def test_a_failure_that_goes_on_is_said_once_and_its_end_once(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    mailroom.put(letter(1))
    pager.script.extend([Answer(500), Answer(500), Answer(404), Answer(500)])
    with listening() as heard, closing(mailroom.dispatch()) as dispatch:
        for _ in range(4):
            dispatch.round()
            mailroom.wait_until_due()
        dispatch.round()
    assert heard.names == ["delivery.failed"] * 2 + ["delivery.recovered", "delivery.sent"]
    assert [each.get("verdict") for each in heard.fields[:2]] == ["server", "configuration"]
    assert heard.fields[2] == {"target": "pager", "failures": 4}


# ---- clocks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 429, 404])
def test_a_clock_that_was_set_back_gives_nothing_up_and_holds_nothing_up(
    mailroom: Mailroom, pager: WebhookReceiver, status: int
) -> None:
    mailroom.put(letter(1), letter(2))
    pager.script.append(Answer(status))
    assert mailroom.deliver().sent == 0
    mailroom.clock.step(NOON - 10 * DAY)
    with closing(mailroom.dispatch()) as dispatch:
        due_at = dispatch.next_due(mailroom.clock.now())
        assert due_at is not None
        assert due_at <= mailroom.clock.now()
        assert dispatch.round() == Delivered(sent=2)


@pytest.mark.parametrize("status", [500, 429])
def test_what_fails_after_a_clock_was_set_back_is_soon_tried_again(
    mailroom: Mailroom, pager: WebhookReceiver, status: int
) -> None:
    mailroom.put(letter(1))
    mailroom.clock.step(NOON - 10 * DAY)
    pager.script.append(Answer(status))
    mailroom.deliver()
    assert mailroom.wait_until_due() <= 2 * SECOND
    assert mailroom.deliver().sent == 1


def test_a_clock_that_was_set_ahead_gives_nothing_up_that_is_taken(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    mailroom.put(letter(1), letter(2))
    pager.script.append(Answer(500))
    assert mailroom.deliver().sent == 0
    mailroom.clock.step(NOON + 10 * DAY)
    assert mailroom.deliver() == Delivered(sent=2)


@pytest.mark.parametrize("status", [500, 404])
def test_a_clock_that_was_set_ahead_gives_nothing_up_that_fails_once_more(
    mailroom: Mailroom, pager: WebhookReceiver, status: int
) -> None:
    mailroom.put(letter(1), letter(2))
    pager.script.extend([Answer(status)] * 2)
    mailroom.deliver()
    mailroom.clock.step(NOON + 10 * DAY)
    mailroom.deliver()
    assert mailroom.deliver_until(mailroom.clock.now() + 2 * HOUR) == 2
