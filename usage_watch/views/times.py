"""Times as users write them and as they read them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from usage_watch.core.units import local_time, parse_duration, span
from usage_watch.errors import UsageError

_DAY = timedelta(days=1)
_UTC = ZoneInfo("UTC")


def since_at(text: str, now: datetime) -> datetime:
    """`7d` before now, or `2026-11-01`, or `2026-11-01T14:00+01:00`; UTC where no offset is given. UsageError else."""
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    try:
        return now - parse_duration(text)
    except (ValueError, OverflowError):
        raise UsageError(f"--since {text!r} is no time; write 7d, 2026-11-01 or 2026-11-01T14:00Z.") from None


@dataclass(frozen=True, slots=True)
class Reader:
    """Whoever reads times: in which zone, and when."""

    zone: ZoneInfo
    now: datetime

    def moment(self, at: datetime | None, never: str = "never") -> str:
        """`14:00`, on another day `Sat 21 Nov 14:00`."""
        return never if at is None else local_time(at, self.zone, self.now)

    def first(self, start_at: datetime, bucket: str) -> str:
        """When something began: its hour, or its day where it was counted by days, which are the source's UTC days."""
        return self._day(start_at) if bucket == "1d" else self.moment(start_at)

    def last(self, end_at: datetime | None, bucket: str, never: str = "never") -> str:
        """When something ended: the end of its hour, or its last day."""
        if end_at is None or bucket != "1d":
            return self.moment(end_at, never)
        return self._day(end_at - _DAY)

    def between(self, start_at: datetime, end_at: datetime, bucket: str) -> str:
        """`13:00–16:00`; days where it was counted by days."""
        return span(start_at, end_at, _UTC if bucket == "1d" else self.zone, self.now)

    def _day(self, start_at: datetime) -> str:
        return span(start_at, start_at + _DAY, _UTC, self.now)
