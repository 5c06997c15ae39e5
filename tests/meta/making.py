"""Polls and states in a few words; minutes count from Friday 20 November 2026, 08:00 UTC (09:00 in Berlin)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from usage_watch.core.feedstate import FeedState, Poll
from usage_watch.core.incident import Happening
from usage_watch.core.series import DAY, HOUR, Feed
from usage_watch.core.targetstate import GivenUp, TargetState
from usage_watch.meta import Sight, happenings

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 11, 20, 8, tzinfo=UTC)
HOURS, DAYS = Feed("credit_usage", HOUR), Feed("credit_usage", DAY)
ANA, ANA_DAYS = Feed("credit_usage", HOUR, "ana@example.com"), Feed("credit_usage", DAY, "ana@example.com")
SKILLS = Feed("skills", HOUR)

LETTERS = {
    ".": None,
    "u": "unreachable",
    "s": "server",
    "b": "broken",
    "t": "throttled",
    "k": "unauthorized",
    "f": "feature_disabled",
    "d": "drift",
    "r": "refused",
    "q": "bad_request",
    "m": "member_gone",
    "?": "something newer",
}


def minute(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def polls(outcomes: str, feed: Feed = HOURS, *, every: float = 10, first: float = 0) -> Iterator[Poll]:
    """One poll a letter, so many minutes apart; a blank is none."""
    for index, letter in enumerate(outcomes):
        if letter != " ":
            fault = LETTERS[letter]
            detail = None if fault is None else f"It failed ({fault})"
            yield Poll(feed, minute(first + index * every), fault, detail)


def seen(*outcomes: Iterator[Poll], feeds: Sequence[Feed | FeedState] = (HOURS,)) -> Sight:
    """What all these polls tell, of these feeds."""
    every = sorted((poll for some in outcomes for poll in some), key=lambda poll: poll.at)
    states = [each if isinstance(each, FeedState) else FeedState(each) for each in feeds]
    return Sight(polls=every, feeds=states)


def target(
    name: str = "pager",
    *,
    blocked: float | None = None,
    failing: float | None = None,
    oldest: float | None = None,
    waiting: int = 1,
    lost: Sequence[float] = (),
    unstated: float | None = None,
    error: str | None = "hook.example answered 503",
) -> TargetState:
    """A channel: since when it is blocked, fails, has its oldest message; when messages were given up."""
    return TargetState(
        name,
        blocked_from=None if blocked is None else minute(blocked),
        failing_from=None if failing is None else minute(failing),
        last_error=error,
        waiting=0 if oldest is None else waiting,
        waiting_from=None if oldest is None else minute(oldest),
        given_up=tuple(GivenUp(minute(at), f"Refused at {at:g}.", f"rule-{at % 2:g}") for at in lost),
        unstated_from=None if unstated is None else minute(unstated),
    )


def found(sight: Sight, minutes: float) -> list[Happening]:
    return happenings(sight, BERLIN, minute(minutes))


def facts(happening: Happening) -> dict[str, str]:
    return {fact.name: fact.value for fact in happening.evidence.facts}


def told(sight: Sight, minutes: float) -> list[str]:
    """`auth_revoked critical 0-20`: of each its cause, severity, and minutes from and to."""
    return [_brief(each) for each in found(sight, minutes)]


def _brief(happening: Happening) -> str:
    until = "" if happening.ended_at is None else f"{(happening.ended_at - START) / timedelta(minutes=1):g}"
    labels = "".join(f" {value}" for value in happening.labels.values())
    since = f"{(happening.started_at - START) / timedelta(minutes=1):g}"
    return f"{happening.rule.id.removeprefix('meta:')}{labels} {happening.severity} {since}-{until}"
