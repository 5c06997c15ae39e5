"""The webhook's JSON: the public contract with machines. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from usage_watch.channels.posting import encoded, written_instant
from usage_watch.core.entry import AFTERWARDS, WHY, goes_on
from usage_watch.core.links import alert_page
from usage_watch.core.message import Delivery, Evidence, Notice
from usage_watch.core.plain import plain

Json = dict[str, Any]

_LEAST, _LABELS = 200, 3
"""Bytes of a text, and how many labels, where only the least is to be said."""


def webhook_body(delivery: Delivery) -> bytes:
    """The JSON of the contract, keys in its order, UTF-8; a minimal one has them all too, with the least in them."""
    whole = delivery.message.news[0]
    notice = _least(whole) if delivery.minimal else whole
    evidence = notice.evidence
    body: Json = {
        "version": 1,
        "id": delivery.id,
        "reason": notice.reason.value,
        "status": "firing" if goes_on(notice) else "resolved",
        "severity": notice.severity.value,
        "rule": {
            "id": notice.rule.id,
            "kind": notice.rule.kind,
            "title": notice.rule.title,
            "runbook": notice.rule.runbook,
        },
        "incident": _incident(notice),
        "dataset": evidence.dataset,
        "bucket": evidence.bucket,
        "unit": evidence.unit,
        "value": _number(evidence.value),
        "limit": _number(evidence.limit),
        "score": _number(evidence.score),
        "summary": evidence.summary,
        "facts": _facts(notice),
        "contributors": _contributors(evidence),
        "data_until": _instant(delivery.message.data_until),
        "sent_at": _instant(delivery.sent_at),
    }
    if link := alert_page(delivery.message, whole):
        body["url"] = None if delivery.minimal and len(link) > _LEAST else link
    if delivery.message.test:
        body["test"] = True
    return encoded(body)


def _incident(notice: Notice) -> Json:
    return {
        "id": notice.incident_id,
        "labels": dict(sorted(notice.labels.items())),
        "part": notice.part,
        "period": _instant(notice.period_at),
        "started_at": _instant(notice.started_at),
        "ended_at": _instant(notice.ended_at),
        "sequence": notice.sequence,
    }


def _facts(notice: Notice) -> list[Json]:
    evidence = notice.evidence
    said = [("Note", notice.note), (AFTERWARDS, None if goes_on(notice) else evidence.after)]
    said += [("Text", notice.text), (WHY, evidence.why), *((fact.name, fact.value) for fact in evidence.facts)]
    return [{"name": name, "value": value} for name, value in said if value is not None]


def _contributors(evidence: Evidence) -> list[Json]:
    return [
        {"axis": c.axis, "category": c.category, "change": _number(c.change), "share": _number(c.share)}
        for c in evidence.contributors
    ]


def _number(value: float | None) -> float | None:
    """As JSON knows it: whole numbers without a point, nothing for what is not finite."""
    if value is None or not math.isfinite(value):
        return None
    return int(value) if float(value).is_integer() else float(value)


def _instant(at: datetime | None) -> str | None:
    return None if at is None else written_instant(at)


def _least(notice: Notice) -> Notice:
    """Without reasons, and with no text that is long; what is short stays as it is, for a receiver goes by it."""
    evidence, rule = notice.evidence, notice.rule
    runbook = rule.runbook if rule.runbook is None or len(rule.runbook) <= _LEAST else None
    return replace(
        notice,
        rule=replace(rule, title=_cut(rule.title), runbook=runbook),
        labels=_few(notice.labels),
        part=None if notice.part is None else _cut(notice.part),
        note=None,
        text=None,
        evidence=replace(
            evidence,
            unit=_cut(evidence.unit),
            summary=_cut(evidence.summary),
            facts=(),
            why=None,
            contributors=(),
            after=None,
        ),
    )


def _few(labels: Mapping[str, str]) -> dict[str, str]:
    first = sorted(labels.items())[:_LABELS]
    return {_cut(name, _LEAST // 2): _cut(value) for name, value in first}


def _cut(text: str, limit: int = _LEAST) -> str:
    """The text, if it is short in JSON; else its beginning, as one line."""
    if len(encoded(text)) <= limit:
        return text
    line = plain(text, limit)
    return next((cut for end in range(len(line), 0, -1) if len(encoded(cut := line[:end] + "…")) <= limit), "…")
