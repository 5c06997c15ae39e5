"""Three collectors that remember what they took, and can be put back to an earlier moment.

What was refused on purpose, or broke off before its end, was not taken: nobody has read it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.fakes.scripted_http import Answer, Request, Reset, Step
from tests.fakes.slack_api import SCOPES, SlackApi
from tests.fakes.smtp_server import ABORT, SmtpServer
from tests.fakes.webhook_receiver import WebhookReceiver


class Fault(StrEnum):
    """What a collector does with one message that it does not take."""

    BUSY = "busy"
    """Says that it cannot now: 503, or 451."""
    GONE = "gone"
    """Breaks off: before the mail's body, or when a request is read."""


@dataclass(frozen=True)
class Taken:
    """A message that a collector took."""

    target: str
    thread: str
    """What its reader finds it with: the first message of the conversation; a machine's incident."""
    id: str
    """By which its reader may know a copy."""
    what: str


@dataclass
class Memory:
    """What a collector took, and what it is yet to do wrong."""

    taken: list[Taken] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def due(self, *faults: Fault) -> Fault | None:
        """The next fault, once, if it is one of these."""
        return self.faults.pop(0) if self.faults and self.faults[0] in faults else None


class Pager(WebhookReceiver):
    """A machine's webhook."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = Memory()

    def take(self, request: Request) -> Step:
        return Reset() if _cut(request) else super().take(request)

    def respond(self, request: Request) -> Step:
        if fault := self.memory.due(*Fault):
            return _answer(fault)
        incident, reason = request.json["incident"]["id"], request.json["reason"]
        self.memory.taken.append(Taken("pager", incident, request.headers["webhook-id"], reason))
        return super().respond(request)


class Ops(SlackApi):
    """A channel in Slack, whose posts may be looked up or not."""

    def __init__(self, now: Callable[[], datetime], readable: bool, posted: Callable[[], None]) -> None:
        super().__init__(now)
        self.memory = Memory()
        self._posted = posted
        if not readable:
            self.scopes = {scope for scope in SCOPES if not scope.endswith(":history")}

    def take(self, request: Request) -> Step:
        return Reset() if _cut(request) else super().take(request)

    def respond(self, request: Request) -> Step:
        posts = request.path == "/api/chat.postMessage"
        if posts and (fault := self.memory.due(*Fault)):
            return _answer(fault)
        answer = super().respond(request)
        if posts and isinstance(answer, Answer) and json.loads(answer.body)["ok"]:
            self.memory.taken.append(self._taken(request.json))
            self._posted()
        return answer

    def _taken(self, said: Mapping[str, Any]) -> Taken:
        parent = self.messages.get(said.get("thread_ts", ""))
        own, first = _event(said), _event(parent.payload if parent else said)
        return Taken("ops", first["id"], own["id"], own["reason"])


class Finance(SmtpServer):
    """A mailbox."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = Memory()

    async def handle_MAIL(  # noqa: N802 - aiosmtpd calls it so
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.memory.due(Fault.GONE):
            self.replies["MAIL"] = ABORT
        try:
            return await super().handle_MAIL(server, session, envelope, address, options)
        finally:
            self.replies.pop("MAIL", None)

    async def handle_DATA(  # noqa: N802 - aiosmtpd calls it so
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.memory.due(Fault.BUSY):
            return "451 later"
        answer = await super().handle_DATA(server, session, envelope)
        mail = self.mails[-1].read
        own, first = mail["Message-ID"], mail["References"] or mail["Message-ID"]
        self.memory.taken.append(Taken("finance", _name(first), _name(own), mail["Subject"]))
        return answer


def _cut(request: Request) -> bool:
    """Whether its sender died in the midst of it."""
    return len(request.body) < int(request.headers.get("content-length", 0))


def _answer(fault: Fault) -> Step:
    return Answer(503, "busy") if fault is Fault.BUSY else Reset()


def _event(said: Mapping[str, Any]) -> Mapping[str, str]:
    facts: Mapping[str, str] = said["metadata"]["event_payload"]
    return facts


def _name(message_id: str) -> str:
    """What stands before the domain of a `Message-ID`."""
    return message_id.strip("<>").partition("@")[0]
