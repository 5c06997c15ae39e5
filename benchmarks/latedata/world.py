"""A made-up organization's hourly counts, and when the source shows each of them.

Usage: office hours with a bell over midday, a quiet evening, nights of a few tens of which one hour in 25 is zero, and
weekends at a quarter; noise is log-normal and then Poisson. Ordinary hours hold at least 6 and at most 1,400.
In 90 days six spikes, 2,300 to 6,000 an hour: three of one hour, three of 3 to 8 hours with a dip inside that ends
nothing (two hours just under the limit, or one ordinary hour). Four dead periods of 4 to 24 zeros from a working
morning on. Each lies in its own four days.

Arrival is the simulator's: an hour comes 20 to 90 minutes after its end or, 8 % of them, 3 to 12 hours after it, each
by itself or in order, where one late hour holds up all that follow. Some show 20 to 90 % first and all of it later,
within the same bounds, so that polls every 15 minutes meet a quarter of the hours partial. In four stops of 10 to 30
hours nothing new arrives, and everything at their end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from usage_watch.core.series import DAY, HOUR, Ints
from usage_watch.core.units import from_epoch
from usage_watch.simulator import SyncLag, SyncStop
from usage_watch.simulator.sync import synced_at

BEGIN = 1_785_715_200
"""Monday 3 August 2026, 00:00 UTC."""
HISTORY_DAYS, SLOT_DAYS, SPIKES, DEAD, STOPS = 35, 4, 6, 4, 4
WATCHED_FROM = BEGIN + HISTORY_DAYS * DAY
LEAST, MOST = 6, 1_400
"""What an ordinary hour with usage holds."""
TOO_MUCH, TOO_LITTLE = 2_000, 5
"""The limits that no ordinary hour passes; `TOO_LITTLE` but for single zeros at night."""
LAGS = {
    True: SyncLag(every_minutes=1, late_share=0.013, in_order=True, partial_share=0.35),
    False: SyncLag(every_minutes=1, late_share=0.08, in_order=False, partial_share=0.31),
}
"""By whether in order: a late hour makes those behind it late, and two parts may arrive between the same two polls."""


@dataclass(frozen=True, slots=True)
class World:
    """Arrays have one entry an hour, from `BEGIN` on."""

    starts: Ints
    counts: Ints
    """What is true in the end."""
    first_counts: Ints
    """What is shown from `first_at` on."""
    first_at: Ints
    """Epoch seconds; the same as `whole_at` where an hour comes all at once."""
    whole_at: Ints
    stops: tuple[SyncStop, ...]

    def changes(self) -> list[tuple[int, int, int]]:
        """(epoch second, hour's index, count shown from then on), in order of time."""
        hours = range(len(self.starts))
        first = zip(self.first_at.tolist(), hours, self.first_counts.tolist(), strict=True)
        whole = zip(self.whole_at.tolist(), hours, self.counts.tolist(), strict=True)
        # The whole last where both come in the same second: `sorted` keeps their order, and counts only grow.
        return sorted([*first, *whole])


def make(seed: int, days: int, in_order: bool) -> World:
    """Equal usage for both orders of arrival."""
    rng = np.random.default_rng([seed, 1])
    counts = _ordinary(rng, HISTORY_DAYS + days)
    _happen(rng, counts, days)
    stops = _stops(rng, days)
    first_at, whole_at = (_arrivals(place, HISTORY_DAYS + days, LAGS[in_order], stops, seed) for place in (0.0, 1.0))
    shares = np.where(first_at < whole_at, rng.uniform(0.2, 0.9, len(counts)), 1.0)
    first_counts = np.ceil(counts * shares).astype(np.int64)
    starts = BEGIN + HOUR * np.arange(len(counts), dtype=np.int64)
    return World(starts, counts, first_counts, first_at, whole_at, stops)


def _ordinary(rng: np.random.Generator, days: int) -> Ints:
    hour = np.arange(24)
    day = np.where((hour >= 7) & (hour < 19), 180 + 270 * np.exp(-(((hour - 13) / 4) ** 2)), 22.0)
    day = np.where((hour >= 19) & (hour < 23), 70.0, day)
    working = np.arange(days) % 7 < 5
    usual = (np.where(working, 1.0, 0.25)[:, None] * np.maximum(day, 40 * ~working[:, None])).ravel()
    noisy = rng.poisson(usual * rng.lognormal(0, 0.25, len(usual)))
    idle = (usual < 30) & (rng.random(len(usual)) < 0.04)
    return np.where(idle, 0, np.clip(noisy, LEAST, MOST)).astype(np.int64)


def _happen(rng: np.random.Generator, counts: Ints, days: int) -> None:
    """Put spikes and dead periods into the counts of the watched days, each into slots of its own."""
    slots = rng.permutation(range(1, days // SLOT_DAYS - 1))[: SPIKES + DEAD]
    for number, slot in enumerate(slots.tolist()):
        first_day = HISTORY_DAYS + slot * SLOT_DAYS
        if number < SPIKES:
            _spike(rng, counts, first_day * 24 + int(rng.integers(48)), long=number % 2 == 1)
        else:
            working = next(day for day in range(first_day, first_day + SLOT_DAYS) if day % 7 < 5)
            start = working * 24 + int(rng.integers(7, 13))
            counts[start : start + int(rng.integers(4, 25))] = 0


def _spike(rng: np.random.Generator, counts: Ints, start: int, long: bool) -> None:
    hours = int(rng.integers(3, 9)) if long else 1
    ordinary = counts[start : start + hours].copy()
    counts[start : start + hours] = TOO_MUCH * rng.uniform(1.15, 3, hours)
    if not long:
        return
    dip = start + int(rng.integers(1, hours - 1))
    if rng.random() < 0.5:
        counts[dip] = ordinary[dip - start]
    else:
        counts[dip : min(dip + 2, start + hours - 1)] = rng.integers(int(0.92 * TOO_MUCH), TOO_MUCH)


def _stops(rng: np.random.Generator, days: int) -> tuple[SyncStop, ...]:
    """At least two days apart from start to start."""
    while True:
        starts = np.sort(rng.uniform(1, days - 2, STOPS))
        if (np.diff(starts) >= 2).all():
            break
    spans = [(int(WATCHED_FROM + start * DAY), int(rng.uniform(10, 30) * HOUR)) for start in starts]
    return tuple(SyncStop(from_epoch(at), from_epoch(at + lasts)) for at, lasts in spans)


def _arrivals(place: float, days: int, lag: SyncLag, stops: tuple[SyncStop, ...], seed: int) -> Ints:
    """When the front (0) or the end (1) of each hour's queue arrives, epoch seconds."""
    first = BEGIN // DAY
    places, hours = np.full(24, place), np.arange(24)
    return np.concatenate([synced_at(day, places, hours, lag, stops, seed) for day in range(first, first + days)])
