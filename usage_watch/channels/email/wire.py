"""smtplib on a leash: a session ends by its deadline however slowly the server drips, and reads no more than it must.

smtplib's time-out is per read, and its replies may have any number of lines: either would hold a session for hours.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Callable
from time import monotonic

from usage_watch.channels.network import ANSWER_CAP

_HELO = "[127.0.0.1]"
"""What we call ourselves: the host's own name would cost a look-up, which can stall."""
_CLOSING = 421


class Line(smtplib.SMTP):
    """One connection. No step takes longer than `timeout` seconds, nor all of them longer than `session`.

    `context` is for a connection that is encrypted from the start. Only looking the name up is the system's affair.
    """

    def __init__(self, host: str, context: ssl.SSLContext | None, *, timeout: float, session: float) -> None:
        super().__init__(local_hostname=_HELO, timeout=timeout)
        self._host = host  # the name that STARTTLS verifies
        self._context = context
        self._deadline = monotonic() + session

    def send(self, s: bytes | str) -> None:  # type: ignore[override]
        """Write all of it."""
        if self.sock is not None:
            self.sock.settimeout(self._left())
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        """Read one reply. Closing is a reply to any command, and ends the session."""
        if self.file is None and self.sock is not None:
            self.file = _Replies(self.sock, self._left)
        code, said = super().getreply()
        if code == _CLOSING:
            raise smtplib.SMTPResponseException(code, said)
        return code, said

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        line = self._reach(host, port)
        if self._context is None:
            return line
        with line:  # wrapping takes the connection out of it
            line.settimeout(self._left())
            return self._context.wrap_socket(line, server_hostname=host)

    def _reach(self, host: str, port: int) -> socket.socket:
        """The first address that answers: a name may have a dozen of them, all behind a silent firewall."""
        failed: OSError = OSError()
        for *_, (address, *_) in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            try:
                return socket.create_connection((str(address), port), self._left())
            except OSError as error:
                failed = error
        raise failed

    def _left(self) -> float:
        """Seconds that the next step may take; TimeoutError where there are none."""
        left = min(self.timeout, self._deadline - monotonic())
        if left <= 0:
            raise TimeoutError
        return left


class _Replies:
    """Reads lines as a file would, in time and not without end."""

    def __init__(self, line: socket.socket, left: Callable[[], float]) -> None:
        self._line = line
        self._left = left
        self._held = b""
        self._read = 0

    def readline(self, limit: int) -> bytes:
        while b"\n" not in self._held:
            self._line.settimeout(self._left())
            got = self._line.recv(4096)
            self._read += len(got)
            if not got or self._read > ANSWER_CAP:
                raise ConnectionResetError
            self._held += got
        line, end, self._held = self._held.partition(b"\n")
        if len(line) >= limit:
            raise ConnectionResetError
        return line + end

    def close(self) -> None:
        """The connection is closed elsewhere."""
