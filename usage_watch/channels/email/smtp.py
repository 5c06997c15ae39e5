"""One mail over SMTP, and what its server's codes mean. Imported when a mail channel is opened."""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from usage_watch.channels.base import Attempt, Verdict
from usage_watch.channels.email.mail import Mailbox, mail
from usage_watch.channels.network import TIMEOUT_S, why_unreachable
from usage_watch.core.message import Delivery
from usage_watch.core.plain import plain

_HELO = "[127.0.0.1]"
"""What we call ourselves: the host's own name would cost a look-up, which can stall."""
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

    def __init__(self, verdict: Verdict, detail: str) -> None:
        super().__init__(detail)
        self.attempt = Attempt(verdict, detail)


class SmtpSender:
    """Hands in mail, with a session of its own for each."""

    def __init__(self, server: Server, mailbox: Mailbox, *, timeout: float = TIMEOUT_S) -> None:
        self._server = server
        self._mailbox = mailbox
        self._timeout = timeout

    def send(self, delivery: Delivery) -> Attempt:
        """Hand in one mail for all recipients; it has arrived once the server says 250 to its body."""
        try:
            raw, message_id = mail(delivery, self._mailbox)
        except ValueError:
            return Attempt(Verdict.REJECTED, "The mail's headers did not read back as they were set: a fault of ours.")
        session = _Session(self._server, self._timeout)
        try:
            attempt = session.hand_in(raw, self._mailbox)
        except _Over as over:
            return over.attempt
        except (smtplib.SMTPException, OSError) as error:
            return session.outcome(error)
        finally:
            session.close()
        return Attempt(attempt.verdict, attempt.detail, ref=delivery.conversation.ref or message_id)

    def close(self) -> None:
        """Nothing is kept open."""


class _Session:
    """One connection, from greeting to QUIT."""

    def __init__(self, server: Server, timeout: float) -> None:
        self._server = server
        self._timeout = timeout
        self._smtp: smtplib.SMTP | None = None
        self._written = False

    def hand_in(self, raw: bytes, mailbox: Mailbox) -> Attempt:
        smtp = self._smtp = self._greet()
        self._log_in(smtp)
        _expect(smtp.mail(mailbox.sender, _size(smtp, raw)), "refused the sender", final=Verdict.CONFIGURATION)
        refused = _refused(smtp, mailbox.recipients)
        _expect(smtp.docmd("DATA"), "takes no mail")
        smtp.send(_dotted(raw))
        self._written = True
        _expect(smtp.getreply(), "refused the mail")
        return Attempt(Verdict.SENT, refused)

    def outcome(self, error: Exception) -> Attempt:
        """What it means that the session broke off."""
        if isinstance(error, smtplib.SMTPResponseException):
            verdict = Verdict.SERVER if error.smtp_code < 500 else Verdict.CONFIGURATION
            return Attempt(verdict, f"The mail server refuses the session ({error.smtp_code}).")
        why = why_unreachable(error)
        if self._written:
            return Attempt(Verdict.AMBIGUOUS, f"The mail server may have taken the mail: {why}.")
        return Attempt(Verdict.NOT_SENT, f"The mail server did not get the mail: {why}.")

    def close(self) -> None:
        if self._smtp is not None:
            with suppress(smtplib.SMTPException, OSError):
                self._smtp.quit()
            self._smtp.close()

    def _greet(self) -> smtplib.SMTP:
        server = self._server
        if server.security == "tls":
            return smtplib.SMTP_SSL(server.host, server.port, _HELO, timeout=self._timeout, context=server.context)
        return smtplib.SMTP(server.host, server.port, _HELO, timeout=self._timeout)

    def _log_in(self, smtp: smtplib.SMTP) -> None:
        smtp.ehlo_or_helo_if_needed()
        if self._server.security == "starttls":
            if not smtp.has_extn("starttls"):
                raise _Over(Verdict.CONFIGURATION, "The mail server offers no STARTTLS: check `port` and `security`.")
            smtp.starttls(context=self._server.context)
            smtp.ehlo_or_helo_if_needed()
        if self._server.login is not None:
            _authenticate(smtp, *self._server.login)


def _authenticate(smtp: smtplib.SMTP, username: str, password: str) -> None:
    try:
        smtp.login(username, password)
    except smtplib.SMTPAuthenticationError as error:
        if error.smtp_code < 500:
            raise _Over(Verdict.SERVER, f"The mail server cannot check the log-in now ({error.smtp_code}).") from None
        advice = "check `username` and `password`"
        raise _Over(
            Verdict.CONFIGURATION, f"The mail server refuses the log-in ({error.smtp_code}): {advice}."
        ) from None
    except smtplib.SMTPServerDisconnected:
        raise
    except smtplib.SMTPException:
        advice = "leave `username` and `password` out, or check `port` and `security`"
        raise _Over(Verdict.CONFIGURATION, f"The mail server offers no log-in that is known here: {advice}.") from None


def _refused(smtp: smtplib.SMTP, recipients: Sequence[str]) -> str:
    """Name the recipients; a sentence if some were refused. Ends the session if all were."""
    replies = [smtp.rcpt(recipient) for recipient in recipients]
    refusals = [(code, said) for code, said in replies if code not in (250, 251)]
    if not refusals:
        return ""
    codes = ", ".join(str(code) for code in sorted({code for code, _ in refusals}))
    told = f"{len(refusals)} of {len(recipients)} recipients ({codes}): {_quote(refusals[0][1])}"
    if len(refusals) < len(recipients):
        return f"The mail server refused {told}."
    passing = any(code < 500 for code, _ in refusals)
    raise _Over(Verdict.SERVER if passing else Verdict.REJECTED, f"The mail server refused {told}.")


def _expect(reply: tuple[int, bytes], what: str, *, final: Verdict = Verdict.REJECTED) -> None:
    """Go on after a good reply; 4xx pass, and 5xx are `final`, but for a mail that is too large."""
    code, said = reply
    if 200 <= code < 400:
        return
    verdict = Verdict.SERVER if code < 500 else Verdict.REJECTED if code == 552 else final
    raise _Over(verdict, f"The mail server {what} ({code}): {_quote(said)}.")


def _quote(said: bytes) -> str:
    return plain(said.decode("utf-8", "replace"), _QUOTED).rstrip(".") or "no reason given"


def _size(smtp: smtplib.SMTP, raw: bytes) -> list[str]:
    return [f"size={len(raw)}"] if smtp.has_extn("size") else []


def _dotted(raw: bytes) -> bytes:
    """As DATA wants it: a dot before each line's first dot, and one alone at the end."""
    return re.sub(rb"(?m)^\.", b"..", raw.rstrip(b"\r\n")) + b"\r\n.\r\n"
