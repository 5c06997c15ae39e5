"""How much the zscore rule sees at a fixed rate of false alerts, beside what people use otherwise.

    python benchmarks/detection.py --simulator DIR --seeds 1-3 --json

DIR holds `usagesim.py` (seeded organizations with labelled anomalies and benign changes) and `evaluate.py` (which
counts, and says once a day what fires all day). Every detector looks both ways, leaves out what the rule's `min_change`
and `min_relative` leave out, and learns nothing of the 48 h before the day that it judges (`hour_of_week`: of less than
a week); `seasonal_without_embargo` says what those cost, `seasonal_without_new_levels` what it brings that a shift of
three days becomes the usual. `plain` and `robust` leave what stands beyond 4 out of what they learn, as rules with that
level do, whatever threshold is looked at: on usage with busy hours that is their ruin, so both are shown without it
too. `seasonal+daily` is the higher of both scores, the daily one scaled to the hourly threshold at the middle budget,
within the same budget for both together. `changes_for_good`: what comes of usage that is a multiple of what it was from
a day on, when it never becomes the usual, does so by itself, or because a human said so six hours later (of days: a
day); alerts at the middle budget's threshold.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from detect.detectors import daily, hour_of_week, is_causal, rolling, seasonal
from detect.judging import BUDGETS, Figures, Scores, World, always, load, weigh
from detect.shifts import NEVER, shifts
from usage_watch.core.series import DAY, HOUR, Floats
from usage_watch.core.stats.rolling import plain, robust

DETECTORS: dict[str, Callable[[Floats], Scores]] = {
    "plain": lambda counts: rolling(counts, plain),
    "robust": lambda counts: rolling(counts, robust),
    "plain_leaving_nothing_out": lambda counts: rolling(counts, plain, limit=math.inf),
    "robust_leaving_nothing_out": lambda counts: rolling(counts, robust, limit=math.inf),
    "hour_of_week": hour_of_week,
    "seasonal_without_embargo": lambda counts: seasonal(counts, embargo=0),
    "seasonal_without_new_levels": lambda counts: seasonal(counts, shift=NEVER),
}
MIDDLE = str(BUDGETS[1])
REACHED = {"0.03": 0.52, "0.1": 0.65}
"""What the better of `seasonal` and `seasonal+daily` is to reach."""
ALWAYS = (28, 31)
"""Alerts a series-month of what always fires, or the evaluation is wrong."""


def measured(world: World) -> Iterator[tuple[str, Figures]]:
    """Each detector's figures."""
    counts = world.counts
    by_hour, hourly = _timed(world, seasonal, counts)
    yield "seasonal", hourly
    by_day, days = _timed(world, daily, counts)
    yield "daily", days
    factor = hourly["threshold"][MIDDLE] / days["threshold"][MIDDLE]
    pair = weigh(world, np.maximum(by_hour, by_day * np.float32(factor)))
    yield "seasonal+daily", {**pair, "daily_scaled_by": round(factor, 3)}
    del by_hour, by_day
    for name, detector in DETECTORS.items():
        yield name, _timed(world, detector, counts)[1]


def _timed(world: World, detector: Callable[[Floats], Scores], counts: Floats) -> tuple[Scores, Figures]:
    began = time.process_time()
    scores = detector(counts)
    took = time.process_time() - began
    return scores, {**weigh(world, scores), "cpu_s": round(took, 1)}


def seeds_of(text: str) -> range:
    """`1-3`, or one seed."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulator", type=Path, required=True, help="where usagesim.py and evaluate.py are")
    parser.add_argument("--seeds", type=seeds_of, default=seeds_of("1-3"), help="such as 1-3")
    parser.add_argument("--orgs", type=int, default=30, help="organizations with anomalies, of each seed")
    parser.add_argument("--clean-orgs", type=int, default=15, help="and without")
    parser.add_argument("--json", action="store_true", help="on one line")
    given = parser.parse_args()
    indent = None if given.json else 2
    world = load(given.simulator, given.seeds, given.orgs, given.clean_orgs)
    detectors = dict(measured(world))
    best = {
        budget: max(detectors[name]["recall"][budget] or 0 for name in ("seasonal", "seasonal+daily"))
        for budget in REACHED
    }
    firing, causal = always(world), is_causal(world.counts)
    sound = ALWAYS[0] <= firing <= ALWAYS[1]
    found = {
        "seeds": list(given.seeds),
        "series": len(world.simulation.y),
        "labels": len(world.simulation.labels),
        "always_firing_a_series_month": round(firing, 2),
        "causal": causal,
        "passed": causal and sound and all(best[budget] >= least for budget, least in REACHED.items()),
        "detectors": detectors,
        "changes_for_good": {
            "seasonal": shifts(world, HOUR, detectors["seasonal"]["threshold"][MIDDLE]),
            "daily": shifts(world, DAY, detectors["daily"]["threshold"][MIDDLE]),
        },
    }
    print(json.dumps(found, indent=indent))


if __name__ == "__main__":
    main()
