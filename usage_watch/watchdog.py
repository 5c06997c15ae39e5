"""A wall-clock deadline for one answer.

httpx' time-outs are per read, so that a server which drips a byte now and then holds a request for hours; while it
drips headers or chunk sizes, none of our code even runs. So another thread shuts the socket, and the read ends.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any


class Watchdog:
    """Shuts the one connection of a client when an answer takes longer than `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.expired = False
        """Whether the last watch ended by the deadline."""
        self._socket: socket.socket | None = None

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Watch one request and its answer."""
        self.expired = False
        timer = threading.Timer(self.seconds, self._expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()  # a timer at work must not shut the socket of the request after this one

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """httpx' `trace` extension: remembers the socket that each new connection uses, which later requests share."""
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            self.hold(info["return_value"].get_extra_info("socket"))

    def hold(self, connection: socket.socket) -> None:
        """From now on this is the connection to shut: at once, where it came about too late."""
        self._socket = connection
        if self.expired:
            self._shut()

    def _expire(self) -> None:
        self.expired = True
        self._shut()

    def _shut(self) -> None:
        found = self._socket
        if found is not None:
            with suppress(OSError):  # closed meanwhile
                # Past SSLSocket's own, which would drop the TLS state under the thread that reads.
                socket.socket.shutdown(found, socket.SHUT_RDWR)
