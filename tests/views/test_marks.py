from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from usage_watch.clock import SteppedClock
from usage_watch.config import load
from usage_watch.core.chart import Kind
from usage_watch.core.series import DAY, EACH_MEMBER, HOUR, Feed, Reading, SeriesKey
from usage_watch.core.units import from_epoch, to_epoch
from usage_watch.cycle import Cycle
from usage_watch.fetch import silent
from usage_watch.simulator import DEFAULT_KEY, Revision, Runaway, Scenario, SimulatorServer, SyncStop
from usage_watch.store.database import Database, open_for_writing
from usage_watch.store.history import HistoryStore
from usage_watch.views.charts import Asked, Choice, choose
from usage_watch.views.marks import MOST, marks
from usage_watch.views.times import Reader

NOW = datetime(2026, 11, 20, 12, 5, tzinfo=UTC)
"""A Friday, 13:05 in Berlin."""
BEGUN = NOW - timedelta(days=10)
"""When the first poll was."""
RULES = """\
timezone: Europe/Berlin
source: {base_url: "http://localhost:1/", backfill: 20d}
rules:
  - {id: all, kind: threshold, above: 500}
  - {id: models, kind: threshold, for_each: Model, above: 500}
  - {id: some, kind: threshold, where: {Model: {not: [b]}}, above: 500}
  - {id: people, kind: threshold, for_each: member, above: 500}
  - {id: cycle, kind: budget, limit: 9_000}
  - {id: rolling, kind: budget, limit: 9_000, period: {rolling: 5d}}
"""
Counts = Mapping[str, int]


