from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.core.builders import at
from tests.core.promises import (
    CLOSED,
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
    RETRACTED,
    TAKEN_BACK,
    UPDATED,
    WARNING,
    Standing,
    incident,
    plan_of,
    promised,
    said,
)
from usage_watch.core.incident import Incident
from usage_watch.core.message import Conversation, Reason, Severity
from usage_watch.core.plan import Plan, taken_back
from usage_watch.core.promise import Told

DAY = timedelta(days=1)
Word = tuple[Reason, int, Standing]
EVERYWHERE = {"it": dict.fromkeys(Severity, ("ops",))}


def words(*said: Word, target: str = "ops", face: str = OPEN.face) -> list[Told]:
    """A post each, all in one conversation."""
    return [
        promised(reason, rank, standing, target=target, face=face, post=f"ntf_{number}")
        for number, (reason, rank, standing) in enumerate(said)
    ]


def heard(planned: Plan) -> list[str]:
    return [key.reason.value for key in planned.notifications if key.target == "ops"]


# ---- one incident ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("which", "told", "planned", "recalled"),
    [
        # What began and ended in an outage is one message, and so is what began and rose.
        (ENDED, [(FIRED, WARNING, "waits")], ["fired_and_ended"], [0]),
        (incident(CRITICAL), [(FIRED, WARNING, "waits")], ["fired"], [0]),
        (ENDED, [(FIRED, INFO, "waits"), (ESCALATED, WARNING, "waits")], ["fired_and_ended"], [0, 1]),
        (ENDED, [(FIRED, INFO, "sent"), (ESCALATED, WARNING, "waits")], ["resolved"], [1]),
        (ENDED, [(FIRED, WARNING, "sent"), (REMINDER, WARNING, "waits")], ["resolved"], [1]),
        (incident(CRITICAL), [(FIRED, INFO, "sent"), (ESCALATED, WARNING, "waits")], ["escalated"], [1]),
        # It came again before its end was heard of, so that nothing has happened.
        (OPEN, [(FIRED, WARNING, "sent"), (RESOLVED, WARNING, "waits")], [], [1]),
        (OPEN, [(FIRED, WARNING, "sent"), (RETRACTED, WARNING, "waits")], [], [1]),
        (incident(CRITICAL), [(FIRED, WARNING, "sent"), (RESOLVED, WARNING, "waits")], ["escalated"], [1]),
        (OPEN, [(LATE, WARNING, "waits")], ["fired"], [0]),
        (OPEN, [(FIRED, WARNING, "sent"), (RESOLVED, WARNING, "sent"), (FIRED, WARNING, "waits")], [], []),
        (ENDED, [(FIRED, WARNING, "sent"), (RESOLVED, WARNING, "sent"), (FIRED, WARNING, "waits")], [], [2]),
        (
            incident(CRITICAL, ended=True),
            [(FIRED, WARNING, "sent"), (RESOLVED, WARNING, "sent"), (FIRED, WARNING, "waits")],
            ["fired_and_ended"],
            [2],
        ),
        # It closed, or never happened: nobody has heard of it.
        (GONE, [(FIRED, WARNING, "waits")], [], [0]),
        (GONE, [(FIRED, WARNING, "sent"), (ESCALATED, CRITICAL, "waits")], ["closed"], [1]),
        (TAKEN_BACK, [(FIRED, WARNING, "waits")], [], [0]),
        (TAKEN_BACK, [(LATE, WARNING, "waits")], [], [0]),
        (TAKEN_BACK, [(FIRED, WARNING, "sent"), (RESOLVED, WARNING, "waits")], ["retracted"], [1]),
        (TAKEN_BACK, [(FIRED, WARNING, "unsure"), (ESCALATED, CRITICAL, "waits")], ["retracted"], [1]),
        # What may have left is never taken back.
        (ENDED, [(FIRED, WARNING, "unsure")], ["resolved"], []),
        (ENDED, [(FIRED, WARNING, "sent")], ["resolved"], []),
        (ENDED, [(FIRED, INFO, "unsure"), (ESCALATED, WARNING, "waits")], ["resolved"], [1]),
        # Nothing is taken back that is still true.
        (OPEN, [(FIRED, WARNING, "waits")], [], []),
        (ENDED, [(FIRED, WARNING, "sent"), (RESOLVED, WARNING, "waits")], [], []),
        (ENDED, [(LATE, WARNING, "waits")], [], []),
        (incident(CRITICAL, ended=True), [(LATE, WARNING, "waits")], ["fired_and_ended"], [0]),  # and is worse now
        (GONE, [(CLOSED, WARNING, "waits")], [], []),
    ],
)
def test_what_waits_is_said_as_it_is_now_or_not_at_all(
    which: Incident, told: list[Word], planned: list[str], recalled: list[int]
) -> None:
    before = [incident()] if which.ended_at is not None else [ENDED]
    found = plan_of(which, words(*told), before=before, routes=EVERYWHERE)
    assert heard(found) == planned
    assert found.recalled == {f"ntf_{number}" for number in recalled}


