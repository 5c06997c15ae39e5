"""The UTC days of one period from whose ends it is forecast, and those before that say what is usual."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from usage_watch.core.series import DAY, Flags, Floats, Ints
from usage_watch.core.stats.ceiling import ceilings
from usage_watch.core.stats.forecast import EMBARGO, LEARNED, TOLD_FROM, Forecast, Rest, forecast
from usage_watch.core.stats.windows import trailing_sum
from usage_watch.rules.budget.books import Books, Page
from usage_watch.rules.budget.memo import digest, remembered

_THURSDAY = 3
"""The weekday of 1 January 1970, counted from Monday."""


def weekdays(days: Ints) -> Ints:
    """Of days since 1970: 0 for a Monday to 6."""
    return (days + _THURSDAY) % 7


def by_days(books: Books, buckets: slice) -> Floats:
    """What each series used on each day of these buckets, which are whole days. Shape (days, s)."""
    used = books.used[buckets]
    if books.width != DAY:
        used = used.reshape(-1, DAY // books.width, used.shape[1]).sum(axis=1)
    return used.astype(np.float64)


@dataclass(frozen=True)
class Days:
    """The f frontier days of a page: settled to their ends, which lie in its period. Others: the h days of history.

    Whole days only: hours of a period that begins or ends inside of one count as spent, and as what is left.
    """

    page: Page

    @cached_property
    def _numbers(self) -> Ints:
        """Days since 1970: up to the last frontier day. Shape (h,)."""
        books, span = self.page.books, self.page.span
        known = np.flatnonzero(books.known)
        if books.frontier is None or not len(known):
            return np.zeros(0, dtype=np.int64)
        begins = -(-int(books.starts[known[0]]) // DAY)
        until = min(int(span.end_at.timestamp()), books.frontier) // DAY
        return np.arange(max(begins, self._first - EMBARGO - LEARNED + 1), until, dtype=np.int64)

    @property
    def _first(self) -> int:
        """Day since 1970 that holds the period's first bucket."""
        width = self.page.books.width
        return int(-(-self.page.span.start_at.timestamp() // width)) * width // DAY

    @cached_property
    def _before(self) -> int:
        """How many days of history are no frontier days."""
        return int(np.searchsorted(self._numbers, self._first))

    @cached_property
    def _buckets(self) -> slice:
        """The books' buckets of the history."""
        ends = self._numbers[:1] * DAY, (self._numbers[-1:] + 1) * DAY
        begin, end = (int(np.searchsorted(self.page.books.starts, each)[0]) if len(each) else 0 for each in ends)
        return slice(begin, end)

    @property
    def starts(self) -> Ints:
        """Of the frontier days, epoch seconds. Shape (f,)."""
        return self._numbers[self._before :] * DAY

    @cached_property
    def _usage(self) -> Floats:
        """Shape (h, s)."""
        return by_days(self.page.books, self._buckets)

    @cached_property
    def _places(self) -> Ints:
        """The page's buckets that end with the frontier days. Shape (f,)."""
        return np.asarray(np.searchsorted(self.page.starts, self.starts + DAY) - 1)

    @cached_property
    def spent(self) -> Floats:
        """Of the period, up to the end of each frontier day. Shape (f, s)."""
        return self.page.spent[self._places].astype(np.float64)

    @cached_property
    def speaks(self) -> Flags:
        """From which frontier days one may be told: all of the period was read, and enough before. Shape (f,)."""
        per_day = DAY // self.page.books.width
        unread = np.asarray((~self.page.books.known[self._buckets]).reshape(-1, per_day).any(axis=1), dtype=np.int64)
        learned = trailing_sum(unread, EMBARGO + LEARNED)[self._before :]
        enough = np.arange(self._before, len(self._numbers)) + 1 >= TOLD_FROM
        return np.asarray((learned == 0) & (self.page.missing[self._places] == 0) & enough)

    def near(self, limits: Floats) -> Flags:
        """Where a limit may be reached by the period's end, for all that can be expected. Shape (f, s)."""
        return self.spent + ceilings(self._usage, self._before, self._left) >= limits

    @property
    def _end(self) -> int:
        return int(self.page.span.end_at.timestamp())

    @cached_property
    def _left(self) -> Ints:
        """Days that are left after each frontier day, a begun one too. Shape (f,)."""
        return -(-(self._end - self.starts - DAY) // DAY)

    def _learned(self, index: int, columns: Ints) -> tuple[Floats, Ints]:
        """What a forecast from the end of a frontier day rests on: days of these series, and their weekdays."""
        day = self._before + index
        learned = slice(max(0, day + 1 - EMBARGO - LEARNED), day + 1)
        return self._usage[learned][:, columns], weekdays(self._numbers[learned])

    def forecast(self, index: int, columns: Ints, limits: Floats) -> Forecast:
        """Of these series, from the end of a frontier day."""
        return forecast(*self._learned(index, columns), self.rest(index), self.spent[index, columns], limits)

    def numbers(self, names: tuple[str, ...], index: int, columns: Ints, limits: Floats) -> Floats:
        """Of that forecast these fields, which are known if they were asked before. Shape (names, columns)."""
        learned, rest, spent = self._learned(index, columns), self.rest(index), self.spent[index, columns]

        def made() -> Floats:
            found = forecast(*learned, rest, spent, limits)
            return np.array([getattr(found, name) for name in names])

        asked = (*learned, rest.weekdays, rest.shares, spent, limits)
        return remembered(digest((*(name.encode() for name in names), *asked)), made)

    def rest(self, index: int) -> Rest:
        """What is left after a frontier day; of a day that the end cuts, as much as its hours are of it."""
        numbers = int(self.starts[index]) // DAY + 1 + np.arange(int(self._left[index]), dtype=np.int64)
        shares = np.minimum(self._end / DAY - numbers, 1.0)
        return Rest(weekdays(numbers), shares)
