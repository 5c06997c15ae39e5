"""Through Debian's own mail servers into a mailbox, and out of it as a mail program reads it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from email.message import EmailMessage
from typing import Any

import pytest

from tests.channels.real_mail import HERE, PASSWORD, USER, MailServers, mail_servers, missing
from tests.channels.samples import EVIDENCE, HOURS, delivery, hostile, message, notice
from usage_watch.channels import EmailSettings
from usage_watch.channels.base import Attempt, Verdict
from usage_watch.core.message import Conversation, Delivery, Reason
from usage_watch.secret import SecretRef

ON_THE_WAY = ["Return-Path", "X-Original-To", "Delivered-To", "Received"]
"""What a mail server adds."""
OURS = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress", "List-Id"]
MIME = ["MIME-Version", "Content-Type"]


@pytest.fixture(scope="module")
def servers() -> Iterator[MailServers]:
    why_not = missing()
    if why_not is not None:
        (pytest.fail if os.environ.get("CI_DEBIAN") == "1" else pytest.skip)(why_not)
    with mail_servers() as both:
        yield both


def sent(servers: MailServers, to: str, *these: Delivery, **written: Any) -> list[Attempt]:
    """By the channel as a rules file opens it: STARTTLS, a log-in and a CA of one's own, where nothing else is said."""
    usual: dict[str, Any] = {"port": servers.starttls, "cafile": servers.ca, "username": USER}
    usual |= {"password": SecretRef(env="PW"), "recipients": tuple(f"{name}@example.com" for name in to.split())}
    settings = EmailSettings(kind="email", host=HERE, sender="usage-watch@example.com", **(usual | written))
    with closing(settings.connect({"PW": PASSWORD})) as sender:
        return [sender.send(each) for each in these]


def story(number: int) -> list[Delivery]:
    """A conversation: it fired, got worse, and ended."""
    id, subject = f"cnv_{number}", f"usage-watch: rule {number}, 22 Nov 13:00"
    refs = {Reason.FIRED: None, Reason.ESCALATED: f"<{id}@example.com>", Reason.RESOLVED: f"<{id}@example.com>"}
    return [
        delivery(message(notice(reason)), id=f"ntf_{number}_{reason}", conversation=Conversation(id, subject, ref))
        for reason, ref in refs.items()
    ]


def ids(mails: list[EmailMessage]) -> list[str]:
    return [str(mail["Message-ID"]) for mail in mails]


def threads(servers: MailServers, person: str) -> list[list[int]]:
    """Places of mails, by thread, as the mail server itself tells them: `(1 (3)(5))(2 4)`."""
    with servers.inbox(person) as program:
        _, (said,) = program.thread("REFERENCES", "UTF-8", "ALL")
    found: list[list[int]] = []
    depth = 0
    for token in str(said, "ascii").replace("(", " ( ").replace(")", " ) ").split():
        if token == "(" and depth == 0:
            found.append([])
        if token.isdigit():
            found[-1].append(int(token))
        depth += {"(": 1, ")": -1}.get(token, 0)
    return found


def test_each_conversation_is_one_thread_of_a_mail_program(servers: MailServers) -> None:
    one, other = story(1), story(2)
    attempts = sent(servers, "ana", one[0], other[0], one[1], other[2], one[2])
    assert [(each.verdict, each.detail) for each in attempts] == [(Verdict.SENT, "")] * 5
    assert [each.ref for each in attempts] == [f"<cnv_{number}@example.com>" for number in (1, 2, 1, 2, 1)]
    names = ids(servers.arrived("ana@example.com", 5))
    assert sorted(sorted(names[place - 1] for place in thread) for thread in threads(servers, "ana@example.com")) == [
        ["<cnv_1@example.com>", "<ntf_1_escalated@example.com>", "<ntf_1_resolved@example.com>"],
        ["<cnv_2@example.com>", "<ntf_2_resolved@example.com>"],
    ]


