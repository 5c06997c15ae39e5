"""Durations, percentages, numbers and times: as users write them, as they are stored, and as people read them.

`Duration` and `Percent` are types for pydantic models, yet nothing here imports pydantic before a model is built: a
command that only prints numbers need not pay for it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

# Durations

_UNITS = {"y": 365 * 86_400, "w": 7 * 86_400, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
"""Seconds. A year is 365 days and a day 24 hours: durations know no calendar."""
_DURATION = re.compile("(?=[0-9])" + "".join(rf"(?:([0-9]{{1,12}}){unit})?" for unit in _UNITS))
_LONGEST = timedelta(days=100 * 365)


def parse_duration(text: str) -> timedelta:
    """`90s`, `15m`, `2h`, `7d`, `4w`, `2y`, or a sum such as `1h30m`, largest unit first. Raises ValueError."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("write a duration such as 15m, 2h, 7d or 1h30m")
    seconds = sum(int(count or 0) * unit for count, unit in zip(match.groups(), _UNITS.values(), strict=True))
    if seconds > _LONGEST.total_seconds():
        raise ValueError("write a duration of at most 100y")
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """As `parse_duration` reads it: `1h30m`, `28d`, `2y`. Takes whole seconds from 0; raises ValueError."""
    if duration < timedelta() or duration.microseconds:
        raise ValueError("a duration is written in whole seconds, and not below 0")
    if duration and not duration % timedelta(days=365):
        return f"{duration // timedelta(days=365)}y"
    parts = _split(duration, ("d", "h", "m", "s"))
    return "".join(f"{count}{unit}" for unit, count in parts if count) or "0s"


def spell_duration(duration: timedelta) -> str:
    """For people, to two units and rounded down: `3 h`, `2 d 4 h`, `1 h 10 min`, `-5 min`."""
    if duration <= timedelta(seconds=-1):
        return f"-{spell_duration(-duration)}"
    parts = _split(duration, ("d", "h", "m", "s"))
    first = next((index for index, (_, count) in enumerate(parts) if count), len(parts) - 1)
    shown = [f"{count} {'min' if unit == 'm' else unit}" for unit, count in parts[first : first + 2] if count]
    return " ".join(shown) or "0 s"


def _split(duration: timedelta, units: tuple[str, ...]) -> list[tuple[str, int]]:
    rest = int(duration.total_seconds())
    parts = []
    for unit in units:
        count, rest = divmod(rest, _UNITS[unit])
        parts.append((unit, count))
    return parts


# Percentages

_PERCENT = re.compile(r"[0-9]+(?:\.[0-9]+)?%")


def parse_percent(text: str) -> float:
    """`80%` -> 80.0. Raises ValueError unless it is a finite number above 0 with its sign."""
    value = float(text[:-1]) if _PERCENT.fullmatch(text) else math.nan
    if not 0 < value < math.inf:
        raise ValueError("write a percentage above 0 such as 80%")
    return value


def format_percent(value: float) -> str:
    """80.0 -> `80%`, exactly as `parse_percent` reads it."""
    return f"{_plain(repr(float(value)), commas='')}%"


# Both as types of fields


