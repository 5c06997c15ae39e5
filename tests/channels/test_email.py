from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import TypeAdapter, ValidationError

from tests.channels.samples import EVIDENCE, delivery, hostile, member_day, message, notice
from tests.fakes.smtp_server import ABORT, HANG, PASSWORD, USER, ScriptedSmtp, SmtpServer
from usage_watch.channels import AnyChannel, EmailSettings
from usage_watch.channels.base import Attempt, Verdict
from usage_watch.channels.email.mail import ForgedHeaderError, Mailbox, header_text, mail, read_back
from usage_watch.channels.email.smtp import Server, SmtpSender, tls_context
from usage_watch.core.message import Conversation, Delivery, Fact, Reason
from usage_watch.core.wording import news
from usage_watch.errors import SecretError, UsageError
from usage_watch.secret import complaints

ANA, BEN, CLEO = "ana@example.com", "ben@example.com", "cleo@example.com"
MAILBOX = Mailbox("usage-watch@example.com", (ANA, BEN))


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def cafile(ca: trustme.CA) -> Iterator[str]:
    with ca.cert_pem.tempfile() as path:
        yield path


@pytest.fixture(scope="module")
def cert(ca: trustme.CA) -> trustme.LeafCert:
    return ca.issue_cert("127.0.0.1")


def sender(port: int, security: str = "none", timeout: float = 5.0, **changes: Any) -> SmtpSender:
    server = Server("127.0.0.1", port, security, changes.get("context"), changes.get("login"))
    return SmtpSender(server, changes.get("mailbox", MAILBOX), timeout=timeout)


def sent(server: SmtpServer | ScriptedSmtp, one: Delivery | None = None, **changes: Any) -> Attempt:
    return sender(server.port, **changes).send(one or delivery())


def settings(**written: object) -> EmailSettings:
    plainest = {"kind": "email", "host": "127.0.0.1", "sender": "usage-watch@example.com", "recipients": [ANA]}
    channel: object = TypeAdapter(AnyChannel).validate_python({**plainest, **written})
    assert isinstance(channel, EmailSettings)
    return channel


# What is sent


def test_a_mail_reaches_everybody() -> None:
    with SmtpServer() as server:
        attempt = sent(server)
    assert attempt == Attempt(Verdict.SENT, ref="<cnv_0a1b2c3d4e5f@example.com>")
    [one] = server.mails
    assert (one.sender, one.recipients) == ("usage-watch@example.com", (ANA, BEN))


def test_the_headers_of_a_first_mail() -> None:
    with SmtpServer() as server:
        sent(server)
    assert list(server.mails[0].read.items()) == [
        ("From", "usage-watch <usage-watch@example.com>"),
        ("To", "ana@example.com, ben@example.com"),
        ("Subject", "usage-watch: hourly-credits, 22 Nov 13:00"),
        ("Date", "Sun, 22 Nov 2026 14:10:03 +0000"),
        ("Message-ID", "<cnv_0a1b2c3d4e5f@example.com>"),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("List-Id", "<usage-watch.example.com>"),
        ("MIME-Version", "1.0"),
        ("Content-Type", 'multipart/alternative; boundary="=_ntf_5e6f7a8b9c0d"'),
    ]


def test_a_follow_up_hangs_on_the_first_mail_without_knowing_more_than_the_conversation() -> None:
    with SmtpServer() as server:
        ref = sent(server).ref
        again = sent(server, delivery(message(notice(Reason.RESOLVED)), ref=ref))
    first, follow_up = (each.read for each in server.mails)
    assert again.ref == ref
    assert follow_up["Message-ID"] == "<ntf_5e6f7a8b9c0d@example.com>"
    assert follow_up["In-Reply-To"] == follow_up["References"] == first["Message-ID"] == ref
    assert follow_up["Subject"] == f"Re: {first['Subject']}"


def test_another_attempt_has_the_same_id() -> None:
    first, again = (mail(delivery(attempt=n), MAILBOX)[0] for n in (1, 2))
    assert first == again


STATUS = {
    "resolved": (message(notice(Reason.RESOLVED)), "RESOLVED"),
    "closed": (message(notice(Reason.CLOSED)), "CLOSED"),
    "fired": (message(), "🔴 12,345 credits"),
    "some ended": (message(member_day(ANA, 21_400), member_day(BEN, 2_900, Reason.RESOLVED)), "🔴 2 alerts of"),
}


