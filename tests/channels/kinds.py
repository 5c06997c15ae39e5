"""Every channel kind, opened against its stand-in, for tests that hold for all of them."""

from __future__ import annotations

import io
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field

from tests.fakes.scripted_http import Answer, Reset, ScriptedHttp, Step
from tests.fakes.slack_api import HOOK, TOKEN, SlackApi, refusal
from tests.fakes.smtp_server import ABORT, PASSWORD, USER, SmtpServer
from tests.fakes.webhook_receiver import WebhookReceiver
from usage_watch.channels.base import Sender, Verdict
from usage_watch.channels.email.mail import Mailbox
from usage_watch.channels.email.smtp import Server, SmtpSender
from usage_watch.channels.log import LogSender
from usage_watch.channels.slack import SlackApp, SlackHook
from usage_watch.channels.webhook import WebhookSender

TIMEOUT = 5.0
MAILBOX = Mailbox("usage-watch@example.com", ("ana@example.com",))


@dataclass
class Rig:
    """A channel and the other side of it."""

    sender: Sender
    arrived: Callable[[], int]
    """How many messages the other side has."""
    fail: Callable[[Verdict], None]
    """Make the next message end so."""
    mend: Callable[[], None] = lambda: None
    """Undo it, where that does not happen by itself."""
    secrets: tuple[str, ...] = field(default=())
    edits: bool = False
    """Whether it corrects in place what it sent."""


FAULTS: dict[Verdict, Step] = {
    Verdict.AMBIGUOUS: Reset(),
    Verdict.THROTTLED: Answer(429, "rate_limited", {"Retry-After": "3"}),
    Verdict.SERVER: Answer(503, "<html>"),
    Verdict.REJECTED: Answer(413, "<html>"),
    Verdict.CONFIGURATION: Answer(404, "no_service"),
}


@contextmanager
def slack_app() -> Iterator[Rig]:
    with SlackApi() as fake:
        faults: dict[Verdict, Step] = {
            **FAULTS,
            Verdict.THROTTLED: refusal("ratelimited", 429, **{"Retry-After": "3"}),
            Verdict.REJECTED: refusal("invalid_blocks"),
            Verdict.CONFIGURATION: refusal("not_in_channel"),
        }
        sender = SlackApp(TOKEN, "#usage", base_url=fake.base_url, timeout=TIMEOUT)
        fail = _scripted(fake, faults)
        yield Rig(sender, lambda: len(fake.messages), fail, secrets=(TOKEN,), edits=True)


@contextmanager
def slack_hook() -> Iterator[Rig]:
    with SlackApi() as fake:
        sender = SlackHook(fake.hook_url, timeout=TIMEOUT)
        yield Rig(sender, lambda: len(fake.requests), _scripted(fake, FAULTS), secrets=(HOOK, "secretsecret"))


@contextmanager
def webhook() -> Iterator[Rig]:
    with WebhookReceiver() as fake:
        sender = WebhookSender(fake.url("/hook"), [b"signing key"], timeout=TIMEOUT)
        with closing(sender):
            yield Rig(sender, lambda: len(fake.requests), _scripted(fake, FAULTS), secrets=("signing key",))


@contextmanager
def email() -> Iterator[Rig]:
    replies = {
        Verdict.AMBIGUOUS: {"DATA": ABORT},
        Verdict.NOT_SENT: {"MAIL": ABORT},
        Verdict.SERVER: {"DATA": "451 later"},
        Verdict.REJECTED: {"DATA": "554 no"},
        Verdict.CONFIGURATION: {"MAIL": "550 no"},
    }
    with SmtpServer(login=True) as fake:
        server = Server("127.0.0.1", fake.port, "none", None, (USER, PASSWORD))
        yield Rig(
            SmtpSender(server, MAILBOX, timeout=TIMEOUT),
            lambda: len(fake.mails),
            lambda verdict: fake.replies.update(replies[verdict]),
            fake.replies.clear,
            (PASSWORD,),
        )


@contextmanager
def log() -> Iterator[Rig]:
    stream = io.StringIO()
    yield Rig(
        LogSender(stream),
        lambda: stream.getvalue().count("times in"),
        lambda verdict: stream.close(),
    )


def _scripted(fake: ScriptedHttp, faults: Mapping[Verdict, Step]) -> Callable[[Verdict], None]:
    return lambda verdict: fake.script.append(faults[verdict])


KINDS: dict[str, Callable[[], AbstractContextManager[Rig]]] = {
    "slack app": slack_app,
    "slack webhook": slack_hook,
    "webhook": webhook,
    "email": email,
    "log": log,
}

OVER_HTTP = [Verdict.AMBIGUOUS, Verdict.THROTTLED, Verdict.SERVER, Verdict.REJECTED, Verdict.CONFIGURATION]
FAILURES = {
    "slack app": OVER_HTTP,
    "slack webhook": OVER_HTTP,
    "webhook": OVER_HTTP,
    "email": [Verdict.AMBIGUOUS, Verdict.NOT_SENT, Verdict.SERVER, Verdict.REJECTED, Verdict.CONFIGURATION],
    "log": [Verdict.NOT_SENT],
}
"""What `fail` can do to each kind."""


def unreachable() -> dict[str, Sender]:
    """Each kind that goes over the network, against a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    return {
        "slack app": SlackApp(TOKEN, "#usage", base_url=url),
        "slack webhook": SlackHook(url),
        "webhook": WebhookSender(url),
        "email": SmtpSender(Server("127.0.0.1", port, "none", None, None), MAILBOX),
    }
