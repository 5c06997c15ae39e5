"""A source, three collectors and a database on a clock that is stepped; and runs of the program among them."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import trustme

from tests.crashes.collectors import Finance, Memory, Ops, Pager, Taken
from tests.crashes.forking import Forks
from tests.crashes.haste import Haste
from tests.crashes.stories import RULE, Look, Story
from tests.crashes.tables import asked
from tests.fakes.slack_api import TOKEN, Posted
from usage_watch.clock import STEPPED, SteppedClock
from usage_watch.failpoints import VARIABLE
from usage_watch.simulator import DEFAULT_KEY, SimulatorServer

WAKE_EVERY = timedelta(minutes=2)
"""Longer than a lease and the first back-offs."""
MOST_WAKES = 12

DATABASE = "history.db"
KILLED = -signal.SIGKILL

_RULES = """\
timezone: Europe/Berlin
source: {{base_url: "{source}", backfill: 2d, poll_every: 1h}}
web: off
store: {{path: "{store}"}}
channels:
  ops: {{kind: slack, token: {{env: SLACK_TOKEN}}, channel: "#usage", base_url: "{slack}"}}
  finance: {{kind: email, host: 127.0.0.1, port: {smtp}, security: none, sender: usage-watch@example.com,
            recipients: [finance@example.com]}}
  pager: {{kind: webhook, url: "{hook}"}}
notify: [ops, finance, pager]
rules:
  - {rule}
"""
_WAITING = "SELECT count(*) FROM outbox WHERE state IN ('queued', 'leased', 'blocked')"
# A thread's first mail has the thread's id.
_ON_THEIR_WAY = """
SELECT outbox.target, CASE WHEN outbox.target = 'finance' AND ref IS NULL THEN conversation_id ELSE outbox.id END
FROM outbox JOIN conversation ON conversation.id = conversation_id WHERE state = 'leased'
"""


class OddEndError(Exception):
    """A run ended as none may."""


@dataclass(frozen=True)
class Moment:
    """The world as it stood before a run."""

    at: datetime
    store: Path
    memories: Mapping[str, Memory]
    messages: Mapping[str, Posted]


@dataclass(frozen=True)
class Ran:
    """One run: the fail points that it passed, and whether it died at the last of them."""

    points: tuple[str, ...]
    died: bool


class World:
    """One database, and everything about it. Made by `opened`."""

    def __init__(
        self,
        folder: Path,
        forks: Forks,
        clock: SteppedClock,
        haste: Haste,
        ops: Ops,
        finance: Finance,
        pager: Pager,
    ) -> None:
        self._folder, self._forks, self._ops = folder, forks, ops
        self._clock, self._haste = clock, haste
        self._memories = {"ops": ops.memory, "finance": finance.memory, "pager": pager.memory}
        self.store = folder / "store"
        self.store.mkdir()
        self._environ = {
            STEPPED: str(folder / "clock"),
            "NO_PROXY": "*",
            "SSL_CERT_FILE": str(folder / "ca.pem"),
            "PERPLEXITY_ANALYTICS_API_KEY": DEFAULT_KEY,
            "SLACK_TOKEN": TOKEN,
        }

    @property
    def database(self) -> Path:
        return self.store / DATABASE

    @property
    def taken(self) -> list[Taken]:
        """All that the collectors took; of each collector in its order."""
        return [each for memory in self._memories.values() for each in memory.taken]

    @property
    def shown(self) -> dict[str, str]:
        """What the first messages of Slack's conversations are corrected to."""
        rows = asked(self.database, "SELECT id, ref FROM conversation WHERE target = 'ops' AND ref IS NOT NULL")
        firsts = {str(name): self._ops.messages[str(ref).partition("/")[2]] for name, ref in rows}
        return {name: first.edits[-1]["text"] for name, first in firsts.items() if first.edits}

    def begin(self, look: Look) -> None:
        """It is time to look; and the collectors are as they are then."""
        self._clock.step(look.at)
        for name, fault in look.faults.items():
            self._memories[name].faults.append(fault)

    def run(self, die_at: int | None = None) -> Ran:
        """`usage-watch run --once`, which may have to die at a fail point (from 1)."""
        points, said = self._folder / "points", self._folder / "said"
        points.write_text("")
        wanted = str(points) if die_at is None else f"{points}@{die_at}"
        arguments = ["--config", str(self._folder / "rules.yaml"), "run", "--once"]
        code = self._forks.run(arguments, {**self._environ, VARIABLE: wanted}, said)
        if code == KILLED:
            # What it had sent arrives, and is taken.
            time.sleep(0.02)
        self._haste.over()
        # 4: a collector had its bad moment.
        if code not in ((0, 4) if die_at is None else (0, 4, KILLED)):
            raise OddEndError(f"ended with {code}: {said.read_text()[-2000:]}")
        return Ran(tuple(points.read_text().split()), code == KILLED)

    def waits(self) -> Iterator[None]:
        """While messages wait to be sent, minutes later each time."""
        for _ in range(MOST_WAKES):
            if not asked(self.database, _WAITING)[0][0]:
                return
            self._clock.step(self._clock.now() + WAKE_EVERY)
            yield
        raise OddEndError("messages wait and wait")

    def on_their_way(self) -> set[tuple[str, str]]:
        """What a process had in its hands when it died: targets, and ids as they know them.

        Asked of a copy: to look is to mend.
        """
        copy = self._folder / "dead"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.store, copy)
        database = copy / DATABASE
        if not database.exists() or not asked(database, "SELECT 1 FROM sqlite_master WHERE name = 'outbox'"):
            return set()
        return {(str(target), str(name)) for target, name in asked(database, _ON_THEIR_WAY)}

    def keep(self, name: str) -> Moment:
        """Remember how all stands."""
        store = self._folder / name
        shutil.copytree(self.store, store)
        memories = {name: Memory(list(memory.taken), list(memory.faults)) for name, memory in self._memories.items()}
        return Moment(self._clock.now(), store, memories, _copied(self._ops.messages))

    def restore(self, moment: Moment) -> None:
        """Make it stand so again."""
        self._clock.step(moment.at)
        shutil.rmtree(self.store)
        shutil.copytree(moment.store, self.store)
        for name, memory in moment.memories.items():
            self._memories[name].taken = list(memory.taken)
            self._memories[name].faults = list(memory.faults)
        self._ops.messages = _copied(moment.messages)


@contextmanager
def opened(folder: Path, story: Story) -> Iterator[World]:
    """A world in which nothing has happened yet."""
    clock = SteppedClock(folder / "clock")
    clock.step(story.looks[0].at)
    haste = Haste(clock)
    with (
        Forks() as forks,
        Ops(clock.now, story.readable, haste.posted) as ops,
        Finance() as finance,
        Pager() as pager,
        SimulatorServer(story.scenario, now=clock.now) as source,
    ):
        # The system's take 35 ms to read, for each client, and nothing here is encrypted.
        trustme.CA().cert_pem.write_to_path(str(folder / "ca.pem"))
        (folder / "rules.yaml").write_text(
            _RULES.format(
                source=source.base_url,
                store=folder / "store" / DATABASE,
                slack=ops.base_url,
                smtp=finance.port,
                hook=pager.url("/hook"),
                rule=RULE,
            )
        )
        yield World(folder, forks, clock, haste, ops, finance, pager)


def _copied(messages: Mapping[str, Posted]) -> dict[str, Posted]:
    return {ts: replace(message, edits=list(message.edits)) for ts, message in messages.items()}
