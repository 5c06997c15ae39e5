"""What to ask the source next, and when. Pure: state and time in, windows and times out.

A poll reads from the frontier on, and no less than the last 48 hours or 3 days, for late numbers change what was read
before. A hole moves the frontier back, so that the next poll fills it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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


def wanted(
    state: FeedState, now: datetime, poll_every: timedelta, keep_from: datetime, unread: Iterable[Window] = ()
) -> list[Window]:
    """The windows that this poll asks for, oldest first and apart; none where the feed is not due.

    From the frontier on, and no less than the trail; what the backfill still lacks (`keep_from` is where it begins,
    `unread` where one was broken off); and a part of what was read before.
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
    trail = max(trail, min(head, state.oldest_at))
    lacking = [(max(start, head), min(stop, trail)) for start, stop in unread]
    spans = [(head, min(state.oldest_at, trail)), *lacking, *reread(state, now, head, trail), (trail, end)]
    return [window for start, stop in _joined(spans) for window in windows(start, stop, width)]


def _joined(spans: Iterable[Window]) -> Iterator[Window]:
    """The spans that are not empty, in order of time; those that touch as one, since each costs a request."""
    joined: Window | None = None
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if joined is not None and start > joined[1]:
            yield joined
            joined = None
        joined = (start, end) if joined is None else (joined[0], max(joined[1], end))
    if joined is not None:
        yield joined


def reread(state: FeedState, now: datetime, keep_from: datetime, trail_at: datetime) -> Iterator[Window]:
    """The parts of the last 90 days before `trail_at` that this poll reads again; each day reads all of them once.

    What was revised long after it was read is found so. The share of the UTC day that went by since the feed was last
    read up, in whole hours, is the share of the 90 days: no state is kept, and most polls cost nothing more.
    """
    if state.read_at is None or state.oldest_at is None:
        return
    since, until = _snapped(state.read_at, HOUR), _snapped(now, HOUR)
    today = _snapped(now, DAY)
    yesterday = today - timedelta(days=1)
    oldest = max(state.oldest_at, keep_from)
    for start, end in (_slice(yesterday, max(since, yesterday), today), _slice(today, max(since, today), until)):
        yield _snapped(max(start, oldest), state.feed.width), _snapped(min(end, trail_at), state.feed.width)


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
        return now if _set_back(state, now) or state.retry_at > now + LONGEST_WAIT else state.retry_at
    if state.polled_at is None or state.polled_at > now:
        return now
    return state.polled_at + every


def _set_back(state: FeedState, now: datetime) -> bool:
    """Whether the clock was, since the feed was last asked, and by more than it is nudged by every now and then."""
    return state.polled_at is not None and state.polled_at > now + FIRST_RETRY


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
        case Fault.REFUSED | Fault.BAD_REQUEST | Fault.MEMBER_GONE:
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


def _slice(midnight: datetime, start_at: datetime, end_at: datetime) -> Window:
    """The part of the 90 days before a UTC day that belongs to a part of that day."""
    oldest, days = midnight - WINDOW, WINDOW // timedelta(days=1)
    return oldest + (start_at - midnight) * days, oldest + (end_at - midnight) * days


def _snapped(at: datetime, width: int) -> datetime:
    """Down to the UTC grid."""
    seconds = int(at.timestamp())
    return datetime.fromtimestamp(seconds - seconds % width, UTC)
