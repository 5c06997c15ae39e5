"""When to wake though nothing new is read."""

from __future__ import annotations

import pytest

from tests.meta.making import DAYS, HOURS, found, minute, polls, seen, target
from usage_watch.core.targetstate import TargetState
from usage_watch.meta import Sight, next_at

DAY = 24 * 60


@pytest.mark.parametrize(
    ("outcomes", "every", "now", "expected"),
    [
        ("uuu", 10, 20, 30),
        ("uuuu", 10, 30, 360),
        ("uu", 10, 20, None),  # the third attempt wakes by itself
        ("u" * 37, 10, 360, None),
        ("uuuu.", 10, 40, None),
        ("t", 10, 0, 60),
        ("tttt", 20, 60, None),
        ("kk", 1, 1, None),
        ("k", 1, 1, None),
        ("....", 10, 30, None),
        ("", 10, 30, None),
    ],
)
def test_it_wakes_when_a_run_that_goes_on_reaches_its_next_level(
    outcomes: str, every: float, now: float, expected: float | None
) -> None:
    wanted = None if expected is None else minute(expected)
    assert next_at(seen(polls(outcomes, every=every)), minute(now)) == wanted


def test_the_first_of_several_wakes() -> None:
    sight = seen(polls("uuuu", HOURS), polls(" ttt", DAYS), feeds=[HOURS, DAYS])
    assert next_at(sight, minute(30)) == minute(70)


def test_nothing_seen_is_nothing_to_wake_for() -> None:
    assert next_at(Sight(), minute(0)) is None


@pytest.mark.parametrize(("outcomes", "now"), [("uuu", 20), ("uuuu", 30), ("t", 0)])
def test_what_it_wakes_for_is_there_to_be_found_then_and_not_before(outcomes: str, now: float) -> None:
    sight = seen(polls(outcomes))
    at = next_at(sight, minute(now))
    assert at is not None
    minutes = (at - minute(0)).total_seconds() / 60
    before, then = found(sight, minutes - 0.1), found(sight, minutes)
    assert [each.severity for each in before] != [each.severity for each in then]


@pytest.mark.parametrize(
    ("state", "now", "expected"),
    [
        (target(failing=0, oldest=0), 14, 15),
        (target(oldest=0), 14, 15),  # it may fail until then
        (target(failing=0, oldest=0), 15, None),
        (target(failing=0, unstated=2), 14, 17),
        (target(failing=0, oldest=0, unstated=2), 14, 15),
        (target(failing=0), 14, None),
        (target(blocked=5, failing=0, oldest=0), 14, None),
        (target(lost=[0]), 15, DAY),
        (target(lost=[0]), DAY, None),
        (target(lost=[0, DAY, 3 * DAY]), DAY, 2 * DAY),
        (target(lost=[0, DAY, 3 * DAY]), 2 * DAY, 4 * DAY),
        (target(failing=0, oldest=DAY, lost=[10]), DAY, DAY + 10),
    ],
)
def test_it_wakes_when_messages_get_late_and_when_lost_ones_are_no_news_any_more(
    state: TargetState, now: float, expected: float | None
) -> None:
    wanted = None if expected is None else minute(expected)
    assert next_at(Sight(targets=[target("ops"), state]), minute(now)) == wanted


def test_late_messages_are_there_to_be_found_when_it_wakes_for_them_and_not_before() -> None:
    sight = Sight(targets=[target(failing=0, oldest=0)])
    at = next_at(sight, minute(0))
    assert at == minute(15)
    assert (len(found(sight, 14.9)), len(found(sight, 15))) == (0, 1)
