"""The contract of every channel kind, against real sockets.

What arrives; the class of every answer, of every silence and of every broken connection, as alerts.md has it, written
out once more here; that texts from outside are nothing but texts, and that secrets are seen by nobody.
"""

from __future__ import annotations

import gzip
import io
import json
import logging
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from http import HTTPStatus
from typing import Any

import pytest
import trustme
from pydantic import TypeAdapter, ValidationError

from tests.channels.kinds import ANA, BEN, HASTY, HERE, HTTP, KINDS, MACHINES, MAIL, SENDERS, SESSION, Place, Rig, ca
from tests.channels.samples import PAGE, delivery, hostile, hostile_pair, member_day, message, notice
from tests.fakes.scripted_http import Answer, Drip, EarlyReset, Flood, Hang, Raw, Reset, ScriptedHttp, Step
from tests.fakes.slack_api import HOOK, TOKEN, SlackApi, refusal
from tests.fakes.smtp_server import (
    ABORT,
    DRIP,
    FLOOD,
    HANG,
    HANG_UP,
    LINES,
    PASSWORD,
    USER,
    Cut,
    ScriptedSmtp,
    SmtpServer,
)
from tests.fakes.webhook_receiver import WebhookReceiver
from usage_watch.channels import (
    AlertmanagerSettings,
    AnyChannel,
    EmailSettings,
    LogSettings,
    SlackSettings,
    WebhookSettings,
)
from usage_watch.channels.base import Attempt, ChannelSettings, Verdict
from usage_watch.channels.email.mail import Mailbox
from usage_watch.channels.email.smtp import Server, SmtpSender
from usage_watch.channels.log import LogSender
from usage_watch.core.message import Delivery, Reason
from usage_watch.secret import complaints

SENT, NOT_SENT, AMBIGUOUS = Verdict.SENT, Verdict.NOT_SENT, Verdict.AMBIGUOUS
THROTTLED, SERVER = Verdict.THROTTLED, Verdict.SERVER
REJECTED, CONFIGURATION = Verdict.REJECTED, Verdict.CONFIGURATION

