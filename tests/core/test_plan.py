from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

import pytest

from tests.core.builders import at
from tests.core.promises import (
    CLOSED,
    CRITICAL,
    ENDED,
    ESCALATED,
    FIRED,
    INFO,
    LATE,
    NOW,
    OPEN,
    RESOLVED,
    RETRACTED,
    ROUTES,
    TAKEN_BACK,
    UPDATED,
    WARNING,
    incident,
    plan_of,
    promised,
    said,
)
from usage_watch.core.entry import META
from usage_watch.core.incident import Incident
from usage_watch.core.message import Reason, RuleName, Severity
from usage_watch.core.plan import CHANNEL, Routes, Terms, plan
from usage_watch.core.promise import Notification, Target, Told


def planned_for(
    incidents: Iterable[Incident],
    told: Iterable[Told],
    *,
    routes: Routes = ROUTES,
    before: Iterable[Incident] = (),
    now: datetime = NOW,
) -> list[Notification]:
    return list(plan_of(list(incidents), told, before=list(before), routes=routes, now=now).notifications)


def news(
    incident: Incident, *told: Told, before: Incident | None = None, now: datetime = NOW
) -> list[tuple[str, str, int]]:
    """Target, reason and ordinal of what is planned; by default the last cycle left the incident as it is now."""
    return said(plan_of(incident, told, before=[before or incident], now=now))


# ---- one incident, by examples ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rank", "told", "planned"),
    [
        (WARNING, [], [("ops", "fired", 1)]),
        (CRITICAL, [], [("ops", "fired", 1), ("pager", "fired", 1)]),
        (WARNING, [(FIRED, WARNING)], []),
        (INFO, [(FIRED, WARNING)], [("log", "fired", 1)]),  # revised to a level that others are told of
        # The higher level's list: who was told hears that it rose, who was not hears of it at all.
        (CRITICAL, [(FIRED, WARNING)], [("ops", "escalated", 1), ("pager", "fired", 1)]),
        (WARNING, [(FIRED, CRITICAL)], []),  # falling is silent
        (WARNING, [(FIRED, INFO), (ESCALATED, CRITICAL)], []),
        # Told of its end since: reopened.
        (WARNING, [(FIRED, WARNING), (RESOLVED, WARNING)], [("ops", "fired", 2)]),
        (WARNING, [(FIRED, WARNING), (CLOSED, WARNING)], [("ops", "fired", 2)]),
        # It came back after all, or it goes on after all.
        (WARNING, [(FIRED, WARNING), (RETRACTED, WARNING)], [("ops", "fired", 2)]),
        (WARNING, [(LATE, WARNING)], [("ops", "fired", 1)]),
        # A correction is neither an opening nor an end.
        (WARNING, [(FIRED, WARNING), (UPDATED, WARNING)], []),
        (WARNING, [(FIRED, WARNING), (UPDATED, CRITICAL)], []),
        (WARNING, [(FIRED, WARNING), (RESOLVED, WARNING), (UPDATED, WARNING)], [("ops", "fired", 2)]),
        # Escalation counts from the last opening.
        (WARNING, [(FIRED, CRITICAL), (RESOLVED, CRITICAL), (FIRED, INFO)], [("ops", "escalated", 1)]),
        (
            CRITICAL,
            [(FIRED, INFO), (ESCALATED, WARNING), (RESOLVED, WARNING), (FIRED, WARNING)],
            [("ops", "escalated", 2), ("pager", "fired", 1)],
        ),
    ],
)
def test_what_an_open_incident_has_still_to_say(
    rank: int, told: list[tuple[Reason, int]], planned: list[tuple[str, str, int]]
) -> None:
    assert news(incident(rank), *(promised(reason, level) for reason, level in told)) == planned