def test_what_is_said_anew_has_another_ordinal() -> None:
    risen = plan_of(incident(CRITICAL), words((FIRED, WARNING, "waits")), routes=EVERYWHERE)
    assert said(risen) == [("ops", "fired", 2)]
    assert [key.rank for key in risen.notifications] == [CRITICAL]


def test_a_level_that_was_revised_away_while_it_waited_is_not_told() -> None:
    """Only where it is corrected in place is there anything to say that takes it back."""
    told = words((FIRED, WARNING, "sent"), (ESCALATED, CRITICAL, "waits"), target="board", face="critical 120")
    routes = {"it": {Severity.WARNING: ["board"]}}
    found = plan_of(OPEN, told, routes=routes)
    assert (said(found), found.recalled) == ([("board", "updated", 1)], {"ntf_1"})


# ---- what is corrected in place --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "planned", "recalled"),
    [
        ([(FIRED, "old", "waits")], [("fired", 2)], [0]),
        ([(FIRED, "old", "sent"), (UPDATED, "older", "waits")], [("updated", 2)], [1]),
        ([(FIRED, "old", "sent"), (UPDATED, "older", "sent")], [("updated", 2)], []),
        ([(FIRED, OPEN.face, "sent"), (UPDATED, "older", "waits")], [], [1]),  # as it was told at first
        ([(FIRED, "old", "unsure")], [("updated", 1)], []),
        ([(FIRED, OPEN.face, "waits")], [], []),
        ([(FIRED, "old", "sent"), (UPDATED, OPEN.face, "waits")], [], []),
    ],
)
def test_corrections_do_not_pile_up(
    told: list[tuple[Reason, str, Standing]], planned: list[tuple[str, int]], recalled: list[int]
) -> None:
    records = [
        promised(reason, WARNING, standing, target="board", face=face, post=f"ntf_{number}")
        for number, (reason, face, standing) in enumerate(told)
    ]
    found = plan_of(OPEN, records, routes={"it": {Severity.WARNING: ["board"]}})
    assert [(key.reason.value, key.ordinal) for key in found.notifications] == planned
    assert found.recalled == {f"ntf_{number}" for number in recalled}


def test_numbers_that_change_take_nothing_back_where_nothing_is_corrected() -> None:
    found = plan_of(OPEN, words((FIRED, WARNING, "waits"), face="old"))
    assert (said(found), found.recalled) == ([], frozenset())


