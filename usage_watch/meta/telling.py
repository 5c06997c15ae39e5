"""What all of the watcher's own alerts have in common: how they are named, and how they say times and lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo

from usage_watch.core.incident import Happening
from usage_watch.core.message import Evidence, Fact, RuleName, Severity
from usage_watch.core.series import DAY, Feed
from usage_watch.core.units import local_time, span

KIND = "meta"
"""The kind of every rule of this folder; its id is `meta:` and the cause."""
NAMED = 5
"""How many of a list are named; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom times are written."""

    zone: ZoneInfo
    now: datetime

    def time(self, at: datetime) -> str:
        """An instant: `14:00`."""
        return local_time(at, self.zone, self.now)

    def buckets(self, feed: Feed, start_at: datetime, end_at: datetime) -> str:
        """A stretch of a feed's buckets; the source's days are UTC days."""
        return span(start_at, end_at, ZoneInfo("UTC") if feed.width == DAY else self.zone, self.now)


def rule_name(cause: str, title: str) -> RuleName:
    """What stands for a rule, where nobody wrote one."""
    return RuleName(f"{KIND}:{cause}", KIND, title)


def listed(names: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b, c, d, e and 12 more`."""
    every = list(names)
    shown, more = list(islice(every, NAMED)), len(every) - NAMED
    if more > 0:
        shown.append(f"{more} more")
    return " and ".join([*([", ".join(shown[:-1])] if shown[:-1] else []), *shown[-1:]])


def evidence(
    *,
    unit: str,
    value: float,
    limit: float,
    from_at: datetime,
    until_at: datetime,
    summary: str,
    facts: Iterable[Fact],
    after: str | None,
    dataset: str = "",
) -> Evidence:
    """Evidence about the watcher. Its times are instants even for feeds of days, so its bucket is the hour."""
    return Evidence(
        dataset=dataset,
        bucket="1h",
        unit=unit,
        value=value,
        limit=limit,
        score=None,
        from_at=from_at,
        until_at=until_at,
        summary=summary,
        facts=tuple(facts),
        after=after,
    )


def happening(
    rule: RuleName,
    labels: Mapping[str, str],
    severity: Severity,
    started_at: datetime,
    ended_at: datetime | None,
    evidence: Evidence,
    *,
    quiet: bool = False,
) -> Happening:
    """What happened to the watcher itself."""
    return Happening(
        rule=rule,
        labels=labels,
        part=None,
        period_at=None,
        started_at=started_at,
        ended_at=ended_at,
        rank=1 + severity.weight,
        severity=severity,
        evidence=evidence,
        closed=None,
        quiet=quiet,
    )
