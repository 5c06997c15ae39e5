"""Which buckets are not expected to change any more. The source syncs late and says nothing about it.

A count that stands still while later ones came is complete. A zero that stands still says nothing: it may be an hour
without usage or one that was not synced yet, and only its age tells them apart. How old a zero must be is learned from
those that were polled as zero and turned out to be something. While the sync as a whole seems to stand, no zero at the
end settles at all.

Pure, over one feed: arrays of shape (n,), starts ascending on the feed's grid, times in epoch seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from usage_watch.core.series import DAY, HOUR, Flags, Ints

NEVER = -1
"""In an array of times: it has not happened."""

GIVEN_UP_AFTER = 48 * HOUR
"""Age from a bucket's end at which a count is complete whatever it does, and the longest that a zero waits."""
STILL_FOR = 3 * HOUR
STILL_POLLS = 3
"""A count is complete that stood still for so long and so many polls."""
LATE_SIGHT = 12 * HOUR
"""A count that was never polled younger than this is complete, until the age is learned at which zeros are final."""
ZERO_AGE = 36 * HOUR
"""Age at which a zero is one, until that is learned."""
LEAST_ZERO_AGE = 6 * HOUR
USUAL_LAG = 2 * HOUR
"""From a bucket's end to its first count, until that is learned."""
STALE_AFTER = 12 * HOUR
LEARNED_OVER = 30 * DAY
"""How far back is learned from."""
LEARNED_AFTER = 14 * DAY
ENOUGH = 20
"""Buckets without which nothing is learned."""
WEEKS = 4
"""Earlier weeks that say whether usage was to be expected."""


@dataclass(frozen=True, slots=True)
class Learned:
    """How late a feed is, as far as it was watched."""

    usual_lag: int = USUAL_LAG
    """Seconds from a bucket's end until it is usually first seen to hold usage."""
    lag_from: int = 0
    """Buckets that this was learned from; 0: not learned yet."""
    zero_age: int = ZERO_AGE
    """Seconds from its end after which a zero is one."""
    zeros_from: int = 0
    """Buckets that this was learned from; 0: not learned yet."""
    still_for: int = STILL_FOR
    """Seconds that a count must stand still."""


NOTHING_LEARNED = Learned()


@dataclass(frozen=True, slots=True)
class Watch:
    """How the buckets of a feed aged, as arrays; see `Aging`."""

    starts: Ints
    totals: Ints
    first_seen_at: Ints
    seen_at: Ints
    nonzero_at: Ints
    """NEVER where it holds nothing."""
    zero_gap: Ints
    """NEVER where it was never polled as zero before it held something."""
    changed_at: Ints
    unchanged_polls: Ints
    settled_at: Ints
    """NEVER where it is not settled yet."""


@dataclass(frozen=True, slots=True)
class Settling:
    """What may be taken for final."""

    settled: Flags
    aged: Flags
    """The same, were the sync known to run: what `absence` goes by."""


def settle(watch: Watch, width: int, learned: Learned, stale: bool) -> Settling:
    """Flag what is settled now; what is settled already is for the caller to keep so.

    Ages are taken at the last poll of each bucket, not at the present: what was seen young and never again stays open.
    """
    used = watch.totals > 0
    overtaken = np.zeros(len(used), dtype=bool)
    if used.any():
        overtaken[: np.flatnonzero(used)[-1]] = True
    age = watch.seen_at - (watch.starts + width)
    still = (watch.seen_at - watch.changed_at >= learned.still_for) & (watch.unchanged_polls >= STILL_POLLS)
    # What a backfill or a restart meets after the latest numbers are usually in needs no watching.
    met_late = watch.first_seen_at - (watch.starts + width) >= (learned.zero_age if learned.zeros_from else LATE_SIGHT)
    complete = used & ((overtaken & (still | met_late)) | (age >= GIVEN_UP_AFTER))
    # With nothing after it, it may be the first of a sync that stands: it waits until that would have been noticed.
    zero_age = np.where(overtaken, learned.zero_age, max(learned.zero_age, overdue(learned.usual_lag)))
    aged = complete | (~used & (age >= zero_age))
    return Settling(aged & (overtaken | used | (not stale)), aged)


