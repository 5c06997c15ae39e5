from __future__ import annotations

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
    OPEN,
    REMINDER,
    RESOLVED,
    UPDATED,
    WARNING,
    Standing,
    acked,
    incident,
    plan_of,
    promised,
    said,
    silence,
    silenced,
)
from usage_watch.core.incident import Incident
from usage_watch.core.message import Reason, Severity
from usage_watch.core.promise import Told
from usage_watch.core.silence import Orders

DAY, WEEK = timedelta(days=1), timedelta(days=7)
SECOND = timedelta(seconds=1)


def told(*words: tuple[Reason, float], rank: int = WARNING) -> list[Told]:
    """What was said to ops, with the hours at which."""
    return [promised(reason, rank, decided_at=at(hour)) for reason, hour in words]


# ---- how often -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("remind", "words", "due"),
    [
        (DAY, [(FIRED, 1)], 25),
        (DAY, [(FIRED, 1), (REMINDER, 25)], 25 + 2 * 24),
        (DAY, [(FIRED, 1), (REMINDER, 25), (REMINDER, 73)], 73 + 4 * 24),
        (DAY, [(FIRED, 1), (REMINDER, 25), (REMINDER, 73), (REMINDER, 169)], 169 + 7 * 24),
        (DAY, [(FIRED, 1), *((REMINDER, 25 + hour) for hour in range(2_000))], 2_024 + 7 * 24),
        # What is asked for less often than once a week stays as it was asked for.
        (WEEK, [(FIRED, 1), (REMINDER, 169)], 169 + 7 * 24),
        (10 * DAY, [(FIRED, 1)], 241),
        (10 * DAY, [(FIRED, 1), (REMINDER, 241)], 481),
        # Counted anew after each news; a correction is none.
        (DAY, [(FIRED, 1), (REMINDER, 25), (ESCALATED, 30)], 54),
        (DAY, [(FIRED, 1), (REMINDER, 25), (ESCALATED, 30), (REMINDER, 54)], 102),
        (DAY, [(FIRED, 1), (REMINDER, 25), (RESOLVED, 30), (FIRED, 40)], 64),
        (DAY, [(FIRED, 1), (REMINDER, 25), (LATE, 30), (FIRED, 40)], 64),
        (DAY, [(FIRED, 1), (UPDATED, 20)], 25),
        (DAY, [(FIRED, 1), (REMINDER, 25), (UPDATED, 26)], 73),
        # The daemon was down for a week, and reminded once.
        (DAY, [(FIRED, 1), (REMINDER, 170)], 170 + 2 * 24),
    ],
)
def test_a_reminder_is_due_ever_more_rarely(remind: timedelta, words: list[tuple[Reason, float]], due: float) -> None:
    records = told(*words)
    ordinal = 1 + sum(reason is REMINDER for reason, _ in words)
    early = plan_of(OPEN, records, remind=remind, now=at(due) - SECOND)
    assert (said(early), early.next_at) == ([], at(due))
    assert said(plan_of(OPEN, records, remind=remind, now=at(due))) == [("ops", "reminder", ordinal)]


def test_after_a_week_without_the_daemon_there_is_one_reminder() -> None:
    records, now = told((FIRED, 1)), at(1) + WEEK
    reminded = plan_of(OPEN, records, remind=DAY, now=now)
    assert said(reminded) == [("ops", "reminder", 1)]
    assert reminded.next_at == now + 2 * DAY
    after = [*records, promised(REMINDER, decided_at=now)]
    assert said(plan_of(OPEN, after, remind=DAY, now=now)) == []


def test_a_reminder_counts_from_when_the_word_arrived() -> None:
    late = [replace(each, sent_at=at(49)) for each in told((FIRED, 1))]
    assert plan_of(OPEN, late, remind=DAY, now=at(72)).next_at == at(73)
    assert said(plan_of(OPEN, late, remind=DAY, now=at(73))) == [("ops", "reminder", 1)]


def test_each_target_is_reminded_of_what_it_was_told() -> None:
    rose = incident(CRITICAL)
    records = [
        promised(FIRED, INFO, decided_at=at(1)),
        promised(ESCALATED, CRITICAL, decided_at=at(20)),
        promised(FIRED, CRITICAL, target="pager", decided_at=at(2)),
    ]
    first = plan_of(rose, records, remind=DAY, now=at(26))
    assert (said(first), first.next_at) == ([("pager", "reminder", 1)], at(44))


def test_a_clock_that_was_set_back_reminds_later_and_of_nothing_twice() -> None:
    waiting = plan_of(OPEN, told((FIRED, 48)), remind=DAY, now=at(24))
    assert (said(waiting), waiting.next_at) == ([], at(72))


# ---- when there is none ----------------------------------------------------------------------------------------------

LONG_AGO = told((FIRED, 1))
LATER = at(100)


