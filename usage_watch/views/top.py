"""Who and what used how much, against usual."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from usage_watch.core.datasets import DATASETS, find_axis
from usage_watch.core.series import DAY, EACH_MEMBER, EVERYONE, HOUR, Feed, FeedHistory
from usage_watch.core.stats.axes import Comparison, compare, splits, total
from usage_watch.core.stats.days import in_days
from usage_watch.core.units import from_epoch, to_epoch
from usage_watch.errors import UsageError
from usage_watch.store.database import Database
from usage_watch.store.history import HistoryStore

_EARLIER = timedelta(weeks=4)
"""Before those weeks: whoever is not found there either is new."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be compared."""

    dataset: str
    axis: str | None
    """None for every axis that there is."""
    since_at: datetime
    weeks: int
    """Before then: usual is their mean."""
    now: datetime

    @property
    def unit(self) -> str:
        """Of what is counted."""
        known = DATASETS.get(self.dataset)
        return "units" if known is None else known.unit


@dataclass(frozen=True, slots=True)
class Side:
    """One axis over the time that its feed covers."""

    comparison: Comparison
    from_at: datetime
    until_at: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """A feed, and what of it is compared."""

    history: FeedHistory
    from_at: datetime
    until_at: datetime


@dataclass(frozen=True, slots=True)
class Top:
    """What was found."""

    total: tuple[float, float]
    """Used, and usual."""
    over: Window
    """The time of the total."""
    sides: Sequence[Side]


def compared(database: Database, asked: Asked) -> Top:
    """Usage against its usual; UsageError where there is nothing to compare."""
    everyone, members = _windows(database, asked)
    over = everyone or members
    if over is None:
        raise UsageError(f"Nothing is stored of {asked.dataset} since then; `usage-watch status` says what is read.")
    _refuse_what_does_not_add_up(asked, over)
    sums = total(over.history, over.from_at, over.until_at, weeks=asked.weeks)
    if sums is None:
        raise UsageError(f"Nothing is stored of {asked.dataset} from the {asked.weeks} weeks before.")
    return Top(sums, over, list(_sides(asked, everyone, members)))


def _windows(database: Database, asked: Asked) -> tuple[Window | None, Window | None]:
    """Of everyone, by hours where they are read, and of each member."""
    store = HistoryStore(database)
    since = asked.since_at - timedelta(weeks=asked.weeks) - _EARLIER - _DAY
    feeds = [Feed(asked.dataset, HOUR), Feed(asked.dataset, DAY), Feed(asked.dataset, DAY, EACH_MEMBER)]
    loaded = store.load(dict.fromkeys(feeds, since))
    of_all = (_window(loaded[feed], asked) for feed in feeds if feed.scope == EVERYONE)
    return next((each for each in of_all if each is not None), None), _window(loaded[feeds[-1]], asked)


def _window(history: FeedHistory, asked: Asked) -> Window | None:
    """From the bucket that holds the asked time to the newest with any usage; of days, to the last that is over."""
    width, until = history.feed.width, history.data_until
    if until is None:
        return None
    if width == DAY:
        until = min(until, to_epoch(asked.now) // DAY * DAY)
    since = to_epoch(asked.since_at) // width * width
    return Window(history, from_epoch(since), from_epoch(until)) if since < until else None


def _refuse_what_does_not_add_up(asked: Asked, over: Window) -> None:
    known = DATASETS.get(asked.dataset)
    if known is not None and not known.additive and over.until_at - over.from_at > _DAY:
        raise UsageError(f"{asked.dataset} does not add up over several days; write --since 1d.")


def _sides(asked: Asked, everyone: Window | None, members: Window | None) -> Iterator[Side]:
    """Every axis, or the one that was asked for; UsageError where there is none of that name."""
    axes: dict[str, Window] = {}
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


def _no_such_axis(asked: Asked, axes: dict[str, Window]) -> str:
    known = f"known are {', '.join(axes)}" if axes else "it is not split at all in that time"
    return f"{asked.dataset} cannot be split by {asked.axis!r} since then: {known}; members come by whole UTC days."


def _side(axis: str, over: Window, everyone: Window | None, weeks: int) -> Side | None:
    totals = over.history if everyone is None else _as_wide(everyone.history, over.history)
    found = compare(over.history, axis, over.from_at, over.until_at, totals=totals, weeks=weeks)
    return None if found is None else Side(found, over.from_at, over.until_at)


def _as_wide(totals: FeedHistory, parts: FeedHistory) -> FeedHistory:
    return totals if totals.feed.width == parts.feed.width else in_days(totals)