@dataclass
class Office:
    """A database that is read into at will."""

    folder: Path
    database: Database

    def read(self, at: datetime, hours: Mapping[datetime, Counts]) -> None:
        """A poll that answered these hours, by model."""
        feed = Feed("credit_usage", HOUR)
        rows = []
        for start_at, counts in hours.items():
            start = to_epoch(start_at)
            rows += [(SeriesKey(feed, "Model", name), start, count) for name, count in counts.items()]
            rows.append((SeriesKey(feed), start, sum(counts.values())))
        starts = tuple(map(to_epoch, hours))
        self._save(Reading(feed, ("Model",), starts, tuple(rows)), at)

    def read_days(self, at: datetime, days: Mapping[datetime, Counts]) -> None:
        """The same of days, by member."""
        feed = Feed("credit_usage", DAY, EACH_MEMBER)
        found = [
            (SeriesKey(feed, member=name), to_epoch(day), n) for day, each in days.items() for name, n in each.items()
        ]
        self._save(Reading(feed, (), tuple(map(to_epoch, days)), tuple(found)), at)

    def _save(self, reading: Reading, at: datetime) -> None:
        history = HistoryStore(self.database)
        history.save(reading, at)
        history.read_up(reading.feed, at, at, timedelta(hours=1), from_epoch(reading.starts[0]))

    def chosen(self, id: str, series: Mapping[str, str] | None = None) -> Choice:
        (self.folder / "rules.yaml").write_text(RULES)
        config = load(self.folder / "rules.yaml", {})
        rule = next(each for each in config.rules if each.id == id)
        return choose(Asked(config, self.database, rule, NOW, series, NOW - timedelta(days=20)))

    def said(self, id: str, series: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
        choice = self.chosen(id, series)
        found = marks(self.database, choice, Reader(choice.config.timezone, NOW))
        assert [each.at for each in found] == sorted(each.at for each in found)
        return [(each.kind.value, each.text) for each in found]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """A backfill of nine days, and then two hours that were read in time."""
    with open_for_writing(tmp_path / "usage-watch.db") as database:
        office = Office(tmp_path, database)
        office.read(BEGUN, hours(BEGUN.replace(minute=0) - timedelta(days=9), 216))
        office.read(BEGUN + timedelta(hours=2), hours(BEGUN.replace(minute=0), 2))
        yield office


def hours(start_at: datetime, count: int, a: int = 100, b: int = 20) -> dict[datetime, Counts]:
    return {start_at + timedelta(hours=place): {"a": a, "b": b} for place in range(count)}


def hour(number: int) -> datetime:
    """So many after the first that was read in time."""
    return BEGUN.replace(minute=0) + timedelta(hours=number)


def test_a_backfill_was_not_late_and_what_came_in_time_is_unmarked(office: Office) -> None:
    assert office.said("all") == []


def test_what_was_read_long_after_its_end_is_marked(office: Office) -> None:
    office.read(hour(12) + timedelta(minutes=5), hours(hour(2), 1))
    assert office.said("all") == [("late", "Tue 10 Nov 15:00–16:00: first read 9 h 5 min after its end")]


def test_what_was_read_as_nothing_came_late(office: Office) -> None:
    office.read(hour(3), {hour(2): {}})
    office.read(hour(12), hours(hour(2), 1))
    assert office.said("all") == [("late", "Tue 10 Nov 15:00–16:00: came 9 h after its end")]


def test_what_a_backfill_saw_as_nothing_and_came_after_it_was_late(office: Office) -> None:
    """It had ended before anything was read; yet it was seen."""
    office.read(BEGUN, {hour(-220): {}})
    office.read(hour(9), hours(hour(-220), 1))
    office.read(hour(9), hours(hour(-230), 1))
    assert office.said("models", {"Model": "a"}) == [("late", "Sun 1 Nov 09:00–10:00: came 9 d 12 h after its end")]


def test_neighbours_that_came_together_are_one_mark(office: Office) -> None:
    office.read(hour(20), hours(hour(2), 9))
    assert office.said("all") == [("late", "Tue 10 Nov 15:00–24:00: first read up to 17 h late")]


def test_what_is_usually_late_is_not(office: Office) -> None:
    """Once 20 hours have each come 8 h after their end."""
    for number in range(2, 40):
        office.read(hour(number + 1), {hour(number): {}})
    for number in range(2, 40):
        office.read(hour(number + 9), hours(hour(number), 1))
    assert office.said("all") == []


def test_what_was_changed_once_it_was_final_is_marked(office: Office) -> None:
    office.read(hour(30), hours(hour(-50), 1, a=1_180))
    office.read(hour(31), hours(hour(-50), 1, a=1_430))
    when = "Sun 8 Nov 11:00–12:00: revised from"
    at = "on Wed 11 Nov 20:00"
    assert office.said("all") == [("revised", f"{when} 120 to 1,450 credits {at}")]
    assert office.said("rolling") == office.said("all")
    assert office.said("models", {"Model": "a"}) == [("revised", f"{when} 100 to 1,430 credits {at}")]
    assert office.said("some") == office.said("models", {"Model": "a"})
    assert office.said("models", {"Model": "b"}) == []


def test_what_was_taken_away_and_came_back_is_unmarked(office: Office) -> None:
    office.read(hour(30), {hour(-50): {}})
    assert [kind for kind, _ in office.said("all")] == ["revised"]
    office.read(hour(31), hours(hour(-50), 1))
    assert office.said("all") == []


def test_what_grew_before_it_was_final_is_unmarked(office: Office) -> None:
    office.read(hour(3), hours(hour(2), 1, a=10))
    office.read(hour(4), hours(hour(2), 1, a=90))
    assert office.said("all") == []


def test_the_marks_of_a_kind_have_an_end(office: Office) -> None:
    for number in range(MOST + 5):
        office.read(hour(30), hours(hour(-50 - 2 * number), 1, a=1_000 + number))
        office.read(hour(20 + 3 * number), hours(hour(2 + 3 * number), 1))
    found = office.said("all")
    assert [sum(kind == each for kind, _ in found) for each in Kind] == [MOST, MOST]
    assert not any("to 1,024 " in text for _, text in found), "those that changed least are left out"
    assert any("to 1,025 " in text for _, text in found)


def test_a_members_day_is_named_as_a_day(office: Office) -> None:
    first = datetime(2026, 11, 8, tzinfo=UTC)
    days = {first + timedelta(days=place): {"ana@example.com": 50, "bo@example.com": 40} for place in range(3)}
    office.read_days(first + timedelta(days=3, hours=1), days)
    office.read_days(first + timedelta(days=9), {first + timedelta(days=5): {"ana@example.com": 60}})
    office.read_days(first + timedelta(days=10), {first: {"ana@example.com": 75, "bo@example.com": 40}})
    assert office.said("people", {"member": "ana@example.com"}) == [
        ("revised", "Sun 8 Nov: revised from 50 to 75 credits on Wed 18 Nov 01:00"),
        ("late", "Fri 13 Nov: first read 3 d after its end"),
    ]
    assert office.said("people", {"member": "bo@example.com"}) == []


def test_what_is_drawn_in_its_period_has_no_marks(office: Office) -> None:
    office.read(hour(30), hours(hour(-50), 1, a=1_180))
    assert office.said("cycle") == []


def test_a_real_cycle_sees_a_sync_that_stood_and_a_source_that_changes_its_mind(tmp_path: Path) -> None:
    clock, start = SteppedClock(tmp_path / "clock"), datetime(2026, 11, 16, tzinfo=UTC)
    clock.step(start + timedelta(days=1, minutes=5))
    job = Runaway("priya.nair@example.com", "claude-opus-4-8", start, 96, 600)
    stop = SyncStop(start + timedelta(days=1, hours=3, minutes=30), start + timedelta(days=1, hours=14))
    revision = Revision(start + timedelta(hours=6), start + timedelta(days=2), 0.5)
    story = Scenario(1, start, lag=None, quiet=True, runaways=(job,), stops=(stop,), revisions=(revision,))
    rules = tmp_path / "rules.yaml"
    with SimulatorServer(story, now=clock.now) as source, open_for_writing(tmp_path / "usage-watch.db") as database:
        rules.write_text(f"source: {{base_url: '{source.base_url}', backfill: 4d}}\n{RULES[RULES.index('rules:') :]}")
        config = load(rules, {})
        with Cycle(config, database, clock, Event(), {"PERPLEXITY_ANALYTICS_API_KEY": DEFAULT_KEY}, silent) as cycle:
            for _ in range(18):
                cycle.run()
                clock.step(clock.now() + timedelta(hours=2))
        choice = choose(Asked(config, database, config.rules[0], clock.now(), None, start))
        found = marks(database, choice, Reader(config.timezone, clock.now()))
    assert [each.text for each in found] == [
        "Mon 16 Nov 06:00–07:00: revised from 600 to 300 credits on Wed 18 Nov 00:05",
        "Tue 17 Nov 03:00–08:00: came up to 10 h 5 min late",
    ]
