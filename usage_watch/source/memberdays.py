"""Days per member, put together again: pages are cut by rows, so that one day can lie on two of them."""

from __future__ import annotations

from collections.abc import Iterator

from usage_watch.core.series import Reading
from usage_watch.source.errors import drifted
from usage_watch.source.wire import Asked, Page, Row


class MemberDays:
    """The pages of one window, turned into readings of whole days.

    The days come in order, which each page is checked for. So as soon as one has begun, all before it are whole, and
    those of them that did not come hold no usage: a window that breaks off in the middle leaves no hole.
    """

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._axes: tuple[str, ...] | None = None
        self._days: dict[int, list[Row]] = {}
        self._members: set[tuple[int, str | None]] = set()
        self._next = asked.start
        """The first day that was not given out yet."""

    def take(self, page: Page) -> Iterator[Reading]:
        """Add the next page; gives the days that it completes. Raises AnalyticsError where pages contradict."""
        if self._axes not in (None, page.axes):
            raise drifted(self._asked.feed, "`categories` is another on a later page", page.body)
        self._axes = page.axes
        for start in page.starts:
            self._days.setdefault(start, [])
        for row in page.rows:
            self._add(row, page)
        yield from self._give(max(self._days, default=self._next))

    def finish(self, until: int) -> Iterator[Reading]:
        """The last day, and the days without usage up to `until` (epoch seconds): there are no more pages."""
        yield from self._give(max([until, *(day + self._asked.feed.width for day in self._days)]))

    def _add(self, row: Row, page: Page) -> None:
        key, start, _ = row
        if key.axis is None:
            if (start, key.member) in self._members:
                raise drifted(self._asked.feed, "a member stands twice in one day", page.body)
            self._members.add((start, key.member))
        self._days[start].append(row)

    def _give(self, until: int) -> Iterator[Reading]:
        starts = range(self._next, until, self._asked.feed.width)
        if not starts:
            return
        rows = tuple(row for start in starts for row in self._days.pop(start, []))
        self._members = {known for known in self._members if known[0] in self._days}
        self._next = until
        yield Reading(self._asked.feed, self._axes or (), tuple(starts), rows)
