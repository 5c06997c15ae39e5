"""Daily usage of made-up organizations in six shapes, a year from 1 January 2026 on.

Every shape has a level, weekdays, and noise that is log-normal from day to day; beneath it a mood that drifts by a few
percent a week and comes back. Nothing here is known to the forecast.

stable    flat weekdays (weekends at 70 to 100 %), noise 5 to 15 %
weekly    office weeks (weekends at 3 to 25 %, Fridays lower), noise 10 to 25 %, one public holiday a month
growing   office weeks that grow by 3 to 20 % a month all year
stepped   office weeks with three lasting, unannounced steps to between 60 and 180 %
bursty    noise 30 to 60 %, and on 3 to 10 % of the days a job of 1 to 5 usual days besides
small     3 to 9 members who work a few days a week, each with tasks of very different size, and weeks off
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from usage_watch.core.series import Floats, Ints

DAYS = 365
FIRST_WEEKDAY = 3
"""1 January 2026 is a Thursday; 0 is Monday."""
WEEKDAYS: Ints = (np.arange(DAYS) + FIRST_WEEKDAY) % 7
MONTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
SHAPES = ("stable", "weekly", "growing", "stepped", "bursty", "small")
HOLIDAYS = 12
STEPS = 3


@dataclass(frozen=True, slots=True)
class Organizations:
    """Several organizations of one shape."""

    shape: str
    usage: Floats
    """(days, organizations)."""
    steps: Ints
    """(steps, organizations): first day of each unannounced step; none for other shapes."""


def make(shape: str, count: int, seed: int) -> Organizations:
    """`count` organizations of a shape."""
    rng = np.random.default_rng([seed, SHAPES.index(shape)])
    steps = np.empty((0, count), dtype=np.int64)
    if shape == "small":
        return Organizations(shape, _small(rng, count), steps)
    usage = np.exp(rng.uniform(np.log(500), np.log(50_000), count)) * _moods(rng, count)
    if shape == "stable":
        return Organizations(shape, usage * _flat(rng, count) * _noise(rng, count, 0.05, 0.15), steps)
    if shape == "bursty":
        noisy = _noise(rng, count, 0.3, 0.6) + _jobs(rng, count)
        return Organizations(shape, usage * _office(rng, count) ** 0.5 * noisy, steps)
    usage = usage * _office(rng, count) * _noise(rng, count, 0.1, 0.25) * _holidays(rng, count)
    if shape == "growing":
        usage *= np.exp(np.outer(np.arange(DAYS) / 30, np.log1p(rng.uniform(0.03, 0.2, count))))
    if shape == "stepped":
        steps = np.sort(rng.integers(35, DAYS, (STEPS, count)), axis=0)
        sizes = np.exp(rng.uniform(np.log(0.6), np.log(1.8), (STEPS, count)))
        for at, size in zip(steps, sizes, strict=True):
            usage *= np.where(np.arange(DAYS)[:, None] >= at, size, 1.0)
    return Organizations(shape, usage, steps)


def _moods(rng: Generator, count: int) -> Floats:
    """A slow swing of 5 to 15 %, with a memory of about three weeks."""
    memory = 0.95
    mood = np.empty((DAYS, count))
    mood[0] = rng.normal(size=count)
    for day in range(1, DAYS):
        mood[day] = memory * mood[day - 1] + rng.normal(size=count) * (1 - memory**2) ** 0.5
    swings: Floats = np.exp(mood * rng.uniform(0.05, 0.15, count))
    return swings


def _noise(rng: Generator, count: int, least: float, most: float) -> Floats:
    noise: Floats = np.exp(rng.normal(size=(DAYS, count)) * rng.uniform(least, most, count))
    return noise


def _flat(rng: Generator, count: int) -> Floats:
    weekend = np.where(WEEKDAYS >= 5, 1.0, 0.0)[:, None]
    return 1 - weekend * rng.uniform(0, 0.3, count)


def _office(rng: Generator, count: int) -> Floats:
    week = rng.normal(1, 0.05, (7, count))
    week[4] *= rng.uniform(0.75, 0.95, count)
    week[5:] *= rng.uniform(0.03, 0.25, count)
    return week[WEEKDAYS]


def _holidays(rng: Generator, count: int) -> Floats:
    work = np.ones((DAYS, count))
    work[rng.integers(0, DAYS, (HOLIDAYS, count)), np.arange(count)] = 0.1
    return work


def _jobs(rng: Generator, count: int) -> Floats:
    struck = rng.random((DAYS, count)) < rng.uniform(0.03, 0.1, count)
    return struck * rng.uniform(1, 5, (DAYS, count))


def _small(rng: Generator, count: int) -> Floats:
    usage = np.zeros((DAYS, count))
    members = rng.integers(3, 10, count)
    for member in range(int(members.max())):
        works = rng.random((DAYS, count)) < rng.uniform(0.2, 0.8, count) * np.where(WEEKDAYS >= 5, 0.3, 1.0)[:, None]
        size = np.exp(rng.normal(3.5, 0.8, count))
        tasks = size * np.exp(rng.normal(0, 1, (DAYS, count)))
        off = rng.random((-(-DAYS // 7), count)) < 0.07
        usage += tasks * works * ~np.repeat(off, 7, axis=0)[:DAYS] * (member < members)
    return np.round(usage)
