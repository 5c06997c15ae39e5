from __future__ import annotations

import copy
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usage_watch.core.series import DAY, HOUR, Flags, Floats, Ints, Width
from usage_watch.core.stats.seasonal import (
    DOWN,
    UP,
    Basis,
    Judged,
    News,
    Season,
    Seasonal,
    Usage,
    as_weekend,
    replay,
    season_of,
)
from usage_watch.core.stats.seasonal.deviance import deviation, edge
from usage_watch.core.stats.seasonal.fold import AT_ONCE
from usage_watch.core.stats.seasonal.tuning import TUNINGS

UTC_ZONE = ZoneInfo("UTC")
MONDAY = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp())
WARM = 35
"""Days after which everything is learned."""
NOON = 12


def office(days: int, series: int = 1, mean: float = 40, seed: int = 1) -> Floats:
    """Hourly Poisson counts from a Monday on: busy in working hours, quiet at night, hardly anything on weekends."""
    hour = np.arange(days * 24)
    busy = 0.1 + np.exp(-(((hour % 24 - 13) / 4) ** 2))
    usual = mean * np.where(hour // 24 % 7 >= 5, 0.1, busy)
    return np.random.default_rng(seed).poisson(usual[:, None], (len(hour), series)).astype(np.float64)


def usage_of(
    counts: Floats, settled: Flags | None = None, learnable: Flags | None = None, width: Width = HOUR
) -> Usage:
    every: Flags = np.ones(counts.shape, dtype=bool)
    starts = MONDAY + width * np.arange(len(counts), dtype=np.int64)
    return Usage(
        starts, width, counts, every if settled is None else settled, every if learnable is None else learnable
    )


def season(usage: Usage) -> Season:
    return season_of(usage.starts, usage.width, UTC_ZONE)


def judged(
    counts: Floats,
    settled: Flags | None = None,
    learnable: Flags | None = None,
    *,
    width: Width = HOUR,
    news: News | None = None,
) -> Judged:
    usage = usage_of(counts, settled, learnable, width)
    return replay(usage, season(usage), news)


def at(day: int, hour: int = NOON) -> int:
    return 24 * day + hour


def starts_of(*times: str) -> Ints:
    return np.array([int(datetime.fromisoformat(time).timestamp()) for time in times], dtype=np.int64)


@pytest.mark.parametrize(
    ("zone", "time", "slot", "hour_of_class"),
    [
        ("UTC", "2026-01-05T00:00Z", 0, 0),
        ("UTC", "2026-01-11T23:00Z", 167, 47),
        ("Europe/Berlin", "2026-01-05T00:00Z", 1, 1),
        ("America/New_York", "2026-01-05T00:00Z", 163, 43),
        ("Asia/Kolkata", "2026-01-05T00:00Z", 5, 5),
        ("Europe/Berlin", "2026-03-29T00:00Z", 145, 25),
        ("Europe/Berlin", "2026-03-29T01:00Z", 147, 27),
        ("Europe/Berlin", "2026-10-25T00:00Z", 146, 26),
        ("Europe/Berlin", "2026-10-25T01:00Z", 146, 26),
        ("Europe/Berlin", "2026-10-25T02:00Z", 147, 27),
        ("UTC", "1969-12-29T05:00Z", 5, 5),
    ],
)
def test_the_season_of_an_hour_is_that_of_the_clocks_on_the_wall(
    zone: str, time: str, slot: int, hour_of_class: int
) -> None:
    found = season_of(starts_of(time), HOUR, ZoneInfo(zone))
    assert (found.slots.tolist(), found.classes.tolist()) == ([slot], [hour_of_class])


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu"])
def test_many_hours_at_once_have_the_seasons_that_each_has(zone: str) -> None:
    starts = MONDAY + HOUR * np.arange(366 * 24, dtype=np.int64)
    local = [datetime.fromtimestamp(start, ZoneInfo(zone)) for start in starts.tolist()]
    assert season_of(starts, HOUR, ZoneInfo(zone)).slots.tolist() == [24 * each.weekday() + each.hour for each in local]


def test_the_season_of_a_day_is_its_weekday_whatever_the_zone() -> None:
    found = season_of(MONDAY + DAY * np.arange(8, dtype=np.int64), DAY, ZoneInfo("America/Los_Angeles"))
    assert found.slots.tolist() == [0, 1, 2, 3, 4, 5, 6, 0]
    assert found.classes.tolist() == [0, 0, 0, 0, 0, 1, 1, 0]


@pytest.mark.parametrize(("width", "slot", "in_class"), [(HOUR, 6 * 24 + 9, 24 + 9), (DAY, 6, 1)])
def test_a_holiday_can_be_taken_for_a_sunday(width: Width, slot: int, in_class: int) -> None:
    usual = season_of(starts_of("2026-01-06T09:00Z", "2026-01-07T09:00Z"), width, UTC_ZONE)
    found = as_weekend(usual, np.array([False, True]), width)
    assert (found.slots[0], found.classes[0]) == (usual.slots[0], usual.classes[0])
    assert (found.slots[1], found.classes[1]) == (slot, in_class)


@pytest.mark.parametrize("expected", [400.0, 10_000.0])
@pytest.mark.parametrize("z", [-2.0, -1.0, 1.0, 2.0])
def test_near_the_expected_a_deviation_is_in_standard_deviations(expected: float, z: float) -> None:
    sd = np.sqrt(3 * expected + 1e-6 * expected**2)
    found = deviation(np.array([expected + z * sd]), np.array([expected]), np.array([3.0]), np.array([3e6]))
    assert found[0] == pytest.approx(z, rel=0.1)


def test_a_zero_deviates_by_what_its_probability_says() -> None:
    few, many = deviation(np.zeros(2), np.array([0.01, 50.0]), np.ones(2), np.full(2, 10.0))
    assert few == pytest.approx(-np.sqrt(2 * 10 * np.log1p(0.001)))
    assert many == pytest.approx(-np.sqrt(2 * 10 * np.log1p(5)))


@given(
    expected=st.floats(1e-3, 1e6),
    noise=st.floats(0.05, 1e4),
    spread=st.floats(0.001, 0.5),
    z=st.floats(-6, 20).filter(lambda z: abs(z) > 1e-3),
)
def test_an_edge_is_where_a_count_reaches_its_deviation(expected: float, noise: float, spread: float, z: float) -> None:
    found = edge(np.array([expected]), np.array([noise]), spread, np.array([z]))
    reached = deviation(found, np.array([expected]), np.array([noise]), np.array([noise / spread]))[0]
    if z > 0:
        assert reached == pytest.approx(z, rel=1e-3, abs=1e-3)
    else:
        assert reached >= z - 1e-3
        assert found[0] < 1e-9 * expected or reached == pytest.approx(z, rel=1e-3, abs=1e-3)


def test_usual_days_raise_next_to_nothing() -> None:
    scores = judged(office(WARM + 55, series=20)).scores[:, at(WARM) :]
    assert scores.max() < 8.5
    assert (scores > 6).any(axis=0).mean() < 0.001


@pytest.mark.parametrize("hours", [1, 6, 30])
def test_a_runaway_is_high_from_its_first_hours_on(hours: int) -> None:
    counts = office(WARM + 10)
    usual = judged(counts).scores
    counts[at(WARM) : at(WARM) + hours] += 120
    found = judged(counts).scores
    assert usual[UP, at(WARM) : at(WARM) + 30].max() < 6
    assert found[UP, at(WARM) : at(WARM) + hours].max() > 7
    assert found[UP, at(WARM)] > 7


def test_work_in_the_night_is_high_though_at_noon_it_would_be_usual() -> None:
    counts = office(WARM + 10)
    counts[at(WARM, 2) : at(WARM, 4)] = counts[at(WARM - 7) : at(WARM - 7) + 2]
    assert judged(counts).scores[UP, at(WARM, 3)] > 6


def test_an_outage_in_working_hours_is_low_and_a_quiet_night_is_not() -> None:
    counts = office(WARM + 10)
    counts[at(WARM, 0) : at(WARM, 5)] = 0
    counts[at(WARM + 1) : at(WARM + 1) + 4] = 0
    found = judged(counts).scores
    assert found[DOWN, at(WARM, 0) : at(WARM, 5)].max() < 6
    assert found[DOWN, at(WARM + 1) + 3] > 7
    assert found[UP, at(WARM + 1) : at(WARM + 1) + 4].max() == 0


def test_a_slow_excess_is_seen_by_a_long_window_and_a_spike_by_a_short_one() -> None:
    counts = office(WARM + 10, mean=10, series=2)
    counts[at(WARM, 9) : at(WARM + 1, 9), 0] += 5
    counts[at(WARM), 1] += 60
    found = judged(counts)
    end = at(WARM + 1, 8)
    slow = found.finding(end, 0, UP, 3)
    assert slow.buckets >= 12
    assert slow.score > 4
    assert found.finding(at(WARM), 1, UP, 3).buckets == 1


def test_what_stays_low_is_no_news_after_some_days() -> None:
    counts = office(WARM + 14)
    counts[at(WARM, 0) :] = 0
    low = judged(counts).scores[DOWN, :, 0].reshape(-1, 24).max(axis=1)
    assert low[WARM] > 5
    assert low[WARM + 8 :].max() < 3


def test_what_stays_high_becomes_usual() -> None:
    counts = office(WARM + 28)
    counts[at(WARM, 0) :] *= 4
    high = judged(counts).scores[UP, :, 0].reshape(-1, 24).max(axis=1)
    assert high[WARM + 1] > 6
    assert high[WARM + 21 :].max() < 4


def test_one_runaway_hardly_moves_what_is_usual() -> None:
    counts = office(WARM + 10)
    before = judged(counts).usual[at(WARM + 7)]
    counts[at(WARM - 1)] += 100_000
    after = judged(counts).usual[at(WARM + 7)]
    assert after == pytest.approx(before, rel=0.25)


def test_a_count_teaches_nothing_until_it_is_two_days_over() -> None:
    counts = office(WARM + 10)
    usual = judged(counts).usual
    counts[at(WARM, 23)] += 500
    changed = np.flatnonzero((judged(counts).usual != usual).any(axis=1))
    assert changed[0] >= at(WARM + 3, 0)
    assert changed[0] < at(WARM + 4, 0)


@settings(max_examples=25, deadline=None)
@given(cut=st.integers(1, 20 * 24 - 1), again=st.integers(1, 100))
def test_to_go_on_from_a_prefix_is_to_replay_all(cut: int, again: int) -> None:
    usage = usage_of(office(20, series=3))
    whole = replay(usage, season(usage))
    fold = Seasonal(3, HOUR)
    for rows in (slice(0, cut), slice(cut, cut + again), slice(cut + again, None)):
        part = copy.deepcopy(fold).judge(usage.rows(rows), season(usage).rows(rows))
        fold.judge(usage.rows(rows), season(usage).rows(rows))
        np.testing.assert_array_equal(part.scores, whole.scores[:, rows])
        np.testing.assert_array_equal(part.windows, whole.windows[:, rows])
        np.testing.assert_array_equal(part.usual, whole.usual[rows])
        np.testing.assert_array_equal(part.settled, whole.settled[rows])


@settings(max_examples=25, deadline=None)
@given(moment=st.integers(1, 20 * 24 - 1), seed=st.integers(0, 5))
def test_nothing_that_came_later_changes_a_score(moment: int, seed: int) -> None:
    counts = office(20, series=2)
    other = counts.copy()
    other[moment:] = np.random.default_rng(seed).poisson(300, other[moment:].shape)
    np.testing.assert_array_equal(judged(counts).scores[:, :moment], judged(other).scores[:, :moment])


def test_many_series_are_judged_as_each_alone() -> None:
    counts = office(9, series=AT_ONCE + 3)
    together = judged(counts)
    for series in (0, AT_ONCE - 1, AT_ONCE, AT_ONCE + 2):
        alone = judged(counts[:, [series]])
        np.testing.assert_allclose(together.scores[:, :, series], alone.scores[:, :, 0], rtol=1e-9)


def test_a_bucket_that_has_not_all_come_can_be_too_much_but_not_too_little() -> None:
    counts = office(WARM + 2)
    newest = at(WARM)
    counts, settled = counts[: newest + 1], np.ones((newest + 1, 1), dtype=bool)
    settled[-2:] = False
    counts[-2:] = 0
    found = judged(counts, settled)
    assert found.scores[:, -1, 0].tolist() == [0, 0]
    assert not found.settled[-2:].any()
    assert found.settled[at(3)].all()
    counts[-1] = 400
    high = judged(counts, settled)
    assert high.scores[UP, -1, 0] > 6
    assert high.scores[DOWN, -1, 0] == 0


def test_an_unsettled_bucket_adds_its_full_expectation() -> None:
    counts = office(WARM + 2)[: at(WARM) + 1]
    counts[-1] = 400
    whole = judged(counts)
    settled = np.ones(counts.shape, dtype=bool)
    settled[-3:-1] = False
    counts[-3:-1] = 0
    partly = judged(counts, settled)
    np.testing.assert_array_equal(partly.usual, whole.usual)
    assert partly.scores[UP, -1, 0] <= whole.scores[UP, -1, 0]
    assert partly.scores[UP, -1, 0] > 6


@pytest.mark.parametrize("flag", ["settled", "learnable"])
def test_what_is_not_settled_or_taken_out_is_not_learned(flag: str) -> None:
    counts = office(WARM + 10)
    left_out = np.ones(counts.shape, dtype=bool)
    left_out[at(WARM - 2, 0) : at(WARM - 1, 0)] = False
    more = counts.copy()
    more[~left_out] += 1_000
    later = slice(at(WARM, 0), None)
    quiet, loud = (judged(each, **{flag: left_out}) for each in (counts, more))
    np.testing.assert_array_equal(quiet.usual, loud.usual)
    np.testing.assert_array_equal(quiet.scores[:, later], loud.scores[:, later])


def test_a_series_begins_with_its_first_count() -> None:
    late = office(WARM + 21)
    late[: at(WARM, 0)] = 0
    found = judged(late)
    born_then = judged(late[at(WARM, 0) :])
    np.testing.assert_allclose(found.usual[-24:], born_then.usual[-24:], rtol=1e-9)
    assert found.scores[:, : at(WARM + 5, 0)].max() == 0
    assert found.basis(at(WARM + 5), 0) == Basis.NOTHING
    assert found.basis(at(WARM + 8), 0) == Basis.CLASS
    assert found.basis(at(WARM + 20), 0) == Basis.SLOT


def test_without_any_count_nothing_is_ever_scored() -> None:
    assert judged(np.zeros((24 * 10, 1))).scores.max() == 0


def test_with_under_three_learned_days_it_is_silent() -> None:
    counts = office(9)
    counts[-1] += 10_000
    for days in range(1, 10):
        found = judged(np.concatenate([counts[: 24 * days - 1], counts[-1:]]))
        basis = found.basis(24 * days - 1, 0)
        assert (basis is Basis.NOTHING) == (days < 7)
        assert (found.scores[UP, -1, 0] > 0) == (days >= 7)


def test_under_two_weeks_only_the_hour_of_the_day_is_known() -> None:
    counts = office(28, mean=1_000)
    mondays = np.arange(len(counts)) // 24 % 7 == 0
    counts[mondays] *= 2
    found = judged(counts)
    by_day = found.usual[:, 0].reshape(-1, 24)[:, NOON]
    assert found.basis(at(14), 0) == Basis.CLASS
    assert by_day[14] == pytest.approx(by_day[15], rel=0.1)
    assert found.basis(at(21), 0) == Basis.SLOT
    assert by_day[21] > 1.15 * by_day[22]


@pytest.mark.parametrize(("news", "told"), [(News(), True), (News(change=1_000), False), (News(relative=9), False)])
def test_small_deviations_are_no_news_however_unlikely(news: News, told: bool) -> None:
    counts = office(WARM + 2)
    counts[at(WARM)] += 200
    assert (judged(counts, news=news).scores[UP, at(WARM), 0] > 0) == told


def test_a_finding_says_what_came_and_what_is_usual() -> None:
    counts = office(WARM + 2)
    moment = at(WARM, 15)
    counts[moment - 2 : moment + 1] += 80
    found = judged(counts)
    said = found.finding(moment, 0, UP, 3)
    window = slice(moment + 1 - said.buckets, moment + 1)
    assert said.score == found.scores[UP, moment, 0]
    assert said.came == counts[window].sum()
    assert said.expected == pytest.approx(found.usual[window].sum())
    assert said.low < said.expected < said.high < said.came
    assert said.basis == Basis.SLOT
    assert said.weeks == pytest.approx((WARM - 2) / 7)


@pytest.mark.parametrize("side", [UP, DOWN])
def test_a_count_at_the_edge_has_the_score_that_the_edge_is_of(side: int) -> None:
    counts = office(WARM + 2, mean=400)
    moment = at(WARM)
    counts[moment] = 4_000 if side == UP else 0
    said = judged(counts).finding(moment, 0, side, 2)
    counts[moment] += (said.high if side == UP else said.low) - said.came
    found = judged(counts)
    window = [each.buckets for each in TUNINGS[HOUR].windows].index(said.buckets)
    assert found.windows[side, moment, 0] != window or found.scores[side, moment, 0] == pytest.approx(2, rel=1e-3)
    assert found.scores[side, moment, 0] >= 2 - 1e-3


def test_a_window_that_reaches_back_before_what_was_just_judged_is_summed_whole() -> None:
    counts = office(WARM + 2)
    counts[at(WARM, 8) : at(WARM, 14)] += 60
    usage = usage_of(counts)
    whole = replay(usage, season(usage))
    fold = Seasonal(1, HOUR)
    cut = at(WARM, 13)
    fold.judge(usage.rows(slice(0, cut)), season(usage).rows(slice(0, cut)))
    rows = slice(cut, cut + 1)
    part = fold.judge(usage.rows(rows), season(usage).rows(rows))
    assert part.finding(0, 0, UP, 3).buckets > 1
    assert part.finding(0, 0, UP, 3).came == whole.finding(cut, 0, UP, 3).came
    assert part.finding(0, 0, UP, 3).expected == pytest.approx(whole.finding(cut, 0, UP, 3).expected)


def test_a_band_is_the_usual_range_of_each_hour() -> None:
    counts = office(WARM + 14, mean=100)
    rows = slice(at(WARM, 0), None)
    low, high = judged(counts).band(rows, 0, 3)
    inside = (counts[rows, 0] >= low) & (counts[rows, 0] <= high)
    assert low.shape == high.shape == (14 * 24,)
    assert inside.mean() > 0.99
    assert high[2] < counts[at(WARM), 0] < high[NOON]


def test_days_are_judged_by_their_weekday() -> None:
    counts = office(9 * 7, mean=100).reshape(-1, 24).sum(axis=1)[:, None]
    counts[50] = 0
    counts[54] = counts[52]
    found = judged(counts, width=DAY)
    assert (counts[:, 0] > 0).sum() == 62
    assert found.scores[DOWN, 50, 0] > 3.5
    assert found.scores[UP, 54, 0] > 3.5
    assert found.scores[:, 40:50].max() < 3
    assert found.finding(54, 0, UP, 3).buckets == 1


def test_of_no_buckets_there_is_nothing_to_say() -> None:
    assert judged(np.zeros((0, 2))).scores.shape == (2, 0, 2)
