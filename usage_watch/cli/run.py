"""`usage-watch run`: the daemon, or one cycle of it."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import click

from usage_watch.cli.progress import progress
from usage_watch.cli.session import Session, pass_session
from usage_watch.errors import DeliveryError, SourceError

if TYPE_CHECKING:
    from usage_watch.config import Config
    from usage_watch.cycle import Summary


@click.command()
@click.option("--once", is_flag=True, help="One whole cycle (fetch, judge, deliver what is due), for cron.")
@pass_session
def run(session: Session, once: bool) -> None:
    """Watch usage and tell people, until stopped.

    With --once it ends with 3 where the source could not be read, with 4 where a message could not be delivered.
    """
    from usage_watch import daemon, logs
    from usage_watch.clock import open_clock
    from usage_watch.cycle import Cycle
    from usage_watch.store.database import open_for_writing
    from usage_watch.store.locks import DaemonLock

    config = session.config()
    path = Path(config.store.path)
    logs.start(session.verbose)
    clock, stop = open_clock(), Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with DaemonLock(path), open_for_writing(path) as database, progress() as shown:
        _announce(config)
        with Cycle(config, database, clock, stop, progress=shown) as cycle:
            if not once:
                daemon.run(cycle, clock, stop)
                logs.event("daemon.stopped")
                return
            summary = cycle.run()
    daemon.log(summary)
    _complain(summary)


def _announce(config: Config) -> None:
    from usage_watch import __version__, logs
    from usage_watch.config import warnings

    rules, channels = len(config.enabled), len(config.channels)
    logs.event("daemon.started", version=__version__, rules=rules, channels=channels, store=config.store.path)
    for warning in warnings(config, os.environ, {}):
        logs.warning("rules.warning", line=warning.line, message=warning.message)


def _complain(summary: Summary) -> None:
    if summary.fetched.failures:
        raise SourceError("\n".join(summary.fetched.failures))
    if summary.delivered.failures:
        raise DeliveryError("\n".join(summary.delivered.failures))
