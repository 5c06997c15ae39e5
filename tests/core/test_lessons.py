"""What people said about what is usual: which buckets it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage_watch.core.lessons import Answer, AnswerKind, Expected, Lessons, Rebased, buckets_in
from usage_watch.core.schedule import Days
from usage_watch.core.series import DAY, HOUR, Ints, Width
from usage_watch.core.units import to_epoch

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
UTC_ZONE, BERLIN = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin")
OPUS: Mapping[str, str] = {"Model": "opus"}


def at(hours: float) -> datetime:
    return MONDAY + timedelta(hours=hours)


def starts(first: datetime, count: int, width: Width = HOUR) -> Ints:
    return to_epoch(first) + width * np.arange(count, dtype=np.int64)


def days(first: int, last: int, zone: ZoneInfo = UTC_ZONE) -> Days:
    return Days(date(2026, 11, first), date(2026, 11, last), zone)


def test_nothing_was_said_and_everything_is_learned() -> None:
    hours = starts(MONDAY, 5)
    assert not Lessons().days_off(hours).any()
    assert Lessons().learnable("a", {}, hours).all()
    assert Lessons().rebases("a", {}) == []
    assert Lessons().learnable("a", {}, hours[:0]).shape == (0,)


def test_days_off_are_local_days() -> None:
    lessons = Lessons(weekends=(days(24, 25, BERLIN), days(28, 28, BERLIN)))
    off = lessons.days_off(starts(MONDAY, 24 * 7))
    # Berlin's days begin at 23:00 UTC.
    assert np.flatnonzero(off).tolist() == [*range(23, 71), *range(119, 143)]


@pytest.mark.parametrize(
    ("zone", "off"),
    [("UTC", [1, 2]), ("Europe/Berlin", [1, 2]), ("America/Los_Angeles", [1, 2]), ("Pacific/Auckland", [0, 1])],
)
def test_the_sources_days_are_those_local_days_that_they_cover_most(zone: str, off: list[int]) -> None:
    lessons = Lessons(weekends=(days(24, 25, ZoneInfo(zone)),), unlearned=(days(24, 25, ZoneInfo(zone)),))
    whole = starts(MONDAY, 7, DAY)
    assert np.flatnonzero(lessons.days_off(whole, DAY)).tolist() == off
    assert np.flatnonzero(~lessons.learnable("any", {}, whole, DAY)).tolist() == off


def test_days_that_teach_nobody_teach_no_rule() -> None:
    lessons = Lessons(unlearned=(days(23, 23),))
    for rule, labels in (("a", {}), ("b", OPUS)):
        learned = lessons.learnable(rule, labels, starts(at(-2), 28))
        assert np.flatnonzero(~learned).tolist() == list(range(2, 26))


def test_what_was_expected_of_one_series_is_learned_by_the_others() -> None:
    lessons = Lessons(expected=(Expected("a", OPUS, at(1), at(3)), Expected("a", OPUS, at(5), None)))
    hours = starts(MONDAY, 8)
    assert np.flatnonzero(~lessons.learnable("a", dict(OPUS), hours)).tolist() == [1, 2, 5, 6, 7]
    for rule, labels in (("b", OPUS), ("a", {}), ("a", {"Model": "haiku"})):
        assert lessons.learnable(rule, labels, hours).all()


def test_many_series_at_once_are_as_one_by_one() -> None:
    told = (Expected("a", OPUS, at(1), at(3)), Expected("a", {}, at(2), None), Expected("b", OPUS, at(0), None))
    lessons, hours = Lessons(unlearned=(days(24, 24),), expected=told), starts(MONDAY, 50)
    series: list[Mapping[str, str]] = [{}, OPUS, {"Model": "haiku"}]
    found = lessons.learnable_each("a", series, hours)
    assert found.shape == (50, 3)
    for column, labels in enumerate(series):
        assert found[:, column].tolist() == lessons.learnable("a", labels, hours).tolist()
    assert lessons.learnable_each("a", [], hours).shape == (50, 0)


def test_what_is_the_new_usual_comes_in_the_order_of_time() -> None:
    late, early = Rebased("a", OPUS, at(1), at(9)), Rebased("a", OPUS, at(3), at(4))
    lessons = Lessons(rebased=(late, Rebased("b", OPUS, at(0), at(0)), early, Rebased("a", {}, at(0), at(0))))
    assert lessons.rebases("a", dict(OPUS)) == [early, late]


def test_answers_come_beside_what_the_file_says() -> None:
    one, two = Expected("a", {}, at(0), at(1)), Expected("a", {}, at(2), at(3))
    first, second = Rebased("a", {}, at(0), at(1)), Rebased("b", {}, at(0), at(1))
    said = Lessons((days(24, 25),), (days(26, 26),), (one,), (first,)).with_answers([two], [second])
    assert said == Lessons((days(24, 25),), (days(26, 26),), (one, two), (first, second))


MINUTES = st.integers(-3 * 24 * 60, 3 * 24 * 60)


@given(MINUTES, MINUTES, st.sampled_from([HOUR, DAY]))
def test_as_many_buckets_are_counted_as_are_not_learned(begin: int, end: int, width: Width) -> None:
    from_at, until_at = at(begin / 60), at(end / 60)
    lessons = Lessons(expected=(Expected("a", {}, from_at, until_at),))
    every = starts(MONDAY - timedelta(days=5), 10 * DAY // width, width)
    assert int((~lessons.learnable("a", {}, every, width)).sum()) == buckets_in(from_at, until_at, width)


@pytest.mark.parametrize(
    ("begin", "end", "width", "count"),
    [
        (0, 1, HOUR, 1),
        (0.5, 1.5, HOUR, 1),
        (0.6, 1.4, HOUR, 0),
        (0.6, 1.6, HOUR, 1),
        (3, 1, HOUR, 0),
        (12, 36, DAY, 1),
        (13, 36, DAY, 0),
    ],
)
def test_a_bucket_belongs_to_a_time_if_its_middle_does(begin: float, end: float, width: Width, count: int) -> None:
    assert buckets_in(at(begin), at(end), width) == count


SAID = Answer("inc_1", AnswerKind.EXPECTED, None, None, at(0), "ana", "the import")
USUAL = replace(SAID, kind=AnswerKind.REBASELINE, from_at=at(-2))


@pytest.mark.parametrize(
    ("said", "before", "repeats"),
    [
        (SAID, SAID, True),
        (replace(SAID, at=at(5), author="bo"), SAID, True),
        (replace(SAID, note=None), SAID, True),
        (replace(SAID, note="more"), SAID, False),
        (SAID, replace(SAID, note=None), False),
        (replace(SAID, until_at=at(3)), SAID, False),
        (replace(SAID, from_at=at(-1)), SAID, False),
        (replace(SAID, incident_id="inc_2"), SAID, False),
        (SAID, replace(SAID, taken_back_at=at(1), taken_back_by="bo"), False),
        (USUAL, SAID, False),
        (replace(USUAL, from_at=at(-3)), USUAL, True),
    ],
    ids=[
        "the same",
        "by somebody else, later",
        "without the note",
        "with another note",
        "with a note",
        "another end",
        "another start",
        "of another alert",
        "after it was taken back",
        "another answer",
        "an alert whose start has moved",
    ],
)
def test_what_repeats_an_answer(said: Answer, before: Answer, repeats: bool) -> None:
    assert said.repeats(before) is repeats
