"""Whether what is written in a chart can be read: no text lies over another."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.drawings import check, texts
from usage_watch.core.chart import NARROW, WIDE, BurnUp, Course, Expected, Level, LineChart, Look, burn_up, line_chart
from usage_watch.core.message import Severity
from usage_watch.core.periods import Span
from usage_watch.core.series import HOUR
from usage_watch.core.units import to_epoch

BERLIN = ZoneInfo("Europe/Berlin")
SPAN = Span(datetime(2026, 10, 31, 23, tzinfo=UTC), datetime(2026, 11, 30, 23, tzinfo=UTC))
DAYS = 30
LOOKS = {"wide": Look(WIDE), "narrow": Look(NARROW)}
USUAL = (50, 80)
"""Percent: the levels that people write."""


@dataclass(frozen=True, slots=True)
class Box:
    """Where a text stands, in pixels."""

    words: str
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        return (
            min(self.right, other.right) - max(self.left, other.left) > 0
            and min(self.bottom, other.bottom) - max(self.top, other.top) > 0
        )


def boxes(svg: str, look: Look) -> Iterator[Box]:
    """Of every text in it: capitals are three quarters of its size high, and commas hang down."""
    for each in ElementTree.fromstring(svg).iter():
        if each.tag.endswith("}text"):
            size = int(each.attrib.get("font-size", look.size.font))
            words, x, y = each.text or "", float(each.attrib["x"]), float(each.attrib["y"])
            length = look.size.length(words, size)
            left = x - length * {"end": 1, "middle": 0.5}.get(each.attrib.get("text-anchor", ""), 0)
            yield Box(words, left, y - 0.75 * size, left + length, y + 0.2 * size)


def check_readable(svg: str, look: Look) -> None:
    check(svg)
    pairs = combinations(boxes(svg, look), 2)
    assert not [(one.words, other.words) for one, other in pairs if one.meets(other)]


def budget(
    day: float,
    spent: float,
    levels: Sequence[float] = USUAL,
    expected: tuple[float, float, float] | None = None,
    *,
    limit: float = 15_000,
    runs_out: float | None = None,
) -> BurnUp:
    """At a `day` of its period; what is spent and expected in parts of its limit, and the day on which it runs out."""
    starts = to_epoch(SPAN.start_at) + 6 * HOUR * np.arange(int(4 * day), dtype=np.int64)
    at = None if runs_out is None else SPAN.start_at + timedelta(days=runs_out)
    ahead = None if expected is None else Expected(*(each * limit for each in expected), at, at, None)
    return BurnUp(
        "members: ana@example.com",
        "credits",
        SPAN,
        BERLIN,
        limit,
        Course(starts, 6 * HOUR, np.linspace(0, spent * limit, len(starts) + 1)[1:], SPAN.start_at),
        [Level(limit * each / 100, Severity.WARNING, f"{each:g} %") for each in levels],
        ahead,
    )


CASES = {
    "as usual": budget(18, 0.5, expected=(0.7, 0.77, 0.85)),
    "close levels": budget(18, 0.6, (90, 95, 98), (0.9, 1.0, 1.1), runs_out=27),
    "levels of everything": budget(12, 0.4, range(5, 100, 5), (0.8, 0.9, 1.05)),
    "expected at the limit": budget(18, 0.55, expected=(0.9, 1.0, 1.1), runs_out=30),
    "expected just under it": budget(24, 0.97, expected=(0.98, 0.99, 1.0)),
    "expected far over it": budget(20, 1.2, expected=(1.3, 1.7, 2.6)),
    "expected far under it": budget(20, 0.03, expected=(0.03, 0.04, 0.05)),
    "before its first hour": budget(0, 0.0),
    "on its first day": budget(0.25, 0.02, expected=(0.6, 1.0, 1.5), runs_out=20),
    "on its first day, with much": budget(1, 0.85, expected=(6, 10, 15), runs_out=1.2),
    "on its last day": budget(DAYS, 0.98, expected=(0.98, 0.99, 1.0)),
    "on its last day, just over it": budget(DAYS, 1.01, (99,), expected=(1.01, 1.02, 1.03)),
    "with large numbers": budget(25, 0.88, expected=(0.95, 1.04, 1.1), limit=1_250_000_000, runs_out=29),
    "with nothing expected": budget(8, 0.2),
    "without a limit": budget(8, 0.2, limit=0),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
@pytest.mark.parametrize("chart", CASES.values(), ids=CASES)
def test_no_text_of_a_budget_lies_over_another(chart: BurnUp, look: Look) -> None:
    check_readable(burn_up(chart, look), look)


@given(
    st.floats(0, DAYS),
    st.floats(0, 3),
    st.lists(st.integers(1, 99), max_size=12, unique=True).map(sorted),
    st.none() | st.lists(st.floats(0, 3), min_size=3, max_size=3).map(sorted).map(tuple),
    st.sampled_from([100, 15_000, 440_000, 123_456_789]),
    st.none() | st.floats(0, DAYS),
    st.sampled_from(list(LOOKS.values())),
)
@settings(max_examples=200, deadline=None)
def test_whatever_is_spent_and_expected_no_text_lies_over_another(
    day: float,
    spent: float,
    levels: Sequence[float],
    expected: tuple[float, float, float] | None,
    limit: float,
    runs_out: float | None,
    look: Look,
) -> None:
    check_readable(burn_up(budget(day, spent, levels, expected, limit=limit, runs_out=runs_out), look), look)


def test_on_a_phone_what_is_spent_and_expected_is_said_above_the_plot() -> None:
    svg = burn_up(CASES["as usual"], LOOKS["narrow"])
    assert {"7,500 credits spent", "expected 11,600, 80 % of cases"} <= set(texts(svg))
    assert not {"7,500", "expected 11,600"} & set(texts(svg))


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_levels_that_are_close_are_all_named_and_of_many_those_with_a_row_of_their_own(look: Look) -> None:
    close = texts(burn_up(CASES["close levels"], look))
    assert {"limit 15,000", "98 % 14,700", "95 % 14,250", "90 % 13,500"} <= set(close)
    crowd = [each for each in boxes(burn_up(CASES["levels of everything"], look), look) if "%" in each.words]
    named = [each for each in crowd if re.match(r"\d+ % [\d,]+$", each.words)]
    assert 2 < len(named) < 19


def test_where_the_limit_was_passed_early_levels_are_named_at_the_right() -> None:
    over, under = (burn_up(budget(27, spent), LOOKS["narrow"]) for spent in (3.7, 0.9))
    for svg, right in ((over, True), (under, False)):
        [limit] = [each for each in boxes(svg, LOOKS["narrow"]) if each.words == "limit 15,000"]
        assert (limit.left > NARROW.width / 2) == right


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
@pytest.mark.parametrize("uncounted", [0, 1, 3, 24, 165, 168])
def test_the_newest_value_is_named_though_the_line_ends_before_the_present(look: Look, uncounted: int) -> None:
    values = np.full(168, 1234.0)
    values[168 - uncounted :] = np.nan
    starts = to_epoch(SPAN.start_at) + HOUR * np.arange(168, dtype=np.int64)
    levels = [Level(1230, Severity.WARNING), Level(1240, Severity.CRITICAL)]
    svg = line_chart(LineChart("runaway", "credits in 1 h", Course(starts, HOUR, values), BERLIN, levels=levels), look)
    check_readable(svg, look)
    assert ("1,234" in texts(svg)) == (uncounted < 168)


def test_on_a_phone_the_newest_values_name_leaves_its_dot_in_sight() -> None:
    look, values = LOOKS["narrow"], np.full(168, 1234.0)
    values[-3:] = np.nan
    starts = to_epoch(SPAN.start_at) + HOUR * np.arange(168, dtype=np.int64)
    svg = line_chart(LineChart("runaway", "credits in 1 h", Course(starts, HOUR, values), BERLIN), look)
    [newest] = [each for each in boxes(svg, look) if each.words == "1,234"]
    [dot] = re.findall(r'<circle cx="([\d.]+)"', svg)
    assert newest.right < float(dot) - 4.5 < newest.right + 5
