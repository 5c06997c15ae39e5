"""`usage-watch check`: is the rules file right, and what will it ask and when."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from usage_watch.cli.session import Session, pass_session, print_json, print_table
from usage_watch.errors import MachineError

if TYPE_CHECKING:
    from usage_watch.config import Config


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--online", is_flag=True, help="Also ask the source one question with the key.")
@click.option("--json", "as_data", is_flag=True, help="Print data for programs.")
@pass_session
def check(session: Session, file: Path | None, online: bool, as_data: bool) -> None:
    """Check a rules file: every fault at its line and column, then what it will ask and when its periods start."""
    from usage_watch.clock import open_clock
    from usage_watch.config import load

    path = file or session.config_path
    config, now = load(path), open_clock().now()
    found = {"warnings": _warnings(config), "feeds": _feeds(config), "periods": _periods(config, now)}
    if online:
        _ask(config, now)
    if as_data:
        print_json({"file": str(path), "rules": len(config.rules), **found})
        return
    for warning in found["warnings"]:
        click.echo(f"{path}:{warning['line']}:{warning['column']}: warning: {warning['message']}")
    click.echo(f"{path} is right: {_count(len(config.rules), 'rule')}, {_count(len(config.channels), 'channel')}.\n")
    print_table(
        ("asks for", "requests"), [(each["feed"], each["requests"]) for each in found["feeds"]], "Asks nothing."
    )
    if found["periods"]:
        click.echo()
        print_table(
            ("budget", "next periods start"), [(each["rule"], ", ".join(each["said"])) for each in found["periods"]], ""
        )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _warnings(config: Config) -> list[dict[str, Any]]:
    """What is right but perhaps not meant; with history at hand, also values that it has never seen."""
    from usage_watch.config import warnings
    from usage_watch.core.selection import MEMBER
    from usage_watch.store.database import open_for_reading
    from usage_watch.store.history import HistoryStore

    seen: dict[tuple[str, str], set[str]] = {}
    with suppress(MachineError), open_for_reading(Path(config.store.path)) as database:
        history = HistoryStore(database)
        for dataset in {rule.dataset for rule in config.rules}:
            axes = {**history.categories(dataset), MEMBER: history.members()}
            seen |= {(dataset, axis): values for axis, values in axes.items()}
    found = warnings(config, os.environ, seen)
    return [{"line": each.line, "column": each.column, "message": each.message} for each in found]


def _feeds(config: Config) -> list[dict[str, Any]]:
    from usage_watch.core.series import EACH_MEMBER
    from usage_watch.core.units import format_duration
    from usage_watch.source.sync import poll_every_of, requests_per_poll

    feeds = []
    for feed in config.feeds():
        every = format_duration(poll_every_of(feed, config.source.poll_every))
        by_member = feed.scope == EACH_MEMBER
        said = f"one per 100 members and day, every {every}" if by_member else f"1 every {every}"
        cost = None if by_member else requests_per_poll(feed, 0)
        feeds.append({"feed": str(feed), "every": every, "requests": said, "requests_per_poll": cost})
    return feeds


def _periods(config: Config, now: datetime) -> list[dict[str, Any]]:
    from usage_watch.rules.budget import BudgetRule

    return [
        {"rule": rule.id, "starts": starts, "said": [f"{at:%a %-d %b %Y %H:%M} {at.tzname()}" for at in starts]}
        for rule in config.rules
        if isinstance(rule, BudgetRule)
        for starts in [list(_starts(rule, config, now))]
    ]


def _starts(rule: Any, config: Config, now: datetime) -> Iterator[datetime]:
    from usage_watch.core.periods import upcoming

    periods = rule.periods(config.defaults)
    for start in upcoming(periods, now, 3):
        yield start.astimezone(periods.zone)


def _ask(config: Config, now: datetime) -> None:
    """One real request; AnalyticsError or SecretError say what is wrong."""
    from usage_watch.cycle import open_client

    feed = config.feeds()[0]
    with open_client(config, os.environ) as client:
        for _ in client.fetch(feed, now - timedelta(seconds=3 * feed.width), now, now):
            break
