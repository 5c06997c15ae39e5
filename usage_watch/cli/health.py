"""`usage-watch health`: whether the daemon lives, for supervisors. It loads next to nothing: they ask all the time."""

from __future__ import annotations

import os
import re
import socket
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from usage_watch import places
from usage_watch.cli.common.session import Command, Session, pass_session
from usage_watch.core.listening import DEFAULT, reached_at, split_listen
from usage_watch.errors import MachineError, UsageError, UsageWatchError
from usage_watch.vitals import LATE_AFTER

_PATIENCE = 5.0
"""Seconds."""
_CAP = 4096
"""Bytes of an answer that are read."""
_LONGEST = 300
"""Characters of it that are shown."""
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})[ \r]")
_RUNNING = "is `usage-watch run` running?"


@click.command(cls=Command)
@click.option("--address", metavar="HOST:PORT", help="Ask there, whatever the rules file says.")
@pass_session
def health(session: Session, address: str | None) -> int:
    """Say in one line whether the daemon lives; for HEALTHCHECK and the like.

    It is asked over HTTP, at the address that the rules file gives in `web`. With `web: off` it lives where its
    process does and gave a sign in the last 2 minutes.

    Ends with 0 where it lives, with 5 where it does not, and with 2 where the file does not say where to ask.
    """
    if address is not None:
        click.echo(_ask(*_split(address)))
        return 0
    click.echo(by_file(session.config_path))
    return 0


def by_file(path: Path) -> str:
    """How the daemon of a rules file lives; MachineError where it does not, UsageError where it cannot be asked."""
    from usage_watch import yamlfile

    try:
        written = yamlfile.load(path).data
    except UsageWatchError:
        # A file that was edited into nonsense changes nothing for a daemon that runs; nor may it here.
        with suppress(MachineError):
            return _ask(*split_listen(DEFAULT))
        with suppress(MachineError):
            return by_sign(places.store(path))
        raise
    web = written.get("web")
    if web == "off":
        return by_sign(_store(path, written))
    listen = web.get("listen", DEFAULT) if isinstance(web, dict) else DEFAULT
    return _ask(*_split(str(listen)))


def _split(address: str) -> tuple[str, int]:
    try:
        host, port = split_listen(address)
    except ValueError as error:
        raise UsageError(f"{address[:80]!r} is no address to ask at: {error}.") from None
    if port == 0:
        raise UsageError("Port 0 is any that was free: name the one that the log says with --address HOST:PORT.")
    return reached_at(host), port


def _ask(host: str, port: int) -> str:
    """The answer, where it is a good one."""
    try:
        raw = _exchange(host, port)
    except TimeoutError:
        raise MachineError(f"{_shown(host, port)}: it does not answer; {_RUNNING}") from None
    except OSError:
        raise MachineError(f"{_shown(host, port)}: nobody answers there; {_RUNNING}") from None
    head, _, body = raw.partition(b"\r\n\r\n")
    status = _STATUS.match(head)
    if status is None:
        raise MachineError(f"{_shown(host, port)}: no server of ours answers there; {_RUNNING}")
    return _judged(host, port, int(status[1]), body.decode("utf-8", "replace"))


def _exchange(host: str, port: int) -> bytes:
    """All that is answered in time. Not http.client, which takes longer to load than all else here."""
    until, said = time.monotonic() + _PATIENCE, b""
    with socket.create_connection((host, port), timeout=_PATIENCE) as connection:
        connection.sendall(f"GET /healthz HTTP/1.0\r\nHost: {_shown(host, port)}\r\n\r\n".encode())
        while len(said) < _CAP and (block := connection.recv(_CAP)):
            said += block
            if time.monotonic() > until:
                raise TimeoutError
    return said


def _judged(host: str, port: int, status: int, said: str) -> str:
    from usage_watch.core.plain import plain

    shown = plain(said, _LONGEST)
    if status == 200:
        return shown
    if status == 503:
        raise MachineError(shown)
    raise MachineError(f"{_shown(host, port)} answers {status}: another program seems to listen there")


def _shown(host: str, port: int) -> str:
    return f"{f'[{host}]' if ':' in host else host}:{port}"


def _store(path: Path, written: dict[str, Any]) -> Path:
    store = written.get("store")
    return Path(str(store["path"])) if isinstance(store, dict) and "path" in store else places.store(path)


def by_sign(database: Path) -> str:
    """The same, by the file that a daemon holds while it runs, and touches at each sign of its loop."""
    lock = database.resolve().with_name(f"{database.resolve().name}.daemon")
    try:
        silent_for = max(0.0, datetime.now(UTC).timestamp() - lock.stat().st_mtime)
        lives = _is_running(int(lock.read_text()))
    except (OSError, ValueError):
        lives = False
    if not lives:
        raise MachineError(f"no daemon watches into {database}: start `usage-watch run`")
    if silent_for > LATE_AFTER:
        raise MachineError(f"late: the main loop gave no sign for {silent_for:.0f} s, {LATE_AFTER:.0f} s are in time")
    return f"ok: the main loop gave a sign {silent_for:.0f} s ago"


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
