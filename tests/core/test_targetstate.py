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
