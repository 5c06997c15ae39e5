"""`usage-watch history`: stored usage, in and out."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, TextIO

import click

from usage_watch.cli.progress import progress
from usage_watch.cli.session import Session, pass_session
from usage_watch.errors import SourceError, UsageError

if TYPE_CHECKING:
    from usage_watch.store.export import ExportRow


@click.group()
def history() -> None:
    """Stored usage: export it, or fetch it."""


@history.command()
@click.option("--dataset", help="Only this dataset.")
@click.option("--bucket", type=click.Choice(["1h", "1d"]), help="Only this width.")
@click.option("--since", help="From this time on: 2026-11-01, 2026-11-01T14:00Z, or 7d for the last seven days.")
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True)
@pass_session
def export(session: Session, dataset: str | None, bucket: str | None, since: str | None, form: str) -> None:
    """Print every stored count. Zeros are counts; what is not listed was never fetched."""
    from usage_watch.clock import open_clock
    from usage_watch.core.series import DAY, HOUR
    from usage_watch.store.history import HistoryStore

    start_at = None if since is None else _since(since, open_clock().now())
    width = None if bucket is None else HOUR if bucket == "1h" else DAY
    with session.reading(session.config()) as database:
        rows = HistoryStore(database).export(dataset, width, start_at)
        (_write_csv if form == "csv" else _write_jsonl)(sys.stdout, rows)


@history.command()
@pass_session
def backfill(session: Session) -> None:
    """Fetch what is missing of the history that the rules need, now, beside a running daemon or without one."""
    from usage_watch.clock import open_clock
    from usage_watch.cycle import asking_of, open_client
    from usage_watch.fetch import fetch
    from usage_watch.store.database import open_for_writing
    from usage_watch.store.history import HistoryStore

    config, now = session.config(), open_clock().now()
    asking = replace(asking_of(config, now), at_once=True)
    with (
        open_for_writing(Path(config.store.path)) as database,
        open_client(config, os.environ) as client,
        progress() as shown,
    ):
        fetched = fetch(client, HistoryStore(database), asking, now, Event(), shown)
    click.echo(f"{fetched.polled} feeds read, {fetched.new} buckets new, {fetched.changed} revised.")
    if fetched.failures:
        raise SourceError("\n".join(fetched.failures))


def _since(text: str, now: datetime) -> datetime:
    from usage_watch.core.units import parse_duration

    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        try:
            return now - parse_duration(text)
        except (ValueError, OverflowError):
            raise UsageError(f"--since {text!r} is no time; write 2026-11-01, 2026-11-01T14:00Z or 7d.") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _write_csv(out: TextIO, rows: Iterable[ExportRow]) -> None:
    from usage_watch.store.export import ExportRow

    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([field.name for field in fields(ExportRow)])
    writer.writerows(_plain(row).values() for row in rows)


def _write_jsonl(out: TextIO, rows: Iterable[ExportRow]) -> None:
    for row in rows:
        out.write(json.dumps(_plain(row), ensure_ascii=False) + "\n")


def _plain(row: ExportRow) -> dict[str, Any]:
    return {**asdict(row), "start": row.start.strftime("%Y-%m-%dT%H:%M:%SZ")}
