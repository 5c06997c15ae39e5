"""When a thread is seen: the store syncs late, in parts, and sometimes not at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .arrays import FloatArray, IntArray
from .scenario import SyncLag, SyncStop


def synced_at(
    ended_at: IntArray,
    place: FloatArray,
    hour: IntArray,
    lag: SyncLag | None,
    stops: Sequence[SyncStop],
    seed: list[int],
) -> IntArray:
    """Epoch second at which each thread is in the store.

    ended_at: [24] end of each hour of a day, epoch seconds. hour: [thread] 0 to 23. place: [thread] 0 to 1, where it
    stands in its hour's queue. The draws depend on the seed alone, so what else happens that day changes no delay.
    """
    every = 1 if lag is None else lag.every_minutes * 60
    at = ended_at[hour] if lag is None else _ceil(ended_at[hour] + _delay(place, hour, lag, seed), every)
    for stop in sorted(stops, key=lambda stop: stop.start_at):
        held = (at >= int(stop.start_at.timestamp())) & (at < stop.end_at.timestamp())
        at = np.where(held, _ceil(np.array(int(np.ceil(stop.end_at.timestamp()))), every), at)
    return at


def _delay(place: FloatArray, hour: IntArray, lag: SyncLag, seed: list[int]) -> IntArray:
    """Seconds from the end of the hour: a first part at once, the rest one by one until the hour is whole."""
    every = lag.every_minutes * 60
    rng = np.random.default_rng(seed)
    late = rng.random(24) < lag.late_share
    low, high = (np.where(late, lag.late_minutes[end], lag.usual_minutes[end]) * 60.0 for end in (0, 1))
    # An arrival waits for the next sync: none may be due after the last sync that is in time.
    high = np.maximum(low, high // every * every)
    first, whole = np.sort(low + (high - low) * rng.random((2, 24)), axis=0)
    part = rng.uniform(0.2, 0.9, 24)[hour]
    behind = np.maximum(place - part, 0) / (1 - part)
    delay: IntArray = np.rint(first[hour] + (whole - first)[hour] * behind).astype(np.int64)
    return delay


def _ceil(at: IntArray, every: int) -> IntArray:
    rounded: IntArray = -(-at // every) * every
    return rounded