@pytest.mark.parametrize(
    ("told", "planned"),
    [
        ([], []),
        ([(FIRED, WARNING)], [("ops", "resolved", 1)]),
        ([(FIRED, WARNING), (ESCALATED, CRITICAL)], [("ops", "resolved", 1)]),
        ([(FIRED, WARNING), (RESOLVED, WARNING)], []),
        ([(FIRED, WARNING), (CLOSED, WARNING)], []),
        ([(FIRED, WARNING), (RESOLVED, WARNING), (FIRED, WARNING)], [("ops", "resolved", 2)]),
        ([(FIRED, WARNING), (UPDATED, WARNING)], [("ops", "resolved", 1)]),
        ([(FIRED, WARNING), (RESOLVED, WARNING), (UPDATED, WARNING)], []),
        ([(LATE, WARNING)], []),
        ([(FIRED, WARNING), (RETRACTED, WARNING)], []),
    ],
)
def test_the_end_is_told_once_to_those_who_were_told(
    told: list[tuple[Reason, int]], planned: list[tuple[str, str, int]]
) -> None:
    assert news(incident(ended=True), *(promised(reason, level) for reason, level in told)) == planned


def test_what_closed_for_another_reason_says_so() -> None:
    assert news(incident(closed="Its rule was changed."), promised(FIRED, WARNING)) == [("ops", "closed", 1)]


def test_the_end_goes_to_who_was_told_whatever_the_routes_say_now() -> None:
    told = [promised(FIRED, CRITICAL, target="gone"), promised(FIRED, CRITICAL, target="pager")]
    ended = incident(CRITICAL, ended=True)
    assert [each.target for each in planned_for([ended], told, routes={}, before=[ended])] == ["gone", "pager"]


def test_a_changed_route_tells_who_was_not_told() -> None:
    assert news(incident(), promised(FIRED, WARNING, target="former")) == [("ops", "fired", 1)]


def test_a_target_that_is_listed_twice_is_told_once() -> None:
    planned = planned_for([incident()], [], routes={"it": {Severity.WARNING: ["ops", "ops"]}})
    assert [each.target for each in planned] == ["ops"]


@pytest.mark.parametrize("rank", [INFO, WARNING])
def test_a_rule_or_severity_without_a_list_is_told_to_nobody(rank: int) -> None:
    for each in (incident(rank), incident(rank, ended=True)):
        assert planned_for([each], [], routes={"it": {Severity.CRITICAL: ["ops"]}}) == []
        assert planned_for([each], [], routes={}) == []


def test_history_is_never_told() -> None:
    for history in (incident(history=True), incident(CRITICAL, ended=True, history=True)):
        assert planned_for([history], []) == []


# ---- what had ended before it could be told --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rank", "hours", "planned"),
    [
        (WARNING, 1, [("ops", "fired_and_ended", 1)]),
        (WARNING, 23.9, [("ops", "fired_and_ended", 1)]),
        (WARNING, 24, []),
        (INFO, 1, [("log", "fired_and_ended", 1)]),
        (CRITICAL, 24 * 80, [("ops", "fired_and_ended", 1), ("pager", "fired_and_ended", 1)]),
    ],
)
def test_what_ended_before_it_could_be_told_is_told_while_it_matters(
    rank: int, hours: float, planned: list[tuple[str, str, int]]
) -> None:
    found = incident(rank, ended=True)
    new = planned_for([found], [], now=at(5 + hours))
    assert [(each.target, each.reason.value, each.ordinal) for each in new] == planned
    assert news(found, before=incident(rank), now=at(5 + hours)) == planned, "an open one that was held back, too"


@pytest.mark.parametrize(
    ("now", "before"),
    [
        (ENDED, ENDED),  # the end was found in an earlier cycle
        (ENDED, replace(ENDED, ended_at=at(7))),  # and is earlier now
        (incident(closed="Its rule was changed."), incident()),
        (incident(closed="Revised.", retracted=True), incident()),
        (replace(ENDED, history=True), incident(history=True)),
        (incident(ended=True), incident(closed="It is part of inc_2 now.")),  # it split off again
    ],
)
def test_it_is_told_in_the_cycle_that_found_its_end_or_never(now: Incident, before: Incident) -> None:
    assert news(now, before=before) == []


def test_each_target_is_told_what_it_missed() -> None:
    """It rose to critical and ended between two cycles: ops knew of it, and pager did not."""
    told = [promised(FIRED, WARNING)]
    planned = news(incident(CRITICAL, ended=True), *told, before=incident(WARNING))
    assert planned == [("ops", "resolved", 1), ("pager", "fired_and_ended", 1)]


