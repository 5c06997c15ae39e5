"""Members: 10,000 budgets of people judged in one cycle, beside one numpy pass over the same numbers.

A cycle is `assess` as the daemon runs it: the newest 90 days of 10,000 members are judged again, all three parts,
over all that they need (171 days), with the incidents that the cycle before has committed. One in twenty is over a
level. Forecasts that the cycle before has made are known, as they are to a daemon; `cold_s` is a cycle without them.
`crowded` is a limit that was set far too low, so that most are over it: one seed, one cycle of each, no goal.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from usage_watch.assess import REACH, Desk, Ledger, assess, wanted
from usage_watch.core.compose import Form
from usage_watch.core.series import DAY, EACH_MEMBER, Feed, FeedHistory, History, SeriesKey
from usage_watch.meta import Sight
from usage_watch.rules import FileDefaults
from usage_watch.rules.budget import BudgetRule

MEMBERS, ROUNDS, LIMIT, TOO_LOW = 10_000, 5, 6000.0, 2000.0
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FEED = Feed("credit_usage", DAY, EACH_MEMBER)
SECONDS = 1.0


def run(seeds: Iterable[int]) -> dict[str, Any]:
    """JSON-able; times in seconds, medians over the seeds."""
    chosen = list(seeds)
    found = [_of_seed(seed, LIMIT, ROUNDS) for seed in chosen]
    crowded = _of_seed(chosen[0], TOO_LOW, 1)
    cycle, numpy_pass, cold = (statistics.median(each[at] for each in found) for at in (0, 1, 4))
    return {
        "members": MEMBERS,
        "days": found[0][3],
        "incidents": found[0][2],
        "cycle_s": round(cycle, 3),
        "cold_s": round(cold, 3),
        "cumsum_s": round(numpy_pass, 4),
        "ratio": round(cycle / numpy_pass, 1),
        "crowded": {"incidents": crowded[2], "cycle_s": round(crowded[0], 1), "cold_s": round(crowded[4], 1)},
        "passed": cycle < SECONDS,
    }


def _of_seed(seed: int, limit: float, rounds: int) -> tuple[float, float, int, int, float]:
    rule = BudgetRule(id="it", kind="budget", for_each="member", limit=limit)
    desk = Desk(FileDefaults(ZoneInfo("UTC"), 1), {}, Form({}, ZoneInfo("UTC")))
    since = min(wanted([rule], (), desk, NOW, REACH).values())
    usage = _usage(np.random.default_rng([6, seed]), (NOW - since) // timedelta(days=1))
    history = History({FEED: _history(usage, since)})
    began = time.perf_counter()
    first = assess([rule], history, Ledger(), desk, Sight(), NOW)
    cold = time.perf_counter() - began
    ledger = Ledger({record.id: record for record in first.rules}, first.incidents)
    cycle = _timed(lambda: assess([rule], history, ledger, desk, Sight(), NOW), rounds)
    return cycle, _timed(lambda: np.cumsum(usage, axis=0), rounds), len(first.incidents), len(usage), cold


def _usage(dice: np.random.Generator, days: int) -> np.ndarray:
    """Shape (days, members): most use little, one in twenty is over in some month."""
    weights = np.minimum(dice.lognormal(4, 0.7, MEMBERS), 120)
    heavy = dice.random(MEMBERS) < 0.05
    return dice.poisson(np.where(heavy, 180, weights) * (dice.random((days, MEMBERS)) < 0.6)).astype(np.int64)


def _history(usage: np.ndarray, since: datetime) -> FeedHistory:
    starts = int(since.timestamp()) + DAY * np.arange(len(usage), dtype=np.int64)
    known = np.ones(len(starts), dtype=bool)
    columns = np.ascontiguousarray(usage.T)
    counts = {SeriesKey(FEED, member=f"member-{n:05}@example.com"): each for n, each in enumerate(columns)}
    return FeedHistory(FEED, starts, known, known, known, {}, counts)


def _timed(call: Callable[[], object], rounds: int) -> float:
    """The median of some rounds."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return statistics.median(times)
