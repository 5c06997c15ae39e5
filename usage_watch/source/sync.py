"""What to ask the source next, and when. Pure: state and time in, windows and times out.

A poll reads from the frontier on, and no less than the last 48 hours or 3 days, for late numbers change what was read
before. A hole moves the frontier back, so that the next poll fills it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from usage_watch.core.feedstate import FeedState
from usage_watch.core.series import DAY, EACH_MEMBER, HOUR, Feed, Width
from usage_watch.source.errors import LONGEST_WAIT, Fault
from usage_watch.source.wire import BUCKETS_A_PAGE, ROWS_A_PAGE

WINDOW = timedelta(days=90)
"""The longest window that the API answers."""
TRAIL: dict[int, timedelta] = {HOUR: timedelta(hours=48), DAY: timedelta(days=3)}
MEMBERS_EVERY = timedelta(hours=1)
"""Member days are asked for no more often: they only change once a day, and cost a page per 100 rows."""
EARLY = timedelta(seconds=30)
"""A poll may come this much early: cron starts on the minute, and not to the millisecond."""
FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(minutes=15)
CLOSED_RETRY = timedelta(hours=1)

Window = tuple[datetime, datetime]
"""[start, end), on the feed's grid."""


def wanted(state: FeedState, now: datetime, poll_every: timedelta, keep_from: datetime) -> list[Window]:
    """The windows that this poll asks for, oldest first and apart; none where the feed is not due.

    `keep_from`: where the backfill begins.
    """
    early = min(EARLY, poll_every / 10) if state.retry_at is None else timedelta(0)
    if due_at(state, now, poll_every) > now + early:
        return []
    width = state.feed.width
    end = _snapped(now, width)
    head = _snapped(keep_from, width)
    if state.oldest_at is None:
        return windows(head, end, width)
    trail = _snapped(min(now - TRAIL[width], state.frontier_at or state.oldest_at), width)
    if min(state.oldest_at, trail) <= head:
        return windows(trail, end, width)
    if state.oldest_at >= trail:
        return windows(head, end, width)
    return windows(head, state.oldest_at, width) + windows(trail, end, width)


def windows(start_at: datetime, end_at: datetime, width: Width) -> list[Window]:
    """Split [start, end), snapped down to the grid, into windows of at most 90 days; none where nothing is left."""
    start, end = _snapped(start_at, width), _snapped(end_at, width)
    found = []
    while start < end:
        found.append((start, min(start + WINDOW, end)))
        start += WINDOW
    return found


def due_at(state: FeedState, now: datetime, poll_every: timedelta) -> datetime:
    """When the feed may be asked next; `now` where it never was.

    A failed attempt is followed after `retry_at` alone, whatever `poll_every`. Times further ahead than they can be
    were written before the clock was set back, and hold nothing up.
    """
    every = poll_every_of(state.feed, poll_every)
    if state.retry_at is not None:
        return state.retry_at if state.retry_at <= now + LONGEST_WAIT else now
    if state.polled_at is None or state.polled_at > now:
        return now
    return state.polled_at + every


def next_due(states: Iterable[FeedState], now: datetime, poll_every: timedelta) -> datetime:
    """When the next poll of any feed is due, not before `now`; a whole `poll_every` ahead where there is no feed."""
    due = (due_at(state, now, poll_every) for state in states)
    return max(min(due, default=now + poll_every), now)


def poll_every_of(feed: Feed, poll_every: timedelta) -> timedelta:
    """How often a feed is asked."""
    return max(poll_every, MEMBERS_EVERY) if feed.scope == EACH_MEMBER else poll_every


def retry_after(failures: int, fault: Fault, hint: timedelta | None = None) -> timedelta:
    """How long to wait after the latest of so many failures in a row; `hint` is the answer's own `Retry-After`.

    What only a human mends is confirmed after a minute, so that one freak answer raises no alarm, and then probed.
    """
    backoff = min(FIRST_RETRY * (1 << min(max(failures, 1) - 1, 8)), LONGEST_RETRY)
    match fault:
        case Fault.UNAUTHORIZED:
            return FIRST_RETRY if failures <= 1 else LONGEST_RETRY
        case Fault.FEATURE_DISABLED:
            return FIRST_RETRY if failures <= 1 else CLOSED_RETRY
        case Fault.REFUSED | Fault.BAD_REQUEST:
            return CLOSED_RETRY
        case Fault.THROTTLED:
            return max(backoff, hint or backoff)
        case _:
            return backoff


def requests_per_poll(feed: Feed, members: int) -> int:
    """How many requests a steady poll costs; `members`: with usage on a day, which only member days depend on."""
    buckets = TRAIL[feed.width] // timedelta(seconds=feed.width)
    if feed.scope == EACH_MEMBER:
        return max(1, -(-buckets * members // ROWS_A_PAGE))
    return -(-buckets // BUCKETS_A_PAGE[feed.width])


def _snapped(at: datetime, width: int) -> datetime:
    """Down to the UTC grid."""
    seconds = int(at.timestamp())
    return datetime.fromtimestamp(seconds - seconds % width, UTC)
