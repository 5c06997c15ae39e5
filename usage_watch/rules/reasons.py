"""Why an alert stands: which usage is compared with its usual, and over which time. The rest is the core's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from usage_watch.core.datasets import DATASETS
from usage_watch.core.incident import Incident
from usage_watch.core.message import Contributor
from usage_watch.core.selection import MEMBER, Choice, Selection
from usage_watch.core.series import DAY, EACH_MEMBER, EVERYONE, Feed, FeedHistory, History
from usage_watch.core.stats.axes import total
from usage_watch.core.stats.days import in_days
from usage_watch.core.units import percent, spell_duration, to_epoch
from usage_watch.core.why import Why, explain
from usage_watch.rules.budget import BudgetRule, burn, pool
from usage_watch.rules.common import Rule

ANEW_FOR = timedelta(days=7)
"""After its end an alert is explained anew for so long; then what was said last of it stands."""
LEARNED_FROM = timedelta(weeks=8)
"""The four weeks that are usual, and four before them that tell who is new from who is back."""
_SILENT = "absence"
"""The kind that has nothing to compare: there is no usage."""
LATELY = timedelta(days=7)
"""Of a budget's period no more than its end is explained: what was used as usual is no reason."""


@dataclass(frozen=True, slots=True)
class _Time:
    """What is explained."""

    from_at: datetime
    until_at: datetime

    @property
    def is_days(self) -> bool:
        """Whether it is whole UTC days, which member days can cover."""
        return to_epoch(self.from_at) % DAY == to_epoch(self.until_at) % DAY == 0


def explainable(rule: Rule, incident: Incident, now: datetime) -> bool:
    """Whether it is said why an alert stands, and the answer may still change."""
    if rule.kind == _SILENT or incident.history or incident.closed is not None:
        return False
    return incident.ended_at is None or now - incident.ended_at <= ANEW_FOR


def explained_time(rule: Rule, incident: Incident) -> tuple[datetime, datetime]:
    """From when to when the usage is compared that an alert of a rule is explained by."""
    time = _time(rule, incident)
    return time.from_at, time.until_at


def rises(rule: Rule, incident: Incident) -> bool:
    """Whether it is told for being too much."""
    return isinstance(rule, BudgetRule) or incident.evidence.value >= incident.evidence.limit


def wants(rule: Rule, incident: Incident) -> dict[Feed, datetime]:
    """What must be loaded to explain an alert: each feed, from when on."""
    time, members = _time(rule, incident), _members(rule)
    since = time.from_at - LEARNED_FROM
    found = {rule.feed: since}
    if members is not None and time.is_days:
        found[members] = since
    return found


def because(rule: Rule, incident: Incident, history: History) -> Why | None:
    """Why an alert of a rule stands, by what was loaded; None where what is usual is not known.

    The answer depends on nothing but the usage of the weeks before: not on what else was loaded.
    """
    if rule.kind == _SILENT:
        return None
    time, selection = _time(rule, incident), _selection(rule, incident)
    feed, members = _around(history[rule.feed], time, selection), _covering(rule, history, time, selection)
    if members is not None:
        feed = in_days(feed)
    found = explain(
        feed,
        time.from_at,
        time.until_at,
        unit=rule.unit,
        rising=rises(rule, incident),
        selection=selection,
        members=members,
    )
    if found is None:
        return None
    said = _said(rule, incident, found.sentence, feed, time, selection)
    return replace(found, sentence=said, contributors=tuple(_rounded(each) for each in found.contributors))


def _time(rule: Rule, incident: Incident) -> _Time:
    """What was judged. What a period has spent is no surprise: of that, how it went lately."""
    from_at, until_at = incident.evidence.from_at, incident.evidence.until_at
    return _Time(max(from_at, until_at - LATELY) if _sums_up(rule, incident) else from_at, until_at)


def _sums_up(rule: Rule, incident: Incident) -> bool:
    """Whether it was judged by what a period has spent."""
    return isinstance(rule, BudgetRule) and incident.part != burn.PART


def _selection(rule: Rule, incident: Incident) -> Selection:
    """Of the rule's usage that of the alert's series."""
    if isinstance(rule, BudgetRule) and rule.of == "pool":
        return Selection(pool.SOURCE, Choice((pool.PAID,)))
    whole = replace(rule.selection, for_each=None)
    for axis, category in incident.labels.items():
        if axis == MEMBER:
            return replace(whole, member=category)
        return replace(whole, axis=axis, choice=Choice((category,)))
    return whole


def _members(rule: Rule) -> Feed | None:
    """The member days that can split what a rule judges; None where it has them itself, or there are none."""
    known = DATASETS.get(rule.dataset)
    if rule.feed.scope != EVERYONE or known is None or not known.per_member:
        return None
    return Feed(rule.dataset, DAY, EACH_MEMBER)


def _covering(rule: Rule, history: History, time: _Time, selection: Selection) -> FeedHistory | None:
    """The member days of just that time; None where it is not whole days, or one of them was not read yet."""
    feed = _members(rule)
    if feed is None or not time.is_days:
        return None
    members = _around(history[feed], time, selection)
    inside = members.starts >= to_epoch(time.from_at)
    days = (time.until_at - time.from_at) // timedelta(days=1)
    return members if int((inside & members.fetched).sum()) == days else None


def _around(history: FeedHistory, time: _Time, selection: Selection) -> FeedHistory:
    """Only the weeks before that time and the time itself, and only who used anything then."""
    begin = to_epoch(time.from_at - LEARNED_FROM) // DAY * DAY
    inside = slice(*np.searchsorted(history.starts, [begin, to_epoch(time.until_at)]))
    who = None if selection.member is None else selection.member.casefold()
    theirs = (each for each in history.counts.items() if who is None or (each[0].member or "").casefold() == who)
    counts = {key: used[inside] for key, used in theirs}
    return FeedHistory(
        history.feed,
        history.starts[inside],
        history.fetched[inside],
        history.settled[inside],
        history.aged[inside],
        {axis: known[inside] for axis, known in history.axes.items()},
        {key: used for key, used in counts.items() if used.any()},
    )


def _said(rule: Rule, incident: Incident, sentence: str, feed: FeedHistory, time: _Time, selection: Selection) -> str:
    if _sums_up(rule, incident):
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


__all__ = ["ANEW_FOR", "because", "explainable", "explained_time", "rises", "wants"]
