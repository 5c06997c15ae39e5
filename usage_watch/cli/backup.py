"""`usage-watch backup`: a copy of the database, whole and checked, taken while the daemon runs."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from usage_watch.cli.common.located import located
from usage_watch.cli.common.printing import count, on_terminal, size
from usage_watch.cli.common.session import Command, Session, pass_session
from usage_watch.core.plain import plain
from usage_watch.errors import UsageError

if TYPE_CHECKING:
    from usage_watch.store.backup import Backup


@click.command(cls=Command)
@click.argument("file", required=False)
@click.option(
    "--keep",
    type=click.IntRange(1, 10_000),
    metavar="NUMBER",
    help="Afterwards remove all but the newest NUMBER of those that it named itself.",
)
@click.option("--force", is_flag=True, help="Replace FILE where it is there already.")
@pass_session
def backup(session: Session, file: str | None, keep: int | None, force: bool) -> None:
    """Copy the database to FILE, beside a running daemon or without one.

    FILE may be a directory; without it the copy stands beside the database, named after it and the time. It has its
    name once it is written, checked and on the disk: a backup that was broken off leaves nothing under it.

    To restore it: stop the daemon, remove the database with its -wal and -shm, put the copy in its place, start.
    """
    from usage_watch.clock import open_clock
    from usage_watch.store.backup import back_up, keep_newest, own_name

    session.log()
    # A wrong rules file is no reason to have no backup.
    database, now = Path(os.path.realpath(located(session.config_path, os.environ).store)), open_clock().now()
    into = database.parent if file is None else Path(file)
    named = not into.is_dir()
    if named and file is not None and file.endswith("/"):
        raise UsageError(f"There is no directory {plain(file, 80)!r}; make it first, or leave its last / out.")
    if named and keep is not None:
        raise UsageError("--keep is for backups that are named by their time: leave FILE out, or name a directory.")
    done = back_up(database, into if named else own_name(database, into, now), now, force=force)
    gone = keep_newest(database, into, keep) if keep else []
    click.echo(f"{done.path}: {size(done.size)}, whole by {done.checked}.")
    if gone:
        click.echo(f"Removed {count(len(gone), 'older backup')}.")
    if on_terminal():
        click.echo(_restoring(done, database))


def _restoring(done: Backup, database: Path) -> str:
    place = shlex.quote(str(database))
    return (
        "To restore it, stop the daemon, then:\n"
        f"  rm -f {place}-wal {place}-shm\n"
        f"  cp -p {shlex.quote(str(done.path))} {place}"
    )
