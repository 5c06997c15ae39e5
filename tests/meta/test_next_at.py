"""When to wake though nothing new is read."""

from __future__ import annotations

import pytest

from tests.meta.making import DAYS, HOURS, found, minute, polls, seen
from usage_watch.meta import Sight, next_at


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
