"""zscore: a count far from its usual, in standard deviations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from usage_watch.core.episode import Findings, Level
from usage_watch.core.message import Evidence, Fact
from usage_watch.core.series import HOUR, Floats
from usage_watch.core.stats.rolling import EMBARGO, plain, robust, score
from usage_watch.core.units import Duration, Percent, number, spell_duration
from usage_watch.rules.common import FileDefaults, Problem, Strict, levels_of
from usage_watch.rules.measure import Measured, MeasuredFindings, MeasuredRule

Score = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]


class Method(StrEnum):
    """What usual means."""

    PLAIN = "plain"
    """Rolling mean and standard deviation."""
    ROBUST = "robust"
    """Rolling median and median absolute deviation, with a floor."""


class Direction(StrEnum):
    """Which deviations are news."""

    UP = "up"
    DOWN = "down"
    BOTH = "both"


class Scores(Strict):
    """A score for each severity that the rule shall speak at."""

    info: Score | None = None
    """Worth knowing."""
    warning: Score | None = None
    """Somebody should look today."""
    critical: Score | None = None
    """Somebody should look now."""


class ZscoreRule(MeasuredRule):
    """Speaks when a count, or a share, deviates from its usual by so many standard deviations."""

    kind: Literal["zscore"]
    method: Method
    """`plain` or `robust`."""
    baseline: Duration = Field("28d", validate_default=True)
    """How much history is usual; it ends 48 h before the judged day."""
    above: Score | Scores = Scores(warning=4, critical=6)
    """The score from which it speaks; one number is a warning."""
    direction: Direction = Direction.UP
    """`up`, `down` or `both`."""
    min_change: Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)] = 10
    """A smaller deviation than this is no news, in the rule's unit."""
    min_relative: Percent = Field("25%", validate_default=True)
    """A smaller deviation than this part of the usual is no news."""
    clear_at: Percent = Field("60%", validate_default=True)
    """Where it is clear again, in percent of the lowest level."""

    later_values: ClassVar[Mapping[str, frozenset[str]]] = {
        **MeasuredRule.later_values,
        "method": frozenset({"seasonal"}),
    }

    def durations(self) -> dict[str, timedelta | None]:
        return {**super().durations(), "baseline": self.baseline}

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        limits = [level.limit for level in self.levels]
        if not limits or sorted(set(limits)) != limits:
            yield Problem(("above",), "needs at least one of info, warning, critical, rising in that order")
        if self.clear_at > 100:
            yield Problem(
                ("clear_at",), "must be at most 100% of the lowest level, or the rule would end while it speaks"
            )
        if self.baseline < timedelta(days=3):
            yield Problem(("baseline",), "is too short to know what is usual; write 3d or more")

    @property
    def levels(self) -> tuple[Level, ...]:
        return levels_of(self.above)

    @property
    def resolve_buckets(self) -> int:
        if self.resolve_after is None and self.width == HOUR:
            return 6
        return super().resolve_buckets

    def look_back(self, since: datetime, defaults: FileDefaults) -> datetime:
        # Two baselines: what is left out of the first judged one depends on what was judged before it.
        reach = 2 * (self.baseline + timedelta(seconds=EMBARGO)) + timedelta(days=1)
        return since - reach - timedelta(seconds=self.window_buckets * self.width) - self.drawn_before

    def judge_one(self, measured: Measured, first: int) -> Findings:
        """The limits of the findings are in the rule's unit: where the level that was reached begins."""
        limits = np.array([level.limit for level in self.levels])
        spread = plain if self.method == Method.PLAIN else robust
        baseline = int(self.baseline.total_seconds())
        usable = measured.known & measured.enough
        scored = score(measured.starts, measured.values, usable, self.width, baseline, limits[0], spread)
        centers, scores = scored.centers[first:], scored.scores[first:]
        values = measured.values[first:]
        directed = self._directed(scores)
        change = np.abs(values - centers)
        news = (change >= self.min_change) & (change >= centers * self.min_relative / 100) & measured.enough[first:]
        ranks = np.where(news, np.searchsorted(limits, directed, side="left"), 0).astype(np.int8)
        reached = limits[np.maximum(ranks - 1, 0)] * scored.spreads[first:]
        return MeasuredFindings(
            labels=measured.labels,
            levels=self.levels,
            width=self.width,
            starts=measured.starts[first:],
            ranks=ranks,
            holding=news & (ranks == 0) & (directed > self.clear_at * limits[0] / 100),
            settled=measured.settled[first:] & ~np.isnan(centers),
            grows=measured.grows,
            worse=self._worse(ranks, scores),
            values=values,
            limits=np.maximum(centers + np.sign(scores) * reached, 0),
            scores=scores,
            usual=centers,
            measured=measured,
            scored=scored,
        )

    def _directed(self, scores: Floats) -> Floats:
        if self.direction == Direction.BOTH:
            return np.abs(scores)
        return scores if self.direction == Direction.UP else -scores

    def _worse(self, ranks: NDArray[np.int8], scores: Floats) -> NDArray[np.int8]:
        """Which side is worse: of a rule that looks both ways, the one on which a breach stands."""
        side = {Direction.UP: 1, Direction.DOWN: -1, Direction.BOTH: 0}[self.direction]
        sides = np.full(len(ranks), side, dtype=np.int8)
        return np.where((ranks > 0) & (side == 0), np.where(scores > 0, 1, -1), sides).astype(np.int8)

    def evidence(self, findings: Findings, index: int, rank: int, defaults: FileDefaults) -> Evidence:
        if findings.scores is None or findings.usual is None:
            raise TypeError("findings of a zscore have scores and what was usual")
        value, z, center = (float(array[index]) for array in (findings.values, findings.scores, findings.usual))
        spread = (value - center) / z
        low, high = max(0.0, center - 2 * spread), center + 2 * spread
        side, sign = ("over", 1) if z > 0 else ("under", -1)
        levels = ", ".join(f"{each.severity} from {number(each.limit)}" for each in self.levels)
        limits = [max(0.0, center + sign * each.limit * spread) for each in self.levels]
        facts = (
            Fact("How unusual", f"{number(abs(z))} standard deviations {side} the usual; {levels}"),
            Fact("Learned from", f"the {spell_duration(self.baseline)} that ended two days before"),
        )
        return self.words(findings, index, limits, rank, f"usually {number(low)} to {number(high)}", facts)
