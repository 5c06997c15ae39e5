from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.builders import at, evidence
from usage_watch.core.incident import Gone, Happening, Incident, close, ended_here, reconcile
from usage_watch.core.message import RuleName, Severity

GONE = "120 credits turned out to be nothing."
CHANGED = "Its rule was changed."
LONG_AGO = at(-1000)
NOW = at(1000)


def gone(incident: Incident) -> Gone:
    """The source took it back."""
    return Gone(GONE, revised=True)


def happening(start: float, end: float | None, rank: int = 1, **changes: object) -> Happening:
    """What happened from one hour of the grid to another."""
    severity = list(Severity)[rank - 1]
    ended_at = None if end is None else at(end)
    made = Happening(
        RuleName("it", "threshold", "it"), {}, None, None, at(start), ended_at, rank, severity, evidence(), None
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def reconciled(
    found: list[Happening],
    stored: list[Incident] | None = None,
    *,
    judged_from: datetime = LONG_AGO,
    speaks_from: datetime = LONG_AGO,
    new_rule: bool = False,
    now: datetime = NOW,
) -> list[Incident]:
    """In order of their start."""
    made = reconcile(found, stored or [], judged_from, speaks_from, new_rule, gone, now)
    return sorted(made, key=lambda incident: (incident.started_at, incident.committed_at))


def begun(*found: Happening) -> list[Incident]:
    """The incidents of a first cycle."""
    return reconciled(list(found))


def spans(incidents: list[Incident]) -> list[tuple[datetime, datetime | None]]:
    return [(incident.started_at, incident.ended_at) for incident in incidents]


# ---- identity --------------------------------------------------------------------------------------------------------


def test_a_fingerprint_is_of_rule_and_series_and_of_nothing_else() -> None:
    first = happening(0, None, labels={"Model": "a", "member": "x"})
    same = happening(
        5,
        9,
        rank=2,
        labels={"member": "x", "Model": "a"},
        rule=RuleName("it", "zscore", "Another title", "https://x"),
        evidence=evidence(value=7),
        closed="over",
    )
    assert first.fingerprint == same.fingerprint


@pytest.mark.parametrize(
    "changes",
    [
        {"rule": RuleName("other", "threshold", "it")},
        {"labels": {"Model": "a"}},
        {"labels": {"Model": "\ud800"}},  # half a character is a name too
        {"part": "levels"},
        {"period_at": at(0)},
    ],
)
def test_another_rule_series_part_or_period_has_another_fingerprint(changes: dict[str, object]) -> None:
    assert happening(0, None, 1, **changes).fingerprint != happening(0, None).fingerprint


def test_an_id_is_the_same_on_every_machine() -> None:
    (incident,) = begun(happening(3, None))
    assert incident.id == "inc_a47bfb7fd649"
    assert (incident.open, incident.sequence, incident.committed_at) == (True, 0, NOW)
    assert begun(happening(3, None, labels={"Model": "größe-✓"}))[0].id == "inc_33af3bdc58ce"


# ---- the same incident, or another -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end"),
    [(3, None), (1, None), (5, None), (3, 8), (7, 8), (6, None)],
)
def test_an_open_incident_keeps_its_id_wherever_its_start_moves(start: float, end: float | None) -> None:
    before = begun(happening(3, None))
    (after,) = reconciled([happening(start, end, rank=2)], before)
    assert (after.id, after.started_at, after.rank) == (before[0].id, at(start), 2)
    assert after.ended_at == (None if end is None else at(end))
    assert after.severity == "warning"


@pytest.mark.parametrize(("start", "end", "same"), [(5, 7, True), (2, 4, True), (6, 8, False), (1, 3, False)])
def test_an_ended_incident_is_what_overlaps_it(start: float, end: float, same: bool) -> None:
    before = begun(happening(3, 6))
    after = reconciled([happening(start, end)], before)
    assert len({incident.id for incident in [*before, *after]}) == (1 if same else 2)
    assert len(after) == (1 if same else 2)


def test_reopened_within_the_gap_it_is_the_same_incident() -> None:
    before = begun(happening(3, 6))
    (after,) = reconciled([happening(3, None)], before)
    assert (after.id, after.open) == (before[0].id, True)


def test_of_two_that_merge_the_oldest_lives_and_the_other_closes() -> None:
    first, second = begun(happening(3, 6), happening(20, None))
    living, merged = reconciled([happening(3, None)], [second, first])
    assert (living.id, living.open, living.closed) == (first.id, True, None)
    assert (merged.id, merged.ended_at, merged.closed) == (second.id, NOW, f"It is part of {first.id} now.")


