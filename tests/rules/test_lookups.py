"""Whose hours are asked for when something critical opens, and what the answers are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.core.builders import HOURLY, MEMBER_DAYS, at, feed_history
from tests.rules.making import made
from tests.rules.test_reasons import alert
from usage_watch.core.incident import Incident
from usage_watch.core.lookup import Lookup
from usage_watch.core.message import Severity, Who
from usage_watch.core.series import HOUR, Feed, FeedHistory, History
from usage_watch.rules import Rule, reasons
from usage_watch.rules.lookups import INCIDENTS, MEMBERS, lookups

DAYS = 36
NIGHT = 24 * DAYS + 3
"""The alert is of the third hour of a day that members' days say nothing of yet."""
NOW = at(NIGHT) + timedelta(minutes=20)
TEAM = [f"m{n}@example.com" for n in range(12)]
RULE = made("threshold", above={"critical": 100})
USUAL = 24
"""What each uses in an hour."""


def hours(last: int) -> FeedHistory:
    """What all used, and in the hour of the alert."""
    return feed_history({"": [len(TEAM) * USUAL] * (NIGHT - 1) + [last]}, HOURLY)


def days(count: int = DAYS, last: dict[str, int] | None = None) -> FeedHistory:
    """Everybody's days, and something else on the last one."""
    of_last = last or {}
    used = {who: [24 * USUAL] * (count - 1) + [of_last.get(who, 24 * USUAL)] for who in TEAM}
    return feed_history(used, MEMBER_DAYS)


def critical(**changes: Any) -> Incident:
    return alert(RULE, (NIGHT - 1, NIGHT), **{"severity": Severity.CRITICAL, **changes})


def too_little() -> Incident:
    return replace(critical(), evidence=replace(critical().evidence, value=3.0, limit=9.0))


def wanted(
    found: Incident,
    *feeds: FeedHistory,
    rule: Rule = RULE,
    known: Sequence[Lookup] = (),
    told: bool = True,
    now: datetime = NOW,
) -> tuple[Lookup, ...]:
    history = History({feed.feed: feed for feed in feeds or (hours(9000), days())})
    return lookups([rule], [found], {found.id} if told else set(), known, history, now)


# ---- who is asked for -----------------------------------------------------------------------------------------------


def test_the_hours_of_the_alert_are_asked_for_of_each_member_once() -> None:
    (lookup,) = wanted(critical())
    assert (lookup.incident_id, lookup.from_at, lookup.until_at) == ("inc_1", at(NIGHT - 1), at(NIGHT))
    assert {feed.scope for feed in lookup.feeds} == set(TEAM)
    assert {(feed.dataset, feed.width) for feed in lookup.feeds} == {("credit_usage", HOUR)}
    assert (lookup.wanted_at, lookup.asked, lookup.done) == (NOW, 0, False)
    assert wanted(critical(), known=[lookup]) == ()


def used_lately(used: int, long_ago: int = 0) -> list[int]:
    return [long_ago] * (DAYS - 20) + [used] * 20


def test_the_heaviest_of_four_weeks_are_asked_for_and_no_more_than_twenty() -> None:
    many = {f"m{n:02}@example.com": used_lately(n) for n in range(1, 41)}
    idle = {"was@example.com": [90_000] * (DAYS - 28) + [0] * 28, "is@example.com": [0] * DAYS}
    (lookup,) = wanted(critical(), hours(9000), feed_history({**many, **idle}, MEMBER_DAYS))
    assert [feed.scope for feed in lookup.feeds] == [f"m{n:02}@example.com" for n in range(40, 40 - MEMBERS, -1)]


