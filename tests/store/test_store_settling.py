"""What is final after a feed was read to its end, and that it stays so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest

from tests.store.store_samples import HOURLY, MEMBERS, Cell, at, day, hour, polled, read_up, reading, totals
from usage_watch.core.series import DAY, HOUR, Feed
from usage_watch.store.database import Database
from usage_watch.store.history import HistoryStore

WEEK = 7 * 24
ANA: Cell = (None, None, "ana@example.com")

Poll = tuple[float, Mapping[int, int]]
"""When, in hours, and what it said of which hours."""


@pytest.fixture
def store(db: Database) -> HistoryStore:
    return HistoryStore(db)


def settled(db: Database) -> list[int]:
    """Which hours are, counted from noon."""
    return [(start - hour(0)) // HOUR for (start,) in db.query("SELECT start FROM fetch WHERE settled_at NOTNULL")]


def hear(store: HistoryStore, polls: Sequence[Poll]) -> None:
    for hours, counts in polls:
        polled(store, totals({hour(number): count for number, count in counts.items()}), hours)


USED = {0: 5, 1: 5}
"""An hour with usage, and a later one with usage."""


@pytest.mark.parametrize(
    ("polls", "expected"),
    [
        pytest.param([(36.9, {0: 0})], [], id="a zero, not 36 h after its end"),
        pytest.param([(37, {0: 0})], [0], id="a zero, 36 h after its end"),
        pytest.param(
            [(2, {0: 0, 1: 5}), (36.9, {0: 0, 1: 5})], [], id="a zero that later usage has overtaken, as well"
        ),
        pytest.param([(2, {0: 0}), (101, {100: 0})], [], id="a zero that was seen young, whatever the time is now"),
        pytest.param([(2, {0: 0}), (101, {100: 0}), (102, {0: 0})], [0], id="until it is seen again"),
        pytest.param([(hours, USED) for hours in (2, 3, 4, 5)], [0], id="a count that stood still for 3 h and 3 polls"),
        pytest.param([(hours, {0: 5}) for hours in (2, 3, 4, 5)], [], id="but nothing came after it"),
        pytest.param([(hours, {0: 5, 1: 0}) for hours in (2, 3, 4, 5)], [], id="but only a zero came after it"),
        pytest.param([(hours, USED) for hours in (2, 4, 6)], [], id="but for 2 polls"),
        pytest.param([(hours, USED) for hours in (2, 2.9, 3.9, 4.9)], [], id="but not for 3 h"),
        pytest.param([(2, USED), (3, {0: 6, 1: 5}), (4, {0: 6, 1: 5}), (5, {0: 6, 1: 5})], [], id="but it grew"),
        pytest.param([(2, USED), *((hours, {0: 6, 1: 5}) for hours in (3, 4, 5, 6))], [0], id="since it last grew"),
        pytest.param([(48.9, {0: 5})], [], id="a count, not 48 h after its end"),
        pytest.param([(49, {0: 5})], [0], id="a count, 48 h after its end"),
        pytest.param([(48, {0: 5}), (49, {0: 6})], [0], id="a count, 48 h after its end, even if it grows"),
        pytest.param([(49, {})], [], id="nothing, of what was never fetched"),
    ],
)
def test_what_a_poll_settles(store: HistoryStore, db: Database, polls: Sequence[Poll], expected: list[int]) -> None:
    hear(store, polls)
    assert settled(db) == expected
    loaded = store.load({HOURLY: at(0)})[HOURLY]
    assert [i for i, flag in enumerate(loaded.settled) if flag] == expected
    assert loaded.aged.tolist() == loaded.settled.tolist()


def test_nothing_young_settles_before_the_feed_is_read_to_its_end(store: HistoryStore, db: Database) -> None:
    for hours in (2, 3, 4, 5):
        store.save(totals({hour(0): 5, hour(1): 5}), at(hours))
    assert settled(db) == []
    read_up(store, at(5))
    assert settled(db) == [0]


@pytest.mark.parametrize(
    ("counts", "seen", "expected"),
    [
        pytest.param([5, 0, 5, 0], 60, [0, 1, 2], id="up to the newest usage"),
        pytest.param([0, 0, 0, 0], 60, [0, 1, 2, 3], id="all, where there never was any"),
        pytest.param([5, 0, 5, 0], 50.9, [0, 1], id="as far as it is 48 h old"),
        pytest.param([5, 0, 5, 0], 48.9, [], id="nothing younger"),
    ],
)
def test_what_is_old_settles_as_it_comes_so_that_a_backfill_goes_on_where_it_broke_off(
    store: HistoryStore, db: Database, counts: list[int], seen: float, expected: list[int]
) -> None:
    store.save(totals({hour(number): count for number, count in enumerate(counts)}), at(seen))
    assert settled(db) == expected
    aged = db.one("SELECT count(*) FROM fetch WHERE aged_at = settled_at")
    assert aged == (len(expected),)


def test_zeros_at_the_end_of_a_page_settle_with_the_usage_of_the_next(store: HistoryStore, db: Database) -> None:
    store.save(totals({hour(0): 5, hour(1): 0}), at(100))
    assert settled(db) == [0]
    store.save(totals({hour(2): 0, hour(3): 5}), at(100))
    assert settled(db) == [0, 1, 2, 3]


def test_settled_is_never_unset_whatever_is_revised(store: HistoryStore, db: Database) -> None:
    hear(store, [(hours, USED) for hours in (2, 3, 4, 5)])
    for hours, count in [(6, 7), (7, 0), (8, 3)]:
        polled(store, totals({hour(0): count, hour(1): 0}), hours)
        assert settled(db) == [0]
    assert db.one("SELECT settled_at, aged_at FROM fetch WHERE start = ?", (hour(0),)) == (hour(5), hour(5))


def test_feeds_settle_apart(store: HistoryStore, db: Database) -> None:
    daily = Feed("credit_usage", DAY)
    hear(store, [(hours, USED) for hours in (2, 3, 4, 5)])
    polled(store, totals({day(0): 1}, daily), 24)
    assert not store.load({daily: at(-12)})[daily].settled.any()
    assert settled(db) == [0]


def test_member_days_settle_by_the_sum_over_members(store: HistoryStore) -> None:
    said = reading(MEMBERS, {day(0): {ANA: 0}, day(1): {ANA: 4}}, axes=())
    for hours in (37, 38, 39, 40):
        polled(store, said, hours)
    assert store.load({MEMBERS: at(-12)})[MEMBERS].settled.tolist() == [False, False]
    bo: Cell = (None, None, "bo@example.com")
    for hours in (41, 42, 43, 44):
        polled(store, reading(MEMBERS, {day(0): {ANA: 0, bo: 2}, day(1): {ANA: 4}}, axes=()), hours)
    assert store.load({MEMBERS: at(-12)})[MEMBERS].settled.tolist() == [True, False]


# While the sync seems to stand


def stand_still(store: HistoryStore, silent: int) -> None:
    """Five weeks of usage, then so many hours of zeros, all read at their end."""
    counts = {hour(number): 5 * (number < 5 * WEEK) for number in range(5 * WEEK + silent)}
    polled(store, totals(counts), 5 * WEEK + silent)


def test_while_the_sync_seems_to_stand_no_zero_at_the_end_settles_but_it_has_aged(store: HistoryStore) -> None:
    stand_still(store, 60)
    state = store.state(HOURLY)
    assert state.stale_from == state.frontier_at == at(5 * WEEK)
    history = store.load({HOURLY: at(5 * WEEK - 1)})[HOURLY]
    assert history.settled.tolist() == [True] + [False] * 60
    assert history.aged.tolist() == [True] * (1 + 60 - 36) + [False] * 36
    assert history.frontier == hour(5 * WEEK)


def test_when_the_sync_is_back_what_was_frozen_settles(store: HistoryStore) -> None:
    stand_still(store, 60)
    polled(store, totals({hour(5 * WEEK + number): 5 * (number == 60) for number in range(61)}), 5 * WEEK + 61)
    state = store.state(HOURLY)
    assert state.stale_from is None
    assert state.frontier_at == at(5 * WEEK + 61 - 36)


@pytest.mark.parametrize(("silent", "stale"), [(12, False), (13, True)])
def test_it_seems_to_stand_where_12_hours_are_overdue(store: HistoryStore, silent: int, stale: bool) -> None:
    stand_still(store, silent)
    assert (store.state(HOURLY).stale_from is not None) == stale


def test_a_failure_leaves_what_is_known_of_the_sync_as_it_was(store: HistoryStore) -> None:
    stand_still(store, 60)
    before = store.state(HOURLY)
    store.failed(HOURLY, at(5 * WEEK + 61), "server", "It answered with 503.", at(5 * WEEK + 62))
    after = store.state(HOURLY)
    assert (after.stale_from, after.frontier_at, after.learned) == (
        before.stale_from,
        before.frontier_at,
        before.learned,
    )


def test_a_feed_that_fell_silent_for_good_is_taken_for_silent_after_four_weeks(store: HistoryStore) -> None:
    stand_still(store, 48)
    for silent in range(3 * 24, 31 * 24, 24):
        zeros = totals({hour(5 * WEEK + number): 0 for number in range(silent)})
        polled(store, zeros, 5 * WEEK + silent)
        assert store.state(HOURLY).stale_from == (at(5 * WEEK) if silent <= 4 * WEEK else None)
    frontier = store.state(HOURLY).frontier_at
    assert frontier is not None
    assert at(5 * WEEK + silent) - frontier < timedelta(hours=37)