def test_of_one_that_splits_the_earliest_part_keeps_the_id() -> None:
    (before,) = begun(happening(3, None))
    first, second = reconciled([happening(3, 6), happening(20, None)], [before])
    assert first.id == before.id
    assert second.id != before.id
    assert spans([first, second]) == [(at(3), at(6)), (at(20), None)]


def test_what_begins_where_another_began_before_it_moved_has_an_id_of_its_own() -> None:
    before = begun(happening(5, None))
    moved = reconciled([happening(0, None)], before)
    first, second = reconciled([happening(0, 2), happening(5, None)], moved)
    assert first.id == before[0].id
    assert second.id != first.id


def test_what_was_merged_is_not_taken_up_again_instead_of_the_living() -> None:
    first, second = begun(happening(0, 3), happening(5, 8))
    merged = reconciled([happening(2, 8)], [first, second])
    shrunk = reconciled([happening(6, 8)], merged)
    again = reconciled([happening(6, 8)], shrunk)
    assert {each.id: each.closed is None for each in again} == {first.id: True, second.id: False}
    assert again == shrunk


# ---- what was revised away -------------------------------------------------------------------------------------------


def test_what_nothing_happened_under_any_more_is_taken_back_open_or_not() -> None:
    ended, going_on = begun(happening(3, 6), happening(20, None))
    assert reconciled([], [ended, going_on]) == [
        replace(ended, closed=GONE, retracted=True),
        replace(going_on, ended_at=NOW, closed=GONE, retracted=True),
    ]


@pytest.mark.parametrize("end", [4, None])
def test_what_is_only_judged_otherwise_is_not_taken_back(end: float | None) -> None:
    (incident,) = reconciled([happening(3, end)])
    otherwise = Gone("What is usual is known better by now.", revised=False)
    (after,) = reconcile([], [incident], LONG_AGO, LONG_AGO, False, lambda _: otherwise, NOW)
    assert after == (incident if end else close(incident, NOW, otherwise.why))


def test_the_parts_of_what_was_history_are_history_unless_they_go_on() -> None:
    history = reconciled([happening(3, None, looks_over=True)], new_rule=True)
    parts = reconciled([happening(3, 4), happening(9, 10), happening(20, None)], history)
    assert [part.history for part in parts] == [True, True, False]


def test_what_was_taken_back_stays_so_and_keeps_its_reason() -> None:
    taken_back = reconciled([], begun(happening(3, 6), happening(20, None)))
    assert reconciled([], taken_back, now=at(2000)) == taken_back


@pytest.mark.parametrize(("start", "end"), [(3, None), (3, 6), (4, 5), (2, 900)])
def test_what_comes_back_after_all_is_the_same_incident(start: float, end: float | None) -> None:
    (before,) = begun(happening(3, None))
    (after,) = reconciled([happening(start, end)], reconciled([], [before]))
    assert (after.id, after.closed, after.retracted) == (before.id, None, False)
    assert spans([after]) == [(at(start), None if end is None else at(end))]


def test_what_was_taken_back_while_the_clock_stood_before_its_start_comes_back_too() -> None:
    (before,) = begun(happening(3, None))
    (taken_back,) = reconciled([], [before], now=at(1))
    assert spans([taken_back]) == [(at(3), at(3))]
    (after,) = reconciled([happening(3, None)], [taken_back])
    assert (after.id, after.open) == (before.id, True)


def test_what_lies_before_the_judged_is_not_taken_back() -> None:
    before = begun(happening(3, 9), happening(10, 12))
    stays, goes = reconciled([], before, judged_from=at(10))
    assert (stays, goes.retracted) == (before[0], True)


def test_what_was_closed_is_not_taken_back_as_well() -> None:
    (incident,) = begun(happening(3, None))
    closed = close(incident, NOW, "Its rule was removed or disabled.")
    assert reconciled([], [closed]) == [closed]


# ---- rules that change -----------------------------------------------------------------------------------------------


def test_under_a_new_rule_what_is_open_closes_and_what_had_ended_stays() -> None:
    ended, going_on = begun(happening(3, 6), happening(20, None))
    assert reconciled([], [ended, going_on], new_rule=True) == [
        ended,
        replace(going_on, ended_at=NOW, closed=CHANGED),
    ]


def test_under_a_new_rule_what_still_stands_goes_on() -> None:
    (before,) = begun(happening(3, None))
    (after,) = reconciled([happening(3, None, looks_over=True)], [before], new_rule=True, speaks_from=at(50))
    assert (after.id, after.open, after.history) == (before.id, True, False)


