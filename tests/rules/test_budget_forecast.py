from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.builders import DAILY, HOURLY, MEMBER_DAYS, feed_history, spelled
from tests.rules.making import BERLIN_FILE, UTC_FILE, made, problems, ranks
from usage_watch.core.episode import fold, runs
from usage_watch.core.message import Evidence, Fact, Severity
from usage_watch.core.periods import Span
from usage_watch.core.series import DAY, FeedHistory, empty
from usage_watch.core.stats.forecast import EMBARGO, LEARNED, forecast
from usage_watch.rules import FileDefaults
from usage_watch.rules.budget import BudgetRule
from usage_watch.rules.budget.books import Books, Page
from usage_watch.rules.budget.days import Days
from usage_watch.rules.budget.forecast import ForecastFindings, rounded
from usage_watch.rules.budget.foreseen import Foreseen

NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)
WEEK = (100, 120, 110, 100, 80, 10, 0)
"""From Thursday 3 September on."""


def rule(**fields: Any) -> BudgetRule:
    found = made("budget", **{"limit": 3000, "period": "month", "bucket": "1d", "burn": "off", **fields})
    assert isinstance(found, BudgetRule)
    return found


def usual(days: int, seed: int = 1, noise: float = 0.15) -> list[int]:
    rng = np.random.default_rng(seed)
    return [round(each) for each in np.resize(WEEK, days) * np.exp(rng.normal(0, noise, days))]


BEFORE = usual(59)


def november(*counts: int, before: list[int] | None = None, **given: Any) -> FeedHistory:
    """Days of November, after 59 usual ones."""
    before = BEFORE if before is None else before
    return feed_history({"": [*before, *counts]}, DAILY, start_at=NOVEMBER - timedelta(days=len(before)), **given)


def foreseen(
    history: FeedHistory, budget: BudgetRule, defaults: FileDefaults = UTC_FILE, since: datetime = NOVEMBER
) -> ForecastFindings:
    """Whether anything is told of it or not."""
    return next(each for each in budget.judge_whole(history, since, defaults) if isinstance(each, ForecastFindings))


def told(history: FeedHistory, budget: BudgetRule, defaults: FileDefaults = UTC_FILE) -> list[ForecastFindings]:
    return [each for each in budget.judge(history, NOVEMBER, defaults) if isinstance(each, ForecastFindings)]


def evidence(history: FeedHistory, budget: BudgetRule, index: int, defaults: FileDefaults = UTC_FILE) -> Evidence:
    return budget.evidence(foreseen(history, budget, defaults), index, 1, defaults)


RISING = usual(8) + [2 * each for each in usual(22, 2)]
"""Double from the ninth on."""


# ---- how it is written -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "level"),
    [
        ({}, (Severity.WARNING, 3000, 2)),
        ({"forecast": "on"}, (Severity.WARNING, 3000, 2)),
        ({"forecast": {"severity": "critical"}}, (Severity.CRITICAL, 3000, 3)),
        ({"forecast": {"probability": "95%"}}, (Severity.WARNING, 3000, 2)),
    ],
)
def test_its_level_is_among_the_rules(fields: dict[str, Any], level: tuple[Severity, float, int]) -> None:
    (*_, found) = rule(**fields).levels
    assert (found.severity, found.limit, found.grade) == level


@pytest.mark.parametrize(
    "fields", [{"forecast": "off"}, {"period": {"rolling": "30d"}}, {"of": "pool"}], ids=["off", "rolling", "pool"]
)
def test_budgets_without_it(fields: dict[str, Any]) -> None:
    budget = rule(**fields)
    assert budget.parts == ["levels"]
    assert len(budget.levels) == 3
    assert rule().parts == ["levels", "forecast"]
    assert rule(limit=0).levels == rule(limit=0, forecast="off").levels


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"period": {"rolling": "30d"}, "forecast": "on"}, "has no meaning for a rolling period"),
        ({"of": "pool", "forecast": {"probability": "90%"}}, "is not there for a pool"),
    ],
)
def test_where_it_cannot_be_it_is_refused(fields: dict[str, Any], says: str) -> None:
    ((where, message),) = problems("budget", limit=5, **fields)
    assert where == "forecast"
    assert says in message


