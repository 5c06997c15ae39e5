"""`usage-watch check`: is the rules file right, and what will it ask and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from usage_watch.cli.common.failures import SeveralError
from usage_watch.cli.common.mutes import print_mutes
from usage_watch.cli.common.printing import count, jsonable, print_facts, print_json, print_table
from usage_watch.cli.common.session import Command, Session, json_option, pass_session
from usage_watch.errors import Fault, RulesFileError
from usage_watch.views.mutes import MutedTime, muted_times

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from usage_watch.cli.foresight import Burn, NextPeriods, Part, Question
    from usage_watch.cli.frequency.zscores import Frequency
    from usage_watch.cli.online import Trial
    from usage_watch.config import Config
    from usage_watch.rules.zscore import ZscoreRule


@dataclass(frozen=True, slots=True)
class Report:
    """All that there is to say of a rules file that is right."""

    file: Path
    config: Config
    now: datetime
    warnings: Sequence[Fault]
    questions: Sequence[Question]
    periods: Sequence[NextPeriods]
    parts: Sequence[Part]
    burns: Sequence[Burn]
    frequencies: Sequence[Frequency]
    twins: Sequence[tuple[ZscoreRule, ZscoreRule]]
    """Rules on hours, and what a rule on days beside each would be."""
    mutes: Sequence[MutedTime]
    trials: Sequence[Trial]


@click.command(cls=Command)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--online", is_flag=True, help="Also ask the source one question, and read the channels' secrets.")
@json_option
@pass_session
def check(session: Session, file: Path | None, online: bool, as_data: bool) -> None:
    """Check a rules file, and say what it will ask and when.

    Every fault is told at its line and column, and it ends with 2. Without FILE it is the file of --config. Of zscore
    rules it says how often they would have told something of stored history. With --online it ends with 3 where the
    source does not answer, and with 2 where a secret is not to be had.
    """
    path = file or session.config_path
    session.log()
    try:
        report = _report(path, online)
    except RulesFileError as error:
        if as_data:
            print_json({"file": str(path), "faults": error.faults})
        raise
    if as_data:
        print_json(_data(report))
    else:
        _print(report)
    if failed := [trial.error for trial in report.trials if trial.error is not None]:
        raise SeveralError(failed)


def _report(path: Path, online: bool) -> Report:
    from usage_watch.cli.foresight import Seen, burns, next_periods, parts, questions, warned
    from usage_watch.cli.frequency.zscores import frequencies, twins
    from usage_watch.cli.online import trials
    from usage_watch.cli.rendering import unrenderable
    from usage_watch.clock import open_clock
    from usage_watch.config import load

    config, now = load(path), open_clock().now()
    if faults := unrenderable(config, now):
        raise RulesFileError(str(path), faults)
    seen = Seen(config)
    return Report(
        file=path,
        config=config,
        now=now,
        warnings=warned(config, seen),
        questions=questions(config, seen),
        periods=next_periods(config, now),
        parts=parts(config, seen, now),
        burns=burns(config, now),
        frequencies=frequencies(config, now),
        twins=twins(config),
        mutes=muted_times(config, now),
        trials=list(trials(config, now)) if online else [],
    )


def _data(report: Report) -> dict[str, Any]:
    return {
        "file": str(report.file),
        "faults": [],
        "warnings": report.warnings,
        "rules": len(report.config.rules),
        "channels": len(report.config.channels),
        "feeds": report.questions,
        "periods": report.periods,
        "parts": report.parts,
        "burns": report.burns,
        "zscores": [_zscore(each, report.twins) for each in report.frequencies],
        "mutes": report.mutes,
        "online": [{"name": trial.what, "ok": trial.error is None, "detail": trial.detail} for trial in report.trials],
    }


def _zscore(found: Frequency, twins: Sequence[tuple[ZscoreRule, ZscoreRule]]) -> dict[str, Any]:
    from usage_watch.cli.frequency.words import line_of

    twin = next((line_of(twin) for rule, twin in twins if rule.id == found.rule), None)
    return {**jsonable(found), "twin": twin}


def _print(report: Report) -> None:
    for fault in report.warnings:
        click.echo(f"{report.file}:{fault.line}:{fault.column}: warning: {fault.message}")
    rules, channels = count(len(report.config.rules), "rule"), count(len(report.config.channels), "channel")
    click.echo(f"{report.file} is right: {rules}, {channels}.\n")
    asked = ((question.feed, question.cost) for question in report.questions)
    print_table(("asks for", "requests"), asked, "It asks for nothing: no rule is enabled.")
    if report.periods:
        click.echo()
        starts = ((each.rule, each.timezone, _days(each)) for each in report.periods)
        print_table(("budget", "time zone", "next periods start"), starts, "")
    if report.parts:
        click.echo()
        print_table(("budget", "levels speak", "forecast", "burn"), _speaking(report), "")
    if report.burns:
        click.echo()
        print_table(("budget", "burns when in", "and on in", "more than", "told as"), map(_burn, report.burns), "")
    if report.frequencies:
        from usage_watch.cli.frequency.words import print_frequencies

        print_frequencies(report.frequencies, report.twins, report.config.rules, report.now)
    if report.mutes:
        from usage_watch.views.times import Reader

        zone = report.config.timezone
        click.echo(f"\nWhat is muted next (times in {zone.key})")
        print_mutes(report.mutes, Reader(zone, report.now))
    # What failed is said at the end.
    if tried := [(trial.what, trial.detail) for trial in report.trials if trial.error is None]:
        click.echo()
        print_facts(tried)


def _speaking(report: Report) -> Iterator[tuple[str, ...]]:
    """From when on each part of each budget speaks; a dash where it does not."""
    zone = report.config.timezone
    by_rule: dict[str, dict[str, datetime]] = {}
    for each in report.parts:
        by_rule.setdefault(each.rule, {})[each.part] = each.speaks_from
    for rule, found in by_rule.items():
        yield rule, *(_since(found.get(part), report.now, zone) for part in ("levels", "forecast", "burn"))


def _since(at: datetime | None, now: datetime, zone: tzinfo) -> str:
    if at is None:
        return "-"
    local = at.astimezone(zone)
    return "now" if at <= now else f"from {local:%a} {local.day} {local:%b %Y}"


def _burn(row: Burn) -> tuple[str, str, str, str, str]:
    from usage_watch.core.units import number, quantity

    return row.rule, row.long, row.short, f"{quantity(row.amount, row.unit)} ({number(row.rate)}x)", row.severity


def _days(periods: NextPeriods) -> str:
    return ", ".join(f"{at:%a} {at.day} {at:%b %Y}" for at in periods.starts)
