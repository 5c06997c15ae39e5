"""`usage-watch top`: who and what used how much, against usual."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from usage_watch.cli.common.comparing import comparison_json, print_comparison, times_json
from usage_watch.cli.common.printing import print_json
from usage_watch.cli.common.session import Command, Session, json_option, pass_session
from usage_watch.errors import UsageError
from usage_watch.views.comparing import against_usual, by_use

if TYPE_CHECKING:
    from usage_watch.views.times import Reader
    from usage_watch.views.top import Asked, Top

_OF_EACH, _OF_ONE = 5, 20
"""Rows of each axis, and of the only one that was asked for."""
_LEAST, _MOST = 2, 8
"""Weeks that usual can be the mean of."""
_DAY = timedelta(days=1)


@click.command(cls=Command)
@click.argument("axis", required=False)
@click.option(
    "--since",
    default="1d",
    show_default=True,
    metavar="TIME",
    help="From when on: 7d, 2026-11-01 or 2026-11-01T14:00Z. Members are counted by whole UTC days.",
)
@click.option(
    "--against",
    default="4w",
    show_default=True,
    metavar="WEEKS",
    help="Usual is the mean of the same weekdays and hours of so many weeks before: 2w to 8w.",
)
@click.option("--dataset", default="credit_usage", show_default=True, metavar="NAME", help="What is counted.")
@json_option
@pass_session
def top(session: Session, axis: str | None, since: str, against: str, dataset: str, as_data: bool) -> None:
    """Say who and what used how much, against the usual.

    AXIS is `member`, `Model` or another axis of the dataset; without it the largest of each are listed. `of the rise`
    is the part in all that rose: falls elsewhere do not count against it.
    """
    from usage_watch.clock import open_clock
    from usage_watch.views.times import Reader, since_at
    from usage_watch.views.top import Asked, compared

    config, now = session.config(), open_clock().now()
    asked = Asked(dataset, axis, since_at(since, now), _weeks(against), now)
    with session.reading(config) as database:
        found = compared(database, asked)
    if as_data:
        print_json(_data(found, asked))
    else:
        _print(found, asked, Reader(config.timezone, now))


def _weeks(text: str) -> int:
    from usage_watch.core.units import parse_duration

    try:
        weeks, rest = divmod(parse_duration(text), timedelta(weeks=1))
    except ValueError:
        weeks, rest = 0, timedelta()
    if rest or not _LEAST <= weeks <= _MOST:
        raise UsageError(f"--against {text!r} is not {_LEAST} to {_MOST} whole weeks; write 4w.")
    return weeks


def _print(found: Top, asked: Asked, reader: Reader) -> None:
    rising = found.total[0] >= found.total[1]
    days = found.over.history.feed.width >= _DAY.total_seconds()
    over = reader.between(found.over.from_at, found.over.until_at, "1d" if days else "1h")
    zone = "UTC days" if days else f"times in {reader.zone.key}"
    click.echo(f"{asked.dataset}, {over} ({zone}), against the {asked.weeks} weeks before")
    click.echo(f"Total  {against_usual(*found.total, asked.unit)}")
    for side in found.sides:
        order = by_use(side.comparison)
        if not order:
            continue
        click.echo()
        if (side.from_at, side.until_at) != (found.over.from_at, found.over.until_at):
            click.echo(f"{reader.between(side.from_at, side.until_at, '1d')} (UTC days)")
        print_comparison(side.comparison, order, _shown(asked), rising=rising)


def _data(found: Top, asked: Asked) -> dict[str, Any]:
    used, usual = found.total
    rising = used >= usual
    return {
        "dataset": asked.dataset,
        "unit": asked.unit,
        "against_weeks": asked.weeks,
        **times_json(found.over.from_at, found.over.until_at),
        "total": {"used": used, "usual": round(usual, 1), "change": round(used - usual, 1)},
        "axes": [
            {
                **times_json(side.from_at, side.until_at),
                **comparison_json(side.comparison, by_use(side.comparison)[: _shown(asked)], rising=rising),
            }
            for side in found.sides
        ],
    }


def _shown(asked: Asked) -> int:
    return _OF_EACH if asked.axis is None else _OF_ONE
