"""Limits for each series, rolling periods, and the pool."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.core.builders import DAILY, MEMBER_DAYS, START, feed_history, spelled
from tests.rules.making import UTC_FILE, made, problems, ranks
from tests.telling import Telling, desk_of
from usage_watch.core.episode import Findings, fold
from usage_watch.core.message import Fact
from usage_watch.core.series import DAY, EACH_MEMBER, Feed, FeedHistory, empty
from usage_watch.rules import FileDefaults
from usage_watch.rules.budget import BudgetRule
from usage_watch.rules.common import Seats
from usage_watch.rules.period import RollingPeriod, periods_of


def rule(**fields: Any) -> BudgetRule:
    found = made("budget", **{"limit": 100, "burn": "off", "forecast": "off", **fields})
    assert isinstance(found, BudgetRule)
    return found


def judged(budget: BudgetRule, history: FeedHistory, defaults: FileDefaults = UTC_FILE) -> list[Findings]:
    return budget.judge_whole(history, START, defaults)


# ---- a limit for each series -----------------------------------------------------------------------------------------

AMOUNTS = {"default": 100, "overrides": {"Ana@x": 200, "opus": 40}}


def test_some_series_have_a_limit_of_their_own() -> None:
    history = feed_history({"ana@x": [100, 60], "bo@x": [100, 60]}, MEMBER_DAYS)
    ana, bo = judged(rule(for_each="member", limit=AMOUNTS), history)
    assert (ranks(ana), ranks(bo)) == ([1, 2], [3, 3])
    assert [level.limit for level in ana.levels] == [100, 160, 200]
    assert [level.grade for level in ana.levels] == [level.grade for level in bo.levels]


def test_an_axis_may_have_limits_too() -> None:
    history = feed_history({"": [40, 40], "Model=opus": [20, 20], "Model=sonnet": [20, 20]})
    opus, sonnet = judged(rule(for_each="Model", limit=AMOUNTS), history)
    assert (ranks(opus), ranks(sonnet)) == ([1, 3], [0, 0])


def test_one_series_can_be_asked_for() -> None:
    history = feed_history({"ana@x": [1], "bo@x": [1]}, MEMBER_DAYS)
    budget = rule(for_each="member", limit=AMOUNTS)
    (found,) = budget.judge_whole(history, START, UTC_FILE, {"member": "bo@x"})
    assert found.labels == {"member": "bo@x"}
    assert budget.judge_whole(history, START, UTC_FILE, {"member": "cy@x"}) == []


def test_only_series_that_reached_a_level_are_judged() -> None:
    history = feed_history({"ana@x": [49], "bo@x": [50], "cy@x": [0]}, MEMBER_DAYS)
    budget = rule(for_each="member")
    assert [each.labels["member"] for each in budget.judge(history, START, UTC_FILE)] == ["bo@x"]
    assert [each.labels["member"] for each in rule(for_each="member", limit=0).judge(history, START, UTC_FILE)] == [
        "ana@x",
        "bo@x",
    ]


@pytest.mark.parametrize(("now", "why"), [(40, "turned out to be 40 credits"), (0, "turned out to be 0 credits")])
def test_of_a_level_that_was_revised_away_the_new_number_is_told(now: int, why: str) -> None:
    world = Telling([rule(id="it", for_each="member", bucket="1d")], desk_of({"it": ["ops"]}))
    noon = START + timedelta(hours=12)
    assert world.told(feed_history({"ana@x": [60]}, MEMBER_DAYS, unsettled=(0,)), noon) == ["fired ops ana@x"]
    assert world.told(feed_history({"ana@x": [now]}, MEMBER_DAYS, unsettled=(0,)), noon) == ["retracted ops ana@x"]
    assert world.one.closed == f"The source revised it: 60 credits {why}."


# ---- rolling periods -------------------------------------------------------------------------------------------------

LEVELS = {"info": "50%", "warning": "80%", "critical": "100%"}


def rolling(days: int = 2, **fields: Any) -> BudgetRule:
    return rule(**{"id": "it", "bucket": "1d", "period": {"rolling": f"{days}d"}, "levels": LEVELS, **fields})


def told(*counts: int, days: int = 1) -> dict[int, list[str]]:
    """What is told on which day; each is settled as the next one comes."""
    world = Telling([rolling(days)], desk_of({"it": ["ops"]}))
    said = {}
    for day in range(1, len(counts) + 1):
        history = feed_history({"": counts[:day]}, DAILY, unsettled=(day - 1,))
        if found := world.told(history, START + timedelta(days=day)):
            said[day] = [each.removesuffix(" ops") for each in found]
    return said


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((10, 55, 85, 100, 100, 10), {2: ["fired"], 3: ["escalated"], 4: ["escalated"]}),
        ((10, 120, 110, 130), {2: ["fired"]}),  # several at once: the highest alone
        ((10, 85, 75, 85, 85), {2: ["fired"]}),  # 75 is not below nine tenths of 80
        ((10, 85, 71, 71, 85, 85), {2: ["fired"], 5: ["escalated"]}),  # re-armed, and told again
        (
            (10, 85, 71, 71, 60, 85, 71, 71, 85, 105),
            {2: ["fired"], 6: ["escalated"], 9: ["escalated"], 10: ["escalated"]},
        ),
        ((10, 105, 85, 85, 105), {2: ["fired"], 5: ["escalated"]}),
        ((10, 105, 95, 95, 105), {2: ["fired"]}),
        ((10, 85, 71, 71, 60, 60), {2: ["fired"]}),
        ((10, 85, 10, 10, 10, 10, 85), {2: ["fired"], 4: ["resolved"], 7: ["fired"]}),
    ],
)
def test_a_level_is_told_once_and_again_once_it_was_below_nine_tenths_of_it(
    counts: tuple[int, ...], expected: dict[int, list[str]]
) -> None:
    assert told(*counts) == expected


def test_a_number_that_may_still_grow_re_arms_nothing() -> None:
    history = feed_history({"": [85, 60, 85]}, DAILY, unsettled=(1, 2))
    (found,) = judged(rolling(1), history)
    assert [level.grade for level in found.levels] == [5000, 8000, 10000]
    assert spelled(found) == "212"


def test_what_is_spent_is_what_lies_in_the_window() -> None:
    (found,) = judged(rolling(2), feed_history({"": [30, 30, 15, 0, 46, 0]}, DAILY))
    assert found.values.tolist() == [30, 60, 45, 15, 46, 46]
    assert spelled(found) == ".1h.hh"
    assert (found.part, found.period_at, found.closed) == ("levels", None, None)


def test_it_looks_back_by_its_length() -> None:
    assert rolling(30).look_back(START, UTC_FILE) == START - timedelta(days=30)
    assert rolling(30).leans_on(UTC_FILE) == []
    assert rolling(30).parts == ["levels"]
    assert not rolling(30, burn="on").burns


def test_it_has_neither_beginning_nor_end() -> None:
    with pytest.raises(TypeError, match="neither beginning nor end"):
        rolling(30).periods(UTC_FILE)
    period = RollingPeriod.model_validate({"rolling": "30d"})
    with pytest.raises(TypeError, match="neither beginning nor end"):
        periods_of(period, UTC_FILE, snap=False)
    again = BudgetRule.model_validate({"id": "it", "kind": "budget", "limit": 1, "period": period})
    assert again.rolling == timedelta(days=30)


def test_only_a_series_that_reached_a_level_is_judged() -> None:
    history = feed_history({"": [90, 90], "Model=a": [40, 10], "Model=b": [50, 80]}, DAILY)
    budget = rolling(1, for_each="Model")
    assert [each.labels["Model"] for each in budget.judge(history, START, UTC_FILE)] == ["b"]
    assert budget.judge(empty(DAILY), START, UTC_FILE) == []
    (nothing, _) = judged(budget, replace(history, fetched=history.fetched & False))
    assert len(nothing.starts) == 0


def test_as_many_levels_as_ranks_can_count_are_told_again() -> None:
    levels = [f"{share}%" for share in range(1, 101)]
    ups_and_downs = [each for top in range(60, 100) for each in (top, 20)]
    (found,) = judged(rolling(1, levels=levels), feed_history({"": ups_and_downs}, DAILY))
    assert len(found.levels) == 127
    assert max(ranks(found)) == 127


@given(st.lists(st.integers(0, 130), min_size=1, max_size=25), st.integers(1, 4))
@settings(max_examples=80, deadline=None)
def test_where_judging_begins_changes_nothing_of_what_began_later(counts: list[int], days: int) -> None:
    budget, history = rolling(days), feed_history({"": [*counts, 0, 0, 0, 0, 120, 60, 70, 110]}, DAILY)

    def found(since: int) -> list[tuple[int, int, list[int]]]:
        (each,) = budget.judge_whole(history, START + timedelta(days=since), UTC_FILE)
        spans = ((fold(each, 1, 1)[-1], each),)
        return [(int(e.starts[f.first]), e.levels[f.rank - 1].grade, e.values.tolist()[-4:]) for f, e in spans]

    assert found(0) == found(len(counts) + 4)


def test_a_rolling_level_is_said_with_its_window() -> None:
    budget = rolling(2)
    history = feed_history({"": [30, 55, 0, 10, 80, 1]}, DAILY, holes=(3,))
    (found,) = judged(budget, history)
    first, last = (budget.evidence(found, index, 2, UTC_FILE) for index in (1, 4))
    assert first.summary == "85 of 100 credits spent in 2 d (85 %), past the 80 % level"
    assert (first.limit, first.from_at, first.facts) == (80, START, ())
    assert last.summary == "at least 80 of 100 credits spent in 2 d (80 %), past the 80 % level"
    assert last.facts == (Fact("Not read", "1 d of it, so more may be spent"),)
    (early,) = judged(rolling(30), history)
    assert [fact.name for fact in rolling(30).evidence(early, 1, 2, UTC_FILE).facts] == ["Known"]


def test_a_level_that_is_told_again_says_so() -> None:
    budget = rolling(1, bucket="1h", where={"Model": "a"})
    history = feed_history({"": [85] * 73, "Model=a": [*[0] * 24, 85, *[0] * 23, 60, *[0] * 23, 85]})
    (found,) = judged(budget, history)
    evidence = budget.evidence(found, 72, len(found.levels), UTC_FILE)
    assert evidence.facts == (
        Fact("Counted", "Model a"),
        Fact("Told again", "it had been below 90 % of this level since"),
    )


# ---- the pool --------------------------------------------------------------------------------------------------------

SEATS = replace(UTC_FILE, seats=Seats(100, {"ana@x": 300}))


def pool(**fields: Any) -> BudgetRule:
    return rule(**{"of": "pool", "period": "week", "limit": 1000, **fields})


def paid(**days: list[int]) -> FeedHistory:
    """What members paid for, and as much again that they did not."""
    counts = {f"{who}@x": [2 * each for each in used] for who, used in days.items()}
    split = {f"{who}@x Credit Source=paid": used for who, used in days.items()}
    return feed_history({**counts, **split}, MEMBER_DAYS)


def test_the_pool_is_what_members_use_beyond_their_seats() -> None:
    history = paid(ana=[200, 200, 200], bo=[60, 60, 0], cy=[10, 10, 10])
    (found,) = judged(pool(), history, SEATS)
    assert found.values.tolist() == [0, 100 + 20, 300 + 20]
    assert found.labels == {}


def test_allowances_begin_anew_with_each_period() -> None:
    history = paid(bo=[150] * 9)
    first, second = judged(pool(), history, SEATS)
    assert first.values.tolist() == [50 + 150 * day for day in range(7)]
    assert second.values.tolist() == [50, 200]


def test_unused_allowances_of_some_are_no_credit_of_others() -> None:
    (found,) = judged(pool(), paid(ana=[0], bo=[400]), SEATS)
    assert found.values.tolist() == [300]


def test_without_members_or_seats_nothing_is_drawn() -> None:
    (found,) = judged(pool(), feed_history({"": [5]}, MEMBER_DAYS), SEATS)
    assert found.values.tolist() == [0]
    assert judged(pool(), paid(bo=[500]))[0].values.tolist() == [0]
    assert judged(pool(), empty(MEMBER_DAYS), SEATS) == []


def test_it_asks_for_member_days_and_leans_on_seats() -> None:
    assert pool().feed == Feed("credit_usage", DAY, EACH_MEMBER)
    assert pool().width == DAY
    assert pool().digest(SEATS) != pool().digest(UTC_FILE)
    assert rule().digest(SEATS) == rule().digest(UTC_FILE)


def test_only_a_pool_falls_when_all_of_a_member_is_removed() -> None:
    assert pool().sums_members
    assert not rule(for_each="member", where={"Credit Source": "paid"}).sums_members
    assert not made("threshold", for_each="member", above=1).sums_members


def test_its_burn_knows_the_whole_period_that_it_learns_from() -> None:
    since = datetime(2026, 11, 20, tzinfo=UTC)
    assert pool(period="month", burn="on").look_back(since, SEATS) == datetime(2026, 10, 1, tzinfo=UTC)
    assert rule(period="month", burn="on").look_back(since, SEATS) == datetime(2026, 10, 23, tzinfo=UTC)


def test_it_says_that_it_is_an_estimate() -> None:
    (found,) = judged(pool(), paid(bo=[950]), SEATS)
    assert pool().evidence(found, 0, 2, SEATS).facts[0].name == "Estimate"


def test_its_closing_report_says_so_too() -> None:
    found, *_ = judged(pool(period="day"), paid(bo=[950, 0]), SEATS)
    assert found.closed is not None
    assert found.closed.endswith("; by an estimate.")


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"dataset": "query_volume"}, "dataset", "has no pool: only credit_usage has"),
        ({"where": {"Model": "a"}}, "where", "has no meaning for a pool"),
        ({"for_each": "Model"}, "for_each", "has no meaning for a pool"),
        ({"bucket": "1h"}, "bucket", "cannot be 1h for a pool"),
        ({"period": {"rolling": "30d"}}, "period", "cannot be rolling for a pool"),
    ],
)
def test_a_pool_cannot_be_narrowed(fields: dict[str, Any], field: str, says: str) -> None:
    ((where, message),) = problems("budget", limit=5, of="pool", **fields)
    assert where == field
    assert says in message


def test_nobody_has_two_limits() -> None:
    with pytest.raises(ValidationError, match=r"names Ana@x\.example twice"):
        made("budget", limit={"default": 1, "overrides": {"Ana@x.example": 2, "ana@x.example": 3}}, for_each="member")
