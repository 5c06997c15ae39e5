"""Incidents as rows."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from usage_watch.core.incident import Incident
from usage_watch.core.message import Reason, RuleName, Severity
from usage_watch.store.database import Database, Row
from usage_watch.store.jsontext import EVIDENCE
from usage_watch.store.times import instant, moment, seconds

_OPEN_OR_SINCE = """
SELECT * FROM incident WHERE (ended_at IS NULL OR ended_at >= :since)
    AND (:rules IS NULL OR rule_id IN (SELECT value FROM json_each(:rules)))
ORDER BY started_at, id
"""
_BEGINNING = """
SELECT * FROM incident WHERE substr(id, 1, length(:prefix)) = :prefix OR substr(id, 5, length(:prefix)) = :prefix
ORDER BY id <> :prefix LIMIT 2
"""
# The columns of notification and conversation are those of the row with the greatest seq.
_STANDING = """
SELECT incident.*, conversation.ref, notification.reason, max(seq)
FROM incident
JOIN notification ON incident_id = incident.id AND notification.target = ?
JOIN outbox ON outbox.id = outbox_id
JOIN conversation ON conversation.id = conversation_id
WHERE incident.ended_at IS NULL AND state = 'sent' AND notification.reason <> 'updated'
GROUP BY incident.id ORDER BY started_at, incident.id
"""
_UPSERT = """
INSERT INTO incident VALUES (
    :id, :fingerprint, :rule_id, :kind, :title, :runbook, :labels, :part, :period_at, :started_at, :ended_at,
    :rank, :severity, :evidence, :sequence, :history, :looks_over, :closed, :retracted, :quiet, :committed_at
)
ON CONFLICT (id) DO UPDATE SET
    fingerprint = :fingerprint, rule_id = :rule_id, kind = :kind, title = :title, runbook = :runbook,
    labels = :labels, part = :part, period_at = :period_at, started_at = :started_at, ended_at = :ended_at,
    rank = :rank, severity = :severity, evidence = :evidence, sequence = :sequence, history = :history,
    looks_over = :looks_over, closed = :closed, retracted = :retracted, quiet = :quiet
"""


def ending_from(db: Database, since: datetime, rules: Collection[str] | None = None) -> list[Incident]:
    """Open incidents, and those that ended at `since` or later, in order of start; with `rules`, only of these."""
    terms = {"since": instant(since), "rules": None if rules is None else json.dumps([*rules])}
    return [_incident(row) for row in db.query(_OPEN_OR_SINCE, terms)]


def one(db: Database, prefix: str) -> Incident | None:
    """The incident of that id, or the only one whose id (with `inc_` or without) begins so."""
    found = [_incident(row) for row in db.query(_BEGINNING, {"prefix": prefix})]
    return found[0] if len(found) == 1 or (found and found[0].id == prefix) else None


def standing(db: Database, target: str) -> list[Incident]:
    """Open incidents of which the last that was sent to a target is not that they ended, oldest first.

    Each has the severity at which it stands there, where the target's own handle of it says that.
    """
    rows = [row for row in db.query(_STANDING, (target,)) if Reason(row[-2]).firing]
    return [_at_severity(_incident(row[:-3]), row[-3]) for row in rows]


def _at_severity(incident: Incident, ref: str | None) -> Incident:
    severity = next((each for each in Severity if each == ref), incident.severity)
    return replace(incident, severity=severity)


def upsert(db: Database, incidents: Iterable[Incident]) -> None:
    """Write incidents, replacing those of the same id."""
    for incident in incidents:
        db.execute(_UPSERT, _row(incident))


def _row(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "fingerprint": incident.fingerprint,
        "rule_id": incident.rule.id,
        "kind": incident.rule.kind,
        "title": incident.rule.title,
        "runbook": incident.rule.runbook,
        "labels": json.dumps(dict(incident.labels)),
        "part": incident.part,
        "period_at": incident.period_at and seconds(incident.period_at),
        "started_at": seconds(incident.started_at),
        "ended_at": incident.ended_at and instant(incident.ended_at),
        "rank": incident.rank,
        "severity": incident.severity,
        "evidence": EVIDENCE.dump(incident.evidence),
        "sequence": incident.sequence,
        "history": incident.history,
        "looks_over": incident.looks_over,
        "closed": incident.closed,
        "retracted": incident.retracted,
        "quiet": incident.quiet,
        "committed_at": instant(incident.committed_at),
    }


def _incident(row: Row) -> Incident:
    """From the columns in the order of the table."""
    incident_id, fingerprint, rule_id, kind, title, runbook, labels, part, period_at, started_at, *later = row
    ended_at, rank, severity, evidence, sequence, history, looks_over, closed, retracted, quiet, committed_at = later
    return Incident(
        id=incident_id,
        fingerprint=fingerprint,
        rule=RuleName(rule_id, kind, title, runbook),
        labels=json.loads(labels),
        part=part,
        period_at=moment(period_at),
        started_at=moment(started_at),
        ended_at=moment(ended_at),
        rank=rank,
        severity=Severity(severity),
        evidence=EVIDENCE.load(evidence),
        sequence=sequence,
        history=bool(history),
        closed=closed,
        committed_at=moment(committed_at),
        looks_over=bool(looks_over),
        retracted=bool(retracted),
        quiet=bool(quiet),
    )
