from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.core.builders import HOURLY, MEMBER_DAYS, START, feed_history, spelled
from tests.rules.making import UTC_FILE, made, problems, ranks
from usage_watch.core.episode import fold
from usage_watch.core.message import Fact, Severity
from usage_watch.core.series import DAY, Feed, FeedHistory, empty
from usage_watch.rules.budget import BudgetRule
from usage_watch.rules.budget.burn import BurnFindings

EVE = datetime(2026, 10, 18, tzinfo=UTC)
"""Two weeks before November."""
BEFORE = [100] * 14 * 24


def rule(**fields: Any) -> BudgetRule:
    found = made("budget", **{"limit": 72_000, "period": "month", "forecast": "off", **fields})
    assert isinstance(found, BudgetRule)
    return found


def november(*counts: int, before: list[int] | None = None, **given: Any) -> FeedHistory:
    """Hours of November, after two weeks of 100 each."""
    before = BEFORE if before is None else before
    start_at = datetime(2026, 11, 1, tzinfo=UTC) - timedelta(hours=len(before))
    return feed_history({"": [*before, *counts]}, HOURLY, start_at=start_at, **given)


def burned(history: FeedHistory, budget: BudgetRule) -> BurnFindings:
    since = datetime(2026, 11, 1, tzinfo=UTC)
    (found,) = (each for each in budget.judge_whole(history, since, UTC_FILE) if isinstance(each, BurnFindings))
    return found


RUNAWAY = [100] * 48 + [2000] * 6 + [100] * 40


# ---- how it is written -----------------------------------------------------------------------------------------------


def pair(**fields: Any) -> dict[str, Any]:
    return {"long": "24h", "short": "2h", "rate": 4, "severity": "critical", **fields}


@pytest.mark.parametrize(
    ("fields", "windows"),
    [
        ({}, [(174, 25, 1.4), (74, 6, 2), (25, 2, 4), (6, 1, 8)]),  # October has 31 days: all of it grows a little
        ({"period": {"every": "30d", "from": "2026-10-01"}}, [(168, 24, 1.4), (72, 6, 2), (24, 2, 4), (6, 1, 8)]),
        ({"period": "day"}, [(6, 1, 1.4), (2, 1, 2), (1, 1, 4), (1, 1, 8)]),  # never under one bucket
        (
            {"bucket": "1d", "period": {"every": "30d", "from": "2026-10-01"}},
            [(7, 1, 1.4), (3, 1, 2), (1, 1, 4), (1, 1, 8)],
        ),
        ({"for_each": "member", "period": {"every": "30d", "from": "2026-10-01"}}, [(3, 1, 2), (1, 1, 4)]),
        (
            {"where": {"member": "ana@x.com"}, "period": {"every": "30d", "from": "2026-10-01"}},
            [(72, 6, 2), (24, 2, 4)],
        ),
        ({"burn": [pair(), pair(long="3h", short="1h", rate=9)]}, [(24, 2, 4), (3, 1, 9)]),  # as written
        ({"burn": [pair(), pair(long="3h", rate=9, severity="info")]}, [(3, 2, 9), (24, 2, 4)]),  # by severity first
    ],
)
def test_windows_grow_with_the_period_but_as_written_where_they_are(
    fields: dict[str, Any], windows: list[tuple[int, int, float]]
) -> None:
    budget = rule(**fields)
    counts = [10] * (24 * 45 if budget.width != DAY else 45)
    name = "ana@x.com" if budget.of_one_member else ""
    history = feed_history({name: counts}, budget.feed, start_at=datetime(2026, 10, 1, tzinfo=UTC))
    found = next(
        each
        for each in budget.judge_whole(history, datetime(2026, 10, 5, tzinfo=UTC), UTC_FILE)
        if isinstance(each, BurnFindings)
    )
    rows = [each.windows for each in found.rows]
    assert [(each.long, each.short, each.rate) for each in rows] == windows
    assert list(found.levels) == sorted(found.levels, key=lambda level: level.grade)


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"burn": [pair(long="150m")]}, "burn.0.long", "must be whole hours: this rule judges hours"),
        ({"burn": [pair(short="0h")]}, "burn.0.short", "must be whole hours"),
        ({"burn": [pair()], "bucket": "1d"}, "burn.0.short", "must be whole days: this rule judges days"),
        ({"burn": [pair(), pair(short="25h")]}, "burn.1.short", "must not be longer than `long`"),
        ({"burn": [pair()], "period": {"rolling": "30d"}}, "burn", "has no meaning for a rolling period"),
    ],
)
def test_windows_that_cannot_be_are_refused(fields: dict[str, Any], field: str, says: str) -> None:
    ((where, message),) = problems("budget", limit=5, **fields)
    assert where == field
    assert says in message