def test_it_looks_back_as_far_as_it_learns() -> None:
    since = datetime(2026, 11, 20, tzinfo=UTC)
    assert rule().look_back(since, UTC_FILE) == NOVEMBER - timedelta(days=EMBARGO + LEARNED)
    assert rule(forecast="off").look_back(since, UTC_FILE) == NOVEMBER


# ---- when it speaks --------------------------------------------------------------------------------------------------


def test_what_will_last_is_not_told() -> None:
    assert told(november(*usual(30)), rule()) == []
    assert not any(ranks(foreseen(november(*usual(30)), rule())))


def test_what_will_not_last_is_told_on_the_second_day_in_a_row() -> None:
    budget = rule()
    (found,) = told(november(*RISING[:22]), budget)
    sure = forecast_of(found).index(True)
    assert ranks(found) == [0] * (sure + 1) + [1] * (22 - sure - 1)
    assert (found.part, found.period_at, found.closed, found.quiet) == ("forecast", NOVEMBER, None, True)
    (episode,) = fold(found, *(budget.patience("forecast").for_buckets, budget.patience("forecast").resolve_buckets))
    assert (episode.first, episode.ended) == (sure + 1, False)


def forecast_of(found: ForecastFindings, probability: float = 0.8) -> list[bool]:
    """On which days its limit is passed with so much probability, by the plain function."""
    days, column, limit = found.days, np.array([found.column]), np.array([found.limit])
    over = [days.forecast(index, column, limit).over[0] for index in range(len(days.starts))]
    return [bool(each >= probability) for each in over]


def test_a_higher_probability_is_told_later() -> None:
    (early,) = told(november(*RISING[:26]), rule(forecast={"probability": "60%"}))
    (late,) = told(november(*RISING[:26]), rule(forecast={"probability": "90%"}))
    assert ranks(early).index(1) < ranks(late).index(1)


def test_it_ends_quietly_when_usage_goes_back() -> None:
    calm = RISING[:20] + [0] * 8
    (found,) = told(november(*calm), rule(limit=3050))
    (episode,) = fold(found, 1, 1)
    assert (episode.ended, episode.closes, found.quiet) == (True, False, True)
    assert spelled(found).endswith(".")


def test_less_over_the_limit_than_min_impact_is_no_news() -> None:
    assert told(november(*RISING[:26]), rule())
    assert told(november(*RISING[:26]), rule(min_impact="60%")) == []


def test_a_limit_that_is_reached_is_not_told_as_a_forecast() -> None:
    at_once = [5000, *usual(20)]
    assert told(november(*at_once), rule()) == []
    (found,) = told(november(*RISING), rule())
    reached = int(np.flatnonzero(found.days.spent[:, 0] >= 3000)[0])
    assert ranks(found)[reached - 1 :] == [1] + [0] * (30 - reached)
    assert found.holding[reached:].all()
    (episode,) = fold(found, 1, 1)
    assert episode.peak < reached
    assert episode.closes


def test_the_end_of_the_period_closes_it() -> None:
    (found,) = told(november(*RISING), rule())
    assert found.closed == "The period is over: 3,995 of 3,000 credits spent (133 %)."
    assert len(found.starts) == 30


def test_at_most_twice_a_period() -> None:
    rng = np.random.default_rng(4)
    for _ in range(10):
        counts = [round(each) for each in np.repeat(rng.choice([0, 60, 250], 10), 3)]
        for found in told(november(*counts), rule(limit=2200)):
            assert len(fold(found, 1, 1)) <= 2
            assert len(runs(found, fold(found, 1, 1), 2)) <= 2


