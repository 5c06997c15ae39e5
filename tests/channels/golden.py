"""What each channel sends, as text, and the files that it is compared with.

After a wanted change run with `UPDATE_GOLDEN=1` in the environment, and read the difference.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from email import message_from_bytes
from email.policy import default
from io import StringIO
from pathlib import Path

from tests.channels.samples import delivery
from tests.fakes.slack_api import TOKEN, SlackApi
from usage_watch.channels.alertmanager.body import alerts_body
from usage_watch.channels.base import Verdict
from usage_watch.channels.email.mail import Mailbox, mail
from usage_watch.channels.log import LogSender
from usage_watch.channels.slack import SlackApp
from usage_watch.channels.webhook.body import webhook_body
from usage_watch.core.message import Message, Reason

Files = Mapping[str, str]
"""Texts by the suffix of their file."""

GOLDEN = Path(__file__).parent.parent / "golden"
_BEGINS = (Reason.FIRED, Reason.FIRED_AND_ENDED)
"""What a conversation begins with."""


def check(name: str, found: Files) -> None:
    """Compare with the files of that name."""
    for suffix, text in found.items():
        path = GOLDEN / f"{name}.{suffix}"
        if os.environ.get("UPDATE_GOLDEN"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")


def _begins(said: Message) -> bool:
    return said.hello is not None or said.news[0].reason in _BEGINS


def _log(said: Message) -> Files:
    stream = StringIO()
    LogSender(stream).send(delivery(said))
    return {"txt": stream.getvalue()}


def _email(said: Message) -> Files:
    """Without a picture, as where the extra `png` is missing."""
    ref = None if _begins(said) else "<cnv_0a1b2c3d4e5f@example.com>"
    mailbox = Mailbox("usage-watch@example.com", ("finance@example.com",))
    raw, _ = mail(delivery(said, ref=ref), mailbox, lambda svg: None)
    read = message_from_bytes(raw, policy=default)
    text, html = (part.get_content().replace("\r\n", "\n") for part in read.iter_parts())
    headers = "".join(f"{header}: {value}\n" for header, value in read.items())
    return {"txt": f"{headers}\n{text}", "html": html}


def _slack(said: Message) -> Files:
    with SlackApi() as fake:
        sender = SlackApp(TOKEN, "#usage", base_url=fake.base_url)
        ref = None if _begins(said) else sender.send(delivery()).ref
        fake.requests.clear()
        assert sender.send(delivery(said, ref=ref)).verdict is Verdict.SENT
        calls = [{"method": method, **request.json} for method, request in zip(fake.calls, fake.requests, strict=True)]
    return {"json": _json(calls)}


def _webhook(said: Message) -> Files:
    return {"json": _json(json.loads(webhook_body(delivery(said))))}


def _alertmanager(said: Message) -> Files:
    return {"json": _json(json.loads(alerts_body(delivery(said, ref="warning"))))}


def _json(said: object) -> str:
    return json.dumps(said, indent=2, ensure_ascii=False) + "\n"


PEOPLE: Mapping[str, Callable[[Message], Files]] = {"log": _log, "email": _email, "slack": _slack}
MACHINES: Mapping[str, Callable[[Message], Files]] = {"webhook": _webhook, "alertmanager": _alertmanager}