@pytest.mark.parametrize(("said", "top"), STATUS.values(), ids=STATUS.keys())
def test_an_end_is_said_at_the_top_for_the_subject_stays(said: Any, top: str) -> None:
    read = message_from_bytes(mail(delivery(said), MAILBOX)[0])
    text, page = (part.get_payload(decode=True) for part in read.walk() if not part.is_multipart())
    assert isinstance(text, bytes)
    assert isinstance(page, bytes)
    assert text.decode().startswith(top)
    assert (f">{top}</div>" in page.decode()) is top.isupper()


def test_lines_that_begin_with_dots_arrive_as_they_were() -> None:
    dots = replace(EVIDENCE, facts=(Fact(".", "one"), Fact("..", "two")), contributors=())
    with SmtpServer() as server:
        sent(server, delivery(message(notice(evidence=dots))))
    text = server.mails[0].read.get_body(("plain",))
    assert text is not None
    assert {".         one", "..        two"} <= set(text.get_content().splitlines())


# The least


def test_the_least_is_a_plain_mail_of_a_line_and_a_way_to_go_on() -> None:
    conversation = Conversation("cnv_0a1b2c3d4e5f", "usage-watch: " + "é" * 300, None)
    with SmtpServer() as server:
        assert sent(server, delivery(minimal=True, conversation=conversation)).verdict is Verdict.SENT
    [one] = server.mails
    assert one.read.get_content_type() == "text/plain"
    assert one.read.get_content().splitlines() == [
        news(message()).line,
        "",
        "Look closer: usage-watch alerts show inc_4f2a9c81d07be6a35c11",
    ]
    assert len(one.read["Subject"]) == 80
    assert one.read["Message-ID"] == "<cnv_0a1b2c3d4e5f@example.com>"


def test_the_least_stays_in_its_thread() -> None:
    raw, message_id = mail(delivery(message(notice(Reason.RESOLVED)), ref="<x>", minimal=True), MAILBOX)
    read = message_from_bytes(raw)
    assert read["Message-ID"] == message_id == "<ntf_5e6f7a8b9c0d@example.com>"
    assert read["In-Reply-To"] == read["References"] == "<cnv_0a1b2c3d4e5f@example.com>"
    assert read["Subject"] == "Re: usage-watch: hourly-credits, 22 Nov 13:00"


@pytest.mark.parametrize("text", ["é" * 9_000, "🔴" * 9_000, "a\r\n.\r\n" * 900, "=?utf-8?q?hi=0D=0AX-Evil=3A_1?=" * 9])
def test_the_least_of_a_huge_message_is_small(text: str) -> None:
    subject = Conversation("cnv_1", text, None)
    [huge] = hostile(text).news
    said = message(replace(huge, incident_id="inc_4f2a9c81d07be6a35c11"))  # which comes from nowhere else
    raw, _ = mail(delivery(said, minimal=True, conversation=subject), MAILBOX)
    assert len(raw) < 3_000
    assert "X-Evil" not in message_from_bytes(raw)


@pytest.mark.parametrize("minimal", [False, True])
def test_a_repeat_is_the_same_mail(minimal: bool) -> None:
    first, repeat = (mail(delivery(minimal=minimal, unsure=unsure), MAILBOX)[0] for unsure in (False, True))
    assert first == repeat


def test_of_a_mails_repeats_its_id_is_said() -> None:
    assert sender(1).about_repeats(Attempt(Verdict.SENT)) == "A repeat has the same Message-ID."


# Headers that cannot be forged

FORGERIES = [
    "=?utf-8?q?hi=0D=0AX-Evil=3A_1?=",
    "=?=?utf-8?q?hi=0D=0AX-Evil=3A_1?=",
    "a\r\nX-Evil: 1",
    "a\nX-Evil: 1",
    "a\x0bb\x85c\u2028d\0e",
    "\ud800",
    "",
    "x" * 5_000,
    "é" * 500,
    "🔴 \u202egnp.exe",
]


@pytest.mark.parametrize("subject", FORGERIES)
def test_no_subject_writes_a_header_of_its_own(subject: str) -> None:
    hostile = delivery(conversation=Conversation("cnv_1", subject, None))
    with SmtpServer() as server:
        assert sent(server, hostile).verdict is Verdict.SENT
    read = server.mails[0].read
    assert "X-Evil" not in read
    assert len(read.keys()) == 10
    assert len(read["Subject"]) <= 200 + subject.count("=?")


def test_a_header_is_never_decoded_twice() -> None:
    assert header_text("=?utf-8?q?a?=") == "= ?utf-8?q?a?="


