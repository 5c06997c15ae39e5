"""Incidents, what was promised of them, and what people said, in a few words: for the tests of what is told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

from tests.core.builders import at, evidence
from usage_watch.core.incident import Incident
from usage_watch.core.message import Conversation, Reason, RuleName, Severity
from usage_watch.core.plan import Plan, Routes, Terms, plan
from usage_watch.core.promise import Decision, Notification, Target, Told
from usage_watch.core.silence import Ack, Matcher, Operator, Orders, Silence

CONVERSATION = Conversation("cnv_1", "it", None)
ROUTES = {
    "it": {
        Severity.INFO: ["log"],
        Severity.WARNING: ["ops"],
        Severity.CRITICAL: ["ops", "pager"],
    }
}
TARGETS = {
    "log": Target(people=True),
    "ops": Target(people=True),
    "pager": Target(people=False),
    "board": Target(people=True, edits=True),
    "cluster": Target(people=False, by_state=True),
}
INFO, WARNING, CRITICAL = 1, 2, 3
FIRED, ESCALATED, REMINDER, UPDATED = Reason.FIRED, Reason.ESCALATED, Reason.REMINDER, Reason.UPDATED
RESOLVED, LATE, RETRACTED, CLOSED = Reason.RESOLVED, Reason.FIRED_AND_ENDED, Reason.RETRACTED, Reason.CLOSED
NOW = at(6)
"""An hour after what has ended did."""

Standing = Literal["sent", "waits", "unsure", "dead", "recalled"]
"""How a message stands in the outbox; `unsure` is still tried, and may have arrived."""
News = tuple[str, str, int]
"""Target, reason and ordinal."""


def incident(rank: int = WARNING, *, ended: bool = False, closed: str | None = None, **changes: object) -> Incident:
    severity = list(Severity)[rank - 1]
    made = Incident(
        id="inc_1",
        fingerprint="f",
        rule=RuleName("it", "threshold", "it"),
        labels={},
        part=None,
        period_at=None,
        started_at=at(0),
        ended_at=at(5) if ended or closed else None,
        rank=rank,
        severity=severity,
        evidence=evidence(),
        sequence=0,
        history=False,
        closed=closed,
        committed_at=at(1),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


OPEN = incident()
ENDED = incident(ended=True)
GONE = incident(closed="Its rule was changed.")
TAKEN_BACK = incident(closed="Revised.", retracted=True)


def promised(
    reason: Reason,
    rank: int = WARNING,
    standing: Standing = "sent",
    *,
    counts: bool = True,
    target: str = "ops",
    ordinal: int = 1,
    face: str = "",
    decided_at: datetime = NOW - timedelta(hours=5),
    post: str = "ntf_1",
    of: str = "inc_1",
    conversation: Conversation = CONVERSATION,
) -> Told:
    return Told(
        Notification(of, target, reason, ordinal, rank, face),
        conversation,
        decided_at,
        post,
        counts=counts and standing in ("sent", "waits", "unsure"),
        waits=standing == "waits",
        recalled=standing == "recalled",
    )


def plan_of(
    incidents: Incident | Sequence[Incident],
    told: Iterable[Told] = (),
    *,
    before: Sequence[Incident] | None = None,
    routes: Routes = ROUTES,
    remind: timedelta | None = None,
    orders: Orders | None = None,
    now: datetime = NOW,
    noted: Iterable[Decision] = (),
) -> Plan:
    """What is planned; by default the last cycle left the incidents as they are now.

    `noted`: what earlier cycles held back.
    """
    found = [incidents] if isinstance(incidents, Incident) else incidents
    known = {each.id: each for each in (found if before is None else before)}
    return plan(found, known, list(told), Terms(routes, TARGETS, {"it": remind}, orders or Orders()), now, noted)


def said(plan: Plan) -> list[News]:
    """What a plan tells."""
    return [(each.target, each.reason.value, each.ordinal) for each in plan.notifications]


def held(plan: Plan) -> list[tuple[str | None, str, str]]:
    """What a plan holds back: target, reason and the silence's id."""
    return [(each.target, each.reason.value, each.why.split()[-1].rstrip(".")) for each in plan.held]


def silence(
    from_hour: float, until_hour: float, *, id: str = "sil_1", only: str = "rule=it", expired_hour: float | None = None
) -> Silence:
    name, _, value = only.partition("=")
    return Silence(
        id=id,
        matchers=(Matcher(name, Operator.IS, value),),
        from_at=at(from_hour),
        until_at=at(until_hour),
        author="ana",
        reason="a load test",
        created_at=at(0),
        expired_at=None if expired_hour is None else at(expired_hour),
    )


def silenced(*silences: Silence) -> Orders:
    return Orders(silences)


def acked(hour: float, rank: int = WARNING, *silences: Silence) -> Orders:
    return Orders(silences, {"inc_1": Ack("inc_1", rank, at(hour), "bo")})
