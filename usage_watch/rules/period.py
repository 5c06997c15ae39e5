"""The periods of a budget, as users write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Discriminator, Field, Tag

from usage_watch.core.periods import Calendar, Every, Fixed, Periods
from usage_watch.core.series import DAY
from usage_watch.core.units import Duration
from usage_watch.rules.common import FileDefaults, Strict
from usage_watch.rules.fields import Day, Zone


class CalendarPeriod(Strict):
    """A calendar period with a first day or a zone of its own."""

    every: Literal["day", "week", "month", "quarter", "year"]
    """day, week (from Monday), month, quarter or year."""
    starts_on: Annotated[int, Field(ge=1, le=31, strict=True)] = 1
    """Day of the month on which months, quarters and years start; 29 to 31 clamp to the month's end."""
    timezone: Zone | None = None
    """The zone of its midnights; the file's by default."""


class FixedPeriod(Strict):
    """A period of whole days, counted from a date."""

    every: Duration
    """Whole days, such as 30d."""
    from_: Annotated[Day, Field(alias="from")]
    """The first day of the first period."""
    timezone: Zone | None = None
    """The zone of its midnights; the file's by default."""


class RollingPeriod(Strict):
    """What lies so far back at any time: it begins and ends with every hour or day."""

    rolling: Duration
    """Whole days, such as 30d."""


def _form(value: Any) -> str:
    if isinstance(value, RollingPeriod) or (isinstance(value, Mapping) and "rolling" in value):
        return "rolling"
    if not isinstance(value, Mapping | CalendarPeriod | FixedPeriod):
        return "name"
    if isinstance(value, Mapping):
        return "fixed" if "from" in value or str(value.get("every"))[:1].isdigit() else "calendar"
    return "fixed" if isinstance(value, FixedPeriod) else "calendar"


Period = Annotated[
    Annotated[Literal["cycle", "day", "week", "month", "quarter", "year"], Tag("name")]
    | Annotated[CalendarPeriod, Tag("calendar")]
    | Annotated[FixedPeriod, Tag("fixed")]
    | Annotated[RollingPeriod, Tag("rolling")],
    Discriminator(_form),
]


def periods_of(
    period: str | CalendarPeriod | FixedPeriod | RollingPeriod, defaults: FileDefaults, *, snap: bool
) -> Periods:
    """The periods that were meant; zone and billing day are the file's unless written. `snap` takes UTC days.

    Raises TypeError for a rolling one, which has neither beginning nor end.
    """
    if isinstance(period, RollingPeriod):
        raise TypeError("a rolling period has neither beginning nor end")
    own = None if isinstance(period, str) else period.timezone
    zone = ZoneInfo("UTC") if snap else own or defaults.zone
    if isinstance(period, FixedPeriod):
        return Fixed(int(period.every.total_seconds()) // DAY, zone, period.from_)
    if isinstance(period, CalendarPeriod):
        return Calendar(Every(period.every), zone, period.starts_on)
    if period == "cycle":
        return Calendar(Every.MONTH, zone, defaults.billing_day)
    return Calendar(Every(period), zone)
