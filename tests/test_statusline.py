"""What `systemctl status` says."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from usage_watch.statusline import status_line
from usage_watch.vitals import AlertGauge, ChannelGauge, FeedGauge, Snapshot

NOW = datetime(2026, 11, 23, 12, 5, tzinfo=UTC)
NEXT = datetime(2026, 11, 23, 12, 15, tzinfo=UTC)
HOURS = FeedGauge("credit_usage 1h", NOW.timestamp(), int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()))
DAYS = FeedGauge("credit_usage 1d", NOW.timestamp(), int(datetime(2026, 11, 23, tzinfo=UTC).timestamp()))
EMPTY = FeedGauge("skills 1d", None, None)


@pytest.mark.parametrize(
    ("rules", "snapshot", "zone", "line"),
    [
        (0, Snapshot(), "UTC", "0 rules; no data yet; 0 alerts open; next turn 12:15 UTC"),
        (1, Snapshot((HOURS,)), "UTC", "1 rule; data until 12:00; 0 alerts open; next turn 12:15 UTC"),
        (2, Snapshot((HOURS, EMPTY)), "Asia/Tokyo", "2 rules; data until 21:00; 0 alerts open; next turn 21:15 JST"),
        (
            1_200,
            Snapshot(
                (HOURS, DAYS),
                (AlertGauge("a", "warning", "firing", 2), AlertGauge("a", "critical", "acknowledged", 1)),
                (ChannelGauge("ops", 1, NOW), ChannelGauge("pager", 0, None)),
                failing=3,
            ),
            "Europe/Berlin",
            "1,200 rules; data until 13:00; 3 alerts open; 3 feeds unread; 1 message waiting; next turn 13:15 CET",
        ),
        (
            3,
            Snapshot((DAYS,), (AlertGauge("a", "warning", "firing", 1),)),
            "America/New_York",
            "3 rules; data until Sun 22 Nov 19:00; 1 alert open; next turn 07:15 EST",
        ),
    ],
)
def test_it_says_how_it_goes_and_what_is_wrong(rules: int, snapshot: Snapshot, zone: str, line: str) -> None:
    assert status_line(rules, snapshot, NEXT, ZoneInfo(zone), NOW) == line
