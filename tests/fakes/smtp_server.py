"""Stands in for a mail server: aiosmtpd on loopback with STARTTLS, TLS or neither, log-in, and faults on demand."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, BinaryIO, Self, cast

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "usage-watch", "correct horse battery staple"

ABORT, HANG = "abort", "hang"
"""In place of a reply: break the connection off, or say nothing."""


@dataclass(frozen=True)
class Mail:
    """One mail as the server took it."""

    raw: bytes
    sender: str
    recipients: tuple[str, ...]

    @property
    def read(self) -> EmailMessage:
        """Parsed as a mail program would."""
        return message_from_bytes(self.raw, policy=default)


class SmtpServer:
    """Use as a context manager. `replies` maps MAIL, DATA, AUTH or a recipient's address to what is answered."""

    def __init__(
        self,
        security: str = "none",
        *,
        cert: trustme.LeafCert | None = None,
        login: bool = False,
        replies: Mapping[str, str] | None = None,
    ) -> None:
        self.mails: list[Mail] = []
        self.logins: list[str] = []
        self.replies = dict(replies or {})
        self._security = security
        self._context = _context(cert)
        self._login = login
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        tls = self._context if self._security == "tls" else None
        started = asyncio.run_coroutine_threadsafe(self._start(tls), self._loop)
        self._server = started.result(5)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self, tls: ssl.SSLContext | None) -> asyncio.Server:
        return await self._loop.create_server(self._protocol, "127.0.0.1", 0, ssl=tls)

    async def _stop(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {cast("asyncio.Task[Any]", asyncio.current_task())}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)  # TLS transports close in a later turn of the loop

    def _protocol(self) -> SMTP:
        options: dict[str, Any] = {"loop": self._loop, "hostname": "mail.example.com"}
        if self._security == "starttls":
            options |= {"tls_context": self._context, "require_starttls": True}
        if self._login:
            # aiosmtpd counts STARTTLS alone as encryption, so the rule is switched off for implicit TLS.
            options |= {"authenticator": self._check, "auth_required": True}
            options |= {"auth_require_tls": self._security == "starttls"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return SMTP(self, **options)

    def _check(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        self.logins.append(mechanism)
        if "AUTH" in self.replies:
            return AuthResult(success=False, handled=False, message=self.replies["AUTH"])
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=good, handled=False)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd calls it so
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return await self._reply(server, "MAIL")

    async def handle_RCPT(  # noqa: N802 - aiosmtpd calls it so
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        reply = await self._reply(server, address)
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(  # noqa: N802 - aiosmtpd calls it so
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        reply = await self._reply(server, "DATA")
        if reply.startswith("250"):
            raw = cast(bytes, envelope.content)
            self.mails.append(Mail(raw, str(envelope.mail_from), tuple(envelope.rcpt_tos)))
        return reply

    async def _reply(self, server: SMTP, what: str) -> str:
        reply = self.replies.get(what, "250 OK")
        if reply == ABORT:
            cast(asyncio.Transport, server.transport).abort()
        if reply in (ABORT, HANG):
            await asyncio.sleep(10)
        return reply


def _context(cert: trustme.LeafCert | None) -> ssl.SSLContext | None:
    if cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    cert.configure_cert(context)
    return context


class ScriptedSmtp:
    """A mail server of few words: `lines` answers the commands in order, greeting first; then it hangs up.

    After the line that begins with 354 it reads a mail before the next line.
    """

    def __init__(self, *lines: str) -> None:
        self._lines = lines
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(5)
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection, connection.makefile("rb") as commands:
            connection.settimeout(5)
            before = None
            for line in self._lines:
                if before is not None and not _heard(commands, before):
                    return
                connection.sendall(line.encode() + b"\r\n")
                before = line


def _heard(commands: BinaryIO, before: str) -> bool:
    """Read a command, or after 354 a mail; False where the other side hung up."""
    end = b".\r\n" if before.startswith("354") else b"\r\n"
    while line := commands.readline():
        if line.endswith(end) if end == b"\r\n" else line == end:
            return True
    return False
