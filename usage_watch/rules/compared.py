"""What of the usage an alert of a rule is about: which time of which selection, by which feeds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from usage_watch.core.datasets import DATASETS
from usage_watch.core.incident import Incident
from usage_watch.core.selection import MEMBER, Choice, Selection, relevant
from usage_watch.core.series import DAY, EACH_MEMBER, EVERYONE, Feed, FeedHistory, History
from usage_watch.core.units import from_epoch, to_epoch
from usage_watch.rules.budget import BudgetRule, burn, pool
from usage_watch.rules.common import Rule
from usage_watch.rules.measure import MeasuredRule

LEARNED_FROM = timedelta(weeks=8)
"""The four weeks that are usual, and four before them that tell who is new from who is back."""
_SILENT = frozenset({"absence", "novelty"})
"""The kinds that have nothing to compare: there is no usage, or was none before."""
LATELY = timedelta(days=7)
"""Of a budget's period no more than its end is explained: what was used as usual is no reason. Nor is a member asked
for more hours."""


@dataclass(frozen=True, slots=True)
class Time:
    """What is explained."""

    from_at: datetime
    until_at: datetime

    @property
    def is_days(self) -> bool:
        """Whether it is whole UTC days, which member days can cover."""
        return to_epoch(self.from_at) % DAY == to_epoch(self.until_at) % DAY == 0

    @property
    def whole_days(self) -> Time:
        """The UTC days that it is in."""
        return Time(
            from_epoch(to_epoch(self.from_at) // DAY * DAY), from_epoch(-(-to_epoch(self.until_at) // DAY) * DAY)
        )

    @property
    def days(self) -> int:
        """How many, where it is whole ones."""
        return (self.until_at - self.from_at) // timedelta(days=1)


def is_comparable(rule: Rule) -> bool:
    """Whether its alerts come from more or less usage than usual; that tasks take longer does not."""
    return rule.kind not in _SILENT and not (isinstance(rule, MeasuredRule) and rule.is_of_tasks)


def rises(rule: Rule, incident: Incident) -> bool:
    """Whether it is told for being too much."""
    return isinstance(rule, BudgetRule) or incident.evidence.value >= incident.evidence.limit


def is_whole(history: FeedHistory, time: Time) -> bool:
    """Whether all buckets of that time were read."""
    inside = (history.starts >= to_epoch(time.from_at)) & (history.starts < to_epoch(time.until_at))
    return int((inside & history.fetched).sum()) * history.feed.width == to_epoch(time.until_at) - to_epoch(
        time.from_at
    )


def time_of(rule: Rule, incident: Incident) -> Time:
    """What was judged. What a period has spent is no surprise: of that, how it went lately."""
    from_at, until_at = incident.evidence.from_at, incident.evidence.until_at
    return Time(max(from_at, until_at - LATELY) if sums_up(rule, incident) else from_at, until_at)


def sums_up(rule: Rule, incident: Incident) -> bool:
    """Whether it was judged by what a period has spent."""
    return isinstance(rule, BudgetRule) and incident.part != burn.PART


def selection_of(rule: Rule, incident: Incident) -> Selection:
    """Of the rule's usage that of the alert's series."""
    if isinstance(rule, BudgetRule) and rule.of == "pool":
        return Selection(pool.SOURCE, Choice((pool.PAID,)))
    whole = replace(rule.selection, for_each=None)
    for axis, category in incident.labels.items():
        if axis == MEMBER:
            return replace(whole, member=category)
        return replace(whole, axis=axis, choice=Choice((category,)))
    return whole


def member_days(rule: Rule) -> Feed | None:
    """The member days that can split what a rule judges; None where it has them itself, or there are none."""
    known = DATASETS.get(rule.dataset)
    if rule.feed.scope != EVERYONE or known is None or not known.per_member:
        return None
    return Feed(rule.dataset, DAY, EACH_MEMBER)


def covering(rule: Rule, history: History, time: Time, selection: Selection) -> FeedHistory | None:
    """The member days of just that time; None where it is not whole days, or one of them was not read yet."""
    feed = member_days(rule)
    if feed is None or not time.is_days or not is_whole(history[feed], time):
        return None
    return around(relevant(history[feed], selection), time, selection)


def around(history: FeedHistory, time: Time, selection: Selection) -> FeedHistory:
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
