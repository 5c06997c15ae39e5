"""What threshold and zscore have in common: they judge a statistic of a series over a trailing window."""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

import numpy as np
from pydantic import Field

from usage_watch.core.datasets import DATASETS
from usage_watch.core.episode import Findings
from usage_watch.core.message import Drawn, Evidence, Fact
from usage_watch.core.selection import MEMBER
from usage_watch.core.series import FeedHistory, Floats, History
from usage_watch.core.stats.rolling import Scores
from usage_watch.core.units import (
    SECONDS,
    Duration,
    format_duration,
    number,
    percent,
    quantity,
    spell_duration,
    to_epoch,
)
from usage_watch.rules.common import FileDefaults, Problem, Rule, buckets
from usage_watch.rules.drawing import POINTS, drawn, where_known
from usage_watch.rules.evidence import WEEK, around, week_before
from usage_watch.rules.measured import Measured, measure, measure_tasks, unread_bands
from usage_watch.rules.statistic import (
    DURATION_AXIS,
    OF_DURATIONS,
    AnyStatistic,
    ShareOver,
    Statistic,
    is_of_tasks,
    is_percent,
    is_time,
    least_tasks,
)

LATELY: Final = timedelta(days=7)
"""For so long after its last task a band that nobody knows is told of."""
_SCALES: Final = ((10_800, 3600, "hours"), (180, 60, "minutes"), (0, 1, "seconds"))
"""From which limit on, in seconds, a picture counts in what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredFindings(Findings):
    """Findings that know what came before the first of them, to be drawn."""

    measured: Measured
    """The whole series; its last buckets are those of the findings."""
    scored: Scores | None = None
    """The same buckets against what was usual; None for rules that expect nothing."""


class MeasuredRule(Rule):
    """A rule that judges a statistic over a trailing window, bucket by bucket."""

    statistic: AnyStatistic = Statistic.TOTAL
    """`total`, or `share` of the dataset's total, in percent. Of task durations also `mean`, `p50`, `p90`, `p95`,
    `p99`, or `{share_over: 15m}`: the part of the tasks that took longer, in percent."""
    window: Duration | None = None
    """The trailing sum over this long is judged; one bucket by default."""
    min_total: Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)] | None = None
    """A share of less than this total says nothing (0), or fewer tasks than this (20; of `p99` 100)."""

    @abstractmethod
    def judge_all(self, series: Sequence[Measured], first: int, defaults: FileDefaults) -> list[Findings]:
        """Judge the buckets of all series from the index `first` on."""

    def durations(self) -> dict[str, timedelta | None]:
        return {**super().durations(), "window": self.window}

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if self.min_total and self.statistic == Statistic.TOTAL:
            yield Problem(("min_total",), "belongs to `statistic: share`, or of durations; leave it out for totals")
        known = DATASETS.get(self.dataset)
        if self.window_buckets > 1 and known is not None and not known.additive:
            never = f"cannot sum {self.dataset} over several days: a member counts on each; leave it out"
            yield Problem(("window",), never)
        if is_of_tasks(self.statistic):
            yield from self._not_of_tasks()

    def _not_of_tasks(self) -> Iterator[Problem]:
        if self.dataset != OF_DURATIONS:
            yield Problem(("statistic",), f"is of how long tasks took: write `dataset: {OF_DURATIONS}`, or `total`")
            return
        made = f"`{self._asked}` is made of all bands of {DURATION_AXIS}; leave it out"
        for name in self.where:
            if name.casefold() != MEMBER:
                yield Problem(("where", name), f"leaves some tasks out, but {made}")
        if self.for_each is not None and self.for_each.casefold() != MEMBER:  # which the source refuses by itself
            yield Problem(("for_each",), f"splits tasks by how long they took, but {made}")

    def judge(self, history: FeedHistory, since: datetime, defaults: FileDefaults) -> list[Findings]:
        first = int(np.searchsorted(history.starts, to_epoch(since)))
        return self.judge_all(self._measured(history, defaults), first, defaults)

    def _measured(self, history: FeedHistory, defaults: FileDefaults) -> list[Measured]:
        if not self.is_of_tasks:
            return measure(history, self.watched(history), self.statistic, self.window_buckets, self.min_total)
        least = self._usual_least if self.min_total is None else self.min_total
        member, window = self.selection.member, self.window_buckets
        return [measure_tasks(history, member, self.statistic, window, least, defaults.bands)]

    def leans_on(self, defaults: FileDefaults) -> list[str]:
        if not self.is_of_tasks:
            return super().leans_on(defaults)
        named = [f"{name}: {low:g} to {high:g} s" for name, (low, high) in sorted(defaults.bands.items())]
        return [*super().leans_on(defaults), *named]

    def digest(self, defaults: FileDefaults) -> str:
        if self.min_total is not None and self.min_total == self._usual_least:
            return self.model_copy(update={"min_total": None}).digest(defaults)  # a default that is written out
        return super().digest(defaults)

    @property
    def _usual_least(self) -> int:
        """What `min_total` is where the rule does not say."""
        return least_tasks(self.statistic) if self.is_of_tasks else 0

    @property
    def is_of_tasks(self) -> bool:
        """Whether it judges how long tasks took."""
        return is_of_tasks(self.statistic)

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

    @property
    def judged_unit(self) -> str:
        """The unit of what is judged: `credits`, `%`, or `s` for durations."""
        if is_time(self.statistic):
            return SECONDS
        return "%" if is_percent(self.statistic) else self.unit

    def said(self, value: float) -> str:
        """A measured value in words: `12,345 credits`, `63 % of credits`, `41 min`."""
        if is_percent(self.statistic):
            return f"{number(value)} {self._of_what}"
        return quantity(value, self.judged_unit)

    def plainly(self, value: float) -> str:
        """The same without its unit, where that is known: `10,000`, `60 %`, `30 min`."""
        if is_percent(self.statistic):
            return percent(value / 100)
        return quantity(value, SECONDS) if is_time(self.statistic) else number(value)

    @property
    def _of_what(self) -> str:
        """What a percentage is of."""
        if isinstance(self.statistic, ShareOver):
            return f"% of {self.unit} over {spell_duration(self.statistic.share_over)}"
        return f"% of {self.unit}"

    @property
    def _asked(self) -> str:
        """The statistic as it is written."""
        if isinstance(self.statistic, ShareOver):
            return f"share_over: {format_duration(self.statistic.share_over)}"
        return str(self.statistic)

    def whole(self, findings: Findings, start_at: int, end_at: int) -> float | None:
        known = DATASETS.get(self.dataset)
        if self.statistic != Statistic.TOTAL or known is None or not known.additive:
            return None
        measured = _own(findings).measured
        first, end = np.searchsorted(measured.starts, (start_at, end_at))
        return float(measured.counts[first:end].sum())

    def latest(self, findings: Findings) -> str | None:
        measured = _own(findings).measured
        # A zero that may still grow says nothing of now: the source answers it for "not yet".
        last = np.flatnonzero(measured.known & (measured.settled | (measured.counts > 0)))[-1:]
        return self._in_span(measured, int(last[0])) if len(last) else None

    def _in_span(self, measured: Measured, place: int) -> str:
        said, length = self.said(float(measured.values[place])), spell_duration(self.span)
        if self.is_of_tasks and not measured.behind[place]:
            return f"no {self.unit} in {length}"
        least = "at least " if measured.at_least[place] else ""
        return (
            f"tasks took {least}{said} ({self._asked}) in {length}"
            if is_time(self.statistic)
            else f"{least}{said} in {length}"
        )

    def words(
        self, findings: Findings, index: int, limits: Sequence[float], rank: int, against: str, facts: tuple[Fact, ...]
    ) -> Evidence:
        """The evidence of a window: what was measured, against what, the rule's own facts, and a week before.

        `limits`: where each of the rule's levels stands at that bucket.
        """
        measured = _own(findings).measured
        place = len(measured.starts) - len(findings.starts) + index
        earlier = place - WEEK // self.width
        thin = earlier >= 0 and not measured.enough[earlier]
        return around(
            findings,
            index,
            self.span,
            dataset=self.dataset,
            unit=self.judged_unit,
            value=float(findings.values[index]),
            limit=limits[rank - 1],
            summary=f"{self._in_span(measured, place)}, {against}",
            facts=(
                *self.narrowed(),
                *facts,
                *_made_of(measured, place),
                *(() if thin else week_before(findings, index, self.said)),
            ),
            series=self._drawn(findings, index, limits),
        )

    def _drawn(self, findings: Findings, index: int, limits: Sequence[float]) -> Drawn | None:
        own = _own(findings)
        measured, scored = own.measured, own.scored
        end = len(measured.starts) - len(findings.starts) + index + 1
        shown = slice(max(0, end - POINTS), end)
        scale, unit = self.scale(limits)
        # Of no tasks at all it cannot be said how long they took.
        there = measured.known & (measured.behind > 0) if self.is_of_tasks else measured.known
        usual = None if scored is None else usual_range(scored, shown)
        return drawn(
            f"{unit} in {spell_duration(self.span)}",
            int(findings.starts[index]) + self.width,
            self.width,
            where_known(measured.values[shown] / scale, there[shown]),
            zip((level.severity for level in self.levels), (limit / scale for limit in limits), strict=True),
            usual=None if usual is None else (usual[0] / scale, usual[1] / scale),
        )

    def scale(self, limits: Sequence[float]) -> tuple[int, str]:
        """By what the values of a picture are divided, and what they are then."""
        if not is_time(self.statistic):
            return 1, self._of_what if is_percent(self.statistic) else self.unit
        size, name = next((size, name) for least, size, name in _SCALES if max(limits) >= least)
        return size, f"{name} ({self._asked} of {self.unit})"


def all_unread_bands(
    rules: Iterable[Rule], history: History, defaults: FileDefaults, now: datetime
) -> dict[str, list[str]]:
    """By dataset, the bands of tasks of lately that keep rules from judging: nobody knows how long these took."""
    found: dict[str, set[str]] = defaultdict(set)
    for rule in rules:
        if isinstance(rule, MeasuredRule) and rule.is_of_tasks:
            since, member = to_epoch(now - LATELY), rule.selection.member
            found[rule.dataset].update(unread_bands(history[rule.feed], member, defaults.bands, since))
    return {dataset: sorted(labels) for dataset, labels in found.items()}


def _own(findings: Findings) -> MeasuredFindings:
    if not isinstance(findings, MeasuredFindings):
        raise TypeError("findings of a measured rule know what was measured")
    return findings


def _made_of(measured: Measured, place: int) -> Iterator[Fact]:
    """How many tasks there were, and how many of each band: what the number was computed from."""
    if measured.made_of:
        there = ((label, int(counts[place])) for label, counts in measured.made_of.items())
        parts = ", ".join(f"{label}: {number(count)}" for label, count in there if count)
        yield Fact("Tasks", f"{number(measured.behind[place])}{f' ({parts})' if parts else ''}")


def usual_range(scored: Scores, shown: slice) -> tuple[Floats, Floats]:
    """From where to where is usual: two standard deviations to each side, and never less than nothing."""
    center, reach = scored.centers[shown], 2 * scored.spreads[shown]
    return np.maximum(center - reach, 0), center + reach


__all__ = ["Measured", "MeasuredFindings", "MeasuredRule", "Statistic", "all_unread_bands", "measure", "usual_range"]
