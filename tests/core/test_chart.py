"""Pictures of messages, to the byte."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.channels.samples import DAYS, EVIDENCE, HOURS
from tests.core.drawings import check, check_golden, texts
from usage_watch.core.chart import chart
from usage_watch.core.message import Drawn, Evidence, Line, Severity

BERLIN = ZoneInfo("Europe/Berlin")
UNTIL = HOURS.until_at
INFO, WARNING, CRITICAL = (Line(severity, limit) for severity, limit in zip(Severity, (5e3, 8e3, 1e4), strict=True))


def drawn(values: Sequence[float | None], *lines: Line, step: int = 3600, **changes: object) -> Drawn:
    return replace(Drawn("credits in 1 h", UNTIL, step, tuple(values), lines), **changes)


def evidence(series: Drawn, limit: float = 10_000, bucket: str = "1h") -> Evidence:
    return replace(EVIDENCE, series=series, limit=limit, bucket=bucket)


USUAL = drawn(
    [*HOURS.values[:5], None, None, 35, None, *HOURS.values[9:]],
    Line(Severity.WARNING, 6200),
    Line(Severity.CRITICAL, 6900),
    low=(None, None, *[2000.0] * 10, *[2200.0] * 12),
    high=(None, None, *[4100.0] * 10, *[4500.0] * 12),
)
SPENT = drawn([410.0 * n + 40 * (n % 3) for n in range(1, 22)], INFO, WARNING, CRITICAL, step=79_200)
QUIET = drawn([*[900.0, 1200.0, 400.0, 10.0] * 4, *[0.0] * 8], step=6 * 3600)
SAMPLES = {
    "threshold": evidence(HOURS),
    "zscore": evidence(USUAL, 6900),
    "budget": evidence(SPENT, 8000),
    "absence": evidence(QUIET, 1),
    "days": evidence(DAYS, 20_000, "1d"),
    "share": evidence(drawn([12.5, 63.41], Line(Severity.WARNING, 60), what="% of credits in 1 h"), 60),
    "nothing-used": evidence(drawn([0, 0, 0]), 1),
    "millions": evidence(drawn([1.2e6, 2.6e6], Line(Severity.INFO, 2e6)), 2e6),
}


def picture(evidence: Evidence, zone: ZoneInfo = BERLIN) -> str:
    assert evidence.series is not None
    return chart(evidence, evidence.series, zone)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_picture_is_as_it_was(name: str) -> None:
    check_golden(f"mail-{name}", picture(SAMPLES[name]))


@pytest.mark.parametrize(
    ("highest", "axis"),
    [
        (0, ["0", "1"]),
        (0.5, ["0", "0.2", "0.4", "0.6"]),
        (7, ["0", "2", "4", "6", "8"]),
        (10, ["0", "5", "10", "15"]),
        (1_234, ["0", "500", "1,000", "1,500"]),
        (12_345, ["0", "5k", "10k", "15k"]),
        (1_400_000, ["0", "0.5M", "1M", "1.5M"]),
        (2_600_000, ["0", "1M", "2M", "3M"]),
        (4e9, ["0", "1G", "2G", "3G", "4G", "5G"]),
    ],
)
def test_numbers_on_the_axis_are_round(highest: float, axis: list[str]) -> None:
    found = texts(picture(evidence(drawn([highest, 0]))))
    assert found[1 : 1 + len(axis)] == axis


@pytest.mark.parametrize(
    ("until", "step", "points", "names"),
    [
        (UNTIL, 3600, 24, ["15:00", "18:00", "21:00", "Sun 22", "03:00", "06:00", "09:00", "12:00"]),
        (UNTIL, 3600, 3, ["12:00", "13:00", "14:00"]),
        (UNTIL, 21_600, 24, ["Tue 17 Nov", "Wed 18 Nov", "Thu 19 Nov", "Fri 20 Nov", "Sat 21 Nov", "Sun 22 Nov"]),
        # Round by the clock on the wall, on a day of 25 hours too, and where 02:00 does not come.
        (datetime(2026, 10, 25, 11, tzinfo=UTC), 3600, 12, ["02:00", "04:00", "06:00", "08:00", "10:00", "12:00"]),
        (datetime(2026, 3, 29, 4, tzinfo=UTC), 3600, 6, ["Sun 29", "01:00", "03:00", "04:00", "05:00", "06:00"]),
        (datetime(2026, 12, 31, tzinfo=UTC), 15 * 86_400, 24, ["1 Mar", "1 May", "1 Jul", "1 Sep", "1 Nov"]),
    ],
)
def test_times_on_the_axis_are_round_in_the_readers_zone(
    until: datetime, step: int, points: int, names: list[str]
) -> None:
    found = texts(picture(evidence(drawn([0] * points, step=step, until_at=until))))
    assert [each for each in found if re.search(r":|^[A-Z][a-z]{2} \d|[A-Z][a-z]{2}$", each)] == names


def test_a_day_is_named_where_its_value_stands() -> None:
    svg = picture(SAMPLES["days"])
    assert re.findall(r">(\w{3} \d+ \w{3})<", svg) == ["Mon 2 Nov", "Mon 9 Nov", "Mon 16 Nov"]


@pytest.mark.parametrize(("limit", "names"), [(1, ["warning 250"]), (1000, ["critical 1,000", "warning 250"])])
def test_a_level_far_above_is_drawn_only_where_it_was_reached(limit: float, names: list[str]) -> None:
    lines = (Line(Severity.WARNING, 250), Line(Severity.CRITICAL, 1000))
    found = texts(picture(evidence(drawn([0, 100], *lines), limit)))
    assert [each for each in found if each.startswith(tuple(Severity))] == names


def test_names_of_lines_stand_apart() -> None:
    found = re.findall(
        r'<text x="[0-9.]+" y="([0-9.]+)" fill="[^"]*">(?:warning|critical|usual|12,345)', picture(SAMPLES["zscore"])
    )
    rows = [float(y) for y in found]
    assert len(rows) == 4
    assert all(later - row >= 15 for row, later in pairwise(rows))


def test_what_is_not_known_is_left_open() -> None:
    [line] = re.findall(r'd="([^"]*)"[^>]* stroke-width="2.5"', picture(evidence(drawn([1, 2, None, 3, None]))))
    assert line.count("M") == 2


def test_a_reader_who_does_not_see_it_is_told() -> None:
    root = check(picture(SAMPLES["threshold"]))
    assert (root.get("role"), root.get("aria-labelledby")) == ("img", "c-t c-d")
    assert [root[0].text, root[1].text] == ["credits in 3 h", EVIDENCE.summary]


@given(
    st.lists(st.none() | st.floats(0, 1e12), min_size=2, max_size=24),
    st.lists(st.floats(0, 1e12), max_size=3),
    st.text(),
    st.sampled_from([3600, 7200, 86_400, 31 * 3600]),
    st.sampled_from(["1h", "1d"]),
    st.sampled_from(["Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"]),
)
@settings(max_examples=60, deadline=None)
def test_any_series_is_drawn_inside_its_frame(
    values: list[float | None], limits: list[float], text: str, step: int, bucket: str, zone: str
) -> None:
    lines = [Line(severity, limit) for severity, limit in zip(Severity, limits, strict=False)]
    said = replace(evidence(drawn(values, *lines, step=step, what=text), bucket=bucket), summary=text)
    check(picture(said, ZoneInfo(zone)))


def test_points_stand_a_step_apart_and_end_where_the_evidence_does() -> None:
    assert drawn([1, 2, 3]).ends == (UNTIL - timedelta(hours=2), UNTIL - timedelta(hours=1), UNTIL)
