"""What is said, in words and numbers without any markup; each channel kind renders it in its own form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from usage_watch.core.money import Price

NAMED = 20
"""Incidents that one message names, where its rule says nothing else."""
COUNTED = "Counted"
"""The name of the fact that says which usage counts, where not all does."""


class Severity(StrEnum):
    """How much a level matters; `notify` sends by it."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def weight(self) -> int:
        """For comparing: a higher number matters more."""
        return list(Severity).index(self)


class Reason(StrEnum):
    """Why something is told: the difference between what is true and what has been told."""

    FIRED = "fired"
    ESCALATED = "escalated"
    REMINDER = "reminder"
    """It goes on, and nobody has said that they know."""
    UPDATED = "updated"
    """What was told is corrected in place; pings nobody."""
    RESOLVED = "resolved"
    FIRED_AND_ENDED = "fired_and_ended"
    """It had ended before it could be told."""
    RETRACTED = "retracted"
    """It was told, and then the usage that it was about was revised away, or removed with all of a member."""
    CLOSED = "closed"

    @property
    def firing(self) -> bool:
        """Whether the incident goes on after this: a machine's `status` is `firing`, else `resolved`."""
        return self in (Reason.FIRED, Reason.ESCALATED, Reason.REMINDER)

    @property
    def ending(self) -> bool:
        """Whether this is the last that is said of it, unless it is reopened."""
        return not self.firing and self is not Reason.UPDATED


@dataclass(frozen=True, slots=True)
class RuleName:
    """Which rule speaks."""

    id: str
    kind: str
    title: str
    runbook: str | None = None
    """An https link to what to do about it."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a message, such as `Usual for this hour: 3,100 to 4,900`."""

    name: str
    value: str


class Who(StrEnum):
    """By what a reason that names members at night knows them."""

    LOOKED_UP = "looked_up"
    """The hours of the heaviest members, which were asked for once."""
    CONFIRMED = "confirmed"
    """Whole days of all members, which come a day later."""


@dataclass(frozen=True, slots=True)
class Contributor:
    """One category's part in what changed."""

    axis: str
    category: str
    change: float
    """How far it is above (or below) its usual, in the unit of the evidence."""
    share: float
    """Its part of the whole change, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Line:
    """Where a level stands in a picture."""

    severity: Severity
    limit: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """How what was judged came to where it stood: points `step` seconds apart, for a picture.

    It is no part of what makes an incident worth correcting: nobody is told that a picture has changed.
    """

    what: str
    """What each value is: `credits in 3 h`."""
    until_at: datetime
    """End of the bucket of the last value, which is the one that the evidence speaks of."""
    step: int
    """Seconds from one value to the next."""
    values: tuple[float | None, ...]
    """Oldest first, at most 24; None where something of it is not known."""
    lines: tuple[Line, ...] = ()
    """The levels as they were for the last value: of each severity the first."""
    low: tuple[float | None, ...] = ()
    """The lower end of the usual, value by value; empty where nothing is usual."""
    high: tuple[float | None, ...] = ()
    """The upper end of the usual."""

    @property
    def ends(self) -> tuple[datetime, ...]:
        """When the bucket of each value ends."""
        last = len(self.values) - 1
        return tuple(self.until_at - timedelta(seconds=self.step * (last - place)) for place in range(last + 1))


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was judged, at the bucket that a message speaks of, as its rule words it."""

    dataset: str
    bucket: str
    """Width of the judged buckets, `1h` or `1d`."""
    unit: str
    """Unit of value and limit, such as `credits` or `%`."""
    value: float
    limit: float
    """The limit of the level reached, in `unit`."""
    score: float | None
    """Standard deviations from the usual; None where the rule has no score."""
    from_at: datetime
    """Start of what was judged: of the window or the period."""
    until_at: datetime
    """End of the judged bucket."""
    summary: str
    """One sentence with number and limit: `12,345 credits in 3 h, over the critical limit of 10,000`."""
    facts: tuple[Fact, ...] = ()
    """Further lines, most telling first; the rule's arithmetic is one of them."""
    contributors: tuple[Contributor, ...] = ()
    """Who or what the change comes from: the largest of each axis, those of the telling axis first."""
    after: str | None = None
    """What is to be said once it is over, in one sentence: what was missed, say."""
    series: Drawn | None = None
    """How it came to this; None where there is nothing to draw."""
    whole: float | None = None
    """What was counted from its start to its end, in `unit`; None while it goes on, and where no such sum is."""
    why: str | None = None
    """Who or what it comes from, in one sentence; None where that is not known, and for what no usage is about."""
    newest: bool = False
    """It is of the newest bucket that stood so, not of the worst: what was expected before that is no news."""
    over_at: datetime | None = None
    """End of the budget's period; None elsewhere."""
    who: Who | None = None
    """By what that sentence knows the members that it names, where they were looked up; None elsewhere."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One incident's news, or how it stands."""

    reason: Reason
    severity: Severity
    """The highest level that was reached."""
    rule: RuleName
    incident_id: str
    sequence: int
    """Grows within an incident, so that a receiver can drop what is older."""
    labels: Mapping[str, str]
    """Which series of the rule: `{"Model": "claude-opus-4-8"}`; empty for a total."""
    part: str | None
    """The part of a budget that speaks; None elsewhere."""
    period_at: datetime | None
    """Start of the budget's period; None elsewhere."""
    started_at: datetime
    ended_at: datetime | None
    evidence: Evidence
    note: str | None = None
    """Why it was closed or retracted, in one sentence; None for other reasons."""
    looks_over: bool = False
    """It would have ended, were what is known final."""
    text: str | None = None
    """What its rule says besides, in the words of the rules file; None for nothing, and once it is over."""
    latest: str | None = None
    """How what is judged stands now, as its rule words it; None where the evidence says that, or nothing does."""
    price: Price | None = None
    """Of what its numbers count; None where that has no price."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What is watched, for people who hear of it for the first time."""

    rules: int
    """How many rules are watched."""
    heard: int
    """How many of them tell this channel; none where it hears only what the watcher says of itself."""
    unread: int
    """How many of them have not judged anything yet."""


