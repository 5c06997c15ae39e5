"""Any polls in any order: the last word on each bucket is loaded, and every earlier one can be rebuilt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.store_samples import BASE, MIDNIGHT, Cell, reading
from usage_watch.core.series import DAY, EACH_MEMBER, HOUR, Feed, Reading, SeriesKey
from usage_watch.store.database import Database, open_for_writing
from usage_watch.store.history import HistoryStore

AXES = {"Model": ("opus", "haiku"), "Credit Source": ("paid",)}
NAMES: tuple[tuple[str | None, str | None], ...] = (
    (None, None),
    *((axis, category) for axis, categories in AXES.items() for category in categories),
)
MEMBERS = ("ana@example.com", "bo@example.com")
EVERYONES = Feed("credit_usage", HOUR)
EACH = Feed("credit_usage", DAY, EACH_MEMBER)
UNKNOWN = None


def grid(feed: Feed) -> list[int]:
    first = BASE if feed.width == HOUR else MIDNIGHT
    return [first + number * feed.width for number in range(5)]


def cells(feed: Feed) -> list[Cell]:
    members: tuple[str | None, ...] = MEMBERS if feed.scope == EACH_MEMBER else (None,)
    return [(axis, category, member) for (axis, category), member in product(NAMES, members)]


@st.composite
def readings(draw: st.DrawFn, feed: Feed) -> Reading:
    axes = draw(st.sets(st.sampled_from(sorted(AXES))))
    buckets = {}
    for start in draw(st.sets(st.sampled_from(grid(feed)), min_size=1)):
        here = draw(st.sets(st.sampled_from(MEMBERS))) if feed.scope == EACH_MEMBER else {None}
        said = [cell for cell in cells(feed) if cell[2] in here and cell[0] in {None, *axes}]
        # Zeros may be said or left out; a member who is there always has a total.
        left_out = draw(st.sets(st.sampled_from(said))) if said else set()
        kept = [cell for cell in said if cell not in left_out or (cell[0] is None and cell[2])]
        buckets[start] = {cell: draw(st.integers(0, 3)) for cell in kept}
    return reading(feed, buckets, tuple(sorted(axes)))


Story = list[tuple[int, Reading, bool]]
"""What was said of a feed at which times, and whether it was read to its end then."""


@st.composite
def stories(draw: st.DrawFn) -> tuple[Feed, Story]:
    feed = draw(st.sampled_from([EVERYONES, EACH]))
    story, now = [], BASE
    for said in draw(st.lists(readings(feed), min_size=1, max_size=8)):
        now += draw(st.integers(1, 3 * HOUR) | st.integers(1, 30 * HOUR))
        story.append((now, said, draw(st.booleans())))
    return feed, story


Values = dict[tuple[Cell, int], int | None]


@dataclass
class Model:
    """The same, as simply as it can be said: every value, unknown included, of the present."""

    feed: Feed
    values: Values = field(default_factory=dict)
    seen_at: dict[int, int] = field(default_factory=dict)
    ages: dict[int, tuple[int, int | None, int | None, int, int]] = field(default_factory=dict)
    settled: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.values = dict.fromkeys(product(cells(self.feed), grid(self.feed)), UNKNOWN)

    def hear(self, now: int, said: Reading) -> None:
        spoken = {((key.axis, key.category, key.member), start): count for key, start, count in said.rows}
        for start in said.starts:
            here = {cell[2] for cell, when in spoken if when == start} if self.feed.scope == EACH_MEMBER else {None}
            before = {cell: self.values[cell, start] for cell in cells(self.feed)}
            for cell in cells(self.feed):
                if cell[0] in {None, *said.axes} and (cell[2] in here or before[cell] is UNKNOWN):
                    self.values[cell, start] = spoken.get((cell, start), 0)
            changed = any(old is not UNKNOWN and old != self.values[cell, start] for cell, old in before.items())
            self._age(start, now, changed)
            self.seen_at[start] = now
        ever_used = [start for start, (_, nonzero_at, *_) in self.ages.items() if nonzero_at is not None]
        last = max(ever_used, default=said.starts[-1])
        self.settled |= {start for start in self.seen_at if start <= last and self.grown(start) >= 48 * HOUR}

    def read_up(self, still_for: int) -> None:
        """`still_for`: as it was learned."""
        self.settled |= {start for start in self.seen_at if self._is_final(start, still_for)}

    def grown(self, start: int) -> int:
        return self.seen_at[start] - start - self.feed.width

    def _is_final(self, start: int, still_for: int) -> bool:
        if not self.total(start):
            return self.grown(start) >= 36 * HOUR
        first, *_, changed_at, unchanged = self.ages[start]
        overtaken = any(self.total(later) for later in self.seen_at if later > start)
        still = self.seen_at[start] - changed_at >= still_for and unchanged >= 3
        met_late = first - start - self.feed.width >= 12 * HOUR
        return (overtaken and (still or met_late)) or self.grown(start) >= 48 * HOUR

    def total(self, start: int) -> int:
        return sum(self.values[cell, start] or 0 for cell in cells(self.feed) if cell[0] is None)

    def _age(self, start: int, now: int, changed: bool) -> None:
        used = self.total(start) > 0
        if start not in self.ages:
            self.ages[start] = (now, now if used else None, None, now, 0)
            return
        first, nonzero_at, gap, changed_at, unchanged = self.ages[start]
        if used and nonzero_at is None:
            nonzero_at, gap = now, now - self.seen_at[start]
        self.ages[start] = (first, nonzero_at, gap, now if changed else changed_at, 0 if changed else unchanged + 1)


@contextmanager
def fresh() -> Iterator[Database]:
    with TemporaryDirectory() as directory, open_for_writing(Path(directory, "x.db")) as db:
        yield db


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def known_at(db: Database, feed: Feed, when: int) -> Values:
    """What the tables say was known at a time: the current value if it stood by then, else the one that did."""
    fetches = {row[0]: row[1:] for row in db.query("SELECT start, first_seen_at, axes ->> '$' FROM fetch")}
    found: Values = {}
    for cell, start in product(cells(feed), grid(feed)):
        stood = db.query(
            "SELECT count FROM (SELECT series_id, start, count, seen_at, NULL AS superseded_at FROM bucket "
            "UNION ALL SELECT series_id, start, count, seen_at, superseded_at FROM revision) "
            "JOIN series ON series.id = series_id WHERE (axis, category, member) = (?, ?, ?) AND start = ? "
            "AND seen_at <= ? AND (superseded_at IS NULL OR superseded_at > ?)",
            (*(text or "" for text in cell), start, when, when),
        )
        counts = [count for (count,) in stood]
        assert len(counts) <= 1
        if start not in fetches or fetches[start][0] > when or not _answered(db, start, cell[0], when):
            assert counts == []
            found[cell, start] = UNKNOWN
        else:
            found[cell, start] = counts[0] if counts else 0
    return found


def _answered(db: Database, start: int, axis: str | None, when: int) -> bool:
    if axis is None:
        return True
    row = db.one("SELECT value FROM fetch, json_each(fetch.axes) WHERE start = ? AND key = ?", (start, axis))
    return row is not None and row[0] <= when


@settings(max_examples=120, deadline=None)
@given(stories())
def test_the_last_word_is_loaded_and_all_earlier_ones_can_be_rebuilt(
    story: tuple[Feed, Story],
) -> None:
    feed, told = story
    model, snapshots = Model(feed), []
    with fresh() as db:
        store = HistoryStore(db)
        for now, said, to_its_end in told:
            before = set(model.seen_at)
            saved = store.save(said, moment(now))
            model.hear(now, said)
            assert saved.new == len(set(said.starts) - before)
            if to_its_end:
                store.read_up(feed, moment(now), moment(now), timedelta(hours=1), moment(grid(feed)[0]))
                model.read_up(store.state(feed).learned.still_for)
            snapshots.append((now, dict(model.values)))
        history = store.load({feed: moment(grid(feed)[0])})[feed]
        for (cell, start), expected in model.values.items():
            index = (start - grid(feed)[0]) // feed.width
            known = index < len(history.starts) and bool(history.known(cell[0])[index])
            assert known == (expected is not UNKNOWN)
            if known:
                assert history.of(SeriesKey(feed, *cell))[index] == expected
        assert {int(start) for start in history.starts[history.fetched]} == set(model.seen_at)
        assert {int(start) for start in history.starts[history.settled]} == model.settled
        state = store.state(feed)
        assert state.frontier_at == (None if history.frontier is None else moment(history.frontier))
        ages = db.query("SELECT start, first_seen_at, nonzero_at, zero_gap, changed_at, unchanged_polls FROM fetch")
        assert {start: tuple(age) for start, *age in ages} == model.ages
        for now, values in snapshots:
            assert known_at(db, feed, now) == values
        assert set(known_at(db, feed, told[0][0] - 1).values()) == {UNKNOWN}
