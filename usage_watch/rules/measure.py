"""What threshold and zscore have in common: they judge a total or a share over a trailing window."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from usage_watch.core.datasets import DATASETS
from usage_watch.core.episode import Findings
from usage_watch.core.message import Drawn, Evidence, Fact
from usage_watch.core.selection import Selected
from usage_watch.core.series import FeedHistory, Flags, Floats, Ints
from usage_watch.core.stats.rolling import Scores
from usage_watch.core.stats.windows import all_true, trailing_sum
from usage_watch.core.units import Duration, number, quantity, spell_duration
from usage_watch.rules.common import FileDefaults, Problem, Rule, buckets
from usage_watch.rules.drawing import POINTS, drawn, where_known
from usage_watch.rules.evidence import around, week_before


class Statistic(StrEnum):
    """What is judged of a series."""

    TOTAL = "total"
    """The sum of its counts."""
    SHARE = "share"
    """Its part of the dataset's total for the same members, in percent."""


LATER_STATISTICS = frozenset({"mean", "p50", "p90", "p95", "p99", "share_over"})
"""Statistics of the contract that are not built yet: those of task_durations."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A statistic of one series over trailing windows. All arrays have shape (n,)."""

    labels: Mapping[str, str]
    starts: Ints
    """Start of each window's last bucket, epoch seconds."""
    values: Floats
    counts: Ints
    """Of each window's last bucket alone."""
    known: Flags
    """Whether every bucket of the window was fetched."""
    settled: Flags
    """Whether every bucket of the window is settled."""
    enough: Flags
    """Whether there was enough to judge; an empty or thin window is clear."""
    grows: bool
    """Whether late numbers can only raise it."""


def measure(
    history: FeedHistory, watched: Sequence[Selected], statistic: Statistic, window: int, min_total: float
) -> list[Measured]:
    """Measure each series of a rule over windows of `window` buckets; below `min_total` a share says nothing."""
    measured = []
    for series in watched:
        sums = trailing_sum(series.counts, window).astype(np.float64)
        totals = trailing_sum(series.totals, window).astype(np.float64)
        is_share = statistic == Statistic.SHARE
        measured.append(
            Measured(
                labels=series.labels,
                starts=history.starts,
                counts=series.counts,
                values=np.divide(100 * sums, totals, out=np.zeros_like(sums), where=totals > 0) if is_share else sums,
                known=all_true(series.known, window),
                settled=all_true(history.settled & series.known, window),
                enough=totals >= max(min_total, 1) if is_share else np.ones(len(sums), dtype=bool),
                grows=not is_share,
            )
        )
    return measured


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredFindings(Findings):
    """Findings that know what came before the first of them, to be drawn."""

    measured: Measured
    """The whole series; its last buckets are those of the findings."""
    scored: Scores | None = None
    """The same buckets against what was usual; None for rules that expect nothing."""


class MeasuredRule(Rule):
    """A rule that judges a statistic over a trailing window, bucket by bucket."""

    statistic: Statistic = Statistic.TOTAL
    """`total`, or `share`: the part of the dataset's total, in percent."""
    window: Duration | None = None
    """The trailing sum over this long is judged; one bucket by default."""
    min_total: Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)] = 0
    """A share of less than this total says nothing."""

    later_values: ClassVar[Mapping[str, frozenset[str]]] = {"statistic": LATER_STATISTICS}

    @abstractmethod
    def judge_one(self, measured: Measured, first: int) -> Findings:
        """Judge one series' buckets from the index `first` on."""

    def durations(self) -> dict[str, timedelta | None]:
        return {**super().durations(), "window": self.window}

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if self.min_total and self.statistic != Statistic.SHARE:
            yield Problem(("min_total",), "belongs to `statistic: share`; leave it out for totals")
        known = DATASETS.get(self.dataset)
        if self.window_buckets > 1 and known is not None and not known.additive:
            never = f"cannot sum {self.dataset} over several days: a member counts on each; leave it out"
            yield Problem(("window",), never)

    def judge(self, history: FeedHistory, since: datetime, defaults: FileDefaults) -> list[Findings]:
        first = int(np.searchsorted(history.starts, int(since.timestamp())))
        series = measure(history, self.watched(history), self.statistic, self.window_buckets, self.min_total)
        return [self.judge_one(measured, first) for measured in series]

    @property
    def window_buckets(self) -> int:
        """`window` in buckets."""
        return buckets(self.window, self.width) or 1

    @property
    def drawn_before(self) -> timedelta:
        """How long before the judged buckets a picture may begin."""
        return timedelta(seconds=(POINTS - 1) * self.width)

    @property
    def span(self) -> timedelta:
        """How long the judged window is."""
        return timedelta(seconds=self.window_buckets * self.width)

    def said(self, value: float) -> str:
        """A measured value in words: `12,345 credits`, `63 % of credits`."""
        if self.statistic == Statistic.SHARE:
            return f"{number(value)} % of {self.unit}"
        return quantity(value, self.unit)

    def whole(self, findings: Findings, start_at: int, end_at: int) -> float | None:
        known = DATASETS.get(self.dataset)
        if self.statistic == Statistic.SHARE or known is None or not known.additive:
            return None
        measured = _own(findings).measured
        first, end = np.searchsorted(measured.starts, (start_at, end_at))
        return float(measured.counts[first:end].sum())

    def latest(self, findings: Findings) -> str | None:
        measured = _own(findings).measured
        last = np.flatnonzero(measured.known)[-1:]
        return self._in_span(float(measured.values[last[0]])) if len(last) else None

    def _in_span(self, value: float) -> str:
        return f"{self.said(value)} in {spell_duration(self.span)}"

    def words(
        self, findings: Findings, index: int, limits: Sequence[float], rank: int, against: str, facts: tuple[Fact, ...]
    ) -> Evidence:
        """The evidence of a window: what was measured, against what, the rule's own facts, and a week before.

        `limits`: where each of the rule's levels stands at that bucket.
        """
        value = float(findings.values[index])
        return around(
            findings,
            index,
            self.span,
            dataset=self.dataset,
            unit="%" if self.statistic == Statistic.SHARE else self.unit,
            value=value,
            limit=limits[rank - 1],
            summary=f"{self._in_span(value)}, {against}",
            facts=(*self.narrowed(), *facts, *week_before(findings, index, self.said)),
            series=self._drawn(findings, index, limits),
        )

    def _drawn(self, findings: Findings, index: int, limits: Sequence[float]) -> Drawn | None:
        own = _own(findings)
        measured, scored = own.measured, own.scored
        end = len(measured.starts) - len(findings.starts) + index + 1
        shown = slice(max(0, end - POINTS), end)
        until = int(findings.starts[index]) + self.width
        unit = f"% of {self.unit}" if self.statistic == Statistic.SHARE else self.unit
        return drawn(
            f"{unit} in {spell_duration(self.span)}",
            until,
            self.width,
            where_known(measured.values[shown], measured.known[shown]),
            zip((level.severity for level in self.levels), limits, strict=True),
            usual=None if scored is None else usual_range(scored, shown),
        )


def _own(findings: Findings) -> MeasuredFindings:
    if not isinstance(findings, MeasuredFindings):
        raise TypeError("findings of a measured rule know what was measured")
    return findings


def usual_range(scored: Scores, shown: slice) -> tuple[Floats, Floats]:
    """From where to where is usual: two standard deviations to each side, and never less than nothing."""
    center, reach = scored.centers[shown], 2 * scored.spreads[shown]
    return np.maximum(center - reach, 0), center + reach
