"""Readings, incidents and messages to store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from usage_watch.core.hello import hello_id
from usage_watch.core.incident import Incident
from usage_watch.core.message import (
    Contributor,
    Conversation,
    Evidence,
    Fact,
    Hello,
    Message,
    Notice,
    Reason,
    RuleName,
    Severity,
)
from usage_watch.core.promise import Notification, Post
from usage_watch.core.series import DAY, EACH_MEMBER, HOUR, Feed, Reading, SeriesKey
from usage_watch.store.history import HistoryStore

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
BASE = int(NOON.timestamp())
HOURLY = Feed("credit_usage", HOUR)
MEMBERS = Feed("credit_usage", DAY, EACH_MEMBER)
MIDNIGHT = BASE - BASE % DAY
EVERY = timedelta(hours=1)
"""How often a feed is asked, where nothing else is said."""

Cell = tuple[str | None, str | None, str | None]
"""Axis, category, member."""


def at(hours: float) -> datetime:
    """So many hours after noon."""
    return NOON + timedelta(hours=hours)


def hour(number: int) -> int:
    """Start of the n-th hour from noon, epoch seconds."""
    return BASE + number * HOUR


def day(number: int) -> int:
    """Start of the n-th day from today, epoch seconds."""
    return MIDNIGHT + number * DAY


def reading(feed: Feed, buckets: Mapping[int, Mapping[Cell, int]], axes: tuple[str, ...] = ("Model",)) -> Reading:
    """What was said of each bucket, by start."""
    rows = [(SeriesKey(feed, *cell), start, count) for start, cells in buckets.items() for cell, count in cells.items()]
    return Reading(feed, axes, tuple(sorted(buckets)), tuple(rows))


def totals(counts: Mapping[int, int], feed: Feed = HOURLY) -> Reading:
    """Only the totals, by start."""
    return reading(feed, {start: {(None, None, feed.member): count} for start, count in counts.items()}, axes=())


def read_up(
    store: HistoryStore, now: datetime, feed: Feed = HOURLY, every: timedelta = EVERY, back_to: datetime | None = None
) -> None:
    """The feed was read to its end, from `back_to` on at the oldest."""
    store.read_up(feed, now, now, every, back_to or now - timedelta(days=90))


def polled(store: HistoryStore, said: Reading, hours: float, every: timedelta = EVERY) -> None:
    """One poll, so many hours after noon, that brought all it asked for."""
    store.save(said, at(hours))
    read_up(store, at(hours), said.feed, every)


EVIDENCE = Evidence(
    dataset="credit_usage",
    bucket="1h",
    unit="credits",
    value=12345.0,
    limit=0.1 + 0.2,
    score=None,
    from_at=at(-3),
    until_at=at(0) + timedelta(microseconds=123457),
    summary="12,345 credits in 3 h, over the critical limit of 10,000",
    facts=(Fact("Usual for this hour", "3,100 to 4,900"), Fact("“odd”\u2028", "a\x00b")),
    contributors=(Contributor("Model", "claude-opus-4-8", 8800.0, 0.71),),
)
RULE = RuleName("hourly-credits", "threshold", "Hourly credits", "https://wiki.example.com/credits")


def incident(number: int = 1, ended_at: datetime | None = None) -> Incident:
    """An incident that began an hour before noon."""
    return Incident(
        id=f"inc_{number:012x}",
        fingerprint=f"fp{number}",
        rule=RULE,
        labels={"Model": "claude-opus-4-8"},
        part="levels",
        period_at=at(-12),
        started_at=at(-1),
        ended_at=ended_at,
        rank=2,
        severity=Severity.CRITICAL,
        evidence=EVIDENCE,
        sequence=1,
        history=False,
        closed=None,
        committed_at=at(0) + timedelta(microseconds=1),
    )


def greeting(target: str = "ops") -> Post:
    """The first line that a channel of people hears."""
    message = Message((), (), at(0), "Europe/Berlin", at(-1), hello=Hello(rules=2, heard=2, unread=0))
    conversation = Conversation(f"cnv_hello_{target}", "usage-watch: watching 2 rules", None)
    return Post(hello_id(target), target, conversation, message, ())


def notice(about: Incident, reason: Reason) -> Notice:
    """What an incident's news is."""
    return Notice(
        reason=reason,
        severity=about.severity,
        rule=about.rule,
        incident_id=about.id,
        sequence=about.sequence,
        labels=about.labels,
        part=about.part,
        period_at=about.period_at,
        started_at=about.started_at,
        ended_at=about.ended_at,
        evidence=about.evidence,
    )


def post(
    number: int, about: Incident, target: str = "ops", reason: Reason = Reason.FIRED, conversation: str = "cnv_1"
) -> Post:
    """A message about one incident to one target."""
    news = notice(about, reason)
    message = Message((news,), (news, replace(news, note="closed")), at(0), "Europe/Berlin", None)
    key = Notification(about.id, target, reason, 1, about.rank)
    return Post(f"ntf_{number}", target, Conversation(conversation, "Hourly credits", None), message, (key,))
