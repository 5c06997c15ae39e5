"""threshold: a count, a share or a duration over or under a fixed limit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal

import numpy as np

from usage_watch.core.episode import Findings, Level
from usage_watch.core.message import Evidence, Fact
from usage_watch.core.units import Percent
from usage_watch.rules.common import FileDefaults, Problem, levels_of
from usage_watch.rules.limits import Limit, Limits, Seconds, Share
from usage_watch.rules.measure import Measured, MeasuredFindings, MeasuredRule
from usage_watch.rules.statistic import is_percent, is_time


class ThresholdRule(MeasuredRule):
    """Speaks when a count, a share of the total or a duration of tasks over a window stands above or below a limit."""

    kind: Literal["threshold"]
    above: Limit | Limits | None = None
    """Speaks when greater than this; one number is a warning."""
    below: Limit | Limits | None = None
    """Speaks when less than this, once settled."""
    clear_at: Percent | None = None
    """Where it is clear again, in percent of the lowest level: 90% for `above`, 110% for `below`."""

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if (self.above is None) == (self.below is None):
            yield Problem((), "needs a limit: write either `above` or `below`, and not both")
        else:
            yield from self._limit_problems("above" if self.above is not None else "below")

    def _limit_problems(self, name: str) -> Iterator[Problem]:
        limits = [level.limit for level in self.levels]
        if not limits:
            yield Problem((name,), "names no level: write a number, or at least one of info, warning, critical")
        if sorted(set(limits), reverse=self._sign < 0) != limits:
            order = "rise" if self._sign > 0 else "fall"
            yield Problem((name,), f"must {order} from info over warning to critical")
        yield from self._of_another_kind(name, limits)
        if self._sign < 0 and 0 in limits:
            yield Problem((name,), "is 0, and nothing can be less; write the least that is normal")
        if self.clear_at is not None and self._sign * (self.clear_at - 100) > 0:
            side = "at most 100%" if self._sign > 0 else "at least 100%"
            yield Problem(("clear_at",), f"must be {side} of the lowest level, or the rule would end while it speaks")

    def _of_another_kind(self, name: str, limits: Sequence[float]) -> Iterator[Problem]:
        """Limits that are not what the statistic is: a number, a share or a duration."""
        if is_time(self.statistic):
            if not all(isinstance(limit, Seconds) for limit in limits):
                yield Problem((name,), f"must be a duration, since `{self.statistic}` is one: write one such as 30m")
            return
        is_share = is_percent(self.statistic)
        if any(isinstance(limit, Seconds) for limit in limits):
            instead = "shares: write one such as 60%" if is_share else "totals: write a number, or add `statistic: p95`"
            yield Problem((name,), f"is a duration, but this rule judges {instead}")
        elif is_share and (max(limits, default=0) > 100 or (self._sign > 0 and 100 in limits)):
            yield Problem((name,), "cannot be: no share is more than 100 %")
        if not is_share and any(isinstance(limit, Share) for limit in limits):
            yield Problem((name,), "is a share, but this rule judges totals: write a number, or add `statistic: share`")

    @property
    def levels(self) -> tuple[Level, ...]:
        return levels_of(self.above if self.above is not None else self.below)

    @property
    def _sign(self) -> int:
        """1 where more is worse, -1 where less is."""
        return 1 if self.above is not None else -1

    def look_back(self, since: datetime, defaults: FileDefaults) -> datetime:
        reach = self.window_buckets + self.for_buckets
        return since - timedelta(seconds=reach * self.width) - self.drawn_before

    def judge_all(self, series: Sequence[Measured], first: int, defaults: FileDefaults) -> list[Findings]:
        return [self._judge_one(measured, first) for measured in series]

    def _judge_one(self, measured: Measured, first: int) -> Findings:
        """Judge with the sign turned so that more is always worse."""
        sign = self._sign
        limits = np.array([level.limit for level in self.levels])
        values = sign * measured.values[first:]
        enough = measured.enough[first:]
        ranks = np.where(enough, np.searchsorted(sign * limits, values, side="left"), 0).astype(np.int8)
        clear_at = (self.clear_at if self.clear_at is not None else 100 - 10 * sign) * limits[0] / 100
        return MeasuredFindings(
            labels=measured.labels,
            levels=self.levels,
            width=self.width,
            starts=measured.starts[first:],
            ranks=ranks,
            holding=enough & (ranks == 0) & (values > sign * clear_at),
            settled=measured.settled[first:],
            grows=measured.grows,
            worse=np.full(len(values), sign, dtype=np.int8),
            values=measured.values[first:],
            limits=limits[np.maximum(ranks - 1, 0)],
            measured=measured,
        )

    def evidence(self, findings: Findings, index: int, rank: int, defaults: FileDefaults) -> Evidence:
        level = self.levels[rank - 1]
        side = "over" if self._sign > 0 else "under"
        against = f"{side} the {level.severity} limit of {self.plainly(level.limit)}"
        limits = Fact("Limits", ", ".join(f"{each.severity} {self.plainly(each.limit)}" for each in self.levels))
        return self.words(findings, index, [each.limit for each in self.levels], rank, against, (limits,))
