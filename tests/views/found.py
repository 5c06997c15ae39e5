"""One incident, and what people said of it."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from tests.cli.office import NOW
from usage_watch.core.incident import Incident
from usage_watch.core.message import Contributor, Evidence, Fact, RuleName, Severity
from usage_watch.core.silence import Ack, Silence, parse_matcher
from usage_watch.views.times import Reader

READER = Reader(ZoneInfo("Europe/Berlin"), NOW)
HOUR = timedelta(hours=1)

EVIDENCE = Evidence(
    dataset="credit_usage",
    bucket="1h",
    unit="credits",
    value=12_345,
    limit=10_000,
    score=7.25,
    from_at=NOW.replace(minute=0) - 3 * HOUR,
    until_at=NOW.replace(minute=0),
    summary="12,345 credits in 3 h, over the critical limit of 10,000",
    facts=(Fact("Usual for this hour", "3,100 to 4,900"),),
    contributors=(
        Contributor("Model", "claude-opus-4-8", 8_800, 0.71),
        Contributor("Model", "claude-sonnet-4-8", -200, 0.02),
    ),
)
INCIDENT = Incident(
    id="inc_1",
    fingerprint="f",
    rule=RuleName("hourly", "threshold", "Hourly credits", "https://wiki.example.com/x"),
    labels={"Model": "claude-opus-4-8"},
    part=None,
    period_at=None,
    started_at=NOW - HOUR,
    ended_at=None,
    rank=2,
    severity=Severity.CRITICAL,
    evidence=EVIDENCE,
    sequence=1,
    history=False,
    closed=None,
    committed_at=NOW,
)

ACK = Ack("inc_1", 2, NOW - HOUR, "ana", "on it")
SILENCE = Silence("sil_1", (parse_matcher("rule=hourly"),), NOW - HOUR, NOW + 2 * HOUR, "bo", "load test", NOW - HOUR)
