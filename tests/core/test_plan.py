from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.builders import at, evidence
from usage_watch.core.incident import Incident
from usage_watch.core.message import Conversation, Reason, RuleName, Severity
from usage_watch.core.plan import Notification, Told, plan

CONVERSATION = Conversation("cnv_1", "it", None)
ROUTES = {
    "it": {
        Severity.INFO: ["log"],
        Severity.WARNING: ["ops"],
        Severity.CRITICAL: ["ops", "pager"],
    }
}
INFO, WARNING, CRITICAL = 1, 2, 3


def incident(rank: int = WARNING, *, ended: bool = False, closed: str | None = None, **changes: object) -> Incident:
    severity = list(Severity)[rank - 1]
    made = Incident(
        id="inc_1",
        fingerprint="f",
        rule=RuleName("it", "threshold", "it"),
        labels={},
        part=None,
        period_at=None,
        started_at=at(0),
        ended_at=at(5) if ended or closed else None,
        rank=rank,
        severity=severity,
        evidence=evidence(),
        sequence=0,
        history=False,
        closed=closed,
        committed_at=at(1),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def promised(reason: Reason, rank: int, *, target: str = "ops", ordinal: int = 1, counts: bool = True) -> Told:
    return Told(Notification("inc_1", target, reason, ordinal, rank), CONVERSATION, at(1), counts)


def news(incident: Incident, *told: Told) -> list[tuple[str, str, int]]:
    """Target, reason and ordinal of what is planned."""
    return [(each.target, each.reason.value, each.ordinal) for each in plan([incident], told, ROUTES)]


FIRED, ESCALATED, RESOLVED, CLOSED = Reason.FIRED, Reason.ESCALATED, Reason.RESOLVED, Reason.CLOSED


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
    assert [each.target for each in plan([ended], told, {})] == ["gone", "pager"]


def test_a_changed_route_tells_who_was_not_told() -> None:
    assert news(incident(), promised(FIRED, WARNING, target="former")) == [("ops", "fired", 1)]


def test_a_target_that_is_listed_twice_is_told_once() -> None:
    planned = plan([incident()], [], {"it": {Severity.WARNING: ["ops", "ops"]}})
    assert [each.target for each in planned] == ["ops"]


@pytest.mark.parametrize("rank", [INFO, WARNING])
def test_a_rule_or_severity_without_a_list_is_told_to_nobody(rank: int) -> None:
    assert plan([incident(rank)], [], {"it": {Severity.CRITICAL: ["ops"]}}) == []
    assert plan([incident(rank)], [], {}) == []


def test_history_is_never_told() -> None:
    assert news(incident(ended=True, history=True)) == []


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


# ---- any course of events --------------------------------------------------------------------------------------------


@dataclass
class Log:
    """The notification log, whose rows a target takes or refuses for good."""

    told: list[Told]

    def tell(self, planned: Iterable[Notification], refusing: set[str]) -> None:
        for each in planned:
            keys = [told.notification for told in self.told]
            assert all((each.incident_id, each.target, each.reason, each.ordinal) != key(known) for known in keys)
            self.told.append(Told(each, CONVERSATION, at(1), each.target not in refusing))

    def words(self, *, heard: bool) -> dict[tuple[str, str], str]:
        """For each incident and target the reasons, by their first letters."""
        words: dict[tuple[str, str], str] = defaultdict(str)
        for told in self.told:
            if told.counts or not heard:
                words[told.notification.incident_id, told.notification.target] += told.notification.reason[0]
        return words


def key(notification: Notification) -> tuple[str, str, Reason, int]:
    return notification.incident_id, notification.target, notification.reason, notification.ordinal


STATES = st.builds(
    incident,
    rank=st.sampled_from([INFO, WARNING, CRITICAL]),
    ended=st.booleans(),
    closed=st.sampled_from([None, None, "Its rule was changed."]),
)
CYCLES = st.lists(st.lists(STATES, min_size=3, max_size=3), max_size=10)


def named(states: Sequence[Incident]) -> list[Incident]:
    return [replace(each, id=f"inc_{number}") for number, each in enumerate(states)]


@given(CYCLES)
@settings(max_examples=200, deadline=None)
def test_each_target_hears_openings_rises_and_one_end_in_that_order(cycles: list[list[Incident]]) -> None:
    log = Log([])
    for states in cycles:
        log.tell(plan(named(states), log.told, ROUTES), set())
        assert plan(named(states), log.told, ROUTES) == []
    for word in log.words(heard=True).values():
        assert re.fullmatch("(fe*[rc])*(fe*)?", word)
    for states in cycles[-1:]:
        told = log.words(heard=True)
        for each in named(states):
            words = [word for (incident_id, _), word in told.items() if incident_id == each.id]
            assert each.open or all(word[-1] in "rc" for word in words)
            assert not each.open or all(told[each.id, target][-1] in "fe" for target in ROUTES["it"][each.severity])


@given(CYCLES, st.lists(st.sets(st.sampled_from(["log", "ops", "pager"])), min_size=10, max_size=10))
@settings(max_examples=200, deadline=None)
def test_targets_that_refuse_are_neither_pestered_nor_told_nonsense_later(
    cycles: list[list[Incident]], refusals: list[set[str]]
) -> None:
    log = Log([])
    for states, refusing in zip(cycles, refusals, strict=False):
        log.tell(plan(named(states), log.told, ROUTES), refusing)
        assert plan(named(states), log.told, ROUTES) == []
    for word in log.words(heard=True).values():
        assert re.fullmatch("(fe*[rc])*(fe*)?", word)


@given(CYCLES, st.permutations(range(3)))
@settings(max_examples=100, deadline=None)
def test_the_order_of_incidents_is_only_the_order_of_what_is_told(
    cycles: list[list[Incident]], order: list[int]
) -> None:
    log = Log([])
    for states in cycles:
        planned = plan(named(states), log.told, ROUTES)
        shuffled = plan([named(states)[index] for index in order], log.told, ROUTES)
        assert sorted(map(key, shuffled)) == sorted(map(key, planned))
        log.tell(planned, set())


@given(CYCLES, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_a_crash_between_any_two_promises_changes_nothing(cycles: list[list[Incident]], chance: object) -> None:
    whole, halved = Log([]), Log([])
    for states in cycles:
        planned = plan(named(states), whole.told, ROUTES)
        whole.tell(planned, set())
        first = [each for each in planned if chance.random() < 0.5]  # type: ignore[attr-defined]
        halved.tell(first, set())
        halved.tell(plan(named(states), halved.told, ROUTES), set())
        assert whole.words(heard=True) == halved.words(heard=True)
        assert {key(told.notification) for told in whole.told} == {key(told.notification) for told in halved.told}


@given(CYCLES)
@settings(max_examples=100, deadline=None)
def test_cycles_that_were_missed_leave_every_target_where_it_would_be(cycles: list[list[Incident]]) -> None:
    """After an outage only the last state is known: who is told of an open incident, and of an end, is the same."""
    if not cycles:
        return
    last = named(cycles[-1])
    watching, absent = Log([]), Log([])
    for states in cycles:
        watching.tell(plan(named(states), watching.told, ROUTES), set())
    absent.tell(plan(named(cycles[0]), absent.told, ROUTES), set())
    absent.tell(plan(last, absent.told, ROUTES), set())
    for each in last:
        routed = ROUTES["it"][each.severity] if each.open else []
        for log in (watching, absent):
            words = log.words(heard=True)
            assert all(words[each.id, target][-1] in "fe" for target in routed)
            assert each.open or all(word[-1] in "rc" for (name, _), word in words.items() if name == each.id)