NETWORK = [*HTTP, *MAIL]
TEXTUAL = [*HTTP, "email none", "log"]
"""For what depends on the text of a message alone: mail is the same on every line."""


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> Iterator[Rig]:
    with KINDS[request.param]() as opened:
        yield opened


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[io.StringIO]:
    """All that is logged; caplog forgets what was logged before a fixture's end."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.CRITICAL, "mail")  # the fake server's own
    handler = logging.StreamHandler(io.StringIO())
    logging.getLogger().addHandler(handler)
    yield handler.stream
    logging.getLogger().removeHandler(handler)


@pytest.fixture
def rig(kind: Rig, logged: io.StringIO, capsys: pytest.CaptureFixture[str]) -> Iterator[Rig]:
    """A channel where all is well; afterwards none of its secrets was logged or printed, whatever was tested."""
    kind.clear()
    yield kind
    shown = "".join((logged.getvalue(), *capsys.readouterr()))
    assert not any(secret in shown for secret in kind.secrets)


def only(*names: str) -> pytest.MarkDecorator:
    """For these kinds alone."""
    return pytest.mark.parametrize("kind", names, indirect=True, scope="module")


def say(rig: Rig, said: Delivery | None = None, *, hasty: bool = False) -> Attempt:
    """Send, and see to what holds for every outcome: a sentence for people, without secrets."""
    sender = rig.hasty if hasty else rig.sender
    attempt = sender.send(said or delivery())
    check_outcome(attempt)
    assert not any(secret in repr((attempt, sender)) for secret in rig.secrets)
    return attempt


def check_outcome(attempt: Attempt) -> None:
    assert attempt.detail.isprintable()
    assert len(attempt.detail) < 400
    assert attempt.detail.endswith((".", "?")) or (attempt.detail == "" and attempt.verdict is SENT)
    assert attempt.ref is None or attempt.verdict is SENT


# What arrives


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("follows", [False, True])
def test_a_message_for_every_reason_arrives_once(rig: Rig, reason: Reason, follows: bool) -> None:
    first = say(rig) if follows else Attempt(SENT)
    edited = rig.edits and reason is Reason.UPDATED
    attempt = say(rig, delivery(message(notice(reason)), ref=first.ref, id="ntf_2"))
    assert (attempt.verdict, attempt.retry_after) == (SENT, None)
    assert attempt.detail == ("There is no first message to correct." if edited and not follows else "")
    assert attempt.ref == first.ref or not follows
    assert len(rig.arrived()) == follows + (not edited)
    for each in rig.arrived():
        rig.check(each)


def test_a_test_arrives_as_every_message_does(rig: Rig) -> None:
    assert say(rig, delivery(message(test=True))).verdict is SENT
    assert len(rig.arrived()) == 1


def test_a_channel_goes_on_after_a_failure_and_after_it_was_closed(rig: Rig) -> None:
    rig.sender.about_repeats(say(rig))
    if rig.name in HTTP:
        rig.fake.script.append(Answer(503))
        assert say(rig).verdict is SERVER
    assert say(rig).verdict is SENT
    if rig.name in NETWORK:
        another = SENDERS[rig.name](Place(rig.fake.port))
        another.close()
        another.close()
    rig.clear()
    assert say(rig).verdict is SENT
    assert len(rig.arrived()) == 1


def test_every_attempt_has_the_same_id(rig: Rig) -> None:
    begun = say(rig, delivery(id="ntf_0"))
    rig.clear()
    for attempt in (1, 2, 3):
        said = delivery(message(notice(Reason.RESOLVED)), ref=begun.ref, attempt=attempt)
        say(rig, replace(said, sent_at=said.sent_at + timedelta(minutes=attempt)))
    say(rig, delivery(id="ntf_another", ref=begun.ref))
    first, second, third, another = map(rig.id_of, rig.arrived())
    assert first == second == third
    assert first != another or not rig.known


def test_what_may_be_a_repeat_has_the_same_id_or_is_not_sent_at_all(rig: Rig) -> None:
    first = say(rig)
    again = say(rig, delivery(attempt=2, unsure=True))
    assert (again.verdict, again.ref) == (SENT, first.ref)
    assert len(rig.arrived()) == (1 if rig.edits else 2)
    assert len(set(map(rig.id_of, rig.arrived()))) == 1
    for each in rig.arrived():
        rig.check(each)


def test_a_repeat_that_cannot_be_looked_up_has_the_same_id(rig: Rig) -> None:
    rig.forget_repeats()
    say(rig)
    assert say(rig, delivery(attempt=2, unsure=True)).verdict is SENT
    first, again = rig.arrived()
    assert rig.id_of(first) == rig.id_of(again)
    rig.check(again)


WIDE = message(*(member_day(f"member{n}" + "é" * 200, 30_000 + n) for n in range(20)))
LARGE = {"symbols": hostile("\U0001f534" * 9_000), "wide letters": hostile("é" * 9_000), "many": WIDE}


@only(*TEXTUAL)
@pytest.mark.parametrize("large", LARGE)
@pytest.mark.parametrize("reason", [Reason.FIRED, Reason.REMINDER, Reason.RETRACTED, Reason.CLOSED])
def test_the_least_that_there_is_to_say_is_small_and_has_the_same_id(rig: Rig, large: str, reason: Reason) -> None:
    rig.forget_repeats()
    news = tuple(replace(each, reason=reason, incident_id="inc_1") for each in LARGE[large].news)
    said = replace(LARGE[large], news=news[:1] if rig.name in MACHINES else news)
    assert say(rig, delivery(said)).verdict is SENT
    assert say(rig, delivery(said, attempt=2, minimal=True, unsure=True)).verdict is SENT
    whole, least = rig.arrived()
    assert rig.id_of(whole) == rig.id_of(least)
    assert rig.size_of(least) < 4_000
    rig.check(least)


# Answers over HTTP

CLASSES = {
    SENT: "201 202 203 204 205 206 207 208 214 226 299",
    THROTTLED: "429",
    SERVER: "408 425"
    " 500 501 502 503 504 505 506 507 508 509 510 511 520 521 522 523 524 525 526 527 529 530 561 598 599",
    REJECTED: "400 402 405 406 407 409 411 412 413 414 415 416 417 418 419 420 421 422 423 424 426 428 430 431 440 444"
    " 449 450 451 460 463 464 494 495 496 497 498 499",
    CONFIGURATION: "300 301 302 303 304 305 306 307 308 399 401 403 404 410",
}
CODES = {int(code): verdict for verdict, codes in CLASSES.items() for code in codes.split()}


@only(*HTTP)
@pytest.mark.parametrize("status", CODES)
def test_every_status_has_its_class(rig: Rig, status: int) -> None:
    rig.fake.script.append(Answer(status, b"" if status in (204, 304) else "<html>inside"))
    attempt = say(rig)
    assert attempt.verdict is CODES[status]
    assert str(status) in attempt.detail or attempt.verdict in (SENT, THROTTLED)
    assert "inside" not in attempt.detail
    assert len(rig.fake.requests) == 1


def test_all_statuses_that_there_are_were_asked_for() -> None:
    assert len(CODES) >= 59
    assert {status for status in HTTPStatus if status > 200} <= CODES.keys()


def ok(yes: str, *, head: bytes = b"") -> bytes:
    """A whole answer that says yes."""
    return b"HTTP/1.1 200 OK\r\n" + head + b"Content-Length: %d\r\n\r\n" % len(yes) + yes.encode()


def cut(yes: str, *, reset: bool) -> Step:
    """One that breaks off behind it."""
    return Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + yes.encode(), reset)


LINE = b"HTTP/1.1 200 OK\r\n"
CHUNKED = LINE + b"Transfer-Encoding: chunked\r\n\r\n"
NO_ANSWER = dict.fromkeys(HTTP, AMBIGUOUS)
"""All was written, and nobody knows what became of it."""
HALF_AN_ANSWER = {**NO_ANSWER, **dict.fromkeys(MACHINES, SENT)}
"""A machine's status says all; Slack's says nothing without the body."""
NOT_SLACKS = {**dict.fromkeys(HTTP, SERVER), **dict.fromkeys(MACHINES, SENT)}
"""A page of somebody's in between."""

