"""What the store makes of readings: zero, unknown and revised are three things."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.store.store_samples import HOURLY, MEMBERS, Cell, at, day, hour, reading, totals
from usage_watch.core.series import DAY, HOUR, Feed, FeedHistory, Reading, SeriesKey
from usage_watch.store.database import Database, open_for_reading, open_for_writing
from usage_watch.store.history import HistoryStore, Saved

TOTAL: Cell = (None, None, None)
OPUS: Cell = ("Model", "opus", None)
PAID: Cell = ("Credit Source", "paid", None)


def member(name: str, axis: str | None = None, category: str | None = None) -> Cell:
    return axis, category, f"{name}@example.com"


@pytest.fixture
def store(db: Database) -> HistoryStore:
    return HistoryStore(db)


def loaded(store: HistoryStore, feed: Feed = HOURLY) -> FeedHistory:
    """From noon, or from today, on."""
    since = at(0) if feed.width == HOUR else at(0) - timedelta(hours=12)
    return store.load({feed: since})[feed]


def counts(history: FeedHistory, cell: Cell) -> list[int]:
    return [int(count) for count in history.of(SeriesKey(history.feed, *cell))]


def revisions(db: Database) -> list[tuple[object, ...]]:
    return list(
        db.query(
            "SELECT axis, category, member, start, count, seen_at, superseded_at FROM revision "
            "JOIN series ON series.id = series_id ORDER BY revision.id"
        )
    )


# Saving


def test_what_was_said_is_what_is_loaded(store: HistoryStore) -> None:
    said = reading(HOURLY, {hour(0): {TOTAL: 7, OPUS: 5}, hour(1): {TOTAL: 0}, hour(2): {TOTAL: 3}})
    assert store.save(said, at(3)) == Saved(new=3, changed=0)
    history = loaded(store)
    assert history.starts.tolist() == [hour(0), hour(1), hour(2)]
    assert history.fetched.tolist() == [True, True, True]
    assert counts(history, TOTAL) == [7, 0, 3]
    assert counts(history, OPUS) == [5, 0, 0]
    assert history.known("Model").tolist() == [True, True, True]
    assert history.known("Credit Source").tolist() == [False, False, False]


def test_a_first_fetch_writes_no_revision(store: HistoryStore, db: Database) -> None:
    store.save(reading(HOURLY, {hour(0): {TOTAL: 7, OPUS: 5}}), at(1))
    assert revisions(db) == []


def test_a_category_that_vanished_is_zero_now(store: HistoryStore, db: Database) -> None:
    store.save(reading(HOURLY, {hour(0): {TOTAL: 7, OPUS: 5}}), at(1))
    assert store.save(reading(HOURLY, {hour(0): {TOTAL: 7}}), at(2)) == Saved(new=0, changed=1)
    assert counts(loaded(store), OPUS) == [0]
    assert revisions(db) == [("Model", "opus", "", hour(0), 5, hour(1), hour(2))]


def test_a_total_that_is_left_out_is_zero_now(store: HistoryStore) -> None:
    store.save(totals({hour(0): 7}), at(1))
    store.save(Reading(HOURLY, (), (hour(0),), ()), at(2))
    assert counts(loaded(store), TOTAL) == [0]


def test_a_superseded_zero_is_a_revision(store: HistoryStore, db: Database) -> None:
    store.save(reading(HOURLY, {hour(0): {TOTAL: 0}}), at(1))
    store.save(reading(HOURLY, {hour(0): {TOTAL: 7, OPUS: 5}}), at(2))
    assert revisions(db) == [
        ("", "", "", hour(0), 0, hour(1), hour(2)),
        ("Model", "opus", "", hour(0), 0, hour(1), hour(2)),
    ]


def test_a_value_that_comes_back_keeps_its_whole_story(store: HistoryStore, db: Database) -> None:
    for hours, count in enumerate([5, 0, 0, 5, 6], start=1):
        store.save(totals({hour(0): count}), at(hours))
    assert [row[4:] for row in revisions(db)] == [
        (5, hour(1), hour(2)),
        (0, hour(2), hour(4)),
        (5, hour(4), hour(5)),
    ]
    assert db.one("SELECT count, seen_at FROM bucket") == (6, hour(5))


def test_the_same_again_writes_neither_values_nor_revisions(store: HistoryStore, db: Database) -> None:
    said = reading(HOURLY, {hour(0): {TOTAL: 7, OPUS: 5}, hour(1): {TOTAL: 0}})
    store.save(said, at(2))
    assert store.save(said, at(3)) == Saved(new=0, changed=0)
    assert revisions(db) == []
    assert set(db.query("SELECT seen_at FROM bucket")) == {(hour(2),)}
    assert set(db.query("SELECT first_seen_at, seen_at FROM fetch")) == {(hour(2), hour(3))}


def test_an_old_answer_leaves_the_other_axes_unknown_not_zero(store: HistoryStore) -> None:
    store.save(reading(HOURLY, {hour(0): {TOTAL: 7, PAID: 7}}, axes=("Credit Source",)), at(1))
    history = loaded(store)
    assert history.known("Credit Source").tolist() == [True]
    assert history.known("Model").tolist() == [False]


def test_an_old_answer_leaves_stored_values_of_the_other_axes_alone(store: HistoryStore, db: Database) -> None:
    both = ("Model", "Credit Source")
    store.save(reading(HOURLY, {hour(0): {TOTAL: 7, OPUS: 7, PAID: 7}}, axes=both), at(1))
    store.save(reading(HOURLY, {hour(0): {TOTAL: 8, PAID: 8}}, axes=("Credit Source",)), at(2))
    history = loaded(store)
    assert counts(history, OPUS) == [7]
    assert counts(history, PAID) == [8]
    assert history.known("Model").tolist() == [True]
    assert [row[:2] for row in revisions(db)] == [("", ""), ("Credit Source", "paid")]


def test_an_axis_that_is_answered_later_is_no_change(store: HistoryStore, db: Database) -> None:
    store.save(reading(HOURLY, {hour(0): {TOTAL: 7}}, axes=()), at(1))
    assert store.save(reading(HOURLY, {hour(0): {TOTAL: 7, OPUS: 5}}), at(2)) == Saved(new=0, changed=0)
    assert revisions(db) == []
    assert counts(loaded(store), OPUS) == [5]


def test_a_zero_of_an_axis_is_known_since_the_axis_was_answered(store: HistoryStore, db: Database) -> None:
    store.save(reading(HOURLY, {hour(0): {TOTAL: 7}}, axes=()), at(1))
    store.save(reading(HOURLY, {hour(0): {TOTAL: 7}}, axes=("Model",)), at(2))
    store.save(reading(HOURLY, {hour(0): {TOTAL: 7, OPUS: 5}}, axes=("Model",)), at(3))
    assert revisions(db) == [("Model", "opus", "", hour(0), 0, hour(2), hour(3))]


def test_a_member_who_left_keeps_stored_days(store: HistoryStore, db: Database) -> None:
    ana, bo = member("ana"), member("bo")
    store.save(reading(MEMBERS, {day(0): {ana: 5, bo: 3}}), at(24))
    store.save(reading(MEMBERS, {day(0): {ana: 5}}), at(25))
    assert counts(loaded(store, MEMBERS), bo) == [3]
    assert revisions(db) == []


def test_a_member_who_is_there_is_replaced_whole(store: HistoryStore) -> None:
    ana, opus, sonnet = member("ana"), member("ana", "Model", "opus"), member("ana", "Model", "sonnet")
    store.save(reading(MEMBERS, {day(0): {ana: 5, opus: 5}}), at(24))
    store.save(reading(MEMBERS, {day(0): {ana: 6, sonnet: 6}}), at(25))
    history = loaded(store, MEMBERS)
    assert [counts(history, cell) for cell in (ana, opus, sonnet)] == [[6], [0], [6]]


def test_a_member_is_only_there_on_the_days_that_name_them(store: HistoryStore) -> None:
    ana = member("ana")
    store.save(reading(MEMBERS, {day(0): {ana: 5}, day(1): {ana: 4}}), at(48))
    store.save(reading(MEMBERS, {day(0): {ana: 6}, day(1): {}}), at(49))
    assert counts(loaded(store, MEMBERS), ana) == [6, 4]


def test_a_single_members_feed_is_replaced_like_everyones(store: HistoryStore) -> None:
    feed = Feed("connectors", HOUR, "ana@example.com")
    store.save(reading(feed, {hour(0): {member("ana"): 5}}), at(1))
    store.save(Reading(feed, (), (hour(0),), ()), at(2))
    assert counts(loaded(store, feed), member("ana")) == [0]


def test_old_and_new_buckets_may_come_together(store: HistoryStore) -> None:
    store.save(totals({hour(0): 1, hour(1): 2}), at(2))
    assert store.save(totals({hour(1): 3, hour(2): 4}), at(3)) == Saved(new=1, changed=1)
    assert counts(loaded(store), TOTAL) == [1, 3, 4]


def test_more_rows_than_one_statement_takes_are_all_stored(store: HistoryStore) -> None:
    cells: list[Cell] = [("Model", f"m{i}", None) for i in range(457)]
    store.save(reading(HOURLY, {hour(0): {cell: i + 1 for i, cell in enumerate(cells)}}), at(1))
    store.save(reading(HOURLY, {hour(0): {cell: i + 2 for i, cell in enumerate(cells)}}), at(2))
    history = loaded(store)
    assert [counts(history, cell) for cell in cells] == [[i + 2] for i in range(457)]


def test_what_was_always_zero_takes_no_room(store: HistoryStore, db: Database) -> None:
    said = reading(HOURLY, {hour(0): {TOTAL: 0, OPUS: 0}})
    store.save(said, at(1))
    store.save(said, at(2))
    assert db.one("SELECT count(*) FROM bucket") == (0,)


def test_an_empty_reading_is_nothing(store: HistoryStore, db: Database) -> None:
    assert store.save(Reading(HOURLY, ("Model",), (), ()), at(1)) == Saved(0, 0)
    assert db.one("SELECT count(*) FROM feed") == (0,)


def test_a_failed_save_leaves_nothing_behind(store: HistoryStore, db: Database) -> None:
    too_big = reading(HOURLY, {hour(0): {TOTAL: 1, OPUS: 2**63}})
    with pytest.raises(OverflowError):
        store.save(too_big, at(1))
    assert db.one("SELECT count(*) FROM feed") == (0,)
    store.save(reading(HOURLY, {hour(0): {TOTAL: 1, OPUS: 2}}), at(2))
    assert counts(loaded(store), OPUS) == [2]


def test_two_stores_on_one_file_see_each_others_series(db: Database) -> None:
    first = HistoryStore(db)
    first.save(reading(HOURLY, {hour(0): {TOTAL: 1}}), at(1))
    with open_for_writing(db.path) as other:
        HistoryStore(other).save(reading(HOURLY, {hour(1): {TOTAL: 2, OPUS: 2}}), at(2))
    first.save(reading(HOURLY, {hour(2): {TOTAL: 3, OPUS: 3}}), at(3))
    assert counts(loaded(first), OPUS) == [0, 2, 3]


def test_odd_names_are_kept_apart(store: HistoryStore) -> None:
    odd: dict[Cell, int] = {
        (axis, text, None): i + 1
        for i, (axis, text) in enumerate(
            [("Space", ""), ("Space", " "), ("Space", "a'b\";--"), ("Space", "ä\x00ö"), ("space", ""), ("Space", "😀")]
        )
    }
    store.save(reading(HOURLY, {hour(0): {TOTAL: 9, **odd}}, axes=("Space", "space")), at(1))
    history = loaded(store)
    assert {cell: counts(history, cell) for cell in odd} == {cell: [count] for cell, count in odd.items()}
    assert counts(history, TOTAL) == [9]


# How buckets age


@pytest.mark.parametrize(
    ("polls", "expected"),
    [
        pytest.param([5], (1, None, 1, 0), id="used at once"),
        pytest.param([0], (None, None, 1, 0), id="never used"),
        pytest.param([0, 0, 5], (3, HOUR, 3, 0), id="zero at first"),
        pytest.param([0, 5, 0, 6], (2, HOUR, 4, 0), id="the first use counts"),
        pytest.param([5, 5, 5], (1, None, 1, 2), id="unchanged"),
        pytest.param([5, 6, 6], (1, None, 2, 1), id="changed once"),
    ],
)
def test_a_bucket_remembers_how_it_aged(
    store: HistoryStore, db: Database, polls: list[int], expected: tuple[int | None, ...]
) -> None:
    for number, count in enumerate(polls, start=1):
        store.save(totals({hour(0): count}), at(number))
    nonzero, gap, changed, unchanged = expected
    assert db.one("SELECT nonzero_at, zero_gap, changed_at, unchanged_polls FROM fetch") == (
        None if nonzero is None else hour(nonzero),
        gap,
        hour(changed or 0),
        unchanged,
    )


def test_the_total_of_member_days_is_the_sum_over_members(store: HistoryStore, db: Database) -> None:
    store.save(reading(MEMBERS, {day(0): {member("ana", "Model", "opus"): 9}}), at(24))
    assert db.one("SELECT nonzero_at FROM fetch") == (None,)
    store.save(reading(MEMBERS, {day(0): {member("ana"): 0, member("bo"): 2}}), at(25))
    assert db.one("SELECT nonzero_at, zero_gap FROM fetch") == (hour(25), HOUR)


# Loading


def test_what_nobody_fetched_is_unknown(store: HistoryStore) -> None:
    store.save(totals({hour(0): 5}), at(1))
    store.save(totals({hour(3): 7}), at(4))
    history = loaded(store)
    assert history.fetched.tolist() == [True, False, False, True]
    assert not history.settled.any()
    assert not history.aged.any()
    assert counts(history, TOTAL) == [5, 0, 0, 7]


def test_loading_begins_at_the_bucket_that_holds_the_time(store: HistoryStore) -> None:
    store.save(totals({hour(0): 5, hour(1): 6, hour(2): 7}), at(3))
    history = store.load({HOURLY: at(1.9)})[HOURLY]
    assert history.starts.tolist() == [hour(1), hour(2)]
    assert counts(history, TOTAL) == [6, 7]


def test_loading_from_before_the_first_bucket_says_unknown(store: HistoryStore) -> None:
    store.save(totals({hour(0): 5}), at(1))
    history = store.load({HOURLY: at(-2)})[HOURLY]
    assert history.fetched.tolist() == [False, False, True]


def test_nothing_stored_is_an_empty_history(store: HistoryStore) -> None:
    store.save(totals({hour(0): 5}), at(1))
    history = store.load({HOURLY: at(1), MEMBERS: at(0)})
    assert [len(feed.starts) for feed in history] == [0, 0]


def test_feeds_are_loaded_apart(store: HistoryStore) -> None:
    daily = Feed("credit_usage", DAY)
    store.save(totals({hour(0): 5}), at(1))
    store.save(totals({day(0): 50}, daily), at(24))
    history = store.load({HOURLY: at(0), daily: at(0)})
    assert counts(history[HOURLY], TOTAL) == [5]
    assert counts(history[daily], TOTAL) == [50]


def test_loaded_arrays_are_read_only(store: HistoryStore) -> None:
    store.save(reading(HOURLY, {hour(0): {TOTAL: 5, OPUS: 5}}), at(1))
    history = loaded(store)
    flags = (history.fetched, history.settled, history.aged, *history.axes.values())
    arrays = (history.starts, history.total(), *flags)
    assert [array.flags.writeable for array in arrays] == [False] * 6


def test_loading_needs_no_right_to_write(store: HistoryStore, db: Database) -> None:
    store.save(totals({hour(0): 5}), at(1))
    with open_for_reading(db.path) as reader:
        assert counts(loaded(HistoryStore(reader)), TOTAL) == [5]


# What was ever seen


def test_every_category_and_member_ever_seen_is_known(store: HistoryStore) -> None:
    store.save(reading(HOURLY, {hour(0): {TOTAL: 7, OPUS: 5, PAID: 7}}, axes=("Model", "Credit Source")), at(1))
    store.save(reading(HOURLY, {hour(0): {TOTAL: 0}}, axes=("Model", "Credit Source")), at(2))
    store.save(reading(MEMBERS, {day(0): {member("ana", "Model", "haiku"): 1}}), at(24))
    store.save(reading(Feed("spaces", HOUR), {hour(0): {("Space", "x", None): 1}}, axes=("Space",)), at(1))
    assert store.categories("credit_usage") == {"Model": {"opus", "haiku"}, "Credit Source": {"paid"}}
    assert store.categories("skills") == {}
    assert store.members() == {"ana@example.com"}
