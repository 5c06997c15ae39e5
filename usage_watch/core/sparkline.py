"""A series as one line of text: `410 ▁▂▂▃▅█ 12,345 credits in 3 h`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from usage_watch.core.message import Drawn, Fact
from usage_watch.core.plain import plain
from usage_watch.core.units import local_time, number, span, spell_duration

_STEPS = "▁▂▃▄▅▆▇█"
_UNKNOWN = "·"
_NAMED = 80
"""Characters kept of what the values are."""
_DAY, _UTC = timedelta(days=1), ZoneInfo("UTC")


def sparkline(values: Sequence[float | None]) -> str:
    """One character a value, of eight heights from 0 to the highest; `·` where it is not known."""
    top = max((value for value in values if value is not None), default=0.0)
    return "".join(_UNKNOWN if value is None else _step(value, top) for value in values)


def _step(value: float, top: float) -> str:
    share = max(value, 0.0) / top if top > 0 else 0.0
    return _STEPS[round(share * (len(_STEPS) - 1))]


def trend(series: Drawn, zone: ZoneInfo, now: datetime, *, by_days: bool) -> Fact:
    """A row: over which time, and the course with the first and the last value that are known."""
    known = [value for value in series.values if value is not None]
    line = f"{number(known[0])} {sparkline(series.values)} {number(known[-1])} {plain(series.what, _NAMED)}"
    return Fact(f"{_length(series)} to {_until(series.until_at, zone, now, by_days=by_days)}", line)


def _length(series: Drawn) -> str:
    whole = timedelta(seconds=series.step * len(series.values))
    hours = whole // timedelta(hours=1)
    return f"{hours} h" if hours <= 48 and series.step < 86_400 else spell_duration(whole)


def _until(at: datetime, zone: ZoneInfo, now: datetime, *, by_days: bool) -> str:
    """The source's days are UTC days: the last one is named."""
    return span(at - _DAY, at, _UTC, now) if by_days else local_time(at, zone, now)