# ---- quiet ends ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "told", "planned", "recalled"),
    [
        ("ops", [(FIRED, WARNING, "waits")], ["fired_and_ended"], [0]),
        ("ops", [(FIRED, WARNING, "sent"), (ESCALATED, CRITICAL, "waits")], [], [1]),
        ("ops", [(FIRED, WARNING, "sent")], [], []),
        ("pager", [(FIRED, WARNING, "waits")], ["fired_and_ended"], [0]),
        ("pager", [(FIRED, WARNING, "sent"), (ESCALATED, CRITICAL, "waits")], ["resolved"], [1]),
    ],
)
def test_what_ended_quietly_is_not_told_to_go_on(
    target: str, told: list[Word], planned: list[str], recalled: list[int]
) -> None:
    quiet = replace(ENDED, quiet=True)
    routes = {"it": {Severity.WARNING: [target]}}
    found = plan_of(quiet, words(*told, target=target), before=[OPEN], routes=routes)
    assert [key.reason.value for key in found.notifications] == planned
    assert found.recalled == {f"ntf_{number}" for number in recalled}


# ---- several in one post ---------------------------------------------------------------------------------------------


def several(*incidents: Incident) -> list[Incident]:
    return [replace(each, id=f"inc_{number}") for number, each in enumerate(incidents, 1)]


def together(*reasons: Reason, standing: Standing = "waits", post: str = "ntf_1") -> list[Told]:
    """One post about the first incidents, in their order."""
    return [promised(reason, WARNING, standing, post=post, of=f"inc_{n}") for n, reason in enumerate(reasons, 1)]


def by_incident(planned: Plan) -> dict[str, str]:
    return {key.incident_id: key.reason.value for key in planned.notifications}


@pytest.mark.parametrize(
    ("found", "before", "told", "planned"),
    [
        ([OPEN, ENDED], [OPEN, OPEN], (FIRED, FIRED), ["fired", "fired_and_ended"]),
        ([OPEN, OPEN, ENDED], [OPEN, OPEN, OPEN], (FIRED, FIRED, FIRED), ["fired", "fired", "fired_and_ended"]),
        # One that had ended in an earlier cycle, and was only queued so.
        ([ENDED, ENDED], [ENDED, OPEN], (LATE, FIRED), ["fired_and_ended", "fired_and_ended"]),
        ([ENDED, OPEN], [ENDED, ENDED], (LATE, LATE), ["fired_and_ended", "fired"]),
        # Only what is still to be told.
        ([OPEN, GONE], [OPEN, OPEN], (FIRED, FIRED), ["fired", None]),
        ([TAKEN_BACK, ENDED], [OPEN, OPEN], (FIRED, FIRED), [None, "fired_and_ended"]),
        ([OPEN, OPEN], [OPEN, OPEN], (FIRED, FIRED), [None, None]),
    ],
)
def test_when_one_of_several_in_a_post_changes_all_are_said_anew(
    found: list[Incident], before: list[Incident], told: tuple[Reason, ...], planned: list[str | None]
) -> None:
    plan = plan_of(several(*found), together(*told), before=several(*before), routes=EVERYWHERE)
    assert by_incident(plan) == {f"inc_{n}": reason for n, reason in enumerate(planned, 1) if reason is not None}
    assert plan.recalled == ({"ntf_1"} if any(planned) else frozenset())


def test_ends_that_wait_are_said_anew_with_the_others() -> None:
    told = [*together(FIRED, FIRED, FIRED, standing="sent"), *together(RESOLVED, RESOLVED, post="ntf_2")]
    found = [ENDED, ENDED, incident(CRITICAL)]
    plan = plan_of(several(*found), told, routes=EVERYWHERE)
    assert by_incident(plan) == {"inc_1": "resolved", "inc_2": "resolved", "inc_3": "escalated"}
    assert [key.ordinal for key in plan.notifications] == [2, 2, 1]
    assert plan.recalled == {"ntf_2"}


def test_all_that_waits_in_a_conversation_is_one_message() -> None:
    told = [*together(FIRED, FIRED), promised(ESCALATED, CRITICAL, "waits", post="ntf_2")]
    plan = plan_of(several(incident(CRITICAL), ENDED), told, before=several(OPEN, OPEN), routes=EVERYWHERE)
    assert by_incident(plan) == {"inc_1": "fired", "inc_2": "fired_and_ended"}
    assert plan.recalled == {"ntf_1", "ntf_2"}


