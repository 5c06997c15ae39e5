"""What is stored of a dataset."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from tests.cli.office import NOW
from tests.cli.stored import OPUS, SONNET, days, hours, store
from usage_watch.core.series import DAY, HOUR, Feed, Reading, SeriesKey, empty
from usage_watch.store.database import open_for_reading, open_for_writing
from usage_watch.store.history import HistoryStore
from usage_watch.views.history import Axis, Part, Usage, axes, datasets, members, usage, usage_of

BERLIN = ZoneInfo("Europe/Berlin")
SINCE = NOW.replace(hour=0, minute=0) - timedelta(days=14)
CREDITS, QUERIES = Feed("credit_usage", HOUR), Feed("query_volume", DAY)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "usage-watch.db"
    open_for_writing(path).close()
    return path


def of(path: Path, feed: Feed = CREDITS) -> Usage:
    with open_for_reading(path) as database:
        return usage(database, feed, SINCE)


def test_each_dataset_is_shown_once_by_hours_where_there_are_any(path: Path) -> None:
    over, by_day = hours(SINCE, NOW), days(SINCE, NOW)
    for starts, dataset in ((by_day, "a_new_one"), (over, "skills"), (by_day, "credit_usage"), (over, "credit_usage")):
        store(path, NOW, starts, {OPUS: np.full(len(starts), 1)}, dataset=dataset)
    store(path, NOW, by_day, {"ana@example.com": np.full(len(by_day), 1)}, dataset="connectors", members=True)
    with open_for_writing(path) as database:
        HistoryStore(database).failed(Feed("spaces", HOUR), NOW, "unreachable", "away", NOW)
        assert datasets(database) == [CREDITS, Feed("skills", HOUR), Feed("a_new_one", DAY)]


def test_nothing_is_known_of_an_empty_feed() -> None:
    nothing = Usage(empty(CREDITS))
    assert nothing.span is None
    assert np.isnan(nothing.week(BERLIN)).all()
    assert Usage(empty(QUERIES)).weekdays() == [None] * 7
    assert nothing.course().settled_until is None
    assert list(axes(empty(CREDITS))) == []


def test_each_hour_of_the_local_week_is_a_mean_of_what_is_final(path: Path) -> None:
    over = hours(SINCE, NOW)
    counts = np.zeros(len(over), dtype=np.int64)
    counts[over % DAY == 8 * HOUR] = 70
    counts[0], counts[8] = 5, 170
    store(path, NOW, over, {OPUS: counts, SONNET: np.full(len(over), 1)})
    found = of(path)
    week = found.week(BERLIN)
    assert week[0, 9] == 71, "eight in UTC is nine in Berlin"
    assert week[6, 9] == 1 + (170 + 70) / 2, "of two Sundays: today's morning is not final"
    assert week[6, 1] == pytest.approx(1 + 5 / 3), "of three: its night is"
    assert found.span == (SINCE, NOW.replace(hour=2, minute=0))
    assert (found.hourly, found.unit) == (True, "credits")


def test_of_one_category_only_its_own_counts(path: Path) -> None:
    over = hours(SINCE, NOW)
    store(path, NOW, over, {OPUS: np.full(len(over), 9), SONNET: np.full(len(over), 1)})
    found = of(path)
    own = Usage(found.history, "Model", SONNET)
    assert set(own.counts.tolist()) == {1}
    assert set(own.week(BERLIN).ravel().tolist()) == {1.0}


def test_days_are_those_of_the_source(path: Path) -> None:
    by_day = days(SINCE, NOW)
    counts = np.where((by_day // DAY + 3) % 7 == 0, 70, 10)
    store(path, NOW, by_day, {"Search": counts}, dataset="query_volume", axis="Feature")
    found = of(path, QUERIES)
    assert (found.hourly, found.unit) == (False, "queries")
    assert found.weekdays() == [70, 10, 10, 10, 10, 10, 10]
    assert found.course().values.tolist() == counts.tolist()


def test_hours_that_the_source_has_not_counted_yet_are_a_gap_and_no_zero(path: Path) -> None:
    over = hours(SINCE, NOW)
    counts = np.full(len(over), 5)
    counts[-4:] = 0
    others = counts.copy()
    others[-4] = 7
    store(path, NOW, over, {OPUS: counts, SONNET: others})
    for course in (of(path).course(), Usage(of(path).history, "Model", OPUS).course()):
        assert np.isnan(course.values[-5:]).tolist() == [False, False, True, True, True]
    assert course.values[-4] == 0, "others were used then"


def test_what_was_never_answered_is_a_gap_and_no_zero(path: Path) -> None:
    over = hours(SINCE + timedelta(days=5), NOW)
    store(path, NOW, over, {OPUS: np.full(len(over), 5)})
    course = of(path).course()
    assert np.isnan(course.values[0])
    assert course.values[-1] == 5
    assert course.settled_until is not None


def test_categories_come_the_largest_first_with_their_part_of_all_and_without_those_of_nobody(path: Path) -> None:
    over = hours(SINCE, NOW)
    store(path, NOW, over, {"b": np.full(len(over), 1), "a": np.full(len(over), 1), OPUS: np.full(len(over), 2)})
    with open_for_writing(path) as database:
        key = SeriesKey(CREDITS, "Model", "nobody")
        start = int(over[0])
        HistoryStore(database).save(Reading(CREDITS, ("Plan",), (start,), ((SeriesKey(CREDITS), start, 4),)), NOW)
        assert key not in of(path).history.counts
    n = len(over)
    [found] = axes(of(path).history)
    assert found == Axis("Model", [Part(OPUS, 2 * n, 0.5), Part("a", n, 0.25), Part("b", n, 0.25)], adds_up=True)


def test_what_no_category_explains_is_the_rest_of_all(path: Path) -> None:
    over = hours(SINCE, NOW)
    store(path, NOW, over, {OPUS: np.full(len(over), 2)})
    with open_for_writing(path) as database:
        first, of_opus = int(over[0]), SeriesKey(CREDITS, "Model", OPUS)
        rows = (SeriesKey(CREDITS), first, 2 + 2 * len(over)), (of_opus, first, 2)
        HistoryStore(database).save(Reading(CREDITS, ("Model",), (first,), rows), NOW)
    [found] = axes(of(path).history)
    assert found.rest == Part("(unattributed)", 2 * len(over), 0.5)


def test_axes_whose_categories_overlap_do_not_add_up(path: Path) -> None:
    by_day = days(SINCE, NOW)
    counts = np.full(len(by_day), 5)
    store(path, NOW, by_day, {"A": counts, "B": counts}, dataset="query_volume", axis="Project")
    [found] = axes(of(path, QUERIES).history)
    assert not found.adds_up


def test_a_dataset_that_is_new_to_us_counts_units(path: Path) -> None:
    over = hours(SINCE, NOW)
    store(path, NOW, over, {"x": np.full(len(over), 5)}, dataset="a_new_one")
    assert of(path, Feed("a_new_one", HOUR)).unit == "units"


def test_members_count_from_the_day_on_that_holds_the_time(path: Path) -> None:
    by_day = days(SINCE, NOW)
    ana, bo = np.full(len(by_day), 60), np.full(len(by_day), 20)
    store(path, NOW, by_day, {"ana@example.com": ana, "bo@example.com": bo, "cy@example.com": bo * 0}, members=True)
    with open_for_reading(path) as database:
        since_at = NOW - timedelta(days=3)
        [found] = members(database, "credit_usage", since_at)
        assert found == Axis("member", [Part("ana@example.com", 180, 0.75), Part("bo@example.com", 60, 0.25)], True)
        assert list(members(database, "connectors", since_at)) == []
        own = usage_of(database, "credit_usage", "bo@example.com", since_at)
        assert own.counts.tolist() == [20, 20, 20]
        assert [key.member for key in own.history.counts] == ["bo@example.com"]
        assert usage_of(database, "connectors", "bo@example.com", since_at).span is None
