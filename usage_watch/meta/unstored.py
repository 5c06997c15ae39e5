"""The database cannot be used: the one thing of the watcher that is told past it, and so is no incident of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from usage_watch.core.message import Evidence, Fact, Message, Notice, Reason, Severity
from usage_watch.errors import Hindrance
from usage_watch.meta.telling import Reader, evidence, rule_name

RULE = rule_name("store_hindered", "Database not usable")
SUBJECT = "usage-watch: nothing can be stored"
"""Of all mails about one outage."""

_WHY = {
    Hindrance.FULL: "the database's disk is full",
    Hindrance.READ_ONLY: "the database's file system is mounted read-only",
    Hindrance.FORBIDDEN: "the database may not be written",
    Hindrance.DISK: "the database's disk reports an error",
    Hindrance.LOCKED: "another program keeps the database locked",
    Hindrance.UNOPENABLE: "the database, or a file beside it, cannot be opened",
    Hindrance.DAMAGED: "the database is damaged",
    Hindrance.MOVED: "the database, or a file beside it, was removed or replaced",
    Hindrance.OTHER: "this machine stands in the way",
}
_MEANS = (
    "Nothing new is judged or told until this is mended; open alerts stay as they were told, and what the source "
    "counts meanwhile is read afterwards, up to 90 days back"
)
_BY_ITSELF = "Nothing: it is tried every 30 s, goes on by itself, and says so"
_BY_HAND = "Start usage-watch again: what the backup lacks is read from the source, up to 90 days back"


def reason_of(hindrance: Hindrance) -> str:
    """Why nothing can be stored, as a clause."""
    return _WHY[hindrance]


def message(
    incident_id: str,
    reason: Reason,
    sequence: int,
    hindrance: Hindrance,
    last_error: str,
    since: datetime,
    ended_at: datetime | None,
    reader: Reader,
) -> Message:
    """That nothing can be stored since then; with `ended_at`, that it can again."""
    notice = Notice(
        reason=reason,
        severity=Severity.CRITICAL,
        rule=RULE,
        incident_id=incident_id,
        sequence=sequence,
        labels={},
        part=None,
        period_at=None,
        started_at=since,
        ended_at=ended_at,
        evidence=_evidence(hindrance, last_error, since, ended_at, reader),
    )
    return Message((notice,), (notice,), reader.now, reader.zone.key, None, unstored=True)


def _evidence(
    hindrance: Hindrance, last_error: str, since: datetime, ended_at: datetime | None, reader: Reader
) -> Evidence:
    return evidence(
        unit="databases",
        value=1,
        limit=0,
        from_at=since,
        until_at=ended_at or reader.now,
        summary=f"nothing can be stored since {reader.time(since)}: {_WHY[hindrance]}",
        facts=() if ended_at is not None else _facts(hindrance, last_error),
        after="Nothing was lost: what the source counted meanwhile is read now, and what waited is told.",
    )


def _facts(hindrance: Hindrance, last_error: str) -> Iterator[Fact]:
    why, _, advice = last_error.partition("; ")
    yield Fact("Last error", why)
    yield Fact("What it means", _MEANS)
    if advice:
        yield Fact("What to do", advice[0].upper() + advice[1:])
    yield Fact("And then", _BY_HAND if hindrance is Hindrance.DAMAGED else _BY_ITSELF)
