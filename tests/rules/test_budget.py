from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.core.builders import DAILY, HOURLY, MEMBER_DAYS, START, at, feed_history, spelled
from tests.rules.making import BERLIN_FILE, UTC_FILE, made, problems, ranks
from usage_watch.core.episode import Findings, fold
from usage_watch.core.message import Fact
from usage_watch.core.periods import Calendar, Every, Fixed
from usage_watch.core.series import DAY, FeedHistory, empty
from usage_watch.rules import FileDefaults
from usage_watch.rules.budget import BudgetRule


def rule(**fields: Any) -> BudgetRule:
    found = made("budget", **{"limit": 100, "burn": "off", "forecast": "off", **fields})
    assert isinstance(found, BudgetRule)
    return found


def judged(
    history: FeedHistory, since: datetime = START, defaults: FileDefaults = UTC_FILE, **fields: Any
) -> list[Findings]:
    """Every series, whether it has reached a level or not."""
    return rule(**fields).judge_whole(history, since, defaults)


def one(history: FeedHistory, since: datetime = START, defaults: FileDefaults = UTC_FILE, **fields: Any) -> Findings:
    (found,) = judged(history, since, defaults, **fields)
    return found


# ---- levels, as they are written -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "levels"),
    [
        (None, [("info", 50.0), ("warning", 80.0), ("critical", 100.0)]),
        ({"info": "50%", "critical": ["100%", "120%"]}, [("info", 50.0), ("critical", 100.0), ("critical", 120.0)]),
        (["50%", "80%", "100%"], [("warning", 50.0), ("warning", 80.0), ("critical", 100.0)]),
        (["100%", "50%"], [("warning", 50.0), ("critical", 100.0)]),
        (["90%"], [("critical", 90.0)]),
        ({"80%": "warning", "50%": "info"}, [("info", 50.0), ("warning", 80.0)]),
        ({"critical": "90%", "80%": "warning"}, [("warning", 80.0), ("critical", 90.0)]),
        ({"warning": "100%", "critical": "80%"}, [("critical", 80.0), ("warning", 100.0)]),
    ],
)
def test_levels_may_be_spelled_in_three_ways(written: Any, levels: list[tuple[str, float]]) -> None:
    found = rule() if written is None else rule(levels=written)
    assert [(level.severity.value, level.limit) for level in found.levels] == levels


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ([], "write levels such as"),
        ({}, "write levels such as"),
        ("80%", "write levels such as"),
        (80, "write levels such as"),
        ({"fatal": "80%"}, "write levels such as"),
        ({"80%": ["warning"]}, "write levels such as"),
        ({"80%": {"warning": 1}}, "write levels such as"),
        ([50, 80], "takes percentages such as 80%"),
        ({"warning": 80}, "takes percentages such as 80%"),
        ({"warning": {"a": 1}}, "takes percentages such as 80%"),
        ({80: "warning"}, "takes percentages such as 80%"),
        (["0%"], "write a percentage above 0"),
        (["-5%"], "write a percentage above 0"),
        ({"warning": "a%"}, "write a percentage above 0"),
        (["80%", "80%"], "names two levels at the same percentage; keep one"),
        ({"info": "80%", "80%": "warning"}, "names two levels at the same percentage"),
        ([f"{share}%" for share in range(1, 102)], "names more than 100 levels"),
    ],
)
def test_levels_that_mean_nothing_are_refused(written: Any, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        rule(levels=written)


def test_as_many_levels_as_there_are_percents_are_taken() -> None:
    found = rule(levels=[f"{share}%" for share in range(1, 101)])
    assert ranks(one(feed_history({"": [1, 98, 1, 5]}), levels=[f"{share}%" for share in range(1, 101)])) == [
        1,
        99,
        100,
        100,
    ]
    assert found.levels[-1].severity == "critical"


@pytest.mark.parametrize("limit", [-1, float("nan"), float("inf"), "5", True, None])
def test_a_limit_is_a_finite_number_from_0_up(limit: Any) -> None:
    with pytest.raises(ValidationError, match="limit"):
        rule(limit=limit)


# ---- levels, as they are reached -------------------------------------------------------------------------------------


def test_a_level_is_reached_at_its_amount_and_stays_reached() -> None:
    found = one(feed_history({"": [49, 1, 0, 29, 1, 20, 0, 500]}))
    assert ranks(found) == [0, 1, 1, 1, 2, 3, 3, 3]
    assert found.values.tolist() == [49, 50, 50, 79, 80, 100, 100, 600]
    assert found.limits.tolist() == [50, 50, 50, 50, 80, 100, 100, 100]
    assert (found.part, found.period_at) == ("levels", datetime(2026, 11, 1, tzinfo=UTC))
    (episode,) = fold(found, 1, 2)
    assert (episode.first, episode.last, episode.ended, episode.rank) == (1, 7, False, 3)


def test_several_levels_passed_at_once_are_one_rise() -> None:
    (episode,) = fold(one(feed_history({"": [1, 200, 0]})), 1, 2)
    assert (episode.first, episode.rank, episode.peak) == (1, 3, 1)


def test_counts_that_may_still_grow_are_spent_and_never_end_anything() -> None:
    found = one(feed_history({"": [10, 50, 0, 50]}, unsettled=(1, 2, 3)))
    assert spelled(found) == ".113"


def test_what_was_never_fetched_adds_nothing() -> None:
    found = one(feed_history({"": [30, 30, 30, 30]}, holes=(1,)))
    assert spelled(found) == ".?12"
    assert found.values.tolist() == [30, 30, 60, 90]


@pytest.mark.parametrize(("counts", "expected"), [([0, 0], [0, 0]), ([0, 1], [0, 3]), ([5, 0], [3, 3])])
def test_with_a_limit_of_0_any_use_is_over(counts: list[int], expected: list[int]) -> None:
    assert ranks(one(feed_history({"": counts}), limit=0)) == expected


@given(st.lists(st.integers(0, 60), min_size=1, max_size=30), st.integers(0, 200))
@settings(max_examples=60, deadline=None)
def test_spent_only_grows_within_a_period(counts: list[int], limit: int) -> None:
    found = one(feed_history({"": counts}), limit=limit)
    assert (found.ranks[1:] >= found.ranks[:-1]).all()
    expected = [sum(counts[: end + 1]) for end in range(len(counts))]
    assert found.values.tolist() == expected
    reached = [sum(spent >= limit * share / 100 for share in (50, 80, 100)) if spent else 0 for spent in expected]
    assert ranks(found) == reached


# ---- periods ---------------------------------------------------------------------------------------------------------

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("written", "periods"),
    [
        ("cycle", Calendar(Every.MONTH, BERLIN, 14)),
        ("day", Calendar(Every.DAY, BERLIN)),
        ("week", Calendar(Every.WEEK, BERLIN)),
        ("month", Calendar(Every.MONTH, BERLIN)),
        ("quarter", Calendar(Every.QUARTER, BERLIN)),
        ("year", Calendar(Every.YEAR, BERLIN)),
        ({"every": "month", "starts_on": 31}, Calendar(Every.MONTH, BERLIN, 31)),
        ({"every": "year", "timezone": "Asia/Kolkata"}, Calendar(Every.YEAR, ZoneInfo("Asia/Kolkata"))),
        ({"every": "30d", "from": "2026-11-01"}, Fixed(30, BERLIN, datetime(2026, 11, 1, tzinfo=UTC).date())),
        (
            {"every": "2w", "from": "2026-11-01", "timezone": "UTC"},
            Fixed(14, ZoneInfo("UTC"), datetime(2026, 11, 1, tzinfo=UTC).date()),
        ),
    ],
)
def test_periods_may_be_named_or_described(written: Any, periods: Calendar | Fixed) -> None:
    assert rule(period=written).periods(BERLIN_FILE) == periods


