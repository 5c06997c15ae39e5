"""Names of duration bands, and what is computed from counts by band."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usage_watch.core.stats.bands import (
    Band,
    Estimate,
    band_of,
    mean,
    open_from,
    parse_band,
    quantile,
    share,
    share_over,
)

S, M, H, D = 1, 60, 3600, 86_400
FIVE = (Band(0, M), Band(M, 5 * M), Band(5 * M, 15 * M), Band(15 * M, H), Band(H, math.inf))


def counts(*by_band: int) -> np.ndarray:
    """One window."""
    return np.array(by_band, dtype=np.float64)[:, None]


def only(estimate: Estimate) -> float:
    (value,) = estimate.values.tolist()
    return float(value)


def chance(estimate: Estimate) -> float:
    (variance,) = estimate.variances.tolist()
    return float(variance)


# ---- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "low", "high"),
    [
        ("<1m", 0, M),
        ("< 1 min", 0, M),
        ("<=1m", 0, M),
        ("≤ 1 min", 0, M),
        ("<\u00a01\u202fmin", 0, M),
        ("Under 1 minute", 0, M),
        ("UNDER 1 MINUTE", 0, M),
        ("less than a minute", 0, M),
        ("Below 30 secs", 0, 30),
        ("1 minute or less", 0, M),
        ("1 min and under", 0, M),
        ("up to 1 min", 0, M),
        ("no more than one hour", 0, H),
        ("less than or equal to 1h", 0, H),
        ("0-1 min", 0, M),
        ("0–30s", 0, 30),
        ("500ms", None, None),
        ("500ms-1s", 0.5, 1),
        ("1-5 min", M, 5 * M),
        ("1 - 5 minutes", M, 5 * M),
        ("1—5 min", M, 5 * M),
        ("1\u22125 min", M, 5 * M),
        ("1‑5 min", M, 5 * M),
        ("1~5 min", M, 5 * M),
        ("1..5 min", M, 5 * M),
        ("1…5 min", M, 5 * M),
        ("１－５ min", M, 5 * M),
        ("5min-15", 5 * M, 15 * M),
        ("5–15m", 5 * M, 15 * M),
        ("15m-1h", 15 * M, H),
        ("15m - 1h", 15 * M, H),
        ("15 minutes–1 hour", 15 * M, H),
        ("15-60 minutes", 15 * M, H),
        ("30s to 2m", 30, 2 * M),
        ("30 seconds to 2 minutes", 30, 2 * M),
        ("From 1 to 5 minutes", M, 5 * M),
        ("5 minutes through 10 minutes", 5 * M, 10 * M),
        ("10 s until 1 m", 10, M),
        ("between 1 and 5 minutes", M, 5 * M),
        ("5 to <15 min", 5 * M, 15 * M),
        (">= 1m and < 5m", M, 5 * M),
        (">=1m, <5m", M, 5 * M),
        ("[1m, 5m)", M, 5 * M),
        ("[1; 5) min", M, 5 * M),
        ("1h30m - 2h", 90 * M, 2 * H),
        ("1 hour 30 minutes to 2 hours", 90 * M, 2 * H),
        ("1.5h-2.5h", 90 * M, 150 * M),
        ("12h - 1 day", 12 * H, D),
        ("1h+", H, math.inf),
        ("1 h +", H, math.inf),
        ("60+ min", H, math.inf),
        ("1 h plus", H, math.inf),
        ("> 1 hour", H, math.inf),
        ("> 60 minutes", H, math.inf),
        ("≥ 1h", H, math.inf),
        ("over an hour", H, math.inf),
        ("More than 1 hour", H, math.inf),
        ("greater than or equal to 1h", H, math.inf),
        ("at least 1h", H, math.inf),
        ("from 1h", H, math.inf),
        ("1h or more", H, math.inf),
        ("3 hours and up", 3 * H, math.inf),
        ("1 day or longer", D, math.inf),
        ("[1h, ∞)", H, math.inf),
        ("1h - inf", H, math.inf),
        ("Quick (< 1 min)", 0, M),
        ("Long ( 15m - 1h )", 15 * M, H),
    ],
)
def test_a_name_that_says_its_times_is_read(label: str, low: float | None, high: float | None) -> None:
    assert parse_band(label) == (None if low is None or high is None else Band(low, high))


@pytest.mark.parametrize(
    "label",
    [
        "",
        "Quick",
        "(unattributed)",
        "5 min",  # of these, or at most these?
        "1-5",
        "60+",
        "1,5 min - 2 min",  # a comma is a point in some countries, and nothing in others
        "< 1,000 s",
        "30-1 min",  # seconds or minutes?
        "5-1 min",
        "1-1 min",
        "5-1h30m",
        "30 min 1 h - 2h",
        "<0m",
        "0s",
        "-1 min",
        "~5 min",
        "1h-",
        "1:00-5:00",
        "1-5 months",
        "1 min and 5 min",
        "between 1h",
        "half an hour",
        "1m-5m+",
        "<1-5m",
        "1 to 5 to 15 min",
        "5 min < 15 min",
        "not (1-5 min)",
        "all but (1-5 min)",
        "2x (1-5 min)",
        "1-5 min" + " " * 200,
        "<" + "9" * 30 + "m",
    ],
)
def test_what_does_not_say_one_thing_only_is_never_guessed(label: str) -> None:
    assert parse_band(label) is None


def test_the_rules_file_names_what_says_nothing_and_wins_over_what_does() -> None:
    named = {"Quick": (0.0, 120.0), "1h+": (3600.0, 7200.0), "Cancelled": (0.0, 0.0)}
    assert band_of(" quick ", named) == Band(0, 120)
    assert band_of("1H+", named) == Band(3600, 7200)
    assert band_of("1-5 min", named) == Band(60, 300)
    assert band_of("Cancelled", named) == Band(0, 0)
    assert band_of("Slow", named) is None


@given(st.text(alphabet=st.sampled_from("<>=≤+-–~.,()[] 0159smhdinutorec\n"), max_size=20))
def test_whatever_is_read_is_a_stretch_of_time(label: str) -> None:
    band = parse_band(label)
    assert band is None or 0 <= band.low < band.high


# ---- quantiles -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by_band", "percent", "expected"),
    [
        ((10, 0, 0, 0, 0), 50, 30),
        ((0, 10, 0, 0, 0), 50, M + 2 * M),
        ((0, 10, 0, 0, 0), 90, M + 3.6 * M),
        # At an edge it is the edge, whatever follows.
        ((50, 50, 0, 0, 0), 50, M),
        ((50, 0, 0, 50, 0), 50, M),
        ((90, 5, 0, 0, 5), 95, 5 * M),
        ((19, 1, 0, 0, 0), 95, M),
        # Of the open band nothing is known but where it begins.
        ((0, 0, 0, 0, 10), 50, H),
        ((94, 0, 0, 0, 6), 95, H),
        ((90, 0, 0, 8, 2), 95, 15 * M + 5 / 8 * 45 * M),
    ],
)
def test_a_quantile_lies_where_its_rank_does(by_band: tuple[int, ...], percent: int, expected: float) -> None:
    assert only(quantile(FIVE, counts(*by_band), percent)) == pytest.approx(expected)


def test_windows_are_computed_together() -> None:
    table = np.array([[10, 0, 0], [0, 10, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]], dtype=np.float64)
    assert quantile(FIVE, table, 50).values.tolist() == pytest.approx([30, 180, math.nan], nan_ok=True)
    assert mean(FIVE, table).values.tolist() == pytest.approx([30, 180, math.nan], nan_ok=True)
    assert share_over(FIVE, table, 60).values.tolist() == pytest.approx([0, 100, math.nan], nan_ok=True)
    for estimate in (quantile(FIVE, table, 50), mean(FIVE, table), share_over(FIVE, table, 60)):
        assert np.isinf(estimate.variances).tolist() == [False, False, True]


def test_of_no_bands_at_all_nothing_is_known() -> None:
    nothing = np.zeros((0, 2))
    for estimate in (quantile((), nothing, 50), mean((), nothing), share_over((), nothing, 60)):
        assert np.isnan(estimate.values).all()
        assert np.isinf(estimate.variances).all()
    assert open_from((), nothing).tolist() == [math.inf, math.inf]


def test_bands_that_overlap_spread_each_task_over_its_own() -> None:
    # The source changed its bands: 10 tasks of 0 to 100 s, and 10 of 50 to 150 s.
    bands = (Band(0, 100), Band(50, 150))
    assert only(quantile(bands, counts(10, 10), 25)) == pytest.approx(50)
    assert only(quantile(bands, counts(10, 10), 50)) == pytest.approx(75)
    assert only(quantile(bands, counts(10, 10), 75)) == pytest.approx(100)
    assert only(mean(bands, counts(10, 10))) == pytest.approx(75)
    assert only(share_over(bands, counts(10, 10), 100)) == pytest.approx(25)


def test_an_open_band_may_begin_within_another() -> None:
    bands = (Band(0, 100), Band(50, math.inf))
    assert only(quantile(bands, counts(10, 10), 50)) == pytest.approx(50)
    assert only(quantile(bands, counts(10, 10), 76)) == pytest.approx(52)


def test_in_a_gap_there_are_no_tasks() -> None:
    bands = (Band(0, 60), Band(120, 180))
    assert only(quantile(bands, counts(10, 10), 50)) == 60
    assert only(quantile(bands, counts(10, 10), 55)) == pytest.approx(126)
    assert only(share_over(bands, counts(10, 10), 90)) == 50


def test_two_names_of_one_band_count_together() -> None:
    assert only(quantile((Band(0, 60), Band(0, 60)), counts(5, 5), 50)) == pytest.approx(30)


DURATIONS = st.lists(st.floats(0.01, 4 * H), min_size=1, max_size=300)
EDGES = st.lists(st.integers(1, 4 * H), min_size=1, max_size=8, unique=True).map(sorted)


@settings(max_examples=1_000, deadline=None)
@given(DURATIONS, EDGES, st.sampled_from([50, 90, 95, 99]))
def test_figures_are_within_the_width_of_their_band(durations: list[float], edges: list[int], percent: int) -> None:
    bands = [Band(low, high) for low, high in pairwise([0, *edges, math.inf])]
    times = np.sort(np.array(durations))
    tasks = np.array([((times > band.low) & (times <= band.high)).sum() for band in bands], dtype=np.float64)[:, None]
    true = times[-(-percent * len(times) // 100) - 1]
    held = next(band for band in bands if band.low < true <= band.high)
    found = only(quantile(bands, tasks, percent))
    assert held.low <= found <= (held.low if held.is_open else held.high)
    assert held.is_open or abs(found - true) <= held.high - held.low
    # The average of what lies below the open band, and of the whole where that holds nothing.
    width = max((band.high - band.low for band in bands if not band.is_open), default=0)
    assert abs(only(mean(bands, tasks)) - np.minimum(times, edges[-1]).mean()) <= width
    # At the edge of a band nothing is interpolated.
    for edge in edges:
        over = 100 * float((times > edge).mean())
        assert only(share_over(bands, tasks, edge)) == pytest.approx(over)


@given(EDGES, st.data())
def test_at_an_edge_a_quantile_is_exact(edges: list[int], data: st.DataObject) -> None:
    bands = [Band(low, high) for low, high in pairwise([0, *edges])]
    # A hundred tasks: as many percent lie at or under each edge as there are tasks there.
    parts = data.draw(st.lists(st.integers(1, 100), min_size=len(bands), max_size=len(bands)))
    tasks = np.array(parts, dtype=np.float64)
    for place, edge in enumerate(edges):
        percent = 100 * tasks[: place + 1].sum() / tasks.sum()
        assert only(quantile(bands, tasks[:, None], percent)) == pytest.approx(edge, rel=1e-6)


# ---- what chance does ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tasks", [30, 200])
@pytest.mark.parametrize("statistic", ["mean", "p50", "p90", "over"])
def test_what_chance_does_is_about_what_it_did_in_a_thousand_draws(tasks: int, statistic: str) -> None:
    compute = {
        "mean": lambda table: mean(FIVE, table),
        "p50": lambda table: quantile(FIVE, table, 50),
        "p90": lambda table: quantile(FIVE, table, 90),
        "over": lambda table: share_over(FIVE, table, 5 * M),
    }[statistic]
    draws = np.random.default_rng(7).multinomial(tasks, [0.2, 0.4, 0.25, 0.12, 0.03], 1_000).T.astype(np.float64)
    found = compute(draws)
    said, true = float(np.sqrt(found.variances.mean())), float(found.values.std())
    # Within a band each task lies somewhere, which draws of whole bands do not show: it may be more, hardly less.
    assert 0.7 * true <= said <= 2.2 * true


def test_few_tasks_that_are_all_alike_leave_something_to_chance() -> None:
    assert chance(share(np.array([5.0]), np.array([5.0]))) > 15**2
    assert chance(share_over(FIVE, counts(0, 0, 0, 0, 5), H)) > 15**2
    assert chance(mean(FIVE, counts(0, 0, 5, 0, 0))) > 60**2
    assert chance(quantile(FIVE, counts(0, 0, 5, 0, 0), 95)) > 50**2


def test_an_open_band_is_only_where_it_holds_tasks() -> None:
    table = np.array([[1, 0], [0, 0], [0, 0], [0, 0], [0, 2]], dtype=np.float64)
    assert open_from(FIVE, table).tolist() == [math.inf, H]
    assert open_from(FIVE[:4], table[:4]).tolist() == [math.inf, math.inf]
