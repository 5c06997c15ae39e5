from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from usage_watch.core.aging import Aging, seen_again, seen_first
from usage_watch.core.series import HOUR

FIRST = seen_first(True, {"Model": 100}, 100)
ZERO = seen_first(False, {}, 100)


def test_what_is_seen_for_the_first_time_has_no_past() -> None:
    whole = Aging(100, 100, nonzero_at=100, zero_gap=None, changed_at=100, unchanged_polls=0, axes={"Model": 100})
    assert whole == FIRST
    assert replace(FIRST, nonzero_at=None, axes={}) == ZERO


@pytest.mark.parametrize(
    ("old", "used", "changed", "changes"),
    [
        (FIRST, True, False, {"unchanged_polls": 1}),
        (FIRST, True, True, {"changed_at": 700}),
        (replace(FIRST, unchanged_polls=5), True, True, {"changed_at": 700}),
        (replace(FIRST, unchanged_polls=5), True, False, {"unchanged_polls": 6}),
        # It was zero until now: how long ago was it last seen so?
        (ZERO, True, True, {"nonzero_at": 700, "zero_gap": 600, "changed_at": 700}),
        (replace(ZERO, seen_at=650), True, True, {"nonzero_at": 700, "zero_gap": 50, "changed_at": 700}),
        (ZERO, False, False, {"unchanged_polls": 1}),
        # What was revised away, and is back: it had been more than zero before.
        (FIRST, False, True, {"changed_at": 700}),
        (replace(FIRST, seen_at=500, changed_at=500), True, True, {"changed_at": 700}),
        # Another split of the same total is a change too.
        (replace(ZERO, nonzero_at=300, zero_gap=200), True, True, {"changed_at": 700}),
    ],
)
def test_what_is_seen_again_remembers_when_it_changed(
    old: Aging, used: bool, changed: bool, changes: dict[str, Any]
) -> None:
    assert seen_again(old, used, changed, {}, 700) == replace(old, seen_at=700, **{"unchanged_polls": 0, **changes})


@pytest.mark.parametrize("old", [FIRST, ZERO, replace(FIRST, unchanged_polls=5), replace(ZERO, unchanged_polls=5)])
@pytest.mark.parametrize("used", [False, True])
def test_a_poll_that_is_saved_twice_at_the_same_instant_counts_once(old: Aging, used: bool) -> None:
    once = seen_again(old, used, used != (old.nonzero_at is not None), {}, 700)
    assert seen_again(once, used, False, {}, 700) == once
    assert seen_again(once, used, False, {}, 701).unchanged_polls == once.unchanged_polls + 1


def test_what_was_seen_first_and_is_saved_again_at_the_same_instant_has_no_poll_since() -> None:
    assert seen_again(FIRST, True, False, {"Model": 100}, 100) == FIRST
    assert seen_again(ZERO, False, False, {}, 100) == ZERO


def test_what_changed_at_the_same_instant_has_changed_all_the_same() -> None:
    aged = replace(FIRST, seen_at=700, unchanged_polls=5)
    assert seen_again(aged, True, True, {}, 700) == replace(aged, changed_at=700, unchanged_polls=0)


def test_an_axis_is_known_since_it_was_first_answered() -> None:
    again = seen_again(FIRST, True, False, {"Model": 700, "Feature": 700}, 700)
    assert again.axes == {"Model": 100, "Feature": 700}
    assert seen_again(again, True, False, {}, 900).axes == again.axes
    assert [again.known_since(axis) for axis in (None, "Model", "Feature", "Skill")] == [100, 100, 700, None]


def test_a_gap_is_the_time_between_two_polls_not_since_the_first() -> None:
    polled = ZERO
    for number in range(1, 5):
        polled = seen_again(polled, False, False, {}, 100 + number * HOUR)
    assert seen_again(polled, True, True, {}, 100 + 6 * HOUR).zero_gap == 2 * HOUR
