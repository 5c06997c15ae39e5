"""A receiver answers 410: it is left alone for an hour, and another channel says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from tests.fakes.scripted_http import Answer, Request, Step
from tests.fakes.webhook_receiver import WebhookReceiver
from tests.journeys.office import job
from usage_watch.clock import SteppedClock
from usage_watch.config import load
from usage_watch.cycle import Cycle
from usage_watch.simulator import DEFAULT_KEY, Scenario, SimulatorServer
from usage_watch.store.database import open_for_writing

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)
RULES = """\
source: {{base_url: "{source}", backfill: 2d, poll_every: 15m}}
web: off
channels:
  gone: {{kind: webhook, url: "{gone}"}}
  well: {{kind: webhook, url: "{well}"}}
notify: [gone, well]
rules:
  - {{id: hourly, kind: threshold, above: 2_000}}
"""


class Gone(WebhookReceiver):
    """Wants no more, until it is mended."""

    mended = False

    def respond(self, request: Request) -> Step:
        return super().respond(request) if self.mended else Answer(410)


def test_it_is_left_alone_and_another_channel_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    clock = SteppedClock(tmp_path / "clock")
    clock.step(NOON)
    story = Scenario(
        1, NOON.replace(hour=0), lag=None, quiet=True, runaways=(job(NOON - timedelta(hours=1), 9, 9_000),)
    )
    with (
        Gone() as gone,
        WebhookReceiver() as well,
        SimulatorServer(story, now=clock.now) as source,
        open_for_writing(tmp_path / "usage-watch.db") as database,
    ):
        rules = tmp_path / "rules.yaml"
        rules.write_text(RULES.format(source=source.base_url, gone=gone.url("/hook"), well=well.url("/hook")))
        with Cycle(
            load(rules), database, clock, Event(), {"PERPLEXITY_ANALYTICS_API_KEY": DEFAULT_KEY}, thorough=True
        ) as cycle:
            for minutes in (5, 20, 35, 50):
                clock.step(NOON + timedelta(minutes=minutes))
                cycle.run()
            assert len(gone.requests) == 1
            gone.mended = True
            for minutes in (65, 80):
                clock.step(NOON + timedelta(minutes=minutes))
                cycle.run()
    told = {request.json["rule"]["id"]: request.json for request in well.requests}
    assert set(told) == {"hourly", "meta:delivery_blocked"}
    blocked = [each.json for each in well.requests if each.json["rule"]["id"] == "meta:delivery_blocked"]
    assert [each["reason"] for each in blocked] == ["fired", "resolved"]
    assert blocked[0]["incident"]["labels"] == {"Channel": "gone"}
    assert "The receiver answered 410: nobody listens there (any more); check the URL." in [
        fact["value"] for fact in blocked[0]["facts"]
    ]
    first, again = gone.requests
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
