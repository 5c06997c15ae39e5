"""Everybody is over their limit on the same day: people get one message each, machines one for each of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.channels.inert import check_mail, check_slack
from tests.fakes.slack_api import TOKEN, SlackApi, texts
from tests.fakes.smtp_server import Mail, SmtpServer
from tests.fakes.webhook_receiver import WebhookReceiver
from usage_watch.clock import SteppedClock
from usage_watch.config import load
from usage_watch.core.message import NAMED
from usage_watch.cycle import Cycle
from usage_watch.simulator import DEFAULT_KEY, Runaway, Scenario, SimulatorServer
from usage_watch.simulator.organization import Member, Organization
from usage_watch.store.database import open_for_writing

MEMBERS = 400
DAY = datetime(2026, 11, 18, tzinfo=UTC)
BEFORE, NEXT_DAY, LATER = DAY + timedelta(hours=1), DAY + timedelta(hours=26), DAY + timedelta(days=5)
VARIANTS = ("full", "initials", "hidden")
RULES = """\
source: {{base_url: "{source}", backfill: 3d}}
web: off
channels:
{channels}
notify: [{names}]
rules:
  - {{id: member-day, kind: threshold, for_each: member, above: {{warning: 2_000, critical: 5_000}}}}
"""
PEOPLE = """\
  ops-{how}: {{kind: slack, token: {{env: SLACK}}, channel: "#{how}", base_url: "{slack}", members: {how}}}
  finance-{how}: {{kind: email, host: 127.0.0.1, port: {smtp}, security: none, sender: usage-watch@example.com,
                 recipients: [{how}@example.com], members: {how}}}
"""
MACHINE = """\
  pager: {{kind: webhook, url: "{hook}", members: hidden}}
