from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.builders import START, findings, spelled
from usage_watch.core.episode import Episode, Findings, State, fold, looks_over, runs
from usage_watch.core.series import HOUR


def marked(found: Findings, episodes: list[Episode]) -> str:
    """What each bucket belongs to: `#` an episode that has ended, `>` one that goes on, `-` none."""
    marks = ["-"] * len(found.starts)
    for episode in episodes:
        span = slice(episode.first, episode.last + 1)
        marks[span] = ("#" if episode.ended else ">") * (episode.last + 1 - episode.first)
    return "".join(marks)


# ---- one bucket ------------------------------------------------------------------------------------------------------


UNKNOWN, CLEAR, HOLD, BREACH = State

FACES = [(0, False, CLEAR), (0, True, HOLD), (1, False, BREACH), (3, False, BREACH)]


def one_bucket(rank: int, holding: bool, settled: bool, grows: bool, worse: int) -> Findings:
    return replace(
        findings("."),
        ranks=np.array([rank], dtype=np.int8),
        holding=np.array([holding]),
        settled=np.array([settled]),
        grows=grows,
        worse=np.array([worse], dtype=np.int8),
    )


@pytest.mark.parametrize("worse", [1, 0, -1])
@pytest.mark.parametrize("grows", [True, False])
@pytest.mark.parametrize(("rank", "holding", "face"), FACES)
def test_what_is_settled_is_used_whatever_it_is(rank: int, holding: bool, face: State, grows: bool, worse: int) -> None:
    found = one_bucket(rank, holding, True, grows, worse)
    assert found.states().tolist() == found.faces().tolist() == [face]


@pytest.mark.parametrize(
    ("grows", "worse", "usable"),
    [
        (True, 1, {BREACH}),  # a count over its limit stays over; all else of it may still grow
        (True, -1, {CLEAR}),  # a count that is back over the least that was expected stays so
        (True, 0, set()),  # where both sides are bad, more may cure and make worse
        (False, 1, set()),  # a share, an average or a quantile goes anywhere
        (False, -1, set()),
        (False, 0, set()),
    ],
)
@pytest.mark.parametrize(("rank", "holding", "face"), FACES)
def test_before_it_is_settled_only_what_late_numbers_cannot_undo_is_used(
    rank: int, holding: bool, face: State, grows: bool, worse: int, usable: set[State]
) -> None:
    found = one_bucket(rank, holding, False, grows, worse)
    assert found.faces().tolist() == [face]
    assert found.states().tolist() == [face if face in usable else UNKNOWN]


def test_each_bucket_has_its_own_direction() -> None:
    """A score that is judged on both sides says for each bucket which one it is."""
    found = replace(findings("11", unsettled=(0, 1)), grows=True, worse=np.array([1, -1], dtype=np.int8))
    assert found.states().tolist() == [BREACH, UNKNOWN]


# ---- the fold, by examples -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("states", "for_", "resolve", "expected"),
    [
        ("", 1, 2, ""),
        ("....", 1, 2, "----"),
        (".1..", 1, 2, "-#--"),
        (".1..", 1, 3, "->--"),  # one clear is missing
        (".1.", 1, 1, "-#-"),  # the clear that ends it is the newest bucket
        (".1.1.", 1, 2, "->>>-"),
        (".1.h.h..", 1, 2, "-#####--"),  # a hold sets the count of clears back
        ("h1..h", 1, 2, "-#---"),  # a hold opens nothing
        (".1.?.", 1, 2, "-#---"),  # the unknown changes nothing: two clears end it
        (".1????", 1, 2, "->----"),  # no data never ends it
        ("11?11", 3, 1, "-----"),  # an unknown bucket restarts the run
        ("11h11", 3, 1, "-----"),
        ("11.111.1", 3, 1, "---###--"),
        ("111", 3, 1, ">>>"),
        ("11", 3, 1, "--"),
        ("1.11.1", 2, 2, "-->>>>"),
        ("1..1..", 1, 2, "#--#--"),
    ],
)
def test_episodes_open_with_adjacent_breaches_and_end_with_clears(
    states: str, for_: int, resolve: int, expected: str
) -> None:
    found = findings(states)
    assert marked(found, fold(found, for_, resolve)) == expected


