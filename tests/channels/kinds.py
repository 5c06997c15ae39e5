"""Every channel kind, opened against its stand-in, for the contract that holds for all of them."""

from __future__ import annotations

import hmac
import io
import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import trustme

from tests.channels.inert import check_alert, check_mail, check_slack, check_terminal
from tests.fakes.scripted_http import Request, ScriptedHttp
from tests.fakes.slack_api import HOOK, SCOPES, TOKEN, SlackApi
from tests.fakes.smtp_server import PASSWORD, USER, SmtpServer
from tests.fakes.webhook_receiver import WebhookReceiver
from usage_watch.channels.alertmanager import AlertmanagerSender
from usage_watch.channels.base import Sender
from usage_watch.channels.email.mail import Mailbox
from usage_watch.channels.email.smtp import Server, SmtpSender, tls_context
from usage_watch.channels.log import LogSender
from usage_watch.channels.slack import SlackApp, SlackHook
from usage_watch.channels.webhook import WebhookSender

HERE = "127.0.0.1"
PATIENT, HASTY = 5.0, 0.2
"""Seconds: of the other side's silence, and where silence is what is tested."""
SESSION = 0.5
"""Seconds of a hasty mail session, all in all."""

ANA, BEN = "ana@example.com", "ben@example.com"
MAILBOX = Mailbox("usage-watch@example.com", (ANA, BEN))
SIGNING = "the signing key"
AUTHORIZATION = "Bearer the-token"


@dataclass(frozen=True)
class Place:
    """Where a channel goes, and how long it waits there."""

    port: int
    host: str = HERE
    timeout: float = PATIENT
    tls: bool = False
    """Over TLS from the start. (Mail has it in its kind.)"""

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://{self.host}:{self.port}"


@cache
def ca() -> trustme.CA:
    """Signs what is trusted in these tests."""
    return trustme.CA()


@cache
def _trust(pem: bytes) -> Any:
    with trustme.Blob(pem).tempfile() as path:
        return tls_context(path)


def _mail_to(place: Place, security: str) -> Sender:
    context = None if security == "none" else _trust(ca().cert_pem.bytes())
    server = Server(place.host, place.port, security, context, (USER, PASSWORD))
    session = SESSION if place.timeout == HASTY else 40.0
    return SmtpSender(server, MAILBOX, timeout=place.timeout, session=session)


SENDERS: dict[str, Callable[[Place], Sender]] = {
    "slack app": lambda place: SlackApp(TOKEN, "#usage", base_url=place.url + "/api/", timeout=place.timeout),
    "slack webhook": lambda place: SlackHook(place.url + HOOK, timeout=place.timeout),
    "webhook": lambda place: WebhookSender(place.url + "/hook", [SIGNING.encode()], timeout=place.timeout),
    "alertmanager": lambda place: AlertmanagerSender([place.url], AUTHORIZATION, timeout=place.timeout),
    "email none": partial(_mail_to, security="none"),
    "email starttls": partial(_mail_to, security="starttls"),
    "email tls": partial(_mail_to, security="tls"),
}
"""Each kind that goes over the network, to any place."""

MACHINES = ["webhook", "alertmanager"]
"""An answer's status says all."""
HTTP = ["slack app", "slack webhook", *MACHINES]
MAIL = ["email none", "email starttls", "email tls"]


@dataclass
class Rig:
    """A channel and the other side of it, where all is well until it is told otherwise."""

    name: str
    sender: Sender
    hasty: Sender
    arrived: Callable[[], list[Any]]
    """What the other side has read whole, in order, whether or not it said so."""
    id_of: Callable[[Any], str]
    """Which message it is, for those that have it already."""
    size_of: Callable[[Any], int]
    check: Callable[[Any], object]
    """Fails where anything in it would be obeyed."""
    clear: Callable[[], object]
    """Forget all, and let all be well again."""
    secrets: tuple[str, ...] = ()
    fake: Any = None
    """The other side: a ScriptedHttp or an SmtpServer."""
    yes: str = ""
    """What an HTTP server says to a message that it takes."""
    edits: bool = False
    """Whether it corrects in place what it sent."""
    forget_repeats: Callable[[], object] = lambda: None
    """From now on the other side does not say what it has already, where it otherwise would."""
    known: bool = True
    """Whether the other side knows a repeat by its id."""


def _http_rig(name: str, fake: ScriptedHttp, senders: tuple[Sender, Sender], **more: Any) -> Rig:
    def clear() -> None:
        fake.requests.clear()
        fake.script.clear()

    return Rig(name, *senders, size_of=lambda request: len(request.body), clear=clear, fake=fake, **more)


