"""A message as a mail: headers that cannot be forged, a text part and an HTML part, and a picture in that. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from zoneinfo import ZoneInfo

from usage_watch.channels.email.html import html
from usage_watch.channels.email.picture import png
from usage_watch.channels.variants import least
from usage_watch.core.chart import chart
from usage_watch.core.entry import drawn_of
from usage_watch.core.message import Delivery, Message, Reason
from usage_watch.core.plain import plain
from usage_watch.core.wording import news, told
from usage_watch.core.wordlines import text_lines

_SUBJECT, _LEAST_SUBJECT = 200, 80
"""Characters of a subject, and where only the least is to be said."""
_PART_HEADERS = {"content-type", "content-transfer-encoding", "mime-version", "content-id", "content-disposition"}
_STATUS = {
    Reason.FIRED_AND_ENDED: "CAME AND WENT",
    Reason.RESOLVED: "RESOLVED",
    Reason.RETRACTED: "TAKEN BACK",
    Reason.CLOSED: "CLOSED",
}


Paint = Callable[[str], bytes | None]
"""Makes a PNG of an SVG; None where that cannot be done."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """From whom and to whom."""

    sender: str
    recipients: tuple[str, ...]

    @property
    def domain(self) -> str:
        """The sender's domain: message ids are made in it."""
        return self.sender.rpartition("@")[2]


class ForgedHeaderError(ValueError):
    """The mail, read back, has other headers than those that were set."""


def mail(delivery: Delivery, mailbox: Mailbox, paint: Paint = png) -> tuple[bytes, str]:
    """The mail's bytes and its Message-ID, the same on every attempt but for the date.

    A chart is in it where `paint` can make a picture of it; without, a row of text says the same.
    Raises ValueError where a header cannot be set, and ForgedHeaderError where it reads back otherwise.
    """
    message = EmailMessage(policy=SMTP)
    headers = dict(_headers(delivery, mailbox))
    for name, value in headers.items():
        message[name] = value
    parts = _fill_least(message, delivery) if delivery.minimal else _fill(message, delivery, mailbox, paint)
    return read_back(message.as_bytes(), message.keys(), parts), headers["Message-ID"]


def _fill(message: EmailMessage, delivery: Delivery, mailbox: Mailbox, paint: Paint) -> int:
    """A text and an HTML part, the latter perhaps with a picture; answers how many parts there are."""
    words, status = news(delivery.message), _status(delivery.message)
    lines = ([status, ""] if status else []) + list(text_lines(words))
    _set_text(message, lines)
    picture = _picture(delivery.message, paint)
    cid = None if picture is None else f"chart.{_token(delivery.id)}@{mailbox.domain}"
    message.add_alternative(html(words, status, cid), subtype="html", charset="utf-8", cte="quoted-printable")
    # Stands in no quoted-printable line, where = is always followed by digits or the line's end; nor in base64.
    message.set_boundary(f"=_{_token(delivery.id)}")
    if picture is None:
        return 2
    _, shown = message.iter_parts()
    shown.add_related(picture, "image", "png", disposition="inline", cid=f"<{cid}>")
    shown.set_boundary(f"=_chart_{_token(delivery.id)}")
    return 4


def _picture(message: Message, paint: Paint) -> bytes | None:
    """A chart of one incident; several are said in words."""
    notices = told(message)
    series = drawn_of(notices[0]) if len(notices) == 1 else None
    return None if series is None else paint(chart(notices[0].evidence, series, ZoneInfo(message.zone)))


def _fill_least(message: EmailMessage, delivery: Delivery) -> int:
    """A line and how to go on, without HTML and links; no part of its own."""
    words = news(delivery.message)
    _set_text(message, [least(words), "", f"Look closer: {words.command}"])
    return 0


def _set_text(message: EmailMessage, lines: list[str]) -> None:
    message.set_content("\n".join(lines) + "\n", charset="utf-8", cte="quoted-printable")


def header_text(text: str, limit: int = _SUBJECT) -> str:
    """Untrusted text for a header: printable, short, and with nothing that decodes to something else.

    Some Pythons decode `=?utf-8?q?…=0D=0A…?=` when a header is set and then write the line break out (CVE-2024-6923).
    """
    return plain(text, limit).replace("=?", "= ?")


def read_back(raw: bytes, names: list[str], expected: int = 2) -> bytes:
    """The bytes, once a parser finds in them the headers that were set and no others, and as many parts as expected.

    Raises ForgedHeaderError.
    """
    root, *parts = message_from_bytes(raw).walk()
    inner = {name.lower() for part in parts for name in part.keys()}  # noqa: SIM118 - a Message is no mapping
    if list(root.keys()) != names or len(parts) != expected or not inner <= _PART_HEADERS:
        raise ForgedHeaderError
    return raw


def _headers(delivery: Delivery, mailbox: Mailbox) -> Iterator[tuple[str, str]]:
    conversation = delivery.conversation
    first_id = f"<{_token(conversation.id)}@{mailbox.domain}>"
    begun = conversation.ref is not None
    yield "From", str(Address("usage-watch", addr_spec=mailbox.sender))
    yield "To", ", ".join(mailbox.recipients)
    limit = _LEAST_SUBJECT if delivery.minimal else _SUBJECT
    yield "Subject", ("Re: " if begun else "") + header_text(conversation.subject, limit)
    yield "Date", format_datetime(delivery.sent_at.astimezone(UTC))
    yield "Message-ID", f"<{_token(delivery.id)}@{mailbox.domain}>" if begun else first_id
    if begun:
        yield "In-Reply-To", first_id
        yield "References", first_id
    yield "Auto-Submitted", "auto-generated"
    yield "X-Auto-Response-Suppress", "All"
    yield "List-Id", f"<usage-watch.{mailbox.domain}>"


def _token(identity: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "", identity)


def _status(message: Message) -> str:
    """A word for the top where all of it is over: the subject stays what it was."""
    reasons = {notice.reason for notice in told(message)}
    return _STATUS.get(reasons.pop(), "") if len(reasons) == 1 else ""