def test_ids_in_headers_are_made_of_letters_and_digits() -> None:
    hostile = delivery(id="ntf_1>\r\nX-Evil: 1", conversation=Conversation("cnv_1\r\nX-Evil: 1", "s", "<x>"))
    raw, message_id = mail(hostile, MAILBOX)
    assert message_id == "<ntf_1X-Evil1@example.com>"
    assert message_from_bytes(raw)["References"] == "<cnv_1X-Evil1@example.com>"


GOOD = (
    b'A: 1\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="b"\r\n\r\n'
    b"--b\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--\r\n"
)
NAMES = ["A", "MIME-Version", "Content-Type"]


def test_a_mail_that_reads_back_as_it_was_set_may_go() -> None:
    assert read_back(GOOD, NAMES) == GOOD


LEAST = b"A: 1\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nx\r\n"


def test_a_mail_has_the_parts_that_it_should_have() -> None:
    assert read_back(LEAST, NAMES, 0) == LEAST
    for raw, expected in ((LEAST, 2), (GOOD, 0)):
        with pytest.raises(ForgedHeaderError):
            read_back(raw, NAMES, expected)


FORGED = {
    "one more": GOOD.replace(b"A: 1", b"A: 1\r\nX-Evil: 1"),
    "one less": GOOD.replace(b"A: 1\r\n", b""),
    "an early end": GOOD.replace(b"A: 1", b"A: 1\r\n\r\n"),
    "in a part": GOOD.replace(b"--b\r\n\r\ny", b"--b\r\nX-Evil: 1\r\n\r\ny"),
    "a third part": GOOD.replace(b"y\r\n", b"y\r\n--b\r\n\r\nz\r\n"),
}


@pytest.mark.parametrize("raw", FORGED.values(), ids=FORGED.keys())
def test_a_mail_that_reads_back_otherwise_may_not(raw: bytes) -> None:
    with pytest.raises(ForgedHeaderError):
        read_back(raw, NAMES)


def test_a_mail_whose_headers_do_not_hold_is_rejected_before_anybody_is_asked() -> None:
    broken = Mailbox("usage-watch@example.com", ("ana@example.com\x0bX-Evil: 1",))
    attempt = sender(1, mailbox=broken).send(delivery())
    assert attempt.verdict is Verdict.REJECTED
    assert "headers" in attempt.detail


# Encryption and log-in


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_goes_encrypted_and_logged_in(security: str, cert: trustme.LeafCert, cafile: str) -> None:
    with SmtpServer(security, cert=cert, login=True) as server:
        written = {"port": server.port, "security": security, "cafile": cafile}
        channel = settings(**written, username=USER, password={"env": "SMTP"}).connect({"SMTP": PASSWORD})
        assert channel.send(delivery()).verdict is Verdict.SENT
        channel.close()
    assert len(server.mails) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_an_unknown_certificate_gets_no_mail_and_no_password(security: str, cert: trustme.LeafCert) -> None:
    with SmtpServer(security, cert=cert, login=True) as server:
        attempt = sent(server, security=security, context=tls_context(None), login=(USER, PASSWORD))
    assert attempt.verdict is Verdict.NOT_SENT
    assert "certificate could not be verified" in attempt.detail
    assert (server.mails, server.logins) == ([], [])


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_of_another_name_gets_no_mail(security: str, ca: trustme.CA, cafile: str) -> None:
    with SmtpServer(security, cert=ca.issue_cert("other.example.com")) as server:
        attempt = sent(server, security=security, context=tls_context(cafile))
    assert attempt.verdict is Verdict.NOT_SENT
    assert server.mails == []


def test_a_server_without_starttls_gets_no_mail(cafile: str) -> None:
    with SmtpServer() as server:
        attempt = sent(server, security="starttls", context=tls_context(cafile))
    assert attempt == Attempt(Verdict.CONFIGURATION, "The mail server offers no STARTTLS: check `port` and `security`.")
    assert server.mails == []


def test_tls_to_a_port_that_speaks_none_says_so(cafile: str) -> None:
    with SmtpServer() as server:
        attempt = sent(server, security="tls", context=tls_context(cafile), timeout=1)
    assert attempt.verdict is Verdict.NOT_SENT
    assert "check the port" in attempt.detail


LOGINS = {
    "wrong": ({}, "not it", Verdict.CONFIGURATION, "The mail server refuses the log-in (535): check `username`"),
    "not now": (
        {"AUTH": "454 later"},
        PASSWORD,
        Verdict.SERVER,
        "The mail server refuses the log-in (454): it cannot check it now.",
    ),
}