@pytest.mark.parametrize(
    "fields", [{"bucket": "1d"}, {"for_each": "member"}, {"dataset": "query_volume"}, {"bucket": "1d", "zone": "own"}]
)
def test_periods_of_daily_buckets_snap_to_utc_days(fields: dict[str, Any]) -> None:
    own = {"every": "month", "starts_on": 14, "timezone": "Asia/Kolkata"}
    period = own if fields.pop("zone", None) else "cycle"
    assert rule(period=period, **fields).periods(BERLIN_FILE) == Calendar(Every.MONTH, ZoneInfo("UTC"), 14)


@pytest.mark.parametrize(
    "period",
    [
        "fortnight",
        5,
        {"every": "month", "starts_on": 0},
        {"every": "month", "starts_on": 32},
        {"every": "month", "starts_on": "14"},
        {"every": "fortnight"},
        {"every": "30d"},
        {"every": "30d", "from": "2026-02-30"},
        {"every": "month", "from": "2026-11-01"},
        {"every": "month", "timezone": "Europe/Berln"},
        {"rolling": 30},
        {"rolling": "30d", "from": "2026-11-01"},
    ],
)
def test_other_periods_are_refused(period: Any) -> None:
    with pytest.raises(ValidationError, match="period"):
        rule(period=period)


