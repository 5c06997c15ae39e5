from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter, ValidationError

from usage_watch.rules.fields import Day, Switch, Zone

ZONE: TypeAdapter[ZoneInfo] = TypeAdapter(Zone)
DAY: TypeAdapter[date] = TypeAdapter(Day)
SWITCH: TypeAdapter[bool] = TypeAdapter(Switch)


@pytest.mark.parametrize("value", ["Europe/Berlin", ZoneInfo("Europe/Berlin")])
def test_a_zone_is_named(value: object) -> None:
    zone = ZONE.validate_python(value)
    assert zone == ZoneInfo("Europe/Berlin")
    assert ZONE.dump_python(zone) == "Europe/Berlin"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("Europe/Berln", "is no time zone; did you mean Europe/Berlin?"),
        ("europe/berlin", "is no time zone; did you mean Europe/Berlin?"),
        ("../../etc/passwd", "is no time zone; write one such as Europe/Berlin"),
        ("/etc/localtime", "is no time zone"),
        ("", "is no time zone; write one such as Europe/Berlin"),
        (5, "is no time zone; write one such as Europe/Berlin"),
        (None, "is no time zone"),
    ],
)
def test_other_zones_are_refused_with_the_nearest(value: Any, says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ZONE.validate_python(value)
    assert says in str(caught.value)


@pytest.mark.parametrize("value", ["2026-11-26", date(2026, 11, 26)])
def test_a_day_is_written_as_year_month_day(value: object) -> None:
    day = DAY.validate_python(value)
    assert day == date(2026, 11, 26)
    assert DAY.dump_python(day) == "2026-11-26"


@pytest.mark.parametrize(
    "value", ["2026-02-30", "26-11-26", "2026-W48-4", "20261126", "2026-11-26T00:00", "", "1999-01-01", 5, None]
)
def test_other_days_are_refused(value: Any) -> None:
    with pytest.raises(ValidationError, match="is no day"):
        DAY.validate_python(value)


@pytest.mark.parametrize(
    ("value", "on"),
    [(True, True), ("yes", True), ("on", True), ("true", True), (False, False), ("no", False), ("off", False)],
)
def test_a_switch_takes_words(value: Any, on: bool) -> None:
    assert SWITCH.validate_python(value) is on


@pytest.mark.parametrize("value", ["maybe", 1, 0, None, [], "ON"])
def test_a_switch_takes_no_other_words(value: Any) -> None:
    with pytest.raises(ValidationError, match="takes yes or no"):
        SWITCH.validate_python(value)
