"""`usage-watch reload`: the running daemon reads its rules file again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from usage_watch.cli.common.session import Command, Session, pass_session
from usage_watch.errors import MachineError, UsageError

if TYPE_CHECKING:
    from usage_watch.store.reads import Read

_PATIENCE = 90.0
"""Seconds: a daemon that reads much history looks up every 30 s."""
_GLANCE = 0.1


@click.command(cls=Command)
@pass_session
def reload(session: Session) -> int:
    """Have the running daemon read its rules file again.

    What the file says holds at once, and no timer starts again: nothing is told twice, and alerts of rules that are
    gone are closed. A file with faults changes nothing: they are listed here, those who are told of the watcher's own
    alerts hear of it, and this ends with 2.
    """
    from usage_watch.cli.common.located import located
    from usage_watch.store.locks import holder

    # Whatever else the file says: what is wrong with it, the daemon is to see for itself.
    found = located(session.config_path, os.environ)
    path, pid = found.store, holder(found.store)
    if pid is None and found.error is not None:
        click.echo(str(found.error), err=True)
        raise UsageError(
            f"no daemon watches into {path}. Mend the file and reload again: one that watches elsewhere was not "
            "called, and goes on by the rules of before."
        )
    if pid is None:
        raise MachineError(f"no daemon watches into {path}: start `usage-watch run`, it reads the file as it is then")
    if not pid.isdigit():
        raise MachineError(f"it cannot be told which process watches into {path}: send SIGHUP to it yourself")
    before = _newest(path)
    _call(int(pid))
    read = _awaited(path, before, pid)
    if read.refusal is not None:
        click.echo(read.refusal, err=True)
        raise UsageError("the rules file was not taken up; the rules of before hold.")
    click.echo(read.outcome)
    return 0


def _newest(path: Path) -> int:
    read = _read(path)
    return 0 if read is None else read.number


def _read(path: Path) -> Read | None:
    from usage_watch.store.database import open_for_reading
    from usage_watch.store.reads import ReadStore

    with open_for_reading(path) as database:
        return ReadStore(database).newest()


def _call(pid: int) -> None:
    command = _command(pid)
    if command is not None and b"usage" not in command:
        raise MachineError(f"process {pid} is no usage-watch here: run this where the daemon runs (in its container)")
    if command is not None and _ends_by_itself(command.split(b"\0")):
        raise MachineError(f"process {pid}, which has the database now, is no daemon: it ends by itself")
    try:
        os.kill(pid, signal.SIGHUP)
    except ProcessLookupError:
        raise MachineError(f"the daemon (pid {pid}) has ended; start `usage-watch run`") from None
    except PermissionError:
        raise MachineError(f"this user may not call the daemon (pid {pid}): run the command as its user") from None


def _command(pid: int) -> bytes | None:
    """A signal must not reach a process that SIGHUP would end; None where a sandbox hides what it is."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return None


def _ends_by_itself(words: Sequence[bytes]) -> bool:
    """`run --once` and `history` keep daemons off while they work, and listen to no call."""
    return b"run" not in words or b"--once" in words


def _awaited(path: Path, before: int, pid: str) -> Read:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        read = _read(path)
        if read is not None and read.number > before:
            return read
        time.sleep(_GLANCE)
    raise MachineError(
        f"the daemon (pid {pid}) has not read the file within {_PATIENCE:.0f} s; its log says what keeps it, and it "
        "will read the file as soon as it can"
    )
