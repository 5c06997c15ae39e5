"""of: pool: what members use beyond their own allowance, added up member by member; sums of all of them hide it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np

from usage_watch.core.message import Fact
from usage_watch.core.periods import Periods, between
from usage_watch.core.selection import Choice, Selected, Selection, select
from usage_watch.core.series import DAY, FeedHistory, Floats, Ints
from usage_watch.core.units import from_epoch
from usage_watch.rules.common import FileDefaults, Problem

if TYPE_CHECKING:
    from usage_watch.rules.budget import BudgetRule

SOURCE, PAID = "Credit Source", "paid"
DATASET: Final = "credit_usage"

ESTIMATE: Final = Fact(
    "Estimate",
    "what each member's days show beyond the allowance in `seats`; who left before they were read is missing",
)


def problems(rule: BudgetRule) -> Iterator[Problem]:
    """What a pool cannot be narrowed by."""
    if rule.dataset != DATASET:
        yield Problem(("dataset",), f"has no pool: only {DATASET} has; leave it out")
    if rule.where:
        yield Problem(("where",), "has no meaning for a pool, which all members share: leave it out")
    if rule.for_each is not None:
        yield Problem(("for_each",), "has no meaning for a pool, which all members share: leave it out")
    if rule.bucket == "1h":
        yield Problem(("bucket",), "cannot be 1h for a pool: the source has members by day only; leave it out")
    if rule.rolling is not None:
        yield Problem(("period",), "cannot be rolling for a pool: allowances begin anew on a day; write cycle")


def drawn_on(history: FeedHistory, periods: Periods, defaults: FileDefaults) -> Selected:
    """What was drawn on the pool on each day, as one series without labels."""
    members = select(history, Selection(SOURCE, Choice((PAID,)), for_each="member"))
    drawn = np.zeros(len(history.starts), dtype=np.int64)
    if members and defaults.seats is not None:
        used = np.array([each.counts for each in members]).T
        allowed = np.array([defaults.seats.of(each.labels["member"]) for each in members])
        begin, end = int(history.starts[0]), int(history.starts[-1]) + DAY
        for span in between(periods, from_epoch(begin), from_epoch(end)):
            inside = slice(*np.searchsorted(history.starts, [span.start_at.timestamp(), span.end_at.timestamp()]))
            drawn[inside] = _drawn(used[inside], allowed)
    known = members[0].known if members else history.fetched
    return Selected({}, drawn, known, drawn)


def _drawn(used: Ints, allowed: Floats) -> Ints:
    """Of one period, day by day: shape (days, members) to (days,). Whole credits: what is drawn is never overstated."""
    beyond: Ints = np.maximum(np.cumsum(used, axis=0) - allowed, 0).sum(axis=1).astype(np.int64)
    drawn: Ints = np.diff(beyond, prepend=0)
    return drawn