def test_nothing_is_taken_back_from_other_conversations_or_targets() -> None:
    told = [
        *together(FIRED),
        promised(FIRED, WARNING, "waits", of="inc_2", post="ntf_2", conversation=Conversation("cnv_2", "it", None)),
        promised(FIRED, WARNING, "waits", target="pager", post="ntf_3", conversation=Conversation("cnv_3", "", None)),
    ]
    rose = incident(CRITICAL)
    plan = plan_of(several(ENDED, OPEN), told, before=several(OPEN, OPEN), routes=EVERYWHERE)
    assert (plan.recalled, by_incident(plan)) == ({"ntf_1", "ntf_3"}, {"inc_1": "fired_and_ended"})
    plan = plan_of(several(OPEN, rose), told, routes=EVERYWHERE)
    assert (plan.recalled, by_incident(plan)) == ({"ntf_2"}, {"inc_2": "fired"})


# ---- what is owed ----------------------------------------------------------------------------------------------------


def owed(
    told: Iterable[Word], which: Incident = ENDED, *, hours: float = 1, before: Sequence[Incident] | None = None
) -> list[str]:
    """What ops is told so many hours after something was promised and taken back; the end is known for long."""
    records = [replace(each, decided_at=at(100)) for each in words(*told)]
    return heard(plan_of(which, records, before=before, routes=EVERYWHERE, now=at(100 + hours)))


@pytest.mark.parametrize(
    ("told", "planned"),
    [
        ([(FIRED, WARNING, "recalled")], ["fired_and_ended"]),
        ([(LATE, WARNING, "recalled")], ["fired_and_ended"]),
        ([(FIRED, INFO, "recalled"), (ESCALATED, WARNING, "recalled")], ["fired_and_ended"]),
        ([(FIRED, INFO, "recalled"), (UPDATED, WARNING, "recalled")], ["fired_and_ended"]),
        ([(LATE, INFO, "sent"), (LATE, WARNING, "recalled")], ["fired_and_ended"]),
        ([(LATE, INFO, "sent"), (LATE, WARNING, "recalled"), (UPDATED, WARNING, "sent")], ["fired_and_ended"]),
        ([(FIRED, WARNING, "recalled"), (RESOLVED, WARNING, "recalled")], ["fired_and_ended"]),
        # Nothing more is owed once it was said, or tried, or was known to begin with.
        ([(FIRED, WARNING, "recalled"), (LATE, WARNING, "sent")], []),
        ([(FIRED, WARNING, "recalled"), (LATE, WARNING, "dead")], []),
        ([(LATE, WARNING, "sent"), (FIRED, WARNING, "recalled")], []),
        ([(FIRED, WARNING, "sent"), (RESOLVED, WARNING, "sent"), (UPDATED, CRITICAL, "recalled")], []),
        ([(FIRED, WARNING, "sent"), (RESOLVED, WARNING, "recalled")], ["resolved"]),
        ([(FIRED, WARNING, "sent"), (ESCALATED, CRITICAL, "recalled")], ["resolved"]),
        ([(FIRED, WARNING, "dead")], []),
        ([], []),
    ],
)
def test_what_was_promised_and_taken_back_is_owed_however_old(told: list[Word], planned: list[str]) -> None:
    assert owed(told) == planned


@pytest.mark.parametrize(
    ("rank", "hours", "told"), [(WARNING, 167, True), (WARNING, 168, False), (CRITICAL, 168, False)]
)
def test_what_was_promised_a_week_ago_is_owed_no_more(rank: int, hours: float, told: bool) -> None:
    assert bool(owed([(FIRED, rank, "recalled")], incident(rank, ended=True), hours=hours)) is told


def test_what_was_found_months_after_its_end_is_not_lost_when_another_of_its_post_changes() -> None:
    late = incident(CRITICAL, ended=True)
    for now in (at(24 * 60), at(24 * 60 + 70)):
        told = [replace(each, decided_at=at(24 * 60)) for each in together(LATE, FIRED)]
        plan = plan_of(several(late, GONE), told, before=several(late, OPEN), routes=EVERYWHERE, now=now)
        assert by_incident(plan) == {"inc_1": "fired_and_ended"}


