"""The rules that are suggested, each with the figures that it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Any

import numpy as np

from usage_watch.cli.draft import Written
from usage_watch.cli.frequency.counting import MONTH
from usage_watch.cli.frequency.zscores import WANTED, at_score, seldom
from usage_watch.cli.suggest.levels import LEAST, first_of, lowest, up_from
from usage_watch.cli.suggest.material import Material, made
from usage_watch.cli.suggest.words import UTC, date_of, told
from usage_watch.core.datasets import find_axis
from usage_watch.core.periods import Calendar, Every, between
from usage_watch.core.series import DAY, HOUR, FeedHistory, Ints
from usage_watch.core.stats.windows import trailing_sum
from usage_watch.core.units import format_duration, number, percent, spell_duration, to_epoch
from usage_watch.rules.budget.burn import FEW, FEW_MEMBERS
from usage_watch.rules.zscore import ZscoreRule

_CYCLES = 6
_SPARE = 1.25
"""Of what a cycle usually takes, as its limit."""
_WINDOW = 3
"""Hours that a runaway is judged over."""
_HEAVY = 99.5
"""Percent of the days of members that are none to speak of."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A rule, or why there is none."""

    comments: tuple[str, ...]
    """Sentences; they may hold names from outside."""
    rule: Mapping[str, Written] | None = None
    """As the file has it."""


def proposals(material: Material, limit: int | None, informs: bool) -> Iterator[Proposal]:
    """All of them.

    `limit`: of credits in a cycle, where a human has said it. `informs`: whether anybody is told of what is only worth
    knowing.
    """
    yield budget(material, limit)
    yield runaway(material)
    yield from anomalies(material)
    yield heavy_day(material)
    yield nothing_used(material)
    yield new_connector(material, informs)


def _told(material: Material, fields: Mapping[str, Any]) -> str:
    """How often a rule would have fired; daily buckets are UTC days."""
    rule = made(fields)
    return told(material.count(rule), material.defaults.zone if rule.width == HOUR else UTC)


def _paid(material: Material) -> dict[str, Any]:
    """The part of `where` that leaves out what is free, where the source tells."""
    axis = find_axis("Credit Source", material.categories)
    return {"where": {axis: "paid"}} if axis is not None and "paid" in material.categories[axis] else {}


# What a cycle may cost


def _active(history: FeedHistory) -> int:
    """How many members used anything in the last 28 days."""
    return sum(bool(counts[-28:].any()) for counts in _of_members(history))


def budget(material: Material, limit: int | None) -> Proposal:
    """A limit a little above what cycles have cost."""
    fields: dict[str, Any] = {"id": "credits-cycle", "kind": "budget", **_paid(material)}
    if material.best.feed.width != HOUR:
        fields["bucket"] = "1d"
    if 0 < _active(material.members) < FEW_MEMBERS:
        fields["burn"] = [pair.model_dump(mode="json") for pair in FEW]
    why, suggested = _of_cycles(material, fields) if limit is None else ("The limit is the one that you gave.", limit)
    if suggested is None:
        return Proposal((why,))
    fields["limit"] = suggested
    return Proposal((why, _told(material, fields)), fields)


def _of_cycles(material: Material, fields: Mapping[str, Any]) -> tuple[str, int | None]:
    """What the limit comes from, and the limit."""
    [series] = made({**fields, "limit": 1}).watched(material.best)
    cycles = list(_cycles(material))[-_CYCLES:]
    spent = [float(series.counts[rows].sum()) for rows in cycles]
    if cycles:
        usual, why = float(np.median(spent)), _took(material, cycles, spent)
    else:
        days = len(series.counts) * material.best.feed.width / DAY
        usual = float(series.counts.sum()) / days * MONTH.days
        why = f"No whole cycle is stored yet: at the pace of {days:.0f} days it is {number(usual)} credits in 30 days"
    if not usual:
        return "No budget, since nothing was used.", None
    return f"{why}; the limit is a quarter more.", next(up_from(_SPARE * usual))


def _took(material: Material, cycles: Sequence[slice], spent: Sequence[float]) -> str:
    begins = [date_of(int(material.best.starts[rows.start]), material.defaults.zone) for rows in cycles]
    if len(cycles) == 1:
        return f"The one whole cycle that is stored, from {begins[0]}, took {number(spent[0])} credits"
    each = ", ".join(f"{number(took)} from {begin}" for took, begin in zip(spent, begins, strict=True))
    return f"Whole cycles took {each}, in the middle {number(float(np.median(spent)))} credits"


def _cycles(material: Material) -> Iterator[slice]:
    """The buckets of each billing cycle that is known as a whole."""
    history = material.best
    for span in between(Calendar(Every.MONTH, material.defaults.zone, material.defaults.billing_day), *material.known):
        rows = slice(*np.searchsorted(history.starts, [to_epoch(span.start_at), to_epoch(span.end_at)]))
        inside = material.known[0] <= span.start_at and span.end_at <= material.known[1]
        if inside and history.fetched[rows].all():
            yield rows


# What runs away


