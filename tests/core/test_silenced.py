from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.core.builders import at
from tests.core.promises import (
    CRITICAL,
    ENDED,
    ESCALATED,
    FIRED,
    GONE,
    INFO,
    LATE,
    NOW,
    OPEN,
    REMINDER,
    RESOLVED,
    TAKEN_BACK,
    WARNING,
    News,
    acked,
    held,
    incident,
    plan_of,
    promised,
    said,
    silence,
    silenced,
)
from usage_watch.core.incident import Incident
from usage_watch.core.message import Severity
from usage_watch.core.promise import Decision, Told
from usage_watch.core.silence import Silence

DAY = timedelta(days=1)
LONG_AGO = promised(FIRED, decided_at=NOW - DAY)


# ---- what it holds back ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("which", "before", "told", "back"),
    [
        (OPEN, OPEN, [], "fired"),
        (OPEN, OPEN, [promised(FIRED), promised(RESOLVED)], "fired"),
        (OPEN, OPEN, [promised(FIRED, INFO)], "escalated"),
        (OPEN, OPEN, [LONG_AGO], "reminder"),
        (ENDED, OPEN, [], "fired_and_ended"),
    ],
)
def test_what_begins_rises_or_goes_on_is_held_back(
    which: Incident, before: Incident, told: list[Told], back: str
) -> None:
    silent = silenced(silence(2, 10))
    planned = plan_of(which, told, before=[before], remind=DAY, orders=silent)
    assert (said(planned), held(planned)) == ([], [("ops", back, "sil_1")])
    assert said(plan_of(which, told, before=[before], remind=DAY)) != []


@pytest.mark.parametrize(
    ("which", "told", "reason"),
    [
        (ENDED, [promised(FIRED)], "resolved"),
        (GONE, [promised(FIRED)], "closed"),
        (TAKEN_BACK, [promised(FIRED)], "retracted"),
        (TAKEN_BACK, [promised(FIRED), promised(RESOLVED)], "retracted"),
    ],
)
def test_an_end_of_what_was_told_is_never_held_back(which: Incident, told: list[Told], reason: str) -> None:
    planned = plan_of(which, told, orders=silenced(silence(2, 10)))
    assert (said(planned), held(planned)) == ([("ops", reason, 1)], [])


@pytest.mark.parametrize(
    ("rank", "remind", "back"), [(WARNING, None, []), (CRITICAL, None, ["escalated"]), (WARNING, DAY, ["reminder"])]
)
def test_what_stands_where_it_was_told_is_kept_true_under_a_silence(
    rank: int, remind: timedelta | None, back: list[str]
) -> None:
    """Nobody is pinged by it; also where something else is held back."""
    shown = promised(FIRED, target="board", face="old", decided_at=NOW - DAY)
    routes = {"it": dict.fromkeys(Severity, ("board",))}
    planned = plan_of(incident(rank), [shown], routes=routes, remind=remind, orders=silenced(silence(2, 10)))
    assert said(planned) == [("board", "updated", 1)]
    assert [reason for _, reason, _ in held(planned)] == back


def test_what_is_held_back_says_who_silenced_it_and_why() -> None:
    planned = plan_of(OPEN, orders=silenced(silence(2, 10)))
    why = "Silenced by ana (a load test): sil_1."
    assert planned.held == (Decision("inc_1", "ops", FIRED, told=False, why=why),)


@pytest.mark.parametrize(
    ("silences", "back"),
    [
        ([silence(6, 7)], True),  # from now on
        ([silence(2, 6)], False),  # until now
        ([silence(7, 10)], False),
        ([silence(2, 10, expired_hour=6)], False),
        ([silence(2, 10, expired_hour=7)], True),
        ([silence(2, 10, expired_hour=11)], True),
        ([silence(2, 10, only="rule=else")], False),
        ([silence(2, 10, only="severity=warning")], True),
        ([silence(2, 10, only="rule=else"), silence(2, 10, id="sil_2")], True),
    ],
)
def test_a_silence_holds_back_what_it_is_about_while_it_is_in_force(silences: Sequence[Silence], back: bool) -> None:
    planned = plan_of(OPEN, orders=silenced(*silences))
    assert (len(planned.held), len(planned.notifications)) == ((1, 0) if back else (0, 1))


