from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.office import NOW
from tests.views.found import ACK, EVIDENCE, HOUR, INCIDENT, READER, SILENCE
from usage_watch.core.incident import Incident
from usage_watch.core.message import RuleName, Severity
from usage_watch.views.incidents import as_of, explained, is_open, line, named, urgent, what
from usage_watch.views.orders import Word, notes


def test_everything_that_there_is_to_know_is_told() -> None:
    assert list(explained(INCIDENT, READER)) == [
        ("Incident", "inc_1"),
        ("Rule", "hourly (threshold): Hourly credits"),
        ("Model", "claude-opus-4-8"),
        ("What", "12,345 credits in 3 h, over the critical limit of 10,000"),
        ("Severity", "critical"),
        ("Since", "14:05"),
        ("Until", "open"),
        ("Judged", "credit_usage, 12:00–15:00 (times in Europe/Berlin)"),
        ("Value", "12,345 credits, at its worst; limit 10,000"),
        ("Score", "7.25"),
        ("Usual for this hour", "3,100 to 4,900"),
        ("By Model", "claude-opus-4-8 +8,800 (71 %)"),
        ("By Model", "claude-sonnet-4-8 -200 (2 %)"),
        ("What to do", "https://wiki.example.com/x"),
    ]


def test_who_contributed_is_said_once() -> None:
    evidence = replace(EVIDENCE, why="+8,800 credits against the usual (+248 %): 71 % claude-opus-4-8")
    rows = list(explained(replace(INCIDENT, evidence=evidence), READER, tabled=True))
    assert ("Why", evidence.why) in rows
    assert "By Model" not in dict(rows)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"closed": "Its rule was removed."}, " (Its rule was removed)"),
        ({"history": True, "ended_at": NOW}, " (from before the rule was first seen, told to nobody)"),
        ({"history": True, "looks_over": True}, " (looks over, waiting for data to settle; told to nobody)"),
        ({"looks_over": True}, " (looks clear, waiting for data to settle)"),
        (
            {"closed": "The source revised it: 12,345 credits turned out to be nothing.", "retracted": True},
            " (taken back, the source revised it: 12,345 credits turned out to be nothing)",
        ),
    ],
)
def test_a_line_says_what_became_of_it(changes: dict[str, Any], said: str) -> None:
    assert what(replace(INCIDENT, **changes)) == f"claude-opus-4-8: {EVIDENCE.summary}{said}"


@pytest.mark.parametrize(
    ("bucket", "hours_ago", "changes", "said"),
    [
        ("1h", 5, {}, []),
        ("1h", 7, {}, ["as of 08:00"]),
        ("1h", 30, {}, ["as of Sat 21 Nov 09:00"]),
        ("1h", 30, {"ended_at": NOW}, []),
        ("1h", 30, {"rule": RuleName("meta:stale", "meta", "Stale")}, []),
        ("1d", 40, {}, []),
        ("1d", 11 * 24 + 14, {}, ["as of Tue 10 Nov"]),
    ],
)
def test_numbers_of_a_while_ago_are_not_told_as_those_of_now(
    bucket: str, hours_ago: int, changes: dict[str, Any], said: list[str]
) -> None:
    evidence = replace(EVIDENCE, bucket=bucket, until_at=EVIDENCE.until_at - hours_ago * HOUR)
    assert list(as_of(replace(INCIDENT, evidence=evidence, **changes), READER)) == said


def test_a_line_says_of_when_it_is_before_what_people_said() -> None:
    old = replace(INCIDENT, evidence=replace(EVIDENCE, until_at=NOW - 30 * HOUR))
    assert line(old, {"inc_1": Word(ACK, known=True)}, READER).endswith(
        " (as of Sat 21 Nov 09:05; acknowledged by ana)"
    )


def told(**changes: Any) -> dict[str, str]:
    return dict(explained(replace(INCIDENT, **changes), READER))


def test_what_is_said_afterwards_is_said_of_what_has_ended() -> None:
    evidence = replace(EVIDENCE, after="It was all read since.")
    assert "Afterwards" not in told(evidence=evidence)
    assert told(evidence=evidence, ended_at=NOW)["Afterwards"] == "It was all read since."


def test_what_is_of_no_dataset_names_none() -> None:
    assert told(evidence=replace(EVIDENCE, dataset=""))["Judged"] == "12:00–15:00 (times in Europe/Berlin)"


def test_what_looked_over_when_its_rule_was_first_seen_is_settling() -> None:
    settling = told(history=True, looks_over=True)
    assert settling["Until"] == "settling"
    assert settling["History"] == (
        "it looked over when its rule was first seen, and was told to nobody; its data is not settled"
    )
    assert "Now" not in settling


@pytest.mark.parametrize(
    ("word", "said"),
    [
        (Word(), []),
        (Word(ACK, known=True), ["acknowledged by ana"]),
        (Word(ACK, known=False), []),
        (Word(silence=SILENCE), ["silenced until 17:05 by bo"]),
        (Word(ACK, known=True, silence=SILENCE), ["acknowledged by ana", "silenced until 17:05 by bo"]),
    ],
)
def test_a_line_says_what_people_said(word: Word, said: list[str]) -> None:
    assert list(notes(word, READER)) == said


def test_what_became_of_it_comes_before_what_people_said() -> None:
    over = replace(INCIDENT, looks_over=True)
    assert what(over, ["a", "b"]).endswith(" (looks clear, waiting for data to settle; a; b)")


def test_who_knows_and_what_holds_it_back_is_explained() -> None:
    said = dict(explained(INCIDENT, READER, Word(ACK, known=True, silence=SILENCE)))
    assert said["Acknowledged"] == "14:05 by ana: on it"
    assert said["Silenced"] == "until 17:05 by bo (sil_1): load test"
    before = dict(explained(INCIDENT, READER, Word(replace(ACK, note=None))))
    assert before["Acknowledged"] == "14:05 by ana; that was before it rose, ended or came again"
    assert "Silenced" not in before


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (1, "r0 (claude-opus-4-8)"),
        (5, ", ".join(f"r{n} (claude-opus-4-8)" for n in range(5))),
        (6, ", ".join(f"r{n} (claude-opus-4-8)" for n in range(5)) + " and 1 more"),
    ],
)
def test_the_first_are_named_and_the_rest_counted(number: int, said: str) -> None:
    assert named(replace(INCIDENT, rule=RuleName(f"r{n}", "zscore", "")) for n in range(number)) == said


AGES = st.integers(0, 100)


@given(
    st.lists(
        st.builds(
            lambda severity, age, ended, history: replace(
                INCIDENT,
                severity=severity,
                history=history,
                started_at=NOW - age * HOUR,
                ended_at=None if ended is None else NOW - min(ended, age) * HOUR,
            ),
            st.sampled_from(Severity),
            AGES,
            st.none() | AGES,
            st.booleans(),
        )
    )
)
def test_the_most_urgent_is_first(incidents: list[Incident]) -> None:
    ordered = urgent(incidents)
    for one, next_one in pairwise(ordered):
        assert is_open(one) >= is_open(next_one)
        if is_open(one) and is_open(next_one):
            assert (one.severity.weight, one.started_at) >= (next_one.severity.weight, next_one.started_at)
        elif not is_open(one):
            assert over_at(one) >= over_at(next_one)


def over_at(incident: Incident) -> datetime:
    return incident.ended_at or incident.evidence.until_at