"""


def email(number: int) -> str:
    return f"zeb{number:03}.quux{number:03}@members.example"


def used(number: int) -> int:
    """Credits of that day: no two members used as many."""
    return 2_010 + 10 * number


@dataclass(frozen=True)
class Came:
    """What one cycle told."""

    calls: Mapping[str, Sequence[tuple[str, dict[str, Any]]]]
    """By channel of Slack: the methods that were called, and what they carried."""
    mails: Mapping[str, Sequence[Mail]]
    """By recipient."""
    posts: Sequence[dict[str, Any]]
    """The bodies that the webhook got."""


@dataclass
class Office:
    """Who is told; all by one cycle at a time, as cron would run it."""

    slack: SlackApi
    mail: SmtpServer
    pager: WebhookReceiver
    clock: SteppedClock
    rules: Path

    def cycle(self, at: datetime) -> Came:
        """Run one, and take away what came of it."""
        self.clock.step(at)
        environ = {"SLACK": TOKEN, "PERPLEXITY_ANALYTICS_API_KEY": DEFAULT_KEY}
        with (
            open_for_writing(self.rules.parent / "usage-watch.db") as database,
            Cycle(load(self.rules), database, self.clock, Event(), environ, thorough=True) as cycle,
        ):
            summary = cycle.run()
        assert (summary.fetched.failures, summary.delivered.failures) == ((), ())
        came = Came(
            {how: list(self._calls(how)) for how in VARIANTS},
            {how: [each for each in self.mail.mails if each.recipients == (f"{how}@example.com",)] for how in VARIANTS},
            [request.json for request in self.pager.requests],
        )
        for heard in (self.slack.requests, self.mail.mails, self.pager.requests):
            heard.clear()
        return came

    def _calls(self, how: str) -> Iterator[tuple[str, dict[str, Any]]]:
        names = (f"#{how}", self.slack.channels[f"#{how}"])
        for request in self.slack.requests:
            if request.json["channel"] in names:
                yield request.path.rpartition("/")[2], request.json


@contextmanager
def opened(folder: Path) -> Iterator[Office]:
    """Every member has a job that runs away at noon of that day."""
    noon, clock = DAY + timedelta(hours=12), SteppedClock(folder / "clock")
    people = tuple(Member(email(number), 0.0, 1.0, 0.0) for number in range(MEMBERS))
    jobs = tuple(Runaway(email(number), "claude-opus-4-8", noon, 1, used(number)) for number in range(MEMBERS))
    story = Scenario(1, DAY - timedelta(days=3), lag=None, quiet=True, runaways=jobs)
    organization = replace(Organization.from_seed(1), members=people)
    with (
        pytest.MonkeyPatch.context() as patch,
        SlackApi() as slack,
        SmtpServer() as mail,
        WebhookReceiver() as pager,
        SimulatorServer(story, organization=organization, now=clock.now) as source,
    ):
        patch.setenv("NO_PROXY", "*")
        slack.channels.update({f"#{how}": f"C0{how.upper()}" for how in VARIANTS})
        rules = folder / "rules.yaml"
        rules.write_text(_rules(source.base_url, slack=slack.base_url, smtp=mail.port, hook=pager.url()))
        yield Office(slack, mail, pager, clock, rules)


def _rules(source: str, **others: object) -> str:
    channels = "".join(PEOPLE.format(how=how, **others) for how in VARIANTS) + MACHINE.format(**others)
    names = ", ".join(re.findall(r"(?m)^  ([a-z-]+):", channels))
    return RULES.format(source=source, channels=channels, names=names)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Came, Came]:
    """What came when all went over their limit, and when that was over."""
    with opened(tmp_path_factory.mktemp("office")) as office:
        assert office.cycle(BEFORE).posts == []  # who watches says so, and nothing else
        return office.cycle(NEXT_DAY), office.cycle(LATER)


@pytest.mark.parametrize("how", VARIANTS)
def test_people_get_one_message_each_of_a_size_that_is_taken(told: tuple[Came, Came], how: str) -> None:
    fired, ended = told
    assert [method for method, _ in fired.calls[how]] == ["chat.postMessage"]
    assert [method for method, _ in ended.calls[how]] == ["chat.update", "chat.postMessage"]
    assert [len(came.mails[how]) for came in told] == [1, 1]
    (_, parent), (_, edited), (_, reply) = (*fired.calls[how], *ended.calls[how])
    assert reply["thread_ts"] == edited["ts"]
    for payload in (parent, edited, reply):
        check_slack(payload)
        assert len(payload["blocks"]) <= 50
        assert sum(map(len, texts(payload["blocks"]))) <= 12_000
        assert len(payload["text"]) < 4_000
    first, last = (came.mails[how][0].read for came in told)
    assert last["In-Reply-To"] == first["Message-ID"]
    assert last["Subject"] == f"Re: {first['Subject']}"
    for came in told:
        check_mail(came.mails[how][0].raw)


def test_the_largest_are_named_and_the_others_counted(told: tuple[Came, Came]) -> None:
    largest = [email(number) for number in reversed(range(MEMBERS))][:NAMED]
    for came in told:
        for said in (*slack_texts(came, "full"), *mail_texts(came, "full")):
            assert list(dict.fromkeys(re.findall(r"zeb\w+\.quux\w+@members\.example", said))) == largest
            assert f"and {MEMBERS - NAMED} more" in said
            assert f"{MEMBERS} alerts of member-day" in said


@pytest.mark.parametrize("how", ["initials", "hidden"])
def test_nobody_is_named_where_members_are_not_shown(told: tuple[Came, Came], how: str) -> None:
    for came in told:
        for said in (*slack_texts(came, how), *mail_texts(came, how)):
            assert not re.search(r"(?i)zeb|quux|members\.example", said)
            assert ("Z.Q." if how == "initials" else "a member") in said
        assert not re.search(r"(?i)zeb|quux|members\.example", json.dumps(came.posts))


def test_a_machine_gets_one_for_each_of_them(told: tuple[Came, Came]) -> None:
    everybody = sorted(used(number) for number in range(MEMBERS))
    fired, ended = (came.posts for came in told)
    for posts, reason in ((fired, "fired"), (ended, "resolved")):
        assert {post["reason"] for post in posts} == {reason}
        assert sorted(post["value"] for post in posts) == everybody
        assert len({post["id"] for post in posts}) == MEMBERS
    assert {post["incident"]["id"]: post["value"] for post in fired} == {
        post["incident"]["id"]: post["value"] for post in ended
    }


def slack_texts(came: Came, how: str) -> list[str]:
    """Each payload, as it crossed the wire."""
    return [json.dumps(payload) for _, payload in came.calls[how]]


def mail_texts(came: Came, how: str) -> list[str]:
    """Each part of each mail, decoded, with the headers."""
    mails = [mail.read for mail in came.mails[how]]
    parts = [part for mail in mails for part in mail.walk() if part.get_content_maintype() == "text"]
    return [f"{mail['Subject']}\n{part.get_content()}" for mail in mails for part in parts]
