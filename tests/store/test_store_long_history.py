"""What each cycle looks at is of lately: a long history costs no more than a short one, and finds the same."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.store.store_samples import HOURLY, at, day, hour, polled, read_up, reading, totals
from usage_watch.core.feedstate import Gap, LargeRevision
from usage_watch.core.series import DAY, Feed
from usage_watch.store.database import Database, open_for_writing
from usage_watch.store.history import HistoryStore
from usage_watch.store.times import moment

DAILY = Feed("credit_usage", DAY)
DAYS = 200


@pytest.fixture
def store(db: Database) -> HistoryStore:
    return HistoryStore(db)


@pytest.mark.parametrize(
    ("first", "end", "told"),
    [
        pytest.param(5, 8, False, id="long out of reach"),
        pytest.param(100, 109, False, id="just out of reach"),
        pytest.param(100, 110, True, id="it reaches into it"),
        pytest.param(150, 152, True, id="in reach"),
    ],
)
def test_of_gaps_only_those_are_told_that_may_still_be_filled(
    store: HistoryStore, first: int, end: int, told: bool
) -> None:
    store.save(totals({day(number): 5 for number in range(DAYS) if not first <= number < end}, DAILY), at(5000))
    read_up(store, at(5000), DAILY, back_to=moment(day(0)))
    assert store.gaps() == ([Gap(DAILY, moment(day(first)), moment(day(end)))] if told else [])


@pytest.mark.parametrize(("days", "told"), [(80, True), (95, False)])
def test_of_revisions_only_those_are_told_that_the_source_still_makes(
    store: HistoryStore, days: int, told: bool
) -> None:
    learned = 24 * days
    polled(store, totals({hour(0): 100}), 72)
    polled(store, totals({hour(0): 900}), learned)
    found = [LargeRevision(HOURLY, at(0), 100, 900, at(learned))] if told else []
    assert store.large_revisions(at(learned - 1)) == found


NAMES = st.lists(st.text('": 17\\,{}Ma', min_size=1, max_size=9), min_size=1, max_size=3, unique=True)


@settings(max_examples=40, deadline=None)
@given(answers=st.lists(NAMES, min_size=1, max_size=6))
@example(answers=[['a": 1'], ['a": 2'], ["a\\"], ['a\\": 17']])
def test_whatever_axes_are_called_they_are_known_where_they_were_answered(answers: list[list[str]]) -> None:
    """Each answer came at its own time, and the times are stored beside the names."""
    with TemporaryDirectory() as folder, open_for_writing(Path(folder, "usage-watch.db")) as db:
        store = HistoryStore(db)
        for number, axes in enumerate(answers):
            store.save(reading(HOURLY, {hour(number): {(None, None, None): 7}}, axes=tuple(axes)), at(number + 1))
        known = store.load({HOURLY: at(0)})[HOURLY].axes
    expected = {name: [name in axes for axes in answers] for axes in answers for name in axes}
    assert {name: flags.tolist() for name, flags in known.items()} == expected