@pytest.mark.parametrize(
    ("rank", "told", "planned"),
    [
        # It was reopened and has ended again between two cycles: news only where it rose.
        (WARNING, [(FIRED, WARNING), (RESOLVED, WARNING)], []),
        (WARNING, [(LATE, WARNING), (UPDATED, WARNING)], []),
        (CRITICAL, [(FIRED, WARNING), (RESOLVED, WARNING)], [("ops", "fired_and_ended", 1)]),
        (CRITICAL, [(LATE, WARNING)], [("ops", "fired_and_ended", 2)]),
        (CRITICAL, [(FIRED, WARNING), (ESCALATED, CRITICAL), (RESOLVED, CRITICAL)], []),
        (CRITICAL, [(FIRED, WARNING), (RESOLVED, WARNING), (UPDATED, CRITICAL)], [("ops", "fired_and_ended", 1)]),
    ],
)
def test_a_later_end_is_told_where_it_rose_meanwhile(
    rank: int, told: list[tuple[Reason, int]], planned: list[tuple[str, str, int]]
) -> None:
    before, now = incident(ended=True, ended_at=at(3)), incident(rank, ended=True)
    records = [promised(reason, level) for reason, level in told]
    assert [each for each in news(now, *records, before=before) if each[0] == "ops"] == planned


def test_what_was_taken_back_and_comes_back_ended_is_told_again() -> None:
    taken_back = incident(closed="Revised.", retracted=True)
    told = [promised(FIRED, WARNING), promised(RETRACTED, WARNING)]
    assert news(ENDED, *told, before=taken_back) == [("ops", "fired_and_ended", 1)]
    assert news(ENDED, *told, before=taken_back, now=at(200)) == []


def test_what_could_not_be_told_is_tried_once_more_at_its_end() -> None:
    dead = promised(FIRED, WARNING, counts=False)
    assert news(ENDED, dead, before=incident()) == [("ops", "fired_and_ended", 1)]
    assert news(ENDED, dead, promised(LATE, WARNING, counts=False)) == []


# ---- what was revised away -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "planned"),
    [
        ([], []),
        ([(FIRED, True)], [("ops", "retracted", 1)]),
        ([(FIRED, False)], []),
        ([(FIRED, True), (RESOLVED, True)], [("ops", "retracted", 1)]),  # ended, and then it had not happened at all
        ([(LATE, True)], [("ops", "retracted", 1)]),
        ([(FIRED, True), (RETRACTED, True)], []),  # never twice
        ([(FIRED, True), (RETRACTED, False)], []),  # nor for ever
        ([(FIRED, True), (RETRACTED, True), (UPDATED, True)], []),
        ([(FIRED, True), (RETRACTED, True), (FIRED, True)], [("ops", "retracted", 2)]),
        ([(FIRED, True), (RETRACTED, True), (FIRED, False)], []),
    ],
)
def test_what_was_revised_away_is_taken_back_from_those_who_were_told(
    told: list[tuple[Reason, bool]], planned: list[tuple[str, str, int]]
) -> None:
    assert news(TAKEN_BACK, *(promised(reason, WARNING, counts=counts) for reason, counts in told)) == planned


@pytest.mark.parametrize(("days", "planned"), [(6.9, [("ops", "retracted", 1)]), (7, []), (80, [])])
def test_what_ended_a_week_ago_is_not_taken_back_any_more(days: float, planned: list[tuple[str, str, int]]) -> None:
    told = [promised(FIRED, WARNING), promised(RESOLVED, WARNING)]
    assert news(TAKEN_BACK, *told, now=at(5 + 24 * days)) == planned


# ---- what is corrected in place --------------------------------------------------------------------------------------

OLD = "warning 90"


def on_board(incident: Incident, *told: Told, now: datetime = NOW) -> list[tuple[str, int, str]]:
    """Reason, ordinal and face of what the board is told that had been told this."""
    found = planned_for([incident], told, routes={}, before=[incident], now=now)
    return [(each.reason.value, each.ordinal, each.face) for each in found if each.target == "board"]


