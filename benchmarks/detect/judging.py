"""The evaluation beside the simulator, as a value: recall at a false-alert budget, by type, with delays."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usage_watch.core.series import DAY, HOUR, Flags, Floats

BUDGETS = (0.03, 0.1, 0.3)
"""False alerts a series-month."""
LONG = (3, 7, 14)
"""Days."""
MONTH = 720
"""Hours."""
LAUNCHES = 2
"""How the simulator marks benign changes other than holidays."""
_HOLIDAY = 1
Scores = NDArray[np.float32]
Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class World:
    """Simulated organizations, joined."""

    simulation: Any
    """The simulator's own value: counts `y` of shape (series, hours), labels, marks."""
    evaluate: Any
    """The module that evaluates."""

    @property
    def counts(self) -> Floats:
        """Shape (hours, series)."""
        return np.ascontiguousarray(self.simulation.y.T)


def load(directory: Path, seeds: Iterable[int], orgs: int, clean_orgs: int) -> World:
    """Simulate each seed with the simulator in `directory`, and join them."""
    sys.path.insert(0, str(directory))
    simulator, evaluate = importlib.import_module("usagesim"), importlib.import_module("evaluate")
    parts = [simulator.simulate(seed=seed, orgs=orgs, clean_orgs=clean_orgs) for seed in seeds]
    labels, offset = [], 0
    for part in parts:
        for label in part.labels:
            label.series += offset
        labels += part.labels
        offset += len(part.y)
    joined = simulator.Sim(
        y=np.vstack([part.y for part in parts]),
        names=[name for part in parts for name in part.names],
        labels=labels,
        neutral=np.vstack([part.neutral for part in parts]),
        benign=np.vstack([part.benign for part in parts]),
        warm=parts[0].warm,
        seed=parts[0].seed,
        kinds=np.concatenate([part.kinds for part in parts]),
    )
    return World(joined, evaluate)


def weigh(world: World, scores: Scores) -> Figures:
    """What a detector's scores, shape (series, hours), are worth."""
    curve, _ = world.evaluate.curve(world.simulation, scores)
    found: Figures = {"recall": {}, "threshold": {}, "at": {}}
    for budget in BUDGETS:
        fitting = curve[curve[:, 1] <= budget]
        if not len(fitting):
            found["recall"][str(budget)] = None
            continue
        threshold = float(fitting[0, 0])
        detected = world.evaluate.recall(world.simulation, scores, threshold)
        hits, labels = (sum(kind[place] for kind in detected.values()) for place in (0, 1))
        found["recall"][str(budget)] = round(hits / labels, 3)
        found["threshold"][str(budget)] = round(threshold, 3)
        found["at"][str(budget)] = {
            "by_type": dict(_by_type(detected)),
            "on_holidays": round(float(fitting[0, 2]), 4),
            "benign_a_series_month": round(float(fitting[0, 3]) / _benign_months(world), 2),
            "episodes_over_days": _long(scores[:, world.simulation.warm :] >= threshold),
        }
    return found


def _by_type(detected: dict[str, Any]) -> Iterator[tuple[str, Figures]]:
    for kind, (hits, labels, delays) in detected.items():
        delay = float(np.median(delays)) if delays else None
        yield kind, {"recall": round(hits / max(labels, 1), 3), "delay_h": delay, "labels": labels}


def _long(firing: Flags) -> dict[str, int]:
    """How many episodes, which end with a day without alert, go on for more than so many days."""
    days = np.pad(firing.reshape(len(firing), -1, DAY // HOUR).any(axis=2), ((0, 0), (1, 1)))
    edges = np.diff(days.astype(np.int8), axis=1)
    lengths = np.nonzero(edges.ravel() < 0)[0] - np.nonzero(edges.ravel() > 0)[0]
    return {str(most): int((lengths > most).sum()) for most in LONG}


def _benign_months(world: World) -> float:
    simulation = world.simulation
    live, _ = world.evaluate.masks(simulation)
    benign: Flags = (simulation.benign == LAUNCHES) & ~simulation.neutral & live
    return float(benign.sum()) / MONTH


def always(world: World) -> float:
    """Alerts a series-month of a detector that always fires: about 30, or the evaluation forgives what is chronic."""
    firing = np.ones(world.simulation.y.shape, dtype=bool)
    live, clean = world.evaluate.masks(world.simulation)
    events = world.evaluate.events(firing & live)
    return round(float((events & clean).sum() / (clean.sum() / MONTH)), 2)