@pytest.mark.parametrize(
    ("which", "records"),
    [
        (ENDED, told((FIRED, 1), (RESOLVED, 6))),
        (GONE, told((FIRED, 1), (Reason.CLOSED, 6))),
        (incident(history=True), LONG_AGO),
        (incident(looks_over=True), LONG_AGO),
        (incident(quiet=True), LONG_AGO),
    ],
)
def test_nothing_is_repeated_that_nobody_needs_to_answer(which: Incident, records: list[Told]) -> None:
    planned = plan_of(which, records, remind=DAY, now=LATER)
    assert (said(planned), planned.next_at) == ([], None)


@pytest.mark.parametrize("target", ["log", "gone"])
def test_who_is_not_listed_any_more_is_not_reminded(target: str) -> None:
    records = [promised(FIRED, target=target), promised(FIRED, decided_at=LATER)]
    planned = plan_of(OPEN, records, remind=DAY, now=LATER)
    assert (said(planned), planned.next_at) == ([], LATER + DAY)


@pytest.mark.parametrize("standing", ["sent", "unsure", "waits"])
def test_no_reminder_overtakes_what_it_reminds_of(standing: Standing) -> None:
    waits = standing == "waits"
    for last in (FIRED, ESCALATED, REMINDER):
        records = [*LONG_AGO, promised(last, WARNING, standing, decided_at=at(2))]
        planned = plan_of(OPEN, records, remind=DAY, now=LATER)
        assert [reason for _, reason, _ in said(planned)] == ([] if waits else ["reminder"])
        assert planned.recalled == frozenset()
        assert (planned.next_at is None) is waits


def test_a_rule_without_reminders_has_none() -> None:
    planned = plan_of(OPEN, LONG_AGO, remind=None, now=LATER)
    assert (said(planned), planned.next_at) == ([], None)


def test_who_was_told_nothing_is_reminded_of_nothing() -> None:
    assert said(plan_of(OPEN, [promised(FIRED, standing="dead")], remind=DAY, now=LATER)) == []


def test_a_reminder_that_was_given_up_is_not_tried_for_ever() -> None:
    records = [*LONG_AGO, promised(REMINDER, standing="dead", decided_at=at(25))]
    early = plan_of(OPEN, records, remind=DAY, now=at(72))
    assert (said(early), early.next_at) == ([], at(73))
    assert said(plan_of(OPEN, records, remind=DAY, now=at(73))) == [("ops", "reminder", 2)]


def test_a_reminder_that_was_taken_back_is_due_again_at_once() -> None:
    records = [*LONG_AGO, promised(REMINDER, standing="recalled", decided_at=at(25))]
    assert said(plan_of(OPEN, records, remind=DAY, now=at(26))) == [("ops", "reminder", 2)]


def test_reminders_are_no_corrections_as_well() -> None:
    routes = {"it": {Severity.WARNING: ["board"]}}
    (reminder,) = plan_of(
        OPEN, [promised(FIRED, target="board", face="old")], routes=routes, remind=DAY, now=LATER
    ).notifications
    assert (reminder.reason, reminder.face) == (REMINDER, OPEN.face)


# ---- who knows -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rank", "records", "orders", "reminded"),
    [
        (WARNING, LONG_AGO, acked(2), False),
        (WARNING, LONG_AGO, acked(2, CRITICAL), False),
        (WARNING, told((FIRED, 1), (REMINDER, 25)), acked(30), False),
        (WARNING, LONG_AGO, acked(2, INFO), True),  # it stands higher than it did then
        (INFO, told((FIRED, 1)), acked(2, WARNING), False),
        # Its end was told, and it came again: before that, nobody knew of it.
        (WARNING, told((FIRED, 1), (RESOLVED, 5), (FIRED, 8)), acked(2), True),
        (WARNING, told((FIRED, 1), (RESOLVED, 5), (FIRED, 8)), acked(6), False),
        (WARNING, told((FIRED, 1), (UPDATED, 5)), acked(2), False),
        # Nobody heard of that end: it was taken back before it left.
        (WARNING, [*told((FIRED, 1)), promised(RESOLVED, standing="recalled", decided_at=at(5))], acked(2), False),
        # Another target was told of the end.
        (WARNING, [*told((FIRED, 1)), promised(RESOLVED, target="pager", decided_at=at(5))], acked(2), True),
    ],
)
def test_who_knows_is_not_reminded_until_there_is_something_new(
    rank: int, records: list[Told], orders: Orders, reminded: bool
) -> None:
    routes = {"it": dict.fromkeys(Severity, ("ops",))}
    planned = plan_of(incident(rank), records, routes=routes, remind=DAY, orders=orders, now=LATER)
    assert [reason for target, reason, _ in said(planned) if target == "ops"] == (["reminder"] if reminded else [])
    assert (planned.next_at is not None) is reminded


