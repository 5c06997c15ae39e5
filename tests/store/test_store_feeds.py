"""How far each feed was read, what is missing of it, and how its polls went."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.store.store_samples import HOURLY, MEMBERS, MIDNIGHT, NOON, at, day, hour, read_up, totals
from usage_watch.core.feedstate import FeedState, Gap, Poll
from usage_watch.core.series import DAY, EACH_MEMBER, HOLES_OPEN_FOR, HOUR, Feed
from usage_watch.store.database import Database
from usage_watch.store.feeds import ODDITY_BYTES
from usage_watch.store.history import HistoryStore

DAILY = Feed("credit_usage", DAY)


@pytest.fixture
def store(db: Database) -> HistoryStore:
    return HistoryStore(db)


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


# The frontier


@pytest.mark.parametrize(
    ("saved", "seen", "frontier"),
    [
        pytest.param([{0: 0}], 7, None, id="nothing settled"),
        pytest.param([{0: 5, 1: 0, 2: 5, 3: 0}], 60, 3, id="up to the first unsettled"),
        pytest.param([{0: 5, 1: 5}, {4: 5, 5: 5}], 60, 2, id="up to a hole"),
        pytest.param([{4: 5, 5: 5}, {0: 5}], 60, 1, id="older ones came later"),
        pytest.param([{0: 5, 1: 5}], 60, 2, id="all settled"),
        pytest.param([{0: 5}, {168: 5}], 400, 1, id="up to a hole that is no week old"),
        pytest.param([{0: 5}, {171: 5}], 400, 4, id="through a hole as far as it is a week old"),
        pytest.param([{0: 5}, {3: 5, 3 + 167: 5}], 400, 4, id="past an old hole, to a younger one"),
    ],
)
def test_the_frontier_is_the_end_of_what_is_settled_without_a_hole(
    store: HistoryStore, saved: list[Mapping[int, int]], seen: int, frontier: int | None
) -> None:
    for buckets in saved:
        store.save(totals({hour(number): count for number, count in buckets.items()}), at(seen))
    state = store.state(HOURLY)
    assert state.oldest_at == at(min(number for buckets in saved for number in buckets))
    assert state.frontier_at == (None if frontier is None else at(frontier))
    history = store.load({HOURLY: state.oldest_at})[HOURLY]
    assert history.frontier == (None if frontier is None else hour(frontier))


_FETCH = """
INSERT INTO fetch (feed_id, start, first_seen_at, seen_at, changed_at, unchanged_polls, settled_at, axes)
SELECT id, ?1, 0, 0, 0, 0, ?2, '{}' FROM feed
"""


def replace_fetched(db: Database, feed: Feed, buckets: list[str]) -> None:
    """Make these all that was fetched, from midnight on: `settled`, `open`, or a `hole`."""
    starts = {MIDNIGHT + i * feed.width: kind for i, kind in enumerate(buckets) if kind != "hole"}
    with db.transaction():
        db.execute("DELETE FROM fetch")
        db.execute_many(_FETCH, [(start, start if kind == "settled" else None) for start, kind in starts.items()])


RUNS = st.lists(st.tuples(st.sampled_from(["settled", "settled", "open", "hole"]), st.integers(1, 9)), max_size=8)


@pytest.mark.parametrize(("feed", "times"), [(DAILY, 1), (HOURLY, 20)], ids=str)
def test_the_store_and_the_loaded_history_agree_on_the_frontier(
    store: HistoryStore, db: Database, feed: Feed, times: int
) -> None:
    read_up(store, NOON, feed)

    @settings(max_examples=150, deadline=None)
    @given(RUNS)
    @example([("settled", 3), ("hole", 1), ("settled", 7)])
    @example([("settled", 3), ("hole", 1), ("settled", 6)])
    @example([("settled", 3), ("hole", 5), ("open", 9)])
    @example([("hole", 2), ("settled", 1)])
    def agree(runs: list[tuple[str, int]]) -> None:
        buckets = [kind for kind, length in runs for _ in range(length * times)]
        replace_fetched(db, feed, buckets)
        history = store.load({feed: moment(MIDNIGHT)})[feed]
        assert store.state(feed).frontier_at == (None if history.frontier is None else moment(history.frontier))
        assert history.frontier == frontier_of(buckets, feed.width)

    agree()


def frontier_of(buckets: list[str], width: int) -> int | None:
    """The same, as simply as it can be said."""
    here = [i for i, kind in enumerate(buckets) if kind != "hole"]
    if not here:
        return None
    given_up = here[-1] + 1 - HOLES_OPEN_FOR // width
    at = here[0]
    while at <= here[-1] and (buckets[at] == "settled" or (buckets[at] == "hole" and at < given_up)):
        at += 1
    return MIDNIGHT + at * width if at > here[0] else None


# What is missing


def fetched(store: HistoryStore, feed: Feed, *numbers: int) -> None:
    first = day(0) if feed.width == DAY else hour(0)
    store.save(totals({first + number * feed.width: 5 for number in numbers}, feed), at(5000))


@pytest.mark.parametrize(
    ("numbers", "gaps"),
    [
        pytest.param([], [], id="nothing was fetched"),
        pytest.param([0, 1, 2], [], id="nothing is missing"),
        pytest.param([0, 3, *range(4, 9)], [], id="a hole that ended 6 days before the end"),
        pytest.param([0, 3, *range(4, 10)], [(1, 3)], id="a hole that ended 7 days before the end"),
        pytest.param([0, 3, 5, 20, 21], [(1, 3), (4, 5)], id="several, the last of them young"),
    ],
)
def test_a_gap_is_what_did_not_come_for_a_week(
    store: HistoryStore, numbers: list[int], gaps: list[tuple[int, int]]
) -> None:
    if numbers:
        fetched(store, DAILY, *numbers)
    read_up(store, at(5000), DAILY, back_to=moment(day(0)))
    assert store.gaps() == [Gap(DAILY, moment(day(start)), moment(day(end))) for start, end in gaps]
    assert store.unread(DAILY) == []


def test_a_gap_that_is_filled_is_none(store: HistoryStore) -> None:
    fetched(store, DAILY, 0, 1, *range(4, 20))
    read_up(store, at(5000), DAILY, back_to=moment(day(0)))
    assert len(store.gaps()) == 1
    fetched(store, DAILY, 2)
    assert store.gaps() == [Gap(DAILY, moment(day(3)), moment(day(4)))]
    fetched(store, DAILY, 3)
    assert store.gaps() == []


def test_what_a_broken_off_backfill_left_is_to_be_read_and_no_gap(store: HistoryStore) -> None:
    fetched(store, DAILY, *range(40, 60))
    read_up(store, at(5000), DAILY, back_to=moment(day(40)))
    fetched(store, DAILY, *range(10), 12)
    assert store.gaps() == []
    assert store.unread(DAILY) == [(moment(day(10)), moment(day(12))), (moment(day(13)), moment(day(40)))]
    assert store.state(DAILY).oldest_at == moment(day(0))
    fetched(store, DAILY, *range(13, 40))
    assert store.unread(DAILY) == [(moment(day(10)), moment(day(12)))]
    read_up(store, at(5000), DAILY, back_to=moment(day(0)))
    assert store.unread(DAILY) == [], "it was asked for and did not come"
    assert store.gaps() == [Gap(DAILY, moment(day(10)), moment(day(12)))]


def test_before_a_feed_was_ever_read_to_its_end_all_holes_are_to_be_read(store: HistoryStore) -> None:
    fetched(store, DAILY, 0, 1, 3, 20)
    assert store.gaps() == []
    assert store.unread(DAILY) == [(moment(day(2)), moment(day(3))), (moment(day(4)), moment(day(20)))]


def test_what_is_missing_of_a_feed_is_that_feeds(store: HistoryStore) -> None:
    fetched(store, DAILY, 0, 2, 20)
    fetched(store, HOURLY, 0, 3, 4)
    read_up(store, at(5000), HOURLY, back_to=at(0))
    assert store.unread(HOURLY) == []
    assert store.unread(MEMBERS) == []
    assert len(store.unread(DAILY)) == 2


# How polls went


def test_a_feed_that_was_never_asked_has_nothing(store: HistoryStore) -> None:
    assert store.state(HOURLY) == FeedState(HOURLY)
    assert store.feed_states() == []
    assert store.polls(at(-1000)) == []


def test_failures_count_until_a_success(store: HistoryStore) -> None:
    later = at(1) + timedelta(milliseconds=1500)
    store.failed(HOURLY, at(0), "unreachable", "The source did not answer.", later)
    store.failed(HOURLY, at(1), "server", "It answered with 503.", later)
    assert store.state(HOURLY) == FeedState(
        HOURLY, polled_at=at(1), retry_at=later, failures=2, last_error="It answered with 503."
    )
    read_up(store, at(2), back_to=at(-24))
    assert store.feed_states() == [FeedState(HOURLY, oldest_at=at(-24), polled_at=at(2), read_at=at(2))]
    store.failed(HOURLY, at(3), "server", "It answered with 503.", later)
    state = store.state(HOURLY)
    assert (state.polled_at, state.read_at, state.failures) == (at(3), at(2), 1)


def test_polls_are_remembered_with_their_fault_in_the_order_of_time(store: HistoryStore) -> None:
    store.failed(MEMBERS, at(1), "drift", "It is odd.", at(2))
    read_up(store, at(0))
    store.failed(HOURLY, at(1), "throttled", "Too many requests.", at(2))
    polls = [
        Poll(HOURLY, at(0), None, None),
        Poll(MEMBERS, at(1), "drift", "It is odd."),
        Poll(HOURLY, at(1), "throttled", "Too many requests."),
    ]
    assert store.polls(at(0)) == polls
    assert store.polls(at(0.1)) == polls[1:]
    assert store.polls(at(1.1)) == []


def test_outcomes_of_polls_are_kept_for_a_month(store: HistoryStore) -> None:
    store.failed(HOURLY, at(0), "server", "It failed.", at(1))
    read_up(store, at(0), MEMBERS)
    read_up(store, at(30 * 24))
    assert len(store.polls(at(0))) == 3
    read_up(store, at(30 * 24 + 1))
    assert [(poll.feed, poll.at) for poll in store.polls(at(0))] == [
        (MEMBERS, at(0)),
        (HOURLY, at(30 * 24)),
        (HOURLY, at(30 * 24 + 1)),
    ]


def test_feeds_are_listed_everyones_first(store: HistoryStore) -> None:
    feeds = [
        Feed("connectors", HOUR),
        Feed("credit_usage", HOUR),
        Feed("credit_usage", DAY),
        Feed("credit_usage", DAY, EACH_MEMBER),
        Feed("credit_usage", DAY, "ana@example.com"),
    ]
    for feed in reversed(feeds):
        read_up(store, NOON, feed)
    assert [state.feed for state in store.feed_states()] == feeds


def test_of_odd_answers_the_newest_of_each_feed_is_kept_and_cut(store: HistoryStore, db: Database) -> None:
    store.keep_oddity(HOURLY, at(0), "It is odd.", b"first")
    store.keep_oddity(MEMBERS, at(0), "It is odd, too.", b"\x00\xff")
    store.keep_oddity(HOURLY, at(1), "It is odd again.", b"x" * (ODDITY_BYTES + 1))
    rows = db.query("SELECT scope, at, detail, body FROM oddity JOIN feed ON feed.id = feed_id ORDER BY scope DESC")
    assert list(rows) == [
        ("everyone", at(1).timestamp(), "It is odd again.", b"x" * 65536),
        ("each-member", at(0).timestamp(), "It is odd, too.", b"\x00\xff"),
    ]
    assert store.polls(at(-1)) == [], "keeping one is no poll"


def test_the_frontier_only_moves_forth_as_buckets_settle(store: HistoryStore) -> None:
    frontiers = []
    for now in range(2, 80):
        counts = {hour(number): number % 3 for number in range(max(now - 48, 0), now)}
        store.save(totals(counts), at(now))
        read_up(store, at(now))
        if (frontier := store.state(HOURLY).frontier_at) is not None:
            frontiers.append(frontier)
    assert all(before <= after for before, after in pairwise(frontiers))
    assert frontiers[-1] == at(45), "the first zero that is not 36 h old"
