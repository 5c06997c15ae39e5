"""Many in a line each, with a bar: the budgets, or the series of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from usage_watch.cli.common import layout
from usage_watch.cli.common.bars import bar
from usage_watch.cli.common.printing import print_table, width
from usage_watch.core.plain import plain
from usage_watch.core.units import number, percent
from usage_watch.rules.budget.words import chance
from usage_watch.views.budgets.figures import at_least, how_many_over, rough, shortly, spent_in_all
from usage_watch.views.incidents import is_open

if TYPE_CHECKING:
    from datetime import datetime

    from usage_watch.core.incident import Incident
    from usage_watch.views.budgets.state import Budget, Line
    from usage_watch.views.times import Reader

_CELLS = 10
"""Of a bar."""
_SHOWN = 10
"""Series of a budget; the rest are counted."""
_BESIDE = 56
"""Columns of the table of series, without their names."""
_NARROWEST, _LONGEST = 16, 200
"""Columns and characters of a name."""


def drawn(budget: Budget, line: Line, cells: int, now: datetime) -> str:
    """A bar of the limit, with a mark at the even pace."""
    return bar(line.share, budget.passed(now), cells)


def print_budgets(budgets: Sequence[Budget], reader: Reader) -> None:
    """A line a budget."""
    heads = ("budget", "", "used", "spent", "of", "expected")
    print_table(heads, (_row(each, reader) for each in budgets), "")


def _row(budget: Budget, reader: Reader) -> tuple[str, ...]:
    """Of several series the largest share, what all of them spent, and how many are over."""
    if not budget.lines:
        return budget.rule.id, "", "", "", "", "nothing is known yet"
    top = budget.lines[0]
    spent, limit, expected = top.spent, number(top.limit), shortly(budget, top, reader)
    if budget.rule.for_each is not None:
        spent, limit, expected = spent_in_all(budget), "each", f"{how_many_over(budget)} over"
    picture = drawn(budget, top, _CELLS, reader.now)
    return budget.rule.id, picture, percent(top.share), at_least(budget, number(spent), "≥ "), limit, expected


def print_lines(budget: Budget) -> None:
    """The series of one, the largest share of the limit first."""
    open_ones = {tuple(each.labels.items()): each for each in reversed(budget.incidents) if is_open(each)}
    rows = [_cells(budget, line, open_ones.get(tuple(line.labels.items()))) for line in budget.lines[:_SHOWN]]
    print_table((budget.rule.for_each or "", "used", "spent", "of", "expected", "over", "open"), rows, "")
    if len(budget.lines) > _SHOWN:
        click.echo(f"and {len(budget.lines) - _SHOWN:,} more: usage-watch budget {budget.rule.id} --json")


def _cells(budget: Budget, line: Line, stands: Incident | None) -> tuple[str, ...]:
    columns, ahead = width(), line.ahead
    name = plain(" ".join(line.labels.values()), _LONGEST)
    return (
        name if columns is None else layout.cut(name, max(_NARROWEST, columns - _BESIDE)),
        percent(line.share),
        at_least(budget, number(line.spent), "≥ "),
        number(line.limit),
        "" if ahead is None else rough(ahead.median),
        "reached" if line.over else "" if ahead is None else chance(ahead.over),
        "" if stands is None else stands.severity,
    )
