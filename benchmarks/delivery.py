"""How fast what is due is sent: to one webhook, to Slack at its pace, and beside a target that hangs.

python benchmarks/delivery.py
"""

from __future__ import annotations

import json
import logging
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Event
from zoneinfo import ZoneInfo

import httpx

from tests.fakes.scripted_http import Request, Step
from tests.fakes.slack_api import TOKEN, SlackApi
from tests.fakes.webhook_receiver import WebhookReceiver
from tests.journeys.office import job
from usage_watch.channels.webhook import WebhookSettings
from usage_watch.channels.webhook.body import webhook_body
from usage_watch.clock import SystemClock
from usage_watch.core.compose import Form, compose
from usage_watch.core.incident import Incident
from usage_watch.core.message import Contributor, Delivery, Evidence, Fact, Reason, RuleName, Severity
from usage_watch.core.promise import Notification, Post, Target
from usage_watch.deliver import Dispatch
from usage_watch.quickened import own_environment
from usage_watch.simulator import DEFAULT_KEY, Scenario, SimulatorServer
from usage_watch.store.alerts import AlertStore
from usage_watch.store.database import open_for_writing
from usage_watch.store.outbox import Outbox

DUE, BESIDE, PACED, RUNS = 1_000, 200, 30, 3
PATIENCE_S = 120.0
Figures = dict[str, object]


def main() -> None:
    """Print one JSON object; times in seconds."""
    logging.disable()
    print(json.dumps({"webhook": webhook(), "slack": slack(), "hanging": hanging()}))


# ---- a thousand to one webhook --------------------------------------------------------------------------------------


def webhook() -> Figures:
    """One round, beside the same bodies from somebody who keeps nothing, and who commits before and after each."""
    found = _incidents(DUE)
    bodies = [
        webhook_body(Delivery(post.id, post.message, post.conversation, 1, NOW)) for post in _posts(found, "hook")
    ]
    with receiver() as hook, tempfile.TemporaryDirectory() as folder, closing(_ledger(Path(folder))) as ledger:
        ours, _ = _drained(found, {"hook": hook.url})
        bare = _timed(lambda: _post_all(hook.url, bodies))
        durable = _timed(lambda: _post_all(hook.url, bodies, ledger))
        if len(hook.arrivals()) != 3 * DUE:
            raise SystemExit("not every message arrived")
    return {
        "messages": DUE,
        "round_s": round(ours, 3),
        "bare_posts_s": round(bare, 3),
        "ratio": round(ours / bare, 2),
        "posts_and_commits_s": round(durable, 3),
        "ratio_to_these": round(ours / durable, 2),
    }


def _post_all(url: str, bodies: Sequence[bytes], ledger: sqlite3.Connection | None = None) -> None:
    """Each on a connection of its own."""
    with httpx.Client(limits=httpx.Limits(max_keepalive_connections=0)) as client:
        for body in bodies:
            _commit(ledger)
            client.post(url, content=body).raise_for_status()
            _commit(ledger)