@given(st.integers(0, 10**6), st.integers(1500, 4500), st.sampled_from(["50%", "80%", "99.9%"]))
@settings(max_examples=40, deadline=None)
def test_what_is_left_out_for_speed_changes_nothing_that_is_told(seed: int, limit: int, probability: str) -> None:
    rng = np.random.default_rng(seed)
    level = np.exp(np.cumsum(rng.normal(0, 0.12, 89)))
    counts = [round(each) for each in np.resize(WEEK, 89) * level]
    history = november(*counts[59:], before=counts[:59])
    budget = rule(limit=limit, forecast={"probability": probability})
    quick = {str(each.labels): each for each in told(history, budget)}
    whole = foreseen(history, budget)
    if str(whole.labels) in quick:
        assert ranks(quick[str(whole.labels)]) == ranks(whole)
        assert fold(quick[str(whole.labels)], 1, 1) == fold(whole, 1, 1)
    else:
        assert not any(ranks(whole))


@given(st.integers(0, 10**6), st.integers(0, 29))
@settings(max_examples=20, deadline=None)
def test_a_day_is_judged_by_nothing_that_came_after_it(seed: int, until: int) -> None:
    rng = np.random.default_rng(seed)
    counts = [round(each) for each in np.resize(WEEK, 30) * np.exp(rng.normal(0.5, 0.5, 30))]
    whole, part = foreseen(november(*counts), rule()), foreseen(november(*counts[: until + 1]), rule())
    assert ranks(part) == ranks(whole)[: until + 1]
    assert np.array_equal(part.values, whole.values[: until + 1], equal_nan=True)


def test_nor_by_what_lies_before_its_look_back() -> None:
    budget = rule()
    history = november(*RISING[:26], before=[7] * 40 + usual(80))
    cut = history.cut(int(budget.look_back(NOVEMBER, UTC_FILE).timestamp()))
    assert len(cut.starts) < len(history.starts)
    assert foreseen(cut, budget).values == pytest.approx(foreseen(history, budget).values, nan_ok=True)


def test_each_member_is_forecast_alone() -> None:
    budget = rule(for_each="member", limit={"default": 3000, "overrides": {"Bo@x": 90_000, "cy@x": 0}})
    days = BEFORE + RISING[:26]
    history = feed_history(
        {"ana@x": days, "bo@x": days, "cy@x": days, "di@x": usual(85)}, MEMBER_DAYS, start_at=NOVEMBER - timedelta(59)
    )
    assert [each.labels["member"] for each in told(history, budget)] == ["ana@x"]
    alone = feed_history({"ana@x": days}, MEMBER_DAYS, start_at=NOVEMBER - timedelta(59))
    assert ranks(told(history, budget)[0]) == ranks(told(alone, rule(for_each="member"))[0])


# ---- what it rests on ------------------------------------------------------------------------------------------------


def test_only_settled_days_are_judged() -> None:
    found = foreseen(november(*RISING, unsettled=range(-10, 0)), rule())
    assert len(found.starts) == 20
    assert foreseen(november(*RISING, unsettled=(-15,)), rule()).starts.tolist() == found.starts[:15].tolist()


@pytest.mark.parametrize(("before", "first"), [(0, 27), (10, 17), (26, 1), (27, 0), (59, 0)])
def test_from_28_days_on_people_are_told(before: int, first: int) -> None:
    found = foreseen(november(*usual(30), before=usual(before)), rule())
    assert found.settled.tolist() == [False] * first + [True] * (30 - first)


def test_days_never_read_inside_the_period_silence_it_from_there_on() -> None:
    found = foreseen(november(*RISING, holes=(59 + 20,)), rule())
    assert len(found.starts) == 30
    assert "?" not in spelled(found)[:20]
    assert spelled(found)[20:] == "?" * 10
    (episode,) = fold(found, 1, 1)
    assert (episode.ended, episode.closes) == (True, True)


def test_a_day_never_read_before_it_silences_it_as_long_as_it_would_be_learned() -> None:
    found = foreseen(november(*RISING, holes=(20,)), rule())
    assert found.settled.tolist() == [False] * 19 + [True] * 11