def shown(reason: Reason, face: str, *, counts: bool = True) -> Told:
    return promised(reason, WARNING, target="board", face=face, counts=counts)


@pytest.mark.parametrize(
    ("incident", "told", "planned"),
    [
        (OPEN, [(FIRED, OPEN.face)], []),
        (OPEN, [(FIRED, OLD)], [("updated", 1, OPEN.face)]),
        (OPEN, [(FIRED, OLD), (UPDATED, OPEN.face)], []),  # never after itself
        (OPEN, [(FIRED, OPEN.face), (UPDATED, OLD)], [("updated", 2, OPEN.face)]),
        (ENDED, [(FIRED, OLD)], [("resolved", 1, ENDED.face)]),  # the end corrects it too
        (ENDED, [(FIRED, OLD), (RESOLVED, ENDED.face)], []),
        (ENDED, [(FIRED, OLD), (RESOLVED, OLD)], [("updated", 1, ENDED.face)]),
        (ENDED, [(LATE, OLD)], [("updated", 1, ENDED.face)]),
        (TAKEN_BACK, [(FIRED, OLD), (RETRACTED, TAKEN_BACK.face)], []),
        (OPEN, [], []),
    ],
)
def test_what_stands_where_it_was_told_is_kept_true(
    incident: Incident, told: list[tuple[Reason, str]], planned: list[tuple[str, int, str]]
) -> None:
    assert on_board(incident, *(shown(reason, face) for reason, face in told)) == planned


@pytest.mark.parametrize(
    ("rank", "hours", "looks_over", "told"),
    [(WARNING, 24, True, False), (WARNING, 23, True, True), (WARNING, 99, False, True), (CRITICAL, 99, True, True)],
)
def test_what_looks_over_for_a_day_when_it_is_first_seen_is_told_only_if_critical(
    rank: int, hours: float, looks_over: bool, told: bool
) -> None:
    late = incident(rank, looks_over=looks_over)
    assert bool(planned_for([late], [], now=at(1 + hours))) is told
    heard = planned_for([late], [promised(Reason.FIRED, INFO)], now=at(1 + hours))
    assert "ops" in [key.target for key in heard], "who heard of it hears that it rose"


def test_what_was_not_told_is_not_corrected() -> None:
    assert on_board(OPEN, shown(FIRED, OLD, counts=False)) == []
    assert on_board(OPEN, shown(FIRED, OLD), shown(UPDATED, OPEN.face, counts=False)) == [], "nor tried for ever"


@pytest.mark.parametrize("target", ["ops", "pager", "gone"])
def test_a_target_that_cannot_edit_is_not_corrected(target: str) -> None:
    assert planned_for([OPEN], [promised(FIRED, WARNING, target=target, face=OLD)], routes={}) == []


@pytest.mark.parametrize(("days", "corrected"), [(6.9, True), (7, False)])
def test_a_week_after_its_end_nothing_is_corrected_any_more(days: float, corrected: bool) -> None:
    told = [shown(FIRED, OLD), shown(RESOLVED, OLD)]
    assert bool(on_board(ENDED, *told, now=at(5 + 24 * days))) is corrected


def test_news_are_told_and_not_corrected_as_well() -> None:
    told = shown(FIRED, OLD)
    routes = {"it": {Severity.CRITICAL: ["board"]}}
    (planned,) = planned_for([incident(CRITICAL)], [told], routes=routes)
    assert (planned.reason, planned.face) == (ESCALATED, incident(CRITICAL).face)


# ---- quiet ends ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "planned"),
    [("ops", []), ("board", ["updated"]), ("pager", ["resolved"]), ("gone", ["resolved"])],
)
def test_a_quiet_end_is_told_to_machines_and_only_seen_by_people(target: str, planned: list[str]) -> None:
    quiet = replace(ENDED, quiet=True)
    told = promised(FIRED, WARNING, target=target, face=OPEN.face)
    assert [each.reason.value for each in planned_for([quiet], [told], before=[OPEN], routes={})] == planned


@pytest.mark.parametrize(("closed", "reason"), [({}, "closed"), ({"retracted": True}, "retracted")])
def test_only_an_end_by_itself_is_quiet(closed: dict[str, bool], reason: str) -> None:
    assert news(incident(closed="So.", quiet=True, **closed), promised(FIRED, WARNING)) == [("ops", reason, 1)]


