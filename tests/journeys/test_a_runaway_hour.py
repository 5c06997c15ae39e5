"""Through the real process: a quiet history, one runaway hour, and thirty simulated hours of the daemon's life."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from tests.fakes.slack_api import TOKEN, SlackApi
from tests.fakes.smtp_server import SmtpServer
from tests.fakes.webhook_receiver import WebhookReceiver
from usage_watch.clock import SteppedClock
from usage_watch.quickened import QuickenedDaemon, own_environment
from usage_watch.simulator import DEFAULT_KEY, Runaway, Scenario, SimulatorServer

EVENING = datetime(2026, 11, 19, 18, tzinfo=UTC)
RUNAWAY = datetime(2026, 11, 20, 1, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(b"a secret of a webhook's receiver").decode()

RULES = """\
source: {{base_url: "{source}"}}
store: {{path: "{store}"}}
channels:
  ops: {{kind: slack, token: {{env: SLACK_TOKEN}}, channel: "#usage", base_url: "{slack}"}}
  finance: {{kind: email, host: 127.0.0.1, port: {smtp}, security: none, sender: usage-watch@example.com,
            recipients: [finance@example.com]}}
  pager: {{kind: webhook, url: "{hook}", signing_secret: {{env: HOOK_SECRET}}}}
notify: [ops, finance, pager]
rules:
  - {{id: hourly-credits, kind: threshold, above: {{warning: 2_000, critical: 20_000}}}}
"""


@dataclass(frozen=True)
class Office:
    """Three receivers, a source, and a daemon that knows them."""

    slack: SlackApi
    mail: SmtpServer
    pager: WebhookReceiver
    source: SimulatorServer
    daemon: QuickenedDaemon

    @property
    def told(self) -> tuple[int, int, int]:
        """How many calls, mails and posts came."""
        return len(self.slack.requests), len(self.mail.mails), len(self.pager.requests)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    clock = SteppedClock(tmp_path / "clock")
    clock.step(EVENING)
    runaway = Runaway("priya.nair@example.com", "claude-opus-4-8", RUNAWAY, 1, 9_000)
    scenario = Scenario(1, EVENING.replace(hour=0) - timedelta(days=92), quiet=True, runaways=(runaway,))
    with SlackApi() as slack, SmtpServer() as mail, WebhookReceiver() as pager:
        with SimulatorServer(scenario, now=clock.now) as source:
            rules = tmp_path / "rules.yaml"
            rules.write_text(
                RULES.format(
                    source=source.base_url,
                    store=tmp_path / "history.db",
                    slack=slack.base_url,
                    smtp=mail.port,
                    hook=pager.url("/hook"),
                )
            )
            secrets = {"PERPLEXITY_ANALYTICS_API_KEY": DEFAULT_KEY, "SLACK_TOKEN": TOKEN, "HOOK_SECRET": SECRET}
            environ = {**own_environment(), **secrets}
            with QuickenedDaemon(rules, clock, tmp_path / "clock", environ) as daemon:
                yield Office(slack, mail, pager, source, daemon)


def test_a_runaway_hour_is_told_once_and_its_end_once(office: Office) -> None:
    office.daemon.start(lambda line: None)
    office.daemon.run_until(RUNAWAY + timedelta(hours=1))
    assert office.told == (0, 0, 0), "a quiet history is nothing to tell"

    office.daemon.run_until(RUNAWAY + timedelta(hours=3, minutes=30))
    assert office.told == (1, 1, 1), "the runaway hour, on each channel once"

    office.daemon.run_until(EVENING + timedelta(hours=12))
    assert office.told == (1, 1, 1), "nothing new on repeated cycles"

    office.daemon.run_until(EVENING + timedelta(hours=72))
    # Slack keeps its first message true in place, and says the end in the thread.
    assert office.told == (3, 2, 2), "its end, once"
    assert office.daemon.stop() == 0

    _check_slack(office.slack)
    _check_mail(office.mail)
    _check_webhook(office.pager)
    assert DEFAULT_KEY not in "\n".join(office.daemon.log)


def test_a_steady_poll_asks_once_and_members_hourly(office: Office) -> None:
    office.daemon.start(lambda line: None)
    office.daemon.run_until(EVENING + timedelta(hours=1))
    office.source.requests.clear()
    office.daemon.run_until(EVENING + timedelta(hours=5))
    by_path = [request.path for request in office.source.requests]
    assert by_path.count("/v1/analytics/computer/usage") == 4 * 4
    assert by_path.count("/v2/analytics/computer/usage") == 4


def _check_slack(slack: SlackApi) -> None:
    assert slack.calls == ["chat.postMessage", "chat.update", "chat.postMessage"]
    parent, reply = slack.messages.values()
    assert "over the warning limit of 2,000" in parent.payload["text"]
    assert reply.thread_ts == parent.ts
    assert len(parent.edits) == 1


def _check_mail(mail: SmtpServer) -> None:
    first, second = (each.read for each in mail.mails)
    assert second["In-Reply-To"] == first["Message-ID"]
    assert second["Subject"] == f"Re: {first['Subject']}"


def _check_webhook(pager: WebhookReceiver) -> None:
    bodies = [json.loads(request.body) for request in pager.requests]
    assert [body["reason"] for body in bodies] == ["fired", "resolved"]
    assert [body["incident"]["sequence"] for body in bodies] == [1, 2]
    assert bodies[0]["incident"]["id"] == bodies[1]["incident"]["id"]
    assert bodies[0]["value"] > 9_000 > bodies[0]["limit"] == 2_000
    assert len({request.headers["webhook-id"] for request in pager.requests}) == 2
    # The timestamp is the simulated clock's, which the library would call old.
    for request in pager.requests:
        signature = Webhook(SECRET).sign(
            request.headers["webhook-id"],
            datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC),
            request.body.decode(),
        )
        assert signature in request.headers["webhook-signature"]
