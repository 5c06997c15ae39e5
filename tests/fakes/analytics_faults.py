"""A server on loopback that answers as its script says, faults of every kind among the answers."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Seen:
    """A request that arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """A whole answer, unless `cut` bytes of its body never come. A body that is no bytes is sent as JSON."""

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int = 0


@dataclass(frozen=True)
class Raw:
    """These bytes, and then the end of the connection: an orderly one, or a reset."""

    data: bytes = b""
    reset: bool = False


@dataclass(frozen=True)
class Drip:
    """`start` at once, then `piece` every 10 ms for as long as anybody reads; an empty piece is silence."""

    start: bytes = b""
    piece: bytes = b""


Step = Answer | Raw | Drip
Script = Sequence[Step] | Callable[[Seen], Step]


def gzip_bomb(size: int, *, start: bytes = b"") -> Answer:
    """`start`, then so many blanks, in about a thousandth of the bytes."""
    return Answer(gzip.compress(start + b" " * size), headers={"Content-Encoding": "gzip"})


def redirect(location: str, status: int = 302) -> Answer:
    """An answer that sends its reader elsewhere."""
    return Answer(b"", status, {"Location": location})


def api_error(status: int, kind: str, message: str = "no") -> Answer:
    """An error as the contract has it."""
    return Answer({"error": {"message": message, "type": kind, "code": status}}, status)


class AnalyticsFaults(socketserver.ThreadingTCPServer):
    """Serves on a free port of loopback while its `with` block lasts; `seen` are the requests in their order."""

    daemon_threads = False
    allow_reuse_address = True

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.seen: list[Seen] = []
        self.connections = 0
        self.over = threading.Event()
        self._answer = script if callable(script) else _one_by_one(script)
        self._tls = tls
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.005})

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.server_address[1]}"

    def step(self, seen: Seen) -> Step:
        self.seen.append(seen)
        return self._answer(seen)

    def __enter__(self) -> AnalyticsFaults:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.shutdown()
        self._thread.join()
        for connection in tuple(self._open):
            _hang_up(connection)
        self.server_close()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.connections += 1
        connection.settimeout(5)
        if self._tls:
            try:
                connection = self._tls.wrap_socket(connection, server_side=True)
            except OSError:
                connection.close()
                raise
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader that went away is what many scripts are about."""


class _Connection(socketserver.StreamRequestHandler):
    server: AnalyticsFaults

    def handle(self) -> None:
        while (seen := self._read()) is not None and self._play(self.server.step(seen)):
            pass

    def _read(self) -> Seen | None:
        lines = []
        while (line := self.rfile.readline().decode("latin-1").strip()) != "":
            lines.append(line)
        if not lines:
            return None
        method, target, _ = lines[0].split(" ")
        parts = urlsplit(target)
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
        return Seen(method, parts.path, dict(parse_qsl(parts.query)), headers)

    def _play(self, step: Step) -> bool:
        """Whether the connection goes on."""
        match step:
            case Answer():
                self.connection.sendall(_bytes_of(step))
                return step.cut == 0
            case Raw(data, reset):
                self.connection.sendall(data)
                if reset:
                    self._reset()
                return False
            case Drip(start, piece):
                self.connection.sendall(start)
                while not self.server.over.wait(0.01):
                    self.connection.sendall(piece)
                return False

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())


def _bytes_of(answer: Answer) -> bytes:
    body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **answer.headers}
    lines = [f"HTTP/1.1 {answer.status} As Scripted", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body[: len(body) - answer.cut]


def _one_by_one(steps: Sequence[Step]) -> Callable[[Seen], Step]:
    rest: Iterator[Step] = iter(steps)
    return lambda _: next(rest, Answer(b"the script is at its end", 418))


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
