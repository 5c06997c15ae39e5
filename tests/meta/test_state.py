"""What is seen only while it lasts: a sync that stands, holes, series that are left out, words that fail."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.meta.making import ANA, DAYS, HOURS, SKILLS, facts, found, minute
from usage_watch.core.feedstate import FeedState, Gap
from usage_watch.core.message import Severity
from usage_watch.core.series import Feed
from usage_watch.core.settling import Learned
from usage_watch.meta import Sight

HOUR = 60
DAY = 24 * HOUR


def stale(feed: Feed, since: float, *, lag: int = 7200, read_at: float | None = 0) -> FeedState:
    read = None if read_at is None else minute(read_at)
    return FeedState(feed, read_at=read, learned=Learned(usual_lag=lag), stale_from=minute(since))


def test_a_sync_that_stands_is_told_from_its_last_usage_on() -> None:
    [happening] = found(Sight(feeds=[stale(HOURS, -14 * HOUR), FeedState(SKILLS)]), 30)
    assert happening.rule.id == "meta:stale_frontier"
    assert happening.labels == {"Dataset": "credit_usage"}
    assert (happening.severity, happening.rank) == (Severity.WARNING, 2)
    assert (happening.started_at, happening.ended_at) == (minute(-14 * HOUR), None)
    evidence = happening.evidence
    assert (evidence.value, evidence.limit, evidence.unit) == (14, 12, "hours")
    assert evidence.summary == (
        "no usage since Thu 19 Nov 19:00, though there was in most earlier weeks: the source's sync seems to stand"
    )
    assert evidence.after == "Usage came in again, or no rule asks for it any more: what waited for it is judged now."
    assert facts(happening)["Usually late by"] == "2 h"


@pytest.mark.parametrize(("lag", "limit"), [(3600, 12), (6 * 3600, 12), (10 * 3600, 20)])
def test_a_source_that_is_always_late_may_be_later(lag: int, limit: float) -> None:
    [happening] = found(Sight(feeds=[stale(HOURS, -30 * HOUR, lag=lag)]), 0)
    assert happening.evidence.limit == limit


def test_what_was_never_read_up_is_as_old_as_the_present() -> None:
    [happening] = found(Sight(feeds=[stale(HOURS, -14 * HOUR, read_at=None)]), HOUR)
    assert happening.evidence.value == 15


@pytest.mark.parametrize(
    ("states", "started"),
    [
        ([stale(HOURS, -14 * HOUR), stale(DAYS, -20 * HOUR)], -20 * HOUR),
        ([stale(DAYS, -14 * HOUR), stale(HOURS, -20 * HOUR)], -20 * HOUR),
    ],
)
def test_of_a_dataset_the_feed_speaks_that_stands_longest(states: list[FeedState], started: float) -> None:
    [happening] = found(Sight(feeds=states), 0)
    assert happening.started_at == minute(started)


def test_hours_speak_before_days() -> None:
    sight = Sight(feeds=[stale(DAYS, -14 * HOUR, lag=20 * 3600), stale(HOURS, -14 * HOUR)])
    assert [each.evidence.limit for each in found(sight, 0)] == [12]


def test_each_dataset_stands_alone() -> None:
    sight = Sight(feeds=[stale(SKILLS, -14 * HOUR), stale(HOURS, -15 * HOUR)])
    assert [dict(each.labels) for each in found(sight, 0)] == [{"Dataset": "credit_usage"}, {"Dataset": "skills"}]


def test_a_member_at_rest_is_no_sync_that_stands() -> None:
    assert found(Sight(feeds=[stale(ANA, -14 * HOUR)]), 0) == []


def test_a_hole_says_how_much_is_missing_and_where() -> None:
    gaps = [Gap(HOURS, minute(-10 * DAY), minute(-10 * DAY + 5 * HOUR))]
    [happening] = found(Sight(feeds=[FeedState(HOURS)], gaps=gaps), 0)
    assert happening.rule.id == "meta:history_gap"
    assert happening.labels == {"Feed": "credit_usage 1h"}
    assert (happening.severity, happening.ended_at) == (Severity.WARNING, None)
    assert happening.started_at == minute(-10 * DAY)
    evidence = happening.evidence
    assert (evidence.dataset, evidence.value, evidence.limit, evidence.unit) == ("credit_usage", 5, 0, "hours")
    assert evidence.summary == "5 hours of history missing, and given up after a week: Tue 10 Nov 09:00–14:00"
    assert (
        evidence.after
        == "It was filled, or is out of the source's reach for good (90 days), or no rule needs it any more."
    )


def test_the_holes_of_a_feed_are_one_incident() -> None:
    midnight = minute(-8 * HOUR)
    days = [Gap(DAYS, midnight - timedelta(days=n), midnight - timedelta(days=n - 1)) for n in (9, 20)]
    hours = [Gap(HOURS, minute(-10 * DAY), minute(-10 * DAY + HOUR))]
    sight = Sight(feeds=[FeedState(HOURS), FeedState(DAYS)], gaps=[*days, *hours, Gap(SKILLS, START_OF_ALL, midnight)])
    of_days, of_hours = found(sight, 0)
    assert of_days.started_at == midnight - timedelta(days=20)
    assert (of_days.evidence.from_at, of_days.evidence.until_at) == (of_days.started_at, midnight - timedelta(days=8))
    assert of_days.evidence.summary == (
        "2 days of history missing, and given up after a week: Sat 31 Oct and Wed 11 Nov"
    )
    assert of_hours.evidence.summary.startswith("1 hour of history missing")


START_OF_ALL = minute(-30 * DAY)


@pytest.mark.parametrize(("count", "said"), [(1, "1 series not watched"), (1200, "1,200 series not watched")])
def test_series_that_a_rule_leaves_out_are_counted(count: int, said: str) -> None:
    [happening] = found(Sight(left_out={"by-model": count, "all": 0}), 30)
    assert happening.rule.id == "meta:limit_hit"
    assert happening.labels == {"Rule": "by-model"}
    assert (happening.severity, happening.started_at, happening.ended_at) == (Severity.WARNING, minute(30), None)
    assert (happening.evidence.value, happening.evidence.limit) == (count, 0)
    assert happening.evidence.summary == f"{said}: there are more than the rule's `max_series`"
    assert facts(happening)["What to do"].startswith("Raise `max_series`")


def test_words_that_cannot_be_filled_in_are_told_of_each_rule() -> None:
    [happening] = found(Sight(unworded={"member-day": "KeyError: 'nothing'"}), 30)
    assert happening.rule.id == "meta:template_error"
    assert happening.labels == {"Rule": "member-day"}
    assert (happening.severity, happening.started_at, happening.ended_at) == (Severity.WARNING, minute(30), None)
    assert happening.evidence.summary == "its `title` or `text` cannot be filled in: messages go without them"
    assert facts(happening)["Why"] == "KeyError: 'nothing'"
    assert "usage-watch check" in facts(happening)["What to do"]


@pytest.mark.parametrize("sight", [Sight(left_out={"by-model": 3}), Sight(unworded={"by-model": "KeyError: 'x'"})])
def test_what_has_no_time_of_its_own_reads_the_same_all_day(sight: Sight) -> None:
    assert found(sight, 30)[0].evidence == found(sight, 300)[0].evidence
