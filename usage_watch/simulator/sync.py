"""When a thread is seen: the store syncs late, in parts, and sometimes not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .arrays import DAY, HOUR, FloatArray, IntArray
from .scenario import SyncLag, SyncStop


@dataclass(frozen=True, slots=True, eq=False)
class _Arrivals:
    """How the 24 hours of a day arrive."""

    first: FloatArray
    """Seconds from the end of the hour to its first part."""
    whole: FloatArray
    """Seconds from the end of the hour until all of it is there."""
    part: FloatArray
    """Share of the hour's queue that its first part holds."""


def synced_at(
    day: int, place: FloatArray, hour: IntArray, lag: SyncLag | None, stops: Sequence[SyncStop], seed: int
) -> IntArray:
    """Epoch second at which each thread of a day (its number since the epoch) is in the store.

    hour: [thread] 0 to 23. place: [thread] 0 to 1, where it stands in its hour's queue. The draws depend on the seed
    and the day alone, so what else happens that day changes no delay.
    """
    every = 1 if lag is None else lag.every_minutes * 60
    ended_at = _ended_at(day)[hour]
    at = ended_at if lag is None else _ceil(ended_at + _delay(place, hour, _arrivals(day, lag, seed)), every)
    for stop in sorted(stops, key=lambda stop: stop.start_at):
        held = (at >= int(stop.start_at.timestamp())) & (at < stop.end_at.timestamp())
        at = np.where(held, _ceil(np.array(int(np.ceil(stop.end_at.timestamp()))), every), at)
    return at


def _ended_at(day: int) -> IntArray:
    """[24] end of each hour, epoch seconds."""
    return day * DAY + np.arange(1, 25) * HOUR


def _delay(place: FloatArray, hour: IntArray, arrivals: _Arrivals) -> IntArray:
    """Seconds from the end of the hour: a first part at once, the rest one by one until the hour is whole."""
    first, part = arrivals.first[hour], arrivals.part[hour]
    behind = np.maximum(place - part, 0) / (1 - part)
    delay: IntArray = np.rint(first + (arrivals.whole - arrivals.first)[hour] * behind).astype(np.int64)
    return delay


def _arrivals(day: int, lag: SyncLag, seed: int) -> _Arrivals:
    return _in_order(day, lag, seed) if lag.in_order else _each_by_itself(day, lag, seed)


def _each_by_itself(day: int, lag: SyncLag, seed: int) -> _Arrivals:
    every = lag.every_minutes * 60
    rng = np.random.default_rng([seed, 5, day])
    late = rng.random(24) < lag.late_share
    low, high = (np.where(late, lag.late_minutes[end], lag.usual_minutes[end]) * 60.0 for end in (0, 1))
    # An arrival waits for the next sync: none may be due after the last sync that is in time.
    high = np.maximum(low, high // every * every)
    first, whole = np.sort(low + (high - low) * rng.random((2, 24)), axis=0)
    part = rng.uniform(0.2, 0.9, 24)
    in_parts = rng.random(24) < lag.partial_share
    return _Arrivals(np.where(in_parts, first, whole), whole, part)


def _in_order(day: int, lag: SyncLag, seed: int) -> _Arrivals:
    """The same draws, but each hour waits until all before it are whole.

    Only so many days back can an hour still be on its way when this day begins.
    """
    back = -(-max(*lag.usual_minutes, *lag.late_minutes) * 60 // DAY)
    days = range(max(day - back, 0), day + 1)
    drawn = [_each_by_itself(each, lag, seed) for each in days]
    ended_at = np.concatenate([_ended_at(each) for each in days])
    # Whole seconds: rounded later on, a hair's breadth would change the order.
    own = np.ceil(ended_at + np.concatenate([arrivals.whole for arrivals in drawn]))
    whole = np.maximum.accumulate(own)
    before = np.concatenate([[0.0], whole[:-1]])
    first = np.maximum(ended_at + np.concatenate([arrivals.first for arrivals in drawn]), before)
    return _Arrivals((first - ended_at)[-24:], (whole - ended_at)[-24:], drawn[-1].part)


def _ceil(at: IntArray, every: int) -> IntArray:
    rounded: IntArray = -(-at // every) * every
    return rounded
