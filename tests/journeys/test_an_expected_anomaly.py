"""Through the real process: an anomaly is answered beside the daemon, and nobody is reminded of it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.office import program
from tests.journeys.office import Office, job, opened
from usage_watch.clock import STEPPED
from usage_watch.quickened import own_environment
from usage_watch.simulator import Scenario

MIDNIGHT = datetime(2026, 11, 18, tzinfo=UTC)
RULE = (
    "{id: spikes, kind: zscore, method: plain, baseline: 4d, above: {warning: 4, critical: 1_000_000}, "
    "remind_every: 2h}"
)


def hour(number: float) -> datetime:
    return MIDNIGHT + timedelta(hours=number)


def told(office: Office) -> Sequence[str]:
    """What the machine was told, which hears the same as people do."""
    return [request.json["reason"] for request in office.pager.requests]


def command(folder: Path, *arguments: str) -> str:
    """What another process prints, while the daemon runs."""
    environ = {**own_environment(), STEPPED: str(folder / "clock")}
    line = program("--config", str(folder / "rules.yaml"), *arguments)
    return subprocess.run(line, env=environ, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.mark.parametrize(
    ("word", "shown", "then", "taken_back"),
    [
        (
            "expected",
            "Expected +04:00 to its end is not learned from; said 06:00 by ana: the big import",
            [],
            ["reminder"],
        ),
        (
            "rebaseline",
            "New usual +judged against what came since 04:00; said 06:00 by ana: the big import",
            ["resolved"],
            ["fired"],
        ),
    ],
)
def test_what_was_answered_is_not_told_again_until_that_is_taken_back(
    tmp_path: Path, word: str, shown: str, then: list[str], taken_back: list[str]
) -> None:
    scenario = Scenario(1, hour(-240), lag=None, quiet=True, runaways=(job(hour(3), 30, 3_000),))
    with opened(tmp_path, scenario, hour(0.1), RULE, backfill="9d") as office:
        office.start()
        office.daemon.run_until(hour(5))
        assert told(office) == ["fired"]

        [listed] = json.loads(command(tmp_path, "alerts", "--json"))
        command(tmp_path, "alerts", word, listed["id"], "--author", "ana", "--note", "the big import")
        office.daemon.run_until(hour(15))
        assert told(office) == ["fired", *then], "no reminder after two hours, or after four"
        assert re.search(f"^{shown}$", command(tmp_path, "alerts", "show", listed["id"]), re.M)

        # Without the answer there would have been some.
        command(tmp_path, "alerts", word, listed["id"], "--undo", "--author", "bo")
        office.daemon.run_until(hour(16))
        assert told(office) == ["fired", *then, *taken_back]
        assert office.daemon.stop() == 0