def test_where_nothing_is_known_there_is_nothing_to_say() -> None:
    assert rule().judge_whole(empty(DAILY), NOVEMBER, UTC_FILE) == []
    assert told(november(*RISING, unsettled=range(89)), rule()) == []
    assert len(foreseen(november(*[0] * 30, holes=range(89)), rule()).starts) == 0
    assert told(november(*RISING), rule(limit=0)) == []


def test_a_period_without_any_settled_day_yet_has_none() -> None:
    assert len(foreseen(november(5, unsettled=(-1,)), rule()).starts) == 0


# ---- hours, and zones ------------------------------------------------------------------------------------------------


def hours(days: list[int]) -> list[int]:
    """All of a day's usage between 8 and 18 h."""
    return [day // 10 if 8 <= hour < 18 else 0 for day in days for hour in range(24)]


def hourly(days: list[int], skipped: int = 0) -> FeedHistory:
    start_at = NOVEMBER - timedelta(days=59) + timedelta(hours=skipped)
    return feed_history({"": hours(days)[skipped:]}, HOURLY, start_at=start_at)


def test_hours_are_forecast_by_their_days() -> None:
    counts = [each // 10 * 10 for each in BEFORE + RISING[:26]]
    by_days = feed_history({"": counts}, DAILY, start_at=NOVEMBER - timedelta(days=59))
    found, same = foreseen(hourly(counts), rule(bucket="1h")), foreseen(by_days, rule())
    assert found.values == pytest.approx(same.values, nan_ok=True)
    assert (found.width, ranks(found)) == (DAY, ranks(same))
    assert found.starts.tolist() == same.starts.tolist()


@pytest.mark.parametrize(
    ("zone", "first", "last", "share"),
    [
        ("Europe/Berlin", datetime(2026, 10, 31, tzinfo=UTC), datetime(2026, 11, 29, tzinfo=UTC), 23 / 24),
        ("America/Los_Angeles", datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=UTC), 8 / 24),
        ("Asia/Kolkata", datetime(2026, 10, 31, tzinfo=UTC), datetime(2026, 11, 29, tzinfo=UTC), 18.5 / 24),
        ("UTC", datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=UTC), 1),
    ],
)
def test_frontier_days_end_inside_of_a_period_that_ends_inside_of_a_day(
    zone: str, first: datetime, last: datetime, share: float
) -> None:
    budget = rule(bucket="1h", period={"every": "month", "timezone": zone})
    found = foreseen(hourly([100] * 95), budget, since=datetime(2026, 11, 2, tzinfo=UTC))
    assert (found.starts[0], found.starts[-1]) == (first.timestamp(), last.timestamp())
    rest = found.days.rest(0)
    assert rest.shares.tolist() == pytest.approx([1] * (len(rest.shares) - 1) + [share], abs=1e-6)
    assert rest.weekdays[0] == (first + timedelta(days=1)).weekday()


def test_what_a_cut_day_used_in_the_period_is_spent_in_it() -> None:
    budget = rule(bucket="1h", period={"every": "month", "timezone": "America/Los_Angeles"})
    found = foreseen(hourly([100] * 95), budget, since=datetime(2026, 11, 2, tzinfo=UTC))
    assert found.days.spent[:3, 0].tolist() == [100, 200, 300]  # from 7 h on


def test_history_that_begins_inside_of_a_day_is_learned_from_the_next() -> None:
    found = foreseen(hourly([100] * 80, skipped=5), rule(bucket="1h"))
    assert found.days.forecast(0, np.array([0]), np.array([3000.0])).days == 58
    assert foreseen(hourly([100] * 80, skipped=53 * 24 + 5), rule(bucket="1h")).days.starts[0] == NOVEMBER.timestamp()