def test_of_one_model_those_who_use_it_come_first_and_then_whoever_uses_the_most() -> None:
    used = {
        "big@example.com": [900] * DAYS,
        "big@example.com Model=b": [900] * DAYS,
        "fan@example.com": [20] * DAYS,
        "fan@example.com Model=a": [10] * DAYS,
        "fan@example.com Model=b": [10] * DAYS,
    }
    members = feed_history(used, MEMBER_DAYS)
    for model, first in {"a": "fan@example.com", "b": "big@example.com", "new": "big@example.com"}.items():
        rule = made("threshold", above={"critical": 100}, for_each="Model")
        (lookup,) = wanted(critical(labels={"Model": model}), hours(9000), members, rule=rule)
        assert (lookup.feeds[0].scope, len(lookup.feeds)) == (first, 2)


def test_what_happens_now_is_looked_up_before_what_has_added_up() -> None:
    budget = made("budget", id="month", limit=1000)
    level = alert(budget, (NIGHT - 480, NIGHT), severity=Severity.CRITICAL, part="levels", id="inc_level")
    older = [critical(id=f"inc_{n}", started_at=at(NIGHT - 9 + n)) for n in range(INCIDENTS)]
    history = History({each.feed: each for each in (hours(9000), days())})
    found = [replace(level, rule=replace(level.rule, id="month")), *older]
    asked_for = lookups([RULE, budget], found, {each.id for each in found}, (), history, NOW)
    assert [each.incident_id for each in asked_for] == ["inc_2", "inc_1", "inc_0"]


def test_of_a_long_time_the_last_week_is_asked_for() -> None:
    rule = made("threshold", above={"critical": 100}, window="20d")
    found = alert(rule, (NIGHT - 480, NIGHT), severity=Severity.CRITICAL)
    (lookup,) = wanted(found, rule=rule)
    assert (lookup.from_at, lookup.until_at) == (at(NIGHT - 168), at(NIGHT))


NOBODY = {
    "a warning": (RULE, critical(severity=Severity.WARNING)),
    "it is over": (RULE, critical(ended_at=at(NIGHT))),
    "too little": (made("threshold", below={"critical": 1000}), too_little()),
    "days": (made("threshold", above={"critical": 1}, bucket="1d"), critical()),
    "each member": (made("threshold", above={"critical": 1}, for_each="member"), critical()),
    "one member": (made("threshold", above={"critical": 1}, where={"member": "ana@example.com"}), critical()),
    "no member days": (made("threshold", above={"critical": 1}, dataset="skills"), critical()),
    "not by the hour": (made("threshold", above={"critical": 1}, dataset="query_volume"), critical()),
    "an unknown dataset": (made("threshold", above={"critical": 1}, dataset="odd"), critical()),
    "silence": (made("absence", quiet_for="2d", severity="critical"), critical()),
}


@pytest.mark.parametrize(("rule", "found"), NOBODY.values(), ids=NOBODY.keys())
def test_for_anything_else_nobody_is_asked_for(rule: Rule, found: Incident) -> None:
    assert wanted(found, rule=rule) == ()


def test_nobody_is_asked_for_where_it_was_not_told_or_its_rule_is_gone_or_members_days_have_come() -> None:
    assert wanted(critical(), told=False) == ()
    assert wanted(replace(critical(), rule=replace(critical().rule, id="gone"))) == ()
    assert wanted(critical(), hours(9000), days(DAYS + 1)) == ()
    assert wanted(critical(), hours(9000), feed_history({}, MEMBER_DAYS)) == ()


def test_a_few_incidents_a_day_are_looked_up_and_the_others_wait_for_members_days() -> None:
    history = History({each.feed: each for each in (hours(9000), days())})
    found = [critical(id=f"inc_{n}") for n in range(INCIDENTS + 2)]
    ids = {each.id for each in found}
    first = lookups([RULE], found, ids, (), history, NOW)
    assert [each.incident_id for each in first] == ["inc_0", "inc_1", "inc_2"]
    assert lookups([RULE], found, ids, first, history, NOW + timedelta(hours=23)) == ()
    assert len(lookups([RULE], found, ids, first, history, NOW + timedelta(hours=24))) == 2
    set_back = NOW - timedelta(days=2)
    assert lookups([RULE], found, ids, first, history, set_back) == ()