def test_a_period_of_days_needs_its_first() -> None:
    with pytest.raises(ValidationError) as caught:
        rule(period={"every": "30d"})
    assert [error["loc"][-1] for error in caught.value.errors()] == ["from"]


def test_a_described_period_may_be_read_again() -> None:
    for period in ({"every": "month", "starts_on": 3}, {"every": "30d", "from": "2026-11-01"}):
        once = rule(period=period)
        again = BudgetRule.model_validate({"id": "it", "kind": "budget", "limit": 100, "period": once.period})
        assert again.period == once.period


def hours_of(found: Findings) -> tuple[float, float]:
    """First bucket and end of the findings, in hours after the grid begins."""
    first, last = int(found.starts[0]), int(found.starts[-1]) + found.width
    return (first - START.timestamp()) / 3600, (last - START.timestamp()) / 3600


@pytest.mark.parametrize(
    ("period", "zone", "spans"),
    [
        ("day", "UTC", [(0, 24), (24, 48), (48, 72)]),
        ("day", "Europe/Berlin", [(0, 23), (23, 47), (47, 71), (71, 72)]),
        ("day", "Asia/Kolkata", [(0, 19), (19, 43), (43, 67), (67, 72)]),  # by the bucket's start
        ("week", "UTC", [(0, 72)]),
        ("month", "UTC", [(0, 72)]),
        ({"every": "2d", "from": "2026-11-03"}, "UTC", [(24, 72)]),
        ({"every": "2d", "from": "2026-11-06"}, "UTC", []),
    ],
)
def test_each_period_counts_from_nothing(period: Any, zone: str, spans: list[tuple[int, int]]) -> None:
    history = feed_history({"": [1] * 72})
    found = judged(history, START, FileDefaults(ZoneInfo(zone), 1), period=period)
    assert [hours_of(each) for each in found] == spans
    assert all(each.values.tolist() == list(range(1, len(each.starts) + 1)) for each in found)


def test_days_change_length_with_the_clocks() -> None:
    history = feed_history({"": [1] * 72}, start_at=datetime(2026, 10, 24, 22, tzinfo=UTC))
    found = judged(history, datetime(2026, 10, 25, tzinfo=UTC), BERLIN_FILE, period="day")
    assert [len(each.starts) for each in found] == [25, 24, 23]


@pytest.mark.parametrize(("since", "periods"), [(at(-500), 3), (at(0), 3), (at(30), 2), (at(71), 1), (at(500), 0)])
def test_a_period_that_overlaps_what_is_judged_is_judged_whole(since: datetime, periods: int) -> None:
    found = [each for each in judged(feed_history({"": [1] * 72}), since, period="day") if len(each.starts)]
    assert len(found) == periods
    assert all(len(each.starts) == 24 for each in found)


@pytest.mark.parametrize(
    ("fields", "since", "begins"),
    [
        ({"period": "month"}, at(100), datetime(2026, 11, 1, tzinfo=UTC)),
        ({"period": "day"}, at(30), at(24)),
        ({"period": {"every": "30d", "from": "2027-01-01"}}, at(30), at(30)),
    ],
)
def test_the_look_back_is_the_periods_start(fields: dict[str, Any], since: datetime, begins: datetime) -> None:
    assert rule(**fields).look_back(since, UTC_FILE) == begins


OVER = "The period is over: 60 of 100 credits spent (60 %)."


@pytest.mark.parametrize(
    ("history", "closed"),
    [
        (feed_history({"": [60] + [0] * 23}), OVER),
        (feed_history({"": [60] + [0] * 22}), None),
        (feed_history({"": [60] + [0] * 30}, unsettled=(23,)), None),  # it may still grow: found late
        (feed_history({"": [60] + [0] * 30}, holes=(5,)), None),
        (feed_history({"": [60] + [0] * 30}, unsettled=(24,)), OVER),
    ],
)
def test_a_period_closes_when_what_is_settled_has_passed_its_end(history: FeedHistory, closed: str | None) -> None:
    found = judged(history, period="day")[0]
    assert found.closed == closed
    (episode,) = fold(found, 1, 2)
    assert episode.ended == (closed is not None)


def test_a_period_that_closed_without_a_level_reached_says_nothing() -> None:
    (found,) = judged(feed_history({"": [1] * 24}), period="day")
    assert found.closed is not None
    assert fold(found, 1, 2) == []


def test_of_an_empty_or_unfetched_feed_there_is_nothing_to_say() -> None:
    assert judged(empty(HOURLY)) == []
    found = one(feed_history({"": [0] * 5}, holes=range(5)))
    assert spelled(found) == "?????"


