"""`usage-watch budget`: each budget in its running period, and what was told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from usage_watch.cli.common.printing import print_json
from usage_watch.cli.common.session import Command, Session, json_option, pass_session
from usage_watch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from usage_watch.config import Config
    from usage_watch.rules.budget import BudgetRule


@click.command(cls=Command)
@click.argument("id", required=False)
@click.option("--check", is_flag=True, help="End with 1 where something unacknowledged of warning or above is open.")
@json_option
@pass_session
def budget(session: Session, id: str | None, as_data: bool, check: bool) -> int:
    """Say of each budget what is spent, and whether it will last.

    ID is a budget's rule id; without it all enabled ones are told of. The mark in a bar is where an even pace would be.
    """
    from usage_watch.cli.budgets.data import budget_json
    from usage_watch.cli.budgets.words import print_budget
    from usage_watch.clock import open_clock
    from usage_watch.views.budgets.reading import budgets
    from usage_watch.views.incidents import is_open
    from usage_watch.views.orders import serious, words_of
    from usage_watch.views.times import Reader

    config, now = session.config(), open_clock().now()
    rules = _chosen(config, id)
    with session.reading(config) as database:
        found = budgets(config, database, rules, now)
        words = words_of(config, database, [each for every in found for each in every.incidents], now)
    if as_data:
        print_json([budget_json(each, words, config.list_price, now) for each in found])
    else:
        reader = Reader(config.timezone, now)
        for place, each in enumerate(found):
            if place:
                click.echo()
            print_budget(each, words, config.list_price, reader)
        if not found:
            click.echo("No budget is enabled; `usage-watch init` writes a first one.")
    stands = (each for every in found for each in every.incidents if is_open(each))
    return 1 if check and serious(stands, words) else 0


def _chosen(config: Config, id: str | None) -> Sequence[BudgetRule]:
    """The enabled budgets, or the one that was asked for; UsageError where there is none of that id."""
    from usage_watch.views.budgets.reading import enabled_budgets

    every = enabled_budgets(config)
    if id is None:
        return every
    chosen = [rule for rule in every if rule.id == id]
    if not chosen:
        raise UsageError(_no_such(config, id, [rule.id for rule in every]))
    return chosen


def _no_such(config: Config, id: str, known: Sequence[str]) -> str:
    from usage_watch.core.plain import plain

    rule = next((rule for rule in config.rules if rule.id == id), None)
    if rule is not None and rule.kind == "budget":
        return f"The budget {id} is disabled; write `enabled: yes` in the rules file."
    there = (
        f"budgets are {', '.join(known[:10])}{', …' if len(known) > 10 else ''}" if known else "no budget is enabled"
    )
    if rule is not None:
        return f"The rule {id} is of kind {rule.kind}, not budget; {there}."
    return f"There is no budget {plain(id, 80)!r}; {there}."
