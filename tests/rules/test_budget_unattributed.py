from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.core.builders import DAILY, HOURLY, MEMBER_DAYS, START, feed_history
from usage_watch.core.periods import Span
from usage_watch.core.series import FeedHistory, empty
from usage_watch.rules.budget.unattributed import Unattributed, unattributed

PAID = "Credit Source=paid"
WEEK = Span(START + timedelta(days=1), START + timedelta(days=8))


def members(ana: list[int], bo: list[int], **given: Any) -> FeedHistory:
    """Paid credits of two, and as much again that they did not pay for."""
    counts = {"ana@x": [2 * each for each in ana], f"ana@x {PAID}": ana, "bo@x": bo, f"bo@x {PAID}": bo}
    return feed_history(counts, MEMBER_DAYS, **given)


def everyone(paid: list[int], **given: Any) -> FeedHistory:
    return feed_history({"": [9 * each for each in paid], PAID: paid}, DAILY, **given)


def test_the_rest_is_what_no_member_paid_for() -> None:
    found = unattributed(members([5, 10, 10], [5, 20, 20]), everyone([99, 40, 35]), WEEK)
    assert found == Unattributed(paid=75, rest=15, until_at=START + timedelta(days=3)), "of the period's days alone"


def test_hours_of_everyone_will_do() -> None:
    hours = [*[0] * 24, *[2] * 24, *[1] * 12]
    found = unattributed(members([5, 10, 10], [5, 20, 20]), feed_history({"": hours, PAID: hours}, HOURLY), WEEK)
    assert found == Unattributed(paid=48, rest=18, until_at=START + timedelta(days=2)), "a day that is not whole waits"


def test_only_days_that_are_settled_on_both_sides_are_compared() -> None:
    found = unattributed(members([0] * 4, [1] * 4, unsettled=[3]), everyone([5] * 4, unsettled=[1]), WEEK)
    assert found == Unattributed(paid=5, rest=4, until_at=START + timedelta(days=3))


def test_members_that_have_more_than_everyone_leave_nothing() -> None:
    found = unattributed(members([0, 50], [0, 1]), everyone([0, 40]), WEEK)
    assert found == Unattributed(paid=40, rest=0, until_at=START + timedelta(days=2))


@pytest.mark.parametrize(
    ("of_members", "of_all"),
    [
        (empty(MEMBER_DAYS), everyone([5] * 4)),
        (members([1] * 4, [1] * 4), empty(HOURLY)),
        (members([1], [1]), everyone([5])),
        (members([1] * 4, [1] * 4), everyone([5] * 4, unanswered={"Credit Source": range(4)})),
    ],
    ids=["no members", "no total", "before the period", "an axis that was left out"],
)
def test_where_no_day_is_known_on_both_sides_nothing_is_said(of_members: FeedHistory, of_all: FeedHistory) -> None:
    assert unattributed(of_members, of_all, WEEK) is None
