"""Why an alert stands: which usage is compared with its usual, and over which time. The rest is the core's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from usage_watch.core.incident import Incident
from usage_watch.core.lookup import Lookup
from usage_watch.core.message import Contributor, Who
from usage_watch.core.selection import MEMBER, Selection, relevant
from usage_watch.core.series import DAY, EACH_MEMBER, Feed, FeedHistory, History
from usage_watch.core.stats.axes import total
from usage_watch.core.stats.days import in_days
from usage_watch.core.stats.hours import in_hours
from usage_watch.core.units import percent, quantity, spell_duration, to_epoch
from usage_watch.core.why import Why, explain
from usage_watch.rules.common import Rule
from usage_watch.rules.compared import (
    LEARNED_FROM,
    Time,
    around,
    covering,
    is_comparable,
    is_whole,
    member_days,
    rises,
    selection_of,
    sums_up,
    time_of,
)
from usage_watch.rules.lookups import asks_who

ANEW_FOR = timedelta(days=7)
"""After its end an alert is explained anew for so long; then what was said last of it stands."""


@dataclass(frozen=True, slots=True)
class Found:
    """Why an alert stands, and of which time that is."""

    why: Why
    from_at: datetime
    until_at: datetime
    who: Who | None = None
    """By what it names members; None where they were not looked up."""


def explainable(rule: Rule, incident: Incident, now: datetime) -> bool:
    """Whether it is said why an alert stands, and the answer may still change."""
    if not is_comparable(rule) or incident.history or incident.closed is not None:
        return False
    return incident.ended_at is None or now - incident.ended_at <= ANEW_FOR


def wants(rule: Rule, incident: Incident, lookup: Lookup | None = None) -> dict[Feed, datetime]:
    """What must be loaded to explain an alert: each feed, from when on."""
    time, members = time_of(rule, incident), member_days(rule)
    if lookup is None and not asks_who(rule, incident):
        feeds = [rule.feed] if members is None or not time.is_days else [rule.feed, members]
        return dict.fromkeys(feeds, time.from_at - LEARNED_FROM)
    looked_up = [] if lookup is None else [lookup.from_at]
    since = Time(min([time.from_at, *looked_up]), time.until_at).whole_days.from_at - LEARNED_FROM
    found = {feed: since for feed in (rule.feed, members) if feed is not None}
    return found if lookup is None else {**found, **dict.fromkeys(lookup.feeds, lookup.from_at)}


def because(rule: Rule, incident: Incident, history: History, lookup: Lookup | None = None) -> Found | None:
    """Why an alert of a rule stands, by what was loaded; None where what is usual is not known.

    The answer depends on nothing but the usage of the weeks before: not on what else was loaded. Of what is urgent it
    is of the whole days as soon as these name any, and before that of the hours that were asked for, if any were.
    """
    if not is_comparable(rule):
        return None
    found = _by_days(rule, incident, history) if lookup is not None or asks_who(rule, incident) else None
    if found is None and lookup is not None:
        found = _by_hours(rule, incident, history, lookup)
    if found is not None:
        return found
    time, selection = time_of(rule, incident), selection_of(rule, incident)
    members = covering(rule, history, time, selection)
    return _found(rule, incident, history, time, members)


def _by_days(rule: Rule, incident: Incident, history: History) -> Found | None:
    """By whole days, where these have come and few members stand out."""
    time = time_of(rule, incident).whole_days
    members = covering(rule, history, time, selection_of(rule, incident))
    found = None if members is None else _found(rule, incident, history, time, members)
    if found is None or found.why.axis != MEMBER:
        return None
    days = "the whole day" if time.days == 1 else quantity(time.days, "whole days")
    said = found.why.sentence if sums_up(rule, incident) else f"over {days}: {found.why.sentence}"
    return replace(found, why=replace(found.why, sentence=said), who=Who.CONFIRMED)


def _by_hours(rule: Rule, incident: Incident, history: History, lookup: Lookup) -> Found | None:
    """By the hours that were asked for, where few members stand out."""
    time = Time(lookup.from_at, lookup.until_at)
    selection, everyone = selection_of(rule, incident), history[rule.feed]
    hours = [relevant(history[feed], selection) for feed in lookup.feeds]
    read = [each for each in hours if is_whole(each, time)]
    if not lookup.done or not read:
        return None
    days = around(relevant(history[Feed(rule.dataset, DAY, EACH_MEMBER)], selection), time, selection)
    members = in_hours(days, around(everyone, time, selection), read, to_epoch(time.from_at))
    found = _found(rule, incident, history, time, members)
    if found is None or found.why.axis != MEMBER:
        return None
    return replace(found, who=Who.LOOKED_UP)


def _found(rule: Rule, incident: Incident, history: History, time: Time, members: FeedHistory | None) -> Found | None:
    """By members too, where they are given; then all is compared in buckets as wide as theirs."""
    selection = selection_of(rule, incident)
    feed = around(history[rule.feed], time, selection)
    if members is not None and members.feed.width != feed.feed.width:
        feed = in_days(feed)
    why = explain(
        feed,
        time.from_at,
        time.until_at,
        unit=rule.unit,
        rising=rises(rule, incident),
        selection=selection,
        members=members,
    )
    if why is None:
        return None
    said = _said(rule, incident, why.sentence, feed, time, selection)
    rounded = tuple(_rounded(each) for each in why.contributors)
    return Found(replace(why, sentence=said, contributors=rounded), time.from_at, time.until_at)


def _said(rule: Rule, incident: Incident, sentence: str, feed: FeedHistory, time: Time, selection: Selection) -> str:
    if sums_up(rule, incident):
        return f"in {spell_duration(time.until_at - time.from_at)}: {sentence}"
    if incident.evidence.unit != "%":
        return sentence
    # A share rises where its usage does, and where all else falls.
    whole = total(feed, time.from_at, time.until_at, Selection(member=selection.member))
    if whole is None or whole[1] <= 0:
        return sentence
    change = whole[0] / whole[1] - 1
    return f"{sentence}; all {rule.unit} {'+' if change > 0 else ''}{percent(change)}"


def _rounded(part: Contributor) -> Contributor:
    """What is usual is a mean, with more digits than anybody reads or compares."""
    return replace(part, change=round(part.change, 1), share=round(part.share, 4))


__all__ = ["ANEW_FOR", "Found", "because", "explainable", "rises", "wants"]
