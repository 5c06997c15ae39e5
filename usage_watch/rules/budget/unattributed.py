"""What of the paid credits is no member's: who left before their days were read, and keys that are nobody's.

A pool is reckoned from members alone, so that this may have been drawn on it too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from usage_watch.core.periods import Span
from usage_watch.core.selection import Choice, Selected, Selection, select
from usage_watch.core.series import DAY, FeedHistory, Flags, Ints
from usage_watch.core.stats.days import in_days
from usage_watch.core.units import from_epoch
from usage_watch.rules.budget.pool import PAID, SOURCE


@dataclass(frozen=True, slots=True)
class Unattributed:
    """The paid credits of a period's days that are settled, and how many of them are no member's."""

    paid: int
    """By everyone."""
    rest: int
    """Of those, what no member's days hold; never below 0."""
    until_at: datetime
    """End of the last of these days."""


def unattributed(members: FeedHistory, everyone: FeedHistory, span: Span) -> Unattributed | None:
    """The rest in a period, by member days and by everyone's days or hours; None where no day of both is settled."""
    whole = everyone if everyone.feed.width == DAY else in_days(everyone)
    (of_members, told), (of_all, known) = _paid(members, span), _paid(whole, span)
    days = np.intersect1d(told, known)
    if not len(days):
        return None
    paid, theirs = (int(each[np.isin(starts, days)].sum()) for each, starts in ((of_all, known), (of_members, told)))
    return Unattributed(paid, max(paid - theirs, 0), from_epoch(int(days[-1]) + DAY))


def _paid(history: FeedHistory, span: Span) -> tuple[Ints, Ints]:
    """Counts and starts of the settled days of a period."""
    [found] = select(history, Selection(SOURCE, Choice((PAID,))))
    inside = _inside(history, found, span)
    return found.counts[inside], history.starts[inside]


def _inside(history: FeedHistory, found: Selected, span: Span) -> Flags:
    begun = (history.starts >= span.start_at.timestamp()) & (history.starts < span.end_at.timestamp())
    return np.asarray(begun & history.settled & found.known)
