"""What systemd is told, at a real socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from usage_watch.systemd import Supervisor

EVERY_8_S = {"WATCHDOG_USEC": "8000000"}


class Ticks:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Manager:
    """Stands where systemd does."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.setblocking(False)
        self.environ = {"NOTIFY_SOCKET": address.replace("\0", "@", 1)}

    def told(self) -> list[str]:
        """What came since this was last asked, a message each: all of it is there when a sender goes on."""
        found = []
        while True:
            try:
                found.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return found

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["/path", "\0abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    name = f"\0usage-watch-{os.getpid()}" if request.param == "\0abstract" else str(tmp_path / "notify")
    manager = Manager(name)
    yield manager
    manager.close()


def test_it_is_told_of_each_turn_of_a_life(manager: Manager) -> None:
    supervisor = Supervisor(manager.environ, ticks=Ticks())
    supervisor.ready("starting")
    supervisor.status("3 rules; 1 alert open")
    supervisor.reloading()
    supervisor.ready("4 rules")
    supervisor.stopping()
    assert manager.told() == [
        "READY=1\nSTATUS=starting",
        "STATUS=3 rules; 1 alert open",
        "RELOADING=1\nMONOTONIC_USEC=1000000000",
        "READY=1\nSTATUS=4 rules",
        "STOPPING=1",
    ]


def test_signs_of_life_are_passed_on_each_quarter_of_what_is_allowed(manager: Manager) -> None:
    ticks = Ticks()
    supervisor = Supervisor(manager.environ | EVERY_8_S, ticks=ticks)
    assert supervisor.every == 2.0
    passed_on = []
    for _ in range(9):
        supervisor.alive()
        passed_on += [(ticks.now, said) for said in manager.told()]
        ticks.now += 0.5
    assert passed_on == [(1000.0, "WATCHDOG=1"), (1002.0, "WATCHDOG=1"), (1004.0, "WATCHDOG=1")]


@pytest.mark.parametrize(
    ("watchdog", "awaited"),
    [
        ({"WATCHDOG_PID": "77"}, True),
        ({}, True),  # systemd always names one; others need not
        ({"WATCHDOG_PID": "78"}, False),
        ({"WATCHDOG_PID": ""}, False),
        ({"WATCHDOG_USEC": "0"}, False),
        ({"WATCHDOG_USEC": "-1"}, False),
        ({"WATCHDOG_USEC": "soon"}, False),
        ({"WATCHDOG_USEC": "²"}, False),
        ({"WATCHDOG_USEC": ""}, False),
    ],
)
def test_signs_are_given_where_ours_are_awaited(manager: Manager, watchdog: Mapping[str, str], awaited: bool) -> None:
    supervisor = Supervisor({**manager.environ, **EVERY_8_S, **watchdog}, pid=77)
    supervisor.alive()
    assert manager.told() == ["WATCHDOG=1"] * awaited
    assert (supervisor.every is not None) is awaited


def test_without_a_watchdog_no_signs_are_sent(manager: Manager) -> None:
    Supervisor(manager.environ).alive()
    assert manager.told() == []


def test_a_status_is_one_short_line_that_can_say_nothing_else(manager: Manager) -> None:
    supervisor = Supervisor(manager.environ)
    supervisor.status("fine\nMAINPID=1\n\x1b[2Jr\u00e9sum\u00e9 \udcff" + "x" * 5000)
    [said] = manager.told()
    assert said.startswith("STATUS=fine MAINPID=1 [2Jr\u00e9sum\u00e9 xxx")
    assert "\n" not in said
    assert len(said) == len("STATUS=") + 300


def everything(supervisor: Supervisor) -> None:
    supervisor.ready("ready")
    supervisor.status("fine")
    supervisor.alive()
    supervisor.reloading()
    supervisor.stopping()


@pytest.mark.parametrize(
    "address", ["", "relative", "vsock:2:1234", "/" + "x" * 200, "@" + "x" * 200, "/nowhere/at/all"]
)
def test_where_nobody_listens_nothing_happens(address: str) -> None:
    everything(Supervisor({"NOTIFY_SOCKET": address, **EVERY_8_S}))


def test_without_a_supervisor_nothing_happens() -> None:
    supervisor = Supervisor(EVERY_8_S)
    everything(supervisor)
    assert supervisor.every is None


def test_one_that_went_away_does_no_harm(manager: Manager) -> None:
    manager.close()
    everything(Supervisor(manager.environ | EVERY_8_S))


def test_what_does_not_fit_into_its_queue_is_left_out(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("usage_watch.systemd._PATIENCE", 0.01)
    supervisor = Supervisor(manager.environ)
    sent = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text()) + 3
    for number in range(sent):
        supervisor.status(str(number))
    kept = manager.told()
    assert kept == [f"STATUS={number}" for number in range(len(kept))]
    assert 0 < len(kept) < sent
    supervisor.stopping()
    assert manager.told() == ["STOPPING=1"]