def _ledger(folder: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(folder / "ledger.db", isolation_level=None)
    connection.executescript("PRAGMA journal_mode = WAL; CREATE TABLE note (n INTEGER); INSERT INTO note VALUES (0)")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _commit(ledger: sqlite3.Connection | None) -> None:
    if ledger is not None:
        ledger.execute("UPDATE note SET n = n + 1")


# ---- Slack's pace ---------------------------------------------------------------------------------------------------

_RULES = """\
source: {{api_key: {{file: "{key}"}}, base_url: "{source}", backfill: 2d, poll_every: 1h}}
web: off
store: {{path: "{store}"}}
channels:
  ops: {{kind: slack, token: {{env: SLACK_TOKEN}}, channel: "#usage", base_url: "{slack}"}}
  pager: {{kind: webhook, url: "{hook}"}}
notify: [ops, pager]
rules:
"""


class Ops(SlackApi):
    """Notes when an alert was posted; the last one is not answered before that is known."""

    def __init__(self) -> None:
        super().__init__()
        self.came: list[float] = []
        self.done = Event()

    def respond(self, request: Request) -> Step:
        posts = request.path.endswith("chat.postMessage")
        if posts and request.json["metadata"]["event_payload"]["reason"] != "hello":
            self.came.append(time.monotonic())
        if len(self.came) == PACED:
            self.done.set()
        return super().respond(request)


def slack() -> Figures:
    """The daemon as users start it, on the machine's clock: as many rules find something, and tell two channels."""
    with Ops() as ops, receiver() as pager, tempfile.TemporaryDirectory() as folder:
        with _daemon(Path(folder), ops.base_url, pager.url):
            if not ops.done.wait(PATIENCE_S):
                raise SystemExit(f"only {len(ops.came)} messages came to Slack")
        machine = [at for at, _ in pager.arrivals()]
    gaps = [after - before for before, after in pairwise(ops.came)]
    return {
        "messages": PACED,
        "least_gap_s": round(min(gaps), 3),
        "mean_gap_s": round(statistics.mean(gaps), 3),
        "longest_gap_s": round(max(gaps), 3),
        "webhook_beside": {"messages": len(machine), "all_within_s": round(max(machine) - min(machine), 3)},
    }


@contextmanager
def _daemon(folder: Path, ops: str, pager: str) -> Iterator[None]:
    now = datetime.now(UTC)
    hour = now.replace(minute=0, second=0, microsecond=0)
    runaway = job(hour - timedelta(hours=4), 12, 9_000)
    scenario = Scenario(1, hour.replace(hour=0) - timedelta(days=3), lag=None, quiet=True, runaways=(runaway,))
    with SimulatorServer(scenario) as source:
        rules, key = folder / "rules.yaml", folder / "key"
        key.write_text(DEFAULT_KEY)
        head = _RULES.format(key=key, source=source.base_url, store=folder / "history.db", slack=ops, hook=pager)
        rules.write_text(
            head + "".join(f"  - {{id: rule-{n}, kind: threshold, above: {n + 1}}}\n" for n in range(PACED))
        )
        command = [sys.executable, "-m", "usage_watch", "--config", str(rules), "run"]
        environ = {**own_environment(), "SLACK_TOKEN": TOKEN}
        with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                yield
            finally:
                process.kill()


# ---- beside a target that hangs -------------------------------------------------------------------------------------


def hanging() -> Figures:
    """Two healthy targets with as many messages each, with and without a third that takes connections and is silent."""
    alone, beside = [], []
    for _ in range(RUNS):
        with receiver() as one, receiver() as other:
            alone.append(_both({"one": one, "other": other}, {}))
        with receiver() as one, receiver() as other, _silent() as silent:
            beside.append(_both({"one": one, "other": other}, {"silent": silent}))
    return {
        "messages_each": BESIDE,
        "alone_s": round(statistics.median(alone), 3),
        "beside_one_that_hangs_s": round(statistics.median(beside), 3),
        "ratio": round(statistics.median(beside) / statistics.median(alone), 2),
    }


def _both(healthy: Mapping[str, Receiver], hung: Mapping[str, str]) -> float:
    """Until the last message of the healthy ones was there."""
    _, began = _drained(_incidents(BESIDE), {**{name: each.url for name, each in healthy.items()}, **hung})
    came = [each.arrivals() for each in healthy.values()]
    if any(len(arrivals) != BESIDE for arrivals in came):
        raise SystemExit("not every message arrived")
    return max(at for arrivals in came for at, _ in arrivals) - began


@contextmanager
def _silent() -> Iterator[str]:
    """Its address: the kernel takes the connections, and nobody ever reads from them."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


# ---- what all of them need ------------------------------------------------------------------------------------------

NOW = datetime.now(UTC).replace(microsecond=0)


def _drained(found: Sequence[Incident], urls: Mapping[str, str]) -> tuple[float, float]:
    """Commit a message about each incident to each of these, and send them: how long that took, and its start."""
    channels = {name: WebhookSettings(kind="webhook", url=url) for name, url in urls.items()}
    with tempfile.TemporaryDirectory() as folder, open_for_writing(Path(folder, "history.db")) as database:
        AlertStore(database).commit(found, [], [], [post for name in urls for post in _posts(found, name)], NOW)
        outbox = Outbox(database)
        with closing(Dispatch(outbox, channels, {}, SystemClock(), Event(), Form({}, ZoneInfo("UTC")))) as dispatch:
            began = time.monotonic()
            while dispatch.round().sent:  # again, where it gave up waiting for who was slow
                pass
            return time.monotonic() - began, began


def _incidents(count: int) -> list[Incident]:
    """As many series of one rule over their limit."""
    return [_incident(number) for number in range(count)]


def _incident(number: int) -> Incident:
    value = 2_000.0 + number
    evidence = Evidence(
        dataset="credit_usage",
        bucket="1h",
        unit="credits",
        value=value,
        limit=2_000,
        score=None,
        from_at=NOW - timedelta(hours=1),
        until_at=NOW,
        summary=f"{value:,.0f} credits in 1 h, over the warning limit of 2,000",
        facts=(Fact("Usual for this hour", "310 to 490"), Fact("The limit", "2,000 credits in 1 h")),
        contributors=(
            Contributor("Model", "claude-opus-4-8", value - 400, 0.9),
            Contributor("Model", "sonar", 40, 0.1),
        ),
    )
    return Incident(
        id=f"inc_{number:012x}",
        fingerprint=f"{number:020x}",
        rule=RuleName("by-member", "threshold", "Credits of a member in an hour"),
        labels={"member": f"member-{number}@example.com"},
        part=None,
        period_at=None,
        started_at=NOW - timedelta(hours=1),
        ended_at=None,
        rank=2,
        severity=Severity.WARNING,
        evidence=evidence,
        sequence=1,
        history=False,
        closed=None,
        committed_at=NOW,
    )


def _posts(found: Sequence[Incident], target: str) -> list[Post]:
    keys = [Notification(each.id, target, Reason.FIRED, 1, each.rank, each.face) for each in found]
    form = Form({target: Target(people=False)}, ZoneInfo("UTC"))
    return compose(keys, {each.id: each for each in found}, (), {"by-member": NOW}, form, NOW)


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


Arrivals = list[tuple[float, str]]
"""When, by time.monotonic(), and which message."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """A healthy webhook, in a process of its own."""

    url: str
    arrivals: Callable[[], Arrivals]
    """What came so far."""


class _Noting(WebhookReceiver):
    def __init__(self) -> None:
        super().__init__()
        self.came: Arrivals = []

    def respond(self, request: Request) -> Step:
        self.came.append((time.monotonic(), request.headers.get("webhook-id", "")))
        return super().respond(request)


@contextmanager
def receiver() -> Iterator[Receiver]:
    """One that takes everything."""
    ours, theirs = Pipe()
    process = Process(target=_receive, args=(theirs,))
    process.start()

    def arrivals() -> Arrivals:
        ours.send("arrivals")
        came: Arrivals = ours.recv()
        return came

    try:
        yield Receiver(ours.recv(), arrivals)
    finally:
        ours.send(None)
        process.join()


def _receive(asked: Connection) -> None:
    with _Noting() as hook:
        asked.send(hook.url("/hook"))
        while asked.recv() is not None:
            asked.send(hook.came)


if __name__ == "__main__":
    main()
