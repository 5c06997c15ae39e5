"""Usage by an axis against its usual, as a table and as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from usage_watch.cli.common.printing import print_table
from usage_watch.views.comparing import heads, name, newness, rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from usage_watch.core.stats.axes import Comparison


def print_comparison(comparison: Comparison, order: Sequence[int], shown: int, *, rising: bool) -> None:
    """The first rows of an axis in this order, and how many there are more."""
    print_table(heads(comparison, rising=rising), rows(comparison, order[:shown], rising=rising), "")
    if len(order) > shown:
        click.echo(f"and {len(order) - shown:,} more")


def comparison_json(comparison: Comparison, order: Sequence[int], *, rising: bool) -> dict[str, Any]:
    """For programs: its rows in this order."""
    parts, shares = comparison.parts, comparison.parts.shares(rising)
    return {
        "axis": comparison.axis,
        "rows": [
            {
                "category": name(comparison, row),
                "used": float(parts.actual[row]),
                "usual": round(float(parts.expected[row]), 1),
                "change": round(float(parts.change[row]), 1),
                "share": round(float(shares[row]), 4),
                "newness": newness(comparison, row),
            }
            for row in order
        ],
    }


def times_json(from_at: datetime, until_at: datetime) -> dict[str, datetime]:
    """From when to when something was compared, for programs."""
    return {"from": from_at, "until": until_at}
