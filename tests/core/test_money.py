"""Amounts beside credits: what they are, where they stand, and where none does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.channels.samples import EVIDENCE, HOUR, NOON, blind, days_later, message, notice
from tests.core.builders import START, feed_history
from tests.rules.making import UTC_FILE, made
from usage_watch.core.message import Evidence, Fact, Notice, Reason
from usage_watch.core.money import Price
from usage_watch.core.pricing import priced
from usage_watch.core.units import quantity
from usage_watch.core.wording import news

USD = Price(10, "USD")


@pytest.mark.parametrize(
    ("per_1000", "credits", "said"),
    [
        (10, 12_345, "123.45 USD"),
        (10, 10_000, "100 USD"),
        (10, 9_990, "99.90 USD"),
        (10, 50, "0.50 USD"),
        (10, 1, "0.01 USD"),
        (0.5, 1, "under 0.01 USD"),
        (10, 0, "0 USD"),
        (10, 99_999, "999.99 USD"),
        (10, 99_999.9, "1,000 USD"),
        (10, 123_456, "1,235 USD"),
        (1_000_000, 5_000_000, "5,000,000,000 USD"),
    ],
)
def test_an_amount_reads_as_one_would_write_it(per_1000: float, credits: float, said: str) -> None:  # noqa: A002
    assert Price(per_1000, "USD").amount(credits) == said


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("12,345 credits in 3 h, over the limit", "12,345 credits (123.45 USD) in 3 h, over the limit"),
        ("1 credit in 1 h, over", "1 credit (0.01 USD) in 1 h, over"),
        ("12.3 credits in 1 h, over", "12.3 credits (0.12 USD) in 1 h, over"),
        (
            "320,000 of 440,000 credits spent (73 %), past the 70 % level",
            "320,000 of 440,000 credits spent (3,200 USD, 73 %), past the 70 % level",
        ),
        ("5 of 0 credits spent, past the 100 % level", "5 of 0 credits spent (0.05 USD), past the 100 % level"),
        ("63,100 credits", "63,100 credits (631 USD)"),
        ("63 % of credits in 3 h, over", "63 % of credits in 3 h, over"),
        ("no credits for 2 d, since Sat 14:00", "no credits for 2 d, since Sat 14:00"),
        ("12 creditors", "12 creditors"),
        (", credits", ", credits"),
    ],
)
def test_it_stands_behind_the_number_that_a_sentence_begins_with(sentence: str, said: str) -> None:
    assert USD.beside(sentence) == said


@given(st.floats(0, 1e12), st.floats(1e-6, 1e6))
def test_whatever_a_number_is_its_amount_is_one_line_that_ends_with_the_currency(value: float, per_1000: float) -> None:
    said = Price(per_1000, "EUR").beside(quantity(value, "credits"))
    assert said.startswith(quantity(value, "credits") + " (")
    assert said.endswith(" EUR)")
    assert "\n" not in said


# ---- as rules word it -----------------------------------------------------------------------------------------------


def said_by(kind: str, *counts: int, **fields: Any) -> Evidence:
    """What a rule says of the last of these hours."""
    rule, history = made(kind, **fields), feed_history({"": counts})
    [found] = rule.judge(history, START, UTC_FILE)
    return rule.evidence(found, len(found.starts) - 1, 1, UTC_FILE)


THRESHOLD = said_by("threshold", 10, 12_345, above=10_000)
BELOW = said_by("threshold", 900, 50, below=100)
SHARE = said_by("threshold", 10, 12_345, statistic="share", above="60%")
BUDGET = said_by("budget", 10, 12_335, limit=20_000, levels=["50%", "100%"])
ZSCORE = said_by("zscore", *([90, 110] * 24 * 20), 12_345, method="plain", baseline="7d")
ABSENCE = said_by("absence", *([100] * 48), *([0] * 60), quiet_for="1d")

LINES = [
    (THRESHOLD, "12,345 credits (123.45 USD) in 1 h, over the warning limit of 10,000", "123.45 USD; limit 100 USD"),
    (BELOW, "50 credits (0.50 USD) in 1 h, under the warning limit of 100", "0.50 USD; limit 1 USD"),
    (
        BUDGET,
        "12,345 of 20,000 credits spent (123.45 USD, 62 %), past the 50 % level",
        "123.45 USD; level 100 USD",
    ),
    (ZSCORE, "12,345 credits (123.45 USD) in 1 h, usually 80 to 120", "123.45 USD; level 1.40 USD"),
]


def of(evidence: Evidence, **changes: Any) -> Notice:
    return notice(evidence=evidence, **changes)


@pytest.mark.parametrize(("evidence", "summary", "fact"), LINES)
def test_every_kind_that_counts_credits_says_what_they_cost(evidence: Evidence, summary: str, fact: str) -> None:
    [said] = priced(message(of(evidence)), USD).news
    assert said.evidence.summary == summary
    assert said.evidence.facts == (*evidence.facts, Fact("At list price", fact))
    assert said.evidence == replace(evidence, summary=summary, facts=said.evidence.facts), "its numbers are credits"
    assert news(message(said)).line.startswith(f"🔴 {summary} (hourly-credits, since")


QUERIES = replace(EVIDENCE, unit="queries", summary="12,345 queries in 3 h, over the critical limit of 10,000")
REVISED = replace(EVIDENCE, summary="12,345 credits turned out to be 900 credits, once taken for final: 13:00")


@pytest.mark.parametrize("evidence", [SHARE, ABSENCE, QUERIES])
def test_what_counts_no_credits_has_no_amount(evidence: Evidence) -> None:
    assert priced(message(of(evidence)), USD) == message(of(evidence))


@pytest.mark.parametrize("own", [blind(), blind(evidence=REVISED)])
def test_what_the_watcher_says_of_itself_costs_nothing(own: Notice) -> None:
    assert priced(message(own), USD) == message(own)


def test_without_a_price_nothing_changes() -> None:
    assert priced(message(), None) == message()


def test_how_every_incident_stands_has_its_amount_too() -> None:
    said = priced(message(notice(), standing=(notice(), notice(incident_id="inc_2"))), USD)
    assert [each.price for each in (*said.news, *said.standing)] == [USD] * 3


# ---- as messages say it ---------------------------------------------------------------------------------------------


def line(one: Notice) -> str:
    return news(priced(message(one), USD)).line


def test_an_end_says_what_it_cost_at_its_peak() -> None:
    assert line(notice(Reason.RESOLVED)) == (
        "✅ ended 20:00: hourly-credits (7 h, peak 12,345 credits in 3 h, 123.45 USD)"
    )
    budget = notice(Reason.RESOLVED, period_at=NOON - 200 * HOUR)
    assert line(budget).endswith("(7 h, peak 12,345 credits, 123.45 USD)")


def test_an_end_that_knows_the_whole_says_what_that_cost() -> None:
    ended = notice(Reason.RESOLVED, evidence=replace(EVIDENCE, whole=63_100.0))
    assert line(ended) == (
        "✅ ended 20:00: hourly-credits, 63,100 credits (631 USD) in 7 h (peak 12,345 credits in 3 h)"
    )


@pytest.mark.parametrize("reason", Reason)
def test_whatever_the_reason_the_amount_is_said(reason: Reason) -> None:
    entry = news(priced(message(notice(reason)), USD)).entries[0]
    assert "123.45 USD" in " ".join([entry.line(), *(row.value for row in entry.rows)])


def test_a_reminder_says_what_it_costs_by_now() -> None:
    reminded = notice(Reason.REMINDER, latest="8,100 credits in 3 h")
    [entry] = news(priced(days_later(reminded), USD)).entries
    assert {fact.name: fact.value for fact in entry.reasons}["Now"] == "8,100 credits (81 USD) in 3 h"
