"""Progress of counting: one line on a terminal, nothing in a pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from usage_watch.cli.common.printing import on_terminal

_CLEAR = "\r\x1b[K"


@contextmanager
def counting() -> Iterator[Callable[[str], None]]:
    """Says which rule is at it; the line is gone at the end."""
    looked_at = on_terminal()

    def show(rule: str) -> None:
        if looked_at:
            click.echo(f"{_CLEAR}counting what {rule} would have told", nl=False, err=True)

    try:
        yield show
    finally:
        if looked_at:
            click.echo(_CLEAR, nl=False, err=True)
