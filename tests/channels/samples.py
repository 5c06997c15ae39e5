"""Messages to send in tests: one night of a rule on hours and of a rule on members' days."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from usage_watch.core.message import (
    Contributor,
    Conversation,
    Delivery,
    Drawn,
    Evidence,
    Fact,
    Hello,
    Line,
    Message,
    Notice,
    Reason,
    RuleName,
    Severity,
)

HOUR = timedelta(hours=1)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
"""Where the episode starts: 13:00 in Berlin."""

RULE = RuleName("hourly-credits", "threshold", "hourly-credits", "https://wiki.example.com/credits?a=1&b=2")
MEMBERS = RuleName("member-day", "threshold", "member-day")

PAGE = "https://usage.example.com"
"""Where the status page is, for messages that link to it."""

EVIDENCE = Evidence(
    dataset="credit_usage",
    bucket="1h",
    unit="credits",
    value=12345.0,
    limit=10000.0,
    score=None,
    from_at=NOON - 2 * HOUR,
    until_at=NOON + HOUR,
    summary="12,345 credits in 3 h, over the critical limit of 10,000",
    facts=(
        Fact("Usual for this hour", "3,100 to 4,900"),
        Fact("Limits", "warning 5,000, critical 10,000"),
    ),
    contributors=(
        Contributor("Model", "claude-opus-4-8", 8800.0, 0.71),
        Contributor("Model", "claude-sonnet-4-5", 1240.0, 0.1),
    ),
)

EXPLAINED = replace(
    EVIDENCE,
    why="+8,800 credits against the usual (+248 %): 71 % claude-opus-4-8 (new model)",
    contributors=(*EVIDENCE.contributors, Contributor("Credit Source", "paid", 8512.5, 0.9673)),
)
"""The same, and why."""

_DAY = (310, 420, 380, 300, 120, 60, 40, 35, 20, 25, 30, 90, 450, 1200, 2300, 2900, 3100, 3000, 3400, 3300, 4100, 6200)
HOURS = Drawn(
    what="credits in 3 h",
    until_at=NOON + HOUR,
    step=3600,
    values=(*map(float, _DAY), 9100.0, 12345.0),
    lines=(Line(Severity.WARNING, 5000.0), Line(Severity.CRITICAL, 10000.0)),
)
"""How the evidence came about."""
DAYS = Drawn(
    what="credits in 1 d",
    until_at=NOON + 12 * HOUR,
    step=86_400,
    values=(None, *(1500.0 + 80 * (day % 7) for day in range(22)), 21_400.0),
    lines=(Line(Severity.WARNING, 2000.0), Line(Severity.CRITICAL, 20_000.0)),
)
"""The same of a rule on days."""

NOTES = {
    Reason.CLOSED: "Its rule was removed or disabled.",
    Reason.RETRACTED: "The source revised it: 12,345 credits turned out to be 900 credits.",
}
"""As the program words them."""


def notice(reason: Reason = Reason.FIRED, **changes: Any) -> Notice:
    """The rule on hours; ended seven hours later where the reason is an end."""
    ends: dict[str, Any] = {"ended_at": NOON + 7 * HOUR} if reason.ending else {}
    plainest = Notice(
        reason=reason,
        severity=Severity.CRITICAL,
        rule=RULE,
        incident_id="inc_4f2a9c81d07be6a35c11",
        sequence=1,
        labels={},
        part=None,
        period_at=None,
        started_at=NOON,
        ended_at=None,
        evidence=EVIDENCE,
        note=NOTES.get(reason),
    )
    return replace(plainest, **{**ends, **changes})


def member_day(member: str, used: float, reason: Reason = Reason.FIRED, **changes: Any) -> Notice:
    """The rule on members' days."""
    limit, severity = (20_000.0, Severity.CRITICAL) if used > 20_000 else (2_000.0, Severity.WARNING)
    midnight = NOON.replace(hour=0)
    evidence = replace(
        EVIDENCE,
        bucket="1d",
        value=used,
        limit=limit,
        from_at=midnight,
        until_at=midnight + 24 * HOUR,
        summary=f"{used:,.0f} credits in 1 d, over the {severity} limit of {limit:,.0f}",
        facts=(Fact("A week before", "1,910 credits"),),
        contributors=(),
    )
    return notice(
        reason,
        **{
            "rule": MEMBERS,
            "labels": {"member": member},
            "severity": severity,
            "evidence": evidence,
            "started_at": midnight,
            "ended_at": midnight + 48 * HOUR if reason.ending else None,
            "incident_id": f"inc_{member.partition('@')[0]}",
            **changes,
        },
    )


