"""The numbers and days of budgets, as people read them."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from usage_watch.core.money import CREDITS, Price
from usage_watch.core.periods import midnight
from usage_watch.core.units import number, span
from usage_watch.rules.budget.words import chance
from usage_watch.views.budgets.state import Budget, Line
from usage_watch.views.times import Reader

_DAY = timedelta(days=1)


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


def shortly(budget: Budget, line: Line, reader: Reader) -> str:
    """`41,000, over: 97 %`: at the period's end, and how likely the limit is reached."""
    if budget.begins_at is not None:
        return f"begins {day_of(budget.begins_at, budget, reader)}"
    if line.over:
        return "over"
    if line.ahead is None:
        rest = 0 if budget.unattributed is None else budget.unattributed.rest
        return f"up to {rough(rest)} more" if rest else "no forecast"
    return f"{rough(line.ahead.median)}, over: {chance(line.ahead.over)}"