def test_a_mail_arrives_with_the_headers_that_were_set_and_no_others(servers: MailServers) -> None:
    first, _, last = story(3)
    evil = "=?utf-8?q?hi=0D=0AX-Evil=3A_1?=\r\nX-Evil: 1"
    forged = delivery(hostile(evil), id="ntf_evil", conversation=Conversation("cnv_evil", evil, None))
    sent(servers, "ben", first)
    sent(servers, "ben", last)
    sent(servers, "ben", forged)
    began, ended, tried = servers.arrived("ben@example.com", 3)
    assert [began.keys(), tried.keys()] == [[*ON_THE_WAY, *OURS, *MIME]] * 2
    assert ended.keys() == [*ON_THE_WAY, *OURS[:5], "In-Reply-To", "References", *OURS[5:], *MIME]
    for mail in (began, ended, tried):
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["List-Id"] == "<usage-watch.example.com>"
        assert mail["Return-Path"] == "<usage-watch@example.com>"
    assert began["Subject"] == "usage-watch: rule 3, 22 Nov 13:00"
    assert ended["Subject"] == "Re: usage-watch: rule 3, 22 Nov 13:00"
    assert began["Date"].datetime == first.sent_at
    body = began.get_body(("plain",))
    assert body is not None
    assert "🔴 12,345 credits in 3 h, over the critical limit of 10,000" in body.get_content()


def test_a_repeat_is_the_same_mail_by_its_id(servers: MailServers) -> None:
    for each in (story(4)[0], story(4)[1]):
        sent(servers, "cleo", each, replace(each, attempt=2, unsure=True))
    assert ids(servers.arrived("cleo@example.com", 4)) == [
        *["<cnv_4@example.com>"] * 2,
        *["<ntf_4_escalated@example.com>"] * 2,
    ]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_nothing_is_said_to_a_server_whose_certificate_is_not_of_a_known_ca(
    servers: MailServers, security: str
) -> None:
    """The good one comes through, by the same door; the others never arrive before it."""
    refused, taken = (replace(each, id=f"ntf_{security}_{each.id}") for each in story(5)[1:])
    port = {"starttls": servers.starttls, "tls": servers.tls}[security]
    for cafile in (servers.other_ca, None):
        (attempt,) = sent(servers, "dora", refused, port=port, security=security, cafile=cafile)
        assert attempt.verdict is Verdict.NOT_SENT
        assert "its TLS certificate could not be verified" in attempt.detail
    before = len(servers.arrived("dora@example.com", 0))
    (attempt,) = sent(servers, "dora", taken, port=port, security=security)
    assert attempt.verdict is Verdict.SENT
    assert ids(servers.arrived("dora@example.com", before + 1))[before:] == [f"<{taken.id}@example.com>"]
    received = servers.arrived("dora@example.com", 1)[-1]["Received"]
    assert "with ESMTPSA" in received  # encrypted, and logged in


def test_encryption_that_is_not_spoken_there_is_not_done_without(servers: MailServers) -> None:
    (attempt,) = sent(servers, "emil", story(6)[0], port=servers.starttls, security="tls")
    assert attempt.verdict is Verdict.NOT_SENT


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"username": "somebody"}, "check `username` and `password`"),
        ({"username": None, "password": None}, "Access denied"),
    ],
)
def test_without_a_good_log_in_nothing_is_taken(servers: MailServers, written: dict[str, Any], said: str) -> None:
    (attempt,) = sent(servers, "emil", story(6)[0], **written)
    assert attempt.verdict is Verdict.CONFIGURATION
    assert said in attempt.detail
    assert PASSWORD not in attempt.detail


def test_who_is_refused_is_recorded_and_the_others_get_it(servers: MailServers) -> None:
    one = story(7)[0]
    some, nobody = sent(servers, "finn noone", one) + sent(servers, "noone", one)
    assert some.verdict is Verdict.SENT
    assert some.detail.startswith("The mail server refused 1 of 2 recipients (550): 5.1.1 <noone@example.com>:")
    assert nobody.verdict is Verdict.CONFIGURATION
    assert ids(servers.arrived("finn@example.com", 1)) == ["<cnv_7@example.com>"]


def test_the_chart_arrives_as_a_picture_within_the_mail(servers: MailServers) -> None:
    pytest.importorskip("resvg_py", reason="needs the extra `png`")
    drawn = message(notice(evidence=replace(EVIDENCE, series=HOURS)))
    sent(servers, "gus", delivery(drawn))
    (mail,) = servers.arrived("gus@example.com", 1)
    kinds = [part.get_content_type() for part in mail.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"]
    *_, page, picture = mail.walk()
    assert f'src="cid:{picture["Content-ID"].strip("<>")}"' in page.get_content()
    assert picture.get_content_disposition() == "inline"
    assert picture.get_content().startswith(b"\x89PNG\r\n\x1a\n")