def foreseen(reason: Reason = Reason.FIRED, **changes: Any) -> Notice:
    """A budget that will not last: its part `forecast`."""
    until_at = NOON.replace(hour=0)
    start_at = until_at - timedelta(days=9)
    evidence = replace(
        EVIDENCE,
        bucket="1d",
        value=452_000.0,
        limit=400_000.0,
        from_at=start_at,
        until_at=until_at,
        summary="452,000 credits by 14 Dec at this pace, over the limit of 400,000 "
        "(P 91 %; limit reached about Thu 10 Dec)",
        facts=(
            Fact("Likely range", "405,000 to 498,000 credits by 14 Dec (80 %)"),
            Fact("Limit reached", "Tue 8 Dec or later, if at all (80 %)"),
            Fact("To stay inside", "at most 11,900 credits a day from here; 14,300 are expected"),
            Fact("Spent", "138,400 of 400,000 credits (35 %)"),
            Fact("Period", "Fri 13 Nov 00:00 to Mon 14 Dec 00:00 (Europe/Berlin), 29 % of it over"),
            Fact("Record", "7-day forecasts were within ±14 %, four of five times"),
        ),
        why="in 7 d: +18,400 credits against the usual (+62 %): 71 % ana.reyes@example.com, new this week",
        newest=True,
        contributors=(),
        series=Drawn(
            "credits spent",
            until_at,
            86_400,
            tuple(float(15_400 * day - 200) for day in range(1, 10)),
            (Line(Severity.WARNING, 400_000.0),),
        ),
    )
    budget = {"part": "forecast", "period_at": start_at, "started_at": until_at - timedelta(days=1)}
    return notice(reason, **{**_BUDGET, **budget, "severity": Severity.WARNING, "evidence": evidence, **changes})


def burning(reason: Reason = Reason.FIRED, **changes: Any) -> Notice:
    """A budget that something eats up: its part `burn`."""
    evidence = replace(
        EVIDENCE,
        value=31_200.0,
        limit=26_700.0,
        from_at=NOON - 5 * HOUR,
        until_at=NOON + HOUR,
        summary="31,200 credits in 6 h: 9.4 times what the budget bears; "
        "at this pace the limit of 400,000 is reached on Tue 24 Nov",
        facts=(
            Fact("Spent", "171,600 of 400,000 credits (43 %)"),
            Fact("Period", "Fri 13 Nov 00:00 to Mon 14 Dec 00:00 (Europe/Berlin), 31 % of it over"),
            Fact("Still going on", "5,900 credits in 1 h, 11 times; told from 8 times"),
            Fact("As usual from here", "421,000 credits in all, by the 7 d before"),
        ),
        why="+30,100 credits against the usual (+2,700 %): 97 % claude-opus-4-8",
        contributors=(),
    )
    budget = {"part": "burn", "period_at": NOON.replace(hour=0) - timedelta(days=9), "started_at": NOON - HOUR}
    return notice(reason, **{**_BUDGET, **budget, "evidence": evidence, **changes})


_BUDGET: dict[str, Any] = {"rule": RuleName("credits-cycle", "budget", "Credits of this cycle", None)}


