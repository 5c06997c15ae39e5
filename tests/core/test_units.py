"""Durations, percentages, numbers and times, as users write them and as people read them."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from usage_watch.core.units import (
    Duration,
    Percent,
    format_duration,
    format_percent,
    from_epoch,
    local_time,
    number,
    parse_duration,
    parse_percent,
    percent,
    quantity,
    span,
    spell_duration,
    to_epoch,
)

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# Durations


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("0s", timedelta()),
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("2h", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
        ("4w", timedelta(days=28)),
        ("2y", timedelta(days=730)),
        ("1h30m", timedelta(minutes=90)),
        ("1y1w1d1h1m1s", timedelta(days=373, hours=1, minutes=1, seconds=1)),
        ("1h90m", timedelta(minutes=150)),
        ("05m", timedelta(minutes=5)),
        ("100y", timedelta(days=36_500)),
    ],
)
def test_a_duration_is_read_in_units_from_years_to_seconds(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text",
    ["", "5", "m", "5 m", "1h 30m", " 5m", "5m\n", "-5m", "+5m", "1.5h", "30m1h", "1h1h", "5M", "5min", "PT5M", "٥m"],
)
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match=r"^write a duration such as 15m, 2h, 7d or 1h30m$"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["101y", "36500d1s", "999999999999y", "5300w"])
def test_a_duration_beyond_a_century_is_refused_before_a_calendar_breaks(text: str) -> None:
    with pytest.raises(ValueError, match=r"^write a duration of at most 100y$"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(), "0s"),
        (timedelta(seconds=90), "1m30s"),
        (timedelta(minutes=15), "15m"),
        (timedelta(minutes=90), "1h30m"),
        (timedelta(hours=24), "1d"),
        (timedelta(days=28), "28d"),
        (timedelta(days=90), "90d"),
        (timedelta(days=730), "2y"),
        (timedelta(days=366), "366d"),
        (timedelta(days=365, seconds=1), "365d1s"),
    ],
)
def test_a_duration_is_written_in_the_units_that_people_choose(duration: timedelta, text: str) -> None:
    assert format_duration(duration) == text


@given(seconds=st.integers(0, 100 * 365 * 86_400))
def test_a_duration_survives_being_written_and_read(seconds: int) -> None:
    assert parse_duration(format_duration(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


@given(counts=st.tuples(*[st.integers(0, 20)] * 6))
def test_a_sum_is_the_sum_of_its_parts(counts: tuple[int, ...]) -> None:
    parts = [f"{count}{unit}" for count, unit in zip(counts, "ywdhms", strict=True)]
    assert parse_duration("".join(parts)) == sum((parse_duration(part) for part in parts), timedelta())


@pytest.mark.parametrize("duration", [timedelta(seconds=-1), timedelta(seconds=0.5), timedelta(microseconds=1)])
def test_a_duration_that_cannot_be_read_back_is_not_written(duration: timedelta) -> None:
    with pytest.raises(ValueError, match="whole seconds"):
        format_duration(duration)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(), "0 s"),
        (timedelta(seconds=0.9), "0 s"),
        (timedelta(seconds=-0.9), "0 s"),
        (timedelta(seconds=45), "45 s"),
        (timedelta(minutes=15), "15 min"),
        (timedelta(minutes=31, seconds=20), "31 min 20 s"),
        (timedelta(minutes=70), "1 h 10 min"),
        (timedelta(hours=1, seconds=59), "1 h"),
        (timedelta(hours=3), "3 h"),
        (timedelta(days=2, hours=4, minutes=59), "2 d 4 h"),
        (timedelta(days=2, minutes=59), "2 d"),
        (timedelta(days=730), "730 d"),
        (timedelta(minutes=-5), "-5 min"),
    ],
)
def test_a_duration_is_spelled_in_at_most_two_units(duration: timedelta, text: str) -> None:
    assert spell_duration(duration) == text


# Percentages


@pytest.mark.parametrize(
    ("text", "value"), [("80%", 80.0), ("2.5%", 2.5), ("120%", 120.0), ("0.01%", 0.01), ("1000%", 1000.0)]
)
def test_a_percentage_is_read_and_written(text: str, value: float) -> None:
    assert parse_percent(text) == value
    assert format_percent(value) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "80",
        "%",
        "80 %",
        " 80%",
        "80%\n",
        "-5%",
        "+5%",
        "0%",
        "0.0%",
        ".5%",
        "1e2%",
        "nan%",
        "1_0%",
        "9" * 400 + "%",
    ],
)
def test_what_is_no_percentage_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"^write a percentage above 0 such as 80%$"):
        parse_percent(text)


@given(value=st.floats(min_value=0, exclude_min=True, allow_infinity=False))
def test_a_percentage_survives_being_written_and_read(value: float) -> None:
    assert parse_percent(format_percent(value)) == value


# As types of fields


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    poll_every: Duration = Field("15m", validate_default=True)
    keep: Duration | None = None
    bounded: Duration = Field(timedelta(hours=1), ge=timedelta(minutes=1))
    limited: Annotated[Percent, Field(le=100)] | None = None
    level: Percent = Field("80%", validate_default=True)
    shares: dict[str, Percent] = {}


def test_fields_hold_values_and_are_written_as_text() -> None:
    settings = Settings.model_validate({"keep": "2y", "bounded": "90s", "shares": {"a": "2.5%"}})
    assert (settings.poll_every, settings.keep, settings.level) == (timedelta(minutes=15), timedelta(days=730), 80.0)
    written = {
        "poll_every": "15m",
        "keep": "2y",
        "bounded": "1m30s",
        "limited": None,
        "level": "80%",
        "shares": {"a": "2.5%"},
    }
    assert settings.model_dump() == written
    assert Settings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize("written", [15, 1.5, True, None, ["15m"], timedelta(minutes=15), b"15m", "15", "15%"])
def test_a_duration_field_takes_nothing_but_a_duration_in_text(written: object) -> None:
    with pytest.raises(ValidationError, match="write a duration such as 15m, 2h, 7d or 1h30m"):
        Settings.model_validate({"poll_every": written})


@pytest.mark.parametrize("written", [80, 0.8, True, None, ["80%"], b"80%", "80", "15m"])
def test_a_percent_field_takes_nothing_but_a_percentage_in_text(written: object) -> None:
    with pytest.raises(ValidationError, match="write a percentage above 0 such as 80%"):
        Settings.model_validate({"level": written})


@pytest.mark.parametrize(
    ("written", "said"),
    [({"bounded": "59s"}, "greater than or equal to 1 minute"), ({"limited": "101%"}, "less than or equal to 100")],
)
def test_a_field_can_be_bounded_further(written: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Settings.model_validate(written)


def test_the_json_schema_tells_an_editor_what_to_write() -> None:
    fields = Settings.model_json_schema()["properties"]
    assert (fields["poll_every"]["type"], fields["poll_every"]["default"]) == ("string", "15m")
    assert "1h30m" in fields["poll_every"]["examples"]
    assert (fields["level"]["type"], fields["level"]["default"]) == ("string", "80%")


FIELD_SCHEMAS = [
    (Settings.model_json_schema()["properties"]["poll_every"], parse_duration),
    (Settings.model_json_schema()["properties"]["level"], parse_percent),
]


@pytest.mark.parametrize(("schema", "parse"), FIELD_SCHEMAS, ids=["duration", "percent"])
@given(text=st.from_regex(r"([1-9]?[dhms%. ]?){0,4}", fullmatch=True))
def test_the_json_schema_and_the_reader_agree(text: str, schema: dict[str, Any], parse: Any) -> None:
    try:
        parse(text)
    except ValueError:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(text, schema)
    else:
        jsonschema.validate(text, schema)


def test_numbers_can_be_printed_without_paying_for_pydantic() -> None:
    code = "import sys, usage_watch.core.units; sys.exit('pydantic' in sys.modules or 'pydantic_core' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Numbers for people


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-0.0, "0"),
        (0.5, "0.5"),
        (-0.5, "-0.5"),
        (7, "7"),
        (6.5, "6.5"),
        (12.3456, "12.3"),
        (0.00012345, "0.000123"),
        (1e-12, "0.000000000001"),
        (99.94, "99.9"),
        (99.96, "100"),
        (100.4, "100"),
        (12345, "12,345"),
        (12345.6, "12,346"),
        (-12345, "-12,345"),
        (-0.4e-300, "-0." + "0" * 300 + "4"),
        (1e15, "1,000,000,000,000,000"),
        (np.float64(0.5), "0.5"),
        (np.int64(12345), "12,345"),
        (float("inf"), "∞"),
        (float("-inf"), "-∞"),
        (float("nan"), "n/a"),
    ],
)
def test_a_number_has_the_digits_that_matter(value: float, text: str) -> None:
    assert number(value) == text


@given(value=st.floats(-1e15, 1e15))
def test_a_number_is_near_what_it_stands_for(value: float) -> None:
    text = number(value)
    assert re.fullmatch(r"-?\d{1,3}(,\d{3})*(\.\d*[1-9])?", text)
    assert abs(float(text.replace(",", "")) - value) <= (0.005 * abs(value) if abs(value) < 100 else 0.5)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (0.634, "63 %"),
        (0.29, "29 %"),
        (0.0123, "1.2 %"),
        (0.0999, "10 %"),
        (0.0004, "0.04 %"),
        (0.989, "99 %"),
        (0.99, "99 %"),
        (0.9951, "99.5 %"),
        (0.9996, "99.9 %"),
        (1.0, "100 %"),
        (1.004, "100 %"),
        (12.5, "1,250 %"),
        (-0.37, "-37 %"),
        (float("inf"), "∞ %"),
        (float("nan"), "n/a %"),
    ],
)
def test_a_share_is_told_in_percent_and_is_not_full_before_it_is(share: float, text: str) -> None:
    assert percent(share) == text


QUANTITIES = [
    (12345, "credits", "12,345 credits"),
    (1, "credits", "1 credit"),
    (1.0, "queries", "1 query"),
    (0, "queries", "0 queries"),
    (-1, "credits", "-1 credits"),
    (63.4, "%", "63 %"),
    (1, "%", "1 %"),
    (99.96, "%", "99.9 %"),
    (1, "users", "1 user"),
]


@pytest.mark.parametrize(("value", "unit", "text"), QUANTITIES)
def test_a_count_is_told_with_its_unit_of_which_one_is_one(value: float, unit: str, text: str) -> None:
    assert quantity(value, unit) == text


# Times


def test_an_epoch_is_whole_seconds_of_utc() -> None:
    assert to_epoch(at("2026-11-22T12:00:00.999")) == 1_795_348_800
    assert to_epoch(datetime(2026, 11, 22, 13, tzinfo=BERLIN)) == 1_795_348_800
    assert to_epoch(at("1969-12-31T23:59:59.5")) == -1
    assert from_epoch(1_795_348_800) == NOW
    assert from_epoch(0).tzinfo is UTC


@given(seconds=st.integers(-(10**10), 10**11))
def test_an_epoch_survives_the_round_trip(seconds: int) -> None:
    assert to_epoch(from_epoch(seconds)) == seconds


def test_a_naive_time_is_refused() -> None:
    naive = NOW.replace(tzinfo=None)
    for use in (to_epoch, lambda time: local_time(time, BERLIN, NOW), lambda time: local_time(NOW, BERLIN, time)):
        with pytest.raises(ValueError, match="no instant"):
            use(naive)


@pytest.mark.parametrize(
    ("time", "text"),
    [
        ("2026-11-22T13:00", "14:00"),
        ("2026-11-22T13:00:59", "14:00"),
        ("2026-11-21T23:00", "00:00"),
        ("2026-11-21T22:59", "Sat 21 Nov 23:59"),
        ("2026-11-21T13:00", "Sat 21 Nov 14:00"),
        ("2026-11-22T23:00", "Mon 23 Nov 00:00"),
        ("2026-07-01T12:00", "Wed 1 Jul 14:00"),
        ("2025-12-31T22:59", "Wed 31 Dec 2025 23:59"),
        ("2026-12-31T23:00", "Fri 1 Jan 2027 00:00"),
        ("2026-10-25T00:30", "Sun 25 Oct 02:30 CEST"),
        ("2026-10-25T01:30", "Sun 25 Oct 02:30 CET"),
        ("2026-10-25T02:00", "Sun 25 Oct 03:00"),
    ],
)
def test_a_time_is_told_as_shortly_as_it_is_clear(time: str, text: str) -> None:
    assert local_time(at(time), BERLIN, NOW) == text


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        ("2026-11-22T13:00", "2026-11-22T15:00", "14:00–16:00"),
        ("2026-11-21T13:00", "2026-11-21T15:00", "Sat 21 Nov 14:00–16:00"),
        ("2026-11-21T21:00", "2026-11-21T23:00", "Sat 21 Nov 22:00–24:00"),
        ("2026-11-22T21:00", "2026-11-22T23:00", "22:00–24:00"),
        ("2026-11-21T21:00", "2026-11-22T01:00", "Sat 21 Nov 22:00 – Sun 22 Nov 02:00"),
        ("2026-11-20T21:00", "2026-11-21T23:00", "Fri 20 Nov 22:00 – Sat 21 Nov 24:00"),
        ("2026-11-21T23:00", "2026-11-22T23:00", "Sun 22 Nov"),
        ("2026-11-20T23:00", "2026-11-23T23:00", "Sat 21 Nov – Mon 23 Nov"),
        ("2025-12-30T23:00", "2026-01-01T23:00", "Wed 31 Dec 2025 – Thu 1 Jan"),
        ("2026-10-25T00:00", "2026-10-25T01:00", "Sun 25 Oct 02:00 CEST–02:00 CET"),
        ("2026-11-22T13:00", "2026-11-22T13:00", "14:00"),
        ("2026-11-21T23:00", "2026-11-21T23:00", "00:00"),
        ("2026-11-22T13:00", "2026-11-22T12:00", "14:00"),
    ],
)
def test_a_span_names_each_day_once_and_whole_days_without_hours(start: str, end: str, text: str) -> None:
    assert span(at(start), at(end), BERLIN, NOW) == text
