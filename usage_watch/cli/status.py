"""`usage-watch status`: how fresh the data is, how budgets stand, what is open, what waits to be delivered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from usage_watch.cli.common.incidents import in_words, incident_json, is_open, print_open, urgent
from usage_watch.cli.common.mutes import MutedTime, muted_times, print_mutes
from usage_watch.cli.common.orders import Words, serious, words_of
from usage_watch.cli.common.printing import print_json
from usage_watch.cli.common.session import Command, Session, json_option, pass_session
from usage_watch.cli.common.silences import print_silences, silence_json
from usage_watch.cli.deliveries import Pending, print_deliveries, undelivered
from usage_watch.cli.freshness import Freshness, fresh, print_freshness, print_lateness

if TYPE_CHECKING:
    from usage_watch.cli.budgets.state import Budget
    from usage_watch.cli.common.times import Reader
    from usage_watch.config import Config
    from usage_watch.core.incident import Incident
    from usage_watch.core.silence import Silence
    from usage_watch.core.targetstate import TargetState
    from usage_watch.store.database import Database

_SHOWN = 20
"""Open alerts that are listed; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Status:
    """All that is told."""

    feeds: Sequence[Freshness]
    budgets: Sequence[Budget]
    open: Sequence[Incident]
    words: Words
    """What people said of what is open."""
    silences: Sequence[Silence]
    """Those in force."""
    mutes: Sequence[MutedTime]
    """Those of the rules file that are in force."""
    outbox: Pending
    """By channel and state, how many messages wait, or were given up in the last week."""
    channels: Sequence[TargetState]
    """How it goes with each."""

    @property
    def serious(self) -> bool:
        """Whether something of warning or above is open that nobody has acknowledged."""
        return serious(self.open, self.words)


@click.command(cls=Command)
@click.option("--check", is_flag=True, help="End with 1 where something unacknowledged of warning or above is open.")
@json_option
@pass_session
def status(session: Session, as_data: bool, check: bool) -> int:
    """Say how fresh the data is, how budgets stand, what is open and what waits."""
    from usage_watch.cli.common.times import Reader
    from usage_watch.clock import open_clock

    config, now = session.config(), open_clock().now()
    with session.reading(config) as database:
        found = _status(config, database, now)
    if as_data:
        print_json(_data(found, now))
    else:
        _print(found, Reader(config.timezone, now))
    return 1 if check and found.serious else 0


def _status(config: Config, database: Database, now: datetime) -> Status:
    from usage_watch.cli.budgets.reading import budgets, enabled_budgets
    from usage_watch.store.alerts import AlertStore
    from usage_watch.store.silences import SilenceStore

    pending, channels = undelivered(database, now)
    incidents = urgent(incident for incident in AlertStore(database).incidents(now) if is_open(incident))
    return Status(
        feeds=fresh(config, database, now),
        budgets=budgets(config, database, enabled_budgets(config), now),
        open=in_words(incidents, config, now),
        words=words_of(config, database, incidents, now),
        mutes=[each for each in muted_times(config, now) if each.in_force],
        silences=[silence for silence in SilenceStore(database).all(now) if silence.in_force(now)],
        outbox=pending,
        channels=channels,
    )


def _data(found: Status, now: datetime) -> dict[str, Any]:
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


def _print(found: Status, reader: Reader) -> None:
    from usage_watch.cli.budgets.lines import print_budgets

    click.echo(f"Data (times in {reader.zone.key})")
    print_freshness(found.feeds, reader)
    if any(feed.polled_at for feed in found.feeds):
        click.echo("\nHow late the source is")
        print_lateness(found.feeds)
    if found.budgets:
        click.echo("\nBudgets: usage-watch budget")
        print_budgets(found.budgets, reader)
    click.echo(f"\nOpen: {_summed(found)}")
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
    print_deliveries(found.outbox, found.channels, reader)


def _summed(found: Status) -> str:
    """`1 critical, 11 warning; 2 acknowledged`; in words where there is none."""
    severities = [incident.severity for incident in found.open]
    known = sum(word.known for word in found.words.values())
    summed = ", ".join(f"{severities.count(each):,} {each}" for each in dict.fromkeys(severities)) or "nothing"
    return f"{summed}; {known:,} acknowledged" if known else summed