def test_a_period_before_all_history_has_no_buckets() -> None:
    history = feed_history({"": [1] * 30}, holes=range(26))
    first, second = judged(history, period="day")
    assert (len(first.starts), fold(first, 1, 2)) == (0, [])
    assert hours_of(second) == (26, 30)


# ---- which series ----------------------------------------------------------------------------------------------------


def test_each_category_has_a_budget_of_its_own() -> None:
    history = feed_history({"": [90, 90], "Model=a": [60, 60], "Model=b": [30, 30]})
    found = judged(history, for_each="Model", period="month")
    assert [(dict(each.labels), ranks(each)) for each in found] == [({"Model": "a"}, [1, 3]), ({"Model": "b"}, [0, 1])]


def test_each_member_has_a_budget_in_each_period() -> None:
    history = feed_history({"ana@x": [60] * 3, "bo@x": [10] * 3}, MEMBER_DAYS)
    found = judged(history, for_each="member", period="day")
    assert [each.labels["member"] for each in found] == ["ana@x"] * 3 + ["bo@x"] * 3
    assert [ranks(each) for each in found] == [[1]] * 3 + [[0]] * 3


def test_where_an_axis_was_not_answered_nothing_is_known_of_it() -> None:
    history = feed_history({"": [9, 9, 9], "Model=a": [9, 0, 9]}, unanswered={"Model": (1,)})
    assert spelled(one(history, where={"Model": "a"})) == ".?."


def test_where_narrows_what_is_budgeted() -> None:
    history = feed_history({"": [90, 90], "Credit Source=paid": [10, 45]})
    assert one(history, where={"credit_source": "paid"}).values.tolist() == [10, 55]


# ---- what is wrong with a rule ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"dataset": "daily_active_users"}, "dataset", "cannot be budgeted: daily_active_users does not add up"),
        ({"period": {"every": "36h", "from": "2026-11-01"}}, "period.every", "must be whole days, such as 30d"),
        ({"period": {"every": "0d", "from": "2026-11-01"}}, "period.every", "must be whole days"),
        ({"period": {"every": "week", "starts_on": 3}}, "period.starts_on", "is a day of the month"),
        ({"period": {"every": "day", "starts_on": 3}}, "period.starts_on", "leave it out for days and weeks"),
        ({"for_": "2h"}, "for", "has no meaning for a budget"),
        ({"resolve_after": "2h", "burn": "off"}, "resolve_after", "has no meaning for a budget without `burn`"),
        ({"period": {"rolling": "36h"}}, "period.rolling", "must be whole days, such as 30d"),
        ({"period": {"rolling": "0d"}}, "period.rolling", "must be whole days"),
        ({"limit": {"default": 5}}, "limit", "has a limit for each series, but there is only one"),
    ],
)
def test_what_its_types_cannot_catch_is_said(fields: dict[str, Any], field: str, says: str) -> None:
    ((where, message),) = problems("budget", **{"limit": 100, **fields})
    assert where == field
    assert says in message


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"dataset": "brand_new"},
        {"period": {"every": "30d", "from": "2026-11-01"}},
        {"period": {"every": "week"}},
        {"period": {"every": "quarter", "starts_on": 3}},
    ],
)
def test_nothing_is_wrong_with_these(fields: dict[str, Any]) -> None:
    assert problems("budget", limit=100, **fields) == []


# ---- in words --------------------------------------------------------------------------------------------------------


def test_a_level_is_said_with_pace_and_period() -> None:
    history = feed_history({"": [10_000] * 10 * 24})
    budget = rule(limit=2_000_000, period="month")
    (found,) = budget.judge(history, START, BERLIN_FILE)
    evidence = budget.evidence(found, 160, 2, BERLIN_FILE)
    assert evidence.summary == "1,610,000 of 2,000,000 credits spent (80 %), past the 80 % level"
    assert evidence.facts == (
        Fact("Period", "Sun 1 Nov 00:00 to Tue 1 Dec 00:00 (Europe/Berlin), 26 % of it over"),
        Fact("Even pace", "516,667 credits by now"),
        Fact("Known", "since Mon 2 Nov 01:00 only: history begins inside the period, so more was spent"),
    )
    assert (evidence.value, evidence.limit, evidence.unit) == (1_610_000, 1_600_000, "credits")
    assert (evidence.from_at, evidence.until_at) == (datetime(2026, 10, 31, 23, tzinfo=UTC), at(161))


