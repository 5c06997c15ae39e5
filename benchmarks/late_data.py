"""False alarms, false ends and delays where numbers come late, beside "newest bucket as is" and fixed delays.

    python benchmarks/late_data.py

20 worlds of 90 days (`latedata/world.py` says what is in them), each with hours that arrive in order and each by
itself, polled every 15 minutes. Three rules: `spikes` (above a limit), `dead` (below one for 3 h) and `absence` (no
usage for 4 h). Every observer goes through the program's own judging, fold and `assess`; what they may take for final
is all that differs. Means are per world of 90 days, delays in hours.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product
from multiprocessing import Pool

import numpy as np

from latedata.scoring import Score, score
from latedata.telling import RULES, Teller
from latedata.watching import POLL_EVERY, Delayed, Observer, Settled
from latedata.world import BEGIN, WATCHED_FROM, World, make
from usage_watch.core.series import DAY, HOUR
from usage_watch.core.units import from_epoch

ORDERS = {"in_order": True, "out_of_order": False}
OURS = "usage_watch"
OBSERVERS: Mapping[str, Callable[[World], Observer]] = {
    OURS: Settled,
    "newest bucket as is": lambda world: Delayed(world, 0),
    "fixed delay 3 h": lambda world: Delayed(world, 3),
    "fixed delay 12 h": lambda world: Delayed(world, 12),
    "fixed delay 24 h": lambda world: Delayed(world, 24),
}
BOTH = tuple(ORDERS)
TARGETS = (
    ("spikes", "false_fires", 0.0, BOTH),
    ("spikes", "false_ends", 0.3, BOTH),
    ("spikes", "missed", 0.0, BOTH),
    ("spikes", "detected_p50_h", 1.5, BOTH),
    ("dead", "false_fires", 1.5, ("out_of_order",)),
)
"""Rule, figure, the most that it may be, and in which orders of arrival."""
Figures = dict[str, float | None]
Scores = dict[str, Score]
"""By rule."""
Job = tuple[int, int, str]
"""Seed, days, order."""


def watch(world: World, observers: Mapping[str, Observer], days: int, offset: int) -> dict[str, Scores]:
    """Poll a world to its end with every observer, and weigh what each told."""
    shown = np.zeros(len(world.starts), dtype=np.int64)
    tellers = {name: Teller() for name in observers}
    changes, place = world.changes(), 0
    for at in range(WATCHED_FROM + offset, WATCHED_FROM + days * DAY, int(POLL_EVERY.total_seconds())):
        while place < len(changes) and changes[place][0] <= at:
            _, index, shown[index] = changes[place]
            place += 1
        for name, observer in observers.items():
            feed = observer.poll(shown, (at - BEGIN) // HOUR, at)
            if feed is not None:
                tellers[name].cycle(feed, from_epoch(at))
    return {name: {rule.id: score(rule, world, teller.said) for rule in RULES} for name, teller in tellers.items()}


def run(job: Job) -> dict[str, Scores]:
    """One world in one order of arrival."""
    seed, days, order = job
    world = make(seed, days, ORDERS[order])
    observers = {name: begin(world) for name, begin in OBSERVERS.items()}
    return watch(world, observers, days, offset=60 * (seed * 7 % 15))


def summed(scores: Iterable[Score]) -> Figures:
    """Means over worlds, and quantiles over all that happened in them."""
    found = list(scores)
    return {
        "true": sum(each.true for each in found),
        "missed": sum(each.missed for each in found),
        "false_fires": round(float(np.mean([len(each.false_fires) for each in found])), 3),
        "false_ends": round(float(np.mean([len(each.false_ends) for each in found])), 3),
        "detected_p50_h": _hours([delay for each in found for delay in each.detected], 0.5),
        "detected_p90_h": _hours([delay for each in found for delay in each.detected], 0.9),
        "ended_p50_h": _hours([delay for each in found for delay in each.ended], 0.5),
    }


def _hours(delays: list[int], quantile: float) -> float | None:
    return round(float(np.quantile(delays, quantile)) / HOUR, 2) if delays else None


def judged(ours: Mapping[str, Mapping[str, Figures]]) -> Iterator[dict[str, str | float | bool | None]]:
    """Each figure that is to be reached, and whether it was."""
    for rule, figure, most, orders in TARGETS:
        for order in orders:
            found = ours[order][rule][figure]
            passed = found is not None and found <= most
            yield {"rule": rule, "order": order, "figure": figure, "most": most, "found": found, "passed": passed}


def wrong(job: Job, scores: Scores) -> Iterator[dict[str, str | int]]:
    """What we told wrongly in one world, for whoever wants to know why."""
    seed, _, order = job
    for rule, found in scores.items():
        for what, said in (("fire", found.false_fires), ("end", found.false_ends)):
            for each in said:
                when = {"at": str(from_epoch(each.at)), "bucket": str(from_epoch(each.peak))}
                yield {"seed": seed, "order": order, "rule": rule, "false": what, "reason": each.reason.value, **when}


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=20)
    parser.add_argument("--days", type=int, default=90, help="fewer than 50 leave things out")
    parser.add_argument("--seed", type=int, default=1, help="of the first world; the others follow")
    given = parser.parse_args()
    jobs = [(given.seed + world, given.days, order) for world, order in product(range(given.worlds), ORDERS)]
    with Pool(os.cpu_count()) as pool:
        scores = dict(zip(jobs, pool.map(run, jobs, chunksize=1), strict=True))
    results = {
        name: {
            order: {
                rule.id: summed(of[name][rule.id] for job, of in scores.items() if job[2] == order) for rule in RULES
            }
            for order in ORDERS
        }
        for name in OBSERVERS
    }
    targets = list(judged(results[OURS]))
    print(
        json.dumps(
            {
                "worlds": given.worlds,
                "days": given.days,
                "targets": targets,
                "passed": all(target["passed"] for target in targets),
                "results": results,
                "wrong": [each for job, of in scores.items() for each in wrong(job, of[OURS])],
            }
        )
    )


if __name__ == "__main__":
    main()
