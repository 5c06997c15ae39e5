"""What a seasonal rule keeps between cycles changes nothing but time, and is small."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.builders import START, at, feed_history
from tests.rules.making import UTC_FILE, made
from usage_watch.core.episode import Findings, fold
from usage_watch.core.series import DAY, HOUR, Floats, Ints
from usage_watch.core.stats.seasonal import DOWN, UP, Judged, News, Season, Usage, season_of
from usage_watch.core.stats.seasonal.tuning import TUNINGS
from usage_watch.core.units import to_epoch
from usage_watch.rules.zscore.blocks import BLOCK, Asked, Memo, begin_of, judged_blocks

WEEK = 168
LEAST = 3.5


def usage(weeks: int, seed: int = 4) -> Ints:
    hour = np.arange(weeks * WEEK)
    busy = (hour % 24 >= 9) & (hour % 24 < 18) & (hour // 24 % 7 < 5)
    return np.random.default_rng(seed).poisson(np.where(busy, 400, 30)).astype(np.int64)


def asked(values: Ints, settled: bool = True, start: int = to_epoch(START)) -> tuple[Usage, Season, Asked]:
    counts: Floats = values[:, None].astype(np.float64)
    known = np.ones(counts.shape, dtype=bool)
    known[len(known) - 24 :] = settled
    starts = start + HOUR * np.arange(len(values))
    every = np.ones(counts.shape, dtype=bool)
    how = Asked(News(10, 0.25), TUNINGS[HOUR], LEAST)
    return Usage(starts, HOUR, counts, known, every), season_of(starts, HOUR, ZoneInfo("UTC")), how


def judged_by(memo: Memo, values: Ints, settled: bool = True, needed: int = 0) -> Judged:
    return memo.judge(*asked(values, settled), "it", needed)


def found(judged: Judged) -> dict[str, Any]:
    """The arrays by bucket and day."""
    return {each.name: getattr(judged, each.name) for each in fields(Judged) if each.name not in ("earlier", "found")}


@st.composite
def changes(draw: st.DrawFn) -> list[tuple[int, int, bool, int]]:
    """How far history goes at each poll, what is another number, whether the last day is settled, what is needed."""
    ends = sorted(draw(st.lists(st.integers(20 * 24, 30 * 24), min_size=2, max_size=5)))
    return [(end, draw(st.integers(0, end - 1)), draw(st.booleans()), draw(st.integers(0, end - 1))) for end in ends]


@given(polls=changes())
@settings(max_examples=40, deadline=None)
def test_judging_what_has_changed_finds_what_judging_all_finds(polls: list[tuple[int, int, bool, int]]) -> None:
    values = usage(5)
    whole, part = Memo(), Memo()
    for end, changed, settled, needed in polls:
        values[changed] += 400
        fresh = judged_by(Memo(), values[:end], settled)
        for name, each in found(judged_by(whole, values[:end], settled)).items():
            assert np.array_equal(each, getattr(fresh, name)), name
        compare(judged_by(part, values[:end], settled, needed), fresh, needed)


def compare(shortened: Judged, fresh: Judged, needed: int) -> None:
    """Of what was asked all is known to the last digit, and of what was before how rare it is."""
    gone = shortened.earlier.buckets
    assert gone <= max(0, needed - 24)
    assert gone % 24 == 0
    for name in ("counts", "settled", "usual", "low", "shifts"):
        assert np.array_equal(getattr(shortened, name), getattr(fresh, name)[gone:]), name
    for name in ("scores", "windows"):
        assert np.array_equal(getattr(shortened, name), getattr(fresh, name)[:, gone:]), name
    for what in range(3):
        assert np.array_equal(shortened.running(what), fresh.running(what)[gone:])
    last = len(fresh.days) - 1
    assert shortened.scored(last - gone, 0) == fresh.scored(last, 0)
    for side in (UP, DOWN):
        for score in (LEAST, 6.5):
            mine = shortened.like(side, last - gone, 0, score) + gone
            assert mine.tolist() == fresh.like(side, last, 0, score).tolist()


def test_of_what_was_judged_no_more_is_kept_than_there_is_room_for() -> None:
    memo, values = Memo(most=1_000), usage(5)
    first = judged_by(memo, values)
    assert judged_by(memo, values) is first
    memo.judge(*asked(values[:700]), "another")
    assert judged_by(memo, values) is not first


def test_blocks_that_are_over_are_forgotten() -> None:
    memo, values = Memo(), usage(5)
    first = judged_by(memo, values)
    for _ in range(16):
        memo.judge(*asked(values[:700]), "a later one")
    assert judged_by(memo, values) is first
    for _ in range(17):
        memo.judge(*asked(values[:700]), "a later one")
    assert judged_by(memo, values) is not first


def test_another_level_is_another_question() -> None:
    """What scored high before is kept by it."""
    memo, values = Memo(), usage(5)
    first = judged_by(memo, values, needed=4 * WEEK)
    some, season, how = asked(values)
    lower = memo.judge(some, season, Asked(how.news, how.tuning, 1.0), "it", 4 * WEEK)
    assert lower is not first
    assert len(lower.earlier.scores) > len(first.earlier.scores)


def test_who_asks_for_more_than_is_kept_gets_it() -> None:
    memo, values = Memo(), usage(5)
    assert judged_by(memo, values, needed=4 * WEEK).earlier.buckets == 4 * WEEK - 24
    assert judged_by(memo, values, needed=0).earlier.buckets == 0


def test_it_is_not_shortened_day_by_day() -> None:
    memo, values = Memo(), usage(5)
    first = judged_by(memo, values, needed=2 * WEEK)
    assert judged_by(memo, values, needed=2 * WEEK + 48) is first
    assert judged_by(memo, values, needed=3 * WEEK).earlier.buckets == 3 * WEEK - 24


def test_a_shorter_history_is_another() -> None:
    memo, values = Memo(), usage(5)
    judged_by(memo, values)
    for end in (4 * WEEK, 30 * 24):
        for name, each in found(judged_by(memo, values[:end])).items():
            assert np.array_equal(each, getattr(judged_by(Memo(), values[:end]), name)), name


@pytest.mark.parametrize(("count", "kept"), [(2**24, np.float32), (2**24 + 1, np.float64)])
def test_counts_are_kept_as_they_are(count: int, kept: type) -> None:
    values = usage(3)
    values[100] = count
    counts = judged_by(Memo(), values).counts
    assert (counts[100, 0], counts.dtype) == (count, kept)
    assert counts.base is None or counts.base.shape == counts.shape, "no part of a whole history"


@pytest.mark.parametrize("days", range(-5, 3))
def test_blocks_that_follow_each_other_are_kept_apart(days: int) -> None:
    """Whatever day of a block judging begins on: each is judged once."""
    edge = begin_of(to_epoch(START)) + 8 * 7 * DAY + 2 * BLOCK
    values, first = usage(26), 21 * WEEK + 24 * days
    some, season, how = asked(values, start=edge - 21 * WEEK * HOUR)
    name = f"kept apart {days}"
    before = [block.judged for block in judged_blocks(some, season, how, first, name)]
    again = [block.judged for block in judged_blocks(some, season, how, first, name)]
    assert len(before) == (2 if days < 0 else 1)
    assert all(mine is theirs for mine, theirs in zip(before, again, strict=True))


def test_what_is_said_is_the_same_when_less_of_the_past_is_left() -> None:
    """As at each midnight, while the daemon runs."""
    values = usage(40, seed=3)
    for week in (14, 22, 35, 38):
        values[week * WEEK + 27 : week * WEEK + 30] += 900
    history = feed_history({"": values.tolist()})
    lives = made("zscore", id="lives")
    for since in (13 * WEEK, 21 * WEEK, 34 * WEEK, 37 * WEEK):
        begin = to_epoch(lives.look_back(at(since), UTC_FILE))
        rest = history.cut(begin)
        other = made("zscore", id=f"fresh-{since}")
        (mine,), (theirs,) = (rule.judge(rest, at(since), UTC_FILE) for rule in (lives, other))
        assert said(lives, mine) == said(other, theirs)
        assert said(lives, mine)


def said(rule: Any, findings: Findings) -> list[Any]:
    episodes = fold(findings, 1, 6)
    return [rule.evidence(findings, each.peak, each.rank, UTC_FILE) for each in episodes]


# ---- lent to another thread ------------------------------------------------------------------------------------------


Question = tuple[Usage, Season, Asked]


def together(weeks: int, changed: int = 0) -> Question:
    """Three series, as a cycle asks for them; some are changed in one bucket."""
    each = np.column_stack([usage(weeks, seed).astype(np.float64) for seed in (1, 2, 3)])
    each[-30, :changed] += 700
    some, season, how = asked(usage(weeks))
    known = np.repeat(some.settled, 3, axis=1)
    return Usage(some.starts, HOUR, each, known, known.copy()), season, how


def one(question: Question, column: int) -> Question:
    """As a page asks for one of them."""
    some, season, how = question
    return some.rows(slice(None), slice(column, column + 1)), season, how


def everything(judged: Judged) -> tuple[Any, ...]:
    """All that a page can ask of the newest days of one series."""
    last = slice(len(judged.days) - 60, None)
    here = len(judged.days) - 30
    arrays = (judged.counts[last], judged.usual[last], judged.low[last], judged.scores[:, last], judged.settled[last])
    rare = [judged.like(UP, here, 0, score) - here for score in (LEAST, 6.5)]
    sums = [judged.running(what)[-60:] for what in range(3)]
    return *(np.round(each.astype(np.float64), 3).tolist() for each in (*arrays, *rare, *sums)), judged.scored(here, 0)


@pytest.mark.parametrize("needed", [0, 3 * WEEK])
def test_what_is_known_of_many_series_is_lent_to_who_asks_for_one(needed: int) -> None:
    """Though the cycle has shortened it."""
    cycles, question = Memo(), together(5)
    cycles.judge(*question, "it", needed)
    pages = Memo(lender=cycles)
    for column in range(3):
        lent = pages.judge(*one(question, column), "it", 3 * WEEK)
        assert lent.counts.base is not None, "nothing was judged again"
        alone = Memo().judge(*one(question, column), "it")
        assert everything(lent) == everything(alone)
        mine, theirs = (each.band(slice(len(each.days) - 60, None), 0, LEAST) for each in (lent, alone))
        assert np.allclose(mine, theirs)


def learnable(some: Usage) -> Usage:
    flags = some.learnable.copy()
    flags[100] = False
    return replace(some, learnable=flags)


def settled(some: Usage) -> Usage:
    flags = some.settled.copy()
    flags[-1] = False
    return replace(some, settled=flags)


def rebased(some: Usage) -> Usage:
    since: Ints = np.zeros(some.counts.shape, dtype=np.int64)
    since[400] = some.starts[390]
    return replace(some, rebased=since)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(lambda some, season, how: (replace(some, counts=some.counts + 1), season, how), id="counts"),
        pytest.param(lambda some, season, how: (settled(some), season, how), id="settled"),
        pytest.param(lambda some, season, how: (learnable(some), season, how), id="learnable"),
        pytest.param(lambda some, season, how: (rebased(some), season, how), id="rebased"),
        pytest.param(lambda some, season, how: (some, season, replace(how, least=5.0)), id="level"),
        pytest.param(
            lambda some, season, how: (some, season_of(some.starts, HOUR, ZoneInfo("Asia/Tokyo")), how), id="season"
        ),
        pytest.param(lambda some, season, how: (some.rows(slice(0, -1)), season.rows(slice(0, -1)), how), id="length"),
    ],
)
def test_nothing_is_lent_to_who_asks_for_something_else(other: Callable[[Usage, Season, Asked], Question]) -> None:
    cycles, question = Memo(), together(5)
    cycles.judge(*question, "it")
    asked_for = other(*one(question, 1))
    assert everything(Memo(lender=cycles).judge(*asked_for, "it")) == everything(Memo().judge(*asked_for, "it"))


def test_what_the_lender_has_shortened_is_judged_again() -> None:
    cycles, question = Memo(), together(5)
    cycles.judge(*question, "it", 4 * WEEK)
    mine = Memo(lender=cycles).judge(*one(question, 0), "it", 2 * WEEK)
    assert mine.earlier.buckets == 2 * WEEK - 24


def test_a_cycle_and_a_page_may_go_on_at_once() -> None:
    """Each asks a thousand times, while what there is to ask for changes, and not for both at the same moment."""
    states = [together(3, changed) for changed in range(4)]
    expected = [[everything(Memo().judge(*one(state, column), "it")) for column in range(3)] for state in states]
    cycles = Memo()

    def as_cycles() -> None:
        for number in range(1000):
            cycles.judge(*states[number // 80 % 4], "it")

    def as_pages() -> Iterator[bool]:
        pages = Memo(lender=cycles)
        for number in range(1000):
            state, column = number // 60 % 4, number // 20 % 3
            yield everything(pages.judge(*one(states[state], column), "it")) == expected[state][column]

    with ThreadPoolExecutor(2) as threads:
        done, right = threads.submit(as_cycles), threads.submit(lambda: all(as_pages()))
        assert right.result()
        done.result()
    assert everything(cycles.judge(*states[0], "it").alone(2)) == expected[0][2]