def test_it_is_the_forecast_of_these_days() -> None:
    history = november(*RISING[:20])
    series = rule().series(history, UTC_FILE)
    page = Page(Books.of(history, series, [3000]), Span(NOVEMBER, datetime(2026, 12, 1, tzinfo=UTC)))
    days = Days(page)
    found = days.forecast(9, np.array([0]), np.array([3000.0]))
    usage = np.array(BEFORE + RISING[:10], dtype=np.float64)[-58:, None]
    numbers = np.arange(-48, 10)
    plain = forecast(
        usage, (numbers + NOVEMBER.weekday()) % 7, days.rest(9), np.array([sum(RISING[:10])]), np.array([3000.0])
    )
    assert (found.over, found.median) == (plain.over, plain.median)
    assert len(days.rest(9).shares) == 20


def test_what_is_made_for_several_at_once_is_that_of_each_alone() -> None:
    counts = {f"m{n}@x": BEFORE + [(n + 1) * each for each in RISING] for n in range(4)}
    history = feed_history(counts, MEMBER_DAYS, start_at=NOVEMBER - timedelta(days=59))
    budget = rule(for_each="member", bucket=None)
    books = Books.of(history, budget.series(history, UTC_FILE), [3000] * 4)
    days = Days(Page(books, Span(NOVEMBER, datetime(2026, 12, 1, tzinfo=UTC))))
    made = Foreseen(days, books.limits)
    for index, column in ((9, 3), (9, 1), (9, 1), (12, 0)):
        made.expect(index, column)
    # The last two were not expected: one on a day that was, one on another.
    for index, column in ((9, 1), (9, 3), (12, 0), (9, 2), (14, 2)):
        alone = days.forecast(index, np.array([column]), np.array([3000.0]))
        found = made.of(index, column)
        assert (found.days, found.speaks, found.run_out.tolist()) == (alone.days, alone.speaks, alone.run_out.tolist())
        for name in ("median", "low", "high", "over", "pace", "record"):
            assert getattr(found, name) == pytest.approx(getattr(alone, name), rel=1e-12)


def test_who_joins_later_changes_no_number_of_before() -> None:
    """Nor has it to be made anew: it is known by what it was made of."""
    before = {"ana@x": BEFORE + RISING[:20], "bo@x": BEFORE + RISING[:20]}
    joined = {**before, "al@x": [0] * 78 + [7]}
    keys = []
    for counts in (before, joined):
        history = feed_history(counts, MEMBER_DAYS, start_at=NOVEMBER - timedelta(days=59))
        budget = rule(for_each="member", bucket=None)
        books = Books.of(history, budget.series(history, UTC_FILE), [3000] * len(counts))
        who = [place for place, each in enumerate(books.labels) if each["member"] != "al@x"]
        days = Days(Page(books, Span(NOVEMBER, datetime(2026, 12, 1, tzinfo=UTC))))
        keys.append([days.numbers(("median",), index, np.array(who), np.full(2, 3000.0)) for index in (18, 19)])
    assert keys[0][0] is keys[1][0]
    assert keys[0][1] is keys[1][1]


# ---- in words --------------------------------------------------------------------------------------------------------


def test_it_is_said_with_its_probability_and_when_the_limit_is_reached() -> None:
    said = evidence(november(*RISING[:18]), rule(), 17)
    assert said.summary == (
        "3,780 credits by 1 Dec at this pace, over the limit of 3,000 (P 83 %; limit reached about Mon 23 Nov)"
    )
    assert said.facts == (
        Fact("Likely range", "2,820 to 6,670 credits by 1 Dec (80 %)"),
        Fact("Limit reached", "Thu 19 Nov or later, if at all (80 %)"),
        Fact("To stay inside", "at most 56 credits a day from here; 121 are expected"),
        Fact("Spent", "2,333 of 3,000 credits (78 %)"),
        Fact("Period", "Sun 1 Nov 00:00 to Tue 1 Dec 00:00 (UTC), 60 % of it over"),
        Fact("Record", "7-day forecasts were within ±39 %, four of five times"),
    )
    assert (said.value, said.limit, said.bucket) == (3780, 3000, "1d")
    assert (said.from_at, said.until_at) == (NOVEMBER, NOVEMBER + timedelta(days=18))
    assert said.series is not None
    assert said.series.values[-1] == sum(RISING[:18])


