"""The benchmark of late data: its worlds are what they are said to be, and it runs as its command says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from latedata.scoring import score, true_incidents
from latedata.telling import RULES, Said
from latedata.world import DEAD, LEAST, MOST, SPIKES, STOPS, TOO_LITTLE, TOO_MUCH, World, make
from usage_watch.core.message import Reason
from usage_watch.core.series import HOUR

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
POLL = 900
SPIKE_RULE, DEAD_RULE, _ = RULES


@pytest.fixture(scope="module", params=[True, False], ids=["in order", "each by itself"])
def worlds(request: pytest.FixtureRequest) -> list[World]:
    return [make(seed, 90, request.param) for seed in range(500, 512)]


def unstopped(world: World) -> np.ndarray:
    """The hours that no stop held up."""
    kept = np.ones(len(world.starts), dtype=bool)
    for stop in world.stops:
        # What was due in a stop arrives at its end, and in order drags the hours behind it along.
        since, until = stop.start_at.timestamp(), stop.end_at.timestamp()
        kept &= (world.whole_at < since) | (world.starts + HOUR >= until)
    return kept


def test_hours_come_as_late_and_as_partial_as_they_shall(worlds: list[World]) -> None:
    lags = np.concatenate([(each.whole_at - each.starts - HOUR)[unstopped(each)] for each in worlds])
    assert 20 * 60 <= lags.min() <= lags.max() <= 12 * HOUR
    assert np.mean(lags >= 3 * HOUR) == pytest.approx(0.08, abs=0.01)
    partial = np.concatenate([-(-each.first_at // POLL) < -(-each.whole_at // POLL) for each in worlds])
    assert np.mean(partial) == pytest.approx(0.25, abs=0.015)


def test_only_what_happens_passes_the_limits(worlds: list[World]) -> None:
    for world in worlds:
        assert len(true_incidents(SPIKE_RULE, world)) == SPIKES
        assert len(true_incidents(DEAD_RULE, world)) >= DEAD
        assert not ((world.counts > MOST) & (world.counts < 0.9 * TOO_MUCH)).any()
        assert not ((world.counts > TOO_LITTLE) & (world.counts < LEAST)).any()
        assert len(world.stops) == STOPS


def test_a_message_is_weighed_by_what_is_true_in_the_end() -> None:
    world = make(500, 90, in_order=False)
    first, *others = true_incidents(SPIKE_RULE, world)
    start, end = first.episodes[0][0], first.episodes[-1][1]
    quiet = start - 12 * HOUR
    said = [
        Said("spikes", Reason.FIRED, quiet, quiet, None),
        Said("spikes", Reason.FIRED, start + 3 * HOUR, start, None),
        Said("spikes", Reason.RESOLVED, end + 5 * HOUR, start, end),
        Said("spikes", Reason.RESOLVED, end, start, start + 60),
        Said("spikes", Reason.RETRACTED, end, start, None),
        Said("dead", Reason.FIRED, quiet, quiet, None),
    ]
    found = score(SPIKE_RULE, world, said)
    assert (found.true, found.missed) == (1 + len(others), len(others))
    assert (found.false_fires, found.false_ends) == ([said[0]], [said[3], said[4]])
    assert (found.detected, found.ended) == ([2 * HOUR], [5 * HOUR])


def test_the_command_says_what_every_observer_told() -> None:
    command = [sys.executable, str(BENCHMARKS / "late_data.py"), "--worlds", "1", "--days", "12"]
    result = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert set(result["results"]) == {
        "usage_watch",
        "newest bucket as is",
        "fixed delay 3 h",
        "fixed delay 12 h",
        "fixed delay 24 h",
    }
    assert len(result["targets"]) == 9
    for order in ("in_order", "out_of_order"):
        for observer in result["results"].values():
            assert set(observer[order]) == {"spikes", "dead", "absence"}
        assert result["results"]["usage_watch"][order]["spikes"]["true"] >= 1
        assert result["results"]["usage_watch"][order]["spikes"]["missed"] == 0
