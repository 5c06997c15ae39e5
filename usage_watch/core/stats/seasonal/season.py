"""Which season a bucket belongs to, on the clocks of the people whose usage it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from usage_watch.core.series import DAY, HOUR, Flags, Ints, Width

_THURSDAY = 3
"""1 January 1970; Monday is 0."""
_SATURDAY, _SUNDAY = 5, 6


@dataclass(frozen=True, slots=True)
class Season:
    """The season of each bucket. Arrays of shape (n,)."""

    slots: Ints
    """Hour of the week, 0 to 167, from Monday 00:00 on; of days: day of the week, 0 to 6."""
    classes: Ints
    """Hour of the day, and 24 more on a weekend; of days: 0, and 1 on a weekend."""

    @classmethod
    def joined(cls, parts: Sequence[Season]) -> Season:
        """The season of what follows each other."""
        return cls(np.concatenate([part.slots for part in parts]), np.concatenate([part.classes for part in parts]))

    def rows(self, rows: slice) -> Season:
        """The season of some of the buckets."""
        return Season(self.slots[rows], self.classes[rows])


def season_of(starts: Ints, width: Width, zone: ZoneInfo) -> Season:
    """The season of buckets that start at `starts` (epoch seconds).

    Hours follow the clocks of `zone`, across daylight saving time. The source's days are UTC days whatever the zone.
    """
    local = starts + _offsets(starts, zone) if width == HOUR else starts
    weekday = (local // DAY + _THURSDAY) % 7
    weekend = (weekday >= _SATURDAY).astype(np.int64)
    if width == DAY:
        return Season(weekday, weekend)
    hour = local % DAY // HOUR
    return Season(24 * weekday + hour, 24 * weekend + hour)


def as_weekend(season: Season, days_off: Flags, width: Width) -> Season:
    """The same, with the buckets of `days_off` (shape (n,)) treated as those of a Sunday."""
    by_day = DAY // width
    hour = season.slots % by_day
    slots = np.where(days_off, _SUNDAY * by_day + hour, season.slots)
    return Season(slots, np.where(days_off, by_day + hour, season.classes))


def _offsets(starts: Ints, zone: ZoneInfo) -> Ints:
    """Seconds that the zone's clocks are ahead of UTC: asked once a day, and once a bucket where they change."""
    days, of_day = np.unique(starts // DAY, return_inverse=True)
    first = np.array([_offset(day * DAY, zone) for day in days.tolist()], dtype=np.int64)
    last = np.array([_offset((day + 1) * DAY - 1, zone) for day in days.tolist()], dtype=np.int64)
    offsets: Ints = first[of_day]
    for index in np.flatnonzero((first != last)[of_day]).tolist():
        offsets[index] = _offset(int(starts[index]), zone)
    return offsets


def _offset(at: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(at, UTC).astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0
