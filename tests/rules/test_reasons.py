"""Why an alert stands, by the rule that found it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.core.builders import DAILY, HOURLY, MEMBER_DAYS, at, evidence, feed_history
from tests.rules.making import made
from usage_watch.core.incident import Incident
from usage_watch.core.message import RuleName, Severity
from usage_watch.core.series import Feed, FeedHistory, History
from usage_watch.core.why import Why
from usage_watch.rules import Rule, reasons

DAYS = 36
HOURS = 24 * DAYS
DAY = at(HOURS - 24), at(HOURS)
TEAM = [f"m{n}@example.com" for n in range(9)]


def alert(rule: Rule, hours: tuple[float, float] = (HOURS - 24, HOURS), **changes: Any) -> Incident:
    """Of what the rule judged from and to these hours: 900 over a limit of 100."""
    numbers = {"value": 900.0, "limit": 100.0, "unit": changes.pop("unit", "credits")}
    said = replace(evidence(), from_at=at(hours[0]), until_at=at(hours[1]), **numbers, **changes.pop("evidence", {}))
    plainest = Incident(
        id="inc_1",
        fingerprint="",
        rule=RuleName(rule.id, rule.kind, rule.id),
        labels={},
        part=None,
        period_at=None,
        started_at=said.from_at,
        ended_at=None,
        rank=1,
        severity=Severity.WARNING,
        evidence=said,
        sequence=1,
        history=False,
        closed=None,
        committed_at=said.until_at,
    )
    return replace(plainest, **changes)


def steady(last: dict[str, int], usual: int = 100, width: int = 1) -> dict[str, Sequence[int]]:
    """Series that hold the usual, and in the last bucket something else; and their sum."""
    n = HOURS // width
    series: dict[str, Sequence[int]] = {name: [usual] * (n - 1) + [count] for name, count in last.items()}
    return {"": [sum(column) for column in zip(*series.values(), strict=True)], **series}


MODELS = {"Model=opus": 5000, "Model=sonnet": 100, "Model=haiku": 100}
HOURLY_MODELS = feed_history(steady(MODELS), HOURLY)


def because(rule: Rule, found: Incident, *feeds: FeedHistory) -> Why | None:
    reason = reasons.because(rule, found, History({feed.feed: feed for feed in feeds}))
    return None if reason is None else reason.why


def sentence(rule: Rule, found: Incident, *feeds: FeedHistory) -> str | None:
    why = because(rule, found, *feeds)
    return None if why is None else why.sentence


def test_a_window_is_explained_by_the_models_that_it_holds() -> None:
    rule = made("threshold", above=1, window="3h")
    said = sentence(rule, alert(rule, (HOURS - 3, HOURS)), HOURLY_MODELS)
    assert said == "+4,900 credits against the usual (+544 %): 100 % opus"


def test_of_one_series_only_its_own_usage_counts() -> None:
    rule = made("threshold", above=1, for_each="Model")
    said = sentence(rule, alert(rule, (HOURS - 1, HOURS), labels={"Model": "opus"}), HOURLY_MODELS)
    assert said == "+4,900 credits against the usual (+4,900 %)"


def test_of_one_member_it_is_said_on_which_model() -> None:
    rule = made("threshold", above=1, for_each="member")
    days = {f"{who} Model={model}": [100] * DAYS for who in TEAM for model in "abc"}
    days |= {who: [300] * DAYS for who in TEAM}
    days["m1@example.com"], days["m1@example.com Model=a"] = ([each] * (DAYS - 1) + [each + 700] for each in (300, 100))
    found = alert(rule, labels={"member": "m1@example.com"})
    why = because(rule, found, feed_history(days, MEMBER_DAYS))
    assert why is not None
    assert why.sentence == "+700 credits against the usual (+233 %): 100 % a"
    assert {each.axis for each in why.table} == {"Model"}


def team(last: int, days: int = DAYS) -> FeedHistory:
    """Each uses 2400 a day, m3 something else on the last."""
    used = {who: [2400] * days for who in TEAM}
    used["m3@example.com"] = [2400] * (days - 1) + [last]
    return feed_history(used, MEMBER_DAYS)


WHOLE_DAYS = {
    "of days": (made("threshold", above=1, bucket="1d"), feed_history({"": [21600] * (DAYS - 1) + [31600]}, DAILY)),
    "of hours": (
        made("threshold", above=1, window="24h"),
        feed_history({"": [900] * (HOURS - 1) + [10_900]}, HOURLY),
    ),
}


@pytest.mark.parametrize(("rule", "everyone"), WHOLE_DAYS.values(), ids=WHOLE_DAYS.keys())
def test_whole_days_are_explained_by_members(rule: Rule, everyone: FeedHistory) -> None:
    why = because(rule, alert(rule), everyone, team(12_400))
    assert why is not None
    assert why.sentence == "+10,000 credits against the usual (+46 %): 100 % m3@example.com"
    assert [(each.axis, each.category, each.change, each.share) for each in why.contributors] == [
        ("member", "m3@example.com", 10_000.0, 1.0)
    ]


def test_other_times_are_not_explained_by_members_nor_is_a_day_of_theirs_that_was_not_read() -> None:
    rule, everyone = WHOLE_DAYS["of hours"]
    assert sentence(rule, alert(rule, (HOURS - 23, HOURS)), everyone, team(12_400)) == (
        "+10,000 credits against the usual (+48 %)"
    )
    assert sentence(rule, alert(rule), everyone, team(2400, DAYS - 1)) == "+10,000 credits against the usual (+46 %)"
    assert sentence(rule, alert(rule), everyone) == "+10,000 credits against the usual (+46 %)"


def test_it_does_not_matter_what_else_was_loaded() -> None:
    rule = made("threshold", above=1)
    long = {name: [7] * 24 * 60 + list(counts) for name, counts in steady(MODELS).items()}
    long["Model=gone"] = [9] * 24 + [0] * (len(long[""]) - 24)
    more = feed_history(long, HOURLY, start_at=at(-24 * 60))
    found = alert(rule, (HOURS - 1, HOURS))
    since = reasons.wants(rule, found)[HOURLY]
    whole, cut = (because(rule, found, feed) for feed in (more, more.cut(int(since.timestamp()))))
    assert whole is not None
    assert cut is not None
    assert (whole.sentence, whole.contributors) == (cut.sentence, cut.contributors)
    assert [each.names for each in whole.table] == [each.names for each in cut.table] == [("haiku", "opus", "sonnet")]


@pytest.mark.parametrize(
    ("hours", "part", "said"),
    [
        ((HOURS - 600, HOURS), "levels", "in 7 d: +4,900 credits against the usual (+9.7 %): 100 % opus"),
        ((HOURS - 30, HOURS), "levels", "in 1 d 6 h: +4,900 credits against the usual (+54 %): 100 % opus"),
        ((HOURS - 600, HOURS), "forecast", "in 7 d: +4,900 credits against the usual (+9.7 %): 100 % opus"),
        ((HOURS - 6, HOURS), "burn", "+4,900 credits against the usual (+272 %): 100 % opus"),
    ],
)
def test_of_a_budget_it_is_said_how_it_went_lately(hours: tuple[float, float], part: str, said: str) -> None:
    rule = made("budget", limit=1000)
    found = alert(rule, hours, part=part)
    assert sentence(rule, found, HOURLY_MODELS) == said
    assert reasons.rises(rule, replace(found, evidence=replace(found.evidence, value=1.0)))


def test_a_pool_is_explained_by_paid_use() -> None:
    rule = made("budget", limit=1000, of="pool")
    used: dict[str, list[int]] = {}
    for who in TEAM:
        paid = [100] * (DAYS - 1) + [900 if who == TEAM[2] else 100]
        used |= {who: [500] * DAYS, f"{who} Credit Source=paid": paid, f"{who} Credit Source=promo": [400] * DAYS}
    used[TEAM[2]] = [500] * (DAYS - 1) + [1300]
    found = alert(rule, part="levels")
    assert sentence(rule, found, feed_history(used, MEMBER_DAYS)) == (
        "in 1 d: +800 credits against the usual (+89 %): 100 % m2@example.com"
    )
    assert reasons.wants(rule, found).keys() == {MEMBER_DAYS}


SHARES = [
    ({**MODELS}, "+4,900 credits against the usual (+4,900 %); all credits +1,633 %"),
    ({"Model=opus": 100, "Model=sonnet": 0, "Model=haiku": 0}, "about as usual (0 credits); all credits -67 %"),
]


@pytest.mark.parametrize(("last", "said"), SHARES, ids=["it rose", "all else fell"])
def test_of_a_share_it_is_said_how_its_own_and_all_usage_changed(last: dict[str, int], said: str) -> None:
    rule = made("threshold", above="60%", statistic="share", where={"Model": "opus"})
    found = alert(rule, (HOURS - 1, HOURS), unit="%")
    assert sentence(rule, found, feed_history(steady(last), HOURLY)) == said


def test_of_a_share_of_what_was_never_used_only_its_own_change_is_said() -> None:
    rule = made("threshold", above="60%", statistic="share", where={"Model": "opus"})
    new = feed_history({"": [0] * (HOURS - 1) + [9], "Model=opus": [0] * (HOURS - 1) + [9]}, HOURLY)
    assert sentence(rule, alert(rule, (HOURS - 1, HOURS), unit="%"), new) == "+9 credits, none in the 4 weeks before"
    assert because(rule, alert(rule, (HOURS - 1, HOURS), unit="%"), new) is not None


def test_too_little_is_explained_by_who_used_less() -> None:
    rule = made("threshold", below=1000)
    found = alert(rule, (HOURS - 1, HOURS), evidence={})
    found = replace(found, evidence=replace(found.evidence, value=10.0))
    less = feed_history(steady({"Model=opus": 0, "Model=sonnet": 1000, "Model=haiku": 1000}, usual=1000), HOURLY)
    assert not reasons.rises(rule, found)
    assert sentence(rule, found, less) == "-1,000 credits against the usual (-33 %): 100 % opus"


def test_without_weeks_before_there_is_no_why() -> None:
    rule = made("threshold", above=1)
    assert because(rule, alert(rule, (HOURS - 1, HOURS)), HOURLY_MODELS.cut(int(DAY[1].timestamp()) - 3600)) is None
    assert because(rule, alert(rule)) is None


@pytest.mark.parametrize(
    "rule",
    [
        made("absence", quiet_for="2d"),
        made("novelty", for_each="Model"),
        made("threshold", dataset="task_durations", statistic="p95", above="30m"),
    ],
)
def test_what_does_not_come_from_more_usage_is_not_compared(rule: Rule) -> None:
    assert because(rule, alert(rule), HOURLY_MODELS) is None
    assert not reasons.explainable(rule, alert(rule), at(HOURS))


STANDS = [
    ({}, True),
    ({"ended_at": at(HOURS)}, True),
    ({"ended_at": at(HOURS - 1)}, False),
    ({"history": True}, False),
    ({"closed": "Its rule was changed.", "ended_at": at(HOURS)}, False),
]


@pytest.mark.parametrize(("changes", "explainable"), STANDS)
def test_what_is_open_or_ended_within_a_week_is_explained_anew(changes: dict[str, Any], explainable: bool) -> None:
    rule = made("threshold", above=1)
    assert reasons.explainable(rule, alert(rule, **changes), at(HOURS) + timedelta(days=7)) is explainable


WANTS = [
    (made("threshold", above=1), (HOURS - 1, HOURS), {HOURLY}),
    (made("threshold", above=1, window="24h"), (HOURS - 24, HOURS), {HOURLY, MEMBER_DAYS}),
    (made("threshold", above=1, bucket="1d"), (HOURS - 24, HOURS), {DAILY, MEMBER_DAYS}),
    (made("threshold", above=1, for_each="member"), (HOURS - 24, HOURS), {MEMBER_DAYS}),
    (made("threshold", above=1, dataset="skills", bucket="1d"), (HOURS - 24, HOURS), {Feed("skills", 86400)}),
    (made("threshold", above=1, dataset="odd", bucket="1d"), (HOURS - 24, HOURS), {Feed("odd", 86400)}),
]


@pytest.mark.parametrize(("rule", "hours", "feeds"), WANTS)
def test_eight_weeks_before_are_wanted(rule: Rule, hours: tuple[float, float], feeds: set[Feed]) -> None:
    found = alert(rule, hours)
    assert reasons.wants(rule, found) == dict.fromkeys(feeds, at(hours[0]) - timedelta(weeks=8))
