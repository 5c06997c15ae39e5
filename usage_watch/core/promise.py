"""What targets were promised: the records between what is true and what is sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from usage_watch.core.message import Conversation, Message, Reason
from usage_watch.core.privacy import Members


@dataclass(frozen=True, slots=True)
class Notification:
    """One thing to tell one target about one incident; (incident, target, reason, ordinal) is told at most once."""

    incident_id: str
    target: str
    """A channel's name: a changed address or token is the same target."""
    reason: Reason
    ordinal: int
    """Counts this reason for that incident and target, from 1."""
    rank: int
    """The level that it speaks of."""
    face: str = ""
    """What the message shows of it; see `Incident.face`."""


@dataclass(frozen=True, slots=True)
class Told:
    """A notification that was promised before."""

    notification: Notification
    conversation: Conversation
    decided_at: datetime
    post_id: str
    """Of the post that carries it."""
    counts: bool = True
    """Whether it counts as told: sent, leased, queued or blocked. Dead and undeliverable do not."""
    waits: bool = False
    """It counts, and nothing of it can have left yet: it may still be recalled."""
    recalled: bool = False
    """It was taken back before it left, or given up and is to be said anew: as good as never promised."""
    sent_at: datetime | None = None
    """When it arrived; None where it has not, or not yet."""


def said_over_at(told: Iterable[Told]) -> datetime | None:
    """When an incident, of which this was told, was last told to be over; None where it was not."""
    ends = (each.decided_at for each in told if each.notification.reason.ending and not each.recalled)
    return max(ends, default=None)


@dataclass(frozen=True, slots=True)
class Post:
    """One outbox row: a message to one target, and the notifications that it keeps."""

    id: str
    """`ntf_…`"""
    target: str
    conversation: Conversation
    message: Message
    keys: tuple[Notification, ...]
    """Empty for a greeting alone."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Why something was told or not: a row that `alerts show` prints."""

    incident_id: str
    target: str | None
    """None where it concerns everyone."""
    reason: Reason
    told: bool
    why: str
    """One sentence."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a channel is, as far as it matters for what it is told."""

    people: bool
    """It gets one message per rule and cycle; a machine gets one per incident."""
    edits: bool = False
    """What it was told can be corrected in place."""
    members: Members = Members.FULL
    """How it names members."""
    by_state: bool = False
    """It is told what stands again and again, and so needs no reminders."""
