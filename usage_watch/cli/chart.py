"""`usage-watch chart`: the chart of a rule's series, by what is stored."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from usage_watch.cli.common.session import Command, Session, pass_session
from usage_watch.core.plain import plain
from usage_watch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from usage_watch.config import Config
    from usage_watch.rules import Rule

_SHOWN = 8
"""Rules that are named."""
_LONGEST = 80
"""Characters of what a sentence repeats."""
_NO_PNG = 'No picture can be made: install the extra, pip install "usage-watch[png]", or write --svg.'


@click.command(cls=Command)
@click.argument("rule")
@click.option(
    "--series", metavar="NAME", help="Of a rule with `for_each`: `Model=NAME`, or only the name; else the largest."
)
@click.option("--svg", "form", flag_value="svg", default="svg", help="Text that any browser shows; the default.")
@click.option("--png", "form", flag_value="png", help='A picture; needs the extra: pip install "usage-watch[png]".')
@click.option("--since", metavar="TIME", help="From when on: 90d, 2026-11-01 or 2026-11-01T14:00Z; 7d by default.")
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Where to; else to standard output.")
@pass_session
def chart(session: Session, rule: str, series: str | None, form: str, since: str | None, output: Path | None) -> None:
    """Draw what a rule judges: what came, what is usual, its levels and its alerts.

    RULE is a rule's id. A budget is drawn in its running period: what is spent, an even pace and what is expected.
    """
    from usage_watch.clock import open_clock
    from usage_watch.core.chart import Look
    from usage_watch.views.charts import Asked, choose, drawn
    from usage_watch.views.marks import marks
    from usage_watch.views.times import Reader

    if form == "png" and output is None and sys.stdout.isatty():
        raise UsageError("A picture is not for a terminal; write --output FILE, or --svg.")
    config, now = session.config(), open_clock().now()
    found = _rule(config, rule)
    with session.reading(config) as database:
        choice = choose(Asked(config, database, found, now, series, _since(found, since, now)))
        if series is None and len(choice.every) > 1:
            _name_others(choice.every)
        [svg] = drawn(choice, [Look()], marks(database, choice, Reader(config.timezone, now)))
    _put(_picture(svg) if form == "png" else svg.encode(), output)


def _rule(config: Config, id: str) -> Rule:
    found = next((each for each in config.rules if each.id == id), None)
    if found is None:
        known = ", ".join(each.id for each in config.rules[:_SHOWN]) + (", …" if len(config.rules) > _SHOWN else "")
        raise UsageError(f"There is no rule {plain(id, _LONGEST)!r}; rules are {known}.")
    return found


def _since(rule: Rule, written: str | None, now: datetime) -> datetime | None:
    from usage_watch.views.charts import in_period
    from usage_watch.views.times import since_at

    if written is None:
        return None
    if in_period(rule):
        raise UsageError(f"{rule.id} is drawn from the start of its period on; leave --since out.")
    return since_at(written, now)


def _name_others(every: Sequence[Mapping[str, str]]) -> None:
    """Who was not asked for is named."""
    from usage_watch.views.charts import names

    largest = f"{names(every[:1])} is drawn, the largest of {len(every):,}"
    click.echo(f"{largest}; others are {names(every[1:])}: choose with --series.", err=True)


def _picture(svg: str) -> bytes:
    from usage_watch.channels.email.picture import png

    found = png(svg, any_letters=True)
    if found is None:
        raise UsageError(_NO_PNG)
    return found


def _put(data: bytes, output: Path | None) -> None:
    if output is None:
        click.echo(data, nl=False)
        return
    try:
        output.write_bytes(data)
    except OSError as error:
        raise UsageError(f"{plain(str(output), _LONGEST)} cannot be written: {error.strerror}.") from None