def runaway(material: Material) -> Proposal:
    """Hours that cost far more than hours do."""
    if not material.hours.fetched.any():
        return Proposal(("No threshold of hours: usage is stored by days only. A rule with `bucket: 1h` reads hours.",))

    def rule(limit: int) -> dict[str, Any]:
        above = {"warning": limit, "critical": next(up_from(2 * limit))}
        return {"id": "runaway", "kind": "threshold", "window": f"{_WINDOW}h", "above": above}

    sums = trailing_sum(material.past.of(made(rule(LEAST))).total(), _WINDOW)
    limit, found = lowest(float(sums.max()), lambda each: material.counted(made(rule(each))), 1)
    middle = number(float(np.median(sums)))
    most = f"{_WINDOW} h took {number(float(sums.max()))} credits at most, and {middle} in the middle."
    return Proposal((most, told(found, material.defaults.zone)), rule(limit))


# What is unusual


def anomalies(material: Material) -> Iterator[Proposal]:
    """What is far from the usual of its hour, and of its day."""
    axis = find_axis("Model", material.categories)
    each = {} if axis is None else {"for_each": axis}
    name = "credits-anomaly" if axis is None else "model-anomaly"
    if material.hours.fetched.any():
        yield _anomaly(material, {"id": name, "kind": "zscore", **each})
    yield _anomaly(material, {"id": f"{name}-days", "kind": "zscore", "bucket": "1d", **each})


def _anomaly(material: Material, fields: dict[str, Any]) -> Proposal:
    rule = ZscoreRule.model_validate(fields)
    default = material.counted(rule)
    if (default.per_month or 0) <= WANTED:
        near = f"The highest score was {number(default.highest or 0)}."
        return Proposal((_told(material, fields), *(() if default.firings else (near,))), fields)
    lowest_level = rule.levels[0].limit
    score = seldom(lambda each: material.counted(at_score(rule, each)), lowest_level)
    if score is None:
        return Proposal((_told(material, fields), "No level would make that seldom: it was far from usual."), fields)
    above = {level.severity.value: _whole(level.limit + score - lowest_level) for level in rule.levels}
    fields["above"] = above
    usual = f"At {number(lowest_level)}, the default, it would have fired {len(default.firings)} times"
    return Proposal((f"{usual}.", _told(material, fields)), fields)


def _whole(score: float) -> float:
    return int(score) if score == int(score) else score


def heavy_day(material: Material) -> Proposal:
    """Days on which one member used more than nearly any member on any day."""
    used = np.concatenate([np.zeros(0, dtype=np.int64), *_of_members(material.members)])
    used = used[used > 0]
    if len(used) < 100:  # fewer have no 99.5th percentile
        return Proposal(("No threshold of members' days: too few of them are stored.",))

    def rule(limit: int) -> dict[str, Any]:
        return {"id": "heavy-day", "kind": "threshold", "for_each": "member", "above": limit}

    limit, found = first_of(float(np.percentile(used, _HEAVY)), lambda each: material.counted(made(rule(each))), 2)
    within = percent(float((used <= limit).mean()))
    why = f"Of {len(used):,} days on which a member used anything, {within} stayed within it."
    return Proposal((why, told(found, UTC)), rule(limit))


def _of_members(history: FeedHistory) -> Iterator[Ints]:
    return (counts for key, counts in history.counts.items() if key.axis is None)


# What is missing, and what is new


def nothing_used(material: Material) -> Proposal:
    """A silence that is longer than any before."""
    history = material.best
    if not history.total().any():
        return Proposal(("No absence, since nothing was used.",))
    length, end = _longest_quiet(history)
    longest = timedelta(seconds=length * history.feed.width)
    step = timedelta(hours=6) if longest < timedelta(days=1) and history.feed.width == HOUR else timedelta(days=1)
    quiet = max(ceil(1.5 * longest / step), 2) * step
    fields: dict[str, Any] = {"id": "nothing-used", "kind": "absence", "quiet_for": format_duration(quiet)}
    if history.feed.width != HOUR:
        fields["bucket"] = "1d"
    until = date_of(int(history.starts[end]), material.defaults.zone if history.feed.width == HOUR else UTC)
    pause = f"The longest pause was {spell_duration(longest)}, up to {until}." if length else "Usage never paused."
    return Proposal((pause, _told(material, fields)), fields)


def _longest_quiet(history: FeedHistory) -> tuple[int, int]:
    """How many buckets the longest stretch had without usage, between others with it, and the index of its last."""
    used = np.flatnonzero((history.total() > 0) | ~history.settled)
    gaps = np.diff(used, prepend=used[:1] - 1) - 1
    longest = int(np.argmax(gaps))
    return int(gaps[longest]), int(used[longest]) - 1


def new_connector(material: Material, informs: bool) -> Proposal:
    """What nobody used before."""
    fields = {"id": "new-connector", "kind": "novelty", "dataset": "connectors", "for_each": "Connector"}
    if not informs:
        fields["severity"] = "warning"
    return Proposal((_told(material, fields),), fields)
