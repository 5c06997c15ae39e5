"""Progress of long work: one line on a terminal, nothing in a pipe or a journal."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from usage_watch.cli.common.printing import on_terminal

if TYPE_CHECKING:
    from usage_watch.core.series import Feed
    from usage_watch.fetch import Progress

_CLEAR = "\r\x1b[K"
_RECENT = timedelta(days=3)
"""What is read up to here is at its end, or was no long work in the first place."""


def _unseen(feed: Feed, until_at: datetime) -> None:
    """Nobody looks."""


@contextmanager
def progress(now: datetime) -> Iterator[Progress]:
    """Says which feed's history is read, and until when; the line is gone when the feed is read, or anything is logged.

    So what else is printed has a line to itself.
    """
    if not on_terminal():
        yield _unseen
        return

    def show(feed: Feed, until_at: datetime) -> None:
        text = "" if until_at > now - _RECENT else f"reading {feed}: until {until_at:%Y-%m-%d %H:%M} UTC"
        _print(_CLEAR + text)

    def make_way(_: logging.LogRecord) -> bool:
        _print(_CLEAR)
        return True

    logger = logging.getLogger("usage_watch")
    logger.addFilter(make_way)
    try:
        yield show
    finally:
        logger.removeFilter(make_way)
        _print(_CLEAR)


def _print(text: str) -> None:
    with suppress(OSError):  # a terminal that is gone ends no watch
        click.echo(text, nl=False, err=True)
