"""What every channel kind is: settings that a user wrote, which open a sender; a sender that says how it went."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, Field

from usage_watch.core.message import Delivery
from usage_watch.core.privacy import Members


class Verdict(StrEnum):
    """How an attempt ended, and so whether trying again helps."""

    SENT = "sent"
    NOT_SENT = "not_sent"
    """Nothing reached the other side (DNS, connect, TLS): try again."""
    AMBIGUOUS = "ambiguous"
    """It may have arrived (time-out or reset after the body was written): try again with the same id."""
    THROTTLED = "throttled"
    """Too many: try again after `retry_after`."""
    SERVER = "server"
    """Their fault, passing (408, 425, 5xx): try again."""
    REJECTED = "rejected"
    """This message will never be taken (400, 413)."""
    CONFIGURATION = "configuration"
    """Nothing will be taken until somebody changes something (401, 403, 404, `invalid_auth`)."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The outcome of one attempt."""

    verdict: Verdict
    detail: str = ""
    """One sentence for people; never a secret, never raw text from outside."""
    retry_after: timedelta | None = None
    ref: str | None = None
    """The provider's handle of what was sent, to go on from."""


class Sender(Protocol):
    """An open channel. `send` answers, it does not raise: every failure is an Attempt."""

    def send(self, delivery: Delivery) -> Attempt: ...

    def about_repeats(self, sent: Attempt) -> str:
        """What becomes of a message whose answer was lost: one sentence for people, after `sent` went well."""
        ...

    def close(self) -> None: ...


def how_many(written: object) -> str:
    """The tag of what may be one or a list of it: `one` or `list`."""
    return "list" if isinstance(written, list | tuple) else "one"


class ChannelSettings(BaseModel):
    """What a user writes for a channel; each kind adds its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    people: ClassVar[bool] = True
    """People's channels get one message per rule and cycle; machines' (False) one per incident."""
    pace: ClassVar[timedelta] = timedelta()
    """So long is waited after one message before the next."""
    restate_every: ClassVar[timedelta | None] = None
    """A target by state is told so often what of all that it was told still stands: one Delivery with all of it as its
    news. None where what was told once is told."""

    members: Members = Field(
        default=Members.FULL,
        description="How members are named in its messages: `full`, `initials` (A.R. for ana.reyes@example.com) or "
        "`hidden` (a member).",
    )

    @property
    def edits(self) -> bool:
        """Whether what was sent can be corrected in place."""
        return False

    @property
    def digest(self) -> str:
        """Another one where anything was changed of where it sends: not its secrets, which may be replaced."""
        return hashlib.sha256(self.model_dump_json(exclude={"members"}).encode()).hexdigest()[:16]

    def connect(self, environ: Mapping[str, str]) -> Sender:
        """Open the channel, reading its secrets; SecretError where one is not to be had."""
        raise NotImplementedError
