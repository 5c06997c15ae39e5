"""What several parts of a budget say alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from usage_watch.core.message import Fact
from usage_watch.core.periods import Span
from usage_watch.core.units import day_time, from_epoch, local_time, number, percent, quantity, spell_duration

if TYPE_CHECKING:
    from usage_watch.rules.budget.books import Page


def spent_of(value: float, limit: float, unit: str, within: str = "") -> str:
    """`4,100 of 60,000 credits spent (6.8 %)`; `within`: ` in 30 d`, where the period does not say that."""
    share = f" ({percent(value / limit)})" if limit else ""
    return f"{number(value)} of {quantity(limit, unit)} spent{within}{share}"


def chance(probability: float) -> str:
    """Nothing is certain before it has happened: `<1 %`, `97 %`, `>99 %`."""
    if probability < 0.01:
        return "<1 %"
    return ">99 %" if probability > 0.99 else percent(round(probability, 2))


def report(page: Page, column: int, unit: str, foreseen: str = "") -> str:
    """How a period ended for a series, once nothing of it will change any more; `foreseen`: one clause more."""
    least = "at least " if page.missing[-1:].any() else ""
    value = float(page.spent[-1:, column].sum())
    return f"The period is over: {least}{spent_of(value, float(page.books.limits[column]), unit)}{foreseen}."


@lru_cache(maxsize=1000)  # said of each of thousands of members
def in_period(span: Span, until_at: datetime, zone: ZoneInfo) -> Fact:
    """From when to when it is, and how much of it was over at `until_at`."""
    passed = (until_at - span.start_at) / (span.end_at - span.start_at)
    first, last = (day_time(at, zone, until_at) for at in (span.start_at, span.end_at))
    return Fact("Period", f"{first} to {last} ({zone.key}), {percent(passed)} of it over")


def known_since(first: int, width: int, start_at: datetime, until_at: datetime, zone: ZoneInfo) -> Iterator[Fact]:
    """That history begins inside of what is summed, where it does. `first`: epoch seconds of the first bucket in it."""
    # In half-hour zones the first bucket begins after the period, within its own width.
    if first >= start_at.timestamp() + width:
        since = local_time(from_epoch(first), zone, until_at)
        yield Fact("Known", f"since {since} only: history begins inside the period, so more was spent")


def nothing_read(begun: bool) -> Iterator[Fact]:
    """That nothing of what is summed was read yet, though its time has begun: no 0 that anybody may rely on."""
    if begun:
        yield Fact("Not read", "nothing of this period is read yet, so more may be spent")


def not_read(missing: int, width: int) -> Iterator[Fact]:
    """That some of what is summed was never read, where that is so."""
    if missing:
        yield Fact("Not read", f"{spell_duration(timedelta(seconds=missing * width))} of it, so more may be spent")
