"""Stands in for a mail server: aiosmtpd on loopback with STARTTLS, TLS or neither, log-in, and faults on demand."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
import warnings
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, BinaryIO, Self, cast

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "usage-watch", "correct horse battery staple"

ABORT, HANG_UP, HANG, DRIP, LINES, FLOOD = "abort", "hang up", "hang", "drip", "lines", "flood"
"""In place of a reply: reset the connection, or end it in order; say nothing; say the good reply in the end, after
bytes that drip, lines that drip, or lines without number."""

_SLOW = {DRIP: 1, LINES: 1, FLOOD: 1000}


class Cut(str):
    """A reply that breaks off: no line end, no more to come."""


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
    """Use as a context manager. `replies` maps a step to what is said there in place of a good reply.

    The steps: GREETING; the commands EHLO, STARTTLS, AUTH, MAIL, RCPT (or one recipient's address) and QUIT;
    354, which answers the command DATA; and DATA itself, the mail.
    """

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
        self.lines: list[asyncio.Transport] = []
        """Every connection that there was."""
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
        for line in self.lines:
            line.abort()
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
            return _Smtp(self, **options)

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
        return self._reply("MAIL")

    async def handle_RCPT(  # noqa: N802 - aiosmtpd calls it so
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        reply = self._reply(address if address in self.replies else "RCPT")
        if _is_good(reply):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(  # noqa: N802 - aiosmtpd calls it so
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        reply = self._reply("DATA")
        if _is_good(reply):
            raw = cast(bytes, envelope.content)
            self.mails.append(Mail(raw, str(envelope.mail_from), tuple(envelope.rcpt_tos)))
        return reply

    def _reply(self, what: str) -> str:
        return self.replies.get(what, "250 OK")


def _is_good(reply: str) -> bool:
    return reply.startswith("250") or reply in _SLOW


class _Smtp(SMTP):
    """Says what its server has for a step."""

    def __init__(self, fake: SmtpServer, **options: Any) -> None:
        self._fake = fake
        self._step = "GREETING"
        super().__init__(fake, **options)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._fake.lines.append(cast(asyncio.Transport, transport))
        super().connection_made(transport)

    async def push(self, status: Any) -> None:
        step, self._step = self._step, ""
        said = self._fake.replies.get(step, status)
        match said:
            case Cut():
                self._line.write(said.encode())
                self._line.close()
            case "abort":
                reset = struct.pack("ii", 1, 0)
                self._line.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
                self._line.abort()
            case "hang up":
                self._line.close()
            case "hang":
                await asyncio.sleep(10)
            case "drip" | "lines" | "flood":
                await self._say_on(said, "250 OK" if status == said else status)
            case _:
                await super().push(said)
                if str(said).startswith("421"):
                    self._line.close()

    async def _say_on(self, how: str, good: str) -> None:
        for turn in range(100):
            if self._line.is_closing():
                return
            line = b"x" if how == DRIP and turn else good[:3].encode() + b"-go on"
            self._line.write(line if how == DRIP else (line + b"\r\n") * _SLOW[how])
            await asyncio.sleep(0 if how == FLOOD else 0.02)
        await super().push(("\r\n" if how == DRIP else "") + good)

    @property
    def _line(self) -> asyncio.Transport:
        return cast(asyncio.Transport, self.transport)

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802 - aiosmtpd calls it so
        await self._or_scripted("EHLO", super().smtp_EHLO, hostname)

    async def smtp_STARTTLS(self, arg: str) -> None:  # noqa: N802 - aiosmtpd calls it so
        await self._or_scripted("STARTTLS", super().smtp_STARTTLS, arg)

    async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802 - aiosmtpd calls it so
        await self._or_scripted("AUTH", super().smtp_AUTH, arg)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd calls it so
        await self._or_scripted("354", super().smtp_DATA, arg)

    async def smtp_QUIT(self, arg: str) -> None:  # noqa: N802 - aiosmtpd calls it so
        await self._or_scripted("QUIT", super().smtp_QUIT, arg)

    async def _or_scripted(self, step: str, method: Callable[[str], Awaitable[None]], arg: str) -> None:
        self._step = step
        reply = self._fake.replies.get(step)
        if reply is None or reply in _SLOW:
            await method(arg)
        else:
            await self.push(reply)


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
