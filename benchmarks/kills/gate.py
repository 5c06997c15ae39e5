"""A port in front of a receiver that can be shut, as the world sees it: refused, or open and silent."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Thread

_HOST = "127.0.0.1"


class Gate:
    """Hands connections on while it is open. The port is the same for life."""

    def __init__(self, inner: Callable[[], int]) -> None:
        self._inner = inner
        self._socket = _bound(0)
        self._thread: Thread | None = None
        self.port = int(self._socket.getsockname()[1])

    def open(self) -> None:
        """Hand on what comes."""
        self._renew()
        self._socket.listen(64)
        self._thread = Thread(target=self._accept, args=(self._socket,), daemon=True)
        self._thread.start()

    def refuse(self) -> None:
        """Nobody listens."""
        self._renew()

    def hang(self) -> None:
        """Connections come about, what is sent is taken, and nobody is there."""
        self._renew()
        self._socket.listen(64)

    def close(self) -> None:
        """For good."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes who waits for a connection
        self._socket.close()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _renew(self) -> None:
        self.close()
        self._socket = _bound(self.port)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                outer, _ = listener.accept()
            except OSError:
                return
            Thread(target=self._hand_on, args=(outer,), daemon=True).start()

    def _hand_on(self, outer: socket.socket) -> None:
        with outer, suppress(OSError), socket.create_connection((_HOST, self._inner())) as inner:
            back = Thread(target=_pump, args=(inner, outer), daemon=True)
            back.start()
            _pump(outer, inner)
            back.join()


def _bound(port: int) -> socket.socket:
    """Bound and not listening: who connects is refused, and nobody else gets the port."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((_HOST, port))
    return made


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65_536):
            sink.sendall(piece)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
