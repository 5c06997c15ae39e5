"""`method: plain` and `robust`: a rolling level and its spread, whatever the hour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from usage_watch.core.episode import Findings, Level
from usage_watch.core.lessons import Lessons
from usage_watch.core.message import Fact
from usage_watch.core.series import Flags, Floats, Width
from usage_watch.core.stats.ratio import score_ratio
from usage_watch.core.stats.rolling import Scores, Spread, plain, robust, score
from usage_watch.core.units import number, spell_duration, to_epoch
from usage_watch.rules.measure import Measured, MeasuredFindings
from usage_watch.rules.zscore.options import Direction, Method, worse

_SPREADS: dict[Method, Spread] = {Method.PLAIN: plain, Method.ROBUST: robust}


@dataclass(frozen=True, slots=True)
class Terms:
    """What is asked of the scores."""

    rule: str
    """Its id."""
    levels: tuple[Level, ...]
    width: Width
    """Seconds a bucket."""
    direction: Direction
    method: Method
    baseline: timedelta
    min_change: float
    """In the rule's unit."""
    min_relative: float
    """As part of the usual."""
    clear_at: float
    """The score from which on it is not clear."""


def judge(terms: Terms, measured: Measured, first: int, lessons: Lessons) -> Findings:
    """Judge the buckets from the index `first` on. Their limits, in the rule's unit: where the reached level begins."""
    limits = np.array([level.limit for level in terms.levels])
    scored, renewed = _scored(terms, measured, lessons)
    centers, scores = scored.centers[first:], scored.scores[first:]
    values = measured.values[first:]
    directed = _directed(terms.direction, scores)
    change = np.abs(values - centers)
    news = (change >= terms.min_change) & (change >= centers * terms.min_relative) & measured.enough[first:]
    ranks = np.where(news, np.searchsorted(limits, directed, side="left"), 0).astype(np.int8)
    reached = limits[np.maximum(ranks - 1, 0)] * scored.spreads[first:]
    return MeasuredFindings(
        labels=measured.labels,
        levels=terms.levels,
        width=terms.width,
        starts=measured.starts[first:],
        ranks=ranks,
        holding=news & (ranks == 0) & (directed > terms.clear_at),
        # Of a new normal nothing is known at first: then nothing is unusual.
        settled=measured.settled[first:] & (~np.isnan(centers) | renewed[first:]),
        grows=measured.grows,
        worse=worse(terms.direction, ranks, scores),
        values=values,
        limits=np.maximum(centers + np.sign(scores) * reached, 0),
        scores=scores,
        usual=centers,
        measured=measured,
        scored=scored,
    )


def _scored(terms: Terms, measured: Measured, lessons: Lessons) -> tuple[Scores, Flags]:
    """Each bucket against its baseline; and which of them are judged by a new normal."""
    taught = lessons.learnable(terms.rule, measured.labels, measured.starts, terms.width)
    usable = measured.known & measured.enough & taught
    found, renewed = _against(terms, measured, usable), np.zeros(len(usable), dtype=bool)
    for said in lessons.rebases(terms.rule, measured.labels):
        later = measured.starts >= to_epoch(said.at)
        anew = _against(terms, measured, usable & (measured.starts >= to_epoch(said.since_at)))
        found = Scores(*(np.where(later, new, old) for new, old in zip(_arrays(anew), _arrays(found), strict=True)))
        renewed |= later
    return found, renewed


def _arrays(scored: Scores) -> tuple[Floats, Floats, Floats]:
    return scored.centers, scored.spreads, scored.scores


def _against(terms: Terms, measured: Measured, usable: Flags) -> Scores:
    starts, values, baseline = measured.starts, measured.values, int(terms.baseline.total_seconds())
    if terms.method is Method.SEASONAL:  # of shares, and of how long tasks take: those have no season
        return score_ratio(starts, values, measured.variances, measured.behind, usable, terms.width, baseline)
    return score(starts, values, usable, terms.width, baseline, terms.levels[0].limit, _SPREADS[terms.method])


def _directed(direction: Direction, scores: Floats) -> Floats:
    if direction is Direction.BOTH:
        return np.abs(scores)
    return scores if direction is Direction.UP else -scores


@dataclass(frozen=True, slots=True)
class Said:
    """One bucket in words."""

    limits: list[float]
    """Where each level begins, in the rule's unit."""
    against: str
    facts: tuple[Fact, ...]


def said(terms: Terms, findings: Findings, index: int, plainly: Callable[[float], str]) -> Said:
    """What was usual for a bucket, and how far from it it is."""
    if not isinstance(findings, MeasuredFindings) or findings.scored is None:
        raise TypeError("findings of a zscore have scores and what was usual")
    scored, place = findings.scored, len(findings.scored.scores) - len(findings.starts) + index
    z, center, spread = (float(array[place]) for array in (scored.scores, scored.centers, scored.spreads))
    low, high = max(0.0, center - 2 * spread), center + 2 * spread
    side, sign = ("over", 1) if z > 0 else ("under", -1)
    levels = ", ".join(f"{each.severity} from {number(each.limit)}" for each in terms.levels)
    facts = (
        Fact("How unusual", f"{number(abs(z))} standard deviations {side} the usual; {levels}"),
        Fact("Learned from", f"the {spell_duration(terms.baseline)} that ended two days before"),
    )
    limits = [max(0.0, center + sign * each.limit * spread) for each in terms.levels]
    return Said(limits, f"usually {plainly(low)} to {plainly(high)}", facts)
