"""Burn: how often a harmless month is said to burn, and how soon a runaway is, by pairs of windows.

An organization of 40 members, hour by hour: members of very different weight who are active on half of their days,
office hours, quiet weekends, days that differ, and tasks whose cost is log-normal. A harmless month uses 90 % of the
limit; a runaway takes 25 % of it on top, in twelve even hours that begin at any hour from the second day to the 29th.

Chosen on other seeds: how what burns now is weighed in the question whether the limit is in danger (11 variants tried),
and what keeps an episode open (8 variants tried). The table of windows and rates is the design's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usage_watch.core.series import HOUR, Ints
from usage_watch.core.stats.burn import Burning, Terms, Windows, burning, expected_rest
from usage_watch.rules.budget.burn import TABLE

MEMBERS, RUNS = 40, 250
DAY, BEFORE, PERIOD = 24, 21 * 24, 30 * 24
USE, RUNAWAY, LASTS = 0.9, 0.25, 12
PAIRS = [pair.windows(HOUR) for pair in TABLE]
RESOLVE = 2


def run(seeds: Iterable[int]) -> dict[str, Any]:
    """JSON-able; `passed` where the figures of the issue are reached."""
    results = [_of_seed(seed) for seed in seeds]
    false = np.mean([each[0] for each in results], axis=0)
    waits = np.concatenate([each[1] for each in results])
    caught = float(np.mean(np.isfinite(waits)))
    median = float(np.median(waits))
    return {
        "months": RUNS * len(results),
        "false_episodes_a_month": {
            _named(pair): round(float(each), 4) for pair, each in zip(PAIRS, false, strict=True)
        },
        "false_episodes_a_month_in_all": round(float(np.mean([each[2] for each in results])), 4),
        "caught": round(caught, 4),
        "hours_until_told": {"median": median, "p90": float(np.quantile(waits, 0.9)), "longest": float(waits.max())},
        "episodes_a_runaway": round(float(np.mean([each[3] for each in results])), 3),
        "passed": bool(false.max() <= 0.05 and caught == 1 and median <= 4),
    }


def _named(pair: Windows) -> str:
    return f"{pair.long}h/{pair.short}h at {pair.rate:g}"


def _of_seed(seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64], float, float]:
    """False episodes a month and pair, hours until each runaway is told, false episodes of all pairs, and episodes in
    the week of a runaway."""
    dice = np.random.default_rng([6, seed])
    usage = np.stack([_organization(dice) for _ in range(RUNS)], axis=1)
    limits = usage[BEFORE:].sum(axis=0) / USE
    false = np.array([_episodes(_judged(usage, limits, [pair])).mean() for pair in PAIRS])
    quiet = _judged(usage, limits, PAIRS)
    starts = dice.integers(DAY, 29 * DAY, RUNS)
    for column, start in enumerate(starts):
        usage[BEFORE + start : BEFORE + start + LASTS, column] += round(RUNAWAY / LASTS * limits[column])
    burnt = _judged(usage, limits, PAIRS)
    waits = np.array([_wait(quiet, burnt, column, start) for column, start in enumerate(starts)])
    return false, waits, float(_episodes(quiet).mean()), float((_episodes(burnt) - _episodes(quiet)).mean())


def _organization(dice: np.random.Generator) -> Ints:
    """Credits by the hour: three weeks, and the period."""
    hours = np.arange(BEFORE + PERIOD)
    rhythm = (np.exp(-0.5 * ((hours % DAY - 13) / 3) ** 2) + 0.02) * np.where(hours // DAY % 7 < 5, 1, 0.15)
    days = len(hours) // DAY
    weights = dice.lognormal(0, 1, MEMBERS)
    active = dice.random((MEMBERS, days)) < 0.5
    by_day = (weights / weights.sum()) @ active * np.exp(dice.normal(0, 0.3, days))
    tasks = dice.poisson(by_day.repeat(DAY) * rhythm / rhythm.mean() * MEMBERS * 0.3)
    costs = np.cumsum(np.append(0, 50 * dice.lognormal(0, 1.3, int(tasks.sum()))))
    ends = np.cumsum(tasks)
    return np.round(costs[ends] - costs[ends - tasks]).astype(np.int64)


def _judged(usage: Ints, limits: NDArray[np.float64], pairs: list[Windows]) -> Burning:
    ahead = expected_rest(usage, 0, np.arange(BEFORE, len(usage)), len(usage), HOUR)
    return burning(usage[BEFORE:], ahead, pairs, Terms(PERIOD, limits, limits / 100))


def _episodes(found: Burning) -> Ints:
    """How many of each organization: what the fold of the program makes of settled hours."""
    going_on = np.zeros(found.ranks.shape[1], dtype=bool)
    clear, count = np.zeros_like(going_on, dtype=np.int64), np.zeros_like(going_on, dtype=np.int64)
    for ranks, holding in zip(found.ranks, found.holding, strict=True):
        count += (ranks > 0) & ~going_on
        clear = np.where((ranks > 0) | holding, 0, clear + 1)
        going_on = (ranks > 0) | (going_on & (clear < RESOLVE))
    return count


def _wait(quiet: Burning, burnt: Burning, column: int, start: int) -> float:
    """Hours from its start to the end of the hour in which a runaway is first seen, were that hour read at once."""
    seen = np.flatnonzero(burnt.ranks[start:, column] > quiet.ranks[start:, column])
    return float(seen[0]) + 1 if len(seen) and seen[0] < 2 * LASTS else np.inf