def test_an_acknowledgement_holds_nothing_else_back() -> None:
    rose, over = incident(CRITICAL), incident(ended=True)
    assert said(plan_of(rose, LONG_AGO, orders=acked(2))) == [("ops", "escalated", 1), ("pager", "fired", 1)]
    assert said(plan_of(over, LONG_AGO, orders=acked(2))) == [("ops", "resolved", 1)]
    known = plan_of(OPEN, [], remind=DAY, orders=acked(2))
    assert (said(known), known.next_at) == ([("ops", "fired", 1)], None)


# ---- when there is more to tell --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("which", "records", "orders", "now", "next_at"),
    [
        (OPEN, [], Orders(), at(6), at(30)),  # after what is told now
        (incident(CRITICAL), told((FIRED, 1), (REMINDER, 2)), Orders(), at(6), at(30)),
        (OPEN, told((FIRED, 1)), Orders(), at(25), at(73)),
        (OPEN, told((FIRED, 1)), silenced(silence(2, 10)), at(6), at(10)),
        (OPEN, told((FIRED, 1)), silenced(silence(2, 26)), at(6), at(26)),
        (OPEN, told((FIRED, 1)), silenced(silence(8, 10)), at(6), at(10)),  # to come
        (OPEN, told((FIRED, 1)), silenced(silence(20, 30)), at(6), at(30)),
        (OPEN, told((FIRED, 1)), silenced(silence(2, 10), silence(9, 12, id="sil_2")), at(6), at(12)),
        (OPEN, told((FIRED, 1)), silenced(silence(2, 10), silence(10, 12, id="sil_2")), at(6), at(12)),
        (OPEN, told((FIRED, 1)), silenced(silence(30, 40)), at(6), at(25)),
        (OPEN, told((FIRED, 1)), silenced(silence(2, 4, only="severity=critical")), at(6), at(25)),
        (OPEN, told((FIRED, 1)), silenced(silence(8, 10, expired_hour=7)), at(6), at(25)),  # it never began
        (OPEN, told((FIRED, 5)), silenced(silence(2, 5)), at(6), at(29)),  # over when it was told
        (OPEN, [], silenced(silence(2, 10)), at(6), at(10)),
        (OPEN, told((FIRED, 1)), acked(2, WARNING, silence(2, 10)), at(6), None),
        (ENDED, told((FIRED, 1)), silenced(silence(2, 10)), at(6), None),
        (incident(looks_over=True), told((FIRED, 1)), silenced(silence(2, 10)), at(6), None),
    ],
)
def test_when_there_is_more_to_tell_though_nothing_happens(
    which: Incident, records: list[Told], orders: Orders, now: datetime, next_at: datetime | None
) -> None:
    assert plan_of(which, records, remind=DAY, orders=orders, now=now).next_at == next_at


def test_the_first_of_several_instants_is_next() -> None:
    other = replace(OPEN, id="inc_2")
    records = [*told((FIRED, 1)), promised(FIRED, of="inc_2", decided_at=at(0))]
    assert plan_of([OPEN, other], records, remind=DAY).next_at == at(24)


def test_a_target_by_state_is_told_what_is_new_and_never_reminded() -> None:
    routes = {"it": {Severity.WARNING: ["cluster"], Severity.CRITICAL: ["cluster"]}}
    records = [promised(FIRED, WARNING, target="cluster", decided_at=at(1))]
    later = plan_of(OPEN, records, routes=routes, remind=DAY, now=at(500))
    assert (said(later), later.next_at) == ([], None)
    assert plan_of(OPEN, (), routes=routes, remind=DAY, now=at(1)).next_at is None
    risen = plan_of(incident(CRITICAL), records, routes=routes, remind=DAY, now=at(500))
    assert said(risen) == [("cluster", "escalated", 1)]
    assert said(plan_of(ENDED, records, routes=routes, remind=DAY)) == [("cluster", "resolved", 1)]


def test_the_end_of_a_silence_reminds_no_target_by_state() -> None:
    routes = {"it": {Severity.WARNING: ["cluster"]}}
    records = [promised(FIRED, WARNING, target="cluster", decided_at=at(1))]
    orders = silenced(silence(2, 4))
    assert said(plan_of(OPEN, records, routes=routes, remind=DAY, orders=orders, now=at(5))) == []


# ---- a clock that was set -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sent", "due"), [(1, 25), (3, 27), (1 + 24, 25), (1 - 24, 25), (900, 25)])
def test_what_a_clock_wrote_that_was_set_since_moves_no_reminder(sent: float, due: float) -> None:
    """It arrived before it was decided, or later than now: then when it was decided counts."""
    words = [replace(each, sent_at=at(sent)) for each in told((FIRED, 1))]
    assert plan_of(OPEN, words, remind=DAY, now=at(20)).next_at == at(due)