def learn(watch: Watch, width: int, poll_every: int, at: int, still_for: int) -> Learned:
    """What the last 30 days tell. Pairs of polls further apart than 2 x `poll_every` say nothing of the source.

    `still_for`: the longest that a count stood still before it was revised after all; 0 where none was.
    """
    ends = watch.starts + width
    recent = ends > at - LEARNED_OVER
    used = recent & (watch.nonzero_at != NEVER)
    delays = watch.nonzero_at - ends
    watched = recent & (watch.first_seen_at - ends <= 2 * poll_every)
    lags = delays[used & watched]
    polled_as_zero = (watch.zero_gap != NEVER) & (watch.zero_gap <= 2 * poll_every)
    # Where a zero was taken for final too early, that is to be learned however rarely it was polled.
    too_early = (watch.settled_at != NEVER) & (watch.settled_at < watch.nonzero_at)
    knows_lag = len(lags) >= ENOUGH
    usual_lag = _middle(lags) if knows_lag else USUAL_LAG
    late = delays[used & ((polled_as_zero & ~_after_a_stop(watch, width, usual_lag)) | too_early)]
    long_enough = bool(watched.any()) and int(watch.first_seen_at[watched].min()) <= at - LEARNED_AFTER
    knows_zeros = long_enough and len(late) >= ENOUGH
    return Learned(
        usual_lag=usual_lag,
        lag_from=len(lags) if knows_lag else 0,
        zero_age=_zero_age(int(late.max())) if knows_zeros else ZERO_AGE,
        zeros_from=len(late) if knows_zeros else 0,
        still_for=min(max(STILL_FOR, still_for + HOUR if still_for else 0), GIVEN_UP_AFTER),
    )


def _middle(lags: Ints) -> int:
    """The median. Not numpy's own, which loads numpy.ma for it: 2 MiB in a process that runs for ever."""
    low, high = np.sort(lags)[[(len(lags) - 1) // 2, len(lags) // 2]].tolist()
    return int((low + high) / 2)


def _after_a_stop(watch: Watch, width: int, usual_lag: int) -> Flags:
    """Which buckets came after so long without any that the sync had stood.

    They tell how long it stood, and nothing of how late a single one may be: while it stands no zero settles anyway.
    """
    times, place = np.unique(watch.nonzero_at, return_inverse=True)
    newest = np.zeros(len(times), dtype=np.int64)
    np.maximum.at(newest, place, watch.starts + width)
    newest[times == NEVER] = 0
    known_until = np.concatenate([[0], np.maximum.accumulate(newest)[:-1]])
    stood: Flags = (known_until > 0) & (times - width - known_until >= overdue(usual_lag))
    return stood[place]


def overdue(usual_lag: int) -> int:
    """Seconds without any usage after which the sync may be thought to stand."""
    return max(2 * usual_lag, STALE_AFTER)


def _zero_age(longest: int) -> int:
    return min(max(round(1.1 * longest) + HOUR, LEAST_ZERO_AGE), GIVEN_UP_AFTER)


def stale_from(starts: Ints, totals: Ints, width: int, usual_lag: int, at: int) -> int | None:
    """End of the newest bucket with usage, where the sync seems to stand since; None where all is as usual.

    It seems to stand where buckets that ended max(2 x usual lag, 12 h) ago or longer hold nothing, nor anything after
    them, though in most of the four weeks before there was usage in the same hours. `totals` are of every bucket on the
    grid, zero where nothing is known.
    """
    used = np.flatnonzero(totals > 0)
    if not len(used):
        return None
    newest = int(used[-1])
    due = starts + width <= at - overdue(usual_lag)
    silent = slice(newest + 1, int(np.count_nonzero(due)))
    week = 7 * DAY // width
    weeks = [_usage(totals, silent, weeks * week) for weeks in range(1, WEEKS + 1)]
    known = [usage for usage in weeks if usage is not None]
    expected = sum(usage > 0 for usage in known) * 2 > len(known)
    return int(starts[newest]) + width if expected else None


def _usage(totals: Ints, silent: slice, back: int) -> int | None:
    """Usage in the same buckets so many earlier; None where history begins later."""
    if silent.start - back < 0 or silent.stop <= silent.start:
        return None
    return int(totals[silent.start - back : silent.stop - back].sum())
