from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.builders import at, evidence
from usage_watch.core.incident import Happening, Incident, close, reconcile
from usage_watch.core.message import RuleName, Severity

GONE = "It did not happen."
LONG_AGO = at(-1000)
NOW = at(1000)


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
    now: datetime = NOW,
) -> list[Incident]:
    """In order of their start."""
    made = reconcile(found, stored or [], judged_from, speaks_from, GONE, now)
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


def test_what_was_revised_away_closes_and_what_had_ended_stays_as_it_was() -> None:
    ended, going_on = begun(happening(3, 6), happening(20, None))
    assert reconciled([], [ended, going_on]) == [ended, replace(going_on, ended_at=NOW, closed=GONE)]


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


# ---- history ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("end", "history"), [(9, True), (10, True), (11, False), (None, False)])
def test_what_ended_before_its_rule_spoke_is_history(end: float | None, history: bool) -> None:
    (incident,) = reconciled([happening(3, end)], speaks_from=at(10))
    assert incident.history is history


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
    edge, speaks = at(judged_from), at(speaks_from)
    for number, found in enumerate(cycles):
        now = at(100 + number)
        after = reconcile(found, stored, edge, speaks, GONE, now)
        ids = [incident.id for incident in after]
        assert len(set(ids)) == len(ids)
        assert {incident.id for incident in stored} <= set(ids)
        living = [incident for incident in after if incident.closed is None]
        for each in found:
            inside = [one for one in living if one.ended_at == each.ended_at and one.started_at <= each.started_at]
            stands = [one for one in after if one.started_at < edge and not one.open]
            assert inside or stands
        assert sum(incident.open for incident in after) == sum(each.ended_at is None for each in found)
        again = reconcile(found, after, edge, speaks, GONE, at(200))
        assert {each.id: each for each in again} == {each.id: each for each in after}
        stored = after


@given(st.lists(random_happenings(), min_size=1, max_size=5))
@settings(max_examples=100, deadline=None)
def test_once_numbers_are_final_the_living_incidents_are_what_happened(cycles: list[list[Happening]]) -> None:
    stored: list[Incident] = []
    for found in cycles:
        stored = reconciled(found, stored)
    spans_found = {(each.started_at, each.ended_at) for each in cycles[-1]}
    assert spans_found <= {(each.started_at, each.ended_at) for each in stored if each.closed is None}
