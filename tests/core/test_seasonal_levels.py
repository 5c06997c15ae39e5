"""New levels: what a human says is usual now, and what has been out of the usual for days."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usage_watch.core.series import DAY, HOUR, Flags, Floats, Ints, Width
from usage_watch.core.stats.seasonal import DOWN, UP, Cause, Judged, Season, Seasonal, Usage, replay, season_of
from usage_watch.core.stats.seasonal.shift import evenly_more
from usage_watch.core.stats.seasonal.tuning import TUNINGS

MONDAY = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp())
WARM = 35
"""Days after which everything is learned; a Monday."""
NOON = 12
SHIFTED = 24 * WARM + 9
"""The bucket with which usage changes."""


def office(days: int, series: int = 1, mean: float = 40, seed: int = 1) -> Floats:
    hour = np.arange(days * 24)
    busy = 0.1 + np.exp(-(((hour % 24 - 13) / 4) ** 2))
    usual = mean * np.where(hour // 24 % 7 >= 5, 0.1, busy)
    return np.random.default_rng(seed).poisson(usual[:, None], (len(hour), series)).astype(np.float64)


def grown(factor: float, days: int = WARM + 14, lasting: int | None = None, series: int = 1) -> Floats:
    """Usage that is a multiple of what it was from a Monday morning on, for good or for so many hours."""
    counts = office(days, series)
    counts[SHIFTED : None if lasting is None else SHIFTED + lasting] *= factor
    return counts


def usage_of(
    counts: Floats,
    answers: dict[int, int] | None = None,
    settled: Flags | None = None,
    learnable: Flags | None = None,
    width: Width = HOUR,
) -> Usage:
    """`answers`: by the bucket from which each holds, the bucket since which usage is of the new kind."""
    every: Flags = np.ones(counts.shape, dtype=bool)
    starts = MONDAY + width * np.arange(len(counts), dtype=np.int64)
    rebased: Ints | None = None
    if answers is not None:
        rebased = np.zeros(counts.shape, dtype=np.int64)
        for at, since in answers.items():
            rebased[at] = MONDAY + width * since
    return Usage(
        starts, width, counts, every if settled is None else settled, every if learnable is None else learnable, rebased
    )


def season(usage: Usage) -> Season:
    return season_of(usage.starts, usage.width, ZoneInfo("UTC"))


def judged(usage: Usage, *, by_itself: bool = True) -> Judged:
    tuning = TUNINGS[usage.width]
    return replay(usage, season(usage), tuning=tuning if by_itself else replace(tuning, shift=1e9))


def daily(values: Floats) -> Floats:
    """The highest of each day, from 24 an hour."""
    return values.reshape(-1, 24).max(axis=1)


def shifts(found: Judged) -> list[tuple[int, Cause]]:
    return [(int(at), Cause(int(found.shifts[at, 0]))) for at in np.flatnonzero(found.rebased[:, 0])]


@pytest.mark.parametrize(("factor", "score"), [(0.25, 3), (4.0, 6)])
def test_from_an_answer_on_usage_is_judged_by_what_came_since(factor: float, score: float) -> None:
    counts, at = grown(factor), SHIFTED + 6
    before, after = judged(usage_of(counts), by_itself=False), judged(usage_of(counts, {at: SHIFTED}), by_itself=False)
    side = UP if factor > 1 else DOWN
    assert before.scores[side, at : at + 24].max() > score
    assert after.scores[:, at:].max() < 0.7 * score
    np.testing.assert_allclose(after.usual[at : at + 6], factor * before.usual[at : at + 6], rtol=0.3)
    assert shifts(after) == [(at, Cause.SAID)]


def test_what_was_judged_before_an_answer_stays_as_it_was() -> None:
    counts, at = grown(4), SHIFTED + 6
    before, after = judged(usage_of(counts)), judged(usage_of(counts, {at: SHIFTED}))
    np.testing.assert_array_equal(after.scores[:, :at], before.scores[:, :at])
    np.testing.assert_array_equal(after.windows[:, :at], before.windows[:, :at])
    np.testing.assert_array_equal(after.usual[:at], before.usual[:at])


def test_days_before_an_answer_do_not_pull_the_level_back() -> None:
    counts, at = grown(4), SHIFTED + 30
    found = judged(usage_of(counts, {at: SHIFTED}), by_itself=False)
    noons = found.usual[NOON::24, 0][WARM + 2 : WARM + 5]
    np.testing.assert_allclose(noons, counts[NOON::24, 0][WARM + 2 : WARM + 5], rtol=0.4)


def test_the_shape_of_the_week_outlives_a_new_level() -> None:
    counts, at = grown(4), SHIFTED + 24
    before, after = judged(usage_of(counts), by_itself=False), judged(usage_of(counts, {at: SHIFTED}), by_itself=False)
    rest = slice(at, 24 * (WARM + 2))
    ratio = after.usual[rest] / before.usual[rest]
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=0.15)


def test_an_answer_may_speak_of_longer_ago_than_is_still_known() -> None:
    counts, at = grown(4), SHIFTED + 8 * 24
    long, longer = (judged(usage_of(counts, {at: at - 24 * days}), by_itself=False) for days in (30, 33))
    np.testing.assert_array_equal(long.scores, longer.scores)
    assert long.usual[at : at + 12].sum() == pytest.approx(counts[at : at + 12].sum(), rel=0.3)


def test_an_answer_of_which_nothing_is_known_yet_leaves_the_level() -> None:
    counts = office(WARM + 7)
    before, after = judged(usage_of(counts)), judged(usage_of(counts, {SHIFTED: SHIFTED}))
    np.testing.assert_allclose(after.usual[SHIFTED : SHIFTED + 9], before.usual[SHIFTED : SHIFTED + 9], rtol=1e-6)


def test_what_must_not_be_learned_makes_no_level_either() -> None:
    counts, at = grown(4), SHIFTED + 6
    learnable = np.ones(counts.shape, dtype=bool)
    learnable[SHIFTED:at] = False
    before = judged(usage_of(counts, learnable=learnable))
    after = judged(usage_of(counts, {at: SHIFTED}, learnable=learnable))
    np.testing.assert_allclose(after.usual[at : at + 6], before.usual[at : at + 6], rtol=1e-6)


def test_an_answer_is_about_one_series() -> None:
    counts = grown(4, series=2)
    usage = usage_of(counts, {SHIFTED + 6: SHIFTED})
    assert usage.rebased is not None
    usage.rebased[:, 1] = 0
    found, alone = judged(usage), judged(usage_of(counts[:, 1:]))
    np.testing.assert_allclose(found.scores[:, :, 1], alone.scores[:, :, 0], rtol=1e-9)
    assert found.rebased.sum(axis=0).tolist()[0] == 1


def test_after_an_answer_another_runaway_is_seen() -> None:
    counts, at = grown(4), SHIFTED + 6
    counts[at + 24 * 4 : at + 24 * 4 + 3] += 600
    found = judged(usage_of(counts, {at: SHIFTED}))
    assert found.scores[UP, at + 24 * 4 + 2, 0] > 5


def test_a_shift_of_three_days_becomes_the_usual_by_itself() -> None:
    counts = grown(4, days=WARM + 28)
    found, never = judged(usage_of(counts)), judged(usage_of(counts), by_itself=False)
    at = 24 * (WARM + 3)
    assert shifts(found) == [(at, Cause.SUSTAINED)]
    np.testing.assert_array_equal(found.scores[:, :at], never.scores[:, :at])
    assert daily(found.scores[UP, :, 0])[WARM + 1] > 6
    assert found.scores[:, at:].max() < 4.5
    np.testing.assert_allclose(found.usual[at + NOON], 4 * never.usual[at - 24 * 7 + NOON], rtol=0.25)


def test_what_lasts_two_days_does_not_become_the_usual() -> None:
    found = judged(usage_of(grown(4, lasting=40)))
    assert not found.rebased.any()


def test_days_without_usage_become_the_usual_as_well() -> None:
    counts = office(WARM + 21, mean=400)
    counts[24 * WARM :] *= 0.05
    found = judged(usage_of(counts))
    assert [cause for _, cause in shifts(found)] == [Cause.SUSTAINED]
    assert found.scores[DOWN, 24 * (WARM + 7) :].max() < 4


@pytest.mark.parametrize("flag", ["settled", "learnable"])
def test_what_is_not_learned_does_not_become_the_usual(flag: str) -> None:
    counts = grown(4)
    flags = np.ones(counts.shape, dtype=bool)
    flags[SHIFTED + 24 :: 24] = False
    assert not judged(usage_of(counts, **{flag: flags})).rebased.any()


def test_an_answer_at_the_midnight_of_a_shift_is_what_is_told() -> None:
    at = 24 * (WARM + 3)
    found = judged(usage_of(grown(4), {at: SHIFTED}))
    assert shifts(found) == [(at, Cause.SAID)]
    assert found.shifted_at(at, 0) is Cause.SAID
    assert found.shifted_at(at + 1, 0) is None


def test_a_series_that_was_asleep_is_still_watched_when_it_is_used_again() -> None:
    counts = office(WARM + 28)
    counts[24 * 14 : SHIFTED] = 0
    found = judged(usage_of(counts, {SHIFTED + 30: SHIFTED}))
    counts[24 * (WARM + 20) + NOON] += 400
    assert judged(usage_of(counts, {SHIFTED + 30: SHIFTED})).scores[UP, 24 * (WARM + 20) + NOON, 0] > 5
    assert found.scores[UP, 24 * (WARM + 7) :].max() < 5


def test_windows_begin_anew_with_a_new_level() -> None:
    counts, at = grown(4), SHIFTED + 6
    counts[at + 1 : at + 5] += 900
    found = judged(usage_of(counts, {at: SHIFTED}))
    for bucket in range(at + 1, at + 5):
        said = found.finding(bucket, 0, UP, 3)
        first = bucket + 1 - said.buckets
        assert first >= at
        assert said.came == counts[first : bucket + 1, 0].sum()
        assert said.expected == pytest.approx(found.usual[first : bucket + 1, 0].sum())


def test_windows_begin_anew_in_the_next_call_too() -> None:
    counts, at = grown(4), SHIFTED + 6
    counts[at : at + 6] += 300
    usage = usage_of(counts, {at: SHIFTED})
    whole, fold = judged(usage), Seasonal(1, HOUR)
    fold.judge(usage.rows(slice(0, at + 4)), season(usage).rows(slice(0, at + 4)))
    rest = slice(at + 4, at + 6)
    part = fold.judge(usage.rows(rest), season(usage).rows(rest))
    one, other = part.finding(1, 0, UP, 3), whole.finding(at + 5, 0, UP, 3)
    assert one.came == other.came == counts[at + 6 - other.buckets : at + 6, 0].sum()
    assert one.expected == pytest.approx(other.expected)


def test_a_shift_of_days_becomes_the_usual_after_three() -> None:
    counts = office(12 * 7, mean=100).reshape(-1, 24).sum(axis=1)[:, None]
    counts[57:] *= 3
    found = judged(usage_of(counts, width=DAY))
    assert shifts(found)[0] == (60, Cause.SUSTAINED)
    assert found.scores[UP, 58] > 5
    assert found.scores[UP, 62:].max() < 3


def test_an_answer_about_days_holds_from_the_next_day_on() -> None:
    counts = office(12 * 7, mean=100).reshape(-1, 24).sum(axis=1)[:, None]
    counts[57:] *= 3
    found = judged(usage_of(counts, {58: 57}, width=DAY))
    assert shifts(found) == [(58, Cause.SAID)]
    assert found.scores[UP, 58:].max() < 4


ANSWERS = st.dictionaries(st.integers(1, 20 * 24 - 1), st.integers(1, 90), max_size=3)


def with_answers(counts: Floats, answers: dict[int, int]) -> Usage:
    """Answers for the first series only: each of so many hours before it holds."""
    usage = usage_of(counts, {at: max(0, at - back) for at, back in answers.items()})
    assert usage.rebased is not None
    usage.rebased[:, 1:] = 0
    return usage


@settings(max_examples=25, deadline=None)
@given(answers=ANSWERS, cut=st.integers(1, 20 * 24 - 1), again=st.integers(1, 100))
def test_to_go_on_from_a_prefix_gives_the_levels_of_a_replay(answers: dict[int, int], cut: int, again: int) -> None:
    counts = office(20, series=3)
    counts[24 * 11 :, 1] *= 5
    counts[24 * 12 :, 0] *= 3
    usage = with_answers(counts, answers)
    whole = replay(usage, season(usage))
    fold = Seasonal(3, HOUR)
    assert (whole.shifts[:, 1] == Cause.SUSTAINED).any()
    for rows in (slice(0, cut), slice(cut, cut + again), slice(cut + again, None)):
        part = copy.deepcopy(fold).judge(usage.rows(rows), season(usage).rows(rows))
        fold.judge(usage.rows(rows), season(usage).rows(rows))
        np.testing.assert_array_equal(part.scores, whole.scores[:, rows])
        np.testing.assert_array_equal(part.windows, whole.windows[:, rows])
        np.testing.assert_array_equal(part.shifts, whole.shifts[rows])
        np.testing.assert_array_equal(part.usual, whole.usual[rows])
        np.testing.assert_array_equal(part.low, whole.low[rows])


@settings(max_examples=25, deadline=None)
@given(answers=ANSWERS, moment=st.integers(1, 20 * 24 - 1), seed=st.integers(0, 5))
def test_no_later_answer_or_count_changes_a_level(answers: dict[int, int], moment: int, seed: int) -> None:
    counts = office(20, series=2)
    counts[24 * 11 :] *= 5
    other = counts.copy()
    other[moment:] = np.random.default_rng(seed).poisson(300, other[moment:].shape)
    now = with_answers(counts, {at: back for at, back in answers.items() if at < moment})
    later = with_answers(other, answers)
    found, again = replay(now, season(now)), replay(later, season(later))
    np.testing.assert_array_equal(found.scores[:, :moment], again.scores[:, :moment])
    np.testing.assert_array_equal(found.shifts[:moment], again.shifts[:moment])


def test_an_answer_before_anything_is_known_does_no_harm() -> None:
    counts = office(20)
    found, usual = judged(usage_of(counts, {0: 1})), judged(usage_of(counts))
    np.testing.assert_allclose(found.usual[24 * 10 :], usual.usual[24 * 10 :], rtol=0.05)
    np.testing.assert_allclose(found.scores, usual.scores, atol=0.2)


@pytest.mark.parametrize(
    ("came", "more"),
    [
        ([40, 40, 5, 5] * 20, 0.0),  # as usual
        ([20, 20, 2, 2] * 20, 0.0),  # less
        ([400, 400, 50, 50] * 20, 0.0),  # ten times as much
        ([140, 140, 105, 105] * 20, 100.0),  # a job that runs day and night
        ([140, 140], 0.0),  # either: nobody can tell
    ],
)
def test_what_comes_beside_the_usual_is_told_from_a_multiple_of_it(came: list[int], more: float) -> None:
    counts = np.array(came, dtype=np.float32)[:, None]
    usual = np.resize(np.array([40, 40, 5, 5], dtype=np.float32), counts.shape)
    mask = np.ones(counts.shape, dtype=bool)
    assert evenly_more(counts, usual, mask).tolist() == [more]
    assert evenly_more(counts, usual * 0, mask).tolist() == [0.0], "of what was asleep nothing was usual"
