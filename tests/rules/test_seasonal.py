"""zscore with `method: seasonal`: against the usual of the hour and weekday."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from tests.core.builders import DAILY, HOURLY, START, at, feed_history, spelled
from tests.rules.making import UTC_FILE, made, problems
from usage_watch.core.episode import Findings, fold, looks_over
from usage_watch.core.lessons import Expected, Lessons, Rebased
from usage_watch.core.message import Evidence
from usage_watch.core.schedule import Days
from usage_watch.core.series import DAY, HOUR, FeedHistory, Ints, empty
from usage_watch.core.units import from_epoch, to_epoch
from usage_watch.rules import FileDefaults
from usage_watch.rules.zscore.blocks import BLOCK, WARM_UP, begin_of

WEEK = 168
MONDAY = 12 * WEEK
"""A Monday with twelve weeks before it."""


def usage(weeks: int = 14, seed: int = 1, office: int = 400, night: int = 30) -> Ints:
    """Hours of an office: busy from 9 to 18 on workdays."""
    hour = np.arange(weeks * WEEK)
    busy = (hour % 24 >= 9) & (hour % 24 < 18) & (hour // 24 % 7 < 5)
    return np.random.default_rng(seed).poisson(np.where(busy, office, night)).astype(np.int64)


def hours(values: Ints, **marks: Any) -> FeedHistory:
    return feed_history({"": values.tolist()}, **marks)


def zscore(**fields: Any) -> Any:
    return made("zscore", **fields)


def judged(
    history: FeedHistory, since: float = MONDAY, defaults: FileDefaults = UTC_FILE, **fields: Any
) -> list[Findings]:
    found: list[Findings] = zscore(**fields).judge(history, at(since), defaults)
    return found


def one(values: Ints, since: float = MONDAY, **fields: Any) -> Findings:
    (found,) = judged(hours(values), since, **fields)
    return found


def runaway(at_hour: int, more: int = 900, lasts: int = 3, **world: Any) -> Ints:
    values = usage(**world)
    values[at_hour : at_hour + lasts] += more
    return values


def said(findings: Findings, defaults: FileDefaults = UTC_FILE, **fields: Any) -> Evidence:
    """The evidence of its one episode."""
    (episode,) = fold(findings, 1, 6)
    evidence: Evidence = zscore(**fields).evidence(findings, episode.peak, episode.rank, defaults)
    return evidence


def facts(evidence: Evidence) -> dict[str, str]:
    return {fact.name: fact.value for fact in evidence.facts}


# ---- the rule as it is written ---------------------------------------------------------------------------------------


def test_it_is_the_default_with_levels_of_its_own() -> None:
    rule = zscore()
    assert (rule.method.value, [(each.severity.value, each.limit) for each in rule.levels]) == (
        "seasonal",
        [("warning", 6.5), ("critical", 8.0)],
    )
    assert rule.digest(UTC_FILE) == zscore(above={"warning": 6.5, "critical": 8}).digest(UTC_FILE)
    assert rule.digest(UTC_FILE) != zscore(above={"warning": 6.5, "critical": 9}).digest(UTC_FILE)


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"window": "3h"}, "window", "judges 1 h, 3 h, 12 h, 1 d at once: leave it out"),
        ({"bucket": "1d", "window": "2d"}, "window", "judges 1 d, 2 d, 4 d at once: leave it out"),
        ({"baseline": "28d"}, "baseline", "learns from all weeks, the last ones most: leave it out"),
    ],
)
def test_what_only_rolling_methods_know_is_refused(fields: dict[str, Any], field: str, says: str) -> None:
    ((where, message),) = problems("zscore", **fields)
    assert where == field
    assert says in message


def test_what_cannot_be_summed_is_judged_day_by_day() -> None:
    assert zscore(dataset="daily_active_users").spans == (timedelta(days=1),)
    assert problems("zscore", dataset="daily_active_users") == []


# ---- what it finds ---------------------------------------------------------------------------------------------------


def test_a_busy_monday_is_usual_and_a_busy_night_is_not() -> None:
    assert fold(one(usage()), 1, 6) == []
    found = one(runaway(MONDAY + 27, more=500, lasts=1))
    (episode,) = fold(found, 1, 6)
    assert (episode.first, episode.rank) == (27, 2)
    assert one(runaway(MONDAY + 36, more=40, lasts=1)).ranks.max() == 0  # as many more at noon are nothing


def test_a_short_runaway_is_over_soon_after_though_a_day_remembers_it() -> None:
    found = one(runaway(MONDAY + 27, more=4_000))
    assert found.scores is not None
    assert found.scores[27 + 20] > 6.5  # the sum of 24 h is far from its usual still
    (episode,) = fold(found, 1, 6)
    assert (episode.first, episode.ended) == (27, True)
    assert episode.last <= 35


def test_what_is_a_little_too_much_for_long_is_seen_by_the_long_windows() -> None:
    values = usage(office=40, night=10)
    values[MONDAY + 24 : MONDAY + 72] = (values[MONDAY + 24 : MONDAY + 72] * 1.8).astype(np.int64)
    found = one(values, above=4.5)
    assert found.scores is not None
    alone = one(runaway(MONDAY + 36, more=32, lasts=1, office=40, night=10))
    assert alone.scores is not None
    assert alone.scores[36] < 4.5  # one such hour is nothing
    (episode,) = fold(found, 1, 6)
    assert 24 < episode.first <= 48
    first = zscore(above=4.5).evidence(found, episode.first, 1, UTC_FILE)
    assert re.search(r"in (3|12) h|in 1 d, usually", first.summary)


@pytest.mark.parametrize(("direction", "rank"), [("up", 0), ("down", 2), ("both", 2)])
def test_an_outage_at_noon_is_news_for_who_looks_down(direction: str, rank: int) -> None:
    values = usage()
    values[MONDAY + 10 : MONDAY + 17] = 0
    found = one(values, direction=direction)
    assert found.ranks.max() == rank
    if rank:
        (episode,) = fold(found, 1, 6)
        assert episode.first in (10, 11)
        evidence = said(found, direction=direction)
        assert evidence.score is not None
        assert evidence.score < -6.5
        assert evidence.value < evidence.limit
        assert facts(evidence)["How rare"] == "never so low in the 8 weeks before"


def test_a_quiet_weekend_is_no_outage_and_a_busy_one_is_news() -> None:
    saturday = MONDAY + 5 * 24
    assert fold(one(usage(), direction="both"), 1, 6) == []
    values = usage()
    values[saturday + 9 : saturday + 18] += 370  # as on a workday
    (episode,) = fold(one(values), 1, 6)
    assert episode.first in (5 * 24 + 9, 5 * 24 + 10)


@pytest.mark.parametrize(("field", "value"), [("min_change", 2_000), ("min_relative", "5000%")])
def test_what_is_too_little_to_matter_is_no_news(field: str, value: Any) -> None:
    found = one(runaway(MONDAY + 27, more=300, lasts=1), **{field: value})
    assert fold(found, 1, 6) == []


def test_what_is_below_the_lowest_level_holds_until_clear_at() -> None:
    found = one(runaway(MONDAY + 27, more=170, lasts=1), above=9, clear_at="50%")
    assert found.scores is not None
    assert 4.5 < found.scores[27] < 9
    assert (found.ranks[27], bool(found.holding[27])) == (0, True)


def test_each_series_has_a_usual_of_its_own() -> None:
    quiet, busy = usage(), runaway(MONDAY + 27, seed=2)
    history = feed_history({"": (quiet + busy).tolist(), "Model=a": quiet.tolist(), "Model=b": busy.tolist()})
    found = judged(history, for_each="Model")
    assert [(dict(each.labels), int(each.ranks.max())) for each in found] == [({"Model": "a"}, 0), ({"Model": "b"}, 2)]


def test_days_are_judged_by_their_weekday() -> None:
    values = usage(20, office=40, night=3).reshape(-1, 24).sum(axis=1)
    values[7 * 18 + 5] += 250  # a Saturday
    (found,) = judged(feed_history({"": values.tolist()}, DAILY), 24 * 7 * 18, bucket="1d")
    (episode,) = fold(found, 1, 1)
    assert (episode.first, episode.rank) == (5, 2)
    evidence = zscore(bucket="1d").evidence(found, episode.peak, episode.rank, UTC_FILE)
    assert " in 1 d, usually " in evidence.summary
    assert evidence.summary.endswith(" on a Saturday")


# ---- what may be used ------------------------------------------------------------------------------------------------


def test_too_much_is_used_at_once_and_all_else_once_it_is_settled() -> None:
    newest = MONDAY + 28
    history = hours(runaway(MONDAY + 27)[: newest + 1], unsettled=(newest - 1, newest))
    (found,) = judged(history)
    assert spelled(found)[-3:] == ".22"
    history = hours(usage()[: newest + 1], unsettled=(newest - 1, newest))
    assert spelled(judged(history)[0])[-3:] == ".??"


def test_too_little_waits_until_it_is_settled() -> None:
    values = usage()[: MONDAY + 15]
    values[MONDAY + 10 :] = 0
    (early,) = judged(hours(values, unsettled=range(MONDAY + 10, MONDAY + 15)), direction="down")
    assert fold(early, 1, 6) == []
    assert spelled(early)[-5:] == "?????"
    (known,) = judged(hours(values), direction="down")
    assert known.ranks[-1] == 2


def test_a_hole_is_no_outage() -> None:
    (found,) = judged(hours(usage(), holes=range(MONDAY + 10, MONDAY + 17)), direction="both")
    assert fold(found, 1, 6) == []


def test_whether_it_looks_over_is_said_before_it_is_settled() -> None:
    newest = MONDAY + 45
    history = hours(runaway(MONDAY + 27)[: newest + 1], unsettled=range(MONDAY + 29, newest + 1))
    (found,) = judged(history)
    (episode,) = fold(found, 1, 6)
    assert not episode.ended
    assert looks_over(found, episode, 6, history.data_until)


@pytest.mark.parametrize(
    ("days", "states", "learned"),
    [
        (4, "?", None),
        (9, "2", "7 days, up to two days before: from two weeks on weekdays are told apart"),
        (30, "2", "4 weeks, up to two days before"),
    ],
)
def test_how_much_is_known_decides_what_is_told_apart(days: int, states: str, learned: str | None) -> None:
    values = usage()[: 24 * days + 4]
    values[-1] += 900
    (found,) = judged(hours(values), 24 * days)
    assert spelled(found)[-1].replace("1", "2") == states
    if learned is not None:
        evidence = said(found)
        assert facts(evidence)["Learned from"] == learned
        weekday = "on a workday" if learned.startswith("7 days") else f"on a {at(24 * days):%A}"
        assert weekday in evidence.summary


@pytest.mark.parametrize("n", [0, 1, 30])
def test_short_histories_and_histories_of_nothing_are_quiet(n: int) -> None:
    (found,) = judged(feed_history({"": [0] * n}), 0, direction="both")
    assert (len(found.starts), fold(found, 1, 6)) == (n, [])
    assert judged(empty(HOURLY), for_each="Model") == []


@pytest.mark.parametrize(("since", "n"), [(-500, 14 * WEEK), (14 * WEEK - 1, 1), (14 * WEEK, 0), (99 * WEEK, 0)])
def test_only_buckets_from_since_on_are_judged(since: float, n: int) -> None:
    assert len(one(usage(), since).starts) == n


# ---- what it says ----------------------------------------------------------------------------------------------------


def test_a_message_says_what_is_usual_then_and_how_rare_it_is() -> None:
    found = one(runaway(MONDAY + 27, lasts=1))
    evidence = said(found)
    assert evidence.summary.endswith(" credits in 1 h, usually 4 to 67 on a Tuesday from 03:00 to 04:00")
    assert (evidence.until_at - evidence.from_at, evidence.until_at) == (timedelta(hours=1), at(MONDAY + 28))
    said_of = facts(evidence)
    assert said_of["How unusual"].endswith("(warning from 6.5, critical from 8); 31.2 times the 30 credits expected")
    assert said_of["How rare"] == "never so high in the 8 weeks before"
    assert said_of["Learned from"] == "8 weeks, up to two days before"
    assert said_of["A week before"].endswith(" credits")
    assert evidence.limit < evidence.value


def test_hours_are_those_of_the_files_clocks() -> None:
    tokyo = FileDefaults(ZoneInfo("Asia/Tokyo"), 1)
    (found,) = judged(hours(runaway(MONDAY + 27, lasts=1)), MONDAY, tokyo)
    assert "on a Tuesday from 12:00 to 13:00" in said(found, tokyo).summary


def test_a_long_window_says_when_it_ended() -> None:
    found = one(runaway(MONDAY + 27, more=150, lasts=3))
    evidence = said(found)
    assert "credits in 3 h, usually " in evidence.summary
    assert evidence.summary.endswith(" in the 3 h up to 06:00 on a Tuesday")
    assert evidence.series is not None
    assert evidence.series.lines == ()  # its points are single hours
    assert "A week before" not in facts(evidence)


def test_it_draws_what_is_usual_hour_by_hour() -> None:
    series = said(one(runaway(MONDAY + 27, lasts=1))).series
    assert series is not None
    assert (len(series.values), series.until_at, series.what) == (24, at(MONDAY + 28), "credits in 1 h")
    assert [line.severity.value for line in series.lines] == ["warning", "critical"]
    assert series.high[-1] is not None
    assert series.low[-1] is not None
    assert 0 < series.low[-1] < 30 < series.high[-1] < series.lines[0].limit


@pytest.mark.parametrize(
    ("earlier", "rare"),
    [
        ((45,), "so high once in the 8 weeks before"),
        ((45, 55), "so high twice in the 8 weeks before"),
        ((45, 55, 65), "so high 3 times in the 8 weeks before"),
    ],
)
def test_what_was_there_before_is_counted(earlier: Sequence[int], rare: str) -> None:
    values = runaway(MONDAY + 27, more=600, lasts=1)
    for day in earlier:
        values[24 * day + 3] += 5_000
    assert facts(said(one(values)))["How rare"] == rare


def test_of_a_first_week_nothing_is_said_to_be_rare() -> None:
    values = usage()[: 24 * 8 + 4]
    values[-1] += 900
    (found,) = judged(hours(values), 24 * 8)
    assert "How rare" not in facts(said(found))


def test_a_little_more_is_said_without_a_factor() -> None:
    values = usage(office=4_000, night=4_000)
    values[MONDAY + 12] += 3_500
    said_of = facts(zscore().evidence(one(values), 12, 1, UTC_FILE))
    assert re.fullmatch(r"score [\d.]+ \(.*\); [34],\d{3} credits expected", said_of["How unusual"])


# ---- what people said is usual ---------------------------------------------------------------------------------------


def taught(**lessons: Any) -> FileDefaults:
    return replace(UTC_FILE, lessons=Lessons(**lessons))


def test_a_holiday_is_as_quiet_as_a_sunday() -> None:
    tuesday, zone = START.date() + timedelta(days=7 * 12 + 1), ZoneInfo("UTC")
    values = usage()
    values[MONDAY + 24 : MONDAY + 48] = np.random.default_rng(5).poisson(30, 24)
    holiday = taught(weekends=[Days(tuesday, tuesday, zone)])
    (found,) = judged(hours(values), above=5, direction="down")
    assert found.ranks[24:48].max() > 0
    (found,) = judged(hours(values), MONDAY, holiday, above=5, direction="down")
    assert found.ranks[24:48].max() == 0


@pytest.mark.parametrize(
    ("weeks", "bucket", "says"),
    [
        (13, "1h", "on a Tuesday that is taken for a Sunday from 10:00 to 11:00"),
        (13, "1d", "on a Tuesday that is taken for a Sunday"),
        (1, "1h", "on a Tuesday that is taken for a weekend from 10:00 to 11:00"),
    ],
)
def test_what_is_usual_of_a_holiday_is_not_said_to_be_that_of_its_weekday(weeks: int, bucket: str, says: str) -> None:
    """Or `usually 12 to 50 on a Tuesday` would be wrong."""
    before = weeks * WEEK - WEEK if weeks > 1 else WEEK
    values = usage(14)[: before + 48]
    values[before + 24 :] = 30
    values[before + 34] += 20_000
    history = hours(values) if bucket == "1h" else feed_history({"": values.reshape(-1, 24).sum(1).tolist()}, DAILY)
    day = (START + timedelta(hours=before + 24)).date()
    lessons = taught(weekends=[Days(day, day, ZoneInfo("UTC"))])
    (found,) = judged(history, before, lessons, bucket=bucket)
    index = int(np.argmax(found.ranks))
    evidence = zscore(bucket=bucket).evidence(found, index, int(found.ranks[index]), lessons)
    assert evidence.summary.endswith(says)


def test_what_is_not_to_be_learned_leaves_the_usual_as_it_was() -> None:
    values = usage()
    values[MONDAY - 3 * WEEK : MONDAY - WEEK] *= 3
    rule, history = zscore(), hours(values)

    def expected(defaults: FileDefaults) -> float:
        (found,) = rule.judge(history, at(MONDAY), defaults)
        assert found.usual is not None
        return float(found.usual[:24].sum())

    first, last = at(MONDAY - 3 * WEEK), at(MONDAY - WEEK)
    normal, learned = 9 * 400 + 15 * 30, expected(UTC_FILE)
    assert learned > 1.3 * normal
    for lessons in (
        {"unlearned": [Days(first.date(), last.date() - timedelta(days=1), ZoneInfo("UTC"))]},
        {"expected": [Expected("it", {}, first, last)]},
    ):
        assert expected(taught(**lessons)) == pytest.approx(normal, rel=0.1)
    for other in (Expected("another", {}, first, last), Expected("it", {"Model": "a"}, first, last)):
        assert expected(taught(expected=[other])) == learned


def shifted(weeks: int = 14) -> Ints:
    """Five times as much from a Tuesday on."""
    values = usage(weeks, office=40, night=10)
    values[MONDAY + 24 :] *= 5
    return values


def test_what_has_stood_for_three_days_is_the_new_usual_and_the_alert_says_so() -> None:
    found, rule = one(shifted()), zscore()
    (episode,) = fold(found, 1, 6)
    assert (episode.first, episode.ended) == (24, True)
    assert 24 + 3 * 24 <= episode.last + 1 <= 24 + 4 * 24
    start_at, end_at = int(found.starts[episode.first]), int(found.starts[episode.last]) + HOUR
    assert rule.afterwards(found, start_at, end_at) == "It had stood for three days, and is the new usual."
    assert rule.afterwards(found, start_at, end_at - 30 * HOUR) is None


def even_job(said_after: int | None, more: int) -> list[tuple[int, int]]:
    """Hours from its first one of the episodes of a job that runs day and night, for good."""
    begin = MONDAY + 34
    rebased = [] if said_after is None else [Rebased("it", {}, at(begin), at(begin + said_after))]
    (found,) = judged(hours(runaway(begin, more, WEEK, weeks=16)), MONDAY, taught(rebased=rebased))
    return [(each.first - 34, each.last + 1 - 34) for each in fold(found, 1, 6) if each.first < WEEK]


@pytest.mark.parametrize("more", [1_000, 3_000])
@pytest.mark.parametrize("said_after", [20, 40, None])
def test_what_runs_day_and_night_is_the_new_usual_of_the_nights_too(said_after: int | None, more: int) -> None:
    """It is no multiple of what was usual: or each night, and the weekend, would be news again."""
    # By itself: from the midnight on after which it has been so for three days, of which the first is not whole.
    assert even_job(said_after, more) == [(0, said_after or 62)]


def test_a_new_normal_that_somebody_told_of_holds_from_then_on() -> None:
    said_at = MONDAY + 24 + 30
    lessons = taught(rebased=[Rebased("it", {}, at(MONDAY + 24), at(said_at))])
    (found,) = judged(hours(shifted()), MONDAY, lessons)
    (episode,) = fold(found, 1, 6)
    assert (episode.first, episode.last + 1) == (24, said_at - MONDAY)
    end_at = to_epoch(at(said_at))
    start_at = int(found.starts[episode.first])
    assert zscore().afterwards(found, start_at, end_at) == "Somebody said that it is the new usual."
    (other,) = judged(hours(shifted()), MONDAY, lessons, id="other")
    assert fold(other, 1, 6)[0].last > episode.last


def test_of_a_window_that_begins_with_a_new_normal_only_what_came_since_is_said() -> None:
    values = shifted()
    said_at = MONDAY + 24 + 30
    values[said_at + 5] += 5_000
    lessons = taught(rebased=[Rebased("it", {}, at(MONDAY + 24), at(said_at))])
    (found,) = judged(hours(values), MONDAY, lessons)
    place = 24 + 30 + 5
    for index in (place, place + 1, place + 2):
        evidence = zscore().evidence(found, index, 1, lessons)
        assert evidence.value == values[to_index(evidence.from_at) : to_index(evidence.until_at)].sum()
        assert to_index(evidence.from_at) >= said_at


def to_index(at_: datetime) -> int:
    return int((at_ - START) / timedelta(hours=1))


def test_a_rule_that_was_taught_is_another_rule() -> None:
    """What it now finds of the past is history, and told to nobody."""
    rule, zone = zscore(), ZoneInfo("UTC")
    lessons = [
        {"weekends": [Days(START.date(), START.date(), zone)]},
        {"unlearned": [Days(START.date(), START.date(), zone)]},
        {"expected": [Expected("it", {}, at(1), None)]},
        {"rebased": [Rebased("it", {}, at(1), at(2))]},
    ]
    digests = {rule.digest(taught(**each)) for each in lessons} | {rule.digest(UTC_FILE)}
    assert len(digests) == 5
    assert rule.digest(taught(expected=[Expected("other", {}, at(1), None)])) == rule.digest(UTC_FILE)
    assert rule.digest(FileDefaults(ZoneInfo("Asia/Tokyo"), 1)) != rule.digest(UTC_FILE)
    days = zscore(bucket="1d")
    assert days.digest(FileDefaults(ZoneInfo("Asia/Tokyo"), 1)) == days.digest(UTC_FILE)


# ---- blocks ----------------------------------------------------------------------------------------------------------


def test_what_is_found_does_not_depend_on_how_far_back_judging_begins() -> None:
    """Or each new day would find other things in the past."""
    history = hours(usage(40, seed=3))
    rule = zscore(direction="both")
    (whole,) = rule.judge(history, at(13 * WEEK), UTC_FILE)
    assert whole.scores is not None
    for since in (13 * WEEK + 24, 20 * WEEK, 24 * WEEK + 5, 39 * WEEK):
        begin = rule.look_back(at(since), UTC_FILE)
        (part,) = rule.judge(history.cut(to_epoch(begin)), at(since), UTC_FILE)
        assert part.scores is not None
        assert np.array_equal(part.scores, whole.scores[since - 13 * WEEK :])
        assert part.states().tolist() == whole.states()[since - 13 * WEEK :].tolist()


def test_blocks_begin_on_mondays_with_eight_weeks_before_them() -> None:
    begins = {begin_of(to_epoch(at(hour))) for hour in range(0, 40 * WEEK, 7)}
    assert {from_epoch(each).weekday() for each in begins} == {0}
    assert all((each + WARM_UP) % BLOCK == 4 * DAY for each in begins)
    assert max(to_epoch(at(hour)) - begin_of(to_epoch(at(hour))) for hour in range(40 * WEEK)) < WARM_UP + BLOCK


def test_evidence_is_found_in_the_block_of_its_bucket() -> None:
    values = usage(40, seed=3)
    for week in (15, 22, 35):
        values[week * WEEK + 27] += 900
    found = one(values, 13 * WEEK)
    episodes = fold(found, 1, 6)
    assert len(episodes) == 3
    for episode in episodes:
        evidence = zscore().evidence(found, episode.peak, episode.rank, UTC_FILE)
        assert "on a Tuesday from 03:00 to 04:00" in evidence.summary
