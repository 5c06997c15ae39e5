"""Usage by an axis against its usual, as a table and as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from usage_watch.cli.common.printing import print_table
from usage_watch.core.units import number, percent, quantity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from usage_watch.core.stats.axes import Comparison, Newness


def print_comparison(comparison: Comparison, order: Sequence[int], shown: int, *, rising: bool) -> None:
    """The first rows of an axis in this order, and how many there are more."""
    shares = comparison.parts.shares(rising)
    rows = [(*_cells(comparison, row), percent(float(shares[row])), _news(comparison, row)) for row in order[:shown]]
    heads = (comparison.axis, "used", "usual", "change", f"of the {'rise' if rising else 'fall'}", "")
    print_table(heads, rows, "")
    if len(order) > shown:
        click.echo(f"and {len(order) - shown:,} more")


def by_share(comparison: Comparison, *, rising: bool) -> list[int]:
    """Its rows, those first that make most of the rise (or fall); none that is nothing and was nothing."""
    change = comparison.parts.change if rising else -comparison.parts.change
    return sorted(_there(comparison), key=lambda row: -float(change[row]))


def by_use(comparison: Comparison) -> list[int]:
    """Its rows, those first that used most; none that is nothing and was nothing."""
    return sorted(_there(comparison), key=lambda row: -float(comparison.parts.actual[row]))


def comparison_json(comparison: Comparison, order: Sequence[int], *, rising: bool) -> dict[str, Any]:
    """For programs: its rows in this order."""
    parts, shares = comparison.parts, comparison.parts.shares(rising)
    return {
        "axis": comparison.axis,
        "rows": [
            {
                "category": _name(comparison, row),
                "used": float(parts.actual[row]),
                "usual": round(float(parts.expected[row]), 1),
                "change": round(float(parts.change[row]), 1),
                "share": round(float(shares[row]), 4),
                "newness": _newness(comparison, row),
            }
            for row in order
        ],
    }


def against_usual(used: float, usual: float, unit: str) -> str:
    """`12,345 credits, usually 7,600 (+62 %)`."""
    beside = f" ({_signed(used / usual - 1, percent)})" if usual > 0 else ""
    return f"{quantity(used, unit)}, usually {_whole(usual)}{beside}"


def times_json(from_at: datetime, until_at: datetime) -> dict[str, datetime]:
    """From when to when something was compared, for programs."""
    return {"from": from_at, "until": until_at}


def _there(comparison: Comparison) -> Iterator[int]:
    parts = comparison.parts
    for row in range(len(parts.actual)):
        # The rest that no category accounts for is mostly what rounding leaves.
        if max(abs(parts.actual[row]), abs(parts.expected[row])) >= 0.5:
            yield row


def _cells(comparison: Comparison, row: int) -> tuple[str, str, str, str]:
    parts = comparison.parts
    used, usual, change = (float(each[row]) for each in (parts.actual, parts.expected, parts.change))
    return _name(comparison, row), number(used), _whole(usual), _signed(change, _whole)


def _name(comparison: Comparison, row: int) -> str:
    from usage_watch.core.why import UNATTRIBUTED

    return comparison.names[row] if row < len(comparison.names) else UNATTRIBUTED


def _newness(comparison: Comparison, row: int) -> Newness | None:
    return comparison.newness[row] if row < len(comparison.newness) else None


def _news(comparison: Comparison, row: int) -> str:
    found = _newness(comparison, row)
    return "" if found is None else found.value


def _whole(value: float) -> str:
    """A mean of counts, as a count."""
    return number(round(value)) if abs(value) >= 1 else number(round(value, 1))


def _signed(value: float, said: Any) -> str:
    return f"+{said(value)}" if value > 0 else str(said(value))
