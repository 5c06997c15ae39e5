"""`usage-watch status`: how fresh the data is, how budgets stand, what is open, what waits to be delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from usage_watch.cli.common.incidents import incident_json, print_open
from usage_watch.cli.common.mutes import print_mutes
from usage_watch.cli.common.printing import print_json, print_table
from usage_watch.cli.common.session import Command, Session, json_option, pass_session
from usage_watch.cli.common.silences import print_silences, silence_json
from usage_watch.cli.freshness import print_freshness, print_lateness
from usage_watch.views.deliveries import troubles

if TYPE_CHECKING:
    from datetime import datetime

    from usage_watch.views.standing import Standing
    from usage_watch.views.times import Reader

_SHOWN = 20
"""Open alerts that are listed; the rest are counted."""


@click.command(cls=Command)
@click.option("--check", is_flag=True, help="End with 1 where something unacknowledged of warning or above is open.")
@json_option
@pass_session
def status(session: Session, as_data: bool, check: bool) -> int:
    """Say how fresh the data is, how budgets stand, what is open and what waits."""
    from usage_watch.clock import open_clock
    from usage_watch.views.standing import standing
    from usage_watch.views.times import Reader

    config, now = session.config(), open_clock().now()
    with session.reading(config) as database:
        found = standing(config, database, now)
    if as_data:
        print_json(_data(found, now))
    else:
        _print(found, Reader(config.timezone, now))
    return 1 if check and found.serious else 0


def _data(found: Standing, now: datetime) -> dict[str, Any]:
    from usage_watch.cli.budgets.data import budget_brief

    return {
        "feeds": found.feeds,
        "budgets": [budget_brief(each, now) for each in found.budgets],
        "open": [incident_json(each, found.words[each.id]) for each in found.open],
        "silences": [silence_json(each, found.open, now) for each in found.silences],
        "mutes": found.mutes,
        "outbox": found.outbox,
        "channels": found.channels,
    }


def _print(found: Standing, reader: Reader) -> None:
    from usage_watch.cli.budgets.lines import print_budgets

    click.echo(f"Data (times in {reader.zone.key})")
    print_freshness(found.feeds, reader)
    if any(feed.polled_at for feed in found.feeds):
        click.echo("\nHow late the source is")
        print_lateness(found.feeds)
    if found.budgets:
        click.echo("\nBudgets: usage-watch budget")
        print_budgets(found.budgets, reader)
    click.echo(f"\nOpen: {found.summed()}")
    if found.open:
        print_open(found.open[:_SHOWN], found.words, reader)
        if len(found.open) > _SHOWN:
            click.echo(f"and {len(found.open) - _SHOWN:,} more: usage-watch alerts")
        click.echo("Why: usage-watch alerts show ID")
    if found.silences:
        click.echo("\nSilences in force")
        print_silences(found.silences, found.open, reader)
    if found.mutes:
        click.echo("\nMutes in force")
        print_mutes(found.mutes, reader)
    _print_deliveries(found, reader)


def _print_deliveries(found: Standing, reader: Reader) -> None:
    rows = list(troubles(found.outbox, found.channels, reader))
    click.echo("\nMessages not delivered" + ("" if rows else ": none"))
    if rows:
        print_table(("channel", "messages", "state"), rows, "")
