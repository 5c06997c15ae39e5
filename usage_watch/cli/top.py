"""`usage-watch top`: who and what used how much, against usual."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from usage_watch.cli.common.comparing import against_usual, by_use, comparison_json, print_comparison, times_json
from usage_watch.cli.common.printing import print_json
from usage_watch.cli.common.session import Command, Session, json_option, pass_session
from usage_watch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from usage_watch.cli.common.times import Reader
    from usage_watch.core.series import FeedHistory
    from usage_watch.core.stats.axes import Comparison
    from usage_watch.store.database import Database

_OF_EACH, _OF_ONE = 5, 20
"""Rows of each axis, and of the only one that was asked for."""
_LEAST, _MOST = 2, 8
"""Weeks that usual can be the mean of."""
_EARLIER = timedelta(weeks=4)
"""Before those weeks: whoever is not found there either is new."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be compared."""

    dataset: str
    axis: str | None
    since_at: datetime
    weeks: int
    now: datetime


@dataclass(frozen=True, slots=True)
class _Side:
    """One axis over the time that its feed covers."""

    comparison: Comparison
    from_at: datetime
    until_at: datetime


@dataclass(frozen=True, slots=True)
class _Window:
    """A feed, and what of it is compared."""

    history: FeedHistory
    from_at: datetime
    until_at: datetime


@dataclass(frozen=True, slots=True)
class _Top:
    """What was found."""

    total: tuple[float, float]
    """Used, and usual."""
    over: _Window
    """The time of the total."""
    sides: Sequence[_Side]


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
    from usage_watch.cli.common.times import Reader, since_at
    from usage_watch.clock import open_clock

    config, now = session.config(), open_clock().now()
    asked = _Asked(dataset, axis, since_at(since, now), _weeks(against), now)
    with session.reading(config) as database:
        found = _found(database, asked)
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


# What is compared


def _found(database: Database, asked: _Asked) -> _Top:
    from usage_watch.core.stats.axes import total

    everyone, members = _windows(database, asked)
    over = everyone or members
    if over is None:
        raise UsageError(f"Nothing is stored of {asked.dataset} since then; `usage-watch status` says what is read.")
    _refuse_what_does_not_add_up(asked, over)
    sums = total(over.history, over.from_at, over.until_at, weeks=asked.weeks)
    if sums is None:
        raise UsageError(f"Nothing is stored of {asked.dataset} from the {asked.weeks} weeks before.")
    return _Top(sums, over, list(_sides(asked, everyone, members)))


def _windows(database: Database, asked: _Asked) -> tuple[_Window | None, _Window | None]:
    """Of everyone, by hours where they are read, and of each member."""
    from usage_watch.core.series import DAY, EACH_MEMBER, EVERYONE, HOUR, Feed
    from usage_watch.store.history import HistoryStore

    store = HistoryStore(database)
    since = asked.since_at - timedelta(weeks=asked.weeks) - _EARLIER - _DAY
    feeds = [Feed(asked.dataset, HOUR), Feed(asked.dataset, DAY), Feed(asked.dataset, DAY, EACH_MEMBER)]
    loaded = store.load(dict.fromkeys(feeds, since))
    of_all = (_window(loaded[feed], asked) for feed in feeds if feed.scope == EVERYONE)
    return next((each for each in of_all if each is not None), None), _window(loaded[feeds[-1]], asked)


def _window(history: FeedHistory, asked: _Asked) -> _Window | None:
    """From the bucket that holds the asked time to the newest with any usage; of days, to the last that is over."""
    from usage_watch.core.series import DAY
    from usage_watch.core.units import from_epoch, to_epoch

    width, until = history.feed.width, history.data_until
    if until is None:
        return None
    if width == DAY:
        until = min(until, to_epoch(asked.now) // DAY * DAY)
    since = to_epoch(asked.since_at) // width * width
    return _Window(history, from_epoch(since), from_epoch(until)) if since < until else None


def _refuse_what_does_not_add_up(asked: _Asked, over: _Window) -> None:
    from usage_watch.core.datasets import DATASETS

    known = DATASETS.get(asked.dataset)
    if known is not None and not known.additive and over.until_at - over.from_at > _DAY:
        raise UsageError(f"{asked.dataset} does not add up over several days; write --since 1d.")


def _sides(asked: _Asked, everyone: _Window | None, members: _Window | None) -> Iterator[_Side]:
    """Every axis, or the one that was asked for; UsageError where there is none of that name."""
    from usage_watch.core.datasets import find_axis
    from usage_watch.core.stats.axes import splits

    axes: dict[str, _Window] = {}
    for over in (members, everyone):  # of an axis that both have, what was asked for as a whole
        axes |= {} if over is None else dict.fromkeys(splits(over.history), over)
    wanted = list(axes)
    if asked.axis is not None:
        name = find_axis(asked.axis, axes)
        if name is None:
            raise UsageError(_no_such_axis(asked, axes))
        wanted = [name]
    for axis in wanted:
        side = _side(axis, axes[axis], everyone, asked.weeks)
        if side is not None:
            yield side


def _no_such_axis(asked: _Asked, axes: dict[str, _Window]) -> str:
    known = f"known are {', '.join(axes)}" if axes else "it is not split at all in that time"
    return f"{asked.dataset} cannot be split by {asked.axis!r} since then: {known}; members come by whole UTC days."


def _side(axis: str, over: _Window, everyone: _Window | None, weeks: int) -> _Side | None:
    from usage_watch.core.stats.axes import compare

    totals = over.history if everyone is None else _as_wide(everyone.history, over.history)
    found = compare(over.history, axis, over.from_at, over.until_at, totals=totals, weeks=weeks)
    return None if found is None else _Side(found, over.from_at, over.until_at)


def _as_wide(totals: FeedHistory, parts: FeedHistory) -> FeedHistory:
    from usage_watch.core.stats.days import in_days

    return totals if totals.feed.width == parts.feed.width else in_days(totals)


# In words


def _print(found: _Top, asked: _Asked, reader: Reader) -> None:
    rising = found.total[0] >= found.total[1]
    days = found.over.history.feed.width >= _DAY.total_seconds()
    over = reader.between(found.over.from_at, found.over.until_at, "1d" if days else "1h")
    zone = "UTC days" if days else f"times in {reader.zone.key}"
    click.echo(f"{asked.dataset}, {over} ({zone}), against the {asked.weeks} weeks before")
    click.echo(f"Total  {against_usual(*found.total, _unit(asked))}")
    for side in found.sides:
        order = by_use(side.comparison)
        if not order:
            continue
        click.echo()
        if (side.from_at, side.until_at) != (found.over.from_at, found.over.until_at):
            click.echo(f"{reader.between(side.from_at, side.until_at, '1d')} (UTC days)")
        print_comparison(side.comparison, order, _shown(asked), rising=rising)


def _data(found: _Top, asked: _Asked) -> dict[str, Any]:
    used, usual = found.total
    rising = used >= usual
    return {
        "dataset": asked.dataset,
        "unit": _unit(asked),
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


def _shown(asked: _Asked) -> int:
    return _OF_EACH if asked.axis is None else _OF_ONE


def _unit(asked: _Asked) -> str:
    from usage_watch.core.datasets import DATASETS

    known = DATASETS.get(asked.dataset)
    return "units" if known is None else known.unit
