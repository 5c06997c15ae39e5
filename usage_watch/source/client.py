"""The analytics API as readings: pages, followed to their end and not one further."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from types import TracebackType

from usage_watch import __version__
from usage_watch.core.series import EACH_MEMBER, EVERYONE, HOUR, Feed, Reading
from usage_watch.errors import SecretError
from usage_watch.source.errors import AnalyticsError, Fault, broken
from usage_watch.source.memberdays import MemberDays
from usage_watch.source.transport import Transport
from usage_watch.source.wire import BUCKETS_A_PAGE, ROWS_A_PAGE, Asked, Page, read_page

V1 = "/v1/analytics/computer/usage"
V2 = "/v2/analytics/computer/usage"
EMPTY_PAGES = 10
"""Pages without a row that one window may have."""
MOST_MEMBERS = 50_000
"""Members with usage on one day: more is an endless answer."""


class AnalyticsClient:
    """Reads feeds from the analytics API, one window at a time. A context manager; not for several threads at once."""

    def __init__(
        self,
        base_url: str,
        key: Callable[[], str],
        *,
        deadline: float = 30.0,
        max_bytes: int = 32 * 2**20,
        user_agent: str = f"usage-watch/{__version__}",
    ) -> None:
        """`key` is read anew for each request; `deadline`: seconds a whole answer may take; `max_bytes`: unpacked."""
        self._transport = Transport(base_url, key, deadline=deadline, max_bytes=max_bytes, user_agent=user_agent)
        self._opened = time.monotonic()
        self._over_until = 0

    def __enter__(self) -> AnalyticsClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    @property
    def requests(self) -> int:
        """How many requests were sent so far."""
        return self._transport.requests

    @property
    def answered_at(self) -> datetime | None:
        """When the newest answer left the source, by its own clock.

        None where it did not say, or cannot be right: every bucket that it answers with is over.
        """
        at = self._transport.answered_at
        return None if at is None or at.timestamp() < self._over_until else at

    @property
    def its_time(self) -> datetime | None:
        """What the source's clock shows now, as far as its newest answer tells; None where it did not say."""
        return None if self.answered_at is None else self._transport.its_time

    @property
    def open_for(self) -> timedelta:
        """How long the client has been open, whatever the clock on the wall was set to meanwhile."""
        return timedelta(seconds=time.monotonic() - self._opened)

    def told_time(self, feed: Feed, now: datetime) -> datetime | None:
        """The source's time, by a small question on a feed, whatever its answer; None where it does not say."""
        with suppress(AnalyticsError, SecretError):
            self.answers_for_everyone(feed, now, now)
        return self.its_time

    def answers_for_everyone(self, feed: Feed, end_at: datetime, now: datetime) -> bool:
        """Whether the source, which refuses one member's feed, would answer the same for everyone.

        Raises AnalyticsError where that cannot be told.
        """
        everyone = replace(feed, scope=EVERYONE)
        try:
            for _ in self.fetch(everyone, end_at - timedelta(seconds=feed.width), end_at, now):
                pass
        except AnalyticsError as error:
            if error.fault in (Fault.REFUSED, Fault.BAD_REQUEST):
                return False
            raise
        return True

    def fetch(self, feed: Feed, start_at: datetime, end_at: datetime, now: datetime) -> Iterator[Reading]:
        """Read one window of at most 90 days, [start_at, end_at), as it comes in; each reading can be stored at once.

        v1 gives a reading a page, of the buckets that came. v2 gives whole days, also those that did not come, which
        hold no usage, up to the last complete one. A window without a complete bucket is not asked for.
        Raises AnalyticsError; what was given before stays true.
        """
        asked = _asked(feed, start_at, end_at, now)
        if asked.start >= asked.end:
            return
        pages = self._pages(asked, _params(asked), now)
        if feed.scope == EACH_MEMBER:
            yield from self._member_days(asked, pages)
            return
        for page in pages:
            if page.starts:
                yield Reading(feed, page.axes, page.starts, page.rows)

    def _pages(self, asked: Asked, params: Mapping[str, str], now: datetime) -> Iterator[Page]:
        path = V2 if asked.feed.scope == EACH_MEMBER else V1
        most = _most_pages(asked)
        cursors: set[str] = set()
        empty = 0
        while True:
            page = read_page(self._transport.get(path, params, asked.feed, now), asked)
            if page.starts:
                self._over_until = max(self._over_until, page.starts[-1] + asked.feed.width)
            yield page
            if page.next_page is None:
                return
            empty += not page.rows
            if page.next_page in cursors or empty > EMPTY_PAGES or len(cursors) >= most:
                raise broken(asked.feed, "its pages have no end")
            cursors.add(page.next_page)
            params = {**params, "page": page.next_page}
            asked = replace(asked, floor=_floor_after(page, asked))

    def _member_days(self, asked: Asked, pages: Iterator[Page]) -> Iterator[Reading]:
        days = MemberDays(asked)
        for page in pages:
            yield from days.take(page)
        at = self.answered_at
        # Where its clock is behind ours, the last day may not be over yet: it did not come, and is not quiet for that.
        yield from days.finish(asked.end if at is None else min(_snapped(at, asked.feed.width), asked.end))


def _asked(feed: Feed, start_at: datetime, end_at: datetime, now: datetime) -> Asked:
    start = _snapped(start_at, feed.width)
    return Asked(feed, start, _snapped(min(end_at, now), feed.width), start)


def _snapped(at: datetime, width: int) -> int:
    seconds = int(at.timestamp())
    return seconds - seconds % width


def _params(asked: Asked) -> dict[str, str]:
    """Already on the grid: a server whose clock is ahead of ours does not answer more than was asked."""
    feed = asked.feed
    params = {"dataset": feed.dataset, "start_time": str(asked.start), "end_time": str(asked.end)}
    if feed.scope == EACH_MEMBER:
        return {**params, "group_by": "user_email", "limit": str(ROWS_A_PAGE)}
    params |= {"bucket_width": "1h" if feed.width == HOUR else "1d", "limit": str(BUCKETS_A_PAGE[feed.width])}
    return params if feed.member is None else {**params, "user_email": feed.member}


def _most_pages(asked: Asked) -> int:
    """How many pages the window can have at the very most, were there one bucket, or the most members, to each."""
    buckets = (asked.end - asked.start) // asked.feed.width
    each = MOST_MEMBERS // ROWS_A_PAGE if asked.feed.scope == EACH_MEMBER else 1
    return buckets * each + EMPTY_PAGES


def _floor_after(page: Page, asked: Asked) -> int:
    """Where the next page may begin."""
    if not page.starts:
        return asked.floor
    return page.starts[-1] + (0 if asked.feed.scope == EACH_MEMBER else asked.feed.width)
