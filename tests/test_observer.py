from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from tests.fakes.scripted_http import Answer
from tests.fakes.webhook_receiver import WebhookReceiver
from tests.listening import listening
from usage_watch.clock import SteppedClock
from usage_watch.config import load
from usage_watch.core.silence import Ack
from usage_watch.cycle import Cycle
from usage_watch.fetch import silent
from usage_watch.heartbeat import Heartbeat
from usage_watch.observer import Observer
from usage_watch.secret import SecretRef
from usage_watch.simulator import DEFAULT_KEY, Runaway, Scenario, SimulatorServer
from usage_watch.store.alerts import AlertStore
from usage_watch.store.database import Database, open_for_writing
from usage_watch.store.silences import SilenceStore
from usage_watch.systemd import Supervisor
from usage_watch.vitals import AlertGauge, ChannelGauge, Snapshot, Vitals

NOW = datetime(2026, 11, 20, 3, 5, tzinfo=UTC)
ONE = NOW.replace(hour=1, minute=0)
KEY = "PERPLEXITY_ANALYTICS_API_KEY"
MEMBER = "priya.nair@example.com"

RULES = """\
source: {{base_url: "{source}", backfill: 4d}}
channels:
  pager: {{kind: webhook, url: "{hook}"}}
  other: {{kind: webhook, url: "{other}"}}
notify: [pager]
meta: {{notify: [other]}}
rules:
  - {{id: hourly, kind: threshold, above: {{warning: 2_000, critical: 20_000}}}}
  - {{id: hers, kind: threshold, where: {{member: {member}}}, above: 90_000}}
  - {{id: his, kind: threshold, where: {{member: ana@example.com}}, above: 90_000}}
  - {{id: cycle, kind: budget, limit: 900_000, forecast: off, burn: off}}
  - {{id: rolling, kind: budget, limit: 900_000, period: {{rolling: 2d}}}}
  - {{id: pool, kind: budget, of: pool, limit: 900_000}}
  - {{id: each, kind: budget, for_each: member, limit: 900_000}}
  - {{id: of-her, kind: budget, where: {{member: {member}}}, limit: 900_000}}
  - {{id: later, kind: budget, limit: 5, period: {{every: 30d, from: 2027-01-01}}}}
seats: {{default: 100}}
"""


@dataclass
class World:
    """A job from one to three in the night; a source, two receivers, and a daemon's cycles at will."""

    source: SimulatorServer
    pager: WebhookReceiver
    other: WebhookReceiver
    clock: SteppedClock
    rules: Path
    database: Database
    vitals: Vitals
    observer: Observer
    cycle: Cycle

    def turn(self, after: timedelta = timedelta()) -> Snapshot:
        """One turn of the loop, so much later."""
        self.clock.step(self.clock.now() + after)
        self.observer.turned(self.cycle.run(), 0.5)
        assert self.vitals.snapshot is not None
        return self.vitals.snapshot


@contextmanager
def opened(folder: Path, source: SimulatorServer, clock: SteppedClock) -> Iterator[World]:
    rules, environ = folder / "rules.yaml", {KEY: DEFAULT_KEY}
    with WebhookReceiver() as pager, WebhookReceiver() as other:
        rules.write_text(
            RULES.format(source=source.base_url, hook=pager.url("/hook"), other=other.url("/hook"), member=MEMBER)
        )
        config = load(rules)
        with open_for_writing(folder / "usage-watch.db") as database:
            vitals = Vitals(clock.now())
            observer = Observer(vitals, config, database, clock)
            with Cycle(config, database, clock, Event(), environ, silent) as cycle:
                yield World(source, pager, other, clock, rules, database, vitals, observer, cycle)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    clock = SteppedClock(tmp_path / "clock")
    clock.step(NOW)
    job = Runaway(MEMBER, "claude-opus-4-8", ONE, 2, 9_000)
    story = Scenario(1, ONE.replace(hour=0) - timedelta(days=5), lag=None, quiet=True, runaways=(job,))
    with SimulatorServer(story, now=clock.now) as source, opened(tmp_path, source, clock) as found:
        yield found


def test_before_the_first_turn_there_is_nothing(world: World) -> None:
    assert world.vitals.snapshot is None
    world.observer.beat()
    assert world.vitals.snapshot is None


def test_after_it_every_feed_is_as_fresh_as_it_is(world: World) -> None:
    found = world.turn()
    assert {each.feed for each in found.feeds} == {
        "credit_usage 1h",
        "credit_usage 1h one-member",
        "credit_usage 1d each-member",
    }
    assert {each.read_at for each in found.feeds} == {NOW.timestamp()}
    until = {each.feed: each.data_until for each in found.feeds}
    assert until["credit_usage 1h"] == int(NOW.replace(minute=0).timestamp())
    assert found.polls == {
        ("credit_usage 1h", "success"): 1,
        ("credit_usage 1h one-member", "success"): 2,
        ("credit_usage 1d each-member", "success"): 1,
    }
    assert found.accounted
    assert (found.turns, found.turned_for) == (1, 0.5)
    assert found.database_bytes > 50_000