@pytest.mark.parametrize(
    ("states", "for_", "rank"),
    [
        ("1231", 1, 3),
        ("1231", 2, 2),  # two adjacent buckets stand at 2 or above, one alone at 3
        ("1331", 2, 3),
        ("1313", 2, 1),
        ("22.33", 2, 3),
        ("11?33", 2, 3),
        ("113h3", 2, 1),
    ],
)
def test_a_level_is_reached_when_so_many_adjacent_buckets_stand_at_it_or_above(
    states: str, for_: int, rank: int
) -> None:
    assert [episode.rank for episode in fold(findings(states), for_, 2)] == [rank]


def test_an_open_episode_ends_where_its_findings_close() -> None:
    over = findings(".12h", closed="The period is over.")
    assert marked(over, fold(over, 1, 2)) == "-###"


@pytest.mark.parametrize(
    ("values", "limits", "scores", "peak"),
    [
        ([5, 9, 7, 3], [4, 4, 4, 4], None, 1),
        ([5, 9, 9, 3], [4, 4, 4, 4], None, 1),  # the oldest of equals
        ([3, 1, 2, 3], [4, 4, 4, 4], None, 1),  # under a limit
        ([5, 9, 7, 3], [4, 4, 4, 4], [5.0, 4.5, -8.0, 0.0], 2),
    ],
)
def test_the_peak_stands_furthest_beyond_its_limit(
    values: list[float], limits: list[float], scores: list[float] | None, peak: int
) -> None:
    found = replace(
        findings("1110"),
        values=np.array(values, dtype=np.float64),
        limits=np.array(limits, dtype=np.float64),
        scores=None if scores is None else np.array(scores),
    )
    assert fold(found, 1, 1)[0].peak == peak


def test_the_peak_is_a_bucket_of_the_highest_level_that_may_be_used() -> None:
    found = replace(findings("1213"), settled=np.array([True, True, True, False]), values=np.array([90.0, 20, 80, 99]))
    assert fold(found, 1, 1)[0].peak == 1


# ---- the fold, against the words of the design -----------------------------------------------------------------------


def naive(states: str, for_: int, resolve: int) -> list[tuple[int, int, bool, int]]:
    """First, last, ended, rank: a state machine, bucket by bucket."""
    done: list[tuple[int, int, bool, int]] = []
    current: tuple[int, int, int] | None = None
    run: list[int] = []
    clears = 0
    for index, state in enumerate(states):
        run = [*run, int(state)] if state.isdigit() and state != "0" else []
        sustained = min(run[-for_:]) if len(run) >= for_ else 0
        if current is None:
            if sustained:
                current, clears = (index - for_ + 1, index, sustained), 0
        elif run or state == "h":
            current, clears = (current[0], index, max(current[2], sustained)), 0
        elif state == ".":
            clears += 1
            if clears == resolve:
                done.append((current[0], current[1], True, current[2]))
                current = None
    return done + ([(current[0], current[1], False, current[2])] if current else [])


STATES = st.text("123h.?", max_size=40)
SPANS = st.integers(1, 4)


@given(STATES, SPANS, SPANS)
@settings(max_examples=400, deadline=None)
def test_the_fold_is_the_state_machine_of_the_design(states: str, for_: int, resolve: int) -> None:
    found = findings(states)
    episodes = fold(found, for_, resolve)
    assert [(each.first, each.last, each.ended, each.rank) for each in episodes] == naive(states, for_, resolve)


@st.composite
def random_findings(draw: st.DrawFn) -> Findings:
    n = draw(st.integers(0, 30))

    def flags() -> np.ndarray:
        return np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)), dtype=bool)

    numbers = st.lists(st.integers(0, 3), min_size=n, max_size=n)
    return replace(
        findings("." * n, closed=draw(st.sampled_from([None, "over"]))),
        ranks=np.array(draw(numbers), dtype=np.int8),
        holding=flags(),
        settled=flags(),
        grows=draw(st.booleans()),
        worse=np.array(draw(st.lists(st.sampled_from([-1, 0, 1]), min_size=n, max_size=n)), dtype=np.int8),
        values=np.array(draw(numbers), dtype=np.float64),
        scores=draw(st.sampled_from([None, np.linspace(-3, 3, n)])),
    )


