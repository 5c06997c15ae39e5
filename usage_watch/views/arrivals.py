"""How buckets came that did not come as usual: late, or changed once they were counted on; and that in words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from usage_watch.core.selection import MEMBER, fold_label
from usage_watch.core.series import SeriesKey
from usage_watch.core.units import day_time, from_epoch, number, quantity, spell_duration
from usage_watch.rules import Rule
from usage_watch.store.database import Database
from usage_watch.store.hindsight import Late, Revised
from usage_watch.store.history import HistoryStore
from usage_watch.store.replay import WATCHED
from usage_watch.views.times import Reader


@dataclass(frozen=True, slots=True)
class Came:
    """Neighbours whose usage came late, and together."""

    from_at: datetime
    until_at: datetime
    at: datetime
    """When it came."""
    behind: timedelta
    """How long after the end of the first of them."""
    was_zero: bool
    """They had been read before, as nothing."""


@dataclass(frozen=True, slots=True)
class Changed:
    """One that was changed once it was final, or once an alert was found in it."""

    from_at: datetime
    until_at: datetime
    at: datetime
    """When it last was."""
    before: int
    after: int
    was_final: bool
    """Else it was still to grow."""


Arrival = Came | Changed


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What is to be said of how the usage came that an alert was judged by."""

    shown: Sequence[Arrival]
    """In the order of time."""
    more: int
    """How many more there are that tell less."""
    bucket: str
    unit: str


_TIMES_USUAL = 2
"""What comes so many times later than usual is late."""

NOTHING = Arrivals((), 0, "", "")


def came(late: Iterable[Late], width: int) -> list[Came]:
    """What came late, the latest first; neighbours that came together are one."""
    runs = (_came(run, width) for run in _together(late, width))
    return sorted(runs, key=lambda each: each.behind, reverse=True)


def changed(revised: Iterable[Revised], late: Collection[Late], width: int) -> list[Changed]:
    """What was changed so that a reader sees it, the largest change first."""
    # A zero that was final and then came after all is said once.
    said = {each.start for each in late}
    seen = (each for each in revised if number(each.before) != number(each.after))
    found = (_changed(each, width) for each in seen if each.before or each.start not in said)
    return sorted(found, key=lambda each: -abs(each.after - each.before))


def _came(run: Sequence[Late], width: int) -> Came:
    first = run[0]
    until_at = from_epoch(run[-1].start + width)
    behind = first.used_at - from_epoch(first.start + width)
    return Came(from_epoch(first.start), until_at, first.used_at, behind, first.was_zero)


def _together(late: Iterable[Late], width: int) -> Iterator[list[Late]]:
    run: list[Late] = []
    for each in late:
        if run and (each.start, each.used_at) != (run[-1].start + width, run[-1].used_at):
            yield run
            run = []
        run.append(each)
    if run:
        yield run


def _changed(revised: Revised, width: int) -> Changed:
    from_at, until_at = from_epoch(revised.start), from_epoch(revised.start + width)
    return Changed(from_at, until_at, revised.at, revised.before, revised.after, revised.was_final)


# Of what


def late_after(database: Database, rule: Rule) -> timedelta:
    """How long after the end of a bucket its usage has to come to be late."""
    usual = HistoryStore(database).state(rule.feed).learned.usual_lag
    return timedelta(seconds=max(_TIMES_USUAL * usual, WATCHED[rule.width]))


def keys_of(rule: Rule, labels: Mapping[str, str], every: Iterable[SeriesKey]) -> list[SeriesKey]:
    """What a series of a rule is the sum of."""
    return [key for key in every if _is_part(rule, labels, key)]


def _is_part(rule: Rule, labels: Mapping[str, str], key: SeriesKey) -> bool:
    selection = rule.selection
    if not _is_of(labels.get(MEMBER, selection.member), key):
        return False
    if key.axis is None or selection.axis is None:
        return key.axis is None and selection.axis is None
    category = next((value for axis, value in labels.items() if axis != MEMBER), key.category)
    takes = selection.choice is None or selection.choice.takes(key.category or "")
    return fold_label(key.axis) == fold_label(selection.axis) and key.category == category and takes


def _is_of(member: str | None, key: SeriesKey) -> bool:
    """Whether a series is that member's; None for whoever's."""
    return member is None or (key.member or "").casefold() == member.casefold()


# In words


def rows(found: Arrivals, reader: Reader) -> Iterator[tuple[str, str]]:
    """When each was, and how it came."""
    for each in found.shown:
        yield when(each, found.bucket, reader), said(each, found.unit, reader)


def when(arrival: Arrival, bucket: str, reader: Reader) -> str:
    """`Fri 20 Nov 03:00–04:00`."""
    return reader.between(arrival.from_at, arrival.until_at, bucket)


def said(arrival: Arrival, unit: str, reader: Reader) -> str:
    """`first read 9 h after its end`, or `revised from 1,200 to 1,450 credits on Sat 21 Nov 14:00`."""
    return _late_said(arrival) if isinstance(arrival, Came) else _changed_said(arrival, unit, reader)


def _late_said(late: Came) -> str:
    verb, behind = "came" if late.was_zero else "first read", spell_duration(late.behind)
    alone = late.until_at + late.behind == late.at
    return f"{verb} {behind} after its end" if alone else f"{verb} up to {behind} late"


def _changed_said(changed: Changed, unit: str, reader: Reader) -> str:
    # What is not final only grows, as long as the source does not change its mind.
    verb = "revised" if changed.was_final or changed.after < changed.before else "grew"
    on = day_time(changed.at, reader.zone, reader.now)
    return f"{verb} from {number(changed.before)} to {quantity(changed.after, unit)} on {on}"
