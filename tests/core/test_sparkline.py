from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.channels.samples import DAYS, HOUR, HOURS, NOON
from usage_watch.core.message import Drawn, Fact
from usage_watch.core.sparkline import sparkline, trend

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"),
        ([9_900, 10_000], "██"),  # from 0 on: what hardly moves is not drawn as if it did
        ([5, None, 10], "▅·█"),
        ([0, 0], "▁▁"),
        ([None], "·"),
        ([-1, 1], "▁█"),
        ([], ""),
    ],
)
def test_a_value_has_one_of_eight_heights(values: list[float | None], line: str) -> None:
    assert sparkline(values) == line


@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), max_size=24))
def test_every_value_has_its_character(values: list[float | None]) -> None:
    line = sparkline(values)
    assert len(line) == len(values)
    assert [character == "·" for character in line] == [value is None for value in values]


def test_the_row_of_hours_says_which_and_what_they_held() -> None:
    row = trend(HOURS, BERLIN, NOON + 2 * HOUR, by_days=False)
    assert row == Fact("24 h to 14:00", "310 ▁▁▁▁▁▁▁▁▁▁▁▁▁▂▂▃▃▃▃▃▃▅▆█ 12,345 credits in 3 h")


def test_the_row_of_days_names_the_last_of_them() -> None:
    row = trend(DAYS, BERLIN, NOON + 2 * HOUR, by_days=True)
    assert row == Fact("24 d to Sun 22 Nov", "1,500 ·▁▂▂▂▂▂▂▁▂▂▂▂▂▂▁▂▂▂▂▂▂▁█ 21,400 credits in 1 d")


@pytest.mark.parametrize(("step", "name"), [(7200, "48 h to 14:00"), (11 * 3600, "11 d to 14:00")])
def test_a_long_time_is_said_in_days(step: int, name: str) -> None:
    long = Drawn("credits spent", HOURS.until_at, step, HOURS.values)
    assert trend(long, BERLIN, NOON + 2 * HOUR, by_days=False).name == name