def test_a_rule_that_returns_takes_up_what_still_goes_on() -> None:
    (before,) = begun(happening(3, None))
    removed = close(before, at(10), "Its rule was removed or disabled.")
    (after,) = reconciled([happening(3, None)], [removed], speaks_from=at(50))
    assert (after.id, after.open, after.closed, after.history) == (before.id, True, None, False)


def test_a_rule_that_returns_tells_nothing_of_what_came_and_went_meanwhile() -> None:
    (before,) = begun(happening(3, None))
    removed = close(before, at(10), "Its rule was removed or disabled.")
    after = reconciled([happening(3, 12), happening(20, 22), happening(60, None)], [removed], speaks_from=at(50))
    assert [(each.ended_at, each.history, each.closed) for each in after] == [
        (at(12), False, None),
        (at(22), True, None),
        (None, False, None),
    ]


@pytest.mark.parametrize(
    ("end", "looks_over", "history"), [(None, False, False), (None, True, True), (12, False, True)]
)
def test_what_a_rule_that_returns_finds_over_is_no_news(end: float | None, looks_over: bool, history: bool) -> None:
    removed = close(begun(happening(3, None))[0], at(10), "Its rule was removed or disabled.")
    (after,) = reconciled([happening(3, end, looks_over=looks_over)], [removed], new_rule=True, speaks_from=at(5))
    assert (after.id, after.history) == (removed.id, history)


# ---- history ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("new_rule", "end", "looks_over", "history"),
    [
        (False, 9, False, True),
        (False, 10, False, True),
        (False, 11, False, False),
        (False, None, False, False),
        (False, None, True, False),
        # A new rule meets yesterday before it is settled, and its nights are settled before its days.
        (True, 9, False, True),
        (True, 11, False, True),
        (True, None, True, True),
        (True, None, False, False),
    ],
)
def test_what_is_over_before_its_rule_was_first_seen_is_history(
    new_rule: bool, end: float | None, looks_over: bool, history: bool
) -> None:
    (incident,) = reconciled([happening(3, end, looks_over=looks_over)], speaks_from=at(10), new_rule=new_rule)
    assert (incident.history, incident.looks_over) == (history, looks_over)


@pytest.mark.parametrize(
    ("end", "looks_over", "history"),
    [
        (None, True, True),
        (None, False, False),  # it breached again
        (15, False, True),
        (16, False, True),
        (17, False, False),  # it breached again after it was first seen, and that is over too
    ],
)
def test_yesterdays_spike_is_history_until_it_breaches_again(
    end: float | None, looks_over: bool, history: bool
) -> None:
    before = reconciled([happening(3, None, looks_over=True)], speaks_from=at(2), new_rule=True, now=at(16))
    (after,) = reconciled([happening(3, end, looks_over=looks_over)], before, speaks_from=at(2), now=at(40))
    assert (before[0].history, after.history) == (True, history)


def test_history_that_goes_on_after_all_is_history_no_longer() -> None:
    before = reconciled([happening(3, 9)], speaks_from=at(10))
    (revised,) = reconciled([happening(3, 12)], before, speaks_from=at(10))
    assert revised.history
    (reopened,) = reconciled([happening(3, None)], before, speaks_from=at(10))
    assert not reopened.history
    (ended,) = reconciled([happening(3, 20)], [reopened], speaks_from=at(10))
    assert not ended.history


# ---- where judging began ---------------------------------------------------------------------------------------------


def test_an_ended_incident_that_reaches_before_the_judged_stays_as_stored() -> None:
    before = begun(happening(3, 20, rank=3))
    assert reconciled([happening(10, 18, rank=1)], before, judged_from=at(10)) == before


def test_an_incident_that_reaches_before_the_judged_keeps_its_start_when_it_goes_on() -> None:
    before = begun(happening(3, 20))
    (after,) = reconciled([happening(10, None, rank=2)], before, judged_from=at(10))
    assert (after.id, after.started_at, after.open, after.rank) == (before[0].id, at(3), True, 2)


def test_an_incident_that_begins_where_judging_began_may_move() -> None:
    before = begun(happening(10, None))
    (after,) = reconciled([happening(12, None)], before, judged_from=at(10))
    assert (after.id, after.started_at) == (before[0].id, at(12))


# ---- closing ---------------------------------------------------------------------------------------------------------


def test_closing_keeps_an_end_and_a_reason_that_were_there_before() -> None:
    ended = begun(happening(3, 6, closed="The period is over."))[0]
    assert close(ended, NOW, GONE) == ended


def test_closing_never_ends_before_the_start_even_when_the_clock_was_set_back() -> None:
    (incident,) = begun(happening(3, None))
    assert close(incident, at(1), GONE).ended_at == at(3)


