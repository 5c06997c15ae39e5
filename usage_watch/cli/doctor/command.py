"""`usage-watch doctor`: what is wrong here, and what to do about it."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from usage_watch.cli.common.layout import columns, wrapped
from usage_watch.cli.common.printing import count, print_json, width
from usage_watch.cli.common.session import Command, Session, json_option, pass_session
from usage_watch.cli.doctor.finding import Finding, Level, Section, exit_code
from usage_watch.core.plain import plain

if TYPE_CHECKING:
    from datetime import datetime

_LONGEST = 1_200
"""Characters of a finding."""
_NARROWEST = 30
_WIDEST = 40


@click.command(cls=Command)
@click.option(
    "--thorough", is_flag=True, help="Also compare the database's indexes with its tables, which takes longer."
)
@json_option
@pass_session
def doctor(session: Session, thorough: bool, as_data: bool) -> int:
    """Look at all that this watch stands on, and say what to do where something is wrong.

    It looks at versions, the rules file, the database and its disk, the daemon, the source (which is asked one
    question where the key is at hand), and the channels (nothing is sent). It writes nothing, and never shows a
    secret.

    Ends with 0 where nothing is worse than a warning. Of faults the first of these decides: 2 the rules file or a
    secret, 5 this machine, 3 the source, 4 a channel that takes nothing.
    """
    from usage_watch.clock import open_clock

    session.log()
    found = []
    for section in _sections(session.config_path, open_clock().now(), thorough):
        found.append(section)
        if not as_data:
            _print(section)
    findings = [finding for section in found for finding in section.findings]
    if as_data:
        print_json({"sections": found, "worst": _worst(findings)})
    else:
        click.echo(_summed(findings))
    return exit_code(findings)


def _sections(rules: Path, now: datetime, thorough: bool) -> Iterator[Section]:
    """One after the other, so that who waits for the last has the first to read."""
    from zoneinfo import ZoneInfo

    from usage_watch import __version__
    from usage_watch.cli.doctor.channels import channels
    from usage_watch.cli.doctor.daemon import daemon
    from usage_watch.cli.doctor.database import database
    from usage_watch.cli.doctor.patient import meet
    from usage_watch.cli.doctor.rules_file import rules_file
    from usage_watch.cli.doctor.source import source
    from usage_watch.cli.doctor.versions import versions
    from usage_watch.store.examine import SQLITE
    from usage_watch.views.times import Reader

    yield Section("Versions", versions(__version__, platform.python_version(), SQLITE))
    patient = meet(rules, now, os.environ, thorough)
    zone = ZoneInfo("UTC") if patient.config is None else patient.config.timezone
    reader = Reader(zone, now)
    yield Section("Rules file", list(rules_file(patient)))
    yield Section("Database", list(database(patient)))
    yield Section("Daemon", list(daemon(patient)))
    yield Section(f"Source (times in {zone.key})", list(source(patient, reader)))
    yield Section("Channels", list(channels(patient, reader)))


def _worst(findings: Sequence[Finding]) -> Level:
    found = {finding.level for finding in findings}
    return max(found, key=list(Level).index)


def _summed(findings: Sequence[Finding]) -> str:
    """`2 faults, 1 warning`; of what is fine nothing."""
    levels = [finding.level for finding in findings]
    bad = [count(levels.count(each), each) for each in (Level.FAULT, Level.WARNING) if each in levels]
    return ", ".join(bad) + "." if bad else "Nothing is wrong."


def _print(section: Section) -> None:
    """A line a finding, which goes on below itself, and one more for what to do."""
    if not section.findings:
        return
    click.echo(section.name)
    widest = min(max(columns(plain(each.about, _WIDEST)) for each in section.findings), _WIDEST)
    for finding in section.findings:
        about = plain(finding.about, _WIDEST)
        head = f"  {finding.level:<7}  {about}{' ' * (widest - columns(about))}  "
        lines = [head + line if not at else " " * len(head) + line for at, line in enumerate(_lines(finding, head))]
        click.echo("\n".join(lines or [head.rstrip()]))
    click.echo()


def _lines(finding: Finding, head: str) -> list[str]:
    parts = [plain(finding.said, _LONGEST)] + ([f"-> {plain(finding.do, _LONGEST)}"] if finding.do else [])
    limit = width()
    if limit is None:
        return [" ".join(parts)]
    return [line for part in parts for line in wrapped(part, max(limit - columns(head), _NARROWEST))]