# ---- what the answers say -------------------------------------------------------------------------------------------


def read(who: str, used: int | None) -> FeedHistory:
    """One member's hour of the alert; not read where it is None."""
    feed = Feed("credit_usage", HOUR, who)
    return feed_history({"": [used or 0]}, feed, start_at=at(NIGHT - 1), holes=[0] if used is None else [])


def asked(found: Incident | None = None) -> Lookup:
    """Done."""
    (lookup,) = wanted(found or critical())
    return replace(lookup, asked=len(lookup.feeds))


def because(*feeds: FeedHistory, lookup: Lookup | None = None, found: Incident | None = None) -> reasons.Found | None:
    history = History({feed.feed: feed for feed in feeds})
    return reasons.because(RULE, found or critical(), history, lookup or asked())


def night(runaway: str | None, used: int = 8000, silent: Sequence[str] = ()) -> list[FeedHistory]:
    """What was read of everybody, but for those who were not answered for."""
    return [read(who, None if who in silent else used if who == runaway else USUAL) for who in TEAM]


TOTAL = 8000 + (len(TEAM) - 1) * USUAL


def test_who_it_is_is_said_by_the_hours_that_were_read() -> None:
    found = because(hours(TOTAL), days(), *night("m3@example.com"))
    assert found is not None
    assert found.who is Who.LOOKED_UP
    assert found.why.sentence == "+7,976 credits against the usual (+2,769 %): 100 % m3@example.com"
    assert (found.from_at, found.until_at) == (at(NIGHT - 1), at(NIGHT))
    (first,) = found.why.contributors
    assert (first.axis, first.category, first.change, first.share) == ("member", "m3@example.com", 7976.0, 1.0)
    (table,) = found.why.table
    assert (table.parts.actual.sum(), table.parts.expected.sum()) == (TOTAL, len(TEAM) * USUAL)


def test_who_was_not_answered_for_is_in_the_rest() -> None:
    gone = ["m0@example.com", "m1@example.com"]
    found = because(hours(TOTAL), days(), *night("m3@example.com", silent=gone))
    assert found is not None
    (table,) = found.why.table
    assert not set(gone) & set(table.names)
    assert (table.parts.actual[-1], table.parts.expected[-1]) == (2 * USUAL, 2 * USUAL)


