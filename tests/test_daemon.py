from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from tests.fakes.scripted_http import Answer
from tests.fakes.webhook_receiver import WebhookReceiver
from tests.listening import listening
from usage_watch import daemon
from usage_watch.assess import Outcome
from usage_watch.calls import Calls
from usage_watch.clock import Called
from usage_watch.config import load
from usage_watch.cycle import Cycle, Summary
from usage_watch.deliver import Delivered
from usage_watch.fetch import Fetched
from usage_watch.simulator import DEFAULT_KEY, Runaway, Scenario, SimulatorServer
from usage_watch.store.database import open_for_writing

MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
EVERY = timedelta(minutes=15)

RULES = """\
source: {{base_url: "{source}", backfill: 2d}}
channels:
  pager: {{kind: webhook, url: "{hook}"}}
notify: [pager]
rules:
  - {{id: hourly, kind: threshold, above: 2_000}}
"""


@dataclass
class Hurried:
    """A clock that is where it is waited for; it tells the daemon to stop when so many waits are over."""

    at: datetime
    most: int
    waits: list[datetime] = field(default_factory=list)
    calls: Calls = field(default_factory=Calls)

    def now(self) -> datetime:
        return self.at

    def wait(self, until: datetime, bell: Event, called: Called) -> None:
        self.waits.append(until)
        self.at = max(until, self.at)
        if len(self.waits) == self.most:
            self.calls.set()


@dataclass
class Night:
    """A job that runs from one to two, and a daemon that watches for so many cycles."""

    source: SimulatorServer
    pager: WebhookReceiver
    clock: Hurried
    folder: Path

    def watch(self, cycles: int) -> list[dict[str, object]]:
        """What the daemon says of each cycle."""
        self.clock.most = len(self.clock.waits) + cycles
        stop = self.clock.calls = Calls()
        if cycles == 0:
            stop.set()
        environ = {"PERPLEXITY_ANALYTICS_API_KEY": DEFAULT_KEY}
        with (
            open_for_writing(self.folder / "usage-watch.db") as database,
            Cycle(load(self.folder / "rules.yaml"), database, self.clock, stop, environ) as cycle,
            listening(logging.DEBUG) as heard,
        ):
            daemon.run(cycle, self.clock, stop)
        return [fields for name, fields in zip(heard.names, heard.fields, strict=True) if name == "cycle.done"]


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    clock = Hurried(MIDNIGHT, 0)
    job = Runaway("priya.nair@example.com", "claude-opus-4-8", MIDNIGHT + timedelta(hours=1), 1, 9_000)
    story = Scenario(1, MIDNIGHT - timedelta(days=5), lag=None, quiet=True, runaways=(job,))
    with SimulatorServer(story, now=clock.now) as source, WebhookReceiver() as pager:
        text = RULES.format(source=source.base_url, hook=pager.url())
        (tmp_path / "rules.yaml").write_text(text)
        yield Night(source, pager, clock, tmp_path)


def test_it_polls_until_it_is_told_to_stop(night: Night) -> None:
    said = night.watch(10)
    assert night.clock.waits == [MIDNIGHT + EVERY * number for number in range(1, 11)]
    assert [each["told"] for each in said] == [0] * 8 + [1, 0]
    assert [each["next_at"] for each in said] == night.clock.waits
    assert [request.json["reason"] for request in night.pager.requests] == ["fired"]


def test_told_to_stop_before_it_began_it_does_nothing(night: Night) -> None:
    assert night.watch(0) == []
    assert (night.clock.waits, len(night.source.requests)) == ([], 0)


def test_a_source_that_fails_is_waited_for(night: Night) -> None:
    night.source.api = replace(night.source.api, enabled=False)
    said = night.watch(2)
    assert [each["polled"] for each in said] == [0, 0]
    assert night.clock.waits == [MIDNIGHT + timedelta(minutes=1), MIDNIGHT + timedelta(minutes=61)]
    night.source.api = replace(night.source.api, enabled=True)
    assert night.watch(1)[0]["polled"] == 2


def test_a_receiver_that_fails_is_waited_for_and_told_in_the_end(night: Night) -> None:
    night.pager.script.extend([Answer(503, headers={"Retry-After": "5"})] * 3)
    said = night.watch(15)
    assert [each["sent"] for each in said] == [0] * 11 + [1] + [0] * 3
    assert len({request.headers["webhook-id"] for request in night.pager.requests}) == 1
    assert len(night.pager.requests) == 4


CLUSTER = RULES.replace("kind: webhook", "kind: alertmanager")
FIVE = timedelta(minutes=5)


def test_a_target_by_state_is_told_every_five_minutes_what_stands(night: Night) -> None:
    text = CLUSTER.format(source=night.source.base_url, hook=night.pager.url())
    (night.folder / "rules.yaml").write_text(text)
    said = night.watch(48)
    assert night.clock.waits == [MIDNIGHT + FIVE * number for number in range(1, 49)]
    assert [each["told"] for each in said].count(1) == [each["sent"] for each in said].count(1) == 1
    alerts = [alert for request in night.pager.requests for alert in request.json]
    first_at = datetime.fromisoformat(alerts[0]["endsAt"]) - timedelta(minutes=20)
    assert first_at == MIDNIGHT + timedelta(hours=2)
    again = [first_at + FIVE * number for number in range(len(alerts))]
    assert [alert["endsAt"] for alert in alerts] == [f"{at + timedelta(minutes=20):%FT%TZ}" for at in again]
    assert len(alerts) == 24
    night.watch(1)
    assert len(night.pager.requests) == 25, "a restart tells at once"


def test_that_it_is_not_told_again_is_told_to_others(night: Night) -> None:
    with WebhookReceiver() as other:
        text = CLUSTER.format(source=night.source.base_url, hook=night.pager.url())
        both = text.replace("channels:\n", f'channels:\n  other: {{kind: webhook, url: "{other.url()}"}}\n')
        (night.folder / "rules.yaml").write_text(both.replace("notify: [pager]", "notify: [pager, other]"))
        night.watch(25)
        night.pager.script.extend([Answer(503)] * 16)
        night.watch(30)
        told = [(each.json["rule"]["id"], each.json["reason"], each.json["sent_at"][11:16]) for each in other.requests]
    assert told[1:] == [("meta:delivery_lagging", "fired", "02:20"), ("meta:delivery_lagging", "resolved", "02:21")]


def test_one_event_says_what_a_cycle_did() -> None:
    summary = Summary(Fetched(2, 2, 75, 3, ("no",)), Outcome(), Delivered(4, ("no",)), MIDNIGHT)
    with listening(logging.DEBUG) as heard:
        daemon.log(summary)
    assert heard.fields == [
        {"polled": 2, "new": 75, "changed": 3, "told": 0, "sent": 4, "next_at": MIDNIGHT},
    ]
