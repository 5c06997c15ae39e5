"""One mail over SMTP. Imported when a mail channel is opened."""

from __future__ import annotations

import re
import smtplib
import ssl
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from usage_watch.channels.base import Attempt, Verdict
from usage_watch.channels.email.answers import Step, recipients_attempt, smtp_attempt
from usage_watch.channels.email.mail import Mailbox, mail
from usage_watch.channels.email.wire import Line
from usage_watch.channels.network import TIMEOUT_S, why_unreachable
from usage_watch.core.message import Delivery
from usage_watch.core.plain import plain

SESSION_S = 40.0
"""Seconds that a whole session may take: no longer than the outbox leases a row, with room to record how it went."""
_QUOTED = 200
"""Characters quoted of what a server says."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed in."""

    host: str
    port: int
    security: str
    """`starttls`, `tls` or `none`."""
    context: ssl.SSLContext | None
    """Verifies the server; None only for `none`."""
    login: tuple[str, str] | None = field(repr=False)
    """User name and password."""


def tls_context(cafile: str | None) -> ssl.SSLContext:
    """Verifies names and certificates, by the system's CAs or those of a file; OSError where that holds none."""
    return ssl.create_default_context(cafile=cafile)


class _Over(Exception):  # noqa: N818 - no error: an outcome on its way up
    """The session ends early with this outcome."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(attempt.detail)
        self.attempt = attempt


class SmtpSender:
    """Hands in mail, with a session of its own for each."""

    def __init__(
        self, server: Server, mailbox: Mailbox, *, timeout: float = TIMEOUT_S, session: float = SESSION_S
    ) -> None:
        self._server = server
        self._mailbox = mailbox
        self._timeout = timeout
        self._length = session

    def send(self, delivery: Delivery) -> Attempt:
        """Hand in one mail for all recipients; it has arrived once the server says 250 to its body."""
        try:
            raw, message_id = mail(delivery, self._mailbox)
        except ValueError:
            return Attempt(Verdict.REJECTED, "The mail's headers did not read back as they were set: a fault of ours.")
        session = _Session(self._server, self._timeout, self._length)
        try:
            attempt = session.hand_in(raw, self._mailbox)
        except Exception as error:  # whatever a foreign library raises is an outcome of this attempt
            return session.outcome(error)
        finally:
            session.close()
        return Attempt(attempt.verdict, attempt.detail, ref=delivery.conversation.ref or message_id)

    def about_repeats(self, sent: Attempt) -> str:
        """Mail programs and servers know a repeat by its id."""
        return "A repeat has the same Message-ID."

    def close(self) -> None:
        """Nothing is kept open."""


class _Session:
    """One connection, from greeting to QUIT."""

    def __init__(self, server: Server, timeout: float, length: float) -> None:
        self._server = server
        tls = server.context if server.security == "tls" else None
        self._line = Line(server.host, tls, timeout=timeout, session=length)
        self._step = Step.SESSION

    def hand_in(self, raw: bytes, mailbox: Mailbox) -> Attempt:
        line = self._line
        self._open()
        self._expect(Step.SENDER, line.mail(mailbox.sender, _size(line, raw)))
        named = self._name(mailbox.recipients)
        self._expect(Step.DATA, line.docmd("DATA"), good=(354,))
        line.send(_dotted(raw))
        self._step = Step.MAIL  # once the last byte is out, and no earlier
        self._expect(Step.MAIL, line.getreply())
        return named

    def outcome(self, error: Exception) -> Attempt:
        """What it means that the session broke off."""
        if isinstance(error, _Over):
            return error.attempt
        if isinstance(error, smtplib.SMTPResponseException):
            return smtp_attempt(self._step, error.smtp_code, self._quote(error.smtp_error))
        why = why_unreachable(error)
        if self._step is Step.MAIL:
            return Attempt(Verdict.AMBIGUOUS, f"The mail server may have taken the mail: {why}.")
        return Attempt(Verdict.NOT_SENT, f"The mail server did not get the mail: {why}.")

    def close(self) -> None:
        with suppress(smtplib.SMTPException, OSError):
            self._line.quit()
        self._line.close()

    def _open(self) -> None:
        line, server = self._line, self._server
        self._expect(Step.SESSION, line.connect(server.host, server.port), good=(220,))
        self._expect(Step.SESSION, line.ehlo())
        if server.security == "starttls":
            self._encrypt()
        if server.login is not None:
            self._log_in(*server.login)

    def _encrypt(self) -> None:
        if not self._line.has_extn("starttls"):
            why = "The mail server offers no STARTTLS: check `port` and `security`."
            raise _Over(Attempt(Verdict.CONFIGURATION, why))
        self._step = Step.TLS
        self._line.starttls(context=self._server.context)
        self._expect(Step.SESSION, self._line.ehlo())

    def _log_in(self, username: str, password: str) -> None:
        self._step = Step.LOGIN
        try:
            self._line.login(username, password)
        except (smtplib.SMTPResponseException, smtplib.SMTPServerDisconnected):
            raise
        except smtplib.SMTPException:
            advice = "leave `username` and `password` out, or check `port` and `security`"
            why = f"The mail server offers no log-in that is known here: {advice}."
            raise _Over(Attempt(Verdict.CONFIGURATION, why)) from None

    def _name(self, recipients: Sequence[str]) -> Attempt:
        """Name the recipients; how it goes where some are refused. Ends the session if all are."""
        self._step = Step.RECIPIENTS
        replies = {recipient: self._line.rcpt(recipient) for recipient in recipients}
        refused = {recipient: reply for recipient, reply in replies.items() if reply[0] not in (250, 251)}
        codes = {recipient: code for recipient, (code, _) in refused.items()}
        said = next((self._quote(said) for _, said in refused.values()), "")
        attempt = recipients_attempt(codes, len(replies), said)
        if attempt.verdict is not Verdict.SENT:
            raise _Over(attempt)
        return attempt

    def _expect(self, step: Step, reply: tuple[int, bytes], *, good: Sequence[int] = range(200, 300)) -> None:
        """Go on after a good reply; any other ends the session."""
        self._step = step
        code, said = reply
        if code not in good:
            raise _Over(smtp_attempt(step, code, self._quote(said)))

    def _quote(self, said: bytes | str) -> str:
        """What the server said, unless it repeats what it was told in confidence."""
        text = said if isinstance(said, str) else said.decode("utf-8", "replace")
        told = any(secret in text for secret in _secrets(self._server.login))
        return ("" if told else plain(text, _QUOTED).rstrip(".")) or "no reason given"


def _secrets(login: tuple[str, str] | None) -> tuple[str, ...]:
    """As they cross the line."""
    if login is None:
        return ()
    username, password = login
    coded = (b64encode(text.encode()).decode() for text in (password, f"\0{username}\0{password}"))
    return password, *coded


def _size(line: Line, raw: bytes) -> list[str]:
    return [f"size={len(raw)}"] if line.has_extn("size") else []


def _dotted(raw: bytes) -> bytes:
    """As DATA wants it: a dot before each line's first dot, and one alone at the end."""
    return re.sub(rb"(?m)^\.", b"..", raw.rstrip(b"\r\n")) + b"\r\n.\r\n"
