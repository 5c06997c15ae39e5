"""Through the real process: what happened while the daemon was down is told if it still matters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.journeys.office import job, opened
from usage_watch.simulator import Scenario

MIDNIGHT = datetime(2026, 11, 18, tzinfo=UTC)
RULE = "{id: hourly-credits, kind: threshold, above: {warning: 2_000, critical: 20_000}}"


def hour(number: float) -> datetime:
    return MIDNIGHT + timedelta(hours=number)


@pytest.mark.parametrize(
    ("credits_per_hour", "back_at", "reasons"),
    [
        (9_000, 20, ["fired_and_ended"]),
        (9_000, 60, []),
        (30_000, 60, ["fired_and_ended"]),
    ],
    ids=["hours", "days", "days, and critical"],
)
def test_what_came_and_went_unseen_is_told_once_if_it_still_matters(
    tmp_path: Path, credits_per_hour: int, back_at: float, reasons: list[str]
) -> None:
    beside = job(hour(-48), 140, 100, "ana@example.com")
    runaway = job(hour(3), 1, credits_per_hour)
    scenario = Scenario(1, MIDNIGHT - timedelta(days=3), lag=None, quiet=True, runaways=(runaway, beside))
    with opened(tmp_path, scenario, hour(0.1), RULE, backfill="2d") as office:
        office.start()
        office.daemon.run_until(hour(1))
        office.daemon.kill()
        office.clock.step(hour(back_at))
        office.start()
        office.daemon.run_until(hour(back_at + 6))
        bodies = [request.json for request in office.pager.requests]
        assert [body["reason"] for body in bodies] == reasons
        assert [body["incident"]["started_at"] for body in bodies] == ["2026-11-18T03:00:00Z"] * len(reasons)
        assert [body["incident"]["ended_at"] for body in bodies] == ["2026-11-18T04:00:00Z"] * len(reasons)
        assert office.daemon.stop() == 0
