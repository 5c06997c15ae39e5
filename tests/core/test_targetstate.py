from __future__ import annotations

from datetime import timedelta

import pytest

from tests.core.builders import at
from usage_watch.core.targetstate import LAGS_AFTER, TargetState


@pytest.mark.parametrize(
    ("waited", "lags"),
    [(None, False), (timedelta(), False), (LAGS_AFTER - timedelta(seconds=1), False), (LAGS_AFTER, True)],
)
def test_a_channel_lags_once_a_message_has_waited_for_a_quarter_of_an_hour(
    waited: timedelta | None, lags: bool
) -> None:
    state = TargetState("ops", waiting_from=None if waited is None else at(6) - waited)
    assert state.lags(at(6)) is lags


@pytest.mark.parametrize(
    ("waiting", "unstated", "late"), [(None, None, None), (3, None, 3), (None, 4, 4), (3, 4, 3), (4, 3, 3)]
)
def test_what_stands_and_is_not_told_again_waits_too(
    waiting: int | None, unstated: int | None, late: int | None
) -> None:
    times = (None if hour is None else at(hour) for hour in (waiting, unstated, late))
    waiting_from, unstated_from, late_from = times
    state = TargetState("ops", waiting_from=waiting_from, unstated_from=unstated_from)
    assert state.late_from == late_from
    assert state.lags(at(4) + LAGS_AFTER) is (late is not None)
