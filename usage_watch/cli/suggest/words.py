"""What the comments of a suggestion say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

from usage_watch.cli.frequency.counting import Counted, Firing
from usage_watch.core.plain import plain
from usage_watch.core.units import from_epoch, short_day

UTC = ZoneInfo("UTC")
_SHOWN = 6
_LONGEST = 40
"""Characters of a name."""
_TIMES = {1: "once", 2: "twice"}


def told(counted: Counted | None, zone: ZoneInfo) -> str:
    """How often a rule would have fired, and when."""
    if counted is None:
        return "How often it would have fired is not known: nothing is stored yet of what it judges."
    days = f"{counted.days:.0f} days"
    if not counted.firings:
        return f"Would never have fired in {days}."
    if all(each.part is None for each in counted.firings):
        return f"Would have fired {_times(counted.firings)} in {days}: {_when(counted.firings, zone)}."
    by_part: dict[str, list[Firing]] = defaultdict(list)
    for each in counted.firings:
        by_part[each.part or ""].append(each)
    parts = (f"{part} {_times(found)} ({_when(found, zone)})" for part, found in by_part.items())
    return f"Would have fired in {days}: {', '.join(parts)}."


def _times(found: Sequence[Firing]) -> str:
    return _TIMES.get(len(found), f"{len(found):,} times")


def _when(found: Sequence[Firing], zone: ZoneInfo) -> str:
    """The newest of them, in the order of time."""
    shown = [_said(each, zone) for each in found[-_SHOWN:]]
    return ("…, " if len(found) > _SHOWN else "") + ", ".join(dict.fromkeys(shown))


def _said(firing: Firing, zone: ZoneInfo) -> str:
    names = _names(firing.labels.values())
    return date_of(int(firing.at.timestamp()), zone) + (f" {names}" if names else "")


def _names(values: Iterable[str]) -> str:
    return ", ".join(plain(value, _LONGEST) for value in values)


def date_of(at: int, zone: ZoneInfo) -> str:
    """`3 Oct`: the day of an instant (epoch seconds)."""
    return short_day(from_epoch(at).astimezone(zone).date())
