"""Usage by an axis against its usual, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from usage_watch.core.units import number, percent, quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from usage_watch.core.stats.axes import Comparison, Newness


def by_share(comparison: Comparison, *, rising: bool) -> list[int]:
    """Its rows, those first that make most of the rise (or fall); none that is nothing and was nothing."""
    change = comparison.parts.change if rising else -comparison.parts.change
    return sorted(_there(comparison), key=lambda row: -float(change[row]))


def by_use(comparison: Comparison) -> list[int]:
    """Its rows, those first that used most; none that is nothing and was nothing."""
    return sorted(_there(comparison), key=lambda row: -float(comparison.parts.actual[row]))


def heads(comparison: Comparison, *, rising: bool) -> tuple[str, ...]:
    """Of the columns of `rows`."""
    return comparison.axis, "used", "usual", "change", f"of the {'rise' if rising else 'fall'}", ""


def rows(comparison: Comparison, order: Iterable[int], *, rising: bool) -> Iterator[tuple[str, ...]]:
    """Its rows in this order: name, used, usual, change, part of the rise (or fall), and whether it is new."""
    shares = comparison.parts.shares(rising)
    return ((*_cells(comparison, row), percent(float(shares[row])), _news(comparison, row)) for row in order)


def name(comparison: Comparison, row: int) -> str:
    """Of a row's category."""
    from usage_watch.core.why import UNATTRIBUTED

    return comparison.names[row] if row < len(comparison.names) else UNATTRIBUTED


def newness(comparison: Comparison, row: int) -> Newness | None:
    """Of a row's category; None for what is not new."""
    return comparison.newness[row] if row < len(comparison.newness) else None


def against_usual(used: float, usual: float, unit: str) -> str:
    """`12,345 credits, usually 7,600 (+62 %)`."""
    beside = f" ({_signed(used / usual - 1, percent)})" if usual > 0 else ""
    return f"{quantity(used, unit)}, usually {_whole(usual)}{beside}"


def _there(comparison: Comparison) -> Iterator[int]:
    parts = comparison.parts
    for row in range(len(parts.actual)):
        # The rest that no category accounts for is mostly what rounding leaves.
        if max(abs(parts.actual[row]), abs(parts.expected[row])) >= 0.5:
            yield row


def _cells(comparison: Comparison, row: int) -> tuple[str, str, str, str]:
    parts = comparison.parts
    used, usual, change = (float(each[row]) for each in (parts.actual, parts.expected, parts.change))
    return name(comparison, row), number(used), _whole(usual), _signed(change, _whole)


def _news(comparison: Comparison, row: int) -> str:
    found = newness(comparison, row)
    return "" if found is None else found.value


def _whole(value: float) -> str:
    """A mean of counts, as a count."""
    return number(round(value)) if abs(value) >= 1 else number(round(value, 1))


def _signed(value: float, said: Any) -> str:
    return f"+{said(value)}" if value > 0 else str(said(value))
