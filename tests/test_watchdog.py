from __future__ import annotations

import socket
import time
from dataclasses import dataclass

import pytest

from usage_watch.watchdog import Watchdog

CONNECTED = "connection.connect_tcp.complete"


@dataclass
class Stream:
    """What httpcore gives for a connection."""

    socket: socket.socket

    def get_extra_info(self, name: str) -> object:
        return getattr(self, name)


def expire(dog: Watchdog) -> None:
    with dog.watch():
        while not dog.expired:
            time.sleep(0.001)


def test_the_socket_of_the_connection_is_shut_at_the_deadline() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        dog = Watchdog(0.01)
        dog.trace(CONNECTED, {"return_value": Stream(ours)})
        expire(dog)
        assert ours.recv(1) == theirs.recv(1) == b""


@pytest.mark.parametrize("event", [CONNECTED, "connection.start_tls.complete", "proxy.start_tls.complete"])
def test_a_connection_that_comes_about_after_the_deadline_is_shut_at_once(event: str) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        dog = Watchdog(0.01)
        expire(dog)
        dog.trace(event, {"return_value": Stream(ours)})
        assert ours.recv(1) == b""


def test_a_socket_that_is_closed_already_is_no_matter() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    theirs.close()
    dog = Watchdog(0.01)
    dog.trace(CONNECTED, {"return_value": Stream(ours)})
    expire(dog)


def test_each_watch_begins_anew() -> None:
    dog = Watchdog(0.01)
    expire(dog)
    dog.seconds = 60
    with dog.watch():
        assert not dog.expired
