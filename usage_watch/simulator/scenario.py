"""What happens to a made-up organization: when it starts, what runs away, and how the store of its usage lags."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from .arrays import DAY


@dataclass(frozen=True, slots=True)
class Runaway:
    """A job out of control: it burns credits, source `paid`, one thread a minute, beside what its owner does else."""

    member: str
    """Email of a member of the organization."""
    model: str
    """Name of one of its models."""
    start_at: datetime
    hours: int
    credits_per_hour: int


@dataclass(frozen=True, slots=True)
class SyncLag:
    """How late the store is. An hour comes in part first, then whole."""

    every_minutes: int = 15
    """The store syncs at whole multiples of this, in UTC."""
    usual_minutes: tuple[int, int] = (20, 90)
    """Earliest and latest arrival of an ordinary hour, in minutes after its end."""
    late_share: float = 0.03
    """Share of hours that come late."""
    late_minutes: tuple[int, int] = (180, 720)
    """Earliest and latest arrival of a late hour, in minutes after its end."""


@dataclass(frozen=True, slots=True)
class SyncStop:
    """A half-open interval in which nothing new arrives; it all comes with the first sync after it."""

    start_at: datetime
    end_at: datetime


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole made-up story. Equal scenarios give equal answers; the seed decides whatever is not said here."""

    seed: int
    start_at: datetime
    """Start of the first day with usage, at 00:00 UTC; everything before it is zero."""
    zone: str = "Europe/Berlin"
    """IANA zone that the members' hours follow."""
    lag: SyncLag | None = SyncLag()
    """None: everything is there as soon as its bucket is complete."""
    stops: tuple[SyncStop, ...] = ()
    runaways: tuple[Runaway, ...] = ()
    quiet: bool = False
    """Nobody does anything; only the runaways happen. For tests that count on exact numbers."""

    def __post_init__(self) -> None:
        """Raise ValueError where the story makes no sense, ZoneInfoNotFoundError where no such zone is known."""
        ZoneInfo(self.zone)
        if self.seed < 0:
            raise ValueError(f"A scenario's seed is 0 or above, not {self.seed}.")
        instants = [self.start_at, *(r.start_at for r in self.runaways)]
        instants += [instant for stop in self.stops for instant in (stop.start_at, stop.end_at)]
        if any(instant.tzinfo is None for instant in instants):
            raise ValueError("A scenario's instants need a time zone: give aware datetimes.")
        if self.start_at.timestamp() % DAY:
            raise ValueError(f"A scenario starts at 00:00 UTC, not at {self.start_at.astimezone(UTC).isoformat()}.")
