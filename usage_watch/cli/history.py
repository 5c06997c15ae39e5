"""`usage-watch history`: stored usage, in and out."""

from __future__ import annotations

import csv
import math
import os
import sys
from collections.abc import Iterable
from contextlib import closing
from dataclasses import fields, replace
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, TextIO

import click

from usage_watch.cli.common.failures import SeveralError, source_failures
from usage_watch.cli.common.printing import count, plain_json, rfc3339
from usage_watch.cli.common.progress import progress
from usage_watch.cli.common.session import Noun, Session, pass_session
from usage_watch.cli.housekeeping import forget, prune
from usage_watch.core.plain import plain
from usage_watch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Generator

    from usage_watch.store.export import ExportRow
    from usage_watch.store.history import HistoryStore

_LONGEST = 1_000
"""Characters of a name in CSV."""


@click.group(cls=Noun)
def history() -> None:
    """Stored usage: export it, fetch what is missing, remove what is old, or all of one member."""


history.add_command(prune)
history.add_command(forget)


@history.command()
@click.option("--dataset", metavar="NAME", help="Only this dataset, such as credit_usage.")
@click.option("--bucket", type=click.Choice(["1h", "1d"]), help="Only hours, or only days.")
@click.option("--since", metavar="TIME", help="Only from then on: 7d, 2026-11-01 or 2026-11-01T14:00Z.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl"]),
    default="csv",
    show_default=True,
    help="csv is safe to open in a spreadsheet; jsonl has every name exactly as the source wrote it.",
)
@pass_session
def export(session: Session, dataset: str | None, bucket: str | None, since: str | None, form: str) -> None:
    """Print every stored count.

    A row without an axis is a total. Zeros are counts; a time that is not listed was never fetched.
    """
    from usage_watch.clock import open_clock
    from usage_watch.core.series import DAY, HOUR, Width
    from usage_watch.store.history import HistoryStore
    from usage_watch.views.times import since_at

    start_at = None if since is None else since_at(since, open_clock().now())
    widths: dict[str | None, Width] = {"1h": HOUR, "1d": DAY}
    with session.reading(session.config()) as database:
        store = HistoryStore(database)
        if dataset is not None:
            _known(store, dataset)
        found: Generator[ExportRow] = store.export(dataset, widths.get(bucket), start_at)  # type: ignore[assignment]
        # Closed before the database is, also where whoever reads us has seen enough.
        with closing(found) as rows:
            (write_csv if form == "csv" else write_jsonl)(sys.stdout, rows)


@history.command()
@pass_session
def backfill(session: Session) -> None:
    """Fetch what is missing of the history that the rules need.

    It asks now, what is due or not, beside a running daemon or without one. Ends with 3 where the source could not be
    read; what was read is kept.
    """
    from usage_watch.clock import open_clock
    from usage_watch.fetch import Turn, fetch
    from usage_watch.store.database import open_for_writing
    from usage_watch.store.history import HistoryStore
    from usage_watch.terms import asking_of, open_client

    config, now = session.config(), open_clock().now()
    asking = replace(asking_of(config, now), at_once=True)
    session.log()
    with (
        open_for_writing(Path(config.store.path)) as database,
        open_client(config, os.environ) as client,
        progress(now) as shown,
    ):
        fetched = fetch(client, HistoryStore(database), asking, now, Turn(Event(), math.inf), shown)
    buckets = f"{count(fetched.new, 'new bucket')}, {fetched.changed:,} revised"
    click.echo(f"{count(fetched.polled, 'feed')} read: {buckets}.")
    if failures := source_failures(config, fetched.failures):
        raise SeveralError(failures)


def _known(store: HistoryStore, dataset: str) -> None:
    known = sorted({state.feed.dataset for state in store.feed_states()})
    if dataset not in known:
        raise UsageError(f"--dataset: nothing is stored of {dataset!r}; there is {', '.join(known) or 'nothing yet'}.")


def write_csv(out: TextIO, rows: Iterable[ExportRow]) -> None:
    """A header, then a line a row, as they come."""
    names, values = _columns()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(value) for value in values(row)] for row in rows)


def write_jsonl(out: TextIO, rows: Iterable[ExportRow]) -> None:
    """An object a line, as they come."""
    names, values = _columns()
    for row in rows:
        found = dict(zip(names, values(row), strict=True))
        found["start"] = rfc3339(row.start)
        out.write(plain_json(found) + "\n")


def _columns() -> tuple[list[str], attrgetter[tuple[Any, ...]]]:
    """The names of the columns, and how to have a row's values all at once."""
    from usage_watch.store.export import ExportRow

    names = [field.name for field in fields(ExportRow)]
    return names, attrgetter(*names)


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return _harmless(value)
    return str(value).lower() if isinstance(value, bool) else value if isinstance(value, int) else rfc3339(value)


@lru_cache(maxsize=10_000)
def _harmless(text: str) -> str:
    """No line break, and nothing that a spreadsheet would take for a formula."""
    line = plain(text, _LONGEST)
    return f"'{line}" if line.startswith(("=", "+", "-", "@")) else line
