"""Through the real process: tasks that take too long, and a band of durations that nobody can read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.journeys.office import Office, job, opened
from usage_watch.simulator import Organization, Scenario
from usage_watch.simulator.usage import Usage

MIDNIGHT = datetime(2026, 11, 18, tzinfo=UTC)
SHARE = (
    "{id: many-slow, kind: threshold, dataset: task_durations, statistic: {share_over: 30m}, window: 3h, above: 30%}"
)
MEDIAN = "{id: slow-half, kind: threshold, dataset: task_durations, statistic: p50, window: 3h, above: {critical: 15m}}"
RULES = f"{SHARE}\n  - {MEDIAN}"
ENDLESS = "Takes for ever"


def hour(number: float) -> datetime:
    return MIDNIGHT + timedelta(hours=number)


def story() -> Scenario:
    """From nine to three, one hour-long task a minute besides all others."""
    return Scenario(1, MIDNIGHT - timedelta(days=40), runaways=(job(hour(9), 6, 600),))


def told(office: Office) -> list[tuple[str, str]]:
    bodies = [request.json for request in office.pager.requests]
    return [(body["rule"]["id"], body["reason"]) for body in bodies]


def test_slow_tasks_are_told_once_they_are_settled_and_when_they_are_over(tmp_path: Path) -> None:
    with opened(tmp_path, story(), hour(8.1), RULES, backfill="30d") as office:
        office.start()
        office.daemon.run_until(hour(8.5))
        assert told(office) == []
        office.daemon.run_until(hour(20))
        assert sorted(told(office)) == [("many-slow", "fired"), ("slow-half", "fired")]
        office.daemon.run_until(hour(72))
        assert sorted(told(office)[2:]) == [("many-slow", "resolved"), ("slow-half", "resolved")]
        assert office.daemon.stop() == 0
        bodies = {request.json["rule"]["id"]: request.json for request in office.pager.requests[:2]}
    share, median = bodies["many-slow"], bodies["slow-half"]
    assert (share["unit"], share["limit"], median["unit"], median["limit"]) == ("%", 30, "s", 900)
    assert share["value"] > 30
    assert median["value"] > 900
    assert "% of tasks over 30 min in 3 h, over the warning limit of 30 %" in share["summary"]
    assert median["summary"].startswith("tasks took ")
    assert median["summary"].endswith(" (p50) in 3 h, over the critical limit of 15 min")
    assert "60 minutes" in str(median["facts"])


def test_a_band_that_nobody_can_read_is_told_and_judged_once_it_has_times(tmp_path: Path) -> None:
    usual = Organization.from_seed(1)
    renamed = (*usual.titles["Task Duration"][:-1], ENDLESS)
    other = replace(usual, titles={**usual.titles, "Task Duration": renamed})
    with opened(tmp_path, story(), hour(24.1), RULES, backfill="30d") as office:
        office.source.api = replace(office.source.api, usage=Usage(story(), other))
        office.start()
        office.daemon.run_until(hour(25))
        assert told(office) == [("meta:schema_drift", "fired")]
        said = office.pager.requests[0].json
        assert f'"{ENDLESS}"' in said["summary"]
        assert f'bands: {{"{ENDLESS}": [1m, 5m]}}' in str(said["facts"])
        assert office.daemon.stop() == 0
        rules = tmp_path / "rules.yaml"
        rules.write_text(f"{rules.read_text()}bands: {{{ENDLESS}: [1h]}}\n")
        office.start()
        office.daemon.run_until(hour(26))
        assert told(office)[1:] == [("meta:schema_drift", "resolved")]
        assert office.daemon.stop() == 0
