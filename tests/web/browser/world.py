"""An organization with all that a page can show, watched by the real daemon, which serves its page."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from usage_watch.clock import STEPPED, SteppedClock
from usage_watch.quickened import QuickenedDaemon, own_environment
from usage_watch.simulator import DEFAULT_KEY, Model, Organization, Runaway, Scenario, SimulatorServer

BEGIN = datetime(2026, 11, 19, 17, 0, tzinfo=UTC)
"""A Thursday, 18:00 in Berlin."""
_NIGHT, _NOON, _END = BEGIN + timedelta(hours=8), BEGIN + timedelta(hours=18), BEGIN + timedelta(hours=26)
PLACES = ("title", "series", "reason", "note")
"""Where hostile text comes from: two from rules file and source, two from people."""

_HEAD = """\
timezone: Europe/Berlin
billing_day: 24
source: {{base_url: "{source}", backfill: 21d, poll_every: 2h}}
store: {{path: "{store}"}}
web: {{listen: "127.0.0.1:0"}}
channels:
  screen: {{kind: log}}
notify: [screen]
rules:
"""
_RULES = """\
  - {{id: cycle, kind: budget, limit: 300_000, title: {title}, levels: {{warning: 80%, critical: 100%}}}}
  - {{id: members, kind: budget, for_each: member, limit: 15_000}}
  - {{id: runaway, kind: threshold, window: 3h, above: {{warning: 6_000, critical: 12_000}},
     title: {title}, runbook: "https://wiki.example.com/runaway"}}
  - {{id: by-model, kind: threshold, for_each: Model, window: 3h, above: 6_000}}
  - {{id: opus-share, kind: threshold, where: {{Model: "claude-opus-*"}}, statistic: share, window: 6h, above: 92%}}
  - {{id: unusual-hour, kind: zscore, for_each: Model}}
  - {{id: connector-use, kind: threshold, dataset: connectors, for_each: Connector, above: 60}}
  - {{id: no-spaces, kind: absence, dataset: spaces, quiet_for: 3d}}
  - {{id: new-model, kind: novelty, for_each: Model}}
"""
_LISTENING = re.compile(r" web\.listening .*url=(\S+)")


def hostile(place: str) -> str:
    """What must stay text; it says where it comes from."""
    return f"<img src=x onerror=alert('{place}')>\"'&amp;</title></svg>"


@contextmanager
def living(folder: Path) -> Iterator[str]:
    """The address of its page, without a path: a night and a day after its start, with alerts open and ended."""
    file, rules = folder / "clock", folder / "rules.yaml"
    clock = SteppedClock(file)
    clock.step(BEGIN)
    environ = {**own_environment(), "PERPLEXITY_ANALYTICS_API_KEY": DEFAULT_KEY}
    with SimulatorServer(_scenario(), organization=_organization(), now=clock.now) as source:
        written = _HEAD.format(source=source.base_url, store=folder / "usage-watch.db") + _RULES.format(
            title=json.dumps(hostile("title"))
        )
        rules.write_text(written)
        with QuickenedDaemon(rules, clock, file, environ) as daemon:
            daemon.start(lambda line: None)
            daemon.run_until(_END)
            _people(rules, {**environ, STEPPED: str(file)})
            daemon.run_until(_END + timedelta(hours=1))
            yield [found[1] for line in daemon.log if (found := _LISTENING.search(line))][-1]


def _organization() -> Organization:
    evil = Model(hostile("series"), "Hostile", cost=1.0, popularity=0.1)
    own = Organization.from_seed(1)
    return replace(own, models=(*own.models, evil))


def _scenario() -> Scenario:
    """A job that is over by morning, and one that goes on."""
    return Scenario(
        seed=1,
        start_at=datetime(2026, 10, 29, tzinfo=UTC),
        runaways=(
            Runaway("priya.nair@example.com", "claude-opus-4-8", _NIGHT, 3, 7_000),
            Runaway("ana@example.com", hostile("series"), _NOON, 24, 9_000),
        ),
    )


def _people(rules: Path, environ: dict[str, str]) -> None:
    """Somebody knows of an alert, and silences others."""
    program = [sys.executable, "-m", "usage_watch", "--config", str(rules)]

    def said(*arguments: str) -> str:
        return subprocess.run([*program, *arguments], env=environ, check=True, capture_output=True, text=True).stdout

    first = json.loads(said("alerts", "--json"))[0]["id"]
    said("alerts", "ack", first, "--note", hostile("note"), "--author", "Ana")
    said("silence", "add", "rule=connector-use", "--for", "2d", "--reason", hostile("reason"), "--author", "Ana")
