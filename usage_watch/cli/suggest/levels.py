"""Round numbers, and which of them would have fired seldom enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import floor, log10

from usage_watch.cli.frequency.counting import MONTH, Counted

_STEPS = (10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 25, 28, 30, 32, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 95)
LEAST = 10
"""A lower limit is not worth a message."""


def up_from(number: float) -> Iterator[int]:
    """Numbers of two digits that count, from the first on that is not below `number`; at least 10."""
    power = max(0, floor(log10(max(number, 1))) - 1)
    while True:
        yield from (step * 10**power for step in _STEPS if step * 10**power >= number)
        power += 1


def down_from(number: float) -> Iterator[int]:
    """The same downward, from the first on that is not above."""
    for power in range(max(0, floor(log10(max(number, 1)))), -1, -1):
        yield from (step * 10**power for step in reversed(_STEPS) if step * 10**power <= number)


def seldom(counted: Counted, a_month: float) -> bool:
    """Whether it fired at most so often a month, and once however short it was judged."""
    return len(counted.firings) <= max(1.0, a_month * counted.days / MONTH.days)


def lowest(highest: float, count: Callable[[int], Counted], a_month: float) -> tuple[int, Counted]:
    """The lowest limit, coming down from what stands above `highest`, that fires so seldom, and how often."""
    first = next(up_from(highest))
    best = first, count(first)
    for limit in down_from(first - 1):
        found = count(limit)
        if not seldom(found, a_month):
            break
        best = limit, found
    return best


def first_of(start: float, count: Callable[[int], Counted], a_month: float) -> tuple[int, Counted]:
    """The first limit from `start` on, going up, that fires so seldom, and how often."""
    return next((limit, found) for limit in up_from(start) if seldom(found := count(limit), a_month))
