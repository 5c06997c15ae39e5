from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.builders import HOURLY, MEMBER_DAYS, feed_history
from usage_watch.core.selection import Choice, Selection, fold_label, relevant, select
from usage_watch.core.series import HOUR, Feed


@pytest.mark.parametrize(
    ("patterns", "negated", "takes", "leaves"),
    [
        (("paid",), False, ["paid"], ["prepaid", "paid ", "Paid", ""]),
        (("a", "b"), False, ["a", "b"], ["ab", "c"]),
        (("claude-*",), False, ["claude-", "claude-opus-4-8"], ["sonar", "x-claude-opus"]),
        (("*mini*",), False, ["mini", "gpt-mini-2"], ["max"]),
        (("*",), False, ["", "a", "a\nb"], []),
        (("a.c", "x[1]", "(y)"), False, ["a.c", "x[1]", "(y)"], ["abc", "x1", "y"]),
        (("",), False, [""], ["a"]),
        (("paid", "promo*"), True, ["free"], ["paid", "promo-1"]),
    ],
)
def test_a_choice_takes_what_matches_and_only_a_star_is_special(
    patterns: tuple[str, ...], negated: bool, takes: list[str], leaves: list[str]
) -> None:
    choice = Choice(patterns, negated)
    assert [value for value in takes + leaves if choice.takes(value)] == takes


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (Choice(("claude-*",)), "claude-*"),
        (Choice(("a", "b")), "a or b"),
        (Choice(("a", "b"), negated=True), "all but a or b"),
    ],
)
def test_a_choice_is_said_in_words(choice: Choice, said: str) -> None:
    assert choice.said == said


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_pattern_without_a_star_takes_exactly_itself(pattern: str, value: str) -> None:
    literal = pattern.replace("*", "")
    assert Choice((literal,)).takes(value) == (literal == value)


@pytest.mark.parametrize("label", ["Credit Source", "credit_source", "CREDIT SOURCE", "credit source"])
def test_an_axis_may_be_spelled_in_any_case(label: str) -> None:
    assert fold_label(label) == "credit source"


ALL = {
    "": [10, 20, 30],
    "Model=opus": [6, 10, 9],
    "Model=sonar": [4, 9, 20],
    "Model=opus-mini": [0, 1, 1],
    "Credit Source=paid": [1, 2, 3],
}


def series(history: Any, **fields: Any) -> list[tuple[dict[str, str], list[int], list[int]]]:
    """Labels, counts and totals."""
    found = select(history, Selection(**fields))
    return [(dict(each.labels), each.counts.tolist(), each.totals.tolist()) for each in found]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [({}, [10, 20, 30])]),
        ({"axis": "Model"}, [({}, [10, 20, 30])]),
        ({"axis": "Model", "choice": Choice(("opus",))}, [({}, [6, 10, 9])]),
        ({"axis": "model", "choice": Choice(("opus*",))}, [({}, [6, 11, 10])]),
        ({"axis": "Model", "choice": Choice(("opus*",), negated=True)}, [({}, [4, 9, 20])]),
        ({"axis": "credit_source", "choice": Choice(("paid", "free"))}, [({}, [1, 2, 3])]),
        ({"axis": "Model", "choice": Choice(("none",))}, [({}, [0, 0, 0])]),
        ({"axis": "Model", "choice": Choice(("o*",)), "for_each": "Model"}, None),
        ({"axis": "model", "for_each": "model"}, "every"),
        ({"axis": "Skill", "for_each": "Skill"}, []),
    ],
)
def test_where_narrows_and_for_each_splits(fields: dict[str, Any], expected: Any) -> None:
    each = {"opus": [6, 10, 9], "opus-mini": [0, 1, 1], "sonar": [4, 9, 20]}
    if expected in (None, "every"):  # labels are spelled as the source does
        expected = [({"Model": name}, counts) for name, counts in each.items() if expected or name != "sonar"]
    found = series(feed_history(ALL), **fields)
    assert [(labels, counts) for labels, counts, _ in found] == expected
    assert all(totals == [10, 20, 30] for _, _, totals in found)


