"""A server for a few small pages, in threads of its own, whatever is sent to it.

http.server as it comes sends head and body in two packets (43 ms a request), looks up the machine's name in DNS when
it starts, repeats what it was sent in its answers and in its log, says its versions, reads heads of megabytes and waits
for ever for a client that drips. None of that here. A connection has so many seconds for a request and its answer,
whether it is idle, drips or does not read: then it is shut.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.client import LineTooLong
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedReader
from socketserver import TCPServer
from typing import Any, Self, cast

from usage_watch import logs
from usage_watch.errors import MachineError
from usage_watch.web.answer import TEXT, Answer, Asked, Pages, line
from usage_watch.web.hosts import Hosts

MOST_CONNECTIONS = 32
"""A newer one takes the place of the oldest that has no request in hand; where all have, it is turned away."""
SECONDS = 10.0
"""That a connection has for its next request and the answer to it."""
LINE_BYTES = 4 * 1024
HEAD_BYTES = 16 * 1024
"""Of a request line, and of all headers together."""
LOOK_EVERY = 0.2
"""Seconds after which it is seen whether the server is to stop, or a connection's time is over."""
CLOSING_SECONDS = 0.5

ALWAYS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of each answer, where a page has no other."""

_METHODS = ("GET", "HEAD")


class WebServer:
    """Serves pages while its `with` block lasts. MachineError where it cannot listen there."""

    def __init__(self, host: str, port: int, hosts: Hosts, pages: Pages, seconds: float = SECONDS) -> None:
        """`host` is an IP address; port 0 takes any that is free."""
        self._host, self._port = host, port
        self._hosts, self._pages, self._seconds = hosts, pages, seconds

    def __enter__(self) -> Self:
        self._listener = _listen(self._host, self._port)
        self._listener.hosts, self._listener.pages, self._listener.seconds = self._hosts, self._pages, self._seconds
        self._port = int(self._listener.server_address[1])
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(LOOK_EVERY,), name="web", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown()
        self._thread.join()
        self._listener.server_close()
        self._listener.hang_up()

    def heed(self, hosts: Hosts) -> None:
        """From now on these are the names under which it answers."""
        self._hosts = self._listener.hosts = hosts

    @property
    def url(self) -> str:
        """Where it is reached on this machine, without a path."""
        return f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{self._port}"


def _listen(host: str, port: int) -> _Listener:
    kind = _Listener6 if ":" in host else _Listener
    try:
        return kind((host, port), _Handler)
    except OSError as error:
        raise MachineError(f"cannot listen on {host} port {port}: {_why(error)}.") from None


def _why(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another program does; stop that, or write another `listen` (or `web: off`) in the rules file"
    if error.errno == errno.EADDRNOTAVAIL:
        return "it is no address of this machine; write another `listen` in the rules file"
    if error.errno == errno.EACCES:
        return "this user may not; write a port above 1023 in the rules file"
    return f"{error.strerror}; write another `listen` (or `web: off`) in the rules file"


@dataclass(slots=True)
class _Connection:
    """One that is open."""

    until: float
    """When its time is over."""
    busy: bool = False
    """It has a request in hand."""
    shut: bool = False


class _Listener(ThreadingHTTPServer):
    """Knows its connections, so that none outstays its time and closing waits for nobody."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    hosts: Hosts
    pages: Pages
    seconds: float

    def __init__(self, *args: Any) -> None:
        self._connections: dict[socket.socket, _Connection] = {}
        self._changed = threading.Condition()
        super().__init__(*args)

    def server_bind(self) -> None:
        # Not HTTPServer's, which asks DNS for the name of this machine.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "", int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changed:
            room = self._make_room()
            if room:
                self._connections[request] = _Connection(time.monotonic() + self.seconds)
        if room:
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def _make_room(self) -> bool:
        open_ones = [(each, known) for each, known in self._connections.items() if not known.shut]
        if len(open_ones) < MOST_CONNECTIONS:
            return len(self._connections) < 2 * MOST_CONNECTIONS
        idle = [each for each in open_ones if not each[1].busy]
        if idle:
            self._shut(*min(idle, key=lambda each: each[1].until))
        return bool(idle) and len(self._connections) < 2 * MOST_CONNECTIONS

    def waits(self, request: socket.socket) -> None:
        """The connection waits for its next request."""
        with self._changed:
            known = self._connections[request]
            known.until, known.busy = time.monotonic() + self.seconds, False

    def works(self, request: socket.socket) -> None:
        """The connection has a request in hand, and as long again to take the answer."""
        with self._changed:
            known = self._connections[request]
            known.until, known.busy = time.monotonic() + self.seconds, True

    def service_actions(self) -> None:
        """Called now and then by the thread that listens."""
        now = time.monotonic()
        with self._changed:
            for connection, known in self._connections.items():
                if known.until < now:
                    self._shut(connection, known)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._changed:
            self._connections.pop(request, None)
            self._changed.notify_all()

    def hang_up(self) -> None:
        """Shut every connection, and wait a moment until each thread has seen it."""
        with self._changed:
            for connection, known in self._connections.items():
                self._shut(connection, known)
            self._changed.wait_for(lambda: not self._connections, CLOSING_SECONDS)

    def _shut(self, connection: socket.socket, known: _Connection) -> None:
        known.shut = True
        with contextlib.suppress(OSError):  # its client or its thread may have closed it just now
            connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error; of one of ours the kind is told, never what was sent."""
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            logs.fault("web", error)


class _Listener6(_Listener):
    address_family = socket.AF_INET6


class _Head:
    """Reads a request's head, and no more of it than a sane client sends."""

    def __init__(self, stream: BufferedReader) -> None:
        self._stream = stream
        self.left = HEAD_BYTES

    def readline(self, limit: int = HEAD_BYTES) -> bytes:
        found = self._stream.readline(min(limit, self.left + 1))
        self.left -= len(found)
        if self.left < 0:
            raise LineTooLong("header")
        return found

    def close(self) -> None:
        self._stream.close()


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # buffered: head and body leave in one packet
    disable_nagle_algorithm = True  # or, of a body over 8 KiB, in several, of which none waits for an acknowledgement
    timeout = SECONDS
    server: _Listener

    def setup(self) -> None:
        super().setup()
        self._head = _Head(cast(BufferedReader, self.rfile))
        self.rfile = cast(BufferedReader, self._head)

    def handle_one_request(self) -> None:
        self.close_connection = True
        self.command = ""
        self.server.waits(self.connection)
        self._head.left = HEAD_BYTES
        self.raw_requestline = self._head.readline(LINE_BYTES + 1)
        if not self.raw_requestline:
            return
        if len(self.raw_requestline) > LINE_BYTES:
            self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)
        elif self.parse_request():
            self.server.works(self.connection)
            # A body would be read as the next request.
            self.close_connection = self.close_connection or self._has_body()
            self._send(self._refusal() or self._answer())

    def _has_body(self) -> bool:
        return self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers

    def _refusal(self) -> Answer | None:
        """Why it is not let in; None where it is."""
        hosts = self.headers.get_all("Host", [])
        if len(hosts) > 1 or (not hosts and self.request_version != "HTTP/1.0") or not self.path.startswith("/"):
            return _said(HTTPStatus.BAD_REQUEST)
        if hosts and not self.server.hosts.allow(hosts[0].strip()):
            return line(
                "This name is not one of `web: {allowed_hosts: […]}` in the rules file.", HTTPStatus.MISDIRECTED_REQUEST
            )
        if self.command not in _METHODS:
            self.close_connection = True
            refused = _said(HTTPStatus.METHOD_NOT_ALLOWED)
            return Answer(refused.body, refused.status, headers={"Allow": ", ".join(_METHODS)})
        return None

    def _answer(self) -> Answer:
        path, _, query = self.path.partition("?")
        page = self.server.pages.get(path)
        if page is None:
            return line(f"There is no such page; there are {', '.join(self.server.pages)}.", HTTPStatus.NOT_FOUND)
        try:
            return page(Asked(path, query))
        except Exception as error:  # a fault of ours in one page is that page's alone
            logs.fault("web", error, page=path)
            return _said(HTTPStatus.INTERNAL_SERVER_ERROR)

    def _send(self, answer: Answer) -> None:
        # Of the oldest HTTP, or of what cannot be read at all: an answer without a head would be none.
        self.request_version = self.protocol_version
        self.send_response_only(answer.status)
        headers = {
            "Date": self.date_time_string(),
            "Content-Type": answer.content_type,
            "Content-Length": str(len(answer.body)),
            **ALWAYS,
            **answer.headers,
        }
        for name, value in headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        self.wfile.flush()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What http.server itself refuses: in our words, since its own repeat what was sent."""
        self.close_connection = True
        self._send(_said(HTTPStatus(code)))

    def handle_expect_100(self) -> bool:
        """Nobody waits for a body here."""
        return True

    def log_message(self, format: str, *args: object) -> None:
        """Nothing that was sent comes into the log."""


def _said(status: HTTPStatus) -> Answer:
    return Answer(f"{status.phrase}.\n".encode(), status, TEXT)
