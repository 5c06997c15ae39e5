"""Pictures, to the byte. After a wanted change run with `UPDATE_GOLDEN=1`, and look at the files in a browser."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.channels.samples import DAYS, EVIDENCE, HOURS
from usage_watch.core.chart import chart
from usage_watch.core.message import Drawn, Evidence, Line, Severity

BERLIN = ZoneInfo("Europe/Berlin")
GOLDEN = Path(__file__).parent.parent / "golden" / "chart"
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


def texts(svg: str) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(svg).iter() if each.tag.endswith("}text")]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_picture_is_as_it_was(name: str) -> None:
    svg, path = picture(SAMPLES[name]), GOLDEN / f"{name}.svg"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(svg, encoding="utf-8")
    assert svg == path.read_text(encoding="utf-8")


def test_no_picture_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(SAMPLES)


@pytest.mark.parametrize(
    ("highest", "axis"),
    [
        (0, ["0", "1"]),
        (0.5, ["0", "0.2", "0.4", "0.6"]),
        (7, ["0", "2", "4", "6", "8"]),
        (10, ["0", "5", "10"]),
        (1_234, ["0", "500", "1,000", "1,500"]),
        (12_345, ["0", "5k", "10k", "15k"]),
        (2_600_000, ["0", "1M", "2M", "3M"]),
    ],
)
def test_numbers_on_the_axis_are_round(highest: float, axis: list[str]) -> None:
    found = texts(picture(evidence(drawn([highest, 0]))))
    assert found[1 : 1 + len(axis)] == axis


@pytest.mark.parametrize(
    ("until", "step", "points", "names"),
    [
        (UNTIL, 3600, 24, ["18:00", "22 Nov", "06:00", "12:00"]),
        (UNTIL, 3600, 3, ["12:00", "13:00", "14:00"]),
        (UNTIL, 21_600, 24, ["17 Nov", "18 Nov", "19 Nov", "20 Nov", "21 Nov", "22 Nov"]),
        # Round by the clock on the wall, on a day of 25 hours too.
        (datetime(2026, 10, 25, 11, tzinfo=UTC), 3600, 24, ["18:00", "25 Oct", "06:00", "12:00"]),
        (
            datetime(2026, 12, 31, tzinfo=UTC),
            15 * 86_400,
            24,
            ["22 Mar", "22 May", "22 Jul", "21 Sep", "21 Nov"],
        ),
    ],
)
def test_times_on_the_axis_are_round_in_the_readers_zone(
    until: datetime, step: int, points: int, names: list[str]
) -> None:
    found = texts(picture(evidence(drawn([0] * points, step=step, until_at=until))))
    assert [each for each in found if re.search(r":|[A-Z][a-z]{2}$", each)] == names


def test_a_day_is_named_where_its_value_stands() -> None:
    svg = picture(SAMPLES["days"])
    assert re.findall(r">(\d+ \w{3})<", svg) == ["31 Oct", "7 Nov", "14 Nov", "21 Nov"]


@pytest.mark.parametrize(("limit", "names"), [(1, ["warning 250"]), (1000, ["critical 1,000", "warning 250"])])
def test_a_level_far_above_is_drawn_only_where_it_was_reached(limit: float, names: list[str]) -> None:
    lines = (Line(Severity.WARNING, 250), Line(Severity.CRITICAL, 1000))
    found = texts(picture(evidence(drawn([0, 100], *lines), limit)))
    assert [each for each in found if each.startswith(tuple(Severity))] == names


def test_names_of_lines_stand_apart() -> None:
    rows = [float(y) for y in re.findall(r'<text x="468.0" y="([0-9.]+)"', picture(SAMPLES["zscore"]))]
    assert len(rows) == 4
    assert all(later - row >= 15 for row, later in pairwise(rows))


def test_what_is_not_known_is_left_open() -> None:
    assert picture(evidence(drawn([1, 2, None, 3, None]))).count('stroke-width="2.5"') == 2


def test_a_reader_who_does_not_see_it_is_told() -> None:
    root = ElementTree.fromstring(picture(SAMPLES["threshold"]))
    assert (root.get("role"), root.get("aria-labelledby")) == ("img", "t d")
    assert [root[0].text, root[1].text] == ["credits in 3 h", EVIDENCE.summary]


@given(
    st.lists(st.none() | st.floats(0, 1e12), min_size=2, max_size=24),
    st.lists(st.floats(0, 1e12), max_size=3),
    st.text(),
    st.sampled_from([3600, 7200, 86_400, 31 * 3600]),
    st.sampled_from(["Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"]),
)
@settings(max_examples=60, deadline=None)
def test_any_series_is_drawn_inside_its_frame(
    values: list[float | None], limits: list[float], text: str, step: int, zone: str
) -> None:
    lines = [Line(severity, limit) for severity, limit in zip(Severity, limits, strict=False)]
    said = replace(evidence(drawn(values, *lines, step=step, what=text)), summary=text)
    svg = picture(said, ZoneInfo(zone))
    assert ElementTree.fromstring(svg).tag.endswith("}svg")
    for x, y in re.findall(r"(-?[0-9.]+) (-?[0-9.]+)", " ".join(re.findall(r' d="([^"]*)"', svg))):
        assert 0 <= float(x) <= 600
        assert 0 <= float(y) <= 240


def test_points_stand_a_step_apart_and_end_where_the_evidence_does() -> None:
    assert drawn([1, 2, 3]).ends == (UNTIL - timedelta(hours=2), UNTIL - timedelta(hours=1), UNTIL)