def test_a_higher_level_than_the_one_that_was_silenced_is_told() -> None:
    warnings = silenced(silence(2, 10, only="severity=warning"))
    told = [promised(FIRED, WARNING)]
    assert said(plan_of(incident(CRITICAL), told, orders=warnings)) == [("ops", "escalated", 1), ("pager", "fired", 1)]
    assert said(plan_of(incident(CRITICAL), [], orders=warnings)) == [("ops", "fired", 1), ("pager", "fired", 1)]


def test_each_target_is_held_back_by_itself() -> None:
    told = [promised(FIRED, CRITICAL, target="pager")]
    planned = plan_of(incident(CRITICAL, ended=True), told, before=[incident(CRITICAL)], orders=silenced(silence(2, 9)))
    assert said(planned) == [("pager", "resolved", 1)]
    assert held(planned) == [("ops", "fired_and_ended", "sil_1")]


def test_other_incidents_are_told() -> None:
    other = replace(OPEN, id="inc_2", labels={"Model": "opus"})
    planned = plan_of([OPEN, other], orders=silenced(silence(2, 10, only="Model=opus")))
    assert [key.incident_id for key in planned.notifications] == ["inc_1"]
    assert [each.incident_id for each in planned.held] == ["inc_2"]


def test_what_nobody_is_to_hear_is_not_held_back() -> None:
    for which in (incident(history=True), incident(INFO, looks_over=True)):
        planned = plan_of(which, orders=silenced(silence(2, 500)), now=at(100))
        assert (said(planned), held(planned)) == ([], [])
    assert held(plan_of(OPEN, routes={}, orders=silenced(silence(2, 10)))) == []


# ---- when it ends ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("which", "told", "remind", "planned"),
    [
        (OPEN, [], DAY, [("ops", "fired", 1)]),
        (OPEN, [promised(FIRED, INFO, decided_at=at(1))], DAY, [("ops", "escalated", 1)]),
        (OPEN, [promised(FIRED, decided_at=at(1))], DAY, [("ops", "reminder", 1)]),
        (OPEN, [promised(FIRED, decided_at=at(1))], None, []),
        (
            OPEN,
            [promised(FIRED, decided_at=at(1)), promised(REMINDER, decided_at=at(2))],
            DAY,
            [("ops", "reminder", 2)],
        ),
        (OPEN, [promised(FIRED, decided_at=at(10))], DAY, []),  # as it ended
        (OPEN, [promised(FIRED, WARNING, "waits", decided_at=at(1))], DAY, []),
        (incident(looks_over=True), [promised(FIRED, decided_at=at(1))], DAY, []),
        (ENDED, [], DAY, []),
        (ENDED, [promised(FIRED, decided_at=at(1)), promised(RESOLVED, decided_at=at(6))], DAY, []),
        (incident(CRITICAL, ended=True), [], DAY, []),
    ],
)
def test_what_is_still_open_when_a_silence_ends_is_told_then(
    which: Incident, told: list[Told], remind: timedelta | None, planned: list[News]
) -> None:
    silent = silenced(silence(2, 10))
    assert said(plan_of(which, told, remind=remind, orders=silent, now=at(10) - timedelta(seconds=1))) == []
    found = plan_of(which, told, remind=remind, orders=silent, now=at(10))
    assert (said(found), held(found)) == (planned, [])


def test_each_target_is_told_what_was_kept_from_it() -> None:
    told = [promised(FIRED, WARNING, decided_at=at(1)), promised(FIRED, CRITICAL, target="board", decided_at=at(1))]
    routes = {"it": {Severity.CRITICAL: ["ops", "pager", "board"]}}
    planned = plan_of(incident(CRITICAL), told, routes=routes, remind=DAY, orders=silenced(silence(2, 10)), now=at(10))
    assert said(planned) == [("ops", "escalated", 1), ("pager", "fired", 1), ("board", "reminder", 1)]


