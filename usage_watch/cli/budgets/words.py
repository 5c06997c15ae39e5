"""One budget in full."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from usage_watch.cli.budgets.lines import drawn, print_lines
from usage_watch.cli.common import layout
from usage_watch.cli.common.printing import print_facts, width
from usage_watch.core.plain import plain
from usage_watch.core.units import percent
from usage_watch.views.budgets.facts import alerts, facts

if TYPE_CHECKING:
    from usage_watch.core.money import Price
    from usage_watch.views.budgets.state import Budget
    from usage_watch.views.orders import Words
    from usage_watch.views.times import Reader

_CELLS = 40
"""Of a bar."""
_LONGEST = 200
"""Characters of a title."""


def print_budget(budget: Budget, words: Words, price: Price | None, reader: Reader) -> None:
    """One budget: its one series in full, or the sum of all and the largest."""
    rule = budget.rule
    title = plain(f"{rule.id}: {rule.title}" if rule.title else rule.id, _LONGEST)
    for each in layout.wrapped(title, width() or _LONGEST):
        click.echo(each)
    alone = budget.alone
    if alone is not None:
        click.echo(f"{drawn(budget, alone, _CELLS, reader.now)} {percent(alone.share)}")
    found, told = list(facts(budget, price, reader)), list(alerts(budget, words, reader))
    if alone is not None:
        print_facts(found + told)
        return
    print_facts(found)
    if budget.lines:
        click.echo()
        print_lines(budget)
    if told:
        click.echo()
        print_facts(told)
