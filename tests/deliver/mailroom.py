"""An outbox, its channels and a clock that stands still, with real receivers at the other end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from zoneinfo import ZoneInfo

from tests.fakes.scripted_http import Request, Step
from tests.fakes.slack_api import TOKEN, SlackApi
from tests.fakes.webhook_receiver import WebhookReceiver
from tests.store.store_samples import NOON, incident, post
from usage_watch.channels import SlackSettings, WebhookSettings
from usage_watch.channels.base import ChannelSettings
from usage_watch.clock import Clock, SteppedClock
from usage_watch.core.compose import Form
from usage_watch.core.message import Reason
from usage_watch.core.promise import Post
from usage_watch.core.targetstate import TargetState
from usage_watch.deliver import Delivered, Dispatch
from usage_watch.secret import SecretRef
from usage_watch.store.alerts import AlertStore, Attempts
from usage_watch.store.database import Database, open_for_writing
from usage_watch.store.outbox import Outbox, OutboxRow, State
from usage_watch.store.targets import TargetStore

FORM = Form({}, ZoneInfo("Europe/Berlin"))
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
LONG = 5.0
"""Seconds after which a test that hangs is over."""


@dataclass
class Mailroom:
    """Message n is about incident n. Each call of `deliver` is a process of its own."""

    database: Database
    clock: SteppedClock
    channels: dict[str, ChannelSettings] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    stop: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        self.alerts, self.outbox = AlertStore(self.database), Outbox(self.database)
        self.targets = TargetStore(self.database)

    def put(self, *posts: Post, at: datetime | None = None) -> None:
        about = [incident(int(each.id.removeprefix("ntf_"))) for each in posts]
        self.alerts.commit(about, [], [], posts, at or self.clock.now())

    def dispatch(self, clock: Clock | None = None) -> Dispatch:
        """As a process does when it starts."""
        self.targets.keep({name: channel.digest for name, channel in self.channels.items()}, self.clock.now())
        return Dispatch(self.outbox, self.channels, self.environ, clock or self.clock, self.stop, FORM)

    def deliver(self, *, thorough: bool = False) -> Delivered:
        with closing(self.dispatch()) as dispatch:
            return dispatch.round(thorough=thorough)

    def dies_with(self) -> list[OutboxRow]:
        """A process takes what is due, and is never heard of again."""
        return self.outbox.lease(self.clock.now())

    def wait(self, length: timedelta) -> None:
        self.clock.step(self.clock.now() + length)

    def wait_until_due(self) -> timedelta:
        """Go to when the next row is due; how long that took."""
        before = self.clock.now()
        due_at = self.outbox.next_due(before)
        assert due_at is not None
        self.clock.step(max(due_at, before))
        return due_at - before

    def deliver_until(self, end: datetime) -> int:
        """As a daemon does until then; how many were sent."""
        sent = self.deliver().sent
        while (due_at := self.outbox.next_due(self.clock.now())) is not None and due_at < end:
            self.clock.step(max(due_at, self.clock.now()))
            sent += self.deliver().sent
        self.clock.step(end)
        return sent

    def row(self, number: int = 1) -> Attempts:
        (found,) = self.alerts.attempts_of(incident(number).id)
        return found

    def states(self, *numbers: int) -> list[State]:
        return [self.row(number).state for number in numbers]

    def target(self, name: str = "pager") -> TargetState:
        (found,) = (each for each in self.targets.states(NOON - 99 * DAY) if each.name == name)
        return found


def letter(number: int, target: str = "pager", conversation: str | None = None) -> Post:
    """A message in a conversation of its own, unless it is named."""
    return post(number, incident(number), target, Reason.FIRED, conversation or f"cnv_{target}_{number}")


@contextmanager
def open_mailroom(folder: Path) -> Iterator[Mailroom]:
    """It is noon, and there are no channels yet."""
    clock = SteppedClock(folder / "clock")
    clock.step(NOON)
    with open_for_writing(folder / "usage-watch.db") as database:
        yield Mailroom(database, clock)


def hook(receiver: WebhookReceiver) -> WebhookSettings:
    return WebhookSettings(kind="webhook", url=receiver.url("/hook"))


def app(slack: SlackApi, mailroom: Mailroom) -> SlackSettings:
    """A channel of Slack's; its token is set."""
    mailroom.environ["SLACK"] = TOKEN
    return SlackSettings(kind="slack", token=SecretRef(env="SLACK"), channel="#usage", base_url=slack.base_url)


def ids(receiver: WebhookReceiver) -> list[str]:
    return [request.headers["webhook-id"] for request in receiver.requests]


class Poisoned(WebhookReceiver):
    """Cannot bear one message, and takes all others."""

    def __init__(self, id: str, step: Step) -> None:
        super().__init__()
        self._id, self._step = id, step

    def respond(self, request: Request) -> Step:
        return self._step if request.headers["webhook-id"] == self._id else super().respond(request)