@pytest.mark.parametrize(("replies", "password", "verdict", "says"), LOGINS.values(), ids=LOGINS.keys())
def test_a_log_in_that_fails(
    replies: dict[str, str], password: str, verdict: Verdict, says: str, cert: trustme.LeafCert, cafile: str
) -> None:
    with SmtpServer("starttls", cert=cert, login=True, replies=replies) as server:
        attempt = sent(server, security="starttls", context=tls_context(cafile), login=(USER, password))
    assert attempt.verdict is verdict
    assert attempt.detail.startswith(says)
    assert password not in repr(attempt)


def test_a_server_that_knows_no_log_in_says_what_to_do() -> None:
    with SmtpServer() as server:
        attempt = sent(server, login=(USER, PASSWORD))
    assert attempt.verdict is Verdict.CONFIGURATION
    assert "leave `username` and `password` out" in attempt.detail


def test_a_server_that_breaks_off_at_the_log_in_did_not_get_the_mail() -> None:
    with ScriptedSmtp("220 hi", "250-hi\r\n250 AUTH PLAIN") as server:
        attempt = sent(server, login=(USER, PASSWORD))
    assert attempt.verdict is Verdict.NOT_SENT


def test_the_password_stands_in_no_repr(cafile: str) -> None:
    server = Server("h", 25, "tls", tls_context(cafile), (USER, PASSWORD))
    assert PASSWORD not in repr(server) + repr(SmtpSender(server, MAILBOX))


# Outcomes

REPLIES: dict[str, tuple[dict[str, str], Verdict, str]] = {
    "sender refused": (
        {"MAIL": "550 5.7.1 not you"},
        Verdict.CONFIGURATION,
        "The mail server refused the sender (550)",
    ),
    "sender later": ({"MAIL": "451 later"}, Verdict.SERVER, "The mail server refused the sender (451): later."),
    "too large": ({"MAIL": "552 too large"}, Verdict.REJECTED, "The mail server refused the sender (552)"),
    "one recipient": ({BEN: "550 who?"}, Verdict.SENT, "The mail server refused 1 of 2 recipients (550): who?."),
    "forwarded": ({BEN: "251 will forward"}, Verdict.SENT, ""),
    "all recipients": (
        {ANA: "550 who?", BEN: "551 no"},
        Verdict.CONFIGURATION,
        "The mail server refused 2 of 2 recipients (550, 551)",
    ),
    "all later": (
        {ANA: "450 busy", BEN: "452 full"},
        Verdict.SERVER,
        "The mail server refused 2 of 2 recipients (450, 452)",
    ),
    "one later": (
        {ANA: "550 who?", BEN: "452 full"},
        Verdict.SERVER,
        "The mail server refused 2 of 2 recipients (452, 550)",
    ),
    "body": ({"DATA": "554 spam"}, Verdict.REJECTED, "The mail server refused the mail (554): spam."),
    "body later": ({"DATA": "451 later"}, Verdict.SERVER, "The mail server refused the mail (451): later."),
    "break at sender": ({"MAIL": ABORT}, Verdict.NOT_SENT, "The mail server did not get the mail: "),
    "silence at recipient": ({ANA: HANG}, Verdict.NOT_SENT, "The mail server did not get the mail: it did not answer"),
    "break after body": ({"DATA": ABORT}, Verdict.AMBIGUOUS, "The mail server may have taken the mail: "),
    "silence after body": (
        {"DATA": HANG},
        Verdict.AMBIGUOUS,
        "The mail server may have taken the mail: it did not answer",
    ),
}


@pytest.mark.parametrize(("replies", "verdict", "says"), REPLIES.values(), ids=REPLIES.keys())
def test_every_reply_has_its_class(replies: dict[str, str], verdict: Verdict, says: str) -> None:
    with SmtpServer(replies=replies) as server:
        attempt = sent(server, timeout=0.3 if HANG in replies.values() else 5)
    assert attempt.verdict is verdict
    assert attempt.detail.startswith(says)
    assert (attempt.ref is not None) is (verdict is Verdict.SENT)


WORDS: dict[str, tuple[tuple[str, ...], Verdict, str]] = {
    "no service": (
        ("554 no service",),
        Verdict.CONFIGURATION,
        "The mail server refuses the session (554): no service.",
    ),
    "busy": (("421 busy",), Verdict.SERVER, "The mail server refuses the session (421): busy."),
    "not welcome": (
        ("220 hi", "550 no", "550 no"),
        Verdict.CONFIGURATION,
        "The mail server refuses the session (550): no.",
    ),
    "no words": ((), Verdict.NOT_SENT, "The mail server did not get the mail: "),
    "no mail today": (
        ("220 hi", "250 hi", "250 ok", "250 ok", "250 ok", "554 no"),
        Verdict.CONFIGURATION,
        "The mail server takes no mail (554): no.",
    ),
    "nonsense": (("220 hi", "250 hi", "\x1b[31m"), Verdict.SERVER, "The mail server gave a reply that SMTP does not"),
}


