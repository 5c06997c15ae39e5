"""Through the real process: a quiet history, one runaway hour, and three simulated days of the daemon's life."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from tests.fakes.slack_api import TOKEN, SlackApi
from tests.fakes.smtp_server import SmtpServer
from tests.fakes.webhook_receiver import WebhookReceiver
from tests.journeys.office import SECRET, Office, job, opened
from usage_watch.simulator import DEFAULT_KEY, Scenario

EVENING = datetime(2026, 11, 19, 18, tzinfo=UTC)
RUNAWAY = datetime(2026, 11, 20, 1, tzinfo=UTC)
RULE = "{id: hourly-credits, kind: threshold, above: {warning: 2_000, critical: 20_000}, remind_every: off}"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    start_at = EVENING.replace(hour=0) - timedelta(days=92)
    scenario = Scenario(1, start_at, quiet=True, runaways=(job(RUNAWAY, 1, 9_000),))
    with opened(tmp_path, scenario, EVENING, RULE) as office:
        yield office


def test_a_runaway_hour_is_told_once_and_its_end_once(office: Office) -> None:
    office.start()
    office.daemon.run_until(RUNAWAY + timedelta(hours=1))
    assert office.told == (0, 0, 0), "a quiet history is nothing to tell"
    assert office.greetings == (1, 1), "but people hear what is watched, and machines do not"

    office.daemon.run_until(RUNAWAY + timedelta(hours=3, minutes=30))
    assert office.told == (1, 1, 1), "the runaway hour, on each channel once"

    office.daemon.run_until(EVENING + timedelta(hours=45))
    assert office.told == (1, 1, 1), "nothing new on repeated cycles"

    office.daemon.run_until(EVENING + timedelta(hours=72))
    assert office.told == (2, 2, 2), "its end, once"
    assert office.greetings == (1, 1)
    assert office.daemon.stop() == 0

    _check_slack(office.slack)
    _check_mail(office.mail)
    _check_webhook(office.pager)
    log = "\n".join(office.daemon.log)
    assert not [secret for secret in (DEFAULT_KEY, TOKEN, SECRET) if secret in log]


def test_a_steady_poll_asks_once_and_members_hourly(office: Office) -> None:
    office.start()
    office.daemon.run_until(EVENING + timedelta(hours=1))
    office.source.requests.clear()
    office.daemon.run_until(EVENING + timedelta(hours=5))
    by_path = [request.path for request in office.source.requests]
    # Each hour reads a twenty-fourth of the 90 days again.
    assert by_path.count("/v1/analytics/computer/usage") == 4 * 4 + 4
    assert by_path.count("/v2/analytics/computer/usage") == 4 + 4


def _check_slack(slack: SlackApi) -> None:
    # Its first message is kept true in place: as more of the hour comes, and when it has ended.
    greeting, first, *corrections, update, reply_call = slack.calls
    assert (greeting, first, reply_call) == ("chat.postMessage",) * 3
    assert update == "chat.update"
    assert 1 <= len(corrections) <= 2
    assert set(corrections) == {"chat.update"}
    hello, parent, reply = slack.messages.values()
    assert hello.payload["text"] == "👋 usage-watch watches 1 rule and tells you here; no usage seen yet"
    assert hello.edits == []
    assert "over the warning limit of 2,000" in parent.payload["text"]
    assert reply.thread_ts == parent.ts
    assert len(parent.edits) == len(corrections) + 1


def _check_mail(mail: SmtpServer) -> None:
    _, first, second = (each.read for each in mail.mails)
    assert first["In-Reply-To"] is None
    assert second["In-Reply-To"] == first["Message-ID"]
    assert second["Subject"] == f"Re: {first['Subject']}"


def _check_webhook(pager: WebhookReceiver) -> None:
    fired, resolved = (json.loads(request.body) for request in pager.requests)
    assert [fired["reason"], resolved["reason"]] == ["fired", "resolved"]
    assert [fired["incident"]["sequence"], resolved["incident"]["sequence"]] == [1, 2]
    assert fired["incident"]["id"] == resolved["incident"]["id"]
    # The source syncs late: what is told first is a part of the hour, and enough.
    assert 2_000 == fired["limit"] < fired["value"] <= resolved["value"] == 9_000
    assert len({request.headers["webhook-id"] for request in pager.requests}) == 2
    # The timestamp is the simulated clock's, which the library would call old.
    for request in pager.requests:
        signature = Webhook(SECRET).sign(
            request.headers["webhook-id"],
            datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC),
            request.body.decode(),
        )
        assert signature in request.headers["webhook-signature"]
