"""The JSON of `POST /api/v2/alerts`. Pure.

An alert is known by its labels, which are therefore equal in every watcher of the same usage: nothing of the machine,
and nothing that changes while an incident goes on, but for its severity. With that another alert begins, so that the
one before is ended beside it; `Delivery.conversation.ref` says at which severity the incident stands there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from usage_watch.channels.posting import encoded, written_instant
from usage_watch.core.entry import entry, goes_on, shown
from usage_watch.core.links import alert_page
from usage_watch.core.message import Delivery, Notice, Reason, Severity
from usage_watch.core.plain import plain, web_link
from usage_watch.core.units import number

Json = dict[str, Any]

STANDS_FOR = timedelta(minutes=20)
"""An alert that is not told again for so long is over: the watcher, or its channel, is gone."""
BRIEFLY = timedelta(minutes=10)
"""What is over already stands for so long, for somebody to be told of it: longer than a usual `group_interval`."""

_OWN = ("alertname", "severity", "kind", "dataset", "part", "source", "incident")
_LABEL, _TITLE, _LINE, _TEXT = 120, 80, 300, 600
"""Characters of a label's value, and of annotations."""
_LEAST = 100


def alerts_body(delivery: Delivery, *, apart: bool = False) -> bytes:
    """All that the message is about. `apart`: its series have lost their names, and are known by the incident."""
    alerts = (alert for notice in delivery.message.news for alert in _alerts(notice, delivery, apart))
    return encoded(list(alerts))


def stands_at(delivery: Delivery) -> Severity:
    """At which severity the first incident of the message stands there once this was taken, or stood when it ended."""
    return _standing(delivery.message.news[0], delivery)


def _standing(notice: Notice, delivery: Delivery) -> Severity:
    ends = notice.reason.ending and notice.reason is not Reason.FIRED_AND_ENDED
    return (_stood(delivery) if ends else None) or notice.severity


def _stood(delivery: Delivery) -> Severity | None:
    """At which severity it stood there before; None where that is not known."""
    ref = delivery.conversation.ref  # another kind's, where the channel was of another kind
    return next((each for each in Severity if each == ref), None)


def _alerts(notice: Notice, delivery: Delivery, apart: bool) -> Iterator[Json]:
    now, stood, severity = delivery.sent_at, _stood(delivery), _standing(notice, delivery)
    if notice.reason is Reason.ESCALATED and stood not in (None, severity):
        yield _alert(notice, delivery, apart, stood or severity, now)
    yield _alert(notice, delivery, apart, severity, _ends_at(notice, delivery))


def _ends_at(notice: Notice, delivery: Delivery) -> datetime:
    now = delivery.sent_at
    if delivery.message.test or notice.reason is Reason.FIRED_AND_ENDED:
        return now + BRIEFLY
    return now + STANDS_FOR if goes_on(notice) else min(notice.ended_at or now, now)


def _alert(notice: Notice, delivery: Delivery, apart: bool, severity: Severity, ends_at: datetime) -> Json:
    page = None if delivery.minimal else alert_page(delivery.message, notice)
    return {
        "labels": _labels(notice, severity, apart),
        "annotations": _annotations(notice, delivery),
        **({} if page is None else {"generatorURL": page}),
        "startsAt": written_instant(notice.started_at),
        # It refuses what ends before it starts, which a clock that was set back would make of it.
        "endsAt": written_instant(max(ends_at, notice.started_at)),
    }


def _labels(notice: Notice, severity: Severity, apart: bool) -> dict[str, str]:
    own = {
        "alertname": notice.rule.id,
        "severity": severity.value,
        "kind": notice.rule.kind,
        "dataset": notice.evidence.dataset,
        "part": notice.part or "",
        "source": "usage_watch",
        "incident": notice.incident_id if apart and notice.labels else "",
    }
    labels = {name: _value(value) for name, value in own.items() if value}
    for axis, category in sorted(notice.labels.items()):
        labels[_legal(axis, labels)] = _value(category)
    return labels


def _legal(axis: str, taken: Mapping[str, str]) -> str:
    """`Credit Source` -> `credit_source`; never a name that something else has."""
    name = re.sub(r"[^a-z0-9]+", "_", axis[:_LABEL].lower()).strip("_")
    if not name or name[0].isdigit() or name in _OWN:
        name = f"series_{name}".rstrip("_")
    while name in taken:
        name += "_"
    return name


def _value(text: str) -> str:
    """A clean text; of a long one its beginning, and a digest: two series never become one alert."""
    line = shown(text, len(text) + 1)
    if len(line) <= _LABEL:
        return line
    return f"{line[:_LABEL]}… {hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:8]}"


def _annotations(notice: Notice, delivery: Delivery) -> dict[str, str]:
    """What may change while it goes on. The summary is alike for all that is said of it before its end."""
    evidence, least = notice.evidence, delivery.minimal
    summary = evidence.summary if goes_on(notice) else entry(notice, delivery.message).headline
    said = {
        "title": plain(notice.rule.title, _TITLE),
        "summary": plain(summary, _LEAST if least else _LINE),
        "description": "" if least else plain(notice.text or "", _TEXT),
        "value": number(evidence.value),
        "limit": number(evidence.limit),
        "unit": plain(evidence.unit, _TITLE),
        "since": written_instant(notice.started_at),
        "runbook_url": "" if least else web_link(notice.rule.runbook) or "",
        "incident": plain(notice.incident_id, _TITLE),
    }
    return {name: value for name, value in said.items() if value}
