"""Progress of long work: one line on a terminal, nothing in a pipe or a journal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import click

from usage_watch.cli.session import on_terminal

if TYPE_CHECKING:
    from usage_watch.core.series import Feed
    from usage_watch.fetch import Progress

_CLEAR = "\r\x1b[K"


@contextmanager
def progress() -> Iterator[Progress]:
    """Says which feed is read, and until when; the line is gone at the end."""
    shown = on_terminal()

    def show(feed: Feed, until_at: datetime) -> None:
        if shown:
            click.echo(f"{_CLEAR}reading {feed}: until {until_at:%Y-%m-%d %H:%M} UTC", nl=False, err=True)

    try:
        yield show
    finally:
        if shown:
            click.echo(_CLEAR, nl=False, err=True)
