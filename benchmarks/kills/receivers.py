"""The three receivers of the tests, which note what they took and can be down in three ways."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from aiosmtpd.smtp import SMTP, Envelope, Session

from kills.gate import Gate
from kills.hearing import HELLO, Heard
from tests.fakes.scripted_http import Answer, Request, Step
from tests.fakes.slack_api import SlackApi
from tests.fakes.smtp_server import Mail, SmtpServer
from tests.fakes.webhook_receiver import WebhookReceiver

_MAIL_REASONS = {
    "RESOLVED": "resolved",
    "CAME AND WENT": "fired_and_ended",
    "TAKEN BACK": "retracted",
    "CLOSED": "closed",
}

_TITLED = {"Delivery late": "meta:delivery_lagging"}


class Down(StrEnum):
    """How a receiver is not to be had."""

    REFUSED = "refused"
    FAILING = "failing"
    """503, or 451 where mail is handed in."""
    HUNG = "hung"
    """Connections come about, and nothing is ever said."""


class Ears:
    """All that was heard, in its order. `saw` is told of each before it is answered."""

    def __init__(self, now: Callable[[], datetime], saw: Callable[[str], None]) -> None:
        self.heard: list[Heard] = []
        self._now, self._saw = now, saw

    @property
    def greeted(self) -> list[str]:
        """Whom the daemon greeted, as often as it did."""
        return [each.target for each in self.heard if each.reason == HELLO]

    @property
    def news(self) -> list[Heard]:
        """All but greetings."""
        return [each for each in self.heard if each.reason != HELLO]

    def take(self, target: str, rule: str, reason: str, id: str, incident: str | None = None) -> None:
        """Note one message."""
        self.heard.append(Heard(target, rule, reason, id, incident, self._now()))
        self._saw(f"{target} {rule} {reason}")


class Ops(SlackApi):
    """Corrections in place ping nobody, and are not noted."""

    def __init__(self, ears: Ears) -> None:
        super().__init__()
        self.gate = Gate(lambda: super(Ops, self).port)
        self.failing = False
        self._ears = ears

    @property
    def port(self) -> int:
        return self.gate.port

    def respond(self, request: Request) -> Step:
        if self.failing:
            return Answer(503)
        known = len(self.messages)
        step = super().respond(request)
        if len(self.messages) > known:
            facts = request.json["metadata"]["event_payload"]
            self._ears.take("ops", facts.get("rule", ""), facts["reason"], facts["id"])
        return step

    def __enter__(self) -> Self:
        super().__enter__()
        self.gate.open()
        return self

    def __exit__(self, *error: object) -> None:
        self.gate.close()
        super().__exit__(*error)


class Pager(WebhookReceiver):
    """Takes what is posted."""

    def __init__(self, ears: Ears) -> None:
        super().__init__()
        self.gate = Gate(lambda: super(Pager, self).port)
        self.failing = False
        self._ears = ears

    @property
    def port(self) -> int:
        return self.gate.port

    def respond(self, request: Request) -> Step:
        if self.failing:
            return Answer(503)
        body: dict[str, Any] = request.json
        incident = body["incident"]["id"]
        self._ears.take("pager", body["rule"]["id"], body["reason"], request.headers["webhook-id"], incident)
        return super().respond(request)

    def __enter__(self) -> Self:
        super().__enter__()
        self.gate.open()
        return self

    def __exit__(self, *error: object) -> None:
        self.gate.close()
        super().__exit__(*error)


class Finance(SmtpServer):
    """Takes mail."""

    def __init__(self, ears: Ears) -> None:
        super().__init__()
        self.gate = Gate(lambda: self._inner)
        self._inner = 0
        self._ears = ears

    @property
    def failing(self) -> bool:
        return "MAIL" in self.replies

    @failing.setter
    def failing(self, failing: bool) -> None:
        self.replies = {"MAIL": "451 4.3.0 later"} if failing else {}

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = await super().handle_DATA(server, session, envelope)
        if answer.startswith("250"):
            self._ears.take("finance", *_read(self.mails[-1]))
        return answer

    def __enter__(self) -> Self:
        super().__enter__()
        self._inner, self.port = self.port, self.gate.port
        self.gate.open()
        return self

    def __exit__(self, *error: object) -> None:
        self.gate.close()
        super().__exit__(*error)


Receiver = Ops | Pager | Finance


def take_down(receiver: Receiver, how: Down) -> None:
    """It is not to be had from now on."""
    receiver.failing = how is Down.FAILING
    if how is Down.REFUSED:
        receiver.gate.refuse()
    if how is Down.HUNG:
        receiver.gate.hang()


def bring_back(receiver: Receiver) -> None:
    """It is there again, at the same address."""
    receiver.failing = False
    receiver.gate.open()


def _read(mail: Mail) -> tuple[str, str, str]:
    """Rule, reason and id; of a reply that tells of no end a mail does not name the reason."""
    read = mail.read
    if read["Subject"].startswith("usage-watch: watching "):
        return "", HELLO, read["Message-ID"]
    said = read.get_body(("plain",))
    assert said is not None
    first = said.get_content().splitlines()[0]
    reason = _MAIL_REASONS.get(first, "follow-up" if read["In-Reply-To"] else "fired")
    named = re.search(r"usage-watch: (.*?),", read["Subject"])
    rule = named[1] if named else read["Subject"]
    return _TITLED.get(rule, rule), reason, read["Message-ID"]
