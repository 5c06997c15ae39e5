from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usage_watch.core.series import DAY, HOUR
from usage_watch.core.stats.burn import Burning, Terms, Windows, burning, even, expected_rest

PERIOD = 720
FAST, SLOW = Windows(6, 1, 8), Windows(168, 24, 1.4)


def terms(limit: float = 7200, least: float = 0) -> Terms:
    return Terms(PERIOD, np.array([limit]), np.array([least]))


def judged(counts: list[int], ahead: float = 1e9, pairs: tuple[Windows, ...] = (FAST,), **given_: float) -> Burning:
    column = np.array(counts, dtype=np.int64)[:, None]
    return burning(column, np.full(column.shape, ahead), pairs, terms(**given_))


def row(found: Burning) -> str:
    """`#` where it burns, `h` where it lingers, `.` else."""
    return "".join(
        "#" if rank else "h" if held else "." for rank, held in zip(found.ranks[:, 0], found.holding[:, 0], strict=True)
    )


def test_an_even_pace_is_the_rate_1() -> None:
    assert even(Windows(6, 1, 1), terms(), PERIOD).tolist() == [7200]
    assert even(FAST, terms(), 6).tolist() == [480]


@pytest.mark.parametrize(
    ("counts", "seen"),
    [
        ([80] * 6, "......"),  # just the rate is not over it
        ([81] * 6, ".....#"),
        ([480, 81], ".#"),  # both windows: the first of them holds no more than the rate in six hours
        ([500], "#"),  # one hour that is enough for six
        ([500, 0, 0, 0, 0, 0, 0], "#hhhhh."),  # it is not going on, and its long window not clear yet
        ([500, 0, 0, 90, 0, 0, 0], "#hh#hh."),
    ],
)
def test_a_pair_burns_while_both_windows_are_over_its_rate(counts: list[int], seen: str) -> None:
    assert row(judged(counts)) == seen


def test_the_last_of_the_pairs_that_burn_is_kept() -> None:
    found = judged([100] * 240, pairs=(SLOW, FAST))
    assert found.ranks[:, 0].tolist() == [*[0] * 4, *[2] * 236]
    assert judged([20] * 240, pairs=(SLOW, FAST)).ranks[:, 0].tolist() == [*[0] * 117, *[1] * 123]


def test_a_window_longer_than_a_tenth_of_the_period_does_not_hold_what_is_over() -> None:
    counts = [0] * 100 + [200] * 12 + [0] * 100
    assert set(row(judged(counts, pairs=(SLOW,)))[140:]) == {"."}


@pytest.mark.parametrize(
    ("ahead", "pairs", "burns"),
    [
        (7200 - 600, (FAST,), True),
        (7200 - 1200, (FAST,), True),  # were it to go on for as long again, the limit would be reached
        (7200 - 1201, (FAST,), False),
        (7200 - 600, (Windows(72, 6, 1.01),), False),  # longer windows have more time: 100 a bucket are no 727 in 72
        (float("nan"), (FAST,), False),
    ],
)
def test_it_matters_only_where_the_limit_is_in_danger(ahead: float, pairs: tuple[Windows, ...], burns: bool) -> None:
    assert bool(judged([100] * 6, ahead, pairs).ranks.any()) == burns


def test_a_long_window_is_weighed_with_what_is_usual_alone() -> None:
    pair = Windows(72, 6, 2)
    assert judged([30] * 72, 7200 - 72 * 30, (pair,)).ranks[-1, 0] == 1
    assert judged([30] * 72, 7200 - 72 * 30 - 1, (pair,)).ranks[-1, 0] == 0


@pytest.mark.parametrize(("least", "burns"), [(540, True), (541, False)])
def test_less_than_the_least_beyond_an_even_pace_is_no_news(least: float, burns: bool) -> None:
    assert bool(judged([100] * 6, least=least).ranks[-1, 0]) == burns


@given(st.lists(st.integers(0, 300), min_size=1, max_size=60), st.data())
@settings(max_examples=100, deadline=None)
def test_late_numbers_only_ever_add_to_what_burns(counts: list[int], data: st.DataObject) -> None:
    more = [each + data.draw(st.integers(0, 50)) for each in counts]
    pairs = (Windows(12, 3, 2), FAST)
    before, after = judged(counts, 5000, pairs), judged(more, 5000, pairs)
    assert (after.ranks >= before.ranks).all()
    assert ((after.ranks > 0) | after.holding | ~before.holding).all()


# ---- the rest of the period ------------------------------------------------------------------------------------------


def rest(counts: np.ndarray, place: int, end: int, width: int = DAY, first: int = 0) -> float:
    return float(expected_rest(counts[:, None], first, np.array([place]), end, width)[0, 0])


@pytest.mark.parametrize(("width", "week", "embargo"), [(DAY, 7, 2), (HOUR, 168, 48)])
def test_the_rest_is_what_the_same_hours_used_in_the_last_week_known(width: int, week: int, embargo: int) -> None:
    dice = np.random.default_rng(5)
    counts = dice.integers(0, 100, 6 * week)
    for place in (week + embargo, 2 * week + 3, 4 * week - 1):
        known = [counts[at] for at in range(place - embargo - week, place - embargo)]
        for ahead in (0, 1, 3, week - 1, week, 2 * week + 5):
            hours = range(place + 1, place + 1 + ahead)
            expected = sum(int(known[(at - (place - embargo - week)) % week]) for at in hours)
            assert rest(counts, place, place + 1 + ahead, width) == expected


def test_what_may_still_change_is_not_learned() -> None:
    counts = np.ones(40, dtype=np.int64)
    late = counts.copy()
    late[28:] = 1000
    assert rest(late, 29, 37) == rest(counts, 29, 37) == 7


@pytest.mark.parametrize(("place", "first", "known"), [(9, 0, True), (8, 0, False), (19, 10, True), (18, 10, False)])
def test_without_a_week_of_history_nothing_is_known(place: int, first: int, known: bool) -> None:
    assert np.isnan(rest(np.ones(30, dtype=np.int64), place, 30, first=first)) != known
