"""A few rounds of `benchmarks/sigkill.py`: SIGKILL from outside at chosen moments, and receivers that are down."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from kills.hearing import Heard, Verdict, everywhere, judge
from kills.rounds import play
from sigkill import STORIES

AT = datetime(2026, 11, 20, 2, tzinfo=UTC)
TOLD = [Heard(target, "loud", "fired", f"ntf_{target}", None, AT) for target in ("ops", "finance", "pager")]
ENDED = [Heard(target, "loud", "resolved", f"ntf_{target}2", None, AT) for target in ("ops", "finance", "pager")]
OTHER = Heard("ops", "loud", "fired", "ntf_other", None, AT)


@pytest.mark.parametrize(
    ("figure", "rounds"),
    [("told", (0, 1)), ("before_end", (0, 3)), ("ack", (0, 1)), ("silence", (0, 5))],
)
def test_a_kill_loses_nothing_and_repeats_nothing_that_was_recorded(figure: str, rounds: Sequence[int]) -> None:
    played = list(play(STORIES[figure], rounds))
    assert [(each.number, each.verdict.words, each.broken) for each in played] == [(n, (), "") for n in rounds]


def test_what_began_and_ended_while_a_receiver_was_down_is_told_once() -> None:
    played = list(play(STORIES["outage"], (0, 4)))
    assert [each.variant for each in played] == ["ops refused", "finance failing"]
    assert [(each.verdict.words, each.broken) for each in played] == [((), "")] * 2


@pytest.mark.parametrize(
    ("heard", "excused", "lost", "surplus", "misplaced", "copies"),
    [
        ([*TOLD, *ENDED], (), 0, 0, 0, 0),
        ([*TOLD, *ENDED[1:]], (), 1, 0, 0, 0),
        ([*TOLD, TOLD[0], *ENDED], (), 0, 1, 0, 0),
        ([*TOLD, TOLD[0], *ENDED], ("ntf_ops",), 0, 0, 0, 1),
        ([*TOLD, TOLD[0], TOLD[0], *ENDED], ("ntf_ops",), 0, 1, 0, 1),
        ([*TOLD, OTHER, *ENDED], ("ntf_ops",), 0, 1, 0, 0),
        ([*ENDED, *TOLD], (), 0, 0, 3, 0),
        ([*TOLD, *ENDED, Heard("ops", "meta:limit_hit", "fired", "ntf_x", None, AT)], (), 0, 1, 0, 0),
    ],
    ids=[
        "as it should be",
        "an end is missing",
        "a copy",
        "an excused copy",
        "two copies of which one is excused",
        "the same under another id",
        "the end first",
        "what nobody asked for",
    ],
)
def test_what_was_heard_is_weighed(
    heard: Sequence[Heard], excused: Sequence[str], lost: int, surplus: int, misplaced: int, copies: int
) -> None:
    verdict = judge(heard, everywhere("loud", "fired", "resolved"), excused)
    assert verdict == Verdict(lost, surplus, misplaced, copies, verdict.words)
    assert verdict.good is (verdict.words == ())
