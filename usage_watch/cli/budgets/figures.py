"""The numbers and days of budgets, as people read them."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from usage_watch.cli.common.bars import bar
from usage_watch.core.money import CREDITS
from usage_watch.core.periods import midnight
from usage_watch.core.units import number, span

if TYPE_CHECKING:
    from usage_watch.cli.budgets.state import Budget, Line
    from usage_watch.cli.common.times import Reader
    from usage_watch.core.money import Price

_DAY = timedelta(days=1)


def drawn(budget: Budget, line: Line, cells: int, now: datetime) -> str:
    """A bar of the limit, with a mark at the even pace."""
    return bar(line.share, budget.passed(now), cells)


def spent_in_all(budget: Budget) -> float:
    """By all of its series."""
    return sum(line.spent for line in budget.lines)


def how_many_over(budget: Budget) -> str:
    """`3 of 412`."""
    return f"{sum(line.over for line in budget.lines):,} of {len(budget.lines):,}"


def at_least(budget: Budget, text: str, mark: str) -> str:
    """The text after a mark, where more may be spent."""
    return f"{mark}{text}" if budget.doubts else text


def priced(budget: Budget, sentence: str, price: Price | None) -> str:
    """With the amount after the credits that it begins with."""
    return sentence if price is None or budget.rule.unit != CREDITS else price.beside(sentence)


def rough(value: float) -> str:
    """What is only expected has three digits."""
    return number(float(f"{value:.3g}"))


def floored(pace: float) -> float:
    """A pace that is kept stays inside: never rounded up."""
    digits = max(0, math.floor(math.log10(pace)) - 2) if pace >= 1 else 0
    return math.floor(pace / 10**digits) * 10**digits if pace >= 1 else pace


def day_of(at: datetime, budget: Budget, reader: Reader) -> str:
    """`Thu 26 Nov`, in the zone of the period."""
    day = at.astimezone(budget.zone).date()
    return span(midnight(day, budget.zone), midnight(day + _DAY, budget.zone), budget.zone, reader.now)
