"""Times between memory (aware UTC datetimes) and disk (epoch seconds)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload


def seconds(at: datetime) -> int:
    """Whole epoch seconds, rounded down: what usage history is kept in."""
    return int(at.timestamp() // 1)


def instant(at: datetime) -> float:
    """Epoch seconds to the microsecond: what decides what is due when is kept in."""
    return at.timestamp()


@overload
def moment(stored: float) -> datetime: ...
@overload
def moment(stored: float | None) -> datetime | None: ...
def moment(stored: float | None) -> datetime | None:
    """The datetime that `seconds` or `instant` wrote; None stays None."""
    return None if stored is None else datetime.fromtimestamp(stored, UTC)
