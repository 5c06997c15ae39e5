"""How late a feed is, learned from its polls, and what of it is kept."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.store.store_samples import EVERY, HOURLY, MEMBERS, Cell, at, day, hour, polled, read_up, reading, totals
from usage_watch.core.feedstate import FeedState, LargeRevision
from usage_watch.core.series import DAY, HOUR, Feed
from usage_watch.core.settling import NOTHING_LEARNED, Learned
from usage_watch.store.database import Database, open_for_reading, open_for_writing
from usage_watch.store.history import HistoryStore

DAILY = Feed("credit_usage", DAY)
ANA: Cell = (None, None, "ana@example.com")


@pytest.fixture
def store(db: Database) -> HistoryStore:
    return HistoryStore(db)


def arrival(number: int) -> int:
    """How many hours after its end an hour is first seen to hold usage: 3, and 8 for each tenth."""
    return 8 if number % 10 == 0 else 3


def watch_for(store: HistoryStore, first: int, last: int, every: int = 1, poll_every: timedelta = EVERY) -> None:
    """Polls from one hour to another, each of the last 12 hours; nothing is kept of what came before the first."""
    for now in range(first, last + 1, every):
        counts = {hour(n): 5 * (now - n - 1 >= arrival(n)) for n in range(max(now - 12, 0), now)}
        polled(store, totals(counts), now, poll_every)


def test_nothing_is_learned_before_there_is_enough_of_it(store: HistoryStore) -> None:
    watch_for(store, 1, 22)
    assert store.state(HOURLY).learned == NOTHING_LEARNED


def test_the_usual_lag_is_learned_from_20_buckets_and_how_long_zeros_wait_after_14_days(store: HistoryStore) -> None:
    watch_for(store, 1, 24)
    young = store.state(HOURLY).learned
    assert (young.usual_lag, young.lag_from >= 20) == (3 * HOUR, True)
    assert (young.zero_age, young.zeros_from) == (36 * HOUR, 0)
    watch_for(store, 25, 14 * 24)
    assert store.state(HOURLY).learned.zeros_from == 0
    watch_for(store, 14 * 24 + 1, 14 * 24 + 1)
    learned = store.state(HOURLY).learned
    assert learned.zeros_from >= 300
    assert learned.zero_age == round(1.1 * 8 * HOUR) + HOUR
    assert learned.usual_lag == 3 * HOUR


def test_zeros_settle_at_the_age_that_was_learned(store: HistoryStore) -> None:
    watch_for(store, 1, 14 * 24 + 1)
    last = 14 * 24 + 1
    polled(store, totals({hour(last + number): 5 * (number == 11) for number in range(12)}), last + 12)
    settled = store.load({HOURLY: at(last)})[HOURLY].settled.tolist()
    assert settled == [True] * 2 + [False] * 10, "at an age of 9.8 h"


def test_polls_further_apart_than_twice_the_pace_teach_nothing_about_zeros(store: HistoryStore) -> None:
    watch_for(store, 3, 15 * 24, every=3)
    learned = store.state(HOURLY).learned
    assert (learned.zero_age, learned.zeros_from) == (36 * HOUR, 0)
    assert learned.lag_from >= 20


def test_the_same_polls_teach_where_they_are_the_pace(store: HistoryStore) -> None:
    watch_for(store, 3, 15 * 24, every=3, poll_every=timedelta(hours=3))
    assert store.state(HOURLY).learned.zeros_from >= 200


def test_a_backfill_teaches_nothing(store: HistoryStore) -> None:
    polled(store, totals({hour(number): 5 for number in range(20 * 24)}), 20 * 24)
    assert store.state(HOURLY).learned == NOTHING_LEARNED


def revise_late(store: HistoryStore, after: int) -> None:
    """An hour that was settled is revised when its count had stood still for so long."""
    for now in (2, 3, 4, 5):
        polled(store, totals({hour(0): 5, hour(1): 5}), now)
    polled(store, totals({hour(0): 6, hour(1): 5}), 2 + after)


@pytest.mark.parametrize(("after", "still_for"), [(4, 5), (7, 8), (40, 41), (47, 48), (60, 48)])
def test_a_count_that_was_revised_once_it_was_final_makes_all_wait_longer(
    store: HistoryStore, after: int, still_for: int
) -> None:
    revise_late(store, after)
    assert store.state(HOURLY).learned.still_for == still_for * HOUR


def test_a_revision_is_remembered_for_30_days(store: HistoryStore) -> None:
    revise_late(store, 7)
    for now, still_for in [(30 * 24, 8), (30 * 24 + 1, 3)]:
        polled(store, totals({hour(now - 1): 5}), now)
        assert store.state(HOURLY).learned.still_for == still_for * HOUR


def test_what_is_learned_is_used(store: HistoryStore, db: Database) -> None:
    revise_late(store, 7)
    for now in range(20, 29):
        polled(store, totals({hour(10): 5, hour(11): 5}), now)
        expected = None if now < 28 else hour(28)
        assert db.one("SELECT settled_at FROM fetch WHERE start = ?", (hour(10),)) == (expected,)


def test_growth_of_what_was_not_final_teaches_nothing(store: HistoryStore) -> None:
    for now, count in [(2, 5), (8, 6), (14, 7)]:
        polled(store, totals({hour(0): count, hour(1): 5}), now)
    assert store.state(HOURLY).learned.still_for == 3 * HOUR


def test_feeds_learn_apart(store: HistoryStore) -> None:
    revise_late(store, 7)
    polled(store, totals({day(0): 5}, DAILY), 24)
    assert store.state(DAILY).learned == NOTHING_LEARNED


def test_what_was_learned_survives_reopening(path: Path) -> None:
    with open_for_writing(path) as db:
        store = HistoryStore(db)
        watch_for(store, 1, 14 * 24 + 1)
        polled(store, totals({hour(0): 6}), 14 * 24 + 10)
        # A day of zeros after two weeks of usage: the sync seems to stand.
        polled(store, totals({hour(20 * 24 + number): 0 for number in range(24)}), 21 * 24)
        before = store.state(HOURLY)
    with open_for_reading(path) as db:
        assert HistoryStore(db).state(HOURLY) == before
        assert HistoryStore(db).feed_states() == [before]
    learned = before.learned
    assert learned.lag_from > 0 < learned.zeros_from
    assert learned.usual_lag != NOTHING_LEARNED.usual_lag
    assert learned.zero_age != NOTHING_LEARNED.zero_age
    assert learned.still_for != NOTHING_LEARNED.still_for
    assert before.stale_from is not None
    assert before.read_at == before.polled_at == at(21 * 24)


def test_a_feed_of_which_nothing_came_has_learned_nothing(store: HistoryStore) -> None:
    read_up(store, at(0), back_to=at(-24))
    assert store.state(HOURLY) == FeedState(HOURLY, at(-24), None, at(0), at(0), learned=Learned())


# Large revisions


def settle_at(store: HistoryStore, count: int, feed: Feed = HOURLY) -> None:
    """The first bucket is final, with this count, three days later."""
    start = hour(0) if feed.width == HOUR else day(0)
    polled(store, reading(feed, {start: {(None, None, feed.member): count}}, axes=()), 72)


@pytest.mark.parametrize(
    ("before", "after", "large"),
    [
        (1000, 1051, True),
        (1000, 1050, False),
        (1000, 949, True),
        (1000, 950, False),
        (100, 111, True),
        (100, 110, False),
        (20, 31, True),
        (20, 30, False),
        (0, 11, True),
        (0, 10, False),
        (11, 0, True),
        (5, 0, False),
    ],
)
def test_a_revision_is_large_by_over_5_percent_and_10_units(
    store: HistoryStore, before: int, after: int, large: bool
) -> None:
    settle_at(store, before)
    polled(store, totals({hour(0): after}), 80)
    found = [LargeRevision(HOURLY, at(0), before, after, at(80))] if large else []
    assert store.large_revisions(at(0)) == found


def test_each_large_step_is_one_and_they_are_listed_as_they_were_learned(store: HistoryStore) -> None:
    settle_at(store, 100)
    for hours, count in [(80, 200), (81, 205), (82, 50), (83, 50)]:
        polled(store, totals({hour(0): count}), hours)
    expected = [
        LargeRevision(HOURLY, at(0), 100, 200, at(80)),
        LargeRevision(HOURLY, at(0), 205, 50, at(82)),
    ]
    assert store.large_revisions(at(0)) == expected
    assert store.large_revisions(at(80)) == expected
    assert store.large_revisions(at(80.1)) == expected[1:]
    assert store.large_revisions(at(83)) == []


def test_what_was_not_final_yet_may_grow_as_it_likes(store: HistoryStore) -> None:
    for hours, count in [(2, 5), (3, 500), (4, 5000)]:
        polled(store, totals({hour(0): count, hour(1): 7}), hours)
    assert store.large_revisions(at(0)) == []


def test_categories_and_members_have_no_large_revisions(store: HistoryStore) -> None:
    opus: Cell = ("Model", "opus", None)
    for hours, count in [(72, 100), (80, 900)]:
        polled(store, reading(HOURLY, {hour(0): {(None, None, None): 1000, opus: count}}), hours)
        polled(store, reading(MEMBERS, {day(0): {ANA: count}}, axes=()), hours)
        polled(store, totals({day(0): count}, Feed("connectors", DAY, "ana@example.com")), hours)
    assert store.large_revisions(at(0)) == []


def test_large_revisions_are_of_the_feed_that_they_are_of(store: HistoryStore) -> None:
    other = Feed("skills", HOUR)
    for feed in (HOURLY, DAILY, other):
        settle_at(store, 100, feed)
    polled(store, totals({hour(0): 300}, other), 80)
    polled(store, totals({hour(0): 105}), 81)
    polled(store, totals({day(0): 50}, DAILY), 82)
    assert store.large_revisions(at(0)) == [
        LargeRevision(DAILY, at(-12), 100, 50, at(82)),
        LargeRevision(other, at(0), 100, 300, at(80)),
    ]
