"""Why a feed cannot be read: a table of causes, each with what it takes to be told, and in which words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from usage_watch.core.message import Fact, RuleName, Severity
from usage_watch.core.series import Feed
from usage_watch.meta.telling import rule_name

# What a failed poll names, as `source` writes it. This folder lies beside it, and knows it by its stored words only.
UNAUTHORIZED = "unauthorized"
FEATURE_DISABLED = "feature_disabled"
THROTTLED = "throttled"
REFUSED = "refused"
BAD_REQUEST = "bad_request"
UNREACHABLE = "unreachable"
SERVER = "server"
BROKEN = "broken"
DRIFT = "drift"
MEMBER_GONE = "member_gone"

AT_ONCE = timedelta()

SCHEMA_DRIFT = rule_name("schema_drift", "Answers not as documented")
"""Of feeds that cannot be read, and of what came with them and cannot be understood."""


class Scope(Enum):
    """What one incident is about."""

    SOURCE = "the source as a whole: what fails of it at one time is one incident"
    FEED = "one feed"
    MEMBER = "one member: all of their feeds"

    def labels(self, feed: Feed) -> Mapping[str, str]:
        """Which incident of its cause a failing feed belongs to."""
        return {Scope.SOURCE: {}, Scope.FEED: {"Feed": str(feed)}, Scope.MEMBER: {"member": feed.scope}}[self]


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason why a feed cannot be read, and when it is one to tell of."""

    rule: RuleName
    faults: frozenset[str]
    """Polls that failed of any of these are of this cause."""
    attempts: int
    """So many of a feed must have failed in a row."""
    levels: Mapping[Severity, timedelta]
    """How long after the first of them each severity is reached, the lowest first."""
    said: str
    """The summary. Holds `{what}` could not be read, `{why}`, `{since}` when and after how many `{attempts}`."""
    facts: Mapping[str, str]
    """What it means and what to do, by name."""
    healed: str
    """What is true once it is over."""
    apart: timedelta = AT_ONCE
    """So long must lie between the first and the last of the attempts."""
    scope: Scope = Scope.SOURCE
    by_time: bool = False
    """Whether it is measured in hours; else in attempts."""


WHY: Mapping[str, str] = {
    UNREACHABLE: "cannot be reached",
    SERVER: "reports a fault of its own",
    BROKEN: "gives unusable answers",
    THROTTLED: "asks for fewer requests",
}
"""What the source does, of those causes that say it."""

_UNREAD = "{what} could not be read since {since} ({attempts}): the analytics API {why}"
_BY_ITSELF = "It is asked again by itself, and what was missed is read then"

CAUSES: tuple[Cause, ...] = (
    Cause(
        rule=rule_name("source_unreachable", "Analytics API unreachable"),
        faults=frozenset({UNREACHABLE, SERVER, BROKEN}),
        attempts=3,
        levels={Severity.WARNING: timedelta(minutes=30), Severity.CRITICAL: timedelta(hours=6)},
        said=_UNREAD,
        facts={
            "What it means": _BY_ITSELF,
            "What to do": "If this stays, check this machine's network, DNS and proxy, and `source.base_url`",
        },
        healed="The analytics API answers again",
    ),
    Cause(
        rule=rule_name("source_throttled", "Analytics API throttled"),
        faults=frozenset({THROTTLED}),
        attempts=1,
        levels={Severity.WARNING: timedelta(hours=1)},
        said=_UNREAD,
        facts={
            "What it means": _BY_ITSELF,
            "What to do": "If this stays, raise `source.poll_every` or watch fewer feeds",
        },
        healed="The analytics API answers again",
        by_time=True,
    ),
    Cause(
        rule=rule_name("auth_revoked", "Analytics key refused"),
        faults=frozenset({UNAUTHORIZED}),
        attempts=2,
        apart=timedelta(minutes=1),
        levels={Severity.CRITICAL: AT_ONCE},
        said="The analytics key does not work since {since} ({attempts}): nothing is read until it is replaced",
        facts={
            "Why": "A key is revoked when a new key is made, or when the feature is switched off; or none is found",
            "What to do": "Have an organization admin make a key, and put it where `source.api_key` points",
            "And then": "Nothing: the key is read anew at each try, so a replaced key file needs no restart",
        },
        healed="The analytics key works again",
    ),
    Cause(
        rule=rule_name("feature_disabled", "Analytics API switched off"),
        faults=frozenset({FEATURE_DISABLED}),
        attempts=2,
        levels={Severity.WARNING: AT_ONCE},
        said="The analytics API is switched off for the organization since {since} ({attempts}): nothing is read",
        facts={
            "What to do": "Have an organization admin switch it on under Settings → Organization → Computer; "
            "if it is on, check `source.base_url`",
            "Until then": "It is asked once an hour, and what was missed is read once it answers",
        },
        healed="The analytics API is switched on again",
    ),
    Cause(
        rule=SCHEMA_DRIFT,
        faults=frozenset({DRIFT}),
        attempts=2,
        levels={Severity.WARNING: AT_ONCE},
        said="answers are not what is documented since {since} ({attempts}): the feed is frozen",
        facts={
            "What it means": "Nothing of these answers is stored; the newest is kept in the database, for a later look",
            "What to do": "Look for a newer version of usage-watch",
        },
        healed="The answers are as documented again",
        scope=Scope.FEED,
    ),
    Cause(
        rule=rule_name("feed_refused", "Feed without an answer"),
        faults=frozenset({REFUSED, BAD_REQUEST}),
        attempts=2,
        levels={Severity.WARNING: AT_ONCE},
        said="the analytics API has no answer to this question since {since} ({attempts}): the feed stops alone",
        facts={
            "What to do": "Correct the rule that needs it: there may be no such dataset, or not by the hour, "
            "or not for one member",
            "Until then": "It is asked once an hour; every other feed goes on",
        },
        healed="The question is answered now",
        scope=Scope.FEED,
    ),
    Cause(
        rule=rule_name("member_gone", "Watched member gone"),
        faults=frozenset({MEMBER_GONE}),
        attempts=1,
        levels={Severity.WARNING: AT_ONCE},
        said="no member of the organization any more, as of {since}: only what is asked of them stops",
        facts={
            "What it means": "What is stored of them stays, and every other feed goes on",
            "What to do": "Correct or remove the rules that name them",
        },
        healed="They are a member again",
        scope=Scope.MEMBER,
    ),
)
"""Each fault of a poll is of one cause."""

_BY_FAULT = {fault: cause for cause in CAUSES for fault in cause.faults}


def cause_of(fault: str | None) -> Cause | None:
    """What a poll failed of; None after a success."""
    return None if fault is None else _BY_FAULT.get(fault)


def facts_of(cause: Cause) -> tuple[Fact, ...]:
    """What it means and what to do."""
    return tuple(Fact(name, value) for name, value in cause.facts.items())
