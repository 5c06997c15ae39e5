"""The real daemon on a stepped clock, and whatever may become of the disk under its database."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from tests.fakes.alertmanager import eventually
from tests.fakes.webhook_receiver import WebhookReceiver
from tests.web.talking import LONG
from usage_watch.clock import STEPPED, SteppedClock
from usage_watch.quickened import own_environment
from usage_watch.simulator import DEFAULT_KEY, Runaway, Scenario, SimulatorServer

START = datetime(2026, 11, 20, 0, 5, tzinfo=UTC)
AGAIN = timedelta(seconds=30)
QUARTER = timedelta(minutes=15)

RULES = """\
source: {{base_url: "{source}", backfill: 2d}}
store: {{path: "{store}"}}
web: {{listen: 127.0.0.1:0}}
heartbeat: {{url: {{env: HEARTBEAT}}}}
channels:
  pager: {{kind: webhook, url: "{pager}"}}
  admin: {{kind: webhook, url: "{admin}"}}
notify: [pager]
meta: {{notify: [admin]}}
rules:
  - {{id: loud, kind: threshold, above: 2_000}}
"""


def jobs(*hours: int) -> Sequence[Runaway]:
    """An hour too loud for each of these, counted from midnight."""
    return [Runaway("priya.nair@example.com", "claude-opus-4-8", hour(at), 1, 9_000) for at in hours]


def hour(number: float) -> datetime:
    return START.replace(minute=0) + timedelta(hours=number)


@dataclass
class Trouble:
    """A daemon of its own; `pager` is told of usage, `admin` of the watcher itself."""

    store: Path
    rules: Path
    clock: SteppedClock
    source: SimulatorServer
    pager: WebhookReceiver
    admin: WebhookReceiver
    heard: WebhookReceiver
    command: Sequence[str]
    environ: dict[str, str]
    process: subprocess.Popen[str] | None = None
    log: list[str] = field(default_factory=list)
    reader: Thread | None = None
    preexec: Callable[[], None] | None = None

    def start(self) -> None:
        self.log = []
        self.process = subprocess.Popen(
            self.command, env=self.environ, stderr=subprocess.PIPE, text=True, preexec_fn=self.preexec
        )
        pipe, log = self.process.stderr, self.log
        assert pipe is not None

        def follow() -> None:
            with pipe:
                log.extend(pipe)

        self.reader = Thread(target=follow)
        self.reader.start()

    def end(self, kill: bool = False) -> int:
        """Its exit code."""
        process, self.process = self.process, None
        assert process is not None
        assert self.reader is not None
        process.kill() if kill else process.terminate()
        code = process.wait(LONG)
        self.reader.join()
        return code

    def ended(self) -> int:
        """Its exit code, where it ends by itself."""
        assert self.process is not None
        code = self.process.wait(LONG)
        self.end()
        return code

    def count(self, event: str) -> int:
        return sum(f" {event} " in line for line in [*self.log])

    def awaited(self, event: str, more_than: int = 0) -> None:
        assert eventually(lambda: self.count(event) > more_than or self._gone), self.log
        assert self.count(event) > more_than, self.log

    @property
    def _gone(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    @property
    def attempts(self) -> int:
        """Cycles, done or not."""
        return self.count("cycle.done") + self.count("cycle.hindered")

    def step(self, by: timedelta = QUARTER) -> None:
        """One more cycle, so much later."""
        before = self.attempts
        self.clock.step(self.clock.now() + by)
        assert eventually(lambda: self.attempts > before or self._gone), self.log
        assert not self._gone, self.log

    def step_until(self, event: str, by: timedelta = QUARTER, most: int = 200) -> None:
        """Until that was logged once more."""
        before = self.count(event)
        for _ in range(most):
            self.step(by)
            if self.count(event) > before:
                return
        raise AssertionError(f"no {event} in {most} cycles: {self.log[-5:]}")

    def live(self, until: datetime, by: timedelta = QUARTER) -> None:
        while self.clock.now() < until:
            self.step(by)

    def told(self, receiver: WebhookReceiver | None = None) -> list[tuple[str, str, str]]:
        """Rule, reason and start of everything that came."""
        bodies = [request.json for request in (receiver or self.pager).requests]
        return [(each["rule"]["id"], each["reason"], each["incident"]["started_at"][11:16]) for each in bodies]

    def get(self, path: str) -> httpx.Response:
        (url,) = re.findall(r" web\.listening url=(\S+)", "".join(self.log))
        return httpx.get(url + path, trust_env=False, timeout=LONG)

    def metric(self, name: str) -> float:
        text = self.get("/metrics").text
        (found,) = re.findall(rf"^{re.escape(name)} (\S+)$", text, re.M)
        return float(found)

    def checked(self) -> str:
        """What SQLite says of the file."""
        with closing(sqlite3.connect(self.store)) as connection:
            return str(connection.execute("PRAGMA integrity_check").fetchone()[0])

    def rows(self, sql: str) -> list[Any]:
        with closing(sqlite3.connect(self.store)) as connection:
            return connection.execute(sql).fetchall()


@contextmanager
def trouble(folder: Path, disk: Path, *loud: int, rules: str = RULES) -> Iterator[Trouble]:
    """Not yet started. The database stands on `disk`; `loud` are the hours that are told of."""
    clock = SteppedClock(folder / "clock")
    clock.step(START)
    trickle = Runaway("ana@example.com", "claude-opus-4-8", hour(-48), 240, 100)
    story = Scenario(1, hour(-72), lag=None, quiet=True, runaways=(*jobs(*loud), trickle))
    with (
        SimulatorServer(story, now=clock.now) as source,
        WebhookReceiver() as pager,
        WebhookReceiver() as admin,
        WebhookReceiver() as heard,
    ):
        path, store = folder / "rules.yaml", disk / "usage.db"
        path.write_text(rules.format(source=source.base_url, store=store, pager=pager.url("/p"), admin=admin.url("/a")))
        environ = {
            **own_environment(),
            STEPPED: str(folder / "clock"),
            "PERPLEXITY_ANALYTICS_API_KEY": DEFAULT_KEY,
            "HEARTBEAT": heard.url("/beat"),
        }
        command = [sys.executable, "-m", "usage_watch", "--config", str(path), "-v", "run"]
        made = Trouble(store, path, clock, source, pager, admin, heard, command, environ)
        try:
            yield made
        finally:
            if made.process is not None:
                made.end(kill=True)


@contextmanager
def mounted(at: Path, *options: str) -> Iterator[Path]:
    """A small file system of its own; skips the test where that is not allowed."""
    at.mkdir(exist_ok=True)
    done = subprocess.run(["mount", *options, str(at)], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
    try:
        yield at
    finally:
        # A process that has just been killed may not be gone yet.
        subprocess.run(["umount", "--lazy", str(at)], check=True)


def fill(disk: Path, leave: int = 0) -> Path:
    """Take all the room there is, but for so many bytes."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            file.truncate(max(0, file.tell() - leave))
    return ballast


requires_mount = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
