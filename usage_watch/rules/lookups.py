"""Whose hours are asked for when something critical opens: long before members' days come, and within bounds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime, timedelta

from usage_watch.core.datasets import DATASETS
from usage_watch.core.incident import Incident
from usage_watch.core.lookup import Lookup
from usage_watch.core.message import Severity
from usage_watch.core.selection import MEMBER, select
from usage_watch.core.series import DAY, EACH_MEMBER, EVERYONE, HOUR, Feed, History
from usage_watch.core.units import to_epoch
from usage_watch.rules.common import Rule
from usage_watch.rules.compared import LATELY, covering, is_comparable, rises, selection_of, sums_up, time_of

MEMBERS = 20
"""How many members are asked for, the heaviest: a request each, for a page holds a week of hours."""
HEAVY_FOR = timedelta(days=28)
"""Of how long it is taken who the heaviest are."""
INCIDENTS = 3
"""For so many incidents within `WITHIN`; the others wait for members' days."""
WITHIN = timedelta(days=1)


def lookups(
    rules: Iterable[Rule],
    incidents: Iterable[Incident],
    told: AbstractSet[str],
    known: Sequence[Lookup],
    history: History,
    now: datetime,
) -> tuple[Lookup, ...]:
    """What is to be asked for these incidents that was not yet: of those that were `told` (ids), once each."""
    by_id, have = {rule.id: rule for rule in rules}, {each.incident_id for each in known}
    left = INCIDENTS - sum(now - each.wanted_at < WITHIN for each in known)
    found: list[Lookup] = []
    asking = [
        (rule, each)
        for each in incidents
        if each.id in told - have and (rule := by_id.get(each.rule.id)) is not None and takes_lookup(rule, each)
    ]
    for rule, each in sorted(asking, key=lambda pair: _suddenness(*pair)):
        if len(found) >= left:
            break
        feeds, from_at, until_at = _whom(rule, each, history)
        if feeds:
            found.append(Lookup(each.id, tuple(feeds), from_at, until_at, now))
    return tuple(found)


def _suddenness(rule: Rule, incident: Incident) -> tuple[bool, float]:
    """What happens now comes before what has added up, and of the same the newest first."""
    return sums_up(rule, incident), -incident.started_at.timestamp()


def takes_lookup(rule: Rule, incident: Incident) -> bool:
    """Whether it is so urgent, and such, that the hours of the heaviest members are worth asking for."""
    return incident.open and asks_who(rule, incident)


def asks_who(rule: Rule, incident: Incident) -> bool:
    """Whether it was so urgent that members' days are to say who it was, however late they come."""
    known, feed = DATASETS.get(rule.dataset), rule.feed
    if known is None or not known.per_member or not known.one_member or (feed.scope, feed.width) != (EVERYONE, HOUR):
        return False
    return incident.severity is Severity.CRITICAL and rises(rule, incident) and is_comparable(rule)


def _whom(rule: Rule, incident: Incident, history: History) -> tuple[list[Feed], datetime, datetime]:
    """Whose hours to ask for, heaviest first, and which; nobody where members' days have come, or tell of nobody."""
    time, selection, members = (
        time_of(rule, incident),
        selection_of(rule, incident),
        Feed(rule.dataset, DAY, EACH_MEMBER),
    )
    from_at = max(time.from_at, time.until_at - LATELY)
    if covering(rule, history, time.whole_days, selection) is not None:
        return [], from_at, time.until_at
    lately = history[members].cut(to_epoch(time.until_at - HEAVY_FOR))
    used = select(lately, replace(selection, for_each=MEMBER))
    # Of a category that nobody has used yet, whoever uses the most of all.
    sums = {each.labels[MEMBER]: (int(each.counts.sum()), int(each.totals.sum())) for each in used}
    heaviest = sorted((who for who in sums if sums[who][1] > 0), key=lambda who: sums[who], reverse=True)
    return [Feed(rule.dataset, HOUR, who) for who in heaviest[:MEMBERS]], from_at, time.until_at
