"""Mutes hold back what silences do; what came and went critical is told once when nothing holds it any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

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
    ROUTES,
    TAKEN_BACK,
    WARNING,
    News,
    incident,
    plan_of,
    promised,
    said,
    silence,
)
from usage_watch.core.hold import heard_from, holding
from usage_watch.core.incident import Incident
from usage_watch.core.message import RuleName, Severity
from usage_watch.core.mute import Mute
from usage_watch.core.promise import Decision, Told
from usage_watch.core.schedule import Days, Weekly
from usage_watch.core.silence import Orders, Silence

UTC, DAY = ZoneInfo("UTC"), timedelta(days=1)
EVERY_DAY = frozenset(range(7))


def daily(begins: float, ends: float) -> Mute:
    return Mute(Weekly(EVERY_DAY, timedelta(hours=begins), timedelta(hours=ends), UTC))


def event(first: int, last: int) -> Mute:
    """Days of November 2026; the first of these stories is the second."""
    return Mute(Days(date(2026, 11, first), date(2026, 11, last), UTC), "Hackathon")


def muted(*mutes: Mute, silences: Sequence[Silence] = ()) -> Orders:
    return Orders(silences, mutes=mutes)


MORNING, TODAY = daily(2, 10), event(2, 2)
CAME_AND_WENT = incident(CRITICAL, ended=True)
NOTED = {
    target: Decision("inc_1", target, LATE, told=False, why="Muted by the event Gone.") for target in ("ops", "pager")
}


# ---- what it is about ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "words", "rule", "part", "covers"),
    [
        (["*"], None, ("credits", "zscore"), None, True),
        (["*-anomaly", "credits"], None, ("credits", "zscore"), None, True),
        (["*-anomaly"], None, ("credits", "zscore"), None, False),
        (["*"], {"zscore", "burn"}, ("credits", "zscore"), None, True),
        (["*"], {"zscore", "burn"}, ("pool", "budget"), "burn", True),
        (["*"], {"zscore", "burn"}, ("pool", "budget"), "levels", False),
        (["*"], {"budget"}, ("pool", "budget"), "levels", True),
        (["*"], None, ("meta:auth_revoked", "meta"), None, False),
        (["x", "meta:*"], None, ("meta:auth_revoked", "meta"), None, True),
    ],
)
def test_a_mute_is_about_rules_kinds_and_parts_and_never_by_chance_about_the_watcher_itself(
    rules: list[str], words: set[str] | None, rule: tuple[str, str], part: str | None, covers: bool
) -> None:
    mute = replace(TODAY, rules=tuple(rules), words=None if words is None else frozenset(words))
    assert mute.covers(incident(rule=RuleName(*rule, "x"), part=part)) is covers


@pytest.mark.parametrize(
    ("mute", "why"), [(TODAY, "Muted by the event Hackathon."), (MORNING, "Muted mon-sun 02:00-10:00.")]
)
def test_what_is_held_back_says_by_what(mute: Mute, why: str) -> None:
    planned = plan_of(OPEN, orders=muted(mute))
    assert planned.held == (Decision("inc_1", "ops", FIRED, told=False, why=why),)
    assert planned.notifications == ()


# ---- as silences do --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("which", "told", "reason"),
    [
        (ENDED, [promised(FIRED)], "resolved"),
        (GONE, [promised(FIRED)], "closed"),
        (TAKEN_BACK, [promised(FIRED)], "retracted"),
    ],
)
def test_an_end_of_what_was_told_is_never_held_back(which: Incident, told: list[Told], reason: str) -> None:
    planned = plan_of(which, told, orders=muted(TODAY))
    assert (said(planned), planned.held) == ([("ops", reason, 1)], ())


@pytest.mark.parametrize(
    ("told", "remind", "back", "after"),
    [
        ([], None, "fired", [("ops", "fired", 1)]),
        ([promised(FIRED, INFO)], None, "escalated", [("ops", "escalated", 1)]),
        ([promised(FIRED, decided_at=NOW - DAY)], DAY, "reminder", [("ops", "reminder", 1)]),
    ],
)
@pytest.mark.parametrize(("mute", "ends_at"), [(MORNING, at(10)), (TODAY, at(24))])
def test_what_is_still_open_when_it_ends_is_told_then(
    told: list[Told], remind: timedelta | None, back: str, after: list[News], mute: Mute, ends_at: datetime
) -> None:
    planned = plan_of(OPEN, told, remind=remind, orders=muted(mute))
    assert (said(planned), [each.reason for each in planned.held], planned.next_at) == ([], [back], ends_at)
    early = plan_of(OPEN, told, remind=remind, orders=muted(mute), now=ends_at - timedelta(seconds=1))
    assert said(early) == []
    assert said(plan_of(OPEN, told, remind=remind, orders=muted(mute), now=ends_at)) == after


@pytest.mark.parametrize(("mute", "reminded_at"), [(TODAY, at(24)), (MORNING, at(1) + 3 * DAY)])
def test_the_end_of_an_event_reminds_and_that_of_what_comes_each_week_does_not(
    mute: Mute, reminded_at: datetime
) -> None:
    """Or else a reminder that was asked for every three days would come every morning."""
    told = [replace(promised(FIRED, decided_at=at(1)), sent_at=at(1))]
    expected = max(reminded_at, mute.free_at(reminded_at) or reminded_at)
    assert plan_of(OPEN, told, remind=3 * DAY, orders=muted(mute)).next_at == expected


@pytest.mark.parametrize(
    ("orders", "next_at"),
    [
        (muted(MORNING, daily(10, 12)), at(12)),
        (muted(MORNING, daily(11, 12)), at(10)),
        (muted(daily(0, 10), event(2, 3)), at(48 + 10)),
        (muted(MORNING, silences=[silence(3, 15)]), at(15)),
        (muted(daily(0, 24)), None),
        (muted(daily(0, 12), daily(12, 24)), None),
        (muted(daily(0, 12), daily(12, 24), event(2, 30)), None),
        (muted(daily(0, 12), daily(12, 23), event(2, 30)), at(28 * 24 + 23 + 24)),
    ],
)
def test_what_is_held_back_is_told_when_nothing_holds_it_any_more(orders: Orders, next_at: datetime | None) -> None:
    planned = plan_of(OPEN, orders=orders)
    assert (said(planned), planned.next_at) == ([], next_at)
    if next_at is not None:
        assert said(plan_of(OPEN, orders=orders, now=next_at)) == [("ops", "fired", 1)]


def test_a_silence_is_named_before_a_mute_and_of_several_the_longest() -> None:
    short, long = silence(2, 8), silence(2, 9, id="sil_2")
    assert holding(muted(TODAY, silences=[short, long]).holds, OPEN, NOW) is long
    assert holding([MORNING, TODAY, daily(7, 8)], OPEN, NOW) is TODAY
    assert holding([TODAY, daily(0, 24)], OPEN, NOW) == daily(0, 24)
    assert holding([daily(7, 8)], OPEN, NOW) is None
    assert heard_from([daily(7, 8)], OPEN, NOW) == NOW


# ---- what came and went ----------------------------------------------------------------------------------------------


def test_what_came_and_went_critical_is_told_once_when_the_mute_ends() -> None:
    first = plan_of(CAME_AND_WENT, before=[incident(CRITICAL)], orders=muted(MORNING))
    assert (said(first), first.next_at) == ([], at(10))
    assert [(each.target, each.reason) for each in first.held] == [("ops", LATE), ("pager", LATE)]
    noted = first.held
    again = plan_of(CAME_AND_WENT, orders=muted(MORNING), noted=noted, now=at(7))
    assert (said(again), again.held, again.next_at) == ([], noted, at(10))
    after = plan_of(CAME_AND_WENT, orders=muted(MORNING), noted=noted, now=at(10))
    assert said(after) == [("ops", "fired_and_ended", 1), ("pager", "fired_and_ended", 1)]
    told = [promised(LATE, CRITICAL), promised(LATE, CRITICAL, target="pager")]
    for now in (at(10), at(25), at(27), at(80)):
        quiet = plan_of(CAME_AND_WENT, told, orders=muted(MORNING), noted=noted, now=now)
        assert (quiet.notifications, quiet.held, quiet.next_at) == ((), (), None)


@pytest.mark.parametrize("rank", [INFO, WARNING])
def test_what_came_and_went_and_was_not_critical_is_not_told(rank: int) -> None:
    routes = {"it": {severity: ["ops"] for severity in Severity}}
    which = incident(rank, ended=True)
    planned = plan_of(which, before=[incident(rank)], routes=routes, orders=muted(MORNING))
    assert [each.reason for each in planned.held] == [LATE]
    assert planned.next_at is None
    assert said(plan_of(which, routes=routes, orders=muted(MORNING), noted=planned.held, now=at(10))) == []


@pytest.mark.parametrize(
    ("now", "told"),
    [(at(24), True), (at(24) + 7 * DAY - timedelta(seconds=1), True), (at(24) + 7 * DAY, False)],
)
def test_it_is_told_for_a_week_after_the_mute_has_ended(now: datetime, told: bool) -> None:
    planned = plan_of(CAME_AND_WENT, orders=muted(TODAY), noted=NOTED.values(), now=now)
    assert bool(planned.notifications) is told


def test_after_a_mute_of_weeks_it_is_told_too() -> None:
    weeks = muted(event(2, 29))
    first = plan_of(CAME_AND_WENT, before=[incident(CRITICAL)], orders=weeks)
    assert first.next_at == at(28 * 24)
    assert len(said(plan_of(CAME_AND_WENT, orders=weeks, noted=first.held, now=at(28 * 24)))) == 2


def test_what_was_over_for_long_when_it_was_found_is_told_after_the_mute_too() -> None:
    """The watcher was down for two weeks, say."""
    found_at = at(15 * 24 + 3)
    which = replace(CAME_AND_WENT, committed_at=found_at)
    first = plan_of(which, before=[incident(CRITICAL)], orders=muted(MORNING), now=found_at)
    assert (len(first.held), first.next_at) == (2, at(15 * 24 + 10))
    assert len(said(plan_of(which, orders=muted(MORNING), noted=first.held, now=at(15 * 24 + 10)))) == 2


def test_it_is_told_though_the_mute_has_left_the_rules_file() -> None:
    assert len(said(plan_of(CAME_AND_WENT, noted=NOTED.values()))) == 2


def test_a_mute_that_never_ends_tells_of_nothing() -> None:
    always = muted(daily(0, 24))
    planned = plan_of(CAME_AND_WENT, before=[incident(CRITICAL)], orders=always)
    assert (said(planned), len(planned.held), planned.next_at) == ([], 2, None)
    assert plan_of(CAME_AND_WENT, orders=always, noted=NOTED.values()).held == ()


def test_a_later_silence_holds_it_back_for_as_long() -> None:
    orders = muted(silences=[silence(5, 30)])
    held_back = plan_of(CAME_AND_WENT, orders=orders, noted=NOTED.values())
    assert (said(held_back), held_back.next_at) == ([], at(30))
    noted = [*NOTED.values(), *held_back.held]
    assert len(said(plan_of(CAME_AND_WENT, orders=orders, noted=noted, now=at(30)))) == 2


def test_what_ended_under_a_silence_is_never_told_though_there_was_a_mute() -> None:
    orders = muted(MORNING, silences=[silence(2, 8)])
    first = plan_of(CAME_AND_WENT, before=[incident(CRITICAL)], orders=orders)
    assert [each.why for each in first.held] == ["Silenced by ana (a load test): sil_1."] * 2
    for now in (at(7), at(9), at(10)):
        after = plan_of(CAME_AND_WENT, orders=orders, noted=first.held, now=now)
        assert (after.notifications, after.held, after.next_at) == ((), (), None)


@pytest.mark.parametrize(
    ("which", "told", "routes"),
    [
        (replace(CAME_AND_WENT, closed="Its rule was changed."), [], ROUTES),
        (replace(CAME_AND_WENT, closed="Revised.", retracted=True), [], ROUTES),
        (CAME_AND_WENT, [], {}),
        (CAME_AND_WENT, [promised(LATE, CRITICAL, "dead")], {"it": {Severity.CRITICAL: ["ops"]}}),
        (
            CAME_AND_WENT,
            [promised(FIRED, CRITICAL), promised(RESOLVED, CRITICAL)],  # it came again, and was told
            {"it": {Severity.CRITICAL: ["ops"]}},
        ),
    ],
)
def test_what_is_no_news_any_more_when_the_mute_ends_is_not_told(
    which: Incident, told: list[Told], routes: dict[str, dict[Severity, list[str]]]
) -> None:
    assert said(plan_of(which, told, routes=routes, noted=NOTED.values())) == []


def test_what_came_again_after_the_mute_is_told_as_it_is() -> None:
    assert said(plan_of(incident(CRITICAL), noted=NOTED.values())) == [("ops", "fired", 1), ("pager", "fired", 1)]


def test_what_came_and_went_once_more_and_worse_is_told_again() -> None:
    told = [promised(LATE, WARNING), promised(LATE, WARNING, target="pager")]
    assert len(said(plan_of(CAME_AND_WENT, told, noted=NOTED.values()))) == 2


def test_what_was_recalled_after_the_mute_is_said_anew() -> None:
    told = [promised(LATE, CRITICAL, "recalled")]
    routes = {"it": {Severity.CRITICAL: ["ops"]}}
    assert said(plan_of(CAME_AND_WENT, told, routes=routes, noted=NOTED.values())) == [("ops", "fired_and_ended", 2)]
