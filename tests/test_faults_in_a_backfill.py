"""Every fault of the source in the middle of a backfill: what it costs, what is told, and that nothing is lost."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from zoneinfo import ZoneInfo

import pytest

from usage_watch import meta
from usage_watch.core.incident import Happening
from usage_watch.core.series import DAY, EACH_MEMBER, HOUR, Feed, FeedHistory
from usage_watch.fetch import Asking, Fetched, Turn, fetch, silent
from usage_watch.simulator import DEFAULT_KEY, FaultKind, Outage, Scenario, SimulatorServer
from usage_watch.source.client import AnalyticsClient
from usage_watch.source.errors import Fault
from usage_watch.store.database import open_for_writing
from usage_watch.store.history import HistoryStore

START = datetime(2026, 8, 10, tzinfo=UTC)
NOW = START + timedelta(days=24, hours=7, minutes=20)
LATER = NOW + timedelta(hours=4)
EVERY = timedelta(minutes=15)
SECOND = timedelta(seconds=1)
HOURS, MEMBERS = Feed("credit_usage", HOUR), Feed("credit_usage", DAY, EACH_MEMBER)
LET_THROUGH = 2
"""Pages that come before the fault."""
DEADLINES = {FaultKind.DRIP: 0.3}
"""Seconds; every other fault ends by itself."""

UNREACHABLE, THROTTLED, DRIFT = "meta:source_unreachable", "meta:source_throttled", "meta:schema_drift"

FAULTS: dict[FaultKind, tuple[Fault, str]] = {
    FaultKind.THROTTLED: (Fault.THROTTLED, THROTTLED),
    FaultKind.THROTTLED_SECOND: (Fault.THROTTLED, THROTTLED),
    FaultKind.THROTTLED_FRACTION: (Fault.THROTTLED, THROTTLED),
    FaultKind.THROTTLED_DATE: (Fault.THROTTLED, THROTTLED),
    FaultKind.STATUS_500: (Fault.SERVER, UNREACHABLE),
    FaultKind.STATUS_502: (Fault.SERVER, UNREACHABLE),
    FaultKind.STATUS_503: (Fault.SERVER, UNREACHABLE),
    FaultKind.STATUS_504: (Fault.SERVER, UNREACHABLE),
    FaultKind.UNAUTHORIZED: (Fault.UNAUTHORIZED, "meta:auth_revoked"),
    FaultKind.FEATURE_DISABLED: (Fault.FEATURE_DISABLED, "meta:feature_disabled"),
    FaultKind.REDIRECT: (Fault.BROKEN, UNREACHABLE),
    FaultKind.RESET_BEFORE_BODY: (Fault.UNREACHABLE, UNREACHABLE),
    FaultKind.RESET_IN_BODY: (Fault.UNREACHABLE, UNREACHABLE),
    FaultKind.CUT_BODY: (Fault.BROKEN, UNREACHABLE),
    FaultKind.TRUNCATED_JSON: (Fault.BROKEN, UNREACHABLE),
    FaultKind.HTML: (Fault.BROKEN, UNREACHABLE),
    FaultKind.DRIP: (Fault.BROKEN, UNREACHABLE),
    FaultKind.GZIP_BOMB: (Fault.BROKEN, UNREACHABLE),
    FaultKind.ENDLESS_CURSOR: (Fault.DRIFT, DRIFT),
    FaultKind.REPEATED_CURSOR: (Fault.DRIFT, DRIFT),
    FaultKind.MISSING_CURSOR: (Fault.DRIFT, DRIFT),
    FaultKind.WRONG_TYPE: (Fault.DRIFT, DRIFT),
    FaultKind.NEGATIVE_COUNT: (Fault.DRIFT, DRIFT),
    FaultKind.HUGE_COUNT: (Fault.DRIFT, DRIFT),
    FaultKind.HUGE_FLOAT: (Fault.DRIFT, DRIFT),
    FaultKind.OFF_GRID_BUCKET: (Fault.DRIFT, DRIFT),
    FaultKind.FUTURE_BUCKET: (Fault.DRIFT, DRIFT),
    FaultKind.OTHER_AXIS: (Fault.DRIFT, DRIFT),
}
"""Which poll fault each is, and what is told of it."""


@dataclass
class Story:
    """One feed of a simulated source, read into a store of its own."""

    server: SimulatorServer
    client: AnalyticsClient
    history: HistoryStore
    feed: Feed
    now: datetime = NOW

    def poll(self, at: datetime) -> Fetched:
        """Whatever is due then."""
        self.now = at
        asking = Asking((self.feed,), START, EVERY)
        return fetch(self.client, self.history, asking, at, Turn(Event()), silent)

    def read(self) -> FeedHistory:
        """All that is stored."""
        return self.history.load({self.feed: START})[self.feed]

    def told(self) -> list[Happening]:
        """What is wrong with the watcher, as far as can be seen now."""
        sight = meta.Sight(
            polls=self.history.polls(START),
            feeds=[self.history.state(self.feed)],
            gaps=self.history.gaps(),
            revisions=self.history.large_revisions(START),
        )
        return meta.happenings(sight, ZoneInfo("UTC"), self.now)

    @property
    def asked(self) -> int:
        """How many requests reached the source; as many as were sent, since none went elsewhere."""
        assert self.client.requests == len(self.server.requests)
        return self.client.requests


@contextmanager
def story(feed: Feed, *outages: Outage, max_bytes: int = 4 * 2**20) -> Iterator[Story]:
    deadline = min((DEADLINES.get(outage.kind, 20.0) for outage in outages), default=20.0)
    scenario = Scenario(seed=3, start_at=START, lag=None, faults=outages)
    with (
        TemporaryDirectory() as directory,
        open_for_writing(Path(directory, "x.db")) as db,
        SimulatorServer(scenario, now=lambda: made.now) as server,
        AnalyticsClient(server.base_url, lambda: DEFAULT_KEY, deadline=deadline, max_bytes=max_bytes) as client,
    ):
        made = Story(server, client, HistoryStore(db), feed)
        yield made


@cache
def without_a_fault(feed: Feed) -> tuple[FeedHistory, int]:
    """What is stored in the end where nothing goes wrong, and how many requests the backfill takes."""
    with story(feed) as quiet:
        quiet.poll(NOW)
        backfill = quiet.asked
        quiet.poll(LATER)
        assert quiet.told() == []
        return quiet.read(), backfill


def assert_the_same(found: FeedHistory, expected: FeedHistory) -> None:
    assert found.starts.tolist() == expected.starts.tolist()
    assert found.fetched.tolist() == expected.fetched.tolist()
    old = expected.starts < (NOW - timedelta(days=3)).timestamp()  # what is younger settles by how often it was polled
    assert found.settled[old].tolist() == expected.settled[old].tolist()
    assert {axis: known.tolist() for axis, known in found.axes.items()} == {
        axis: known.tolist() for axis, known in expected.axes.items()
    }
    assert {key: counts.tolist() for key, counts in found.counts.items()} == {
        key: counts.tolist() for key, counts in expected.counts.items()
    }


def lasting(rule: str) -> timedelta:
    """How long a fault lasts in these tests: a little longer than it takes to be told."""
    return timedelta(minutes=65 if rule == THROTTLED else 40)


def persist(faulty: Story, healed_at: datetime) -> datetime:
    """Step to each retry while the fault lasts, and see that nothing is asked before; returns the next."""
    at = NOW
    while at < healed_at:
        before = faulty.asked
        assert faulty.poll(at).polled == 0
        assert 1 <= faulty.asked - before <= LET_THROUGH + 2
        retry_at = faulty.history.state(faulty.feed).retry_at
        assert retry_at is not None
        before = faulty.asked
        assert faulty.poll(retry_at - SECOND) == Fetched()
        assert faulty.asked == before
        at = retry_at
    return at


def test_every_fault_that_the_simulator_knows_is_tried() -> None:
    assert set(FaultKind) - set(FAULTS) == {FaultKind.OLD_SHAPE}, "which is none"


@pytest.mark.parametrize("feed", [HOURS, MEMBERS], ids=str)
@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_in_the_middle_of_a_backfill_is_told_and_loses_nothing(kind: FaultKind, feed: Feed) -> None:
    fault, rule = FAULTS[kind]
    expected, backfill = without_a_fault(feed)
    assert backfill > LET_THROUGH + 1
    healed_at = NOW + lasting(rule)
    with story(feed, Outage(NOW, kind, healed_at, after=LET_THROUGH)) as faulty:
        retry_at = persist(faulty, healed_at)
        faulty.now = healed_at - SECOND
        [open_one] = faulty.told()
        assert (open_one.rule.id, open_one.started_at, open_one.ended_at) == (rule, NOW, None)

        assert faulty.poll(retry_at).polled == 1
        polls = [poll.fault for poll in faulty.history.polls(START)]
        assert polls == [fault] * (len(polls) - 1) + [None]
        faulty.poll(LATER)
        [ended] = faulty.told()
        assert (ended.rule.id, ended.started_at, ended.ended_at) == (rule, NOW, retry_at)
        assert_the_same(faulty.read(), expected)


@pytest.mark.parametrize("feed", [HOURS, MEMBERS], ids=str)
def test_a_backfill_that_is_broken_off_again_and_again_asks_for_no_page_twice(feed: Feed) -> None:
    expected, backfill = without_a_fault(feed)
    with story(feed, Outage(NOW, FaultKind.THROTTLED, LATER, every=3)) as faulty:
        at, attempts = NOW, 1
        while not faulty.poll(at).polled:
            at, attempts = at + timedelta(minutes=15), attempts + 1
        assert attempts >= backfill // 3
        pages = faulty.asked - (attempts - 1)
        most = backfill if feed is HOURS else backfill + attempts  # a day that lies on two pages is asked for again
        assert backfill <= pages <= most
        faulty.poll(LATER)
        assert_the_same(faulty.read(), expected)


@pytest.mark.parametrize("feed", [HOURS, MEMBERS], ids=str)
def test_a_bomb_of_200_mb_takes_little_more_memory_than_the_longest_answer(feed: Feed) -> None:
    longest = 32 * 2**20
    with story(feed, Outage(NOW, FaultKind.GZIP_BOMB, after=LET_THROUGH), max_bytes=longest) as faulty:
        faulty.poll(NOW)
        tracemalloc.start()
        try:
            faulty.poll(NOW + timedelta(minutes=1))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert [poll.fault for poll in faulty.history.polls(START)] == [Fault.BROKEN] * 2
    assert peak < 1.5 * longest
