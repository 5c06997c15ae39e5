"""Talk to the server as clients do, and as no client should."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from usage_watch.vitals import Vitals
from usage_watch.web.answer import Answer, Asked, Pages, line
from usage_watch.web.hosts import Hosts
from usage_watch.web.server import WebServer

AT = datetime(2026, 11, 22, 14, 5, tzinfo=UTC)
LONG = 20.0
"""Seconds after which a test that hangs is over."""
EVIL = "kestrel<script>"
"""Stands in what is sent; nothing may repeat it."""


@dataclass
class Ticks:
    """Seconds that go on when somebody says so."""

    at: float = 1_000.0

    def __call__(self) -> float:
        return self.at


def vitals(ticks: Ticks | None = None) -> Vitals:
    return Vitals(AT, ticks or Ticks())


def _fail(asked: Asked) -> Answer:
    raise ZeroDivisionError(EVIL)


PAGES: Pages = {
    "/": lambda asked: line("all"),
    "/query": lambda asked: line(asked.query),
    "/fails": _fail,
    "/long": lambda asked: Answer(b"x" * 50_000_000),
    "/own": lambda asked: Answer(b"<p>", headers={"Content-Security-Policy": "default-src 'self'"}),
}


@contextmanager
def serving(pages: Pages = PAGES, hosts: Hosts = Hosts(), seconds: float = 10.0) -> Iterator[WebServer]:  # noqa: B008
    with WebServer("127.0.0.1", 0, hosts, pages, seconds) as server:
        yield server


def connect(server: WebServer) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=LONG)


@dataclass(frozen=True)
class Said:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    """Names in small letters."""
    body: bytes
    raw: bytes


def read_all(client: socket.socket) -> bytes:
    """All that comes until the other side hangs up, in order or not."""
    found = b""
    try:
        while block := client.recv(65_536):
            found += block
    except ConnectionResetError:
        pass
    return found


def parsed(raw: bytes) -> Said:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in lines)}
    return Said(int(first.split()[1]), headers, body, raw)


def say(server: WebServer, sent: bytes) -> Said:
    """Send this and no more; all that is said until the connection ends."""
    with connect(server) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        return parsed(read_all(client))


def get(
    server: WebServer, path: str = "/", method: str = "GET", host: str | None = "localhost", more: str = ""
) -> Said:
    head = f"{method} {path} HTTP/1.1\r\n" + ("" if host is None else f"Host: {host}\r\n")
    return say(server, f"{head}{more}\r\n".encode())
