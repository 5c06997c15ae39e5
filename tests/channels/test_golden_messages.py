"""What each channel sends, to the byte, for each reason.

After a wanted change run with `UPDATE_GOLDEN=1` in the environment, and read the difference.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from email import message_from_bytes
from email.policy import default
from io import StringIO
from pathlib import Path

import pytest

from tests.channels.samples import HOUR, NOON, blind, days_later, delivery, frozen, member_day, message, notice
from tests.fakes.slack_api import TOKEN, SlackApi
from usage_watch.channels.base import Verdict
from usage_watch.channels.email.mail import Mailbox, mail
from usage_watch.channels.log import LogSender
from usage_watch.channels.slack import SlackApp
from usage_watch.channels.webhook.body import webhook_body
from usage_watch.core.message import Message, Reason

BEGINS = (Reason.FIRED, Reason.FIRED_AND_ENDED)
"""What a conversation begins with."""
GOLDEN = Path(__file__).parent.parent / "golden"

MODEL = {"Model": "claude-opus-4-8"}
ANA, BEN, CLEO = (
    member_day(f"{name}@example.com", used) for name, used in [("ana", 21_400), ("ben", 2_900), ("cleo", 4_100)]
)
ANA_OVER, BEN_OVER = (
    member_day(f"{name}@example.com", used, Reason.RESOLVED) for name, used in [("ana", 21_400), ("ben", 2_900)]
)

ANA_STILL, CLEO_STILL = (replace(each, reason=Reason.REMINDER) for each in (ANA, CLEO))

ANA_BACK, BEN_BACK = (
    member_day(
        f"{name}@example.com",
        used,
        Reason.RETRACTED,
        note=f"The source revised it: {used:,} credits turned out to be 130 credits.",
        ended_at=NOON + 8 * HOUR,
    )
    for name, used in [("ana", 21_400), ("ben", 2_900)]
)
UNSURE = notice(labels=MODEL, looks_over=True)

ONE: dict[str, Message] = {
    **{reason.value: message(notice(reason, labels=MODEL)) for reason in Reason},
    "reminder": days_later(notice(Reason.REMINDER, labels=MODEL)),
    "updated": message(replace(UNSURE, reason=Reason.UPDATED), standing=(UNSURE,)),
    "meta-fired": message(blind(), data_until=None),
    "meta-reminder": days_later(blind(Reason.REMINDER), data_until=None),
    "meta-resolved": message(blind(Reason.RESOLVED), data_until=None),
}
SEVERAL: dict[str, Message] = {
    "several-fired": message(ANA, BEN, CLEO),
    "several-escalated": message(
        member_day("ana@example.com", 21_400, Reason.ESCALATED), member_day("ben@example.com", 30_100, Reason.ESCALATED)
    ),
    "several-resolved": message(ANA_OVER, BEN_OVER),
    "several-closed": message(*(member_day(f"{n}@example.com", 3_000, Reason.CLOSED) for n in "ab")),
    "several-reminded": days_later(ANA_STILL, replace(BEN, reason=Reason.REMINDER), CLEO_STILL),
    "some-new": days_later(BEN, ANA_STILL, CLEO_STILL),
    "some-ended": message(ANA_OVER, standing=(ANA_OVER, BEN, CLEO)),
    "several-came-and-went": message(*(replace(each, reason=Reason.FIRED_AND_ENDED) for each in (ANA_OVER, BEN_OVER))),
    "several-taken-back": message(ANA_BACK, BEN_BACK),
    "some-taken-back": message(ANA_BACK, standing=(ANA_BACK, BEN_OVER, replace(CLEO, looks_over=True))),
    "day-closed": message(member_day("ana@example.com", 21_400, Reason.CLOSED, ended_at=NOON + 8 * HOUR)),
    "day-came-and-went": message(replace(ANA_OVER, reason=Reason.FIRED_AND_ENDED), decided_at=NOON + 70 * HOUR),
    "meta-escalated": message(blind(Reason.ESCALATED), data_until=None),
    "meta-came-and-went": message(blind(Reason.FIRED_AND_ENDED), data_until=None),
    "meta-several": message(frozen("credit_usage 1h"), frozen("query_volume 1d"), data_until=None),
    "meta-closed": message(blind(Reason.CLOSED), data_until=None),
    "many": message(*(member_day(f"member{n:02}@example.com", 2_100 + 100 * n) for n in range(32))),
    "test": message(test=True),
}
ALL = ONE | SEVERAL


def check(name: str, found: str) -> None:
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ALL)
def test_the_log_is_as_it_was(name: str) -> None:
    stream = StringIO()
    LogSender(stream).send(delivery(ALL[name]))
    check(f"log/{name}.txt", stream.getvalue())


@pytest.mark.parametrize("name", ONE)
def test_the_webhook_is_as_it_was(name: str) -> None:
    body = json.loads(webhook_body(delivery(ALL[name])))
    check(f"webhook/{name}.json", json.dumps(body, indent=2, ensure_ascii=False) + "\n")


@pytest.mark.parametrize("name", ALL)
def test_the_mail_is_as_it_was(name: str) -> None:
    said = ALL[name]
    ref = None if said.news[0].reason in BEGINS else "<cnv_0a1b2c3d4e5f@example.com>"
    raw, _ = mail(delivery(said, ref=ref), Mailbox("usage-watch@example.com", ("finance@example.com",)))
    read = message_from_bytes(raw, policy=default)
    text, html = (part.get_content().replace("\r\n", "\n") for part in read.iter_parts())
    headers = "".join(f"{header}: {value}\n" for header, value in read.items())
    check(f"email/{name}.txt", f"{headers}\n{text}")
    check(f"email/{name}.html", html)


@pytest.mark.parametrize("name", ALL)
def test_slack_is_as_it_was(name: str) -> None:
    said = ALL[name]
    with SlackApi() as fake:
        sender = SlackApp(TOKEN, "#usage", base_url=fake.base_url)
        ref = None if said.news[0].reason in BEGINS else sender.send(delivery()).ref
        fake.requests.clear()
        assert sender.send(delivery(said, ref=ref)).verdict is Verdict.SENT
        calls = [{"method": method, **request.json} for method, request in zip(fake.calls, fake.requests, strict=True)]
    check(f"slack/{name}.json", json.dumps(calls, indent=2, ensure_ascii=False) + "\n")


def test_no_golden_file_is_left_over() -> None:
    wanted = {f"log/{name}.txt" for name in ALL} | {f"webhook/{name}.json" for name in ONE}
    wanted |= {f"email/{name}.{kind}" for name in ALL for kind in ("txt", "html")} | {
        f"slack/{name}.json" for name in ALL
    }
    found = {
        f"{path.parent.name}/{path.name}"
        for kind in ("log", "webhook", "email", "slack")
        for path in (GOLDEN / kind).iterdir()
    }
    assert found == wanted