PLAIN = "+7,976 credits against the usual (+2,769 %)"
UNNAMED = {
    "whoever it is was not answered for": night("m3@example.com", silent=["m3@example.com"]),
    "nobody was answered for": night("m3@example.com", silent=TEAM),
    "it is everybody": [read(who, TOTAL // len(TEAM)) for who in TEAM],
}


@pytest.mark.parametrize("feeds", UNNAMED.values(), ids=UNNAMED.keys())
def test_where_that_names_nobody_it_is_said_as_without(feeds: Sequence[FeedHistory]) -> None:
    found = because(hours(TOTAL), days(), *feeds)
    assert found is not None
    assert (found.who, found.why.sentence, found.why.contributors) == (None, PLAIN, ())


def test_what_is_not_read_to_its_end_says_nothing_yet() -> None:
    (lookup,) = wanted(critical())
    found = because(hours(TOTAL), days(), *night("m3@example.com"), lookup=replace(lookup, asked=len(TEAM) - 1))
    assert found is not None
    assert found.who is None


def test_without_weeks_before_hours_say_nothing() -> None:
    now = int(at(NIGHT - 1).timestamp())
    assert because(hours(TOTAL).cut(now), days(), *night("m3@example.com")) is None


def day_of(runaway: int, others: int = 0) -> FeedHistory:
    """All hours of the day of the alert, with all that came later."""
    later = [len(TEAM) * USUAL + others] * 21
    return feed_history({"": [len(TEAM) * USUAL] * (NIGHT - 1) + [runaway, *later]}, HOURLY)


def test_members_days_confirm_it_when_they_come() -> None:
    used = {"m3@example.com": 23 * USUAL + 8000}
    found = because(day_of(TOTAL), days(DAYS + 1, used), *night("m3@example.com"))
    assert found is not None
    assert found.who is Who.CONFIRMED
    assert found.why.sentence == "over the whole day: +7,976 credits against the usual (+115 %): 100 % m3@example.com"
    assert (found.from_at, found.until_at) == (at(24 * DAYS), at(24 * DAYS + 24))


def test_members_days_tell_who_it_was_where_hours_did_not() -> None:
    used = {"m3@example.com": 23 * USUAL + 8000}
    found = because(day_of(TOTAL), days(DAYS + 1, used), *night(None, silent=TEAM))
    assert found is not None
    assert found.who is Who.CONFIRMED


@pytest.mark.parametrize("changes", [{}, {"ended_at": at(NIGHT + 9)}], ids=["open", "over"])
def test_members_days_tell_who_it_was_where_nobody_was_asked_for(changes: dict[str, Any]) -> None:
    """Others took the look-ups of that day, or the days had come before it was found."""
    used = {"m3@example.com": 23 * USUAL + 8000}
    history = History({each.feed: each for each in (day_of(TOTAL), days(DAYS + 1, used))})
    found = reasons.because(RULE, critical(**changes), history)
    assert found is not None
    assert (found.who, found.why.axis) == (Who.CONFIRMED, "member")
    assert reasons.wants(RULE, critical(**changes)).keys() == {HOURLY, MEMBER_DAYS}


def test_where_the_day_as_a_whole_names_nobody_the_hours_stand() -> None:
    found = because(day_of(TOTAL, 9000), days(DAYS + 1), *night("m3@example.com"))
    assert found is not None
    assert found.who is Who.LOOKED_UP


def test_an_alert_over_midnight_is_confirmed_by_both_days() -> None:
    over = replace(critical(), evidence=replace(critical().evidence, from_at=at(24 * DAYS - 2)))
    lookup = replace(asked(), from_at=at(24 * DAYS - 2))
    used = {"m3@example.com": 23 * USUAL + 8000}
    found = because(day_of(TOTAL), days(DAYS + 1, used), lookup=lookup, found=over)
    assert found is not None
    assert found.why.sentence.startswith("over 2 whole days: +7,976 credits")


def test_a_budget_says_over_how_long_by_itself() -> None:
    rule = made("budget", limit=1000)
    found = alert(rule, (24 * DAYS - 480, NIGHT), severity=Severity.CRITICAL, part="levels")
    used = {"m3@example.com": 23 * USUAL + 30_000}
    history = History({each.feed: each for each in (day_of(TOTAL + 22_000), days(DAYS + 1, used))})
    said = reasons.because(rule, found, history, asked())
    assert said is not None
    assert said.why.sentence.startswith("in 8 d: +29,976 credits against the usual")


# ---- what is loaded for it ------------------------------------------------------------------------------------------


def test_what_takes_a_look_up_is_loaded_with_members_days_and_then_with_the_hours_that_were_read() -> None:
    since = at(24 * DAYS) - timedelta(weeks=8)
    assert reasons.wants(RULE, critical()) == {HOURLY: since, MEMBER_DAYS: since}
    lookup = asked()
    read_too = dict.fromkeys(lookup.feeds, at(NIGHT - 1))
    assert reasons.wants(RULE, critical(), lookup) == {HOURLY: since, MEMBER_DAYS: since, **read_too}
    later = replace(critical(), evidence=replace(critical().evidence, from_at=at(NIGHT + 30), until_at=at(NIGHT + 31)))
    assert reasons.wants(RULE, later, lookup)[HOURLY] == since
    assert reasons.wants(RULE, critical(severity=Severity.WARNING)).keys() == {HOURLY}