# ---- what ends because nothing is found any more ---------------------------------------------------------------------


def test_what_is_not_found_any_more_has_ended_now() -> None:
    (stored,) = begun(happening(3, None, quiet=True))
    (end,) = ended_here([], [stored], NOW)
    assert (end.started_at, end.ended_at, end.closed, end.quiet) == (at(3), NOW, None, True)
    assert end.fingerprint == stored.fingerprint
    (ended,) = reconciled([end], [stored], judged_from=NOW)
    assert (ended.id, ended.ended_at, ended.closed, ended.retracted) == (stored.id, NOW, None, False)


def test_what_is_found_or_had_ended_needs_no_end() -> None:
    stored = begun(happening(3, 6), happening(8, None))
    found = [happening(7, None)]
    assert ended_here(found, stored, NOW) == found


def test_ends_and_what_is_found_are_in_time_order() -> None:
    (stored,) = begun(happening(8, None))
    assert [each.started_at for each in ended_here([happening(2, 3)], [stored], NOW)] == [at(2), at(8)]


def test_an_end_is_not_before_its_start_where_the_clock_was_set_back() -> None:
    (stored,) = begun(happening(8, None))
    (end,) = ended_here([], [stored], at(5))
    (ended,) = reconciled([end], [stored], judged_from=at(5000), now=at(5))
    assert (ended.id, ended.ended_at, ended.retracted) == (stored.id, at(8), False)


# ---- what of it is shown ---------------------------------------------------------------------------------------------


def test_a_face_changes_with_what_is_worth_correcting_and_not_with_each_digit() -> None:
    (incident,) = begun(happening(3, None))
    same = [
        replace(incident, evidence=evidence(value=122)),
        replace(incident, started_at=at(2)),
        replace(incident, sequence=9),
        replace(incident, rank=3),
    ]
    assert {each.face for each in same} == {incident.face} == {"info 1.2e+02"}
    others = [
        incident,
        replace(incident, evidence=evidence(value=130)),
        replace(incident, severity=Severity.CRITICAL),
        replace(incident, looks_over=True),
        replace(incident, ended_at=at(9)),
        replace(incident, ended_at=at(10)),
        close(incident, NOW, CHANGED),
        replace(close(incident, NOW, GONE), retracted=True),
    ]
    assert len({each.face for each in others}) == len(others)


# ---- always ----------------------------------------------------------------------------------------------------------


@st.composite
def random_happenings(draw: st.DrawFn) -> list[Happening]:
    edges = sorted(draw(st.sets(st.integers(0, 40), max_size=8)))
    pairs = list(zip(edges[::2], edges[1::2], strict=False))
    goes_on = draw(st.booleans())
    return [
        happening(start, None if goes_on and index == len(pairs) - 1 else end, rank=draw(st.integers(1, 3)))
        for index, (start, end) in enumerate(pairs)
    ]


@given(st.lists(random_happenings(), min_size=1, max_size=6), st.integers(-5, 45), st.integers(-5, 45))
@settings(max_examples=250, deadline=None)
def test_reconciling_is_lossless_idempotent_and_true(
    cycles: list[list[Happening]], judged_from: int, speaks_from: int
) -> None:
    stored: list[Incident] = []
    speaks = at(speaks_from)
    for number, found in enumerate(cycles):
        now = at(100 + number)
        edge = min([at(judged_from), *(each.started_at for each in stored if each.open)])
        after = reconcile(found, stored, edge, speaks, False, gone, now)
        ids = [incident.id for incident in after]
        assert len(set(ids)) == len(ids)
        assert {incident.id for incident in stored} <= set(ids)
        living = [incident for incident in after if incident.closed is None]
        for each in found:
            inside = [one for one in living if one.ended_at == each.ended_at and one.started_at <= each.started_at]
            stands = [one for one in after if one.started_at < at(judged_from) and not one.open]
            assert inside or stands
        assert sum(incident.open for incident in after) == sum(each.ended_at is None for each in found)
        again = reconcile(found, after, edge, speaks, False, gone, at(200))
        assert {each.id: each for each in again} == {each.id: each for each in after}
        stored = after


@given(st.lists(random_happenings(), min_size=1, max_size=5))
@settings(max_examples=100, deadline=None)
def test_once_numbers_are_final_the_living_incidents_are_what_happened(cycles: list[list[Happening]]) -> None:
    stored: list[Incident] = []
    for found in cycles:
        stored = reconciled(found, stored)
    spans_found = {(each.started_at, each.ended_at) for each in cycles[-1]}
    assert spans_found == {(each.started_at, each.ended_at) for each in stored if each.closed is None}
