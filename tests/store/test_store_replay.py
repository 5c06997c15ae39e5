"""What was known at any moment is rebuilt from what was stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.store_samples import HOURLY, MEMBERS, Cell, at, day, hour, reading, totals
from usage_watch.core.series import DAY, HOUR, Feed, FeedHistory, Reading, SeriesKey
from usage_watch.store.database import Database, open_for_writing
from usage_watch.store.history import HistoryStore
from usage_watch.store.replay import Change, Knowledge

TOTAL: Cell = (None, None, None)
OPUS: Cell = ("Model", "opus", None)
HAIKU: Cell = ("Model", "haiku", None)
EVERY = timedelta(minutes=15)


@dataclass
class Watched:
    """A store, and what it answered after each reading."""

    store: HistoryStore
    answers: list[tuple[datetime, FeedHistory]] = field(default_factory=list)

    def save(self, said: Reading, when: datetime) -> None:
        self.store.save(said, when)
        self.store.read_up(said.feed, when, when, EVERY, at(-24))
        self.answers.append((when, self.loaded(said.feed)))

    def loaded(self, feed: Feed = HOURLY) -> FeedHistory:
        return self.store.load({feed: at(-24)})[feed]

    def known(self, feed: Feed = HOURLY) -> Knowledge:
        return self.store.knowledge({feed: at(-24)})[feed]


@pytest.fixture
def watched(db: Database) -> Watched:
    return Watched(HistoryStore(db))


def same(found: FeedHistory, expected: FeedHistory) -> None:
    assert found.feed == expected.feed
    for name in ("starts", "fetched", "settled", "aged"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), name)
    assert list(found.counts) == list(expected.counts)
    assert found.axes.keys() == expected.axes.keys()
    for key, counts in expected.counts.items():
        np.testing.assert_array_equal(found.counts[key], counts, str(key))
    for axis, flags in expected.axes.items():
        np.testing.assert_array_equal(found.axes[axis], flags, axis)


def total(history: FeedHistory) -> list[int]:
    return [int(count) for count in history.total()[-len(history.starts) + 24 :]]


# ---- the past as it was seen ----------------------------------------------------------------------------------------


def test_a_value_is_known_from_when_it_was_seen_until_it_was_revised(watched: Watched) -> None:
    for count, when in [(3, 1), (9, 2), (0, 3), (4, 4)]:
        watched.save(totals({hour(0): count}), at(when))
    known = watched.known()
    assert not len(known.at(at(0.99), at(-24)).starts)
    assert [total(known.at(at(when), at(-24))) for when in (1, 1.99, 2, 3.5, 4, 400)] == [[3], [3], [9], [0], [4], [4]]


def test_a_zero_that_became_a_count_was_zero(watched: Watched) -> None:
    watched.save(totals({hour(0): 0}), at(1))
    watched.save(totals({hour(0): 5}), at(2))
    before = watched.known().at(at(1.5), at(-24))
    assert (before.fetched[-1], total(before), before.counts) == (True, [0], {})


def test_an_axis_that_was_answered_later_was_unknown_before(watched: Watched) -> None:
    watched.save(totals({hour(0): 5}), at(1))
    watched.save(reading(HOURLY, {hour(0): {TOTAL: 5, OPUS: 5}}), at(2))
    known = watched.known()
    assert known.at(at(1), at(-24)).axes == {}
    assert known.at(at(2), at(-24)).known("Model")[-1]


def test_the_grid_ends_at_the_newest_bucket_that_was_fetched_by_then(watched: Watched) -> None:
    watched.save(totals({hour(0): 5}), at(1))
    watched.save(totals({hour(0): 5, hour(1): 6, hour(3): 7}), at(4))
    known = watched.known()
    assert known.at(at(3), at(0)).starts.tolist() == [hour(0)]
    assert known.at(at(4), at(1.5)).starts.tolist() == [hour(1), hour(2), hour(3)]
    assert known.at(at(4), at(1.5)).fetched.tolist() == [True, False, True]


def test_a_clock_that_was_set_back_makes_nothing_known_before_its_bucket_was_read(watched: Watched) -> None:
    watched.save(totals({hour(0): 5}), at(3))
    watched.save(totals({hour(0): 6}), at(1))
    assert [len(watched.known().at(at(when), at(0)).starts) for when in (2, 3)] == [0, 1]
    assert watched.known().at(at(3), at(0)).total().tolist() == [6]


def test_of_a_feed_that_was_never_read_nothing_is_known(watched: Watched) -> None:
    known = watched.known()
    same(known.at(at(5), at(0)), watched.loaded())
    assert known.changes(at(-99), at(99), HOUR) == []


# ---- what was read only long after its end --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("feed", "start", "seen_at", "known_at"),
    [
        (HOURLY, hour(0), at(7), at(7)),
        (HOURLY, hour(0), at(7.01), at(3)),
        (MEMBERS, day(-3), at(-12), at(-12)),
        (MEMBERS, day(-3), at(-11.99), at(-58)),
    ],
)
def test_what_was_not_watched_counts_as_known_two_hours_after_its_end(
    watched: Watched, feed: Feed, start: int, seen_at: datetime, known_at: datetime
) -> None:
    who = "ana@example.com" if feed is MEMBERS else None
    watched.save(reading(feed, {start: {(None, None, who): 5, ("Model", "opus", who): 4}}), seen_at)
    known = watched.store.knowledge({feed: at(-99)})[feed]
    assert len(known.at(known_at - timedelta(seconds=1), at(-99)).starts) == 0
    then = known.at(known_at, at(-99))
    assert [int(counts[-1]) for counts in then.counts.values()] == [5, 4]
    assert then.known("Model")[-1]
    assert known.unwatched.any() == (seen_at != known_at)


def test_what_was_not_watched_counts_as_settled_48_hours_after_its_end(watched: Watched) -> None:
    watched.save(totals({hour(0): 5}), at(100))
    history = [watched.known().at(at(when), at(0)) for when in (48.9, 49)]
    assert [each.settled.tolist() for each in history] == [[False], [True]]
    assert [each.aged.tolist() for each in history] == [[False], [True]]


def test_what_was_not_watched_and_is_not_settled_yet_is_not_settled(watched: Watched) -> None:
    watched.save(totals({hour(0): 5}), at(10))
    assert not watched.known().at(at(100), at(0)).settled.any()


def test_what_was_revised_after_it_was_read_keeps_its_own_time(watched: Watched) -> None:
    watched.save(totals({hour(0): 5}), at(100))
    watched.save(totals({hour(0): 6}), at(120))
    known = watched.known()
    assert [total(known.at(at(when), at(-24))) for when in (3, 119, 120)] == [[5], [5], [6]]


# ---- when there was anything new ------------------------------------------------------------------------------------


def test_changes_are_rounded_up_and_name_the_oldest_bucket_that_they_concern(watched: Watched) -> None:
    watched.save(totals({hour(0): 5}), at(1.1))
    watched.save(totals({hour(0): 5, hour(1): 6}), at(2.1))
    watched.save(totals({hour(0): 5, hour(1): 7}), at(2.5))
    watched.save(totals({hour(0): 5, hour(1): 7}), at(2.6))
    known = watched.known()
    assert known.changes(at(-9), at(9), HOUR) == [Change(at(2), at(0)), Change(at(3), at(1))]
    assert known.changes(at(1.1), at(2.4), HOUR) == [Change(at(2.4), at(1))]
    assert known.changes(at(-9), at(99), DAY) == [Change(at(12), at(0))]


def test_what_settles_is_a_change(watched: Watched) -> None:
    for hours in range(2, 60):
        watched.save(totals({hour(0): 0}), at(hours))
    assert [change.at for change in watched.known().changes(at(0), at(99), HOUR)] == [at(2), at(37)]


# ---- whatever was saved ---------------------------------------------------------------------------------------------

_COUNTS = st.dictionaries(st.sampled_from([TOTAL, OPUS, HAIKU]), st.integers(0, 3))
_HOURS = st.builds(
    reading,
    st.just(HOURLY),
    st.dictionaries(st.integers(-3, 3).map(hour), _COUNTS, min_size=1),
    st.sampled_from([("Model",), ("Model", "Credit Source")]),
) | st.dictionaries(st.integers(-3, 3).map(hour), st.integers(0, 3), min_size=1).map(totals)
_MEMBER = st.sampled_from(["ana@example.com", "max@example.com"])
_DAYS = st.builds(
    reading,
    st.just(MEMBERS),
    st.dictionaries(
        st.integers(-1, 1).map(day),
        st.dictionaries(st.tuples(st.none(), st.none(), _MEMBER), st.integers(0, 3)),
        min_size=1,
    ),
)
_SAVES = st.lists(st.tuples(_HOURS | _DAYS, st.floats(0, 30).filter(lambda hours: hours > 0.01)), max_size=12)


def _whatever(saves: list[tuple[Reading, float]], check: Callable[[Watched, datetime], None]) -> None:
    with TemporaryDirectory() as folder, open_for_writing(Path(folder) / "usage-watch.db") as db:
        watched = Watched(HistoryStore(db))
        now = at(4)
        for said, hours in saves:
            now += timedelta(hours=hours)
            watched.save(said, now)
        check(watched, now)


@settings(max_examples=60, deadline=None)
@given(_SAVES)
def test_what_is_known_now_is_what_is_stored(saves: list[tuple[Reading, float]]) -> None:
    def check(watched: Watched, now: datetime) -> None:
        for feed in (HOURLY, MEMBERS):
            for since in (at(-24), at(-1.5)):
                same(watched.known(feed).at(now, since), watched.store.load({feed: since})[feed])

    _whatever(saves, check)


@settings(max_examples=60, deadline=None)
@given(_SAVES)
def test_what_was_known_is_what_was_stored_then_of_all_that_was_watched(saves: list[tuple[Reading, float]]) -> None:
    def check(watched: Watched, now: datetime) -> None:
        for when, stored in watched.answers:
            known = watched.known(stored.feed)
            found = known.at(when, at(-24))
            theirs = ~known.unwatched[: len(stored.starts)]
            for name in ("fetched", "settled", "aged"):
                np.testing.assert_array_equal(
                    getattr(found, name)[: len(theirs)][theirs], getattr(stored, name)[theirs], name
                )
            for key, counts in stored.counts.items():
                np.testing.assert_array_equal(found.of(key)[: len(theirs)][theirs], counts[theirs], str(key))

    _whatever(saves, check)


@settings(max_examples=60, deadline=None)
@given(_SAVES)
def test_between_two_changes_nothing_changes(saves: list[tuple[Reading, float]]) -> None:
    def check(watched: Watched, now: datetime) -> None:
        for feed in (HOURLY, MEMBERS):
            known = watched.known(feed)
            changes = known.changes(at(-99), now, 1)
            for before, after in pairwise([*(change.at for change in changes), now + timedelta(seconds=1)]):
                same(known.at(after - timedelta(seconds=1), at(-24)), known.at(before, at(-24)))

    _whatever(saves, check)


def test_a_series_is_known_of_since_its_first_count(watched: Watched) -> None:
    watched.save(reading(HOURLY, {hour(0): {TOTAL: 5, OPUS: 5}}), at(1))
    watched.save(reading(HOURLY, {hour(0): {TOTAL: 5, OPUS: 4, HAIKU: 1}}), at(2))
    watched.save(reading(HOURLY, {hour(0): {TOTAL: 5, OPUS: 5}}), at(3))
    for when, stored in watched.answers:
        same(watched.known().at(when, at(-24)), stored)
    assert SeriesKey(HOURLY, "Model", "haiku") in watched.known().at(at(3), at(-24)).counts