WIRE: dict[str, tuple[Step | Callable[[str], Step], Mapping[str, Verdict]]] = {
    "silence": (Hang(), NO_ANSWER),
    "a head that drips": (lambda yes: Drip(LINE + b"X: ", b"x", b"\r\n" + ok(yes)[17:]), NO_ANSWER),
    "headers that drip": (lambda yes: Drip(LINE, b"X: 1\r\n", ok(yes)[17:]), NO_ANSWER),
    "promises that drip": (lambda yes: Drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n", ok(yes)), NO_ANSWER),
    "a body that drips": (
        lambda yes: Drip(LINE + b"Content-Length: %d\r\n\r\n" % (len(yes) + 100), b" ", yes.encode()),
        HALF_AN_ANSWER,
    ),
    "a body without end": (Flood(), {**dict.fromkeys(MACHINES, SENT), "slack webhook": SERVER, "slack app": AMBIGUOUS}),
    "a reset once it was read": (Reset(), NO_ANSWER),
    "no word": (Raw(), NO_ANSWER),
    "nothing after the status line": (Raw(LINE), NO_ANSWER),
    "a reset after the status line": (Raw(LINE, reset=True), NO_ANSWER),
    "nothing after the head": (Raw(LINE + b"Content-Length: 99\r\n\r\n"), HALF_AN_ANSWER),
    "a reset after the head": (Raw(LINE + b"Content-Length: 99\r\n\r\n", reset=True), HALF_AN_ANSWER),
    "a body that is cut": (lambda yes: cut(yes, reset=False), HALF_AN_ANSWER),
    "a reset in the body": (lambda yes: cut(yes, reset=True), HALF_AN_ANSWER),
    "a chunk that is cut": (lambda yes: Raw(CHUNKED + b"63\r\n" + yes.encode()), HALF_AN_ANSWER),
    "a last chunk that is missing": (
        lambda yes: Raw(CHUNKED + b"%x\r\n" % len(yes) + yes.encode() + b"\r\n"),
        HALF_AN_ANSWER,
    ),
    "a chunk of no size": (lambda yes: Raw(CHUNKED + b"zz\r\n" + yes.encode()), HALF_AN_ANSWER),
    "a fault that is cut": (Raw(b"HTTP/1.1 503 No\r\nContent-Length: 99\r\n\r\nno"), dict.fromkeys(HTTP, SERVER)),
    "a refusal that is cut": (
        Raw(b"HTTP/1.1 401 No\r\nContent-Length: 99\r\n\r\nno", reset=True),
        dict.fromkeys(HTTP, CONFIGURATION),
    ),
    "a page": (Answer(200, "<html>inside"), NOT_SLACKS),
    "an empty page": (Answer(200), NOT_SLACKS),
    "an enormous page": (Answer(200, b"x" * (17 << 20)), NOT_SLACKS),
    "a bomb": (Answer(200, gzip.compress(b"x" * 20_000_000), {"Content-Encoding": "gzip"}), NOT_SLACKS),
    "an endless header": (Raw(LINE + b"X: " + b"x" * 200_000 + b"\r\n\r\n"), NO_ANSWER),
    "mail": (Raw(b"220 mail.example.com ready\r\n"), NO_ANSWER),
    "noise": (Raw(b"\x00\xff\x1b[31m\r\n\r\n"), NO_ANSWER),
    "an impossible status": (Raw(b"HTTP/1.1 099 No\r\n\r\n"), NO_ANSWER),
    "an unheard-of status": (Answer(999), dict.fromkeys(HTTP, SERVER)),
    "a promise alone": (Raw(b"HTTP/1.1 100 Continue\r\n\r\n"), NO_ANSWER),
    "a hint alone": (Raw(b"HTTP/1.1 103 Early Hints\r\n\r\n"), NO_ANSWER),
    "another protocol": (
        Raw(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        {
            **dict.fromkeys(HTTP, CONFIGURATION),
            **dict.fromkeys(MACHINES, AMBIGUOUS),
        },  # to httpx it is no HTTP
    ),
    "a promise before the answer": (
        lambda yes: Raw(b"HTTP/1.1 100 Continue\r\n\r\n" + ok(yes)),
        dict.fromkeys(HTTP, SENT),
    ),
    "hints before the answer": (
        lambda yes: Raw(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + ok(yes)),
        dict.fromkeys(HTTP, SENT),
    ),
}


@only(*HTTP)
@pytest.mark.parametrize("case", WIRE)
def test_whatever_happens_to_an_answer_has_its_class(rig: Rig, case: str) -> None:
    step, classes = WIRE[case]
    rig.fake.script.append(step if not callable(step) else step(rig.yes))
    attempt = say(rig, hasty=isinstance(rig.fake.script[0], Hang | Drip | Flood))
    assert attempt.verdict is classes[rig.name]
    assert len(rig.fake.requests) == 1, "no library repeats it by itself"
    assert say(rig).verdict is SENT


@only(*HTTP)
def test_a_reset_before_it_was_read_is_never_final(rig: Rig) -> None:
    rig.fake.script.append(EarlyReset())
    assert say(rig).verdict in (NOT_SENT, AMBIGUOUS)  # whichever was first: our last byte, or the reset
    assert rig.fake.requests == []


@only("webhook")
def test_a_reset_in_the_middle_of_the_message_is_known_not_to_have_arrived(rig: Rig) -> None:
    large = hostile("x" * 4_000_000)
    rig.fake.script.append(EarlyReset())
    assert say(rig, delivery(large)).verdict is NOT_SENT
    assert say(rig, delivery(large)).verdict is SENT


NOT_OK: dict[str, list[Step]] = {
    "slack app": [
        refusal("fatal_error"),
        refusal("a_code_of_tomorrow"),
        *(
            Answer(200, body)
            for body in ('{"ok": "true"}', '{"ok": 1}', "[]", "null", "true", "NaN", '"ok"', "ok", '{"ok": tr')
        ),
    ],
    "slack webhook": [Answer(200, body) for body in ("no_service", "OK", "okay", '"ok"', '{"ok": true}', "ok <html>")],
}


@only(*NOT_OK)
def test_a_200_that_is_not_ok_is_a_failure(rig: Rig) -> None:
    for step in NOT_OK[rig.name]:
        rig.clear()
        rig.fake.script.append(step)
        assert say(rig).verdict is not SENT, step
        assert len(rig.fake.requests) == 1


@only(*HTTP)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(rig: Rig, status: int) -> None:
    with ScriptedHttp() as elsewhere:
        for target in (elsewhere.url("/x"), rig.fake.url("/x"), "//evil.example/x", "file:///etc/passwd"):
            rig.clear()
            rig.fake.script.append(Answer(status, headers={"Location": target, "Refresh": f"0; url={target}"}))
            assert say(rig).verdict is CONFIGURATION
            assert len(rig.fake.requests) == 1
    assert elsewhere.requests == []


IN_30_S, AN_HOUR_AGO = "Sun, 22 Nov 2026 14:10:33 GMT", "Sun, 22 Nov 2026 13:10:03 GMT"
WAITS: dict[str, float | None] = {
    "7": 7,
    "1.5": 1.5,
    " 2 ": 2,
    "0": 0,
    "999999999": 999_999_999,
    IN_30_S: 30,
    AN_HOUR_AGO: 0,
    "Sun, 22 Nov 2026 15:10:33 +0100": 30,
    "Sunday, 22-Nov-26 14:10:33 GMT": 30,
    **dict.fromkeys(["-1", "1e3", "nan", "inf", "0x10", "1_000", "3, 5", "\xb2", "soon", "", "9" * 40, "99 Nov"], None),
}


@only(*HTTP)
@pytest.mark.parametrize("header", WAITS)
def test_whoever_asks_for_patience_gets_it_in_any_form(rig: Rig, header: str) -> None:
    for status, verdict in ((429, THROTTLED), (503, SERVER), (400, REJECTED), (404, CONFIGURATION)):
        rig.fake.script.append(Answer(status, "<html>", {"Retry-After": header}))
        attempt = say(rig)
        wait = WAITS[header] if verdict in (THROTTLED, SERVER) else None
        assert (attempt.verdict, attempt.retry_after) == (verdict, None if wait is None else timedelta(seconds=wait))


# Answers over SMTP

STEPS = ["GREETING", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "354", "DATA"]
PASSING = "421 430 432 450 451 452 454 455 458 459 471 499"
FINAL = (
    "500 501 502 503 504 510 511 512 515 521 523 525 530 531 533 534 535 538 541 550 551 553 554 555 556 557 571 599"
)
REPLIES = {
    **{(step, code): SERVER for step in STEPS for code in PASSING.split()},
    **{(step, code): CONFIGURATION for step in STEPS[:-1] for code in FINAL.split()},
    **{("DATA", code): REJECTED for code in FINAL.split()},
    **{(step, "552"): REJECTED for step in STEPS[-4:]},
}


@only("email starttls")
@pytest.mark.parametrize(("step", "code"), REPLIES)
def test_every_code_has_its_class_at_every_step(rig: Rig, step: str, code: str) -> None:
    rig.fake.replies[step] = f"{code} as it is"
    attempt = say(rig)
    assert attempt.verdict is REPLIES[step, code]
    assert code in attempt.detail or (step, code) == ("AUTH", "503")  # which means: you did so already
    assert rig.arrived() == []


ODD = {
    **{("GREETING", said): SERVER for said in ("250 hi", "HTTP/1.1 400 Bad Request", "\x1b[31m", "")},
    **{("MAIL", said): SERVER for said in ("354 go on", "100 wait", "999 no", "nonsense")},
    **{("RCPT", said): SERVER for said in ("354 go on", "nonsense")},
    **{("354", said): SERVER for said in ("250 OK", "nonsense")},
    **{("DATA", said): AMBIGUOUS for said in ("354 go on", "100 wait", "999 no", "nonsense", "")},
}


@only("email starttls")
@pytest.mark.parametrize(("step", "said"), ODD)
def test_a_reply_that_is_none_leaves_open_only_what_was_written(rig: Rig, step: str, said: str) -> None:
    rig.fake.replies[step] = said or " "
    assert say(rig).verdict is ODD[step, said]


RECIPIENTS = {
    "one is unknown": ({BEN: "550 who?"}, SENT),
    "one is for later": ({BEN: "450 full"}, SENT),
    "one is elsewhere": ({BEN: "251 will forward"}, SENT),
    "both are unknown": ({ANA: "550 who?", BEN: "551 no"}, CONFIGURATION),
    "both are for later": ({ANA: "450 full", BEN: "452 full"}, SERVER),
    "one is unknown, one for later": ({ANA: "550 who?", BEN: "452 full"}, SERVER),
    "one is unknown, one has no room for so much": ({ANA: "550 who?", BEN: "552 large"}, REJECTED),
}


@only(*MAIL)
@pytest.mark.parametrize("case", RECIPIENTS)
def test_mail_that_reaches_somebody_is_sent_and_says_who_refused(rig: Rig, case: str) -> None:
    replies, verdict = RECIPIENTS[case]
    rig.fake.replies.update(replies)
    attempt = say(rig)
    assert attempt.verdict is verdict
    assert len(rig.arrived()) == (verdict is SENT)
    refused = [reply[:3] for reply in replies.values() if reply[:3] != "251"]
    assert all(code in attempt.detail for code in refused)
    assert bool(attempt.detail) is bool(refused)


BREAKS = {
    "reset": ABORT,
    "end": HANG_UP,
    "half a code": Cut("25"),
    "half a line": Cut("250 O"),
    "half": Cut("250-OK\r\n"),
}
SLOW = {"silence": HANG, "bytes that drip": DRIP, "lines that drip": LINES, "lines without end": FLOOD}


@only("email starttls")
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("fault", BREAKS)
def test_a_session_that_breaks_off_is_open_only_once_the_mail_is_out(rig: Rig, step: str, fault: str) -> None:
    rig.fake.replies[step] = BREAKS[fault]
    assert say(rig).verdict is (AMBIGUOUS if step == "DATA" else NOT_SENT)
    assert step == "DATA" or rig.arrived() == []
    rig.fake.replies.clear()
    assert say(rig).verdict is SENT


@only("email starttls")
@pytest.mark.parametrize("step", ["GREETING", "STARTTLS", "RCPT", "DATA"])
@pytest.mark.parametrize("fault", SLOW)
def test_a_session_that_does_not_end_is_ended(rig: Rig, step: str, fault: str) -> None:
    rig.fake.replies[step] = SLOW[fault]
    assert say(rig, hasty=True).verdict is (AMBIGUOUS if step == "DATA" else NOT_SENT)
    rig.fake.replies.clear()
    assert say(rig).verdict is SENT


@only(*MAIL)
@pytest.mark.parametrize("fault", [ABORT, HANG_UP, HANG, DRIP, Cut("22"), "421 bye", "500 what?"])
def test_a_farewell_that_fails_takes_nothing_back(rig: Rig, fault: str) -> None:
    rig.fake.replies["QUIT"] = fault
    assert say(rig, hasty=fault in (HANG, DRIP)).verdict is SENT


def test_a_session_ends_in_time_however_many_recipients_are_dripped_to() -> None:
    crowd = tuple(f"member{n}@example.com" for n in range(50))
    with SmtpServer(replies={"RCPT": "250 OK"}) as fake:
        server = Server(HERE, fake.port, "none", None, None)
        assert SmtpSender(server, Mailbox("u@example.com", crowd)).send(delivery()).verdict is SENT
        fake.replies["RCPT"] = LINES  # two seconds for each, and never silent
        attempt = SmtpSender(server, Mailbox("u@example.com", crowd), session=SESSION).send(delivery())
    assert [mail.recipients for mail in fake.mails] == [crowd]
    assert attempt == Attempt(NOT_SENT, "The mail server did not get the mail: it did not answer in time.")


# Nobody there, or somebody else


@pytest.mark.parametrize("name", NETWORK)
def test_nobody_there_is_not_sent(name: str) -> None:
    with socket.create_server((HERE, 0)) as gone:
        port = gone.getsockname()[1]
    assert outcome(name, Place(port)) == (NOT_SENT, "the connection was refused.")


@pytest.mark.parametrize("name", NETWORK)
def test_a_name_that_is_none_is_not_sent(name: str) -> None:
    assert outcome(name, Place(9, host="nobody.invalid")) == (NOT_SENT, "its name could not be resolved.")


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("name", NETWORK)
def test_somebody_who_takes_the_connection_and_says_nothing(name: str, tls: bool) -> None:
    with socket.create_server((HERE, 0)) as silent:
        verdict, why = outcome(name, Place(silent.getsockname()[1], timeout=HASTY, tls=tls))
    assert verdict is (AMBIGUOUS if name in HTTP and not tls else NOT_SENT)
    assert why == "it did not answer in time."


def test_a_stream_that_is_closed_is_not_sent() -> None:
    stream = io.StringIO()
    stream.close()
    attempt = LogSender(stream).send(delivery())
    check_outcome(attempt)
    assert attempt.verdict is NOT_SENT


def outcome(name: str, place: Place) -> tuple[Verdict, str]:
    """Of one message to a place: its class, and the end of its sentence."""
    sender = SENDERS[name](place)
    attempt = sender.send(delivery())
    sender.close()
    check_outcome(attempt)
    return attempt.verdict, attempt.detail.rpartition(": ")[2]


# TLS

ENCRYPTED = [*HTTP, "email starttls", "email tls"]
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
CERTIFICATES: dict[str, Callable[[], trustme.LeafCert]] = {
    "of somebody unknown": lambda: trustme.CA().issue_cert(HERE),
    "of another name": lambda: ca().issue_cert("other.example.com"),
    "expired": lambda: ca().issue_cert(HERE, not_before=LONG_AGO, not_after=LONG_AGO + timedelta(days=90)),
}


@pytest.fixture(scope="module")
def trusted() -> Iterator[None]:
    with ca().cert_pem.tempfile() as path, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", path)
        yield


@contextmanager
def encrypted(name: str, cert: trustme.LeafCert) -> Iterator[Any]:
    """The other side of a kind behind a certificate."""
    if name in HTTP:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        cert.configure_cert(context)
        with WebhookReceiver() if name in MACHINES else SlackApi() as http:
            http.encrypt(context)
            yield http
    else:
        with SmtpServer(name.rpartition(" ")[2], cert=cert, login=True) as smtp:
            yield smtp


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("name", ENCRYPTED)
def test_a_certificate_that_is_trusted_is_taken(name: str) -> None:
    with encrypted(name, ca().issue_cert(HERE)) as fake:
        assert outcome(name, Place(fake.port, tls=True))[0] is SENT


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("which", CERTIFICATES)
@pytest.mark.parametrize("name", ENCRYPTED)
def test_a_certificate_that_is_not_gets_nothing(name: str, which: str) -> None:
    with encrypted(name, CERTIFICATES[which]()) as fake:
        verdict, why = outcome(name, Place(fake.port, tls=True))
    assert (verdict, why[:46]) == (NOT_SENT, "its TLS certificate could not be verified (check"[:46])
    got = fake.requests if name in HTTP else [*fake.mails, *fake.logins]
    assert got == []


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("name", ENCRYPTED)
def test_a_port_that_speaks_no_tls_is_not_sent(name: str) -> None:
    starttls = ("220 hi", "250-hi\r\n250 STARTTLS", "220 go\r\n250 plain words")
    with ScriptedSmtp(*(starttls if name == "email starttls" else ("220 plain words",))) as plain:
        verdict, why = outcome(name, Place(plain.port, tls=True))
    assert verdict is NOT_SENT
    # whichever was first: its words, or that it hung up on ours
    assert why in (
        "no TLS connection came about (check the port and whether it speaks TLS).",
        "the connection was lost.",
    )


# Texts from outside

NASTY = (
    "<!channel> <@U1> <https://evil.example|x> @here &lt;!here&gt; *b* `c` :boom: </td><script>x</script><!-- ]]>"
    ' "><img src=x onerror=y> =?utf-8?q?hi=0D=0AX-Evil=3A_1?= \r\nX-Evil: 1\r\n.\r\nQUIT\r\n\x1b[31m\x1b]8;;x\x07\x9b2J'
    " \u202e\u2066\u2028\x85\0\ud800 %s {0} --=_ntf_5e6f7a8b9c0d--"
)
TEXTS = {"nasty": NASTY, "long": "é&" * 2_500, "empty": "", "lines": "a\r\n.\r\nb", "half a letter": "\ud800"}
OURS = (".id", ".zone", ".conversation.ref")
"""Nobody outside has a say in these; and of the last, only whether it is known."""


def variants(part: Any, text: str) -> Iterator[tuple[str, Any]]:
    """Each way to put the text in place of one text of a message, and where that is."""
    if isinstance(part, str) and not isinstance(part, Enum):
        yield "", text
    elif is_dataclass(part) and not isinstance(part, type):
        for each in fields(part):
            for path, varied in variants(getattr(part, each.name), text):
                yield f".{each.name}{path}", replace(part, **{each.name: varied})
    elif isinstance(part, tuple):
        for index, each in enumerate(part):
            for path, varied in variants(each, text):
                yield f"[{index}]{path}", (*part[:index], varied, *part[index + 1 :])
    elif isinstance(part, Mapping):
        for name, value in part.items():
            yield f"[{name}]", {**part, name: text}
            yield f"[{name}]'s name", {text: value}


FULL = message(notice(Reason.CLOSED, labels={"Model": "opus"}, part="forecast", looks_over=True))
FULL = replace(
    FULL, page=PAGE, news=(replace(FULL.news[0], evidence=replace(FULL.news[0].evidence, after="All is well again.")),)
)


def test_every_field_of_a_message_is_tried() -> None:
    paths = [path for path, _ in variants(delivery(FULL), "x")]
    for wanted in (
        "title",
        "runbook",
        "labels",
        "note",
        "subject",
        "dataset",
        "unit",
        "summary",
        "facts",
        "after",
        "page",
    ):
        assert any(wanted in path for path in paths), wanted
    assert {"axis", "category", "part"} <= {path.rpartition(".")[2] for path in paths}
    assert len(paths) > 35


@only(*TEXTUAL)
@pytest.mark.parametrize("text", ["nasty", "long", "empty"])
def test_a_text_in_any_one_field_stands_in_nobodys_way(rig: Rig, text: str) -> None:
    for path, said in variants(delivery(FULL), TEXTS[text]):
        if not path.endswith(OURS) or path.endswith(".rule.id"):
            rig.clear()
            assert say(rig, said).verdict is SENT, path
            [arrived] = rig.arrived()
            rig.check(arrived)


@only(*TEXTUAL)
@pytest.mark.parametrize("text", TEXTS)
def test_a_text_in_all_fields_at_once_stands_in_nobodys_way(rig: Rig, text: str) -> None:
    said = [hostile(TEXTS[text], reason) for reason in Reason]
    meta = [hostile(TEXTS[text], reason, "meta") for reason in (Reason.FIRED, Reason.RESOLVED)]
    for each in (*said, *meta, hostile_pair(TEXTS[text])):
        for minimal in (False, True):
            rig.clear()
            assert say(rig, delivery(each, minimal=minimal, unsure=minimal)).verdict is SENT
            for arrived in rig.arrived():
                rig.check(arrived)


@pytest.mark.parametrize("zone", ["America/Argentina/ComodRivadavia", "Etc/GMT+12", "Asia/Kathmandu"])
def test_a_message_arrives_in_every_zone(rig: Rig, zone: str) -> None:
    assert say(rig, delivery(message(zone=zone))).verdict is SENT


@pytest.mark.parametrize("ref", [NASTY, "", "C0USAGE/1700000000.000001", "<x@example.com>", "C0/1.2/3"])
def test_a_handle_of_whomever_stands_in_nobodys_way(rig: Rig, ref: str) -> None:
    assert say(rig, delivery(message(notice(Reason.RESOLVED)), ref=ref)).verdict is SENT
    rig.check(rig.arrived()[-1])


# Secrets


@only("slack app", "slack webhook")  # the secret of a webhook never leaves
@pytest.mark.parametrize("status", [200, 301, 400, 401, 429, 503])
def test_a_secret_that_is_said_back_is_not_repeated(rig: Rig, status: int) -> None:
    for body in (" ".join(rig.secrets), json.dumps({"ok": False, "error": rig.secrets[0]})):
        rig.fake.script.append(Answer(status, body, {"X-Echo": rig.secrets[0], "Retry-After": rig.secrets[0]}))
        say(rig)


@only(*MAIL)
@pytest.mark.parametrize("step", STEPS)
def test_a_password_that_is_said_back_is_not_repeated(rig: Rig, step: str) -> None:
    for secret in rig.secrets:
        rig.fake.replies[step] = f"550 what is {secret}?"
        say(rig)


ENVIRON = {"TOKEN": TOKEN, "PASSWORD": PASSWORD, "SIGNING": "a signing secret"}


def test_channels_as_they_are_written_show_no_secret(logged: io.StringIO) -> None:
    with SlackApi() as slack, WebhookReceiver() as receiver, SmtpServer(login=True) as smtp:
        environ = {**ENVIRON, "HOOK": slack.hook_url}
        people = {"sender": "u@example.com", "recipients": [ANA]}
        written: list[dict[str, Any]] = [
            {"kind": "slack", "token": {"env": "TOKEN"}, "channel": "#usage", "base_url": slack.base_url},
            {"kind": "slack", "webhook_url": {"env": "HOOK"}},
            {"kind": "webhook", "url": receiver.url("/x"), "signing_secret": {"env": "SIGNING"}},
            {"kind": "alertmanager", "url": receiver.url(), "authorization": {"env": "TOKEN"}},
            {"kind": "email", "host": HERE, "port": smtp.port, "security": "none", **people}
            | {"username": USER, "password": {"env": "PASSWORD"}},
            {"kind": "log"},
        ]
        for each in written:
            settings = ANY.validate_python(each)
            sender = settings.connect(environ)
            attempt = sender.send(delivery())
            said = sender.about_repeats(attempt)
            sender.close()
            assert attempt.verdict is SENT
            assert said == "" or said.endswith(".")
            shown = repr((settings, sender, attempt, said, settings.model_dump_json(), vars(settings)))
            assert not any(secret in shown for secret in (*ENVIRON.values(), HOOK))
    assert not any(secret in logged.getvalue() for secret in (*ENVIRON.values(), HOOK))


# Settings

WRITTEN: dict[type[ChannelSettings], dict[str, Any]] = {
    SlackSettings: {"kind": "slack", "token": {"env": "T"}, "channel": "#usage"},
    EmailSettings: {
        "kind": "email",
        "host": "smtp.example.com",
        "sender": "u@example.com",
        "recipients": ["a@example.com"],
    },
    WebhookSettings: {"kind": "webhook", "url": "https://hooks.example.com/x"},
    AlertmanagerSettings: {"kind": "alertmanager", "url": ["https://a.example.com", "http://10.0.0.5:9093"]},
    LogSettings: {"kind": "log"},
}
ANY: TypeAdapter[ChannelSettings] = TypeAdapter(AnyChannel)


@pytest.mark.parametrize(("kind", "written"), WRITTEN.items())
def test_the_kind_decides_what_it_is(kind: type[ChannelSettings], written: dict[str, Any]) -> None:
    assert type(ANY.validate_python(written)) is kind


@pytest.mark.parametrize("written", WRITTEN.values(), ids=lambda written: written["kind"])
def test_an_unknown_field_is_refused(written: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        ANY.validate_python({**written, "colour": "red"})
    assert [loc[-1] for loc, _ in complaints(refused.value)] == ["colour"]


@pytest.mark.parametrize("kind", ["prometheus", "pigeon", None])
def test_an_unknown_kind_is_refused(kind: object) -> None:
    with pytest.raises(ValidationError, match="kind"):
        ANY.validate_python({"kind": kind})


@pytest.mark.parametrize("kind", WRITTEN, ids=lambda kind: kind.__name__)
def test_editors_are_told_what_each_field_means(kind: type[ChannelSettings]) -> None:
    properties = kind.model_json_schema()["properties"]
    assert [name for name, field in properties.items() if not field.get("description")] == []


def test_only_machines_get_one_message_per_incident() -> None:
    assert {kind.__name__: kind.people for kind in WRITTEN} == {
        "SlackSettings": True,
        "EmailSettings": True,
        "WebhookSettings": False,
        "AlertmanagerSettings": False,
        "LogSettings": True,
    }


def test_only_an_app_of_slacks_corrects_in_place() -> None:
    hook = ANY.validate_python({"kind": "slack", "webhook_url": {"env": "W"}})
    assert [kind.__name__ for kind, written in WRITTEN.items() if ANY.validate_python(written).edits] == [
        "SlackSettings"
    ]
    assert not hook.edits


def test_knowing_the_kinds_costs_none_of_their_libraries() -> None:
    heavy = ["slack_sdk", "httpx", "smtplib", "http.client", "urllib.request"]
    program = f"import json, sys, usage_watch.channels; print(json.dumps([m for m in {heavy} if m in sys.modules]))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == []
