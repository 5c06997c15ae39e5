from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.core.builders import at
from tests.core.promises import (
    CRITICAL,
    ENDED,
    FIRED,
    GONE,
    INFO,
    LATE,
    NOW,
    OPEN,
    RESOLVED,
    RETRACTED,
    ROUTES,
    TAKEN_BACK,
    TARGETS,
    incident,
    promised,
    silence,
    silenced,
)
from usage_watch.core.decisions import decisions
from usage_watch.core.incident import Incident
from usage_watch.core.message import Severity
from usage_watch.core.plan import Routes, Terms, plan
from usage_watch.core.promise import Decision, Told
from usage_watch.core.silence import Orders

DAY = timedelta(days=1)


def decided(
    incidents: Sequence[Incident],
    told: Sequence[Told] = (),
    *,
    before: Sequence[Incident] = (),
    held: AbstractSet[Decision] = frozenset(),
    routes: Routes = ROUTES,
    orders: Orders | None = None,
    now: datetime = NOW,
) -> list[Decision]:
    """What is decided in a cycle whose predecessor left these incidents."""
    known = {each.id: each for each in before}
    terms = Terms(routes, TARGETS, {"it": DAY}, orders or Orders())
    return list(decisions(incidents, known, plan(incidents, known, told, terms, now), told, held, terms))


# ---- why something is told -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("which", "told", "reason", "why"),
    [
        (OPEN, [], "fired", "It is open at warning."),
        (OPEN, [promised(FIRED, INFO)], "escalated", "It rose to warning."),
        (
            OPEN,
            [promised(FIRED, decided_at=NOW - DAY)],
            "reminder",
            "It is still open, and nobody has acknowledged it.",
        ),
        (ENDED, [promised(FIRED)], "resolved", "It has ended."),
        (GONE, [promised(FIRED)], "closed", "Its rule was changed."),
        (TAKEN_BACK, [promised(FIRED)], "retracted", "Revised."),
    ],
)
def test_what_is_told_says_why(which: Incident, told: list[Told], reason: str, why: str) -> None:
    (decision,) = decided([which], told, before=[which])
    assert (decision.incident_id, decision.target, decision.told) == ("inc_1", "ops", True)
    assert (decision.reason.value, decision.why) == (reason, why)


def test_what_had_ended_and_what_is_corrected_say_why() -> None:
    (late,) = decided([ENDED], before=[OPEN])
    assert (late.reason, late.why, late.told) == (LATE, "It had ended before it could be told.", True)
    shown = [promised(FIRED, target="board", face="old", decided_at=at(5))]
    (updated,) = decided([OPEN], shown, before=[OPEN], routes={"it": {Severity.WARNING: ["board"]}})
    assert (updated.target, updated.why) == ("board", "What was told is not how it stands now.")
    fell = replace(OPEN, lessened=True)
    (updated,) = decided([fell], shown, before=[OPEN], routes={"it": {Severity.WARNING: ["board"]}})
    assert updated.why == "A member's data was removed. What was told is not how it stands now."


def test_each_target_has_a_decision_of_its_own() -> None:
    found = decided([incident(CRITICAL)], [promised(FIRED)], before=[OPEN])
    assert [(each.target, each.reason.value) for each in found] == [("ops", "escalated"), ("pager", "fired")]


# ---- what is held back -----------------------------------------------------------------------------------------------


def test_what_is_held_back_is_noted_once() -> None:
    silent = silenced(silence(2, 10))
    (noted,) = decided([OPEN], orders=silent)
    assert (noted.target, noted.reason, noted.told) == ("ops", FIRED, False)
    assert noted.why == "Silenced by ana (a load test): sil_1."
    assert decided([OPEN], before=[OPEN], held={noted}, orders=silent) == []


