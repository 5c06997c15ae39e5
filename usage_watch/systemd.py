"""systemd, where it is what started us: it is told over its datagram socket how it goes, as sd_notify(3) does.

No thread of its own: signs of life come from the loop that may hang, or they would be worth nothing.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from usage_watch.core.plain import plain

_PATIENCE = 1.0
"""Seconds to wait while its queue is full."""
_LONGEST = 300
"""Characters of a status."""


class Supervisor:
    """Nothing here raises; and where nobody asked to be told, nothing happens.

    The variables stay in the environment: the daemon starts no processes, and a unit takes nothing from others.
    """

    def __init__(
        self, environ: Mapping[str, str] = os.environ, *, ticks: Callable[[], float] = time.monotonic, pid: int = 0
    ) -> None:
        """`ticks`: seconds that no clock on the wall can move; `pid`: of this process, found out by default."""
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self.every = _every(environ, pid or os.getpid()) if self._address else None
        """Seconds between signs of life, a quarter of what is allowed; None where none are awaited."""
        self._ticks, self._next = ticks, ticks()

    def ready(self, status: str) -> None:
        """What could go wrong at a start, or at a reload, has not."""
        self._send("READY=1", _status(status))

    def status(self, text: str) -> None:
        """What `systemctl status` shows, in one line."""
        self._send(_status(text))

    def alive(self) -> None:
        """The main loop goes on. Call it as often as you like: it is passed on when it is due."""
        now = self._ticks()
        if self.every is not None and now >= self._next:
            self._next = now + self.every
            self._send("WATCHDOG=1")

    def reloading(self) -> None:
        """The rules file is read again; `ready` ends it, whatever came of it."""
        # Newer versions tell by the time whether this answers their own signal.
        self._send("RELOADING=1", f"MONOTONIC_USEC={int(self._ticks() * 1_000_000)}")

    def stopping(self) -> None:
        """It ends in good order."""
        self._send("STOPPING=1")

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        # Connected, for only then a full queue is waited for.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.settimeout(_PATIENCE)
            line.connect(self._address)
            line.send("\n".join(lines).encode())


def _status(text: str) -> str:
    return f"STATUS={plain(text, _LONGEST)}"


def _address(written: str) -> str | None:
    """Of the socket, as the kernel takes it; None where it is of a kind that we cannot write to."""
    if written.startswith("@"):
        return f"\0{written[1:]}"
    return written if written.startswith("/") else None


def _every(environ: Mapping[str, str], pid: int) -> float | None:
    """Seconds; None where no signs are awaited, or those of another process."""
    meant, allowed = environ.get("WATCHDOG_PID", str(pid)), environ.get("WATCHDOG_USEC", "")
    if meant != str(pid) or not (allowed.isascii() and allowed.isdecimal()) or not int(allowed):
        return None
    return int(allowed) / 1_000_000 / 4