def test_systemd_is_told_that_it_lives_and_how_it_goes(world: World, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        supervisor = Supervisor({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "8000000"})
        observer = Observer(world.vitals, load(world.rules), world.database, world.clock, supervisor=supervisor)
        observer.beat()
        assert manager.recv(1000) == b"WATCHDOG=1"
        observer.turned(world.cycle.run(), 0.5)
        said = manager.recv(1000).decode()
        assert said == "STATUS=9 rules; data until 03:00; 1 alert open; next turn 03:20 UTC"


def test_a_feed_that_cannot_be_read_is_counted(world: World) -> None:
    assert world.turn().failing == 0
    world.source.api = replace(world.source.api, key="another")
    assert world.turn(timedelta(hours=1)).failing == 4


def test_no_member_is_ever_named(world: World) -> None:
    assert "@" not in repr(world.turn())


def test_polls_are_counted_by_what_came_of_them(world: World) -> None:
    world.turn()
    world.source.api = replace(world.source.api, key="another")
    world.turn(timedelta(minutes=15))
    found = world.turn()
    assert found.polls["credit_usage 1h", "success"] == 1
    assert found.polls["credit_usage 1h", "unauthorized"] == 1
    assert found.turns == 3


def test_what_another_process_polled_before_is_not_counted(world: World) -> None:
    world.turn()
    again = Observer(world.vitals, load(world.rules), world.database, world.clock)
    again.turned(world.cycle.run(), 0.0)
    assert world.vitals.snapshot is not None
    assert set(world.vitals.snapshot.polls.values()) == {0}, "a series that begins with its first failure has no rate"
    assert ("credit_usage 1h", "success") in world.vitals.snapshot.polls
    assert len(world.vitals.snapshot.budgets) == 3, "its budgets are known at once"


def test_open_alerts_are_counted_and_who_knows_of_them(world: World) -> None:
    assert world.turn().alerts == (AlertGauge("hourly", "warning", "firing", 1),)
    (incident,) = (each for each in AlertStore(world.database).incidents(NOW) if each.rule.id == "hourly")
    SilenceStore(world.database).ack(Ack(incident.id, incident.rank, NOW, "ana"))
    assert world.turn().alerts == (AlertGauge("hourly", "warning", "acknowledged", 1),)


def test_deliveries_are_counted_by_what_came_of_them(world: World) -> None:
    world.pager.script.append(Answer(503))
    found = world.turn()
    assert (found.notifications["pager", "server"], found.notifications["pager", "sent"]) == (1, 0)
    assert found.notifications["other", "sent"] == 0
    assert found.channels == (ChannelGauge("pager", 1, NOW), ChannelGauge("other", 0, None))
    found = world.turn(timedelta(minutes=1))
    assert (found.notifications["pager", "server"], found.notifications["pager", "sent"]) == (1, 1)
    assert (found.waited(NOW), found.oldest_at) == (0.0, None)


def test_budgets_of_all_are_told_and_those_of_members_are_not(world: World) -> None:
    found = {each.rule: (each.spent, each.limit) for each in world.turn(timedelta(days=1)).budgets}
    assert set(found) == {"cycle", "rolling", "pool"}, "one that is yet to begin has nothing to tell"
    assert found["cycle"][0] >= found["rolling"][0] >= 18_000
    assert 0 < found["pool"][0] <= found["cycle"][0]
    assert found["cycle"][1] == 900_000


def test_a_fault_in_looking_stops_nothing(world: World) -> None:
    found = world.turn()
    with listening() as heard:
        world.observer.turned(None, 1.0)  # type: ignore[arg-type]
    ((where, error, _),) = (fields.values() for fields in heard.fields)
    assert (where, error) == ("observer", "AttributeError")
    assert world.vitals.snapshot is found


def test_each_sign_touches_the_daemons_file(world: World, tmp_path: Path) -> None:
    beside = tmp_path / "usage-watch.db.daemon"
    beside.touch()
    os.utime(beside, (1, 1))
    world.observer.beat()
    assert beside.stat().st_mtime > 1_000_000
    beside.unlink()
    world.observer.beat()
    assert not beside.exists()


# ---- the heartbeat ------------------------------------------------------------------------------------------------


def beaten(world: World, seconds: float) -> bool:
    """Whether it is asked for, so long after the newest turn."""
    with WebhookReceiver() as receiver:
        environ = {"URL": receiver.url("/ping")}
        with closing(Heartbeat(SecretRef(env="URL"), environ)) as heartbeat:
            world.clock.step(world.clock.now() + timedelta(seconds=seconds))
            observer = Observer(world.vitals, load(world.rules), world.database, world.clock, heartbeat)
            observer.beat()
        return bool(receiver.requests)


def test_all_is_well_while_all_is_read_and_told(world: World) -> None:
    assert not beaten(world, 0), "before the first turn nobody knows"
    world.turn()
    assert beaten(world, 0)


def test_while_a_failure_is_yet_to_be_told_nobody_is_told_that_all_is_well(world: World) -> None:
    world.turn()
    world.source.api = replace(world.source.api, key="another")
    assert not world.turn(timedelta(minutes=15)).accounted
    assert not beaten(world, 0)
    world.turn(timedelta(minutes=1))
    assert [request.json["rule"]["id"] for request in world.other.requests] == ["meta:auth_revoked"]
    found = world.turn()
    assert found.accounted
    assert beaten(world, 0)


def test_a_failure_that_nobody_took_is_not_told(world: World) -> None:
    world.turn()
    world.source.api = replace(world.source.api, key="another")
    world.other.script.extend([Answer(503)] * 5)
    world.turn(timedelta(minutes=15))
    world.turn(timedelta(minutes=1))
    assert len(world.other.requests) == 1
    assert not world.turn().accounted


def test_a_message_that_waits_too_long_silences_it(world: World) -> None:
    world.pager.script.append(Answer(503))
    world.turn()
    assert beaten(world, 899)
    assert not beaten(world, 1)