def test_it_speaks_of_its_newest_and_of_the_end_of_its_period() -> None:
    said = evidence(november(*RISING[:18]), rule(), 17)
    assert (said.newest, said.over_at) == (True, datetime(2026, 12, 1, tzinfo=UTC))


def test_the_period_ends_on_a_day_of_its_zone() -> None:
    budget = rule(bucket="1h", period={"every": "month", "timezone": "America/Los_Angeles"})
    found = foreseen(hourly(BEFORE + RISING[:18]), budget, since=datetime(2026, 11, 2, tzinfo=UTC))
    assert " by 1 Dec at this pace" in budget.evidence(found, 15, 1, BERLIN_FILE).summary


def test_what_is_counted_is_said_first() -> None:
    history = feed_history(
        {"": BEFORE + RISING[:18], "Model=opus": BEFORE + RISING[:18]}, DAILY, start_at=NOVEMBER - timedelta(days=59)
    )
    budget = rule(where={"Model": "opus"})
    assert budget.evidence(foreseen(history, budget), 17, 1, UTC_FILE).facts[0] == Fact("Counted", "Model opus")


def limit_reached(limit: int, index: int) -> list[str]:
    facts = evidence(november(*RISING), rule(limit=limit), index).facts
    return [fact.value for fact in facts if fact.name == "Limit reached"]


@pytest.mark.parametrize(
    ("limit", "index", "said"),
    [
        (3000, 20, "between Sun 22 Nov and Sat 28 Nov (80 %)"),
        (3600, 20, "Sun 22 Nov or later, if at all (80 %)"),
        (2340, 17, "Thu 19 Nov (80 %)"),
    ],
)
def test_the_day_on_which_the_limit_is_reached_has_a_range(limit: int, index: int, said: str) -> None:
    assert limit_reached(limit, index) == [said]


def test_where_the_limit_is_not_reached_no_day_is_named() -> None:
    assert limit_reached(100_000, 10) == []
    assert "reached" not in evidence(november(*RISING), rule(limit=100_000), 10).summary


@pytest.mark.parametrize(("counts", "index"), [([5000, *usual(20)], 10), (RISING, 29), ([0] * 30, 3)])
def test_whatever_stands_there_it_has_words(counts: list[int], index: int) -> None:
    said = evidence(november(*counts), rule(), index)
    assert "credits by 1 Dec at this pace" in said.summary


def test_before_anything_can_be_forecast_it_has_words_too() -> None:
    said = evidence(november(*usual(5), before=[]), rule(), 3)
    assert said.summary.startswith("n/a credits")
    assert "Record" not in [fact.name for fact in said.facts]


@pytest.mark.parametrize(
    ("amount", "said"),
    [(452_317, 452_000), (78_249, 78_200), (999.6, 1000), (12.4, 12), (0, 0), (np.inf, np.inf)],
)
def test_no_more_digits_than_a_forecast_has(amount: float, said: float) -> None:
    assert rounded(np.array([amount])).tolist() == [said]


# ---- the closing report ----------------------------------------------------------------------------------------------


def reported(history: FeedHistory, budget: BudgetRule) -> str | None:
    return budget.judge_whole(history, NOVEMBER, UTC_FILE)[0].closed


def test_the_closing_report_says_how_the_forecast_of_day_10_did() -> None:
    assert reported(november(*RISING), rule()) == (
        "The period is over: 3,995 of 3,000 credits spent (133 %); the forecast of day 10 was 2,630 (2,020 to 3,640)."
    )


@pytest.mark.parametrize(
    ("history", "fields"),
    [
        (november(*RISING), {"forecast": "off"}),
        (november(*RISING), {"limit": 0}),
        (november(*RISING, before=usual(5)), {}),
        (november(*RISING, holes=(59 + 5,)), {}),
        (november(*RISING), {"period": "week"}),
    ],
)
def test_without_one_it_does_not(history: FeedHistory, fields: dict[str, Any]) -> None:
    said = reported(history, rule(**fields))
    assert said is None or "forecast" not in said
