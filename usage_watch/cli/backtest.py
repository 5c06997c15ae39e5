"""`usage-watch backtest`: what rules would have told, from stored history."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from usage_watch.cli.common.incidents import incident_json
from usage_watch.cli.common.layout import wrapped
from usage_watch.cli.common.printing import on_terminal, print_json, print_table, width
from usage_watch.cli.common.session import Command, Session, json_option, pass_session
from usage_watch.errors import UsageError
from usage_watch.views.incidents import in_words, what

if TYPE_CHECKING:
    from usage_watch.backtest import Difference, Month, Progress, ReadLater, Replay
    from usage_watch.config import Config
    from usage_watch.core.incident import Incident
    from usage_watch.core.series import Feed
    from usage_watch.rules import Rule
    from usage_watch.store.database import Database
    from usage_watch.store.replay import Knowledge
    from usage_watch.views.times import Reader

_SHOWN = 20
"""Alerts that are listed; --json has them all."""
_CLEAR = "\r\x1b[K"


@dataclass(frozen=True, slots=True)
class Report:
    """What was replayed, and all that came of it."""

    file: Path
    config: Config
    since_at: datetime
    until_at: datetime
    known: Mapping[Feed, Knowledge]
    replay: Replay
    months: Sequence[Month]
    read_later: Sequence[ReadLater]
    difference: Difference | None

    @property
    def without(self) -> list[Rule]:
        """The rules of which nothing is stored."""
        return [rule for rule in self.config.enabled if not len(self.known[rule.feed].starts)]

    @property
    def silent(self) -> list[str]:
        """The rules that have nothing to tell."""
        told = {incident.rule.id for incident in self.replay.incidents}
        return [rule.id for rule in self.config.enabled if rule.id not in told and rule not in self.without]

    @property
    def open_before(self) -> int:
        """How many alerts were told at once."""
        return len({telling.incident.id for telling in self.replay.told if telling.at == self.since_at})


@click.command(cls=Command)
@click.option(
    "--since",
    default="90d",
    show_default=True,
    metavar="TIME",
    help="From when on: 30d, 2026-11-01 or 2026-11-01T14:00Z.",
)
@click.option("--rules", "file", type=click.Path(path_type=Path), metavar="FILE", help="Try the rules of this file.")
@click.option(
    "--diff", is_flag=True, help="Only what --rules tells (+) and the file of --config does not, or only it (-)."
)
@json_option
@pass_session
def backtest(session: Session, since: str, file: Path | None, diff: bool, as_data: bool) -> None:
    """Tell what the rules would have told, per rule and month.

    Plays stored history back to them, each value from when it was known. Nothing is asked, sent or written. Reminders
    are not counted.
    """
    from usage_watch.clock import open_clock
    from usage_watch.views.times import Reader, since_at

    if diff and file is None:
        raise UsageError("--diff compares two rules files; name the new one with --rules FILE.")
    now = open_clock().now()
    start_at = since_at(since, now)
    if start_at >= now:
        raise UsageError(f"--since {since!r} has not come yet; write a time in the past.")
    report = _report(session, file, start_at, now, diff)
    if as_data:
        print_json(_data(report))
    else:
        _print(report, Reader(report.config.timezone, now))


def _report(session: Session, file: Path | None, since: datetime, until: datetime, diff: bool) -> Report:
    from usage_watch.backtest import compare, months, read_later
    from usage_watch.config import load

    current = session.config()
    config = current if file is None else load(file)
    with session.reading(current) as database, _progress() as shown:
        known, replayed = _replayed(database, config, since, until, shown)
        difference = compare(_replayed(database, current, since, until, shown)[1], replayed) if diff else None
    return Report(
        file=file or session.config_path,
        config=config,
        since_at=since,
        until_at=until,
        known=known,
        replay=replayed,
        months=months(replayed, config.timezone, since, until),
        read_later=list(read_later(known.values(), since, until)),
        difference=difference,
    )


def _replayed(
    database: Database, config: Config, since: datetime, until: datetime, shown: Progress
) -> tuple[Mapping[Feed, Knowledge], Replay]:
    from usage_watch.backtest import replay, wants_of
    from usage_watch.store.answers import AnswerStore
    from usage_watch.store.history import HistoryStore
    from usage_watch.terms import desk

    store, answers = HistoryStore(database), AnswerStore(database)
    told = desk(config)
    lessons = told.defaults.lessons.with_answers(answers.expected(), answers.rebased())
    told = replace(told, defaults=replace(told.defaults, lessons=lessons))
    known = store.knowledge(wants_of(config.enabled, told, since))
    found = replay(config.enabled, known, told, since, until, shown)
    return known, replace(found, incidents=tuple(in_words(found.incidents, config, until)))


@contextmanager
def _progress() -> Iterator[Progress]:
    """Says on a terminal which rule is at which day."""

    looked_at = on_terminal()

    def show(rule: Rule, at: datetime) -> None:
        if looked_at and not at.hour:
            click.echo(f"{_CLEAR}replaying {rule.id}: {at:%Y-%m-%d}", nl=False, err=True)

    try:
        yield show
    finally:
        if looked_at:
            click.echo(_CLEAR, nl=False, err=True)


# ---- for people -----------------------------------------------------------------------------------------------------


def _print(report: Report, reader: Reader) -> None:
    time = f"from {reader.moment(report.since_at)} to {reader.moment(report.until_at)} ({reader.zone.key})"
    if not report.config.enabled:
        click.echo(f"No rule of {report.file} is enabled: there is nothing to replay.")
    elif len(report.without) == len(report.config.enabled):
        click.echo("Nothing is stored of this time that these rules judge; `usage-watch history backfill` reads it.")
    elif report.difference is not None:
        click.echo(f"What {report.file} tells (+) and what only the present rules tell (-),\n{time}:\n")
        _print_difference(report.difference, reader)
        _print_notes(report, reader)
    else:
        click.echo(f"What {report.file} would have told,\n{time}:\n")
        _print_months(report.months)
        _print_alerts(report.replay.incidents, reader)
        _print_notes(report, reader)


def _print_months(months: Iterable[Month]) -> None:
    heads = ("rule", "month", "fired", "escalated", "had ended", "retracted", "open")
    rows = (
        (each.rule, each.month, each.fired, each.escalated, each.fired_and_ended, each.retracted, _hours(each))
        for each in months
    )
    print_table(heads, rows, "Nothing.")


def _hours(month: Month) -> str:
    return f"{month.open_hours:,.0f} h"


def _print_alerts(incidents: Sequence[Incident], reader: Reader) -> None:
    newest = incidents[::-1][:_SHOWN]
    if newest:
        which = "All alerts" if len(newest) == len(incidents) else f"The newest {_SHOWN} of {len(incidents):,} alerts"
        click.echo(f"\n{which}, the newest first:")
        print_table(_COLUMNS, (_line(each, reader) for each in newest), "")


def _print_difference(difference: Difference, reader: Reader) -> None:
    signed = [*(("+", each) for each in difference.added), *(("-", each) for each in difference.removed)]
    signed.sort(key=lambda pair: pair[1].started_at)
    print_table(("", *_COLUMNS), ((sign, *_line(each, reader)) for sign, each in signed), "No difference.")
    both = f"{difference.both:,} told by both"
    regraded = f", {difference.regraded:,} of them at another severity" if difference.regraded else ""
    click.echo(f"\n+{len(difference.added):,} -{len(difference.removed):,}, {both}{regraded}.")


_COLUMNS = ("rule", "severity", "since", "until", "what")


def _line(incident: Incident, reader: Reader) -> tuple[str, ...]:
    # What was closed ended at that moment, in the midst of a bucket.
    bucket = "1h" if incident.closed else incident.evidence.bucket
    return (
        incident.rule.id,
        incident.severity,
        reader.first(incident.started_at, incident.evidence.bucket),
        reader.last(incident.ended_at, bucket, "open"),
        what(incident),
    )


def _print_notes(report: Report, reader: Reader) -> None:
    notes = list(_notes(report, reader))
    columns = width()
    if notes:
        click.echo()
    for note in notes:
        for line in [note] if columns is None else wrapped(note, columns):
            click.echo(line)


def _notes(report: Report, reader: Reader) -> Iterator[str]:
    """What must be known of the figures to take them for what they are."""
    if report.silent:
        yield f"Silent: {', '.join(report.silent)}."
    for rule in report.without:
        yield f"Not judged: {rule.id}, since nothing is stored of {rule.feed}."
    if report.open_before:
        yield f"Open at the beginning, and told at once: {report.open_before:,}."
    for each in report.read_later:
        until = reader.last(each.until, each.bucket)
        yield f"As read later up to {until}: {each.count:,} of {each.of:,} buckets of {each.feed}."
    if report.read_later:
        yield "What was read later counts as known 2 h and as settled 48 h after its end."


# ---- for programs ---------------------------------------------------------------------------------------------------


def _data(report: Report) -> dict[str, Any]:
    return {
        "rules": str(report.file),
        "since": report.since_at,
        "until": report.until_at,
        "months": report.months,
        "alerts": [_alert(incident, report.replay) for incident in report.replay.incidents],
        "silent": report.silent,
        "not_judged": [{"rule": rule.id, "feed": str(rule.feed)} for rule in report.without],
        "read_later": report.read_later,
        "diff": None if report.difference is None else _difference(report.difference),
    }


def _alert(incident: Incident, replay: Replay) -> dict[str, Any]:
    told = [
        {"at": telling.at, "channel": telling.key.target, "reason": telling.key.reason}
        for telling in replay.told
        if telling.incident.id == incident.id
    ]
    return {**incident_json(incident), "retracted": incident.retracted, "told": told}


def _difference(difference: Difference) -> dict[str, Any]:
    def listed(incidents: Iterable[Incident]) -> list[dict[str, Any]]:
        return [incident_json(incident) for incident in incidents]

    return {
        "added": listed(difference.added),
        "removed": listed(difference.removed),
        "both": difference.both,
        "regraded": difference.regraded,
    }