def test_what_another_silence_or_for_another_target_holds_back_is_noted_too() -> None:
    (first,) = decided([OPEN], orders=silenced(silence(2, 10)))
    other = silenced(silence(2, 10), silence(2, 12, id="sil_2"))
    (second,) = decided([OPEN], before=[OPEN], held={first}, orders=other)
    assert second.why == "Silenced by ana (a load test): sil_2."
    rose = decided([incident(CRITICAL)], before=[OPEN], held={first}, orders=silenced(silence(2, 10)))
    assert [each.target for each in rose] == ["pager"]


# ---- why something is not told ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("which", "why"),
    [
        (incident(history=True), "It was over before its rule was first seen: history."),
        (incident(ended=True, history=True), "It was over before its rule was first seen: history."),
        (GONE, "It was closed before it could be told: Its rule was changed."),
        (incident(INFO, looks_over=True), "It looks over, and that for too long to be news."),
        (ENDED, "It had ended before it could be told, too long ago to be news."),
    ],
)
def test_what_is_new_and_not_told_says_why(which: Incident, why: str) -> None:
    (decision,) = decided([which], now=at(100))
    assert decision == Decision("inc_1", None, FIRED, told=False, why=why)
    assert decided([which], before=[which], now=at(100)) == [], "once"


@pytest.mark.parametrize(("which", "severity"), [(OPEN, "warning"), (incident(CRITICAL, ended=True), "critical")])
def test_what_no_channel_is_listed_for_says_so(which: Incident, severity: str) -> None:
    (decision,) = decided([which], routes={"it": {Severity.INFO: ["log"]}})
    assert (decision.why, decision.told) == (f"No channel is listed for {severity}.", False)


def test_a_level_that_nobody_is_told_of_says_why() -> None:
    told = [promised(FIRED, CRITICAL), promised(FIRED, CRITICAL, target="pager")]
    (again,) = decided([incident(CRITICAL)], told, before=[OPEN])
    assert again == Decision("inc_1", None, FIRED, told=False, why="That level was told before.")
    (unlisted,) = decided([incident(CRITICAL)], told, before=[OPEN], routes={"it": {Severity.WARNING: ["ops"]}})
    assert unlisted.why == "No channel is listed for critical."


@pytest.mark.parametrize(
    ("which", "before", "told"),
    [
        (OPEN, OPEN, [promised(FIRED)]),
        (OPEN, incident(CRITICAL), [promised(FIRED, CRITICAL)]),  # it fell
        (ENDED, ENDED, [promised(FIRED), promised(RESOLVED)]),
        (incident(CRITICAL, ended=True), OPEN, [promised(LATE, CRITICAL), promised(LATE, CRITICAL, target="pager")]),
        (TAKEN_BACK, ENDED, [promised(FIRED), promised(RETRACTED)]),
    ],
)
def test_what_is_known_needs_no_words(which: Incident, before: Incident, told: list[Told]) -> None:
    assert decided([which], [replace(each, decided_at=NOW) for each in told], before=[before]) == []


def test_decisions_name_what_is_told_first_then_what_is_held_back_and_what_is_not_told() -> None:
    known = replace(OPEN, id="inc_2", labels={"Model": "opus"})
    history = replace(OPEN, id="inc_0", history=True)
    found = decided([history, known, OPEN], orders=silenced(silence(2, 10, only="Model=opus")))
    assert [(each.incident_id, each.told) for each in found] == [("inc_1", True), ("inc_2", False), ("inc_0", False)]


def test_what_had_not_left_and_is_not_so_any_more_says_why_it_never_will() -> None:
    found = decided([TAKEN_BACK], [promised(FIRED, standing="waits")], before=[OPEN])
    why = "It had not left yet, and is not how it stands any more."
    assert found == [Decision("inc_1", "ops", FIRED, told=False, why=why)]


def test_what_is_said_anew_instead_needs_no_other_word() -> None:
    found = decided([ENDED], [promised(FIRED, standing="waits")], before=[OPEN])
    assert [(each.reason, each.told) for each in found] == [(LATE, True)]
