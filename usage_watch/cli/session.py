"""What the commands share: the rules file, the database, and how things are printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from usage_watch.config import Config
    from usage_watch.store.database import Database


@dataclass(frozen=True, slots=True)
class Session:
    """The global options."""

    config_path: Path
    verbose: bool

    def config(self) -> Config:
        """Load the rules file; RulesFileError with every fault in it."""
        from usage_watch.config import load

        return load(self.config_path)

    def reading(self, config: Config) -> Database:
        """Open its database to look at it."""
        from usage_watch.store.database import open_for_reading

        return open_for_reading(Path(config.store.path))


pass_session = click.make_pass_decorator(Session)


def print_json(data: Any) -> None:
    """Print data for programs."""
    click.echo(json.dumps(data, ensure_ascii=False, indent=2, default=str))


def print_table(heads: Sequence[str], rows: Iterable[Sequence[object]], nothing: str) -> None:
    """Print rows in columns as wide as their content, cleaned of what would move the cursor; or say there is none."""
    from usage_watch.core.plain import plain

    cells = [[plain(str(cell), 100) for cell in row] for row in rows]
    if not cells:
        click.echo(nothing)
        return
    widths = [max(len(head), *(len(row[at]) for row in cells)) for at, head in enumerate(heads)]
    for row in [list(heads), *cells]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def on_terminal() -> bool:
    """Whether somebody looks at the standard error: only then is progress shown."""
    return sys.stderr.isatty()
