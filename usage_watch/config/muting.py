"""`events` and `mute`: when the rules file wants quiet, and what it says of days that are not as others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Annotated, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import Field, PlainSerializer, PlainValidator, ValidationInfo, WithJsonSchema, field_validator

from usage_watch.config.shapes import either, near
from usage_watch.core.lessons import Lessons
from usage_watch.core.mute import Mute
from usage_watch.core.schedule import WEEKDAYS, Days, Weekly, clock
from usage_watch.rules.common import Strict
from usage_watch.rules.fields import Day, Switch

RULE_PATTERN = r"^[a-z0-9*:_-]{1,64}$"
"""A rule's id, or some."""
_ANY_DAY = frozenset(range(len(WEEKDAYS)))
_NO_DAYS = "write days such as mon-fri, sun or [mon, wed]"
_DAYS_PATTERN = f"^({'|'.join(WEEKDAYS)})(-({'|'.join(WEEKDAYS)}))?$"
_HOURS = re.compile("([0-9]{1,2}):([0-9]{2}) ?- ?([0-9]{1,2}):([0-9]{2})")
_DAY = timedelta(days=1)


class Hours(NamedTuple):
    """By the clock, as time since midnight."""

    begins: timedelta
    ends: timedelta


_WHOLE_DAY = Hours(timedelta(), _DAY)


def _days(written: object) -> frozenset[int]:
    if isinstance(written, frozenset):
        return written
    parts = written if isinstance(written, list) else [written]
    if not parts:
        raise ValueError(_NO_DAYS)
    return frozenset(day for part in parts for day in _range(part))


def _range(written: object) -> Iterator[int]:
    """`fri-mon` goes over the week's end."""
    if not isinstance(written, str):
        raise ValueError(_NO_DAYS)
    first, _, last = written.partition("-")
    begin, end = _weekday(first), _weekday(last or first)
    yield from (day % len(WEEKDAYS) for day in range(begin, end + 1 if begin <= end else end + len(WEEKDAYS) + 1))


def _weekday(name: str) -> int:
    if name in WEEKDAYS:
        return WEEKDAYS.index(name)
    meant = near(name, WEEKDAYS)
    raise ValueError(f"{_NO_DAYS}; did you mean {meant}?" if meant else f"{_NO_DAYS}; days are {either(WEEKDAYS)}")


def _hours(written: object) -> Hours:
    if isinstance(written, Hours):
        return written
    match = _HOURS.fullmatch(written) if isinstance(written, str) else None
    times = [int(each) for each in match.groups()] if match else [24, 24, 24, 24]
    begins, ends = (timedelta(hours=times[at], minutes=times[at + 1]) for at in (0, 2))
    if begins >= _DAY or ends > _DAY or max(times[1], times[3]) > 59:
        raise ValueError('write hours such as "22:00-06:00", or "00:00-24:00" for the whole day')
    if begins == ends:
        raise ValueError("begin and end at the same time; write 00:00-24:00 for the whole day")
    return Hours(begins, ends)


Weekdays = Annotated[
    frozenset[int],
    PlainValidator(_days),
    PlainSerializer(lambda days: [WEEKDAYS[day] for day in sorted(days)], return_type=list[str]),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": _DAYS_PATTERN},
                {"type": "array", "minItems": 1, "items": {"type": "string", "pattern": _DAYS_PATTERN}},
            ],
            "examples": ["mon-fri", "sat-sun", ["mon", "wed"]],
        }
    ),
]
"""Days of the week, 0 for Monday: `mon-fri`, `sun`, `[mon, wed]`."""

DayHours = Annotated[
    Hours,
    PlainValidator(_hours),
    PlainSerializer(lambda hours: "-".join(map(clock, hours)), return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": _HOURS.pattern.join("^$"),
            "examples": ["22:00-06:00", "00:00-24:00"],
        }
    ),
]
"""Hours of a day, or over midnight: `22:00-06:00`."""


class Event(Strict):
    """Days on which usage is meant to be unusual."""

    title: Annotated[str, Field(min_length=1, max_length=200)]
    """What it is called."""
    from_: Annotated[Day, Field(alias="from")]
    """Its first day, in the file's zone."""
    to: Day
    """Its last day."""
    mute: list[Literal["threshold", "budget", "zscore", "absence", "novelty", "burn", "forecast"]] = Field(
        default_factory=list
    )
    """What is not told meanwhile: kinds of rules, and the parts `burn` and `forecast` of budgets."""
    as_: Annotated[Literal["weekend"] | None, Field(alias="as")] = None
    """`weekend`: what is usual on these days is what is usual on a Sunday."""
    learn: Switch = True
    """`no`: these days teach nobody what is usual."""

    @field_validator("to")
    @classmethod
    def _not_before_its_start(cls, last: Day, info: ValidationInfo) -> Day:
        if last < info.data.get("from_", last):
            raise ValueError("is before `from`; write the last day, or a later one")
        return last

    @property
    def teaches(self) -> bool:
        """Whether it says anything about what is usual."""
        return self.as_ is not None or not self.learn

    def days(self, zone: ZoneInfo) -> Days:
        """When it is."""
        return Days(self.from_, self.to, zone)

    def muted(self, zone: ZoneInfo) -> Mute:
        """When and what it mutes; nothing where it says no such thing."""
        return Mute(self.days(zone), self.title, words=frozenset(self.mute))


def lessons(events: Iterable[Event], zone: ZoneInfo) -> Lessons:
    """What events say about what is usual."""
    teaching = [event for event in events if event.teaches]
    return Lessons(
        weekends=tuple(event.days(zone) for event in teaching if event.as_ is not None),
        unlearned=tuple(event.days(zone) for event in teaching if not event.learn),
    )


class WeeklyMute(Strict):
    """Hours that come again each week, in which nothing is told."""

    rules: Annotated[list[Annotated[str, Field(pattern=RULE_PATTERN)]], Field(min_length=1)] | None = None
    """Rules by their id, in which `*` stands for any text; all by default, but for the watcher's own `meta:*`."""
    days: Weekdays | None = None
    """The days on which it begins: `mon-fri`, `sat-sun`, `sun`, `[mon, wed]`; all by default."""
    hours: DayHours | None = None
    """From when to when, in the file's zone; "22:00-06:00" ends on the day after. The whole day by default."""

    def muted(self, zone: ZoneInfo) -> Mute:
        """When and what it mutes."""
        days, hours = self.days or _ANY_DAY, self.hours or _WHOLE_DAY
        return Mute(Weekly(days, hours.begins, hours.ends, zone), rules=tuple(self.rules or ["*"]))