# ---- what was given up -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rank", "told", "planned"),
    [
        (WARNING, [(FIRED, WARNING, False)], []),
        (CRITICAL, [(FIRED, WARNING, False)], [("ops", "fired", 2), ("pager", "fired", 1)]),
        (WARNING, [(FIRED, INFO, True), (ESCALATED, WARNING, False)], []),
        (
            CRITICAL,
            [(FIRED, INFO, True), (ESCALATED, WARNING, False)],
            [("ops", "escalated", 2), ("pager", "fired", 1)],
        ),
        # It never heard that it ended: to it, nothing new.
        (WARNING, [(FIRED, WARNING, True), (RESOLVED, WARNING, False)], []),
        (WARNING, [(FIRED, INFO, True), (RESOLVED, CRITICAL, False)], [("ops", "escalated", 1)]),
        (WARNING, [(FIRED, WARNING, True), (RESOLVED, WARNING, True), (FIRED, WARNING, False)], []),
    ],
)
def test_what_was_given_up_is_tried_again_only_at_a_higher_level(
    rank: int, told: list[tuple[Reason, int, bool]], planned: list[tuple[str, str, int]]
) -> None:
    records = [promised(reason, level, counts=counts) for reason, level, counts in told]
    assert news(incident(rank), *records) == planned


@pytest.mark.parametrize(
    ("told", "planned"),
    [
        ([(FIRED, False)], []),
        ([(FIRED, True), (RESOLVED, False)], []),  # an end that was given up is not told for ever
        ([(FIRED, True), (ESCALATED, False)], [("ops", "resolved", 1)]),
        ([(FIRED, True), (RESOLVED, False), (ESCALATED, True)], [("ops", "resolved", 2)]),
        ([(FIRED, True), (RESOLVED, False), (ESCALATED, False)], []),
        ([(FIRED, True), (RESOLVED, True), (FIRED, False)], []),
    ],
)
def test_the_end_is_told_once_to_who_heard_something_since_the_last_end(
    told: list[tuple[Reason, bool]], planned: list[tuple[str, str, int]]
) -> None:
    records = [promised(reason, WARNING, counts=counts) for reason, counts in told]
    assert news(incident(ended=True), *records) == planned


def test_a_clock_that_was_set_back_does_not_reorder_what_was_told() -> None:
    told = [promised(FIRED, WARNING), replace(promised(RESOLVED, WARNING), decided_at=at(-24))]
    assert news(incident(ended=True), *told) == []


# ---- what is said of a channel ---------------------------------------------------------------------------------------


def fails(channel: str, kind: str = META) -> Incident:
    return incident(rule=RuleName("delivery_blocked", kind, "Delivery blocked"), labels={CHANNEL: channel})


@pytest.mark.parametrize(
    ("listed", "about", "told"),
    [
        (["ops", "pager"], "log", ["ops", "pager"]),
        (["ops", "pager"], "ops", ["pager"]),
        (["ops"], "ops", ["log", "pager", "board", "cluster"]),  # all others there are, though they hear nothing else
        ([], "ops", []),
        (["ops"], "gone", ["ops"]),
    ],
)
def test_that_a_channel_fails_is_told_round_that_channel(listed: list[str], about: str, told: list[str]) -> None:
    routes = {"delivery_blocked": {Severity.WARNING: listed}}
    assert [key.target for key in planned_for([fails(about)], [], routes=routes)] == told


def test_a_label_of_that_name_means_nothing_where_a_rule_of_the_file_speaks() -> None:
    routes = {"delivery_blocked": {Severity.WARNING: ["ops"]}}
    assert [key.target for key in planned_for([fails("ops", "threshold")], [], routes=routes)] == ["ops"]


def test_without_any_other_channel_that_one_fails_is_told_to_nobody() -> None:
    routes = {"delivery_blocked": {Severity.WARNING: ["ops"]}}
    alone = Terms(routes, {"ops": Target(people=True)})
    assert plan([fails("ops")], {}, [], alone, NOW).notifications == ()