@pytest.mark.parametrize(("which", "planned"), [(incident(looks_over=True), ["fired"]), (GONE, []), (TAKEN_BACK, [])])
def test_what_looks_over_is_owed_and_what_closed_is_not(which: Incident, planned: list[str]) -> None:
    assert owed([(FIRED, WARNING, "recalled")], which) == planned


def test_what_rose_beyond_those_who_were_promised_it_is_told_them_all_the_same() -> None:
    """Warnings go to ops, what is critical to the pager alone, and ops fails."""
    routes = {"it": {Severity.WARNING: ["ops"], Severity.CRITICAL: ["pager"]}}
    told = words((FIRED, WARNING, "waits"))
    rose, over = incident(CRITICAL), incident(CRITICAL, ended=True)
    assert said(plan_of(rose, told, routes=routes)) == [("pager", "fired", 1)]
    told.append(promised(FIRED, CRITICAL, target="pager", conversation=Conversation("cnv_2", "it", None)))
    found = plan_of(over, told, before=[rose], routes=routes)
    assert said(found) == [("pager", "resolved", 1), ("ops", "fired_and_ended", 1)]
    assert found.recalled == {"ntf_0"}


def test_what_rose_beyond_them_is_not_lost_when_another_of_its_post_changes() -> None:
    routes = {"it": {Severity.WARNING: ["ops"], Severity.CRITICAL: ["pager"]}}
    plan = plan_of(
        several(incident(CRITICAL), ENDED), together(FIRED, FIRED), before=several(OPEN, OPEN), routes=routes
    )
    assert said(plan) == [("pager", "fired", 1), ("ops", "fired", 2), ("ops", "fired_and_ended", 1)]


def test_who_is_not_listed_any_more_is_owed_no_reminder() -> None:
    told = words((FIRED, WARNING, "sent"), (REMINDER, WARNING, "recalled"))
    assert said(plan_of(OPEN, told, routes={}, remind=DAY, now=at(200))) == []
    assert said(plan_of(incident(CRITICAL), told, routes={}, remind=DAY)) == []


# ---- another chance --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("which", "told", "given_up", "pardoned"),
    [
        (OPEN, [FIRED], [], ["fired"]),
        (ENDED, [FIRED], [], ["fired_and_ended"]),
        (incident(CRITICAL), [FIRED], ["fired"], ["fired"]),
        (GONE, [FIRED], [], []),
    ],
)
def test_what_was_given_up_is_said_anew_once_it_gets_another_chance(
    which: Incident, told: list[Reason], given_up: list[str], pardoned: list[str]
) -> None:
    assert heard(plan_of(which, words(*((each, WARNING, "dead") for each in told)), routes=EVERYWHERE)) == given_up
    assert heard(plan_of(which, words(*((each, WARNING, "recalled") for each in told)), routes=EVERYWHERE)) == pardoned


@pytest.mark.parametrize(
    ("which", "reason", "planned"),
    [(ENDED, RESOLVED, "resolved"), (GONE, CLOSED, "closed"), (TAKEN_BACK, RETRACTED, "retracted")],
)
def test_who_never_heard_of_an_end_hears_of_it_once_there_is_another_chance(
    which: Incident, reason: Reason, planned: str
) -> None:
    assert heard(plan_of(which, words((FIRED, WARNING, "sent"), (reason, WARNING, "dead")))) == []
    found = plan_of(which, words((FIRED, WARNING, "sent"), (reason, WARNING, "recalled")))
    assert said(found) == [("ops", planned, 2)]


def test_what_posts_said_is_taken_back_with_them() -> None:
    told = [*together(FIRED, FIRED), *together(LATE, post="ntf_2")]
    assert [each.recalled for each in taken_back(told, {"ntf_1"})] == [True, True, False]
    assert taken_back(told, frozenset()) == told
