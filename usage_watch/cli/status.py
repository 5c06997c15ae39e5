"""`usage-watch status`: how fresh the data is, what is open, what waits to be delivered."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from usage_watch.cli.alerts import as_json, row_of
from usage_watch.cli.session import Session, pass_session, print_json, print_table

if TYPE_CHECKING:
    from usage_watch.core.feedstate import FeedState
    from usage_watch.core.incident import Incident


@click.command()
@click.option("--json", "as_data", is_flag=True, help="Print data for programs.")
@click.option("--check", is_flag=True, help="End with 1 where something of warning or above is open.")
@pass_session
def status(session: Session, as_data: bool, check: bool) -> int:
    """Say how fresh the data is, what is open, and what waits to be delivered."""
    from usage_watch.clock import open_clock
    from usage_watch.core.message import Severity
    from usage_watch.store.alerts import AlertStore
    from usage_watch.store.history import HistoryStore
    from usage_watch.store.outbox import Outbox

    config, now = session.config(), open_clock().now()
    with session.reading(config) as database:
        feeds = HistoryStore(database).feed_states()
        found = [incident for incident in AlertStore(database).incidents(now) if incident.open]
        pending = {
            target: {str(state): n for state, n in states.items()}
            for target, states in Outbox(database).pending().items()
        }
    if as_data:
        print_json(
            {
                "feeds": [_feed_json(feed) for feed in feeds],
                "open": [as_json(each) for each in found],
                "outbox": pending,
            }
        )
    else:
        _print(feeds, found, pending, config.timezone, now)
    serious = any(incident.severity.weight >= Severity.WARNING.weight for incident in found)
    return 1 if check and serious else 0


def _print(
    feeds: list[FeedState], found: list[Incident], pending: dict[str, Any], zone: ZoneInfo, now: datetime
) -> None:
    click.echo(f"Data (times in {zone.key})")
    print_table(
        ("feed", "settled until", "last asked", "state"), (_feed_row(feed, zone, now) for feed in feeds), "nothing yet"
    )
    click.echo("\nOpen")
    heads = ("id", "severity", "rule", "what", "since", "until")
    print_table(heads, (row_of(incident, zone, now) for incident in found), "nothing")
    click.echo("\nDeliveries that are not done")
    rows = [(target, state, count) for target, states in pending.items() for state, count in states.items()]
    print_table(("channel", "state", "messages"), rows, "none")


def _feed_row(feed: FeedState, zone: ZoneInfo, now: datetime) -> tuple[str, ...]:
    from usage_watch.core.units import local_time

    def said(at: datetime | None) -> str:
        return "never" if at is None else local_time(at, zone, now)

    return str(feed.feed), said(feed.frontier_at), said(feed.polled_at), feed.last_error or "fine"


def _feed_json(feed: FeedState) -> dict[str, Any]:
    return {
        "dataset": feed.feed.dataset,
        "width": feed.feed.width,
        "scope": feed.feed.scope,
        "oldest_at": feed.oldest_at,
        "settled_until": feed.frontier_at,
        "polled_at": feed.polled_at,
        "retry_at": feed.retry_at,
        "failures": feed.failures,
        "last_error": feed.last_error,
    }
