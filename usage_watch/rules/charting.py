"""What is drawn of a rule's whole series: the numbers that it judges by, bucket by bucket, and the episodes in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from usage_watch.core.chart import Band, Course, Level, Shade
from usage_watch.core.episode import Findings, fold, runs
from usage_watch.core.selection import MEMBER
from usage_watch.core.series import FeedHistory, Floats, SeriesKey
from usage_watch.core.units import from_epoch, percent, spell_duration
from usage_watch.rules.absence import QuietFindings
from usage_watch.rules.budget import BudgetRule
from usage_watch.rules.budget.rolling import RollingFindings
from usage_watch.rules.common import FileDefaults, Rule
from usage_watch.rules.drawing import where_known
from usage_watch.rules.measure import MeasuredFindings, MeasuredRule, usual_range
from usage_watch.rules.novelty import NewFindings
from usage_watch.rules.threshold import ThresholdRule
from usage_watch.rules.zscore.seasonal import SeasonalFindings


@dataclass(frozen=True, slots=True)
class Charted:
    """One series of a rule, to be drawn."""

    labels: Mapping[str, str]
    what: str
    """What each value is: `credits in 3 h`."""
    most: float | None
    """No value is above it; None where there is no such."""
    course: Course
    """Not known where the feed is not counted yet: a sum over hours would fall there, too, and mean nothing."""
    band: Band | None
    levels: Sequence[Level]
    shades: Sequence[Shade]


@dataclass(frozen=True, slots=True)
class _Shown:
    what: str
    values: Floats
    band: Band | None = None
    levels: Sequence[Level] = ()
    most: float | None = None


def charted(
    rule: Rule, history: FeedHistory, since: datetime, defaults: FileDefaults, labels: Mapping[str, str]
) -> Charted | None:
    """One series from `since` on; None where nothing is stored of it. A budget's periods are drawn otherwise.

    `history` reaches back to `rule.look_back(since, defaults)`.
    """
    alone = _alone(history, labels)
    judged = [each for each in rule.judge_whole(alone, since, defaults, labels) if each.labels == labels]
    found = next((each for each in judged if len(each.starts)), None)
    if found is None:
        return None
    shown = _shown(rule, found)
    values = where_known(shown.values, found.starts < (history.counted_until or 0))
    course = Course(found.starts, found.width, values, settled_until(history, found.starts[0]))
    return Charted(
        labels, shown.what, shown.most, course, shown.band, shown.levels, list(episodes(rule, judged, defaults))
    )


def _alone(history: FeedHistory, labels: Mapping[str, str]) -> FeedHistory:
    """Without the series that are drawn elsewhere: each is judged by itself, and of totals, which are all kept."""
    counts = {key: each for key, each in history.counts.items() if _may_be_of(key, labels)}
    return replace(history, counts=counts)


def _may_be_of(key: SeriesKey, labels: Mapping[str, str]) -> bool:
    return all(
        key.member == value if axis == MEMBER else key.axis != axis or key.category == value
        for axis, value in labels.items()
    )


def settled_until(history: FeedHistory, begin: int) -> datetime:
    """Until when nothing is expected to change any more; `begin` (epoch seconds) where all of it still may."""
    return from_epoch(int(begin) if history.frontier is None else history.frontier)


def episodes(rule: Rule, judged: Sequence[Findings], defaults: FileDefaults) -> Iterator[Shade]:
    """What was found, as the alerts have it: one for each that was told, or would have been."""
    for findings in judged:
        patience = rule.patience(findings.part)
        found = fold(findings, patience.for_buckets, patience.resolve_buckets)
        for run in runs(findings, found, 2 * patience.resolve_buckets):
            severity = findings.levels[run.latest.rank - 1].severity
            summary = rule.evidence(findings, run.latest.peak, run.latest.rank, defaults).summary
            until_at = None if run.ended_at is None else from_epoch(run.ended_at)
            yield Shade(from_epoch(run.started_at), until_at, severity, f"{severity}: {summary}")


def _shown(rule: Rule, findings: Findings) -> _Shown:
    bucket = f"{rule.unit} in {_spelled(findings.width)}"
    match findings:
        case SeasonalFindings():
            return _Shown(bucket, _counted(findings), _seasonal_band(findings))
        case MeasuredFindings():
            return _measured(rule, findings)
        case QuietFindings() | NewFindings():
            own = slice(findings.first, findings.first + len(findings.starts))
            series = findings.series
            return _Shown(bucket, where_known(series.counts[own].astype(np.float64), series.known[own]))
        case RollingFindings():
            assert isinstance(rule, BudgetRule)
            return _Shown(
                f"{rule.unit} in {spell_duration(findings.length)}", findings.values, None, rungs(rule, findings.limit)
            )
        case _:
            return _Shown(f"{rule.unit} spent", findings.values)


def _spelled(seconds: int) -> str:
    return spell_duration(timedelta(seconds=seconds))


def _counted(findings: SeasonalFindings) -> Floats:
    """Of single buckets: what a seasonal rule judges is of several windows at once."""
    last = slice(len(findings.measured.starts) - len(findings.starts), None)
    return where_known(findings.measured.counts[last].astype(np.float64), findings.measured.known[last])


def _seasonal_band(findings: SeasonalFindings) -> Band:
    edges = []
    for block in findings.blocks:
        rows = slice(block.rows.start - block.first, block.rows.stop - block.first)
        edges.append(block.judged.band(rows, findings.column, block.judged.tuning.usual))
    low, high = (np.concatenate(each) for each in zip(*edges, strict=True))
    return Band(low, high)


def _measured(rule: Rule, findings: MeasuredFindings) -> _Shown:
    assert isinstance(rule, MeasuredRule)
    own, last = findings.measured, slice(len(findings.measured.starts) - len(findings.starts), None)
    limits = [each.limit for each in rule.levels] if isinstance(rule, ThresholdRule) else []
    scale, unit = rule.scale(limits or [float(own.values[last].max(initial=0.0))])
    there = own.known & (own.behind > 0) if rule.is_of_tasks else own.known
    band = None
    if findings.scored is not None:
        low, high = usual_range(findings.scored, last)
        band = Band(low / scale, high / scale)
    levels = [Level(each.limit / scale, each.severity) for each in rule.levels] if limits else []
    values = where_known(own.values[last] / scale, there[last])
    return _Shown(f"{unit} in {spell_duration(rule.span)}", values, band, levels, 100.0 if unit == "%" else None)


def rungs(rule: BudgetRule, limit: float) -> list[Level]:
    """A budget's levels as amounts."""
    return [Level(limit * share / 100, severity, percent(share / 100)) for severity, share in rule.levels_]
