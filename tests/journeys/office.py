"""Three receivers, a source and the real daemon between them, on a clock that jumps."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.fakes.slack_api import TOKEN, Posted, SlackApi
from tests.fakes.smtp_server import Mail, SmtpServer
from tests.fakes.webhook_receiver import WebhookReceiver
from usage_watch.clock import SteppedClock
from usage_watch.quickened import QuickenedDaemon, own_environment
from usage_watch.simulator import DEFAULT_KEY, Runaway, Scenario, SimulatorServer

SECRET = "whsec_" + base64.b64encode(b"a secret of a webhook's receiver").decode()

_RULES = """\
timezone: Europe/Berlin
source: {{api_key: {{file: "{key}"}}, base_url: "{source}", backfill: {backfill}, poll_every: {poll_every}}}
web: off
store: {{path: "{store}"}}
channels:
  ops: {{kind: slack, token: {{env: SLACK_TOKEN}}, channel: "#usage", base_url: "{slack}"}}
  finance: {{kind: email, host: 127.0.0.1, port: {smtp}, security: none, sender: usage-watch@example.com,
            recipients: [finance@example.com]}}
  pager: {{kind: webhook, url: "{hook}", signing_secret: {{env: HOOK_SECRET}}}}
notify: [ops, finance, pager]
rules:
  - {rule}
"""


@dataclass(frozen=True)
class Office:
    """Who is told, by whom, of what."""

    slack: SlackApi
    mail: SmtpServer
    pager: WebhookReceiver
    source: SimulatorServer
    clock: SteppedClock
    daemon: QuickenedDaemon
    key: Path
    """The file that holds the source's key."""

    @property
    def told(self) -> tuple[int, int, int]:
        """How many messages, mails and posts came, but for greetings.

        Slack's corrections in place ping nobody, and are not counted.
        """
        posts, mails = self.greetings
        return (
            self.slack.calls.count("chat.postMessage") - posts,
            len(self.mail.mails) - mails,
            len(self.pager.requests),
        )

    @property
    def greetings(self) -> tuple[int, int]:
        """How many messages and mails only greeted."""
        return sum(map(greets, self.slack.messages.values())), sum(map(greets, self.mail.mails))

    def start(self) -> None:
        """Start the daemon; nobody reads what it prints."""
        self.daemon.start(lambda line: None)


def greets(told: Posted | Mail) -> bool:
    """Whether it is the first line that a channel hears, and no news."""
    if isinstance(told, Mail):
        return str(told.read["Subject"]).startswith("usage-watch: watching ")
    return bool(told.payload["metadata"]["event_payload"]["reason"] == "hello")


def job(start_at: datetime, hours: int, credits_per_hour: int, member: str = "priya.nair@example.com") -> Runaway:
    """A job out of control."""
    return Runaway(member, "claude-opus-4-8", start_at, hours, credits_per_hour)


@contextmanager
def opened(
    folder: Path,
    scenario: Scenario,
    start_at: datetime,
    rule: str,
    *,
    backfill: str = "90d",
    poll_every: str = "15m",
    slack: SlackApi | None = None,
    mail: SmtpServer | None = None,
    pager: WebhookReceiver | None = None,
) -> Iterator[Office]:
    """An office where one rule tells everybody; the daemon is yet to be started."""
    clock = SteppedClock(folder / "clock")
    clock.step(start_at)
    with (
        slack or SlackApi() as ops,
        mail or SmtpServer() as finance,
        pager or WebhookReceiver() as machine,
        SimulatorServer(scenario, now=clock.now) as source,
    ):
        rules, key = folder / "rules.yaml", folder / "key"
        key.write_text(DEFAULT_KEY)
        rules.write_text(
            _RULES.format(
                key=key,
                source=source.base_url,
                backfill=backfill,
                poll_every=poll_every,
                store=folder / "history.db",
                slack=ops.base_url,
                smtp=finance.port,
                hook=machine.url("/hook"),
                rule=rule,
            )
        )
        secrets = {"SLACK_TOKEN": TOKEN, "HOOK_SECRET": SECRET}
        with QuickenedDaemon(rules, clock, folder / "clock", {**own_environment(), **secrets}) as daemon:
            yield Office(ops, finance, machine, source, clock, daemon, key)
