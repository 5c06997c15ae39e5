"""Days per member, put together again: pages are cut by rows, so that one day can lie on two of them."""

from __future__ import annotations

from collections.abc import Iterator

from usage_watch.core.series import Reading
from usage_watch.source.errors import drifted
from usage_watch.source.wire import Asked, Page, Row


class MemberDays:
    """The pages of one window, turned into readings of whole days.

    Days that came are given out as soon as the next one has begun. Days that did not come hold no usage, but that is
    only sure once the whole window was paged.
    """

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._axes: tuple[str, ...] | None = None
        self._days: dict[int, list[Row]] = {}
        self._members: set[tuple[int, str | None]] = set()
        self._given: set[int] = set()

    def take(self, page: Page) -> Iterator[Reading]:
        """Add the next page; gives the days that it completes. Raises AnalyticsError where pages contradict."""
        if self._axes not in (None, page.axes):
            raise drifted(self._asked.feed, "`categories` is another on a later page")
        self._axes = page.axes
        for start in page.starts:
            self._days.setdefault(start, [])
        for row in page.rows:
            self._add(row)
        yield from self._give(sorted(self._days)[:-1])

    def finish(self) -> Iterator[Reading]:
        """The last day, and all days without usage: there are no more pages."""
        window = range(self._asked.start, self._asked.end, self._asked.feed.width)
        yield from self._give([start for start in window if start not in self._given])

    def _add(self, row: Row) -> None:
        key, start, _ = row
        if key.axis is None:
            if (start, key.member) in self._members:
                raise drifted(self._asked.feed, "a member stands twice in one day")
            self._members.add((start, key.member))
        self._days[start].append(row)

    def _give(self, starts: list[int]) -> Iterator[Reading]:
        if not starts:
            return
        rows = tuple(row for start in starts for row in self._days.pop(start, []))
        self._given.update(starts)
        self._members = {known for known in self._members if known[0] in self._days}
        yield Reading(self._asked.feed, self._axes or (), tuple(starts), rows)
