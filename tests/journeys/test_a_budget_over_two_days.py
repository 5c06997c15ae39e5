"""Through the real process: each level of a budget is told once a period, its end closes it, and the next begins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.journeys.office import job, opened
from usage_watch.simulator import Scenario

MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
RULE = (
    "{id: day, kind: budget, limit: 10_000, period: {every: day}, "
    "levels: {info: 50%, warning: 80%, critical: [100%, 150%]}}"
)


def hour(number: float) -> datetime:
    return MIDNIGHT + timedelta(hours=number)


def test_each_level_of_a_day_is_told_once_and_the_next_day_begins_anew(tmp_path: Path) -> None:
    jobs = (job(hour(8), 6, 2_000), job(hour(14), 18, 100, "ana@example.com"), job(hour(32), 3, 2_000))
    scenario = Scenario(1, MIDNIGHT - timedelta(days=3), lag=None, quiet=True, runaways=jobs)
    with opened(tmp_path, scenario, hour(0.05), RULE, backfill="2d", poll_every="30m") as office:
        office.start()
        # By hour: 2,000 credits at nine, 10,000 at one in the afternoon.
        told = []
        for until in (10.9, 11.9, 12.9, 13.9, 22.9, 26, 34.9, 36, 43.9, 46):
            office.daemon.run_until(hour(until))
            told.append(len(office.pager.requests))
            if until in (11.9, 22.9, 34.9):
                office.daemon.kill()
                office.start()
        # The day is closed once it is settled: its hours without usage may not be synced yet for a day and a half.
        assert told == [0, 1, 2, 3, 3, 3, 3, 4, 4, 5]
        assert office.daemon.stop() == 0

    bodies = [request.json for request in office.pager.requests]
    assert [(body["reason"], body["severity"], body["value"]) for body in bodies] == [
        ("fired", "info", 6_000),
        ("escalated", "warning", 8_000),
        ("escalated", "critical", 10_000),
        ("fired", "info", 6_900),
        ("closed", "critical", 12_900),
    ]
    # A day is a local one: it begins and ends at eleven in the evening, UTC.
    assert [body["incident"]["period"] for body in bodies] == [
        *["2026-11-19T23:00:00Z"] * 3,
        "2026-11-20T23:00:00Z",
        "2026-11-19T23:00:00Z",
    ]
    assert bodies[4]["incident"]["ended_at"] == "2026-11-20T23:00:00Z"
    assert len({body["incident"]["id"] for body in bodies}) == 2
    assert [body["incident"]["sequence"] for body in bodies] == [1, 2, 3, 1, 4]
    assert office.told[1] == 5
