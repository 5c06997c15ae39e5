"""What happens to a made-up organization: one language for tests, `usage-watch simulate --scenario FILE` and the demo.

In a file it is YAML: the fields below under their names, times as 2026-08-10T14:00Z or, for 00:00 UTC, 2026-08-10.

    seed: 7
    start_at: 2026-08-10
    lag: {usual_minutes: [20, 90], late_share: 0.08, in_order: true, partial_share: 0.25}
    stops:
      - {start_at: 2026-09-02T22:00Z, end_at: 2026-09-03T08:00Z}
    runaways:
      - {member: ana@example.com, model: gpt-5-5, start_at: 2026-09-01T01:00Z, hours: 5, credits_per_hour: 7000}
    revisions:
      - {hour_at: 2026-09-01T02:00Z, learned_at: 2026-09-01T09:00Z, factor: 0.5}
    departures:
      - {member: max@example.com, at: 2026-09-10T12:00Z}
    faults:
      - {start_at: 2026-09-04, kind: status_503, end_at: 2026-09-04T06:00Z}
      - {start_at: 2026-09-05, kind: cut_body, dataset: credit_usage, after: 3, every: 2, times: 4}
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .arrays import DAY, HOUR
from .faultkind import FaultKind

LONGEST_RUNAWAY = 8_784
"""Hours: a year."""
LARGEST_FACTOR = 100


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise ValueError(otherwise)


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ValueError, OSError):  # no relative path, or a folder of zones
        raise ZoneInfoNotFoundError(f"No time zone found with key {name}") from None


@dataclass(frozen=True, slots=True)
class _Told:
    """A part of the story. Raises ValueError where it makes no sense."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}
    """For whoever reads a story with pydantic: a name that is no field is refused."""

    def __post_init__(self) -> None:
        """Every instant is one, whatever the zone of the machine."""
        values = [getattr(self, field.name) for field in fields(self)]
        if any(value.tzinfo is None for value in values if isinstance(value, datetime)):
            raise ValueError("A scenario's instants need a time zone: give aware datetimes, such as 2026-08-10T14:00Z.")
        self._check()

    def _check(self) -> None:
        """What else the part asks of its fields."""


@dataclass(frozen=True, slots=True)
class Runaway(_Told):
    """A job out of control: it burns credits, source `paid`, one thread a minute, beside what its owner does else."""

    member: str
    """Email of a member of the organization."""
    model: str
    """Name of one of its models."""
    start_at: datetime
    hours: int
    credits_per_hour: int

    def _check(self) -> None:
        _require(0 <= self.hours <= LONGEST_RUNAWAY, f"A runaway's hours are 0 to {LONGEST_RUNAWAY}.")
        _require(0 <= self.credits_per_hour < 2**31, "A runaway's credits_per_hour are 0 or above, and below 2**31.")


@dataclass(frozen=True, slots=True)
class SyncLag(_Told):
    """How late the store is. An hour comes in part first, then whole."""

    every_minutes: int = 15
    """The store syncs at whole multiples of this, in UTC."""
    usual_minutes: tuple[int, int] = (20, 90)
    """Earliest and latest arrival of an ordinary hour, in minutes after its end."""
    late_share: float = 0.03
    """Share of hours that come late."""
    late_minutes: tuple[int, int] = (180, 720)
    """Earliest and latest arrival of a late hour, in minutes after its end."""
    in_order: bool = False
    """Nothing of an hour comes before every earlier hour is whole: one late hour holds up all that follow."""
    partial_share: float = 1.0
    """Share of hours that come in part first; the others come all at once, when they would have been whole."""

    def _check(self) -> None:
        _require(1 <= self.every_minutes <= 1_440, "A lag's every_minutes are 1 to 1440.")
        for low, high in (self.usual_minutes, self.late_minutes):
            _require(0 <= low <= high <= 129_600, "A lag's minutes are [earliest, latest], 0 to 129600 (90 days).")
        for share in (self.late_share, self.partial_share):
            _require(0 <= share <= 1, "A lag's shares are 0 to 1.")


@dataclass(frozen=True, slots=True)
class SyncStop(_Told):
    """A half-open interval in which nothing new arrives; it all comes with the first sync after it."""

    start_at: datetime
    end_at: datetime


@dataclass(frozen=True, slots=True)
class Revision(_Told):
    """The store changes its mind about an hour, in every dataset at once, whatever the lag and the stops."""

    hour_at: datetime
    """Start of the hour."""
    learned_at: datetime
    """From here on, until the hour's next revision, it is served as revised."""
    factor: float
    """How many of the hour's threads there are, of those that it was made with: 0 takes all of them away, 0.5 keeps
    half, 2 doubles them, and 1 brings back what an earlier revision took."""

    def _check(self) -> None:
        _require(self.hour_at.timestamp() % HOUR == 0, "A revision's hour_at is the start of an hour in UTC.")
        _require(0 <= self.factor <= LARGEST_FACTOR, f"A revision's factor is 0 to {LARGEST_FACTOR}.")


@dataclass(frozen=True, slots=True)
class Departure(_Told):
    """A member leaves: gone from all of v2's history, refused as `user_email`, and doing nothing any more."""

    member: str
    """Email of a member of the organization. The jobs of hers that run away go on."""
    at: datetime


@dataclass(frozen=True, slots=True)
class Outage(_Told):
    """Requests that are answered wrongly. Of several outages the first that hits a request answers it.

    An outage meets the GET requests of its time and dataset that no outage before it in the list has hit, and whose
    right answer has something that the fault can spoil; only what it meets is counted. So outages of `times=1` play
    one after the other.
    """

    start_at: datetime
    kind: FaultKind
    end_at: datetime | None = None
    """The interval is half-open, in the time of the simulation; None: it never ends by itself."""
    dataset: str | None = None
    """Only requests for this one; None: every request."""
    every: int = 1
    """Only each nth of those it meets is hit: 3 hits the third, the sixth and so on."""
    after: int = 0
    """So many are let through first, before `every` begins to count."""
    times: int | None = None
    """So many are hit in all; None: no end of them."""

    def _check(self) -> None:
        _require(self.every >= 1, "An outage's every is 1 or above.")
        _require(self.after >= 0, "An outage's after is 0 or above.")
        _require(self.times is None or self.times >= 0, "An outage's times are 0 or above.")


@dataclass(frozen=True, slots=True)
class Scenario(_Told):
    """A whole made-up story. Equal scenarios give equal answers; the seed decides whatever is not said here.

    Raises ZoneInfoNotFoundError where no such zone is known.
    """

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
    revisions: tuple[Revision, ...] = ()
    """Several of one hour follow each other in the order of `learned_at`."""
    departures: tuple[Departure, ...] = ()
    faults: tuple[Outage, ...] = ()

    def _check(self) -> None:
        _check_zone(self.zone)
        _require(self.seed >= 0, f"A scenario's seed is 0 or above, not {self.seed}.")
        start = self.start_at.isoformat()
        _require(self.start_at.timestamp() % DAY == 0, f"A scenario starts at 00:00 UTC, not at {start}.")
        _require(self.start_at.timestamp() >= 0, f"A scenario starts in 1970 or later, not at {start}.")
