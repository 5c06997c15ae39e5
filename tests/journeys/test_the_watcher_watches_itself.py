"""Through the real process: the key is revoked, the source fails, its sync stands; the watcher says so, and its end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.journeys.office import Office, opened
from usage_watch.simulator import FaultKind, Outage, Scenario, SyncStop

MIDNIGHT = datetime(2026, 11, 18, tzinfo=UTC)
RULE = "{id: hourly-credits, kind: threshold, above: 1_000_000}"
NEW_KEY = "another-simulated-key"


def hour(number: float) -> datetime:
    return MIDNIGHT + timedelta(hours=number)


def story(*faults: Outage, stops: tuple[SyncStop, ...] = ()) -> Scenario:
    return Scenario(1, MIDNIGHT - timedelta(days=40), faults=faults, stops=stops)


def told(office: Office) -> list[tuple[str, str, str]]:
    bodies = [request.json for request in office.pager.requests]
    return [(body["rule"]["id"], body["reason"], body["severity"]) for body in bodies]


def test_a_revoked_key_is_told_and_a_new_one_in_its_file_heals_without_a_restart(tmp_path: Path) -> None:
    with opened(tmp_path, story(), hour(8.1), RULE, backfill="30d") as office:
        office.start()
        office.daemon.run_until(hour(9))
        pid = office.daemon.pid
        office.source.api = replace(office.source.api, key=NEW_KEY)
        office.daemon.run_until(hour(12))
        assert told(office) == [("meta:auth_revoked", "fired", "critical")]
        office.key.write_text(NEW_KEY)
        office.daemon.run_until(hour(13))
        assert told(office)[1:] == [("meta:auth_revoked", "resolved", "critical")]
        assert office.told == (2, 2, 2)
        assert office.daemon.pid == pid
        assert "it was all read since" in str(office.pager.requests[1].json["facts"])
        assert office.daemon.stop() == 0
        assert NEW_KEY not in "\n".join(office.daemon.log)


def test_hours_without_the_source_are_told_once_and_at_their_end_what_was_missed(tmp_path: Path) -> None:
    fault = Outage(hour(9), FaultKind.STATUS_503, end_at=hour(16.5))
    with opened(tmp_path, story(fault), hour(8.1), RULE, backfill="30d") as office:
        office.start()
        for until, expected in ((9.4, 0), (10, 1), (14, 1), (16, 2), (17, 3), (24, 3)):
            office.daemon.run_until(hour(until))
            assert len(office.pager.requests) == expected, until
        assert told(office) == [
            ("meta:source_unreachable", "fired", "warning"),
            ("meta:source_unreachable", "escalated", "critical"),
            ("meta:source_unreachable", "resolved", "critical"),
        ]
        assert office.daemon.stop() == 0


def test_a_sync_that_stands_is_told_and_so_is_its_end(tmp_path: Path) -> None:
    stop = SyncStop(hour(9), hour(33))
    with opened(tmp_path, story(stops=(stop,)), hour(8.1), RULE, backfill="30d", poll_every="30m") as office:
        office.start()
        office.daemon.run_until(hour(19))
        assert told(office) == []
        office.daemon.run_until(hour(32))
        assert told(office) == [("meta:stale_frontier", "fired", "warning")]
        office.daemon.run_until(hour(36))
        assert told(office)[1:] == [("meta:stale_frontier", "resolved", "warning")]
        assert office.daemon.stop() == 0
