"""`usage-watch run --once`: one whole cycle, for cron."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from usage_watch.cli.common.beginning import announced, entering
from usage_watch.cli.common.failures import SeveralError, source_failures
from usage_watch.cli.common.printing import count, on_terminal
from usage_watch.cli.common.progress import progress
from usage_watch.errors import DeliveryError

if TYPE_CHECKING:
    from datetime import datetime

    from usage_watch.calls import Calls
    from usage_watch.clock import Clock
    from usage_watch.config import Config
    from usage_watch.cycle import Summary
    from usage_watch.store.database import Database


def one_cycle(config: Config, clock: Clock, calls: Calls) -> None:
    """Fetch, judge, deliver what is due; SeveralError where the source or a channel failed."""
    from usage_watch import daemon
    from usage_watch.cycle import Cycle

    with ExitStack() as opened, progress(clock.now()) as shown:
        database = entering(opened, Path(config.store.path))()
        announced(config, database)
        with Cycle(config, database, clock, calls, progress=shown, thorough=True) as cycle:
            summary = cycle.run()
            daemon.log(summary)
            _report(config, database, summary, clock.now())


def _report(config: Config, database: Database, summary: Summary, now: datetime) -> None:
    """What one cycle did, for whoever watches it; and every failure, once."""
    fetched, delivered = summary.fetched, summary.delivered
    if on_terminal():
        read = f"{count(fetched.polled, 'feed')} read, {count(fetched.new, 'new bucket')}, {fetched.changed:,} revised"
        click.echo(f"{read}; {count(delivered.sent, 'message')} sent.", err=True)
    unread = [*fetched.failures, *_not_asked(config, database, fetched.failures, now)]
    failures = source_failures(config, unread) + [DeliveryError(sentence) for sentence in delivered.failures]
    if failures:
        raise SeveralError(failures)


def _not_asked(config: Config, database: Database, told: Sequence[str], now: datetime) -> list[str]:
    """Why feeds that failed before were left alone this time: they are as unread as before."""
    from usage_watch.store.history import HistoryStore
    from usage_watch.views.times import Reader

    reader = Reader(config.timezone, now)
    found = {}
    for state in map(HistoryStore(database).state, config.feeds()):
        if state.last_error and state.last_error not in told:
            again = reader.moment(state.retry_at)
            found[state.last_error] = f"{state.last_error.rstrip('.')}; it is not asked again before {again}"
    return list(found.values())
