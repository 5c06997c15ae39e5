"""SIGKILL at every step of one incident's life: nothing is lost, and nothing told twice but what was on its way."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.fakes.scripted_http import Request, Step
from tests.fakes.slack_api import SlackApi
from tests.fakes.smtp_server import SmtpServer
from tests.fakes.webhook_receiver import WebhookReceiver
from tests.journeys.office import Office, job, opened
from usage_watch.errors import UsageWatchError
from usage_watch.simulator import Scenario

MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
ONE = MIDNIGHT + timedelta(hours=1)
RULE = "{id: hourly-credits, kind: threshold, above: 2_000}"


@dataclass
class Killer:
    """Kills the daemon at the instants that it waits for, each once; in which order they come is up to the couriers."""

    pid: Callable[[], int] = lambda: 0
    waiting: list[str] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)

    def at(self, instant: str) -> None:
        if instant in self.waiting:
            self.waiting.remove(instant)
            self.killed.append(instant)
            os.kill(self.pid(), signal.SIGKILL)


class DeadlySlack(SlackApi):
    """The daemon dies before it hears that its message was taken."""

    killer: Killer

    def respond(self, request: Request) -> Step:
        answer = super().respond(request)
        self.killer.at(f"slack {self.calls[-1]}")
        return answer


class DeadlyMail(SmtpServer):
    """The daemon dies when its mail was taken and not yet acknowledged."""

    killer: Killer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = await super().handle_DATA(server, session, envelope)
        self.killer.at("mail")
        return answer


class DeadlyPager(WebhookReceiver):
    """The daemon dies before it hears that its message was taken."""

    killer: Killer

    def respond(self, request: Request) -> Step:
        self.killer.at("pager")
        return super().respond(request)


def live(office: Office, killer: Killer, until: datetime, *instants: str) -> None:
    """Let the daemon live, die at these instants and be started again, as systemd would."""
    killer.waiting += instants
    known = len(killer.killed)
    for _ in range(len(instants) + 1):
        try:
            office.daemon.run_until(until)
            break
        except UsageWatchError:
            assert len(killer.killed) > known, "it ended by itself"
            known = len(killer.killed)
            office.daemon.kill()
            office.start()
    assert killer.waiting == []


def crash(office: Office) -> None:
    """Kill it while it waits."""
    office.daemon.kill()
    office.start()


def test_killed_at_every_step_it_loses_nothing_and_repeats_only_what_was_on_its_way(tmp_path: Path) -> None:
    killer = Killer()
    slack, mail, pager = DeadlySlack(), DeadlyMail(), DeadlyPager()
    slack.killer = mail.killer = pager.killer = killer
    # What goes on beside it is what settles the hours after it.
    beside = job(ONE, 9, 100, "ana@example.com")
    scenario = Scenario(1, MIDNIGHT - timedelta(days=3), lag=None, quiet=True, runaways=(job(ONE, 1, 9_000), beside))
    with opened(
        tmp_path, scenario, MIDNIGHT + timedelta(minutes=5), RULE, backfill="2d", slack=slack, mail=mail, pager=pager
    ) as office:
        killer.pid = lambda: office.daemon.pid

        def asked() -> datetime:
            killer.at("source")
            return office.clock.now()

        office.source.now = asked
        office.start()
        live(office, killer, ONE, "source")
        assert office.told == (0, 0, 0)
        assert office.greetings == (1, 1)

        fired = ONE + timedelta(hours=1, minutes=30)
        live(office, killer, fired, "source", "slack chat.postMessage", "mail", "pager")
        told = office.told
        assert all(1 <= count <= 4 for count in told), "once, and at most once more for each death on its way"

        for hours in (0.1, 1):
            crash(office)
            live(office, killer, fired + timedelta(hours=hours))
        assert office.told == told, "and never again"

        looks_over = ONE + timedelta(hours=5)
        live(office, killer, looks_over, "slack chat.update")
        assert office.told == told, "a correction in place is no news"

        ended = ONE + timedelta(hours=8)
        live(office, killer, ended, "slack chat.update", "pager", "slack chat.postMessage")
        crash(office)
        live(office, killer, ended + timedelta(hours=3))
        assert office.greetings == (1, 1), "however often it is started"
        assert office.daemon.stop() == 0

    assert len(killer.killed) == 9
    _check(slack, mail, pager)


def _check(slack: SlackApi, mail: SmtpServer, pager: WebhookReceiver) -> None:
    """Two things were told, in order, and no third: copies have the id of what they are copies of."""
    _, *messages = slack.messages.values()
    posts = [message.payload["metadata"]["event_payload"] for message in messages]
    assert once((post["reason"], post["id"]) for post in posts) == ["fired", "resolved"]
    threads = {m.thread_ts for m in messages if m.payload["metadata"]["event_payload"]["reason"] != "fired"}
    assert threads == {messages[0].ts}
    assert len(once((each.read["Subject"], each.read["Message-ID"]) for each in mail.mails[1:])) == 2
    bodies = [(request.json["reason"], request.headers["webhook-id"]) for request in pager.requests]
    assert once(bodies) == ["fired", "resolved"]
    assert len({(request.json["incident"]["id"]) for request in pager.requests}) == 1


def once(told: Iterable[tuple[str, str]]) -> list[str]:
    """What was told, without copies, which have the same id."""
    return [what for what, _ in dict.fromkeys(told)]
