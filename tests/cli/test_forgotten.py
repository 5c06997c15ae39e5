"""When somebody was forgotten: what falls by it says so, and what the source takes back says that."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.cli.office import NOW, scenario
from usage_watch.clock import SteppedClock
from usage_watch.simulator import Revision, Runaway, SimulatorServer

ANA, PRIYA = "ana@example.com", "priya.nair@example.com"
POOL = """\
seats: {{default: 500}}
rules: [{{id: pool, kind: budget, of: pool, limit: {limit}, levels: {{critical: 100%}}, burn: off}}]
"""
ON_FRIDAY = NOW.replace(day=20, hour=9, minute=0)


@pytest.fixture
def source(clock: SteppedClock) -> Iterator[SimulatorServer]:
    """Ana drew 12,300 credits on the pool, and Priya on Friday 8,500, of which the source takes 8,100 back at 15:30."""
    job = Runaway(PRIYA, "claude-opus-4-8", ON_FRIDAY, 1, 9_000)
    story = scenario()
    revised = Revision(ON_FRIDAY, NOW + timedelta(minutes=85), 0.1)
    story = replace(story, runaways=(*story.runaways[1:], job), revisions=(revised,))
    with SimulatorServer(story, now=clock.now) as server:
        yield server


@pytest.fixture
def pooled(rules: Path) -> Callable[[int], None]:
    """Writes rules of nothing but a pool with a limit."""
    head = rules.read_text().partition("rules:")[0]

    def written(limit: int) -> None:
        rules.write_text(head + POOL.format(limit=limit))

    return written


def test_what_only_they_had_put_over_the_limit_is_taken_back_for_that_and_not_blamed_on_the_source(
    cli: Cli, pooled: Callable[[int], None]
) -> None:
    pooled(15_000)
    assert "20,800 of 15,000 credits spent" in cli("run", "--once").out
    assert "taken back for that reason" in cli("history", "forget", ANA, "--yes").out
    told = cli("run", "--once").out
    assert told.startswith("↩️ taken back, a member's data was removed (pool, of Sat 21 Nov")
    assert "source" not in told
    assert ANA not in told
    [alert] = json.loads(cli("alerts", "--json").out)
    assert (alert["closed"], alert["retracted"]) == ("A member's data was removed.", True)
    shown = cli("alerts", "show", alert["id"]).out
    assert "retracted" in shown
    assert "A member's data was removed." in shown
    assert "source" not in shown


def test_what_the_source_revises_after_somebody_was_forgotten_is_said_to_be_revised(
    cli: Cli, pooled: Callable[[int], None], clock: SteppedClock
) -> None:
    pooled(5_000)
    assert "20,800 of 5,000 credits spent" in cli("run", "--once").out
    cli("history", "forget", ANA, "--yes")
    assert cli("run", "--once").out == "", "it still stands"
    clock.step(NOW + timedelta(hours=2))
    told = cli("run", "--once").out
    assert told.startswith("↩️ taken back, the source revised it: 8,500 credits turned out to be 400 credits (pool")
