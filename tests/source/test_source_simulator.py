"""The happy path against the simulator: pages that nobody here has built."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from usage_watch.core.datasets import DATASETS
from usage_watch.core.feedstate import FeedState
from usage_watch.core.series import DAY, EACH_MEMBER, HOUR, Feed, Reading
from usage_watch.simulator import DEFAULT_KEY, Scenario, SimulatorServer
from usage_watch.source.client import AnalyticsClient
from usage_watch.source.errors import AnalyticsError, Fault
from usage_watch.source.sync import wanted

START = datetime(2026, 8, 10, tzinfo=UTC)
NOW = START + timedelta(days=90, hours=7, minutes=20)
FEEDS = [
    *[Feed(name, DAY) for name in DATASETS],
    *[Feed(name, HOUR) for name, found in DATASETS.items() if found.hourly],
    *[Feed(name, DAY, EACH_MEMBER) for name, found in DATASETS.items() if found.per_member],
]


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorServer]:
    with SimulatorServer(Scenario(seed=3, start_at=START, lag=None), now=lambda: NOW) as server:
        yield server


@pytest.fixture
def source(simulator: SimulatorServer) -> Iterator[AnalyticsClient]:
    with AnalyticsClient(simulator.base_url, lambda: DEFAULT_KEY) as client:
        yield client


def backfill(source: AnalyticsClient, feed: Feed, days: int = 90) -> list[Reading]:
    blank = FeedState(feed)
    windows = wanted(blank, NOW, timedelta(minutes=15), NOW - timedelta(days=days))
    return [reading for start, end in windows for reading in source.fetch(feed, start, end, NOW)]


@pytest.mark.parametrize("feed", FEEDS, ids=str)
def test_every_feed_is_read_without_a_hole(source: AnalyticsClient, feed: Feed) -> None:
    readings = backfill(source, feed, 14)
    starts = [start for reading in readings for start in reading.starts]
    end = int(NOW.timestamp()) // feed.width * feed.width
    assert sorted(starts) == list(range(end - 14 * DAY, end, feed.width))
    found = DATASETS[feed.dataset]
    assert {reading.axes for reading in readings} == {found.member_axes if feed.scope == EACH_MEMBER else found.axes}
    assert sum(count for reading in readings for key, _, count in reading.rows if key.axis is None) > 0


@pytest.mark.parametrize(("width", "requests"), [(HOUR, 13), (DAY, 3)])
def test_a_backfill_of_90_days_costs_what_it_must(source: AnalyticsClient, width: int, requests: int) -> None:
    backfill(source, Feed("credit_usage", HOUR if width == HOUR else DAY))
    assert source.requests == requests


def totals(readings: list[Reading]) -> Counter[int]:
    found: Counter[int] = Counter()
    for reading in readings:
        for key, start, count in reading.rows:
            if key.axis is None:
                found[start // DAY] += count
    return found


def test_hours_and_member_days_sum_to_the_days(source: AnalyticsClient) -> None:
    days = totals(backfill(source, Feed("credit_usage", DAY), 20))
    hours = totals(backfill(source, Feed("credit_usage", HOUR), 20))
    members = totals(backfill(source, Feed("credit_usage", DAY, EACH_MEMBER), 20))
    whole = sorted(days)[1:]
    assert [hours[day] for day in whole] == [days[day] for day in whole]
    assert all(0 < members[day] <= days[day] for day in days if days[day])


def test_one_members_hours_are_part_of_everyones(source: AnalyticsClient) -> None:
    [busy] = Counter(
        {
            key.member: count
            for reading in backfill(source, Feed("credit_usage", DAY, EACH_MEMBER), 1)
            for key, _, count in reading.rows
            if key.axis is None
        }
    ).most_common(1)
    member, count = busy
    assert member is not None
    day = totals(backfill(source, Feed("credit_usage", DAY, member), 1))
    assert sum(day.values()) == count


@pytest.mark.parametrize(
    ("feed", "fault"),
    [
        (Feed("unheard_of", DAY), Fault.BAD_REQUEST),
        (Feed("query_volume", HOUR), Fault.REFUSED),
        (Feed("credit_usage", HOUR, "nobody@example.com"), Fault.REFUSED),
    ],
    ids=str,
)
def test_what_the_api_does_not_answer_is_refused(source: AnalyticsClient, feed: Feed, fault: Fault) -> None:
    with pytest.raises(AnalyticsError) as caught:
        backfill(source, feed, 1)
    assert caught.value.fault is fault


def test_another_key_is_refused(simulator: SimulatorServer) -> None:
    with AnalyticsClient(simulator.base_url, lambda: "another-key") as client, pytest.raises(AnalyticsError) as caught:
        backfill(client, Feed("credit_usage", DAY), 1)
    assert caught.value.fault is Fault.UNAUTHORIZED


@pytest.mark.parametrize("feed", [Feed("credit_usage", DAY), Feed("query_volume", DAY), Feed("skills", HOUR)], ids=str)
def test_the_older_answer_gives_the_same_totals(source: AnalyticsClient, feed: Feed) -> None:
    new = backfill(source, feed, 5)
    with (
        SimulatorServer(Scenario(seed=3, start_at=START, lag=None), now=lambda: NOW, old_shape=True) as server,
        AnalyticsClient(server.base_url, lambda: DEFAULT_KEY) as client,
    ):
        old = backfill(client, feed, 5)
    assert totals(old) == totals(new)
    assert all(len(reading.axes) == 1 for reading in old)
