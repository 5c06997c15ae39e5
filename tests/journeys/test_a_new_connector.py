"""Through the real process: a connector that nobody used before, and those that nobody expected."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.journeys.office import Office, job, opened
from usage_watch.simulator import Scenario

EVENING = datetime(2026, 11, 19, 18, tzinfo=UTC)
FIRST = datetime(2026, 11, 20, 1, tzinfo=UTC)
BEGIN = EVENING.replace(hour=0) - timedelta(days=95)
RULE = "{id: new-connector, kind: novelty, dataset: connectors, for_each: Connector"


def test_a_connector_that_appears_is_told_once_and_its_end_to_machines_only(tmp_path: Path) -> None:
    # Whoever runs away uses Google Drive, at night and on the next.
    jobs = (job(FIRST, 2, 600), job(FIRST + timedelta(hours=23), 3, 600))
    with opened(
        tmp_path, Scenario(1, BEGIN, quiet=True, runaways=jobs), EVENING, RULE + "}", poll_every="1h"
    ) as office:
        office.start()
        office.daemon.run_until(FIRST)
        assert office.told == (0, 0, 0), "there is nothing new in nothing"
        office.daemon.run_until(FIRST + timedelta(hours=12))
        assert office.told == (1, 1, 1), "by its first hour"
        office.daemon.run_until(FIRST + timedelta(hours=80))
        assert office.told == (1, 1, 2), "it goes on, and that it is new no more is said to machines"
        assert office.daemon.stop() == 0
        _check_words(office)


def _check_words(office: Office) -> None:
    _, parent = office.slack.messages.values()
    assert parent.payload["text"].startswith("🔵 Google Drive: new connector, ")
    assert "unseen in the 90 d before that are known" not in parent.payload["text"]
    assert "unseen in the 90 d before" in parent.payload["text"]
    fired, resolved = (json.loads(request.body) for request in office.pager.requests)
    assert [fired["reason"], resolved["reason"]] == ["fired", "resolved"]
    assert (fired["incident"]["labels"], fired["limit"], fired["unit"]) == ({"Connector": "Google Drive"}, 0, "threads")
    assert 0 < fired["value"] <= resolved["value"]
    assert resolved["incident"]["ended_at"] == "2026-11-21T01:00:00Z"


def test_connectors_that_nobody_expects_are_one_message_on_the_first_start_and_no_more(tmp_path: Path) -> None:
    rule = f"{RULE}, expected: ['Google*', Slack], severity: warning}}"
    with opened(tmp_path, Scenario(1, BEGIN), EVENING, rule, poll_every="1h") as office:
        office.start()
        office.daemon.run_until(EVENING + timedelta(minutes=30))
        assert office.told == (1, 1, 7), "people are told of all at once, machines of each"
        office.daemon.run_until(EVENING + timedelta(hours=60))
        assert office.told == (1, 1, 14), "though all of them stay in use"
        assert office.daemon.stop() == 0
        _, parent = office.slack.messages.values()
        assert parent.payload["text"].startswith(
            "🟠 7 alerts of new-connector: Gmail: connector that is not expected, "
        )
        names = {json.loads(request.body)["incident"]["labels"]["Connector"] for request in office.pager.requests}
        assert names == {"GitHub", "Gmail", "Linear", "Notion", "Salesforce", "SharePoint", "Snowflake"}
