"""Hours of a few members: those that were read, and before them their days, spread as the hours of all are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from usage_watch.core.series import DAY, EACH_MEMBER, HOUR, FeedHistory, Flags, Floats, Ints
from usage_watch.core.stats.grids import on_grid


def in_hours(days: FeedHistory, everyone: FeedHistory, read: Sequence[FeedHistory], since: int) -> FeedHistory:
    """Who was `read`, on the grid of `everyone`'s hours: as read from `since` on (epoch seconds), spread before.

    `read`: at least one feed of one member's hours, `days`: of each member's days, `everyone`: of all members' hours.
    Each day keeps its sum to the unit. What a member did in which hour of an earlier day is not known: good enough for
    what is usual of them, and for nothing else.
    """
    feed = replace(everyone.feed, scope=EACH_MEMBER)
    who = {each.feed.member for each in read}
    place = (everyone.starts - (days.starts[0] if len(days.starts) else 0)) // DAY
    there = (place >= 0) & (place < len(days.starts))
    place = np.where(there, place, 0)
    before = there & (everyone.starts < since)
    theirs = {replace(key, feed=feed): used for key, used in days.counts.items() if key.member in who}
    counts = dict(zip(theirs, _spread([used[place] * before for used in theirs.values()], everyone), strict=True))
    fetched = before & everyone.fetched & _at(days.fetched, place)
    axes = {axis: before & everyone.fetched & _at(known, place) for axis, known in days.axes.items()}
    settled = before & everyone.settled & _at(days.settled, place)
    return _with(FeedHistory(feed, everyone.starts, fetched, settled, settled, axes, counts), read, since)


def _at(flags: Flags, place: Ints) -> Flags:
    return flags[place] if len(flags) else np.zeros(len(place), dtype=bool)


def _weights(everyone: FeedHistory) -> Floats:
    """Each hour's share of its day's total; alike where a day holds nothing."""
    day = everyone.starts // DAY
    day -= day[0] if len(day) else 0
    total = everyone.total().astype(np.float64)
    sums = np.bincount(day, weights=total)[day]
    return np.where(sums > 0, total / np.maximum(sums, 1.0), HOUR / DAY)


def _spread(used: Sequence[Ints], everyone: FeedHistory) -> Ints:
    """Whole numbers that go wrong by less than one, and in sum not at all. Shape (series, n)."""
    hours = np.reshape(used, (len(used), len(everyone.starts))) * _weights(everyone)
    made: Ints = np.diff(np.rint(np.cumsum(hours, axis=1)), axis=1, prepend=0.0).astype(np.int64)
    return made


def _with(known: FeedHistory, read: Sequence[FeedHistory], since: int) -> FeedHistory:
    """The same, and what was read from `since` on; known there is what was read of all."""
    now = known.starts >= since
    labels = {*known.axes, *(axis for each in read for axis in each.axes)}

    def answered(axis: str | None) -> Flags:
        found: Flags = np.logical_and.reduce([on_grid(known.starts, each.starts, each.known(axis)) for each in read])
        return known.known(axis) | (now & found)

    counts = dict(known.counts)
    for each in read:
        for key, used in each.counts.items():
            whose = replace(key, feed=known.feed)
            counts[whose] = known.of(whose) + np.where(now, on_grid(known.starts, each.starts, used), 0)
    return replace(known, fetched=answered(None), axes={axis: answered(axis) for axis in labels}, counts=counts)
