"""The sentence at the top, from budgets and feeds of all kinds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.cli.office import NOW
from tests.views.found import ACK, INCIDENT, READER, SILENCE
from usage_watch.core.message import Severity
from usage_watch.core.periods import Span
from usage_watch.core.targetstate import TargetState
from usage_watch.rules.budget import BudgetRule
from usage_watch.views.budgets.state import Ahead, Budget, Line
from usage_watch.views.freshness import Freshness
from usage_watch.views.glance import Tone, glance, needs_somebody
from usage_watch.views.orders import Word
from usage_watch.views.standing import Standing

DAY = timedelta(days=1)
FEED = Freshness(
    feed="credit_usage 1h",
    dataset="credit_usage",
    bucket="1h",
    scope="everyone",
    data_until=NOW,
    settled_until=NOW,
    polled_at=NOW - timedelta(minutes=12),
    next_poll_at=NOW,
    overdue=False,
    stale_from=None,
    usual_lag_seconds=0,
    lag_learned_from=0,
    zero_age_seconds=0,
    zero_age_learned_from=0,
    failures=0,
    last_error=None,
)
READ = "usage until 15:05, read at 14:53"
NOTHING = Standing([FEED], [], [], {}, [], [], {}, [])
AHEAD = Ahead(120_000.0, 120_000.0, 0.97, 1e5, 1.4e5, 0.97, NOW + 15 * DAY, NOW + 19 * DAY, None, None)
WARNING = replace(INCIDENT, id="inc_2", severity=Severity.WARNING)


def budget(spent: float, over: float | None = None, more: int = 0, **settings: Any) -> Budget:
    rule = BudgetRule.model_validate({"id": "cycle", "kind": "budget", "limit": 100_000, **settings})
    ahead = None if over is None else replace(AHEAD, over=over, median=100_000 + 40_000 * (over - 0.5))
    lines = [Line({"member": f"{place}"}, 100_000.0, spent, None, ahead) for place in range(1 + more)]
    return Budget(rule, READER.zone, Span(NOW - DAY, NOW + 20 * DAY), None, lines, [], 60, None, FEED, [], None, {})


def said(**changes: Any) -> str:
    return "; ".join(each.text for each in glance(replace(NOTHING, **changes), READER))


@pytest.mark.parametrize(
    ("budgets", "money"),
    [
        ([], []),
        ([budget(50_000)], ["no budget is over its limit"]),
        ([budget(50_000, 0.05)], ["the budget should last"]),
        ([budget(50_000, 0.05), budget(9.0)], ["the budgets should last"]),
        ([budget(50_000, 0.3)], ["cycle: may run over (30 %)"]),
        ([budget(50_000, 0.97)], ["cycle: likely over on Fri 11 Dec, by 18,800 at the end"]),
        ([budget(124_200)], ["cycle: over by 24,200"]),
        ([budget(124_200, title="Credits")], ["Credits: over by 24,200"]),
        ([budget(124_200, title="Credits of $series")], ["cycle: over by 24,200"]),
        ([budget(124_200, more=2, for_each="member")], ["cycle: 3 of 3 over"]),
        ([budget(50_000, more=2, for_each="member")], ["no budget is over its limit"]),
        (
            [budget(50_000, 0.97), budget(50_000, 0.3), budget(2e5, title="Pool"), budget(50_000, 0.2)],
            [
                "Pool: over by 100,000",
                "cycle: likely over on Fri 11 Dec, by 18,800 at the end",
                "2 more budgets in trouble",
            ],
        ),
    ],
)
def test_what_becomes_of_the_money_comes_first_and_the_worst_of_that(budgets: list[Budget], money: list[str]) -> None:
    assert said(budgets=budgets) == "; ".join([*money, "nothing needs you", READ])


def test_a_budget_without_series_says_nothing() -> None:
    assert said(budgets=[replace(budget(5), lines=[])]) == f"no budget is over its limit; nothing needs you; {READ}"


def test_nothing_is_promised_of_a_budget_that_was_never_read() -> None:
    unread = [replace(budget(0), feed=each) for each in (None, replace(FEED, polled_at=None))]
    assert said(budgets=unread) == f"nothing needs you; {READ}"
    assert said(budgets=[*unread, budget(5, 0.05)]).startswith("the budget should last; ")


@pytest.mark.parametrize(
    ("word", "needed"),
    [(Word(), ["inc_1"]), (Word(ACK, known=True), []), (Word(ACK), ["inc_1"]), (Word(silence=SILENCE), [])],
)
def test_who_is_known_or_held_back_needs_nobody(word: Word, needed: list[str]) -> None:
    assert needs_somebody(replace(NOTHING, open=[INCIDENT], words={"inc_1": word})) == needed


@pytest.mark.parametrize(
    ("severity", "word", "clause"),
    [
        (Severity.WARNING, Word(silence=SILENCE), "nothing needs you, with 1 alert held back"),
        (Severity.WARNING, Word(ACK, known=True, silence=SILENCE), "nothing needs you"),
        (Severity.INFO, Word(silence=SILENCE), "nothing needs you"),
    ],
)
def test_who_silences_everything_has_not_mended_it(severity: Severity, word: Word, clause: str) -> None:
    open_ones = [replace(INCIDENT, severity=severity)]
    assert said(open=open_ones, words={"inc_1": word}) == f"{clause}; {READ}"


@pytest.mark.parametrize("how", ["blocked_from", "failing_from", "unstated_from"])
def test_a_channel_that_takes_nothing_is_said(how: str) -> None:
    channels = [TargetState("screen", waiting=1), TargetState("slack", **{how: NOW})]
    found = glance(replace(NOTHING, channels=channels), READER)
    assert [(each.text, each.tone) for each in found][1] == ("messages to slack do not get through", Tone.CRITICAL)


def test_a_watcher_that_cannot_work_says_so_at_last() -> None:
    last = glance(NOTHING, READER, hindered=True)[-1]
    assert (last.text, last.tone) == ("the watcher is in trouble", Tone.CRITICAL)


def test_what_is_for_information_needs_nobody() -> None:
    assert said(open=[replace(INCIDENT, severity=Severity.INFO)]) == f"nothing needs you; {READ}"


def test_alerts_are_counted_and_the_gravest_sets_the_tone() -> None:
    tones = [
        next(each.tone for each in glance(replace(NOTHING, open=found), READER))
        for found in ([], [WARNING], [WARNING, INCIDENT])
    ]
    assert tones == [Tone.WELL, Tone.WARNING, Tone.CRITICAL]
    assert said(open=[WARNING]) == f"1 alert needs you; {READ}"
    assert said(open=[WARNING, INCIDENT]) == f"2 alerts need you; {READ}"


@pytest.mark.parametrize(
    ("feeds", "clause", "tone"),
    [
        ([], "nothing is watched: no rule is enabled", Tone.WARNING),
        ([replace(FEED, polled_at=None)], "nothing is read yet", Tone.WARNING),
        ([replace(FEED, data_until=None)], "read at 14:53", Tone.WELL),
        ([FEED, replace(FEED, bucket="1d", data_until=NOW - DAY)], READ, Tone.WELL),
        ([replace(FEED, polled_at=NOW - DAY)], "usage until 15:05, read at Sat 21 Nov 15:05", Tone.WELL),
        ([replace(FEED, overdue=True)], f"{READ} and not since", Tone.WARNING),
        ([FEED, replace(FEED, stale_from=NOW)], "the source's sync seems to stand", Tone.WARNING),
        ([replace(FEED, stale_from=NOW), replace(FEED, failures=3)], "1 of 2 feeds cannot be read", Tone.WARNING),
        ([replace(FEED, stale_from=NOW, failures=1)], "the source cannot be read", Tone.CRITICAL),
    ],
)
def test_how_it_goes_with_the_data_comes_last(feeds: list[Freshness], clause: str, tone: Tone) -> None:
    last = glance(replace(NOTHING, feeds=feeds), READER)[-1]
    assert (last.text, last.tone) == (clause, tone)