@given(random_findings(), SPANS, SPANS)
@settings(max_examples=300, deadline=None)
def test_episodes_are_in_order_apart_and_only_the_last_goes_on(found: Findings, for_: int, resolve: int) -> None:
    episodes = fold(found, for_, resolve)
    states = found.states()
    for before, after in pairwise(episodes):
        assert before.last < after.first
        assert before.ended
    for episode in episodes:
        assert (states[episode.first : episode.first + for_] == State.BREACH).all()
        assert found.faces()[episode.last] >= State.HOLD
        assert episode.first <= episode.peak <= episode.last
        assert states[episode.peak] == State.BREACH
        assert found.ranks[episode.peak] >= episode.rank >= 1
    if found.closed is not None:
        assert all(episode.ended for episode in episodes)


@given(STATES, SPANS, SPANS, st.data())
@settings(max_examples=200, deadline=None)
def test_what_becomes_unknown_ends_nothing_and_opens_nothing(
    states: str, for_: int, resolve: int, data: st.DataObject
) -> None:
    """A bucket that is unknown may split a run or hide a clear; it never makes an end or a breach."""
    if not states:
        return
    hidden = data.draw(st.sets(st.integers(0, len(states) - 1)))
    partly = "".join("?" if index in hidden else state for index, state in enumerate(states))
    found = findings(partly)
    for episode in fold(found, for_, resolve):
        assert all(partly[index] in "123" for index in range(episode.first, episode.first + for_))
        if episode.ended:
            assert partly[episode.last :].count(".") >= resolve