def test_with_a_limit_of_0_there_is_no_percentage() -> None:
    budget = rule(limit=0, period="day")
    (found,) = budget.judge(feed_history({"": [0, 7]}), START, UTC_FILE)
    evidence = budget.evidence(found, 1, 3, UTC_FILE)
    assert evidence.summary == "7 of 0 credits spent, past the 100 % level"
    assert evidence.facts == (
        Fact("Period", "Mon 2 Nov 00:00 to Tue 3 Nov 00:00 (UTC), 8.3 % of it over"),
        Fact("Even pace", "0 credits by now"),
    )


@pytest.mark.parametrize(
    ("zone", "holes", "known"),
    [
        ("UTC", (), False),
        ("UTC", (0,), True),
        ("Asia/Kolkata", (), False),  # the first whole bucket begins half an hour into the day: all of it is known
        ("Asia/Kolkata", range(19), False),
        ("Asia/Kolkata", range(20), True),
    ],
)
def test_history_that_begins_inside_the_period_is_said(zone: str, holes: range, known: bool) -> None:
    defaults = FileDefaults(ZoneInfo(zone), 1)
    budget = rule(limit=1, period="day")
    history = feed_history({"": [1] * 30}, holes=holes)
    found = judged(history, START + timedelta(hours=19 if zone != "UTC" else 0), defaults, limit=1, period="day")[-2:]
    chosen = found[0] if zone == "UTC" else found[-1]
    facts = budget.evidence(chosen, 0, 3, defaults).facts
    assert ("Known" in [fact.name for fact in facts]) == known


def test_what_is_narrowed_is_said() -> None:
    budget = rule(where={"credit_source": "paid"}, period="day")
    (found,) = budget.judge(feed_history({"": [60], "Credit Source=paid": [60]}), START, UTC_FILE)
    evidence = budget.evidence(found, 0, 1, UTC_FILE)
    assert evidence.facts[0].name == "Counted"
    assert evidence.facts[0].value == "credit_source paid"


def test_what_was_never_read_makes_it_a_lower_bound() -> None:
    budget = rule(period="day")
    history = feed_history({"": [30, 30, 30, 30, *[0] * 20], "Model=a": [9] * 24}, holes=(1,))
    found = judged(history, period="day")[0]
    evidence = budget.evidence(found, 3, 2, UTC_FILE)
    assert evidence.summary == "at least 90 of 100 credits spent (90 %), past the 80 % level"
    assert evidence.facts[-1] == Fact("Not read", "1 h of it, so more may be spent")
    assert budget.evidence(found, 0, 1, UTC_FILE).summary.startswith("30 of 100 credits")


def test_a_report_of_what_was_not_all_read_says_so() -> None:
    long_ago = feed_history({"": [60, 0, 60] + [0] * 24 * 9}, holes=(1,))
    found = judged(long_ago, period="day")[0]
    assert found.closed == "The period is over: at least 120 of 100 credits spent (120 %)."
    none = judged(feed_history({"": [0] * 24}), period="day", limit=0)[0]
    assert none.closed == "The period is over: 0 of 0 credits spent."


def test_findings_without_a_period_are_no_budgets() -> None:
    other = made("threshold", above=1).judge(feed_history({"": [5]}), START, UTC_FILE)[0]
    with pytest.raises(TypeError, match="have a period"):
        rule().evidence(other, 0, 1, UTC_FILE)


def test_a_days_wide_budget_counts_days() -> None:
    found = one(feed_history({"": [40, 40, 40]}, DAILY), bucket="1d", period="week")
    assert (found.width, ranks(found)) == (DAY, [0, 2, 3])


def test_before_its_first_period_a_budget_says_nothing() -> None:
    history, period = feed_history({"": [500] * 48}), {"every": "30d", "from": "2026-11-03"}
    assert one(history, period=period).values.tolist() == [500 * (hour + 1) for hour in range(24)]
    assert judged(history, period={"every": "30d", "from": "2027-01-01"}) == []


@pytest.mark.parametrize(
    ("fields", "parts"),
    [
        ({"limit": 0}, ["levels"]),
        ({"limit": 5}, ["levels", "forecast", "burn"]),
        ({"for_each": "member", "limit": {"default": 0}}, ["levels"]),
        ({"for_each": "member", "limit": {"default": 0, "overrides": {"a@x": 5}}}, ["levels", "forecast", "burn"]),
    ],
)
def test_what_bears_nothing_is_neither_forecast_nor_burnt(fields: dict[str, Any], parts: list[str]) -> None:
    found = made("budget", **fields)
    assert isinstance(found, BudgetRule)
    assert found.parts == parts
