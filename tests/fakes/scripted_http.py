"""A real HTTP server on loopback that answers from a queue, or as its subclass thinks right; it records what it got."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, Self


@dataclass(frozen=True)
class Request:
    """One request as it came in."""

    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """An answer, sent whole."""

    status: int = 200
    body: bytes | str = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reset:
    """Reads the request, then breaks the connection off."""


@dataclass(frozen=True)
class EarlyReset:
    """Breaks the connection off before it has read the body: the request was never there."""


@dataclass(frozen=True)
class Raw:
    """Says these bytes in place of an answer, and hangs up, in order or not."""

    said: bytes = b""
    reset: bool = False


@dataclass(frozen=True)
class Hang:
    """Reads the request, then says nothing."""


@dataclass(frozen=True)
class Drip:
    """Sends these bytes raw: status line, headers and all; `endless` again and again, 0.02 s apart.

    With an `end`, that comes after a hundred of them: whoever has listened for so long hears a whole answer.
    """

    head: bytes
    endless: bytes
    end: bytes | None = None


@dataclass(frozen=True)
class Flood:
    """Answers 200 with a body that has no end."""


Step = Answer | Reset | EarlyReset | Raw | Hang | Drip | Flood


class ScriptedHttp:
    """Use as a context manager. `script` is what to do next; when it is empty, `respond` decides."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.script: deque[Step] = deque()
        self.poured = 0
        """Bytes sent beyond the head of a Drip or Flood."""
        self._closing = threading.Event()
        handler = type("Handler", (_Handler,), {"fake": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def respond(self, request: Request) -> Step:
        """What to answer where nothing was scripted."""
        return Answer()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def encrypt(self, context: ssl.SSLContext) -> None:
        """Speak TLS from now on. The handshake is the handler's, so that a client that refuses it ends nothing else."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, request: Request) -> Step:
        self.requests.append(request)
        return self.script.popleft() if self.script else self.respond(request)


class _Handler(BaseHTTPRequestHandler):
    fake: ScriptedHttp

    def handle(self) -> None:
        with suppress(OSError):
            super().handle()

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_POST(self) -> None:
        self.close_connection = True
        if self.fake.script and isinstance(self.fake.script[0], EarlyReset):
            self.fake.script.popleft()
            self._reset()
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._do(self.fake.take(Request(self.path, headers, body)))

    def _do(self, step: Step) -> None:
        match step:
            case Answer():
                self._answer(step)
            case Reset():
                self._reset()
            case Raw():
                self.connection.sendall(step.said)
                if step.reset:
                    self._reset()
            case Hang():
                self.fake._closing.wait(10)
            case Drip():
                self._send_on(step.head, step.endless, step.end)
            case Flood():
                self._send_on(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 70_000, b"x" * 70_000)

    def do_GET(self) -> None:
        """A redirect that somebody followed."""
        self.do_POST()

    def _answer(self, answer: Answer) -> None:
        body = answer.body.encode() if isinstance(answer.body, str) else answer.body
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(body)), "Connection": "close", **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.close(self.connection.detach())  # at once: the server would first say goodbye

    def _send_on(self, head: bytes, endless: bytes, end: bytes | None = None) -> None:
        try:
            self.connection.sendall(head)
            for turn in count():
                if self.fake._closing.wait(0.02) or (turn == 100 and end is not None):
                    break
                self.connection.sendall(endless)
                self.fake.poured += len(endless)
            self.connection.sendall(end or b"")
        except OSError:
            pass

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the tests' output is for the tests."""