@given(STATES, SPANS, SPANS, st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_a_source_that_falls_silent_changes_nothing(states: str, for_: int, resolve: int, silent: int) -> None:
    before, after = findings(states), findings(states + "?" * silent)
    assert fold(before, for_, resolve) == fold(after, for_, resolve)


@given(st.text("h.", max_size=20), SPANS)
def test_nothing_between_clear_at_and_the_limit_opens_an_episode(states: str, resolve: int) -> None:
    assert fold(findings(states), 1, resolve) == []


@given(st.text("1h", max_size=20), SPANS)
def test_nothing_between_clear_at_and_the_limit_ends_one(rest: str, resolve: int) -> None:
    episode = fold(findings("1" + rest), 1, resolve)
    assert [(each.first, each.last, each.ended) for each in episode] == [(0, len(rest), False)]


# ---- late numbers ----------------------------------------------------------------------------------------------------


def over(counts: np.ndarray, settled: np.ndarray) -> Findings:
    """Counts over 10 and over 20; clear at 8."""
    return replace(
        findings("." * len(counts)),
        ranks=np.searchsorted([10, 20], counts, side="left").astype(np.int8),
        holding=(counts > 8) & (counts <= 10),
        settled=settled,
        grows=True,
        values=counts.astype(np.float64),
    )


@given(st.lists(st.integers(0, 30), min_size=1, max_size=20), SPANS, SPANS, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_late_numbers_in_any_order_never_unsay_what_stood_over_a_limit(
    final: list[int], for_: int, resolve: int, chance: object
) -> None:
    whole = np.array(final)
    counts, settled = np.zeros_like(whole), np.zeros(len(whole), dtype=bool)
    said: list[Episode] = []
    while not settled.all():
        index = chance.randrange(len(final))  # type: ignore[attr-defined]
        counts[index] = chance.randint(int(counts[index]), final[index])  # type: ignore[attr-defined]
        settled[index] |= counts[index] == final[index]
        now = fold(over(counts, settled), for_, resolve)
        for before in said:
            opened = before.first + for_ - 1
            assert any(each.first <= before.first and opened <= each.last for each in now)
            touching = (each.rank for each in now if each.first <= before.last and before.first <= each.last)
            assert max(touching) >= before.rank
        said = now
    assert said == fold(over(whole, np.ones(len(whole), dtype=bool)), for_, resolve)


def under(counts: np.ndarray, settled: np.ndarray) -> Findings:
    """Counts under 20 and under 10; clear at 22."""
    return replace(
        findings("." * len(counts)),
        ranks=np.searchsorted([-20, -10], -counts, side="left").astype(np.int8),
        holding=(counts >= 20) & (counts < 22),
        settled=settled,
        grows=True,
        worse=np.full(len(counts), -1, dtype=np.int8),
        values=counts.astype(np.float64),
    )


@given(st.lists(st.integers(0, 30), min_size=1, max_size=20), SPANS, SPANS, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_late_numbers_in_any_order_never_open_what_is_not_too_little_in_the_end(
    final: list[int], for_: int, resolve: int, chance: object
) -> None:
    whole = np.array(final)
    final_ones = fold(under(whole, np.ones(len(whole), dtype=bool)), for_, resolve)
    counts, settled = np.zeros_like(whole), np.zeros(len(whole), dtype=bool)
    while not settled.all():
        index = chance.randrange(len(final))  # type: ignore[attr-defined]
        counts[index] = chance.randint(int(counts[index]), final[index])  # type: ignore[attr-defined]
        settled[index] |= counts[index] == final[index]
        for each in fold(under(counts, settled), for_, resolve):
            assert any(one.first <= each.first and each.first <= one.last for one in final_ones)
    assert fold(under(counts, settled), for_, resolve) == final_ones


# ---- whether it looks over -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("states", "unsettled", "data_until", "over"),
    [
        (".1..", (2, 3), 4, True),
        (".1..", (2, 3), 3, False),  # the newest hour with usage is one short of two clears
        (".1..", (2, 3), None, False),  # nothing was ever used
        (".1.", (2,), 3, False),
        (".1.h", (2, 3), 4, False),
        (".1.1.", (2, 4), 5, False),
        (".1..1", (2, 3), 5, False),  # it goes on: what lies between may still be anything
        (".1..1", (2, 3, 4), 5, True),  # it would have ended, and another begun
        (".1....", (2, 3, 4, 5), 4, True),
        (".1..", (2,), 4, True),
        (".1..", (), 4, False),  # it has ended in truth
        (".1.h..", (2, 3, 4, 5), 6, True),
        (".1..", (2, 3), 0, False),
    ],
)
def test_an_episode_looks_over_where_it_would_have_ended_were_what_is_known_final(
    states: str, unsettled: tuple[int, ...], data_until: int | None, over: bool
) -> None:
    found = findings(states, unsettled=unsettled)
    episode = fold(found, 1, 2)[0]
    until = None if data_until is None else int(START.timestamp()) + data_until * HOUR
    assert looks_over(found, episode, 2, until) is over


def test_an_episode_that_its_findings_close_does_not_look_over() -> None:
    found = findings(".1..", unsettled=(2, 3), closed="The period is over.")
    assert not looks_over(found, fold(found, 1, 2)[0], 2, int(START.timestamp()) + 4 * HOUR)


# ---- runs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("states", "gap", "spans"),
    [
        ("", 2, []),
        ("1..1..", 2, [(0, 4)]),
        ("1...1..", 2, [(0, 1), (4, 5)]),
        ("1..1..1.", 2, [(0, None)]),
        ("1..1...11", 3, [(0, None)]),
    ],
)
def test_what_opens_soon_after_an_end_is_the_same_run_reopened(
    states: str, gap: int, spans: list[tuple[int, int | None]]
) -> None:
    found = findings(states)
    start = int(START.timestamp())
    joined = runs(found, fold(found, 1, 2), gap)
    hours = [
        ((run.started_at - start) // HOUR, None if run.ended_at is None else (run.ended_at - start) // HOUR)
        for run in joined
    ]
    assert hours == spans


def test_a_reopened_run_stands_at_the_level_of_its_newest_episode() -> None:
    found = findings("3..1..")
    (run,) = runs(found, fold(found, 1, 2), 4)
    assert (run.latest.rank, run.latest.first) == (1, 3)


@given(STATES, SPANS, SPANS, st.integers(0, 8))
@settings(max_examples=150, deadline=None)
def test_runs_stand_further_apart_than_the_gap_and_hold_every_episode(
    states: str, for_: int, resolve: int, gap: int
) -> None:
    found = findings(states)
    episodes = fold(found, for_, resolve)
    joined = runs(found, episodes, gap)
    for before, after in pairwise(joined):
        assert before.ended_at is not None
        assert after.started_at - before.ended_at > gap * HOUR
    starts = {int(found.starts[episode.first]) for episode in episodes}
    assert {run.started_at for run in joined} <= starts
    assert [run.latest for run in joined if run.latest in episodes[-1:]] == episodes[-1:]


@given(STATES)
def test_the_helper_reads_states_as_it_writes_them(states: str) -> None:
    assert spelled(findings(states)) == states


@pytest.mark.parametrize(("newest", "peak"), [(False, 1), (True, 4)])
def test_what_speaks_of_its_newest_breach_does_not_speak_of_its_worst(newest: bool, peak: int) -> None:
    found = replace(findings(".22.2h"), values=np.array([0.0, 9.0, 5.0, 0.0, 3.0, 0.0]), newest=newest)
    [episode] = fold(found, 1, 2)
    assert episode.peak == peak
