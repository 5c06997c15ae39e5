"""How a running period is expected to end: the forecast as of its last settled day, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from usage_watch.core.periods import Span
from usage_watch.core.series import DAY, Flags, Floats, Ints
from usage_watch.core.stats.forecast import SHOWN_FROM, Forecast, Rest, forecast
from usage_watch.rules.budget.books import Books, Page
from usage_watch.rules.budget.days import Days, by_days, weekdays

if TYPE_CHECKING:
    from usage_watch.rules.budget import BudgetRule

_WEEK = 7 * DAY


class Silent(StrEnum):
    """Why nothing is forecast."""

    ROLLING = "rolling"
    """The period has no end."""
    POOL = "pool"
    """What is drawn on a pool begins late in each cycle, and then grows: no level of days says how it goes on."""
    NO_LIMIT = "no_limit"
    """With a limit of 0 any use is over."""
    MISSING = "missing"
    """Days of the period, or of the weeks before it, were never read."""
    EARLY = "early"
    """No day of the period is settled."""
    YOUNG = "young"
    """History has too few settled days."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """A forecast of all series of a budget, and of which days."""

    settled: Forecast
    """From the end of the last settled day: what people are told by."""
    seen: Forecast
    """The same, and no less than was seen since; where that was far more than could be expected, from the end of the
    last day of which anything was seen."""
    starts: Ints
    """Of the days that are forecast: all after the last settled one. Epoch seconds, shape (rest,)."""

    def reached(self, row: int, column: int) -> int | None:
        """Start of the day on which a series reaches its limit by `seen` (a row of `Forecast.run_out`), epoch seconds.

        None where it does not in this period, or has already.
        """
        day = int(self.seen.run_out[row, column])
        return int(self.starts[day]) if 0 <= day < len(self.starts) else None


def settled_days(books: Books) -> int:
    """How many whole days from the first that was read on are settled."""
    begin, frontier = _days(books)
    return max(0, frontier - begin) // DAY


def lately(books: Books) -> Floats | None:
    """What each series used a day, in the last 7 settled days. Shape (s,); None where they are not all known."""
    begin, frontier = _days(books)
    if frontier - begin < _WEEK:
        return None
    usage = _whole_days(books, frontier - _WEEK, frontier)
    return None if usage is None else np.asarray(usage.mean(axis=0))


def outlook(rule: BudgetRule, books: Books, span: Span) -> Outlook | Silent:
    """How the running period is expected to end, of each series; where one's limit is 0, its numbers mean nothing."""
    if rule.of == "pool":
        return Silent.POOL
    if not (books.limits > 0).any():
        return Silent.NO_LIMIT
    if settled_days(books) < SHOWN_FROM:
        return Silent.YOUNG
    page = Page(books, span)
    days = Days(page)
    if not len(days.starts):
        return Silent.EARLY
    return _outlook(page, days)


def _outlook(page: Page, days: Days) -> Outlook | Silent:
    books, last = page.books, len(days.starts) - 1
    limits, frontier = np.where(books.limits > 0, books.limits, 1.0), int(days.starts[last]) + DAY
    settled = days.forecast(last, np.arange(len(limits)), limits)
    usage = _whole_days(books, frontier - settled.days * DAY, frontier)
    if usage is None or page.missing[np.searchsorted(page.starts, frontier) - 1]:
        return Silent.MISSING
    # Usage only grows: what was seen of the days since is the least that they hold.
    seen_until = -(-(int(books.starts[-1]) + books.width) // DAY) * DAY
    later, rest = (seen_until - frontier) // DAY, days.rest(last)
    of_week = weekdays(np.arange(frontier - settled.days * DAY, frontier, DAY) // DAY)
    spent = page.spent[-1].astype(np.float64)
    seen = forecast(usage, of_week, Rest(rest.weekdays[later:], rest.shares[later:]), spent, limits)
    surprised = (seen.median > settled.high) | (spent > settled.median)
    either = _beyond(spent, limits, _where(surprised, _begun(seen, later), settled))
    return Outlook(settled, either, frontier + DAY * np.arange(len(rest.shares)))


def _beyond(spent: Floats, limits: Floats, found: Forecast) -> Forecast:
    """The same, nowhere below what was seen to be spent already."""
    reached = spent >= limits
    return replace(
        found,
        low=np.maximum(found.low, spent),
        over=np.where(reached, 1.0, found.over),
        run_out=np.where(reached, -1, found.run_out),
    )


def _begun(found: Forecast, later: int) -> Forecast:
    """The same of days that are counted from so many before."""
    return replace(found, run_out=np.where(found.run_out < 0, -1, found.run_out + later))


def _where(chosen: Flags, one: Forecast, other: Forecast) -> Forecast:
    """Of each series the one or the other."""
    return replace(
        other,
        median=np.where(chosen, one.median, other.median),
        low=np.where(chosen, one.low, other.low),
        high=np.where(chosen, one.high, other.high),
        over=np.where(chosen, one.over, other.over),
        run_out=np.where(chosen, one.run_out, other.run_out),
    )


def _days(books: Books) -> tuple[int, int]:
    """Start of the first whole day that was read, and end of the last that is settled; epoch seconds."""
    known = np.flatnonzero(books.known)
    if books.frontier is None or not len(known):
        return 0, 0
    return -(-int(books.starts[known[0]]) // DAY) * DAY, books.frontier // DAY * DAY


def _whole_days(books: Books, begin: int, end: int) -> Floats | None:
    """What each series used on each of these days, shape (days, s); None where some of it was never read."""
    inside = slice(*np.searchsorted(books.starts, [begin, end]))
    return by_days(books, inside) if books.known[inside].all() else None