MEMBERS = {
    "ana@x": [5, 5],
    "ana@x Model=opus": [5, 1],
    "bo@x": [1, 2],
    "bo@x Model=sonar": [1, 2],
    "cy@x": [3, 0],
}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [({}, [9, 7], [9, 7])]),
        ({"member": "Ana@X"}, [({}, [5, 5], [5, 5])]),
        ({"member": "dan@x"}, [({}, [0, 0], [0, 0])]),
        ({"axis": "Model", "choice": Choice(("opus",))}, [({}, [5, 1], [9, 7])]),
        ({"axis": "Model", "choice": Choice(("opus",)), "member": "ana@x"}, [({}, [5, 1], [5, 5])]),
        (
            {"for_each": "member"},
            [
                ({"member": "ana@x"}, [5, 5], [5, 5]),
                ({"member": "bo@x"}, [1, 2], [1, 2]),
                ({"member": "cy@x"}, [3, 0], [3, 0]),
            ],
        ),
        (
            {"axis": "Model", "choice": Choice(("opus",)), "for_each": "member"},
            [
                ({"member": "ana@x"}, [5, 1], [5, 5]),
                ({"member": "bo@x"}, [0, 0], [1, 2]),
                ({"member": "cy@x"}, [0, 0], [3, 0]),
            ],
        ),
        (
            {"axis": "Model", "for_each": "Model", "member": "bo@x"},
            [({"Model": "sonar"}, [1, 2], [1, 2])],
        ),
    ],
)
def test_members_are_narrowed_and_split_alike(fields: dict[str, Any], expected: Any) -> None:
    assert series(feed_history(MEMBERS, MEMBER_DAYS), **fields) == expected


@pytest.mark.parametrize("counts", [ALL, MEMBERS, {}])
@pytest.mark.parametrize("axis", [None, "model", "Credit Source", "Skill"])
@pytest.mark.parametrize("choice", [None, Choice(("opus", "paid"))])
@pytest.mark.parametrize("member", [None, "ANA@x"])
@pytest.mark.parametrize("for_each", [None, "member", "axis"])
def test_of_a_feed_only_totals_and_what_is_taken_of_one_axis_are_relevant(
    counts: dict[str, list[int]], axis: str | None, choice: Choice | None, member: str | None, for_each: str | None
) -> None:
    whole = feed_history(counts, MEMBER_DAYS, unanswered={"Model": (1,)} if counts else None)
    selection = Selection(axis, choice, member, axis if for_each == "axis" else for_each)
    some = relevant(whole, selection)
    assert [(each.labels, each.counts.tolist(), each.known.tolist()) for each in select(some, selection)] == [
        (each.labels, each.counts.tolist(), each.known.tolist()) for each in select(whole, selection)
    ]
    assert {key.axis for key in some.counts} <= {None, {"model": "Model"}.get(axis or "", axis)}
    assert choice is None or {key.category for key in some.counts} <= {None, *choice.patterns}


def test_the_feed_of_one_member_is_that_members_usage() -> None:
    history = feed_history({"": [1, 2], "Model=opus": [1, 0]}, Feed("credit_usage", HOUR, "ana@x"))
    assert series(history, axis="Model", choice=Choice(("opus",)), member="ANA@x") == [({}, [1, 0], [1, 2])]


def test_an_axis_is_known_only_where_it_was_answered() -> None:
    history = feed_history(ALL, holes=(0,), unanswered={"Model": (2,)})
    assert [each.known.tolist() for each in select(history, Selection())] == [[False, True, True]]
    assert [each.known.tolist() for each in select(history, Selection("Model"))] == [[False, True, False]]
    assert [each.known.tolist() for each in select(history, Selection("Skill"))] == [[False] * 3]


def test_without_for_each_there_is_one_series_even_of_nothing() -> None:
    assert series(feed_history({}, HOURLY)) == [({}, [], [])]
    assert series(feed_history({}, MEMBER_DAYS), for_each="member") == []