@dataclass(frozen=True, slots=True)
class Message:
    """All that one target is told about one rule at one time; or its greeting, which is about none."""

    news: tuple[Notice, ...]
    """What this message is about; empty in a greeting alone. Machines' channels get exactly one."""
    standing: tuple[Notice, ...]
    """Every incident of the conversation as it now stands, for channels that keep the first message true in place."""
    decided_at: datetime
    zone: str
    """IANA zone in which people read its times."""
    data_until: datetime | None
    """End of the newest bucket with usage in the feed that was judged: how fresh the data was."""
    test: bool = False
    """Sent by `channels test`: a real message about nothing."""
    named: int = NAMED
    """How many incidents are named at most, two or more; the rest are counted."""
    said_at: datetime | None = None
    """When it is put in words, where it waited so long that this makes a difference."""
    unstored: bool = False
    """No database knows of it, so that no command shows more of it."""
    hello: Hello | None = None
    """Only in a greeting, the first that a channel of people ever hears."""
    page: str | None = None
    """Under which people reach the status page; None where nobody has said."""

    @property
    def as_of(self) -> datetime:
        """What is now to whoever reads it."""
        return self.said_at or self.decided_at


@dataclass(frozen=True, slots=True)
class Conversation:
    """Incidents that were first told together to a target, and what the provider calls their first message."""

    id: str
    """`cnv_…`, the same for life."""
    subject: str
    """One line that stays constant, so that mail programs keep the thread together."""
    ref: str | None
    """The provider's own handle of the first message (Slack: `CHANNEL/TS`); None before it was sent."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message on its way to one target."""

    id: str
    """`ntf_…`, the same on every attempt: webhook-id, Message-ID and Slack metadata are made of it."""
    message: Message
    conversation: Conversation
    attempt: int
    """1 for the first."""
    sent_at: datetime
    unsure: bool = False
    """An earlier attempt may have arrived: this one may be a repeat."""
    minimal: bool = False
    """Only the least that there is to say: the whole of it was refused."""
