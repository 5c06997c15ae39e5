"""What a rule would say, before it has anything to say: judged over made-up history, with a peak at its end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from usage_watch.core.incident import Incident
from usage_watch.core.message import Contributor, RuleName
from usage_watch.core.series import EACH_MEMBER, FeedHistory, SeriesKey
from usage_watch.core.units import from_epoch, to_epoch
from usage_watch.rules.statistic import DURATION_AXIS

if TYPE_CHECKING:
    from usage_watch.core.episode import Findings
    from usage_watch.core.message import Evidence
    from usage_watch.core.series import Feed, Ints
    from usage_watch.rules import FileDefaults, Rule

MEMBER = "ana.reyes@example.com"
_NAMES = ("sample", "another", "0")
"""What categories are called, where a rule does not say: the first that it takes."""


def samples(rule: Rule, defaults: FileDefaults, now: datetime) -> list[Incident]:
    """An open incident of each level of a rule; none, where no name of a category would be taken."""
    until = to_epoch(now) // rule.width * rule.width
    since = from_epoch(until) - timedelta(days=1)
    history = _history(rule, rule.look_back(since, defaults), until)
    judged = [each for each in rule.judge_whole(history, since, defaults) if len(each.starts)]
    parts = {each.part: each for each in judged}
    return [
        _incident(rule, each, rank, defaults, now) for each in parts.values() for rank in range(1, len(each.levels) + 1)
    ]


def _incident(rule: Rule, findings: Findings, rank: int, defaults: FileDefaults, now: datetime) -> Incident:
    """The last bucket, as though it stood at the level: most of the words are the same wherever it stands."""
    level = findings.levels[rank - 1]
    return Incident(
        id=f"inc_{rank:012}",
        fingerprint="",
        rule=RuleName(rule.id, rule.kind, rule.title or rule.id, rule.runbook),
        labels=findings.labels,
        part=findings.part,
        period_at=findings.period_at,
        started_at=from_epoch(int(findings.starts[-1])),
        ended_at=None,
        rank=level.grade,
        severity=level.severity,
        evidence=_explained(rule, rule.evidence(findings, len(findings.starts) - 1, rank, defaults)),
        sequence=1,
        history=False,
        closed=None,
        committed_at=now,
    )


def _explained(rule: Rule, evidence: Evidence) -> Evidence:
    """With a reason, where alerts of such a rule have one."""
    if rule.kind in ("absence", "novelty"):
        return evidence
    why = f"+9,900 {rule.unit} against the usual (+9,900 %): 71 % {MEMBER} (new member)"
    return replace(evidence, why=why, contributors=(Contributor("member", MEMBER, 7029.0, 0.71),))


def _history(rule: Rule, since: datetime, until: int) -> FeedHistory:
    """All settled: about a hundred in each bucket, and much more in the last; or none, where that is watched for.

    What is new was used in the last bucket only.
    """
    from usage_watch.rules.absence import AbsenceRule
    from usage_watch.rules.measure import MeasuredRule
    from usage_watch.rules.novelty import NoveltyRule

    feed = rule.feed
    starts = np.arange(to_epoch(since) // feed.width * feed.width, until, feed.width, dtype=np.int64)
    counts = 100 + np.arange(len(starts), dtype=np.int64) * 7 % 13
    if isinstance(rule, AbsenceRule):
        counts[-int(rule.quiet_for.total_seconds()) // feed.width :] = 0
    else:
        counts[:-1] *= not isinstance(rule, NoveltyRule)
        counts[-1:] = 10_000
    known = np.ones(len(starts), dtype=bool)
    if isinstance(rule, MeasuredRule) and rule.is_of_tasks:
        return FeedHistory(feed, starts, known, known, known, {DURATION_AXIS: known}, dict(_tasks(feed, counts)))
    axis = rule.selection.axis
    series = dict(_series(rule, axis, counts))
    return FeedHistory(feed, starts, known, known, known, {} if axis is None else {axis: known}, series)


def _series(rule: Rule, axis: str | None, counts: Ints) -> Iterator[tuple[SeriesKey, Ints]]:
    feed, selection = rule.feed, rule.selection
    member = (selection.member or MEMBER) if feed.scope == EACH_MEMBER else feed.member
    yield SeriesKey(feed, member=member), 2 * counts
    if axis is not None:
        choice = selection.choice
        wanted = [pattern.replace("*", "sample") for pattern in choice.patterns] if choice else []
        taken = (name for name in (*wanted, *_NAMES) if choice is None or choice.takes(name))
        yield SeriesKey(feed, axis, next(taken, "sample"), member), counts


def _tasks(feed: Feed, counts: Ints) -> Iterator[tuple[SeriesKey, Ints]]:
    """Quick ones, and slow ones at the end."""
    last = np.arange(len(counts)) == len(counts) - 1
    yield SeriesKey(feed, member=feed.member), counts
    yield SeriesKey(feed, DURATION_AXIS, "1-5 min", feed.member), np.where(last, 0, counts)
    yield SeriesKey(feed, DURATION_AXIS, "15m-1h", feed.member), np.where(last, counts, 0)
