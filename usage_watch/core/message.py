"""What is said, in words and numbers without any markup; each channel kind renders it in its own form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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
    """It was told, and then the usage that it was about was revised away."""
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
    """Who or what the change comes from, largest first."""
    after: str | None = None
    """What is to be said once it is over, in one sentence: what was missed, say."""


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


@dataclass(frozen=True, slots=True)
class Message:
    """All that one target is told about one rule at one time."""

    news: tuple[Notice, ...]
    """What this message is about; never empty. Machines' channels get exactly one."""
    standing: tuple[Notice, ...]
    """Every incident of the conversation as it now stands, for channels that keep the first message true in place."""
    decided_at: datetime
    zone: str
    """IANA zone in which people read its times."""
    data_until: datetime | None
    """End of the newest bucket with usage in the feed that was judged: how fresh the data was."""
    test: bool = False
    """Sent by `channels test`: a real message about nothing."""
    said_at: datetime | None = None
    """When it is put in words, where it waited so long that this makes a difference."""

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