@pytest.mark.parametrize(("lines", "verdict", "says"), WORDS.values(), ids=WORDS.keys())
def test_a_server_of_few_words(lines: tuple[str, ...], verdict: Verdict, says: str) -> None:
    with ScriptedSmtp(*lines) as server:
        attempt = sent(server, timeout=1)
    assert (attempt.verdict, attempt.detail[: len(says)]) == (verdict, says)


def test_what_a_server_says_is_quoted_clean_and_short() -> None:
    with SmtpServer(replies={"DATA": f"554 a\x1b[31m{'x' * 400}"}) as server:
        detail = sent(server).detail
    assert detail.isprintable()
    assert len(detail) < 260


def test_a_farewell_that_fails_takes_nothing_back() -> None:
    with ScriptedSmtp("220 hi", "250 hi", "250 ok", "250 ok", "250 ok", "354 go", "250 ok", "500 what?") as server:
        assert sent(server).verdict is Verdict.SENT


def test_nobody_there_is_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    assert sender(port).send(delivery()) == Attempt(
        Verdict.NOT_SENT, "The mail server did not get the mail: the connection was refused."
    )


# Settings

REFUSED: dict[str, tuple[dict[str, object], str]] = {
    "username alone": ({"username": "u"}, "go together"),
    "password alone": ({"password": {"env": "P"}}, "go together"),
    "username with umlaut": ({"username": "ü", "password": {"env": "P"}}, "plain ASCII"),
    "password in the open": (
        {"host": "mail.example.com", "security": "none", "username": "u", "password": {"env": "P"}},
        "must not travel unencrypted",
    ),
    "password in the house": (
        {"host": "10.0.0.5", "security": "none", "username": "u", "password": {"env": "P"}},
        "must not travel unencrypted",
    ),
    "CA without TLS": ({"security": "none", "cafile": "ca.pem"}, "needs encryption"),
    "no recipients": ({"recipients": []}, "write 1 to 50"),
    "a recipient with a name": ({"recipients": ["Ana <ana@example.com>"]}, "plain mail address"),
    "a recipient with a header": ({"recipients": ["ana@example.com\r\nBcc: eve@example.com"]}, "plain mail address"),
    "a sender without domain": ({"sender": "usage-watch"}, "plain mail address"),
    "a host with a port": ({"host": "smtp.example.com:25"}, "name or address alone"),
    "a URL": ({"host": "smtp://smtp.example.com"}, "name or address alone"),
    "a word as port": ({"port": "smtp"}, "valid integer"),
    "port 0": ({"port": 0}, "greater than or equal to 1"),
    "unknown security": ({"security": "ssl"}, "'starttls', 'tls' or 'none'"),
    "literal": ({"username": "u", "password": "hunter2"}, "secrets are never written"),
}


@pytest.mark.parametrize(("written", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_is_refused_in_one_sentence(written: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        settings(**written)
    [(_, sentence)] = complaints(refused.value)
    assert says in sentence


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"host": "::1"},
        {"host": "localhost", "security": "none", "username": "u", "password": {"env": "P"}},
        {"host": "relay", "security": "none", "port": 25},
        {"recipients": ["o'neil+x@sub.example.co.uk"]},
    ],
)
def test_what_can_be_is_taken(written: dict[str, object]) -> None:
    assert settings(**written).recipients


def test_the_defaults_are_those_of_a_submission_port() -> None:
    assert (settings().port, settings().security) == (587, "starttls")


def test_a_ca_file_that_is_missing_or_none_is_told_when_the_channel_is_opened(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not there"):
        settings(cafile=str(tmp_path / "ca.pem")).connect({})
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(UsageError, match="cannot be read as PEM"):
        settings(cafile=str(tmp_path / "ca.pem")).connect({})


def test_a_password_that_smtp_cannot_carry_is_told_when_the_channel_is_opened() -> None:
    channel = settings(username="u", password={"env": "P"})
    with pytest.raises(SecretError, match="beyond ASCII") as refused:
        channel.connect({"P": "größe"})
    assert "größe" not in str(refused.value)


def test_the_system_is_trusted_where_no_ca_is_named() -> None:
    context = tls_context(None)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_the_date_is_that_of_the_attempt() -> None:
    later = delivery(sent_at=delivery().sent_at + timedelta(hours=1))
    assert message_from_bytes(mail(later, MAILBOX)[0])["Date"] == "Sun, 22 Nov 2026 15:10:03 +0000"