def frozen(feed: str, reason: Reason = Reason.FIRED) -> Notice:
    """What the watcher says of one feed."""
    evidence = replace(blind().evidence, summary="answers are not what is documented: the feed is frozen", facts=())
    rule = RuleName("meta:schema_drift", "meta", "Answers not as documented")
    severity = Severity.WARNING
    return blind(reason, rule=rule, evidence=evidence, labels={"Feed": feed}, severity=severity)


def blind(reason: Reason = Reason.FIRED, **changes: Any) -> Notice:
    """What the watcher says of itself: the key was refused for seven hours."""
    evidence = replace(
        EVIDENCE,
        unit="attempts",
        value=2.0,
        limit=2.0,
        from_at=NOON,
        until_at=NOON,
        summary="The analytics key does not work since 13:00 (2 attempts): nothing is read until it is replaced",
        facts=(
            Fact("Last error", "The source refused the key (401)."),
            Fact("What to do", "Have an organization admin make a key, and put it where `source.api_key` points"),
        ),
        contributors=(),
        after="The analytics key works again: nothing was read for 7 h; it was all read since.",
    )
    rule = RuleName("meta:auth_revoked", "meta", "Analytics key refused")
    return notice(reason, **{"rule": rule, "evidence": evidence, "incident_id": "inc_0d4e", **changes})


def days_later(*news: Notice, **changes: Any) -> Message:
    """Decided two days and an hour after the start, at 14:00 in Berlin, on data until 13:00."""
    decided_at = NOON + timedelta(days=2, hours=1)
    stands = tuple(replace(each, reason=Reason.FIRED) if each.reason.firing else each for each in news)
    said = message(*news, standing=stands, decided_at=decided_at, data_until=decided_at - HOUR)
    return replace(said, **changes)


def message(*news: Notice, **changes: Any) -> Message:
    """Decided at 15:10 in Berlin, on data until 14:00; after an end at 20:10."""
    news = news or (notice(),)
    later = news[0].ended_at is not None
    decided_at = NOON + (8 if later else 2) * HOUR + timedelta(minutes=10)
    plainest = Message(news, news, decided_at, "Europe/Berlin", decided_at - timedelta(minutes=70))
    return replace(plainest, **changes)


def delivery(said: Message | None = None, *, ref: str | None = None, **changes: Any) -> Delivery:
    """On its first attempt; `ref` makes it a follow-up."""
    said = said or message()
    conversation = Conversation("cnv_0a1b2c3d4e5f", "usage-watch: hourly-credits, 22 Nov 13:00", ref)
    plainest = Delivery("ntf_5e6f7a8b9c0d", said, conversation, 1, said.decided_at + timedelta(seconds=3))
    return replace(plainest, **changes)


def hostile(text: str, reason: Reason = Reason.FIRED, kind: str = "threshold") -> Message:
    """One incident with `text` wherever something from outside can stand."""
    evidence = replace(
        EVIDENCE,
        why=text,
        unit=text,
        summary=text,
        facts=(Fact(text, text),),
        contributors=(Contributor(text, text, 1.0, 0.5),),
        after=text,
        series=replace(HOURS, what=text),
    )
    rule = replace(RULE, title=text, runbook=text, kind=kind)
    said = {"rule": rule, "evidence": evidence, "labels": {text: text, "member": text}}
    said |= {"note": text, "text": text, "incident_id": text}
    return message(notice(reason, looks_over=True, **said), page=f"{PAGE}/{text}")


def greeting(**changes: Any) -> Message:
    """What is said first: at 14:00 in Berlin, on data until 13:00."""
    said = Message((), (), NOON + HOUR, "Europe/Berlin", NOON, hello=Hello(rules=6, heard=6, unread=0))
    return replace(said, **changes)


def hostile_pair(text: str) -> Message:
    """The same, folded with another."""
    said = hostile(text)
    [one] = said.news
    return message(one, replace(one, reason=Reason.CLOSED, ended_at=NOON + HOUR), page=said.page)
