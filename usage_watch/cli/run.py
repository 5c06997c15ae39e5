"""`usage-watch run`: the daemon, or one cycle of it."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from usage_watch.cli.common.beginning import announced, entering
from usage_watch.cli.common.progress import progress
from usage_watch.cli.common.session import Command, Session, pass_session
from usage_watch.cli.common.stopping import stoppable
from usage_watch.logs import FORMATS, LEVELS

if TYPE_CHECKING:
    from datetime import datetime

    from usage_watch.calls import Calls
    from usage_watch.clock import Clock
    from usage_watch.config import Config
    from usage_watch.core.series import Feed
    from usage_watch.errors import MachineError
    from usage_watch.fetch import Progress
    from usage_watch.outside import Outside
    from usage_watch.systemd import Supervisor


@click.command(cls=Command)
@click.option("--once", is_flag=True, help="One whole cycle (fetch, judge, deliver what is due), for cron.")
@click.option(
    "--log-format",
    type=click.Choice(FORMATS),
    default=FORMATS[0],
    envvar="USAGE_WATCH_LOG_FORMAT",
    show_envvar=True,
    help="How the log on standard error is written: for people, or an object a line.",
)
@click.option(
    "--log-level",
    type=click.Choice(LEVELS),
    default="info",
    envvar="USAGE_WATCH_LOG_LEVEL",
    show_envvar=True,
    help="From which level on; `debug`, as with -v, is a line each cycle and more.",
)
@pass_session
def run(session: Session, once: bool, log_format: str, log_level: str) -> int:
    """Watch usage and tell people, until stopped.

    Ctrl-C or SIGTERM ends it with 0, within 2 s; of a message that is longer on its way than that, it is found out at
    the next start whether it arrived. `usage-watch reload`, or SIGHUP, has it read the rules file again.

    While it runs, it serves /metrics, /healthz and /readyz on 127.0.0.1:8321, or where `web` in the rules file says.

    With --once it says nothing while all is well, and ends with 3 where the source could not be read and with 4 where
    a message could not be delivered; what could be done is done all the same.
    """
    from usage_watch import logs
    from usage_watch.clock import GLANCE, open_clock, true_clock
    from usage_watch.logs.strays import caught
    from usage_watch.systemd import Supervisor

    session.log(always=not once, form=log_format, level=log_level)
    supervisor = Supervisor()
    # Before the rules are read: who calls for them to be read again meanwhile means them, and not its end.
    with caught(), stoppable(rereads=not once) as calls:
        config, clock = session.config(), true_clock(open_clock(glance=min(GLANCE, supervisor.every or GLANCE)))
        if once:
            from usage_watch.cli.once import one_cycle

            one_cycle(config, clock, calls)
        else:
            _watch(session, config, clock, calls, supervisor)
    if once:
        return calls.exit_code
    logs.event("daemon.stopped")
    return 0


def _watch(session: Session, config: Config, clock: Clock, calls: Calls, supervisor: Supervisor) -> None:
    """All day and night."""
    from usage_watch import daemon
    from usage_watch.cycle import Cycle
    from usage_watch.outside import Outside
    from usage_watch.rereading import Rereading
    from usage_watch.store.reads import ReadStore

    path = Path(config.store.path)
    with ExitStack() as opened, progress(clock.now()) as shown:

        @cache
        def outside() -> Outside:
            """Not before it is known that no other daemon is here, which has the port, too."""
            return opened.enter_context(Outside(config, path, clock, supervisor))

        def hindered(error: MachineError) -> None:
            outside().hindered(error)
            # Ended for a start that takes too long, it would be started anew, and tell all of it again.
            supervisor.ready(f"waits for its database: {error}")

        database = daemon.patiently(entering(opened, path), clock, calls, hindered, lambda: outside().beat())
        if database is None:
            return
        announced(config, database)
        outside().watch(database)
        with Cycle(config, database, clock, calls, progress=_both(shown, outside())) as cycle:
            reads, rules = ReadStore(database), session.config_path
            read_again = Rereading(rules, config, cycle, outside(), reads, clock, supervisor)
            # Before the first turn, which may read for minutes: that is no start that failed.
            supervisor.ready("up; its first turn is under way")
            try:
                daemon.run(cycle, clock, calls, outside(), read_again)
            finally:
                supervisor.stopping()


def _both(shown: Progress, outside: Outside) -> Progress:
    """An answer of the source is a sign of life, too: the first cycle may read for minutes."""

    def progress(feed: Feed, until_at: datetime) -> None:
        shown(feed, until_at)
        outside.beat()

    return progress
