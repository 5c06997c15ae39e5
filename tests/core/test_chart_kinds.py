"""The charts of the page and of `usage-watch chart`."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.drawings import GOLDEN, check, check_golden, path_places, texts, tips
from tests.core.test_chart import SAMPLES
from usage_watch.core.chart import (
    NARROW,
    PAGE,
    PAPER,
    Band,
    Bar,
    Bars,
    BurnUp,
    Course,
    Expected,
    Gauge,
    HeatMap,
    Kind,
    Level,
    LineChart,
    Look,
    Mark,
    Palette,
    Shade,
    bars,
    burn_up,
    gauge,
    heat_map,
    hours_of_week,
    line_chart,
    on_page,
    spark,
    style_sheet,
)
from usage_watch.core.message import Severity
from usage_watch.core.periods import Span
from usage_watch.core.series import DAY, HOUR, Floats
from usage_watch.core.units import from_epoch, to_epoch

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)
SMALL = Look(NARROW)
EVIL = "</title><script>alert(1)</script>\u202e"


def hours(count: int, until: datetime = NOW) -> np.ndarray:
    return to_epoch(until) - HOUR * np.arange(count, 0, -1, dtype=np.int64)


def work(starts: np.ndarray) -> Floats:
    """More by day, and on workdays."""
    hour, weekday = starts % DAY // HOUR, (starts // DAY + 3) % 7
    wave = 1000.0 + 40 * (starts // HOUR % 7)
    return wave * np.where((hour >= 7) & (hour < 18), 1, 0.1) * np.where(weekday >= 5, 0.3, 1)


def week(count: int = 168) -> LineChart:
    """A week with all that there may be in one."""
    starts = hours(count)
    values = work(starts)
    values[20:26] = np.nan
    values[-3:] += 6000
    usual = work(starts)
    shade = Shade(NOW - timedelta(hours=3), None, Severity.CRITICAL, "6,300 credits in 1 h")
    past = Shade(NOW - timedelta(days=3), NOW - timedelta(days=3) + timedelta(hours=5), Severity.WARNING, "an alert")
    begin = from_epoch(int(starts[0]))
    marks = [
        Mark(begin + timedelta(hours=10), Kind.LATE, "came 9 h late"),
        Mark(begin + timedelta(hours=11), Kind.LATE, "came 8 h late"),
        Mark(begin + timedelta(hours=60), Kind.REVISED, "100 became 300"),
    ]
    return LineChart(
        "Runaway jobs",
        "credits in 1 h",
        Course(starts, HOUR, values, NOW - timedelta(hours=40)),
        BERLIN,
        Band(usual * 0.5, usual * 1.6),
        [Level(5000, Severity.WARNING), Level(7000, Severity.CRITICAL), Level(50_000, Severity.CRITICAL)],
        [past, shade, replace(past, from_at=NOW - timedelta(days=90), until_at=NOW - timedelta(days=89))],
        marks,
    )


def cycle(days: float = 9, limit: float = 600_000, expected: bool = True) -> BurnUp:
    """A month that began on the 14th, in Berlin."""
    span = Span(datetime(2026, 11, 13, 23, tzinfo=UTC), datetime(2026, 12, 13, 23, tzinfo=UTC))
    starts = to_epoch(span.start_at) + 6 * HOUR * np.arange(int(days * 4), dtype=np.int64)
    spent = np.cumsum(5000.0 + 300 * np.arange(len(starts)) % 1700)
    ahead = Expected(560_000, 640_000, 760_000, NOW + timedelta(days=11), NOW + timedelta(days=16), None)
    return BurnUp(
        "Credits of this cycle",
        "credits",
        span,
        BERLIN,
        limit,
        Course(starts, 6 * HOUR, spent, span.start_at + timedelta(days=max(0, days - 2))),
        [Level(0.8 * limit, Severity.WARNING, "80 %")],
        ahead if expected else None,
    )


def year() -> HeatMap:
    starts = hours(28 * 24)
    known = np.ones(len(starts), dtype=bool)
    known[np.isin(starts // DAY % 7, [2]) & (starts % DAY < 2 * HOUR)] = False
    return HeatMap("When it is used", "credits an hour", hours_of_week(starts, work(starts), known, BERLIN))


MEMBERS = Bars(
    "Members",
    "credits in 7 d",
    [
        Bar("priya.nair@example.com", 41_200, 9_000),
        Bar("ana.reyes@example.com", 12_345, 13_000),
        Bar("jo@example.com", 3_200, None, "new"),
        Bar("somebody.with.a.very.long.name.indeed@subsidiary.example.com", 900, 1_100),
        Bar(EVIL, 0, 40),
    ],
)
DRAWN = {
    "line": lambda look: line_chart(week(), look),
    "days": lambda look: line_chart(by_days(), look),
    "burn-up": lambda look: burn_up(cycle(), look),
    "heat": lambda look: heat_map(year(), look),
    "bars": lambda look: bars(MEMBERS, look),
}


def by_days() -> LineChart:
    starts = to_epoch(NOW) // DAY * DAY - DAY * np.arange(14, 0, -1, dtype=np.int64)
    return LineChart("Heavy days", "credits in 1 d", Course(starts, DAY, 100.0 * np.arange(14)), BERLIN)


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("look", [Look(), SMALL], ids=["wide", "narrow"])
def test_a_chart_is_as_it_was(name: str, look: Look) -> None:
    svg = DRAWN[name](look)
    check(svg)
    check_golden(f"{name}-{'narrow' if look is SMALL else 'wide'}", svg)


def test_a_spark_is_as_it_was() -> None:
    check_golden("spark", spark(np.array([1, 2, np.nan, 5, 4.0]), "credits of 5 h", Look()))


def test_no_golden_chart_is_left_over() -> None:
    ours = {f"{name}-{size}" for name in DRAWN for size in ("wide", "narrow")}
    assert {path.stem for path in GOLDEN.iterdir()} == ours | {f"mail-{name}" for name in SAMPLES} | {"gauge", "spark"}


# What is in sight


def test_a_budget_of_which_nothing_is_settled_is_drawn_as_what_may_still_grow() -> None:
    chart = cycle()
    svg = burn_up(replace(chart, spent=replace(chart.spent, settled_until=chart.span.start_at)), Look())
    assert 'stroke="#0072b2" stroke-width="2.5"' not in svg
    assert 'stroke="#4d9fd0" stroke-width="2.5"' in svg


def test_years_are_named_by_themselves() -> None:
    starts = to_epoch(NOW) // DAY * DAY - 30 * DAY * np.arange(200, 0, -1, dtype=np.int64)
    chart = LineChart("t", "credits in 1 d", Course(starts, DAY, np.ones(200)), BERLIN)
    assert {"2012", "2020"} <= set(texts(line_chart(chart, Look())))


def test_where_nothing_is_usual_nothing_is_named_so() -> None:
    chart = week()
    assert chart.band is not None
    low = chart.band.low.copy()
    low[-1] = np.nan
    assert "usual" not in texts(line_chart(replace(chart, band=replace(chart.band, low=low)), Look()))
    svg = line_chart(replace(chart, band=replace(chart.band, low=np.full(168, np.nan))), Look())
    assert PAPER.band not in svg


def test_days_that_are_left_out_have_no_tip() -> None:
    starts = np.delete(hours(168), slice(40, 90))
    chart = LineChart("t", "credits in 1 h", Course(starts, HOUR, work(starts)), BERLIN)
    assert "Wed 18 Nov" not in {each[:10] for each in tips(line_chart(chart, Look()))}


def test_a_moment_without_any_round_hour_has_no_names() -> None:
    starts = np.array([to_epoch(NOW) + 600], dtype=np.int64)
    svg = line_chart(LineChart("t", "credits", Course(starts, 600, np.ones(1)), BERLIN), Look())
    assert not any(":" in each for each in texts(svg))


def test_a_legend_says_only_what_is_there_to_be_seen() -> None:
    every = {"critical alert", "warning alert", "came late", "revised", "may still grow"}
    assert every <= set(texts(line_chart(week(), Look())))
    plain = replace(week(), shades=(), marks=(), course=replace(week().course, settled_until=None))
    assert not every & set(texts(line_chart(plain, Look())))


def test_a_level_far_above_is_named_and_not_drawn() -> None:
    found = texts(line_chart(week(), Look()))
    assert "critical 50,000 is far above" in found
    assert "critical 50,000" not in found


def test_what_may_still_grow_is_dashed() -> None:
    svg = line_chart(week(), Look())
    assert svg.count('stroke-width="2.5" stroke-dasharray="3 3"') == 1
    whole = replace(week(), course=replace(week().course, settled_until=NOW - timedelta(days=30)))
    assert 'stroke="#0072b2" stroke-width="2.5"' not in line_chart(whole, Look())


def test_midnights_of_a_week_are_the_readers() -> None:
    until = datetime(2026, 10, 28, tzinfo=UTC)  # clocks are set back on the 25th
    starts = hours(168, until)
    chart = LineChart("t", "credits in 1 h", Course(starts, HOUR, work(starts)), BERLIN)
    svg = line_chart(chart, Look(titled=False))
    [edges] = re.findall(r'd="(M[^"z]*)" stroke="#57606a"', svg)
    xs = [float(x) for x in re.findall(r"M([0-9.]+) ", edges)]
    wide = np.diff(xs)
    assert len(xs) == 7
    assert wide.max() / wide.min() == pytest.approx(25 / 24, rel=0.01)
    assert [each for each in texts(svg) if each.startswith("Sun")] == ["Sun 25 Oct"]


def test_tips_of_a_week_are_by_days_and_those_of_a_day_by_hours() -> None:
    found = [each for each in tips(line_chart(week(), Look(titled=False))) if "credits in 1 h" in each]
    assert "Mon 16 Nov: not known" not in found
    assert "Thu 19 Nov: 100 to 1,240 credits in 1 h, the most at 15:00" in found
    assert found[-2].endswith("; may still grow")
    one = replace(week(48), marks=(), shades=())
    said = tips(line_chart(one, Look()))
    assert len(said) == 48
    assert said[0] == "Fri 20 Nov, at 16:00: 1,120 credits in 1 h, usually 560 to 1,792"
    assert [each.partition(":00: ")[0] for each in said[7:10]] == [
        "Fri 20 Nov, at 23",
        "Fri 20 Nov, at 24",
        "Sat 21 Nov, at 01",
    ]
    assert any(each.endswith("not known, usually 60 to 192") or "not known" in each for each in said)


def test_a_day_without_any_value_says_so() -> None:
    values = work(hours(168))
    values[:60] = np.nan
    chart = replace(week(), course=Course(hours(168), HOUR, values), shades=(), marks=())
    assert "Mon 16 Nov: not known" in tips(line_chart(chart, Look()))


def test_marks_that_stand_close_together_are_one() -> None:
    found = tips(line_chart(week(), SMALL))
    assert "came 9 h late, and 1 more" in found
    assert "100 became 300" in found


def test_the_gravest_of_several_alerts_is_seen() -> None:
    grave, mild = (Shade(NOW - timedelta(hours=3), None, each, each) for each in (Severity.CRITICAL, Severity.WARNING))
    found = tips(line_chart(replace(week(), shades=(grave, mild)), Look()))
    assert [each for each in found if each in list(Severity)] == ["warning", "critical"], "what comes last is on top"


def test_a_picture_has_no_tips() -> None:
    for name in DRAWN:
        assert tips(DRAWN[name](Look(tips=False))) == []


def test_a_chart_says_in_words_what_it_shows() -> None:
    said = "Sun 15 Nov to Sun 22 Nov: 30 to 6,372 credits in 1 h, at last 6,312; 3 alerts."
    assert check(line_chart(week(), Look()))[1].text == said
    one = replace(week(3), shades=week().shades[:1])
    assert "Sun 22 Nov: 6,3" in str(check(line_chart(one, Look()))[1].text)
    assert str(check(line_chart(one, Look()))[1].text).endswith("; 1 alert.")


def test_a_budget_says_how_it_will_end() -> None:
    said = str(check(burn_up(cycle(), Look()))[1].text)
    assert "of 600,000 spent" in said
    assert "Expected at the end: 640,000, in 80 % of cases 560,000 to 760,000. It runs out on Tue 8 Dec." in said
    assert "runs out" in texts(burn_up(cycle(), Look()))
    lasting = replace(cycle(), expected=Expected(200_000, 250_000, 300_000, None, None, None))
    assert "runs out" not in texts(burn_up(lasting, Look()))
    perhaps = replace(cycle(), expected=Expected(200_000, 550_000, 700_000, NOW + timedelta(days=14), None, None))
    assert "runs out" in texts(burn_up(perhaps, Look()))
    surely = replace(cycle(), expected=Expected(7e5, 8e5, 9e5, *(NOW + timedelta(days=each) for each in (9, 10, 11))))
    assert "runs out" in texts(burn_up(surely, Look()))


def test_a_budget_without_a_forecast_shows_what_is_spent() -> None:
    svg = burn_up(cycle(expected=False), Look())
    assert not any(each.startswith("expected") for each in texts(svg))
    assert any("at an even pace" in each for each in tips(svg))
    unknown = replace(cycle(), expected=Expected(np.nan, 1.0, 2.0, None, None, None))
    assert burn_up(unknown, Look()) == svg


@pytest.mark.parametrize("days", [0, 0.25, 1, 30])
def test_a_budget_is_drawn_from_its_first_day_to_its_last(days: float) -> None:
    for look in (Look(), SMALL):
        check(burn_up(cycle(days), look))
        check(burn_up(cycle(days, expected=False, limit=0), look))
    young = cycle(days)
    late = Course(young.spent.starts + 2 * DAY, HOUR, young.spent.values, None)  # its first days were never read
    check(burn_up(replace(young, spent=late), Look()))


def test_hours_of_the_week_are_the_readers() -> None:
    starts = hours(7 * 24)
    known = np.ones(len(starts), dtype=bool)
    known[0] = False
    found = hours_of_week(starts, starts % DAY / HOUR, known, BERLIN)
    assert found[0, 1] == 0.0  # Monday, one in the morning, is midnight at the source
    assert np.isnan(found).sum() == 1


def test_a_heat_map_says_when_it_is_most() -> None:
    said = str(check(heat_map(year(), Look()))[1].text)
    assert re.fullmatch(r"Hours by weekday; the most: Mon \d\d:00 to \d\d:00: 1,\d{3} credits an hour\.", said)
    nothing = replace(year(), values=np.full((7, 24), np.nan))
    assert "nothing is known" in str(check(heat_map(nothing, Look()))[1].text)
    assert len(tips(heat_map(year(), SMALL))) == 168
    assert any(each.endswith("not known") for each in tips(heat_map(year(), Look())))


def test_of_nothing_there_are_no_bars() -> None:
    svg = bars(Bars("Members", "credits in 7 d", []), Look())
    assert "nothing was used" in texts(svg)
    assert check(svg)[1].text == "Nothing was used."
    assert "usual" not in texts(svg)


# Where it is shown


def test_on_a_page_colours_are_the_style_sheets() -> None:
    wide, narrow = on_page("x")
    assert (wide.key, narrow.key) == ("x-w", "x-n")
    svg = line_chart(week(), wide)
    colours = set(re.findall(r'(?:fill|stroke)="([^"]*)"', svg)) - {"none"}
    assert all(re.fullmatch(r"var\(--chart-[a-z0-9-]+,#[0-9a-f]+\)", each) for each in colours)
    assert 'class="chart chart-wide"' in svg
    assert not re.search(r"<svg[^>]* width=", svg)
    css = style_sheet()
    for each in fields(Palette):
        if each.name not in ("fonts", "heat"):
            assert css.count(f"--chart-{each.name}:") == 2
            assert getattr(PAGE, each.name).startswith(f"var(--chart-{each.name},#")


def test_no_text_is_too_small_for_a_phone() -> None:
    for name in DRAWN:
        sizes = re.findall(r'font-size="(\d+)"', DRAWN[name](on_page("x", titled=True)[1]))
        assert min(int(each) for each in sizes) >= 11


def test_ninety_days_of_hours_stay_small() -> None:
    for look in (*on_page("x"), Look()):
        assert len(line_chart(week(2160), look)) < 40_000


def test_what_stands_out_of_ninety_days_is_kept() -> None:
    starts = hours(2160)
    values = np.full(2160, 10.0)
    values[777] = 5000.0
    svg = line_chart(LineChart("t", "w", Course(starts, HOUR, values), BERLIN), SMALL)
    top = re.search(r'(M[^"]*)" stroke="#0072b2"', svg)
    check(svg)
    assert top is not None
    assert min(y for _, y in path_places(top[1])) < 110


# Whatever comes


numbers = st.floats(allow_nan=True, allow_infinity=True) | st.floats(0, 1e5)
looks = st.sampled_from([Look(), SMALL, *on_page("k", titled=True), Look(tips=False, titled=False)])
zones = st.sampled_from(["Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "UTC"]).map(ZoneInfo)
moments = st.integers(to_epoch(NOW) - 90 * DAY, to_epoch(NOW) + 90 * DAY).map(from_epoch)
written = st.text(max_size=80) | st.just(EVIL)


@st.composite
def courses(draw: st.DrawFn) -> Course:
    width = draw(st.sampled_from([HOUR, DAY, 5 * HOUR]))
    values = np.array(draw(st.lists(numbers, max_size=60)), dtype=np.float64)
    begin = draw(st.integers(20_000, 20_800)) * DAY + draw(st.sampled_from([0, 0, 1800]))
    starts = begin + width * np.arange(len(values), dtype=np.int64)
    return Course(starts, width, values, draw(st.none() | moments))


@given(courses(), st.data(), looks, zones, written)
@settings(max_examples=80, deadline=None)
def test_any_line_is_drawn_within_its_edges(
    course: Course, data: st.DataObject, look: Look, zone: ZoneInfo, text: str
) -> None:
    severities = st.sampled_from(list(Severity))
    shades = st.builds(Shade, moments, st.none() | moments, severities, written)
    marks = st.builds(Mark, moments, st.sampled_from(list(Kind)), written)
    levels = st.builds(Level, st.floats(0, 1e9), severities, written)
    ends = st.lists(numbers, min_size=len(course.values), max_size=len(course.values)).map(np.array)
    band = data.draw(st.none() | st.builds(Band, ends, ends))
    chart = LineChart(
        text,
        text,
        course,
        zone,
        band,
        data.draw(st.lists(levels, max_size=4)),
        data.draw(st.lists(shades, max_size=4)),
        data.draw(st.lists(marks, max_size=4)),
    )
    check(line_chart(chart, look))


@given(
    courses(),
    st.lists(numbers, min_size=3, max_size=3),
    st.lists(moments, min_size=3, max_size=3),
    numbers,
    looks,
    zones,
    written,
)
@settings(max_examples=80, deadline=None)
def test_any_budget_is_drawn_within_its_edges(
    spent: Course, ends: list[float], days: list[datetime], limit: float, look: Look, zone: ZoneInfo, text: str
) -> None:
    begin = from_epoch(int(spent.starts[0])) if len(spent.starts) else NOW
    span = Span(begin, begin + timedelta(days=31))
    expected = Expected(*ends, *days)
    check(burn_up(BurnUp(text, "credits", span, zone, limit, spent, [Level(5, Severity.INFO)], expected), look))


@given(st.lists(numbers, min_size=168, max_size=168), looks, written)
@settings(max_examples=20, deadline=None)
def test_any_hours_are_drawn_within_the_edges(values: list[float], look: Look, text: str) -> None:
    check(heat_map(HeatMap(text, text, np.array(values).reshape(7, 24)), look))


@given(st.lists(st.builds(Bar, written, numbers, st.none() | numbers, written), max_size=6), looks, written)
@settings(max_examples=60, deadline=None)
def test_any_bars_are_drawn_within_the_edges(rows: list[Bar], look: Look, text: str) -> None:
    check(bars(Bars(text, text, rows), look))


@given(st.lists(numbers, max_size=60), written)
@settings(max_examples=40, deadline=None)
def test_any_spark_is_drawn_within_its_edges(values: list[float], text: str) -> None:
    check(spark(np.array(values, dtype=np.float64), text, Look()))


# ---- how much of a limit is spent -----------------------------------------------------------------------------------

CREDITS = Gauge("credits: 54 % of 440,000 credits", 237_000, 440_000, 220_000, (430_000, 461_000, 490_000))
GAUGES = {
    "even pace and forecast": CREDITS,
    "over": replace(CREDITS, spent=512_000.0, expected=None),
    "nothing is foreseen": replace(CREDITS, even=None, expected=None),
    "a limit of nothing": Gauge("none: 0 % of 0 credits", 0, 0),
    "endless": replace(CREDITS, spent=float("inf"), expected=(float("nan"), 1e300, float("inf"))),
}


@pytest.mark.parametrize("name", list(GAUGES))
@pytest.mark.parametrize("look", [Look(), SMALL, *on_page("g")])
def test_a_gauge_stays_inside_of_its_picture(name: str, look: Look) -> None:
    svg = gauge(GAUGES[name], look)
    root = check(svg)
    right = float(root.attrib["viewBox"].split()[2])
    places = [place for each in re.findall(r' d="([^"]+)"', svg) for place in path_places(each)]
    assert all(0 <= x <= right and 0 <= y <= 50 for x, y in places)


def test_a_gauge_names_its_marks_where_there_is_room() -> None:
    assert texts(gauge(CREDITS, Look())) == ["limit", "even pace"]
    far = replace(CREDITS, even=100_000.0, expected=(600_000.0, 700_000.0, 800_000.0))
    assert texts(gauge(far, Look())) == ["limit", "even pace", "expected"]
    assert texts(gauge(replace(CREDITS, even=None, expected=None), Look())) == ["limit"]


def test_a_gauge_that_is_over_has_another_colour() -> None:
    assert gauge(GAUGES["over"], Look()).count(f'fill="{PAPER.critical}"') == 1
    assert f'fill="{PAPER.critical}"' not in gauge(CREDITS, Look())


def test_a_golden_gauge() -> None:
    check_golden("gauge", gauge(CREDITS, Look()))


def test_what_stands_in_a_gauge_is_escaped() -> None:
    assert "<script" not in gauge(replace(CREDITS, title=EVIL, description=EVIL), Look())
