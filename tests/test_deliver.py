from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from tests.fakes.scripted_http import Answer, Request, Reset, Step
from tests.fakes.slack_api import TOKEN, SlackApi
from tests.fakes.webhook_receiver import WebhookReceiver
from tests.listening import listening
from tests.store.store_samples import NOON, at, incident, post
from usage_watch.channels import LogSettings, SlackSettings, WebhookSettings
from usage_watch.channels.base import ChannelSettings
from usage_watch.clock import SteppedClock
from usage_watch.core.message import Reason
from usage_watch.core.promise import Post
from usage_watch.deliver import Delivered, deliver
from usage_watch.secret import SecretRef
from usage_watch.store.alerts import AlertStore, Attempts
from usage_watch.store.database import open_for_writing
from usage_watch.store.outbox import LEASE_FOR, Outbox, State

DAY = timedelta(days=1)


@dataclass
class Mailroom:
    """An outbox, its channels and a clock that stands still."""

    alerts: AlertStore
    outbox: Outbox
    clock: SteppedClock
    channels: dict[str, ChannelSettings]
    environ: dict[str, str] = field(default_factory=dict)
    stop: Event = field(default_factory=Event)

    def put(self, *posts: Post, at: datetime = NOON) -> None:
        self.alerts.commit([incident()], [], [], posts, at)

    def deliver(self) -> Delivered:
        return deliver(self.outbox, self.channels, self.environ, self.clock, self.stop)

    def wait(self, length: timedelta) -> None:
        self.clock.step(self.clock.now() + length)

    def wait_until_due(self) -> timedelta:
        """Go to when the next row is due; how long that took."""
        before, due_at = self.clock.now(), self.outbox.next_due()
        assert due_at is not None
        self.clock.step(max(due_at, before))
        return due_at - before

    def row(self, number: int = 1) -> Attempts:
        return next(row for row in self.alerts.attempts_of(incident().id) if row.id == f"ntf_{number}")

    @property
    def states(self) -> dict[str, State]:
        return {row.id: row.state for row in self.alerts.attempts_of(incident().id)}


def fired(number: int, target: str = "pager", conversation: str | None = None) -> Post:
    """A post in a conversation of its own, unless it is named. No two are about the same."""
    reason = list(Reason)[number % 4]
    return post(number, incident(), target, reason, conversation or f"cnv_{target}_{number}")


@pytest.fixture
def pager() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as receiver:
        yield receiver


@pytest.fixture
def mailroom(tmp_path: Path, pager: WebhookReceiver) -> Iterator[Mailroom]:
    clock = SteppedClock(tmp_path / "clock")
    clock.step(NOON)
    channels = {"pager": WebhookSettings(kind="webhook", url=pager.url("/hook"))}
    with open_for_writing(tmp_path / "usage-watch.db") as database:
        yield Mailroom(AlertStore(database), Outbox(database), clock, dict(channels))


def ids(pager: WebhookReceiver) -> list[str]:
    return [request.headers["webhook-id"] for request in pager.requests]


# ---- sent -----------------------------------------------------------------------------------------------------------


def test_an_empty_outbox_is_nothing_to_do(mailroom: Mailroom) -> None:
    assert mailroom.deliver() == Delivered()


