from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tests.rules.making import made
from usage_watch.core.periods import Span
from usage_watch.core.series import DAY, HOUR, Flags, Ints, Width
from usage_watch.core.units import from_epoch
from usage_watch.rules.budget import BudgetRule
from usage_watch.rules.budget.books import Books
from usage_watch.rules.budget.outlook import Outlook, Silent, lately, outlook, settled_days

MONTH = Span(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
SEEN_UNTIL = datetime(2026, 11, 18, tzinfo=UTC)


def rule(**fields: object) -> BudgetRule:
    found = made("budget", limit=100, period="month", **fields)
    assert isinstance(found, BudgetRule)
    return found


def books(
    days: int = 60, *, limit: float = 1000, width: Width = DAY, used: Ints | None = None, unsettled: int = 2
) -> Books:
    """So many days until SEEN_UNTIL, each with 24; the last ones are not settled."""
    n = days * DAY // width
    start = int(SEEN_UNTIL.timestamp()) - days * DAY
    counts = np.full((n, 1), 24 * width // DAY, dtype=np.int64) if used is None else used.reshape(n, 1)
    frontier = int(SEEN_UNTIL.timestamp()) - unsettled * DAY
    starts = start + width * np.arange(n, dtype=np.int64)
    return Books(
        labels=[{}],
        limits=np.array([limit]),
        width=width,
        starts=starts,
        used=counts,
        known=np.ones(n, dtype=bool),
        settled=starts < frontier,
        frontier=frontier if frontier > start else None,
        first=0,
    )


def unread(of: Books, day: int) -> Books:
    """The same, without the day so many before the last."""
    known: Flags = np.ones(len(of.starts), dtype=bool)
    known[len(known) - 1 - day] = False
    return Books(of.labels, of.limits, of.width, of.starts, of.used, known, of.settled & known, of.frontier, of.first)


def expected(of: Books, span: Span = MONTH) -> Outlook:
    found = outlook(rule(), of, span)
    assert isinstance(found, Outlook)
    return found


def test_nobody_ends_below_what_they_have_spent() -> None:
    """The range is of settled days, and what was seen since lies inside of it."""
    used = np.where(np.arange(60) % 5 < 2, 60, 0)
    used[-2:] = 30
    span = Span(MONTH.start_at, SEEN_UNTIL + timedelta(days=1))
    limit = float(used[-int((SEEN_UNTIL - MONTH.start_at) / timedelta(days=1)) :].sum())
    found = expected(books(used=used, limit=limit), span)
    assert found.settled.low < limit < found.settled.median
    assert (found.seen.low, found.seen.median) == (limit, found.settled.median)
    assert (found.settled.over < 1, found.seen.over, found.reached(0, 0)) == (True, 1, None)


@pytest.mark.parametrize("width", [HOUR, DAY])
def test_steady_use_goes_on(width: Width) -> None:
    found = expected(books(width=width))
    assert found.seen.median == pytest.approx(30 * 24)
    assert found.settled.median == found.seen.median
    assert found.seen.over < 0.01
    assert found.reached(1, 0) is None
    assert from_epoch(int(found.starts[0])) == SEEN_UNTIL - timedelta(days=2)
    assert len(found.starts) == 15


def test_the_day_is_named_on_which_the_limit_is_reached() -> None:
    found = expected(books(limit=20 * 24 - 1))
    day = found.reached(1, 0)
    assert day is not None
    assert from_epoch(day) == datetime(2026, 11, 20, tzinfo=UTC)


def test_a_limit_that_is_reached_already_has_no_such_day() -> None:
    found = expected(books(limit=24))
    assert found.seen.over == 1
    assert found.reached(1, 0) is None


def test_what_is_far_more_than_was_expected_counts_before_it_is_settled() -> None:
    used = np.full(60, 24, dtype=np.int64)
    used[-1] += 300
    found = expected(books(used=used))
    assert found.settled.median == pytest.approx(30 * 24)
    assert found.seen.median == pytest.approx(30 * 24 + 300)
    assert found.seen.over > found.settled.over
    assert expected(books(limit=900, used=used)).seen.over > 0.9
    [day] = {expected(books(limit=30 * 24 + 300 - 25, used=used)).reached(1, 0)}
    assert day is not None
    assert from_epoch(day) == datetime(2026, 11, 29, tzinfo=UTC), "counted from the same day as without"


def test_a_limit_reached_by_what_is_not_settled_is_reached() -> None:
    used = np.full(60, 24, dtype=np.int64)
    used[-1] += 3000
    found = expected(books(used=used))
    assert found.seen.over == 1
    assert found.reached(0, 0) is None


@pytest.mark.parametrize(
    ("of", "why"),
    [
        (books(limit=0), Silent.NO_LIMIT),
        (books(days=15), Silent.YOUNG),
        (books(days=1, unsettled=2), Silent.YOUNG),
        (books(unsettled=18), Silent.EARLY),
        (unread(books(), 10), Silent.MISSING),
        (unread(books(), 30), Silent.MISSING),
    ],
)
def test_where_nothing_can_be_said_it_says_why(of: Books, why: Silent) -> None:
    assert outlook(rule(), of, MONTH) is why


def test_what_was_not_read_long_ago_does_not_matter() -> None:
    assert isinstance(outlook(rule(), unread(books(days=75), 70), MONTH), Outlook)


def test_a_pool_is_not_forecast() -> None:
    assert outlook(rule(of="pool"), books(), MONTH) is Silent.POOL


def test_of_several_series_one_may_have_no_limit() -> None:
    one = books()
    both = Books(
        [{}, {}],
        np.array([1000.0, 0.0]),
        DAY,
        one.starts,
        np.repeat(one.used, 2, axis=1),
        one.known,
        one.settled,
        one.frontier,
        0,
    )
    assert expected(both).seen.median[0] == pytest.approx(30 * 24)


def test_what_was_used_lately_is_a_mean_of_settled_days() -> None:
    used = np.arange(60, dtype=np.int64)
    found = lately(books(used=used))
    assert found == pytest.approx(np.arange(51, 58).mean())
    assert settled_days(books()) == 58


@pytest.mark.parametrize("of", [books(days=8), unread(books(), 4), books(days=1)])
def test_what_was_used_lately_is_not_guessed(of: Books) -> None:
    assert lately(of) is None


def test_nothing_was_ever_read() -> None:
    none = books(days=1)
    empty = Books(
        [{}],
        none.limits,
        DAY,
        none.starts[:0],
        none.used[:0],
        none.known[:0],
        none.settled[:0],
        None,
        0,
    )
    assert settled_days(empty) == 0
    assert outlook(rule(), empty, MONTH) is Silent.YOUNG
