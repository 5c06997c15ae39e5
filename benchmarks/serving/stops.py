"""SIGTERM, wherever it meets the daemon: how long until it has ended, and with which code."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from threading import Event, Thread

from serving.world import NOW, World, fill, fresh

Figures = dict[str, object]
ROUNDS = 8
_PATIENCE_S = 60.0


def stops(world: World, python: Path | None) -> Figures:
    """While it waits; in the midst of a backfill of two years; while two channels take a message and say nothing."""
    fill(world, world.folder / "90d.db", 90)
    return {
        "idle": _figure([_idle(world, number, python) for number in range(ROUNDS)]),
        "backfill": _figure([_backfilling(world, number, python) for number in range(ROUNDS)]),
        "hanging_delivery": _figure([_hanging(world, number, python) for number in range(ROUNDS)]),
    }


def _figure(found: list[tuple[int, float]]) -> Figures:
    return {
        "rounds": len(found),
        "codes": sorted({code for code, _ in found}),
        "longest_s": round(max(seconds for _, seconds in found), 3),
    }


def _idle(world: World, number: int, python: Path | None) -> tuple[int, float]:
    with world.daemon(_history(world), python=python) as daemon:
        daemon.start()
        daemon.cycle()
        time.sleep(Random(number).uniform(0, 0.2))
        return daemon.stop()


def _backfilling(world: World, number: int, python: Path | None) -> tuple[int, float]:
    path = fresh(world.folder / "stopped.db")
    with world.daemon(path, backfill="730d", python=python) as daemon:
        before = len(world.source.requests)
        daemon.start()
        _until(lambda: len(world.source.requests) > before + 5 * number)
        time.sleep(Random(number).uniform(0, 0.1))
        return daemon.stop()


def _hanging(world: World, number: int, python: Path | None) -> tuple[int, float]:
    """Its greeting goes to a mail server that says nothing, and an alert to a webhook that does not either."""
    with _silent() as mail, _silent() as hook:
        daemon = world.daemon(
            _history(world),
            rules=("{id: loud, kind: threshold, dataset: connectors, above: 0.5, window: 24h}",),
            hook=f"http://127.0.0.1:{hook.port}/hook",
            mail=mail.port,
            python=python,
        )
        with daemon:
            daemon.start()
            for each in (mail, hook):
                _until(each.met.is_set)
            time.sleep(Random(number).uniform(0, 2))
            return daemon.stop()


class _Silence:
    """Takes connections and what comes over them, and never says a word."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._taken: list[socket.socket] = []
        self.met = Event()
        self.port = int(self._socket.getsockname()[1])
        Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        with suppress(OSError):
            while True:
                self._taken.append(self._socket.accept()[0])
                self.met.set()

    def close(self) -> None:
        """Hang up on all."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        for each in (self._socket, *self._taken):
            each.close()


@contextmanager
def _silent() -> Iterator[_Silence]:
    silence = _Silence()
    try:
        yield silence
    finally:
        silence.close()


def _history(world: World) -> Path:
    world.clock.step(NOW)
    path = fresh(world.folder / "stopped.db")
    shutil.copy(world.folder / "90d.db", path)
    return path


def _until(condition: object) -> None:
    assert callable(condition)
    until = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > until:
            raise SystemExit("what was waited for never came")
        time.sleep(0.005)
