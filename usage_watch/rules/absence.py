"""absence: no usage at all, for too long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import Field

from usage_watch.core.episode import Findings, Level
from usage_watch.core.message import Drawn, Evidence, Fact, Severity
from usage_watch.core.selection import Selected
from usage_watch.core.series import DAY, FeedHistory, Flags, Floats, Ints
from usage_watch.core.stats.windows import all_true, trailing_sum
from usage_watch.core.units import Duration, from_epoch, local_time, quantity, span, spell_duration
from usage_watch.rules.common import FileDefaults, Problem, Rule, buckets
from usage_watch.rules.drawing import POINTS, drawn, stride_over, where_known
from usage_watch.rules.evidence import around

REMEMBERED: Final = 28 * DAY
"""Seconds: for so long a quiet series is watched, and so much before its last usage says whether it was in use."""
_READ_LATER = timedelta(days=2)
"""A zero is told about when it is old enough to be one, so that the day must be named, be it today's or not."""
_UNSURE = "no usage, or no sync: the source does not tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietFindings(Findings):
    """Findings of an absence; `values` are sums over the window."""

    used_at: Ints
    """Start of the newest bucket with usage up to each, epoch seconds; -1 where there is none. Shape (n,)."""
    active_day: Floats
    """What an active day used on average, of the 28 that ended with that usage. Shape (n,)."""
    vouched: Flags
    """Whether all of the window is settled, not only old enough to be. Shape (n,)."""
    series: Selected
    """The whole series."""
    first: int
    """Index in `series` of the first finding."""