def test_every_level_of_every_part_is_among_the_rules() -> None:
    severities = [level.severity for level in rule().levels]
    assert severities == [*Severity, Severity.WARNING, Severity.WARNING, Severity.CRITICAL, Severity.CRITICAL]
    assert [level.limit for level in rule(burn=[pair()]).levels][-1] == pytest.approx(4 * 24 / 720 * 72_000)
    assert len(rule(burn="off").levels) == len(rule(limit=0).levels) == len(rule(period={"rolling": "5d"}).levels) == 3


# ---- when it speaks --------------------------------------------------------------------------------------------------


def test_a_runaway_escalates_one_incident_and_ends_when_its_windows_are_clear() -> None:
    budget = rule()
    found = burned(november(*RUNAWAY), budget)
    assert ranks(found)[46:60] == [0, 0, 0, 0, 4, 4, 4, 4, 3, 2, 2, 2, 2, 0]
    (episode,) = fold(found, *(budget.patience("burn").for_buckets, budget.patience("burn").resolve_buckets))
    assert (episode.first, episode.rank, episode.ended) == (50, 4, False)
    later = burned(november(*RUNAWAY, *[100] * 40), budget)
    assert [(each.first, each.last, each.ended) for each in fold(later, 1, 2)] == [(50, 121, True)]
    assert (found.part, found.period_at, found.closed) == ("burn", datetime(2026, 11, 1, tzinfo=UTC), None)


def test_resolve_after_is_of_burn_alone() -> None:
    budget = rule(resolve_after="5h")
    assert budget.patience("burn").resolve_buckets == 5
    assert budget.patience("levels").resolve_buckets == 1


def test_numbers_that_may_still_grow_burn_and_never_end_it() -> None:
    history = november(*RUNAWAY[:54], *[0] * 100, unsettled=range(-120, 0))
    found = burned(history, rule())
    assert "4" in spelled(found)
    assert spelled(found)[-40:] == "?" * 40


def test_the_end_of_the_period_closes_it() -> None:
    found = burned(november(*RUNAWAY, *[100] * (720 - len(RUNAWAY))), rule())
    assert found.closed == "The period is over."


def test_a_budget_that_lasts_anyway_is_not_burning() -> None:
    assert not any(ranks(burned(november(*RUNAWAY), rule(limit=200_000, burn=[pair(rate=1)]))))


def test_what_is_less_than_min_impact_is_no_news() -> None:
    quick = [pair(long="1h", short="1h", rate=4)]
    spike = [100] * 48 + [2000] + [100] * 20
    assert any(ranks(burned(november(*spike), rule(burn=quick))))
    assert not any(ranks(burned(november(*spike), rule(burn=quick, min_impact="3%"))))


def test_only_what_burns_is_judged_unless_the_whole_is_asked_for() -> None:
    budget = rule(limit=200_000)
    since = datetime(2026, 11, 1, tzinfo=UTC)
    assert budget.judge(november(*[100] * 48), since, UTC_FILE) == []
    assert [each.part for each in budget.judge_whole(november(*[100] * 48), since, UTC_FILE)] == ["levels", "burn"]
    assert [each.part for each in rule().judge(november(*RUNAWAY), since, UTC_FILE)] == ["burn"]


# ---- odd input -------------------------------------------------------------------------------------------------------


def test_with_a_limit_of_0_nothing_burns() -> None:
    since = datetime(2026, 11, 1, tzinfo=UTC)
    found = rule(limit=0).judge(november(*RUNAWAY), since, UTC_FILE)
    assert [each.part for each in found] == ["levels"]


def test_days_that_were_never_read_silence_it_from_there_on() -> None:
    hole = len(BEFORE) + 40
    found = burned(november(*RUNAWAY, holes=(hole,)), rule())
    assert spelled(found) == "." * 40 + "?" * (len(RUNAWAY) - 40)


def test_it_speaks_once_a_week_is_known_that_ended_two_days_before() -> None:
    found = burned(november(*[2000] * 100, before=[100] * 7 * 24), rule())
    assert spelled(found)[:48] == "?" * 48
    assert "?" not in spelled(found)[48:]


def test_of_nothing_there_is_nothing_to_say() -> None:
    assert rule().judge(empty(HOURLY), START, UTC_FILE) == []
    only_later = november(*[1] * 30, holes=range(len(BEFORE) + 3))
    found = rule().judge_whole(only_later, EVE, UTC_FILE)
    assert [(each.part, len(each.starts)) for each in found] == [("levels", 0), ("levels", 27), ("burn", 27)]


def test_what_happens_before_the_period_is_not_of_it() -> None:
    late = [*BEFORE[:-24], *[5000] * 24]
    assert not any(ranks(burned(november(*[100] * 48, before=late), rule(limit=90_000))))


