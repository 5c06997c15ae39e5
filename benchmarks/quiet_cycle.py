"""A cycle without news: load, assess and commit at 100 series and 90 days of hours, beside a bare read of them.

python benchmarks/quiet_cycle.py
"""

from __future__ import annotations

import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from usage_watch.assess import REACH, Desk, Ledger, assess, wanted
from usage_watch.core.compose import Form
from usage_watch.core.series import HOUR, Feed, Reading, SeriesKey
from usage_watch.meta import Sight
from usage_watch.rules import FileDefaults
from usage_watch.rules.budget import BudgetRule
from usage_watch.rules.threshold import ThresholdRule
from usage_watch.rules.zscore import ZscoreRule
from usage_watch.store.alerts import AlertStore
from usage_watch.store.database import open_for_writing
from usage_watch.store.history import HistoryStore

SERIES, HOURS, RUNS = 100, 90 * 24, 7
NOW = datetime(2026, 11, 22, tzinfo=UTC)
FEED = Feed("credit_usage", HOUR)
RULES = (
    ThresholdRule(id="by-model", kind="threshold", for_each="Model", above=1e9),
    BudgetRule(id="cycle", kind="budget", limit=1e12),
    ZscoreRule(id="unusual", kind="zscore", method="plain", for_each="Model", above=50.0),
)


def main() -> None:
    """Print one JSON object; times in seconds, medians of seven runs."""
    defaults = FileDefaults(ZoneInfo("UTC"), 1)
    desk = Desk(defaults, {}, Form({}, ZoneInfo("UTC")))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "history.db")
        with open_for_writing(path) as database:
            history, alerts = HistoryStore(database), AlertStore(database)
            history.save(_usage(), NOW)
            history.read_up(FEED, NOW, NOW, timedelta(minutes=15), NOW - timedelta(hours=HOURS))

            def cycle() -> None:
                incidents = alerts.incidents(NOW - REACH)
                ledger = Ledger(alerts.rules(), incidents, alerts.told([each.id for each in incidents]))
                loaded = history.load(wanted(RULES, incidents, desk, NOW))
                outcome = assess(RULES, loaded, ledger, desk, Sight(), NOW)
                alerts.commit(outcome.incidents, outcome.rules, outcome.decisions, outcome.posts, NOW)

            cycle()
            ours = _median(cycle)
        with sqlite3.connect(path) as bare:
            peer = _median(lambda: bare.execute("SELECT series_id, start, count FROM bucket").fetchall())
        bare.close()
    print(json.dumps({"series": SERIES, "hours": HOURS, "cycle_s": ours, "bare_read_s": peer, "ratio": ours / peer}))


def _usage() -> Reading:
    counts = np.random.default_rng(1).poisson(100, (HOURS, SERIES))
    first = int((NOW - timedelta(hours=HOURS)).timestamp())
    starts = tuple(range(first, first + HOURS * HOUR, HOUR))
    keys = [SeriesKey(FEED, "Model", f"model-{index}") for index in range(SERIES)]
    rows = [
        (key, start, int(n))
        for start, row in zip(starts, counts, strict=True)
        for key, n in zip(keys, row, strict=True)
    ]
    totals = [(SeriesKey(FEED), start, int(row.sum())) for start, row in zip(starts, counts, strict=True)]
    return Reading(FEED, ("Model",), starts, tuple(rows + totals))


def _median(work: Callable[[], object]) -> float:
    took = []
    for _ in range(RUNS):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return round(statistics.median(took), 4)


if __name__ == "__main__":
    main()
