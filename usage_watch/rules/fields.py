"""Types of fields that users write in rules and at the top of the file."""

from __future__ import annotations

import difflib
import re
from datetime import date, timedelta
from functools import cache
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from usage_watch.core.units import format_duration, parse_duration

NAME = r"^[a-z0-9][a-z0-9-]{0,63}$"
"""How rules and channels may be called."""


@cache
def _known_zones() -> frozenset[str]:
    return frozenset(available_timezones())  # opens every file of the zone database


def _zone(value: object) -> ZoneInfo:
    if isinstance(value, ZoneInfo):
        return value
    known = _known_zones()
    if isinstance(value, str) and value in known:
        return ZoneInfo(value)
    close = difflib.get_close_matches(str(value)[:64], known, 1, 0.6)
    raise ValueError(
        f"is no time zone; did you mean {close[0]}?" if close else "is no time zone; write one such as Europe/Berlin"
    )


Zone = Annotated[
    ZoneInfo,
    PlainValidator(_zone),
    PlainSerializer(lambda zone: zone.key, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["UTC", "Europe/Berlin"]}),
]
"""A time zone by its IANA name."""


_DAY = re.compile("(20[0-9]{2})-([0-9]{2})-([0-9]{2})")


def _day(value: object) -> date:
    if isinstance(value, date):
        return value
    match = _DAY.fullmatch(value) if isinstance(value, str) else None
    try:
        year, month, day = map(int, match.groups()) if match else (0, 0, 0)
        return date(year, month, day)
    except ValueError:
        raise ValueError("is no day; write one from 2000 to 2099 such as 2026-11-26") from None


Day = Annotated[
    date, PlainValidator(_day), PlainSerializer(date.isoformat), WithJsonSchema({"type": "string", "format": "date"})
]
"""A calendar day, `2026-11-26`."""


_SWITCH = {True: True, "yes": True, "on": True, "true": True, False: False, "no": False, "off": False, "false": False}


def _switch(value: object) -> bool:
    if isinstance(value, bool | str) and value in _SWITCH:
        return _SWITCH[value]
    raise ValueError("takes yes or no")


Switch = Annotated[
    bool,
    PlainValidator(_switch),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"enum": ["yes", "no", "on", "off"]}]}),
]
"""yes or no, on or off, true or false: to YAML 1.2 only the last two are more than words."""


_REMINDED = "write a duration of at least 1h such as 24h, or off"


def _remind_every(value: object) -> timedelta | Literal["off"]:
    if value == "off":
        return "off"
    try:
        wait = parse_duration(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError(_REMINDED) from None
    if not isinstance(wait, timedelta) or wait < timedelta(hours=1):
        raise ValueError(_REMINDED)
    return wait


RemindEvery = Annotated[
    timedelta | Literal["off"],
    PlainValidator(_remind_every),
    PlainSerializer(lambda wait: wait if isinstance(wait, str) else format_duration(wait), return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^(([0-9]+[ywdhms])+|off)$", "examples": ["24h", "3d", "off"]}),
]
"""A duration from 1h up, or `off`: to YAML 1.2 a word."""
