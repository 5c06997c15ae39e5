"""How buckets came that did not come as usual: late, or changed once they were counted on; and that in words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from usage_watch.core.units import day_time, from_epoch, number, quantity, spell_duration
from usage_watch.store.hindsight import Late, Revised
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