@contextmanager
def _opened(name: str, port: int) -> Iterator[tuple[Sender, Sender]]:
    make = SENDERS[name]
    with ExitStack() as stack:
        patient, hasty = (stack.enter_context(closing(make(Place(port, timeout=each)))) for each in (PATIENT, HASTY))
        yield patient, hasty


@contextmanager
def slack_app() -> Iterator[Rig]:
    def posts() -> list[Request]:
        return [each for each in fake.requests if each.path == "/api/chat.postMessage"]

    with SlackApi() as fake, _opened("slack app", fake.port) as senders:
        yes = json.dumps({"ok": True, "channel": "C0USAGE", "ts": "1.1"})
        more = {"id_of": _metadata_id, "check": lambda each: check_slack(each.json), "secrets": (TOKEN,), "yes": yes}
        rig = _http_rig("slack app", fake, senders, arrived=posts, edits=True, **more)

        def clear() -> None:
            rig.clear()
            fake.messages.clear()
            fake.scopes.update(SCOPES)

        yield replace(rig, clear=clear, forget_repeats=lambda: fake.scopes.difference_update(SCOPES - {"chat:write"}))


@contextmanager
def slack_hook() -> Iterator[Rig]:
    with SlackApi() as fake, _opened("slack webhook", fake.port) as senders:
        secrets = (HOOK, HOOK.rpartition("/")[2])
        more = {"id_of": _metadata_id, "check": lambda each: check_slack(each.json), "secrets": secrets, "yes": "ok"}
        yield _http_rig("slack webhook", fake, senders, arrived=lambda: fake.requests, **more)


def _metadata_id(request: Request) -> str:
    return str(request.json["metadata"]["event_payload"]["id"])


@contextmanager
def webhook() -> Iterator[Rig]:
    with WebhookReceiver() as fake, _opened("webhook", fake.port) as senders:
        more = {"id_of": lambda each: each.headers["webhook-id"], "check": _check_signed, "secrets": (SIGNING,)}
        yield _http_rig("webhook", fake, senders, arrived=lambda: fake.requests, **more)


def _check_signed(request: Request) -> None:
    id, timestamp = (request.headers[f"webhook-{name}"] for name in ("id", "timestamp"))
    digest = hmac.digest(SIGNING.encode(), f"{id}.{timestamp}.".encode() + request.body, "sha256")
    assert request.headers["webhook-signature"] == "v1," + b64encode(digest).decode()
    assert request.json["id"] == id


@contextmanager
def alertmanager() -> Iterator[Rig]:
    with WebhookReceiver() as fake, _opened("alertmanager", fake.port) as senders:
        more = {"id_of": _identity, "check": check_alerts, "secrets": (AUTHORIZATION,), "known": False}
        yield _http_rig("alertmanager", fake, senders, arrived=lambda: fake.requests, **more)


def _identity(request: Request) -> str:
    """An alert is known by its labels; there is no id of a message."""
    return json.dumps([each["labels"] for each in request.json])


def check_alerts(request: Request) -> None:
    """As Alertmanager has it, and nothing in it that anybody obeys."""
    assert request.path == "/api/v2/alerts"
    assert request.headers["authorization"] == AUTHORIZATION
    for alert in request.json:
        check_alert(alert)


@contextmanager
def email(security: str) -> Iterator[Rig]:
    def clear() -> None:
        fake.mails.clear()
        fake.replies.clear()

    cert = None if security == "none" else ca().issue_cert(HERE)
    name = f"email {security}"
    with SmtpServer(security, cert=cert, login=True) as fake, _opened(name, fake.port) as (patient, hasty):
        plain = b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
        yield Rig(
            name,
            patient,
            hasty,
            arrived=lambda: fake.mails,
            id_of=lambda each: str(each.read["Message-ID"]),
            size_of=lambda each: len(each.raw),
            check=lambda each: check_mail(each.raw),
            clear=clear,
            secrets=(PASSWORD, b64encode(PASSWORD.encode()).decode(), plain),
            fake=fake,
        )


class _Tape(io.StringIO):
    """Keeps each message by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[str] = []

    def write(self, text: str) -> int:
        self.blocks.append(text)
        return len(text)


@contextmanager
def log() -> Iterator[Rig]:
    tape = _Tape()
    sender = LogSender(tape)
    yield Rig(
        "log", sender, sender, lambda: tape.blocks, lambda _: "", len, check_terminal, tape.blocks.clear, known=False
    )


KINDS: dict[str, Callable[[], AbstractContextManager[Rig]]] = {
    "slack app": slack_app,
    "slack webhook": slack_hook,
    "webhook": webhook,
    "alertmanager": alertmanager,
    **{f"email {security}": partial(email, security) for security in ("none", "starttls", "tls")},
    "log": log,
}