def test_who_knows_of_it_is_not_reminded_when_a_silence_ends() -> None:
    orders = acked(3, WARNING, silence(2, 10))
    assert said(plan_of(OPEN, [promised(FIRED, decided_at=at(1))], remind=DAY, orders=orders, now=at(10))) == []


def test_a_silence_that_was_taken_back_before_it_began_reminds_nobody() -> None:
    never = silenced(silence(8, 10, expired_hour=7))
    assert said(plan_of(OPEN, [promised(FIRED, decided_at=at(1))], remind=DAY, orders=never, now=at(12))) == []


@pytest.mark.parametrize(
    ("silences", "next_at"),
    [
        ([silence(2, 10)], at(10)),
        ([silence(2, 10), silence(2, 12, id="sil_2"), silence(2, 8, id="sil_3")], at(12)),
        ([silence(2, 10), silence(8, 12, id="sil_2")], at(12)),  # one more, before the first has ended
        ([silence(2, 10), silence(10, 12, id="sil_2")], at(12)),
        ([silence(2, 10), silence(11, 12, id="sil_2")], at(10)),
        ([silence(2, 10, expired_hour=8)], at(8)),
    ],
)
def test_what_is_held_back_is_told_when_the_last_silence_on_it_has_ended(
    silences: Sequence[Silence], next_at: datetime
) -> None:
    planned = plan_of(OPEN, orders=silenced(*silences))
    assert (said(planned), planned.next_at) == ([], next_at)


@pytest.mark.parametrize(
    ("rank", "until", "next_at"), [(WARNING, 25, None), (WARNING, 24, at(24)), (CRITICAL, 25, at(25))]
)
def test_what_is_no_news_any_more_when_a_silence_ends_is_not_waited_for(
    rank: int, until: float, next_at: datetime | None
) -> None:
    planned = plan_of(incident(rank, looks_over=True), orders=silenced(silence(2, until)))
    assert (said(planned), planned.next_at) == ([], next_at)
    assert bool(held(planned)) is True


def test_the_silence_that_ends_last_is_named() -> None:
    orders = silenced(silence(2, 10), silence(2, 12, id="sil_2"), silence(2, 8, id="sil_3"))
    assert held(plan_of(OPEN, orders=orders)) == [("ops", "fired", "sil_2")]


def test_what_ended_under_a_silence_is_never_told() -> None:
    silent = silenced(silence(2, 10))
    found = plan_of(ENDED, before=[OPEN], orders=silent)
    assert (said(found), held(found), found.next_at) == ([], [("ops", "fired_and_ended", "sil_1")], None)
    for now in (at(7), at(10), at(11)):
        after = plan_of(ENDED, before=[ENDED], orders=silent, now=now)
        assert (said(after), held(after), after.next_at) == ([], [], None)


# ---- what was promised before ----------------------------------------------------------------------------------------


def test_what_was_promised_before_a_silence_is_not_taken_back_for_it() -> None:
    for told in ([promised(FIRED, WARNING, "waits")], [promised(FIRED), promised(ESCALATED, CRITICAL, "waits")]):
        planned = plan_of(incident(told[-1].notification.rank), told, orders=silenced(silence(2, 10)))
        assert [key for key in planned.notifications if key.target == "ops"] == []
        assert planned.recalled == frozenset()


def test_what_was_promised_before_a_silence_and_ended_in_it_is_told_when_it_is_over() -> None:
    silent = silenced(silence(2, 30))
    found = plan_of(ENDED, [promised(FIRED, WARNING, "waits")], before=[OPEN], orders=silent)
    assert (said(found), held(found)) == ([], [("ops", "fired_and_ended", "sil_1")])
    assert (found.recalled, found.next_at) == ({"ntf_1"}, at(30))
    recalled = [promised(FIRED, WARNING, "recalled")]
    assert said(plan_of(ENDED, recalled, orders=silent, now=at(30))) == [("ops", "fired_and_ended", 1)]
    assert said(plan_of(ENDED, [*recalled, promised(LATE)], orders=silent, now=at(30))) == []
