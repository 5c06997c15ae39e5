"""The analytics API over HTTP on loopback."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self
from urllib.parse import parse_qsl

from .alterations import Asked, as_the_api_knows_it
from .api import AnalyticsApi, Answer
from .faultkind import FaultKind
from .organization import Organization
from .outages import pick
from .reply import Ending, Reply, reply
from .scenario import Scenario
from .usage import Usage

DEFAULT_KEY = "simulated-analytics-key"  # no secret: it opens made-up numbers alone
LONGEST_RECORD = 10_000
_CLOSING_SECONDS = 2.0
_DRIP_SECONDS = 0.01
_NO_LINGER = struct.pack("ii", 1, 0)
"""As SO_LINGER: closing resets the connection."""


def utc_now() -> datetime:
    """The real time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request that was answered. Headers are left out: they hold the key."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    status: int
    fault: FaultKind | None = None
    """What was wrong with the answer on purpose."""


class SimulatorServer:
    """Serves a scenario while its `with` block lasts; raises OSError when the port cannot be had.

    `now` gives the simulated time, and is called once a request. `api` may be replaced at any time:
    `server.api = dataclasses.replace(server.api, key="another")` revokes the key.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        organization: Organization | None = None,
        key: str = DEFAULT_KEY,
        now: Callable[[], datetime] = utc_now,
        port: int = 0,
        enabled: bool = True,
        old_shape: bool | Literal["Model"] = False,
    ) -> None:
        self.api = AnalyticsApi(Usage(scenario, organization), key, enabled, old_shape)
        self.now = now
        self.requests: deque[RecordedRequest] = deque(maxlen=LONGEST_RECORD)
        self._port = port
        self._outages = scenario.faults
        self._met = (0,) * len(scenario.faults)
        self._counting = threading.Lock()

    def __enter__(self) -> Self:
        self._listener = _Listener(("127.0.0.1", self._port), _Handler)
        self._listener.simulator = self
        self.base_url = f"http://127.0.0.1:{self._listener.server_address[1]}"
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.over.set()
        self._listener.shutdown()
        self._thread.join()
        self._listener.server_close()
        self._listener.hang_up()

    def fault(self, answer: Answer, asked: Asked) -> FaultKind | None:
        """The fault that the scenario has for this request, which is counted."""
        with self._counting:
            kind, self._met = pick(self._outages, self._met, answer, asked)
        return kind


class _Listener(ThreadingHTTPServer):
    """Knows its open connections, so that closing does not wait for clients that keep theirs alive."""

    daemon_threads = True
    request_queue_size = 64
    simulator: SimulatorServer

    def __init__(self, *args: Any) -> None:
        self._connections: set[socket.socket] = set()
        self._changed = threading.Condition()
        self.over = threading.Event()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changed:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(_NO_LINGER)) == _NO_LINGER:
            # An orderly end would come before the reset.
            self.close_request(request)
        else:
            super().shutdown_request(request)
        with self._changed:
            self._connections.discard(request)
            self._changed.notify_all()

    def hang_up(self) -> None:
        with self._changed:
            for connection in self._connections:
                with contextlib.suppress(OSError):  # its client or its thread may have closed it just now
                    connection.shutdown(socket.SHUT_RDWR)
            self._changed.wait_for(lambda: not self._connections, _CLOSING_SECONDS)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of the server."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # buffered: status line, headers and body leave in one packet
    disable_nagle_algorithm = True  # or, of a body over 8 KiB, in several, of which none waits for an acknowledgement
    timeout = 10  # seconds that a silent client keeps its connection
    server: _Listener

    def _respond(self) -> None:
        simulator = self.server.simulator
        path, _, text = self.path.partition("?")
        query = tuple(parse_qsl(text, keep_blank_values=True))
        now = simulator.now()
        headers = dict(self.headers.items())
        answer = simulator.api.answer(self.command, path, as_the_api_knows_it(query), headers, now)
        asked = Asked.of(query, now)
        fault = simulator.fault(answer, asked) if self.command == "GET" else None
        # A body would be read as the next request.
        self.close_connection = self.close_connection or self.command != "GET"
        sent = reply(answer, fault, asked)
        simulator.requests.append(RecordedRequest(self.command, path, query, sent.status, fault))
        self._send(sent, now)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _respond  # noqa: N815

    def _send(self, sent: Reply, now: datetime) -> None:
        # Only the end of the connection ends a body whose length is not told.
        self.close_connection = self.close_connection or sent.length is None
        self.send_response_only(sent.status)
        for name, value in self._headers(sent, now).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(sent.body)
        self._end(sent.ending)

    def _headers(self, sent: Reply, now: datetime) -> dict[str, str]:
        headers = {"Date": format_datetime(now.astimezone(UTC), usegmt=True), **sent.headers}
        if sent.length is not None:
            headers["Content-Length"] = str(sent.length)
        if self.close_connection:
            headers["Connection"] = "close"
        return headers

    def _end(self, ending: Ending) -> None:
        self.close_connection = self.close_connection or ending is not Ending.NEXT
        if ending is Ending.RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        while ending is Ending.DRIP and not self.server.over.wait(_DRIP_SECONDS):
            self.wfile.write(b" ")
            self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Requests are recorded, not printed."""