class AbsenceRule(Rule):
    """Speaks when there was no usage at all for so long; with `for_each`, of a series that was in regular use."""

    kind: Literal["absence"]
    quiet_for: Duration
    """How long there must be no usage, such as 2d."""
    severity: Severity = Severity.WARNING
    """`info`, `warning` or `critical`."""
    min_active_days: Annotated[int, Field(ge=1, le=28, strict=True)] = 10
    """With `for_each`: only what was used on so many of the 28 days up to its last usage; closes after 28 d."""

    def durations(self) -> dict[str, timedelta | None]:
        return {**super().durations(), "quiet_for": self.quiet_for}

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if self.for_ is not None:
            yield Problem(("for",), "has no meaning for an absence: write a longer `quiet_for`")
        if self.for_each is None and "min_active_days" in self.model_fields_set:
            yield Problem(("min_active_days",), "belongs to `for_each`; leave it out for one total")
        if self.for_each is not None and self.quiet_for.total_seconds() >= REMEMBERED:
            yield Problem(
                ("quiet_for",), "must be less than 28d with `for_each`: what is quiet so long is watched no more"
            )

    @property
    def levels(self) -> tuple[Level, ...]:
        """One. Counts are whole, so that less than 1 is none at all: the limit says just what is judged."""
        return (Level(self.severity, 1, 1 + self.severity.weight),)

    @property
    def resolve_buckets(self) -> int:
        # Usage that came stays, and its window is clear for another `quiet_for`: there is nothing to wait for.
        return buckets(self.resolve_after, self.width) or 1

    def look_back(self, since: datetime, defaults: FileDefaults) -> datetime:
        # Back to the last usage, and from there over the days that say how regular it was.
        quiet = timedelta(seconds=REMEMBERED) if self.for_each else self.quiet_for
        used = since - quiet - timedelta(seconds=REMEMBERED)
        return min(used, since - timedelta(seconds=POINTS * self._stride * self.width))

    def judge(self, history: FeedHistory, since: datetime, defaults: FileDefaults) -> list[Findings]:
        if not len(history.starts):
            return []
        first = int(np.searchsorted(history.starts, int(since.timestamp())))
        return [self._judge_one(history, series, first) for series in self.watched(history)]

    def _judge_one(self, history: FeedHistory, series: Selected, first: int) -> Findings:
        """Zeros of the dataset's total count at their age even where the sync seems to stand: it may be just that."""
        total = self.for_each is None and not self.where
        settled = history.settled & series.known
        enough = history.aged & series.known if total else settled
        window = buckets(self.quiet_for, self.width)
        sums = trailing_sum(series.counts, window)
        use = _use(history.starts, series.counts, self.width)
        quiet = sums == 0
        ranks = quiet & self._was_in_use(use) if self.for_each else quiet
        stop, closed = self._stop(use, settled) if self.for_each else (len(sums), None)
        judged = slice(first, stop)
        return QuietFindings(
            labels=series.labels,
            levels=self.levels,
            width=self.width,
            starts=history.starts[judged],
            ranks=ranks.astype(np.int8)[judged],
            holding=np.zeros(len(sums), dtype=bool)[judged],
            settled=all_true(enough, window)[judged],
            grows=True,
            # Quiet that is none of the rule's business may become so, as late numbers show more active days.
            worse=np.where(quiet & ~ranks, 0, -1).astype(np.int8)[judged],
            values=sums.astype(np.float64)[judged],
            limits=np.ones(len(sums))[judged],
            closed=closed,
            used_at=np.where(use.last < 0, -1, history.starts[use.last])[judged],
            active_day=use.active_day[judged],
            vouched=all_true(settled, window)[judged],
            series=series,
            first=first,
        )

    def _was_in_use(self, use: _Use) -> Flags:
        """Where a series is watched: it was active often enough, and is not quiet for so long that it is over."""
        age = np.arange(len(use.last)) - use.last
        watched: Flags = (use.last >= 0) & (use.days >= self.min_active_days) & (age <= REMEMBERED // self.width)
        return watched

    def _stop(self, use: _Use, settled: Flags) -> tuple[int, str | None]:
        """Where the findings of a series end, and why what is open then closes; none of it before that is settled."""
        stop = int(use.last[-1]) + REMEMBERED // self.width + 1
        if not settled[stop - 1 :].any():
            return len(settled), None
        return stop, "It was quiet for 28 days, and is not watched until it is used again."

    def evidence(self, findings: Findings, index: int, rank: int, defaults: FileDefaults) -> Evidence:
        findings = _own(findings)
        until_at = from_epoch(int(findings.starts[index]) + findings.width)
        since = self._since(until_at - self.quiet_for, until_at + _READ_LATER, defaults)
        unsure = "" if findings.vouched[index] else f"; {_UNSURE}"
        return around(
            findings,
            index,
            self.quiet_for,
            dataset=self.dataset,
            unit=self.unit,
            value=float(findings.values[index]),
            limit=self.levels[rank - 1].limit,
            summary=f"no {self.unit} for {spell_duration(self.quiet_for)}, since {since}{unsure}",
            facts=(*self.narrowed(), *self._facts(findings, index, until_at, defaults)),
            series=self._drawn(findings, index),
        )

    def latest(self, findings: Findings) -> str | None:
        used_at = int(_own(findings).used_at[-1])
        quiet = timedelta(seconds=int(findings.starts[-1]) - used_at)
        return f"no {self.unit} for {spell_duration(quiet)}" if used_at >= 0 else None

    def _drawn(self, findings: QuietFindings, index: int) -> Drawn | None:
        """What was used before and in the quiet, by so long that its silence can be seen: a third of the picture."""
        stride, end = self._stride, findings.first + index + 1
        shown = slice(max(0, end - POINTS * stride), end)
        counts, known = findings.series.counts[shown], findings.series.known[shown]
        return drawn(
            f"{self.unit} in {spell_duration(timedelta(seconds=stride * self.width))}",
            int(findings.starts[index]) + self.width,
            self.width,
            where_known(trailing_sum(counts, stride).astype(np.float64), all_true(known, stride)),
            stride=stride,
        )

    @property
    def _stride(self) -> int:
        """Buckets that make one point of the picture."""
        return stride_over(3 * buckets(self.quiet_for, self.width))

    def _facts(self, findings: QuietFindings, index: int, until_at: datetime, defaults: FileDefaults) -> Iterator[Fact]:
        used_at = int(findings.used_at[index])
        if used_at < 0:
            yield Fact("Last usage", "none in the history that was read")
            return
        begin_at, end_at = from_epoch(used_at), from_epoch(used_at + self.width)
        yield Fact("Last usage", span(begin_at, end_at, self._zone(defaults), until_at + _READ_LATER))
        yield Fact("Usual on an active day", quantity(round(float(findings.active_day[index])), self.unit))

    def _since(self, at: datetime, read_at: datetime, defaults: FileDefaults) -> str:
        zone = self._zone(defaults)
        return span(at, at + timedelta(days=1), zone, read_at) if self.width == DAY else local_time(at, zone, read_at)

    def _zone(self, defaults: FileDefaults) -> ZoneInfo:
        """The source's days are UTC days, whatever the file's zone."""
        return ZoneInfo("UTC") if self.width == DAY else defaults.zone


def _own(findings: Findings) -> QuietFindings:
    if not isinstance(findings, QuietFindings):
        raise TypeError("findings of an absence say when there was usage")
    return findings


@dataclass(frozen=True, slots=True)
class _Use:
    """When and how regularly a series was used, as far as was known at each bucket. All arrays have shape (n,)."""

    last: Ints
    """Index of the newest bucket with usage; -1 where there is none."""
    days: Ints
    """Distinct UTC days with usage, of the 28 that end with the last one."""
    active_day: Floats
    """What was used on one of these days, on average; 0 where there is none."""


def _use(starts: Ints, counts: Ints, width: int) -> _Use:
    used, place = counts > 0, np.arange(len(counts), dtype=np.int64)
    last = np.maximum.accumulate(np.where(used, place, -1))
    midnight = np.maximum(place - starts % DAY // width, 0)
    new_day = used & (np.concatenate([[-1], last[:-1]]) < midnight)
    # Of the 28 days the first begins 27 before the last.
    begin = np.maximum(midnight - (REMEMBERED - DAY) // width, 0)
    days = np.where(last < 0, 0, _since(begin, new_day.astype(np.int64))[last])
    spent = np.where(last < 0, 0, _since(begin, counts)[last])
    return _Use(last, days, spent / np.maximum(days, 1))


def _since(begin: Ints, values: Ints) -> Ints:
    """For each bucket the sum from its `begin` on, itself included."""
    sums = np.concatenate([[0], np.cumsum(values)])
    since: Ints = sums[1:] - sums[begin]
    return since
