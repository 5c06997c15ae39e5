"""zscore: usage far from its usual."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from usage_watch.core.datasets import DATASETS
from usage_watch.core.episode import Findings, Level
from usage_watch.core.message import Evidence
from usage_watch.core.series import HOUR
from usage_watch.core.stats.rolling import EMBARGO
from usage_watch.core.stats.seasonal import News
from usage_watch.core.stats.seasonal.tuning import TUNINGS, Tuning
from usage_watch.core.units import Duration, Percent, from_epoch, spell_duration, to_epoch
from usage_watch.rules.common import FileDefaults, Problem, levels_of
from usage_watch.rules.evidence import around
from usage_watch.rules.measure import Measured, MeasuredRule, Statistic
from usage_watch.rules.zscore import rolling, seasonal, words
from usage_watch.rules.zscore.blocks import Asked, begin_of
from usage_watch.rules.zscore.options import (
    LEAST_CHANGE,
    ROLLING_SCORES,
    SEASONAL_SCORES,
    Direction,
    Method,
    Score,
    Scores,
)


class ZscoreRule(MeasuredRule):
    """Speaks when usage is far from what is usual, by a score: how many times farther than it mostly is."""

    kind: Literal["zscore"]
    method: Method = Method.SEASONAL
    """`seasonal`: by the hour of the week, over 1, 3, 12 and 24 h (1, 2 and 4 d); `plain` or `robust`: rolling."""
    baseline: Duration = Field("28d", validate_default=True)
    """Of rolling methods: how much history is usual; it ends 48 h before the judged day."""
    above: Score | Scores | None = None
    """The score from which it speaks; one number is a warning. Warning 6.5, critical 8; 4 and 6 if not seasonal."""
    direction: Direction = Direction.UP
    """`up`, `down` or `both`."""
    min_change: Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)] | None = None
    """A smaller deviation than this is no news, in the rule's unit: 10; of durations 0 by default."""
    min_relative: Percent = Field("25%", validate_default=True)
    """A smaller deviation than this part of the usual is no news."""
    clear_at: Percent = Field("60%", validate_default=True)
    """Where it is clear again, in percent of the lowest level."""

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
        if self.is_seasonal:
            yield from self._not_seasonal()
        elif self.baseline < timedelta(days=3):
            yield Problem(("baseline",), "is too short to know what is usual; write 3d or more")

    def _not_seasonal(self) -> Iterator[Problem]:
        if self.window is not None:
            spans = ", ".join(spell_duration(each) for each in self.spans)
            yield Problem(
                ("window",), f"belongs to `method: plain` and `robust`; this one judges {spans} at once: leave it out"
            )
        if "baseline" in self.model_fields_set:
            never = "belongs to `method: plain` and `robust`; this one learns from all weeks, the last ones most"
            yield Problem(("baseline",), f"{never}: leave it out")

    @property
    def is_seasonal(self) -> bool:
        """Whether it goes by the hour of the week: shares and durations have no such usual."""
        return self.method is Method.SEASONAL and self.statistic == Statistic.TOTAL

    @property
    def levels(self) -> tuple[Level, ...]:
        return levels_of(self._usual_scores if self.above is None else self.above)

    @property
    def _usual_scores(self) -> Scores:
        """Where it speaks unless it says so: the scores of the methods are not alike."""
        return SEASONAL_SCORES if self.is_seasonal else ROLLING_SCORES

    @property
    def resolve_buckets(self) -> int:
        if self.resolve_after is None and self.width == HOUR:
            return 6
        return super().resolve_buckets

    @property
    def spans(self) -> tuple[timedelta, ...]:
        """The windows that a seasonal rule judges."""
        return tuple(timedelta(seconds=each * self.width) for each in self._tuning.lengths)

    @property
    def _tuning(self) -> Tuning:
        """What is not additive has no sum over several buckets."""
        known, tuning = DATASETS.get(self.dataset), TUNINGS[self.width]
        return tuning if known is None or known.additive else replace(tuning, windows=tuning.windows[:1])

    def look_back(self, since: datetime, defaults: FileDefaults) -> datetime:
        if self.is_seasonal:
            return from_epoch(begin_of(to_epoch(since)))
        # Two baselines: what is left out of the first judged one depends on what was judged before it.
        reach = 2 * (self.baseline + timedelta(seconds=EMBARGO)) + timedelta(days=1)
        return since - reach - timedelta(seconds=self.window_buckets * self.width) - self.drawn_before

    def judge_all(self, series: Sequence[Measured], first: int, defaults: FileDefaults) -> list[Findings]:
        if self.is_seasonal:
            return seasonal.judge(self._seasonal, series, first, defaults)
        return [rolling.judge(self._rolling, measured, first, defaults.lessons) for measured in series]

    @property
    def _seasonal(self) -> seasonal.Terms:
        asked = Asked(News(self._least_change, self.min_relative / 100), self._tuning, self.levels[0].limit)
        return seasonal.Terms(self.id, self.levels, self.width, self.direction, asked, self._clear)

    @property
    def _rolling(self) -> rolling.Terms:
        least = self._least_change, self.min_relative / 100
        return rolling.Terms(
            self.id, self.levels, self.width, self.direction, self.method, self.baseline, *least, self._clear
        )

    @property
    def _least_change(self) -> float:
        return self._usual_change if self.min_change is None else self.min_change

    @property
    def _usual_change(self) -> float:
        return 0 if self.is_of_tasks else LEAST_CHANGE

    @property
    def _clear(self) -> float:
        return self.clear_at * self.levels[0].limit / 100

    def leans_on(self, defaults: FileDefaults) -> list[str]:
        if self.is_seasonal and self.width == HOUR:
            return [*super().leans_on(defaults), defaults.zone.key, *defaults.lessons.about(self.id)]
        return [*super().leans_on(defaults), *defaults.lessons.about(self.id)]

    def digest(self, defaults: FileDefaults) -> str:
        usual = {"above": self._usual_scores, "min_change": self._usual_change}
        written_out = {name: None for name, value in usual.items() if getattr(self, name) == value}
        if written_out:  # a default that is written out is no other rule
            return self.model_copy(update=written_out).digest(defaults)
        return super().digest(defaults)

    def evidence(self, findings: Findings, index: int, rank: int, defaults: FileDefaults) -> Evidence:
        if isinstance(findings, seasonal.SeasonalFindings):
            return self._said(findings, index, rank, defaults)
        said = rolling.said(self._rolling, findings, index, self.plainly)
        return self.words(findings, index, said.limits, rank, said.against, said.facts)

    def afterwards(self, findings: Findings, start_at: int, end_at: int) -> str | None:
        if not isinstance(findings, seasonal.SeasonalFindings):
            return None
        first, end = np.searchsorted(findings.starts, (start_at, end_at)).tolist()
        cause = findings.renewed(first, end, end + self.resolve_buckets)
        return None if cause is None else words.RENEWED[cause]

    def _said(self, findings: seasonal.SeasonalFindings, index: int, rank: int, defaults: FileDefaults) -> Evidence:
        each = words.seen(findings, index, defaults.zone, defaults.lessons)
        value = float(findings.values[index])
        return around(
            findings,
            index,
            each.span,
            dataset=self.dataset,
            unit=self.unit,
            value=value,
            limit=each.edges[rank - 1],
            summary=f"{self.said(value)} in {spell_duration(each.span)}, {words.against(each)}",
            facts=(*self.narrowed(), *words.facts(each, findings, self.levels, self.unit)),
            series=words.picture(each, findings, self.levels, self.unit),
        )


__all__ = ["Direction", "Method", "Scores", "ZscoreRule"]
