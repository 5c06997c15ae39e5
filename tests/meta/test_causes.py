"""The table of causes against what the source really writes, and what each cause needs to be told."""

from __future__ import annotations

import pytest

from tests.meta.making import ANA, ANA_DAYS, DAYS, HOURS, SKILLS, found, polls, seen, told
from usage_watch import meta
from usage_watch.core.message import Severity
from usage_watch.core.series import Feed
from usage_watch.meta import causes
from usage_watch.source.errors import Fault


@pytest.mark.parametrize("fault", Fault)
def test_a_fault_is_called_here_what_the_source_calls_it(fault: Fault) -> None:
    assert getattr(causes, fault.name) == fault.value


def test_every_fault_of_the_source_is_of_exactly_one_cause() -> None:
    assert sorted(fault for cause in causes.CAUSES for fault in cause.faults) == sorted(Fault)


def test_the_rules_are_all_causes_once() -> None:
    assert meta.RULES == (
        "meta:source_unreachable",
        "meta:source_throttled",
        "meta:auth_revoked",
        "meta:feature_disabled",
        "meta:schema_drift",
        "meta:feed_refused",
        "meta:member_gone",
        "meta:stale_frontier",
        "meta:history_gap",
        "meta:limit_hit",
        "meta:template_error",
        "meta:large_revision",
        "meta:delivery_blocked",
        "meta:delivery_lagging",
        "meta:delivery_given_up",
        "meta:config_rejected",
    )


@pytest.mark.parametrize("cause", causes.CAUSES, ids=lambda cause: cause.rule.id)
def test_a_cause_lists_its_levels_and_keeps_each_line_short_enough_to_be_shown_whole(cause: causes.Cause) -> None:
    assert list(cause.levels) == sorted(cause.levels, key=lambda severity: severity.weight)
    assert list(cause.levels.values()) == sorted(cause.levels.values())
    assert all(len(fact.value) <= 200 for fact in causes.facts_of(cause))


@pytest.mark.parametrize(
    ("outcomes", "every", "now", "expected"),
    [
        # Three attempts and half an hour.
        ("uuu", 10, 29, []),
        ("uuu", 10, 30, ["source_unreachable warning 0-"]),
        ("u  u", 10, 35, []),
        ("u.u.u.u.u", 10, 80, []),
        ("uuu.", 10, 30, []),  # just healed
        ("uuuu.", 10, 40, ["source_unreachable warning 0-40"]),
        # One cause in three forms; critical at six hours.
        ("usbusb", 60, 359, ["source_unreachable warning 0-"]),
        ("usbusb", 60, 360, ["source_unreachable critical 0-"]),
        ("usbusb.", 60, 360, ["source_unreachable warning 0-360"]),
        ("usbusbu.", 60, 430, ["source_unreachable critical 0-420"]),
        (".uuuuu.uuuuu.", 10, 120, ["source_unreachable warning 10-60", "source_unreachable warning 70-120"]),
        # An hour without an answer, however often it was asked.
        ("t", 10, 59, []),
        ("t", 10, 60, ["source_throttled warning 0-"]),
        ("tt.", 30, 60, []),
        ("ttt.", 30, 90, ["source_throttled warning 0-90"]),
        ("t" * 13, 60, 720, ["source_throttled warning 0-"]),
        # A refused key, twice and a minute apart.
        ("k", 1, 60, []),
        ("kk", 0.5, 60, []),
        ("kkk", 0.5, 60, ["auth_revoked critical 0-"]),
        ("kk", 1, 1, ["auth_revoked critical 0-"]),
        ("kk.", 1, 9, ["auth_revoked critical 0-2"]),
        ("k.k", 1, 9, []),
        # What a second attempt confirms.
        ("f", 1, 60, []),
        ("ff", 1, 1, ["feature_disabled warning 0-"]),
        ("d", 1, 60, []),
        (".d.d.d.", 1, 60, []),
        ("dd", 1, 1, ["schema_drift credit_usage 1h warning 0-"]),
        ("r", 60, 60, []),
        ("rq", 60, 60, ["feed_refused credit_usage 1h warning 0-"]),
        # The source itself asked twice.
        ("m", 60, 0, ["member_gone everyone warning 0-"]),
        ("m.", 0, 0, []),  # healed at the same instant
        # One cause at a time: another fault ends it.
        ("uuuutttttttt", 10, 110, ["source_unreachable warning 0-40", "source_throttled warning 40-"]),
        ("ukukuk", 10, 60, []),
        ("uuuu?", 10, 99, ["source_unreachable warning 0-40"]),
        ("????", 60, 999, []),
        ("....", 10, 99, []),
        ("", 10, 99, []),
    ],
)
def test_a_cause_is_told_once_it_has_shown_itself(outcomes: str, every: float, now: float, expected: list[str]) -> None:
    assert told(seen(polls(outcomes, every=every)), now) == expected


def test_the_rank_grows_with_the_severity() -> None:
    ranks = {each.severity: each.rank for each in found(seen(polls("uuuu" + 9 * " " + "kk", every=10)), 200)}
    assert ranks == {Severity.WARNING: 2, Severity.CRITICAL: 3}


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        # The source as a whole: one incident, from the first to the last.
        ({HOURS: "uuuu.", DAYS: " uuuuu."}, ["source_unreachable warning 0-60"]),
        ({HOURS: "uuuu.", DAYS: "     uuuu."}, ["source_unreachable warning 0-40", "source_unreachable warning 50-90"]),
        ({HOURS: "uuuu.", DAYS: "    uuuu."}, ["source_unreachable warning 0-80"]),  # they touch
        ({HOURS: "kk.", DAYS: " k."}, ["auth_revoked critical 0-20"]),
        # One that is too short to be told of keeps open what it touches.
        ({HOURS: "uuuu......", DAYS: "   uu."}, ["source_unreachable warning 0-50"]),
        ({HOURS: "uu", DAYS: " uu"}, []),
        # Other causes are other incidents.
        (
            {HOURS: "uuuu.", DAYS: "kkkk."},
            ["source_unreachable warning 0-40", "auth_revoked critical 0-40"],
        ),
        # A feed alone.
        (
            {HOURS: "dd.", SKILLS: "ddd."},
            ["schema_drift credit_usage 1h warning 0-20", "schema_drift skills 1h warning 0-30"],
        ),
        # A member's feeds are one member's.
        ({ANA: "mm.", ANA_DAYS: " mm."}, ["member_gone ana@example.com warning 0-30"]),
    ],
)
def test_what_fails_together_is_one_incident(outcomes: dict[Feed, str], expected: list[str]) -> None:
    sight = seen(*(polls(letters, feed) for feed, letters in outcomes.items()), feeds=list(outcomes))
    assert told(sight, 200) == expected


def test_a_feed_that_no_rule_needs_any_more_is_nobodys_trouble() -> None:
    sight = seen(polls("kkk", HOURS), polls("ddd", SKILLS), feeds=[DAYS])
    assert told(sight, 60) == []


def test_a_feed_that_heals_leaves_those_that_still_fail() -> None:
    sight = seen(polls("uuuu.", HOURS), polls("uuuuuu", DAYS), feeds=[HOURS, DAYS])
    [open_one] = found(sight, 55)
    assert open_one.ended_at is None
    assert open_one.evidence.summary.startswith("credit_usage 1d could not be read since 09:00")
