from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tests.cli.office import NOW
from usage_watch.errors import UsageError
from usage_watch.views.times import Reader, since_at

READER = Reader(ZoneInfo("Europe/Berlin"), NOW)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("7d", datetime(2026, 11, 15, 14, 5, tzinfo=UTC)),
        ("1h30m", datetime(2026, 11, 22, 12, 35, tzinfo=UTC)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T14:00Z", datetime(2026, 11, 1, 14, tzinfo=UTC)),
        ("2026-11-01T14:00+01:00", datetime(2026, 11, 1, 13, tzinfo=UTC)),
    ],
)
def test_a_time_is_written_as_an_age_or_as_a_date(text: str, at: datetime) -> None:
    assert since_at(text, NOW) == at


@pytest.mark.parametrize("text", ["", "yesterday", "7", "-7d", "2026-13-01", "9999y", "0001-01-01T00:00+14:00"])
def test_what_is_no_time_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(UsageError, match="write 7d, 2026-11-01 or 2026-11-01T14:00Z"):
        since_at(text, NOW)


def test_hours_are_read_in_the_readers_zone_and_days_as_days() -> None:
    midnight = datetime(2026, 11, 21, tzinfo=UTC)
    assert READER.first(midnight, "1h") == "Sat 21 Nov 01:00"
    assert READER.first(midnight, "1d") == "Sat 21 Nov"
    assert READER.last(midnight, "1h") == "Sat 21 Nov 01:00"
    assert READER.last(midnight, "1d") == "Fri 20 Nov"
    assert READER.between(midnight, NOW.replace(hour=0, minute=0), "1d") == "Sat 21 Nov"
    assert READER.between(NOW.replace(hour=11, minute=0), NOW.replace(minute=0), "1h") == "12:00–15:00"


def test_what_has_not_happened_is_said_in_words() -> None:
    assert READER.moment(None) == "never"
    assert READER.last(None, "1d", "open") == "open"