def test_half_hour_zones_count_hours_by_their_start() -> None:
    budget = rule(period={"every": "month", "timezone": "Asia/Kolkata"})
    (found,) = (
        each
        for each in budget.judge_whole(november(*RUNAWAY), datetime(2026, 11, 1, tzinfo=UTC), UTC_FILE)
        if isinstance(each, BurnFindings)
    )
    assert found.page.buckets == 720
    assert found.page.span.start_at == datetime(2026, 10, 31, 18, 30, tzinfo=UTC)
    assert int(found.starts[0]) == datetime(2026, 10, 31, 19, tzinfo=UTC).timestamp()


def test_each_member_burns_alone() -> None:
    budget = rule(for_each="member", limit={"default": 3000, "overrides": {"Bo@x": 90_000}})
    days = [100] * 20 + [900, 900]
    history = feed_history({"ana@x": days, "bo@x": days, "cy@x": [100] * 22}, MEMBER_DAYS, start_at=EVE)
    found = budget.judge(history, datetime(2026, 11, 1, tzinfo=UTC), UTC_FILE)
    assert [(each.labels["member"], each.part) for each in found] == [("ana@x", "levels"), ("ana@x", "burn")]
    assert ranks(found[1])[-2:] == [2, 2]


# ---- in words --------------------------------------------------------------------------------------------------------


def test_a_burn_is_said_with_its_pace_and_where_it_leads() -> None:
    budget = rule()
    found = burned(november(*RUNAWAY), budget)
    evidence = budget.evidence(found, 53, 4, UTC_FILE)
    assert evidence.summary == (
        "12,000 credits in 6 h: 20 times what the budget bears; "
        "at this pace the limit of 72,000 is reached on Wed 4 Nov"
    )
    assert evidence.facts == (
        Fact("Spent", "16,800 of 72,000 credits (23 %)"),
        Fact("Period", "Sun 1 Nov 00:00 to Tue 1 Dec 00:00 (UTC), 7.5 % of it over"),
        Fact("Still going on", "2,000 credits in 1 h, 20 times; told from 8 times"),
        Fact("As usual from here", "83,400 credits in all, by the 7 d before"),
    )
    assert (evidence.value, evidence.limit, evidence.unit) == (12_000, 4800, "credits")
    assert budget.whole(found, int(found.starts[48]), int(found.starts[54])) == 12_000
    assert evidence.series is not None
    assert evidence.series.values[-1] == 12_000


@pytest.mark.parametrize(
    ("limit", "index", "leads_to"),
    [
        (16_000, 53, "the limit of 16,000 is used up"),
        (25_000, 53, "at this pace the limit of 25,000 is reached by Tue 3 Nov 10:06"),
        (36_000, 53, "at this pace the limit of 36,000 is reached by Tue 3 Nov 15:36"),
        (3_000_000, 53, "the limit of 3,000,000 does not last until Tue 1 Dec"),
    ],
)
def test_where_it_leads_is_a_day_and_within_one_an_hour_too(limit: int, index: int, leads_to: str) -> None:
    budget = rule(limit=limit)
    found = burned(november(*RUNAWAY), budget)
    assert budget.evidence(found, index, 4, UTC_FILE).summary.endswith(leads_to)


def test_hours_are_the_files_and_days_the_periods() -> None:
    """Messages say below of which zone their times are; of days of members no hour is known."""
    budget = rule(limit=36_000, period={"every": "month", "timezone": "Asia/Kolkata"})
    found = burned(november(*RUNAWAY), budget)
    assert budget.evidence(found, 58, 4, UTC_FILE).summary.endswith("is reached by Tue 3 Nov 15:21")
    daily = rule(limit=36_000, bucket="1d")
    of_days = feed_history({"": [2400] * 16 + [20_000]}, Feed("credit_usage", DAY), start_at=EVE)
    assert daily.evidence(burned(of_days, daily), 2, 4, UTC_FILE).summary.endswith("is reached on Wed 4 Nov")


def test_with_nothing_in_its_window_it_has_words_too() -> None:
    found = burned(november(*[0] * 60), rule())
    said = rule().evidence(found, 59, 1, UTC_FILE).summary
    assert said == "0 credits in 7 d: 0 times what the budget bears; the limit of 72,000 does not last until Tue 1 Dec"


def test_before_a_week_is_known_nothing_is_said_of_it() -> None:
    found = burned(november(*[2000] * 10, before=[]), rule())
    assert "As usual from here" not in [fact.name for fact in rule().evidence(found, 9, 4, UTC_FILE).facts]


def test_other_findings_have_no_whole() -> None:
    since = datetime(2026, 11, 1, tzinfo=UTC)
    levels = rule().judge_whole(november(*RUNAWAY), since, UTC_FILE)[0]
    assert rule().whole(levels, 0, 10**10) is None


def test_days_are_named_in_the_periods_zone() -> None:
    budget = rule(period={"every": "month", "timezone": "America/Los_Angeles"})
    assert budget.periods(UTC_FILE).zone == ZoneInfo("America/Los_Angeles")