@dataclass(frozen=True, slots=True)
class _Written:
    """Makes a pydantic field that is text in the rules file and a value in memory. (Defaults are not validated.)"""

    parse: Callable[[str], Any]
    write: Callable[[Any], str]
    wanted: str
    """The sentence for what is not even text."""
    pattern: str
    examples: tuple[str, ...]

    def __get_pydantic_core_schema__(self, source: type, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        # The value's own schema stays inside, for bounds such as `Field(ge=...)` to act on.
        return core_schema.no_info_before_validator_function(
            self._read, handler(source), serialization=core_schema.plain_serializer_function_ser_schema(self.write)
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "pattern": self.pattern, "examples": list(self.examples)}

    def _read(self, written: object) -> Any:
        if not isinstance(written, str):
            raise ValueError(self.wanted)
        return self.parse(written)


Duration = Annotated[
    timedelta,
    _Written(
        parse=parse_duration,
        write=format_duration,
        wanted="write a duration such as 15m, 2h, 7d or 1h30m",
        pattern="^(?=[0-9])" + "".join(f"([0-9]+{unit})?" for unit in _UNITS) + "$",
        examples=("15m", "2h", "7d", "1h30m"),
    ),
]
"""A field that takes `15m` and holds a timedelta. Write defaults as text, `Field("15m", validate_default=True)`: then
the JSON schema shows them so; a default timedelta works, and is shown as `PT15M`."""

Percent = Annotated[
    float,
    _Written(
        parse=parse_percent,
        write=format_percent,
        wanted="write a percentage above 0 such as 80%",
        pattern=r"^[0-9]+(\.[0-9]+)?%$",
        examples=("80%", "2.5%"),
    ),
]
"""A field that takes `80%` and holds 80.0; defaults as for `Duration`."""

# Numbers for people


def number(value: float) -> str:
    """`12,345`, `0.5`, `12.3`: below 100 three significant digits, above none behind the point, and no exponents."""
    value = float(value)
    if not math.isfinite(value):
        return "n/a" if math.isnan(value) else f"{'-' if value < 0 else ''}∞"
    return _plain(f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}")


def percent(share: float) -> str:
    """0.634 -> `63 %`, 0.0123 -> `1.2 %`. What is short of 100 % never says that it is there: 0.9996 -> `99.9 %`."""
    value = share * 100
    if not math.isfinite(value):
        return f"{number(value)} %"
    if 99 < value < 100:
        return f"{_plain(str(math.floor(value * 10) / 10))} %"
    return f"{_plain(f'{value:.2g}' if abs(value) < 10 else f'{value:.0f}')} %"


SECONDS = "s"
"""The unit of a value that is a duration."""


def quantity(value: float, unit: str) -> str:
    """A count with its unit: `12,345 credits`, `1 query`, `63 %`; seconds as the duration that they are: `41 min`."""
    if unit == "%":
        return percent(value / 100)
    if unit == SECONDS:
        return spell_duration(timedelta(seconds=value))
    return f"{number(value)} {_singular(unit) if value == 1 else unit}"


def _singular(unit: str) -> str:
    return unit[:-3] + "y" if unit.endswith("ies") else unit.removesuffix("s")


def _plain(digits: str, commas: str = ",") -> str:
    """A number's text without exponent, idle zeros and a minus before 0."""
    text = f"{Decimal(digits):{commas}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


# Times

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def to_epoch(at: datetime) -> int:
    """Whole seconds since 1970, rounded down. Raises ValueError for a naive time."""
    return (_aware(at) - _EPOCH) // timedelta(seconds=1)


def from_epoch(seconds: int) -> datetime:
    """The UTC time so many seconds after 1970."""
    return _EPOCH + timedelta(seconds=seconds)


def local_time(at: datetime, zone: ZoneInfo, now: datetime) -> str:
    """For people in `zone`: `14:00`, on another day than now `Sat 21 Nov 14:00`, in another year with the year."""
    local, today = _local(at, zone), _local(now, zone).date()
    return _clock(local) if local.date() == today else day_time(at, zone, now)


def day_time(at: datetime, zone: ZoneInfo, now: datetime) -> str:
    """The same with its day on any: for what is read later than it is written."""
    local = _local(at, zone)
    return f"{_day(local.date(), _local(now, zone).date())} {_clock(local)}"


def span(start_at: datetime, end_at: datetime, zone: ZoneInfo, now: datetime) -> str:
    """The time from `start_at` up to `end_at` for people: `14:00–16:00`, `Sat 21 Nov 22:00–24:00`.

    Whole days are named without hours, the last one included (`Sat 21 Nov – Mon 23 Nov`); a span over midnight names
    both days.
    """
    if end_at <= start_at:
        return local_time(start_at, zone, now)
    first, last, today = _local(start_at, zone), _local(end_at, zone), _local(now, zone).date()
    to_midnight = last.time() == time()
    last_day = last.date() - timedelta(days=1) if to_midnight else last.date()
    days = list(dict.fromkeys(_day(day, today) for day in (first.date(), last_day)))
    if to_midnight and first.time() == time():
        return " – ".join(days)
    until = "24:00" if to_midnight else _clock(last)
    if len(days) == 1:
        return f"{local_time(start_at, zone, now)}–{until}"
    return f"{days[0]} {_clock(first)} – {days[1]} {until}"


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a time without its zone is no instant")
    return at


def _local(at: datetime, zone: ZoneInfo) -> datetime:
    return _aware(at).astimezone(zone)


def short_day(day: date) -> str:
    """`21 Nov`, where there is no room for more."""
    return f"{day.day} {_MONTHS[day.month - 1]}"


def _day(day: date, today: date) -> str:
    text = f"{_WEEKDAYS[day.weekday()]} {short_day(day)}"
    return text if day.year == today.year else f"{text} {day.year}"


def _clock(local: datetime) -> str:
    """Hour and minute; where clocks are set back and an hour comes twice, with the zone's name of that hour."""
    twice = local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset()
    return f"{local:%H:%M} {local.tzname()}" if twice else f"{local:%H:%M}"