def test_what_is_due_is_sent_once(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    mailroom.put(fired(1))
    assert mailroom.deliver() == Delivered(sent=1)
    assert mailroom.deliver() == Delivered()
    row = mailroom.row()
    assert (row.state, row.attempts, row.sent_at, row.last_error) == (State.SENT, 1, NOON, None)
    assert ids(pager) == ["ntf_1"]
    assert mailroom.outbox.next_due() is None


def test_a_follow_up_goes_into_the_conversation_that_the_first_message_began(mailroom: Mailroom) -> None:
    with SlackApi() as slack:
        mailroom.channels["ops"] = SlackSettings(
            kind="slack", token=SecretRef(env="SLACK"), channel="#usage", base_url=slack.base_url
        )
        mailroom.environ["SLACK"] = TOKEN
        mailroom.put(fired(0, "ops", "cnv"), fired(1, "ops", "cnv"))
        assert mailroom.deliver() == Delivered(sent=2)
        first, reply = slack.messages.values()
        assert reply.thread_ts == first.ts


def test_messages_of_one_conversation_go_out_in_order(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    mailroom.put(*(fired(number, conversation="cnv") for number in range(4)))
    assert mailroom.deliver().sent == 4
    assert ids(pager) == ["ntf_0", "ntf_1", "ntf_2", "ntf_3"]


def test_it_stops_between_two_messages(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    class Stopping(WebhookReceiver):
        def respond(self, request: Request) -> Step:
            mailroom.stop.set()
            return Answer(204)

    with Stopping() as stopping:
        mailroom.channels["pager"] = WebhookSettings(kind="webhook", url=stopping.url())
        mailroom.put(fired(1), fired(2))
        assert mailroom.deliver() == Delivered(sent=1)
        assert mailroom.states == {"ntf_1": State.SENT, "ntf_2": State.QUEUED}
        mailroom.stop.clear()
        assert mailroom.deliver() == Delivered(sent=1)
        assert ids(stopping) == ["ntf_1", "ntf_2"]


# ---- tried again ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [Answer(503), Answer(408), Reset()], ids=["server", "time-out", "ambiguous"])
def test_what_may_pass_is_tried_again_with_the_same_id(mailroom: Mailroom, pager: WebhookReceiver, step: Step) -> None:
    mailroom.put(fired(1))
    pager.script.extend([step] * 3)
    for attempt in (1, 2, 3):
        delivered = mailroom.deliver()
        assert (delivered.sent, len(delivered.failures)) == (0, 1)
        assert delivered.failures[0].startswith("pager: ")
        row = mailroom.row()
        assert (row.state, row.attempts, row.attempted_at) == (State.QUEUED, attempt, mailroom.clock.now())
        assert delivered.failures == (f"pager: {row.last_error}",)
        mailroom.wait_until_due()
    assert mailroom.deliver() == Delivered(sent=1)
    assert ids(pager) == ["ntf_1"] * 4
    assert mailroom.row().last_error is None


def test_where_nobody_listens_nothing_was_sent_and_it_is_tried_again(mailroom: Mailroom) -> None:
    with WebhookReceiver() as gone:
        mailroom.channels["pager"] = WebhookSettings(kind="webhook", url=gone.url())
    mailroom.put(fired(1))
    assert len(mailroom.deliver().failures) == 1
    assert mailroom.row().state is State.QUEUED


def test_the_wait_at_most_doubles_up_to_a_quarter_of_an_hour(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    mailroom.put(fired(1))
    most = [timedelta(seconds=min(2 * 2**attempt, 900)) for attempt in range(14)]
    pager.script.extend([Answer(500)] * len(most))
    waits = []
    for _ in most:
        mailroom.deliver()
        waits.append(mailroom.wait_until_due())
    assert all(timedelta(0) <= wait <= bound for wait, bound in zip(waits, most, strict=True))
    assert len(set(waits)) > 7, "jittered"
    assert max(waits) > timedelta(minutes=1)


@pytest.mark.parametrize("status", [429, 503])
def test_who_says_how_long_to_wait_is_heard(mailroom: Mailroom, pager: WebhookReceiver, status: int) -> None:
    mailroom.put(fired(1))
    pager.script.append(Answer(status, headers={"Retry-After": "7"}))
    mailroom.deliver()
    assert mailroom.row().next_attempt_at == NOON + timedelta(seconds=7)
    mailroom.wait(timedelta(seconds=6.9))
    assert mailroom.deliver() == Delivered()
    mailroom.wait(timedelta(seconds=0.1))
    assert mailroom.deliver() == Delivered(sent=1)


def test_who_asks_for_more_patience_than_there_is_gets_one_last_attempt(
    mailroom: Mailroom, pager: WebhookReceiver
) -> None:
    mailroom.put(fired(1))
    pager.script.append(Answer(429, headers={"Retry-After": "999999999"}))
    mailroom.deliver()
    assert mailroom.wait_until_due() == 3 * DAY
    assert mailroom.deliver() == Delivered(sent=1)


def test_what_waits_holds_up_its_conversation_and_nothing_else(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    mailroom.put(fired(0, conversation="cnv"), fired(1, conversation="cnv"), fired(2))
    pager.script.append(Answer(500))
    assert mailroom.deliver().sent == 1
    assert ids(pager) == ["ntf_0", "ntf_2"]
    mailroom.wait_until_due()
    assert mailroom.deliver().sent == 2
    assert ids(pager)[2:] == ["ntf_0", "ntf_1"]


def test_what_a_process_that_died_had_on_its_way_is_sent_again_with_the_same_id(
    mailroom: Mailroom, pager: WebhookReceiver
) -> None:
    mailroom.put(fired(1))
    mailroom.outbox.lease(NOON)
    assert mailroom.deliver() == Delivered(), "it may yet be on its way"
    mailroom.wait(LEASE_FOR)
    assert mailroom.deliver() == Delivered(sent=1)
    assert (mailroom.row().attempts, ids(pager)) == (2, ["ntf_1"])


# ---- what somebody must mend ----------------------------------------------------------------------------------------


def test_a_wrong_configuration_blocks_and_is_tried_hourly(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    mailroom.put(fired(1))
    pager.script.extend([Answer(404), Answer(401)])
    for attempt in (1, 2):
        assert len(mailroom.deliver().failures) == 1
        assert (mailroom.row().state, mailroom.row().attempts) == (State.BLOCKED, attempt)
        assert mailroom.wait_until_due() == timedelta(hours=1)
    assert mailroom.deliver() == Delivered(sent=1)
    assert mailroom.row().state is State.SENT


def test_a_secret_that_cannot_be_read_blocks_only_its_own_channel(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    signed = WebhookSettings(kind="webhook", url=pager.url("/signed"), signing_secret=SecretRef(env="HOOK_SECRET"))
    mailroom.channels["signed"] = signed
    mailroom.put(fired(1, "signed"), fired(2), fired(3, "signed"))
    missing = "signed: env HOOK_SECRET is not set: set it where usage-watch is started."
    assert mailroom.deliver() == Delivered(sent=1, failures=(missing, missing))
    assert mailroom.states == {"ntf_1": State.BLOCKED, "ntf_2": State.SENT, "ntf_3": State.BLOCKED}
    mailroom.environ["HOOK_SECRET"] = "a secret that has been set by now"
    mailroom.wait(timedelta(hours=1))
    assert mailroom.deliver() == Delivered(sent=2)
    assert all("webhook-signature" in request.headers for request in pager.requests if request.path == "/signed")


# ---- given up -------------------------------------------------------------------------------------------------------


def test_what_is_refused_is_given_up_at_once_and_the_next_goes_on(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    mailroom.put(fired(0, conversation="cnv"), fired(1, conversation="cnv"))
    pager.script.append(Answer(400))
    delivered = mailroom.deliver()
    assert (delivered.sent, len(delivered.failures)) == (1, 1)
    assert mailroom.states == {"ntf_0": State.DEAD, "ntf_1": State.SENT}
    assert ids(pager) == ["ntf_0", "ntf_1"]


@pytest.mark.parametrize(("status", "state"), [(500, State.QUEUED), (404, State.BLOCKED)])
def test_after_three_days_it_is_given_up(mailroom: Mailroom, pager: WebhookReceiver, status: int, state: State) -> None:
    mailroom.put(fired(1))
    pager.script.extend([Answer(status)] * 2)
    mailroom.clock.step(NOON + 3 * DAY - timedelta(seconds=1))
    mailroom.deliver()
    assert mailroom.row().state is state
    mailroom.clock.step(max(NOON + 3 * DAY, mailroom.outbox.next_due() or NOON))
    assert len(mailroom.deliver().failures) == 1
    assert mailroom.row().state is State.DEAD
    assert mailroom.outbox.next_due() is None


def test_a_receiver_that_is_back_after_three_days_still_gets_it(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    mailroom.put(fired(1))
    mailroom.wait(5 * DAY)
    assert mailroom.deliver() == Delivered(sent=1), "the daemon was down, not the receiver"


def test_what_was_for_a_removed_channel_is_undeliverable(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    mailroom.put(fired(1), fired(2, "gone"))
    assert mailroom.deliver() == Delivered(sent=1)
    assert mailroom.states == {"ntf_1": State.SENT, "ntf_2": State.UNDELIVERABLE}


def test_a_failure_is_an_event_and_so_is_a_success(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    mailroom.put(fired(1))
    pager.script.append(Answer(500))
    with listening() as heard:
        mailroom.deliver()
        mailroom.wait_until_due()
        mailroom.deliver()
    assert heard.names == ["delivery.failed", "delivery.sent"]
    assert [(each["target"], each["id"]) for each in heard.fields] == [("pager", "ntf_1")] * 2
    assert heard.fields[0]["verdict"] == "server"


def test_a_channel_of_people_prints_it(mailroom: Mailroom, capsys: pytest.CaptureFixture[str]) -> None:
    mailroom.channels["screen"] = LogSettings(kind="log")
    mailroom.put(fired(0, "screen"))
    assert mailroom.deliver() == Delivered(sent=1)
    assert "12,345 credits in 3 h" in capsys.readouterr().out


def test_a_clock_that_was_set_back_gives_nothing_up(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    mailroom.put(fired(1), at=at(0))
    pager.script.append(Answer(500))
    mailroom.deliver()
    mailroom.clock.step(NOON - 10 * DAY)
    mailroom.deliver()
    assert mailroom.row().state is not State.DEAD
    mailroom.clock.step(NOON + DAY)
    mailroom.deliver()
    assert mailroom.row().state is State.SENT
