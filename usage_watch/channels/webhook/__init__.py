"""Webhooks for machines: one signed POST per notification, in the JSON of the public contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from usage_watch import __version__
from usage_watch.channels.base import Attempt, ChannelSettings, Sender, Verdict
from usage_watch.channels.http import http_attempt
from usage_watch.channels.network import ANSWER_CAP, TIMEOUT_S, why_unreachable
from usage_watch.channels.webhook.body import webhook_body
from usage_watch.channels.webhook.signature import signature_headers, signing_key
from usage_watch.core.addresses import WebAddress
from usage_watch.core.message import Delivery
from usage_watch.secret import SecretRef
from usage_watch.watchdog import Watchdog

if TYPE_CHECKING:
    import httpx


def _how_many(written: object) -> str:
    return "list" if isinstance(written, list | tuple) else "one"


def _some(written: tuple[SecretRef, ...]) -> tuple[SecretRef, ...]:
    if not written:
        raise ValueError("write at least one secret, or leave `signing_secret` out")
    return written


SigningSecrets = Annotated[
    Annotated[SecretRef, Tag("one")] | Annotated[tuple[SecretRef, ...], AfterValidator(_some), Tag("list")],
    Discriminator(_how_many),
]


class WebhookSettings(ChannelSettings):
    """POSTs every notification as JSON, with the signature headers of Standard Webhooks."""

    people: ClassVar[bool] = False

    kind: Literal["webhook"] = Field(description="POSTs JSON to a URL, one notification each, for machines.")
    url: WebAddress = Field(description="Where to POST: https, or plain http to loopback and private addresses.")
    signing_secret: SigningSecrets | None = Field(
        default=None,
        description="Signs each message as Standard Webhooks say; a list of secrets while the old one is replaced.",
    )

    def connect(self, environ: Mapping[str, str]) -> Sender:
        """Open the channel; SecretError where a signing secret is not to be had or is no base64 after `whsec_`."""
        return WebhookSender(self.url, [signing_key(ref.read(environ).reveal()) for ref in self._secrets()])

    def _secrets(self) -> tuple[SecretRef, ...]:
        if self.signing_secret is None:
            return ()
        return self.signing_secret if isinstance(self.signing_secret, tuple) else (self.signing_secret,)


class WebhookSender:
    """Speaks to one URL. Each attempt has its own connection: messages are rare, and a kept one may be dead."""

    def __init__(self, url: str, keys: Sequence[bytes] = (), *, timeout: float = TIMEOUT_S) -> None:
        import httpx  # costs 85 ms: only who sends pays

        self._url = url
        self._keys = tuple(keys)
        self._timeout = timeout
        self._client = httpx.Client(
            timeout=timeout,
            follow_redirects=False,
            limits=httpx.Limits(max_keepalive_connections=0),
            headers={"User-Agent": f"usage-watch/{__version__}", "Content-Type": "application/json"},
        )

    def send(self, delivery: Delivery) -> Attempt:
        """POST once; the whole attempt takes no longer than the time-out, however slowly the answer drips."""
        body = webhook_body(delivery)
        wire = _Wire(self._timeout)
        try:
            with wire.watchdog.watch():
                return self._post(delivery, body, wire)
        except Exception as error:  # whatever a foreign library raises is an outcome of this attempt
            return wire.outcome(error)

    def _post(self, delivery: Delivery, body: bytes, wire: _Wire) -> Attempt:
        headers = signature_headers(delivery.id, delivery.sent_at, body, self._keys)
        request = self._client.build_request(
            "POST", self._url, content=body, headers=headers, extensions={"trace": wire}
        )
        response = self._client.send(request, stream=True)
        try:
            _drain(response)
        finally:
            response.close()
        asked = response.headers.get("retry-after")
        return http_attempt("The receiver", response.status_code, retry_after=asked, now=delivery.sent_at)

    def about_repeats(self, sent: Attempt) -> str:
        """The body stays the same too, but for the time of sending: receivers know a repeat by its id."""
        return "A repeat has the same webhook-id."

    def close(self) -> None:
        """Let go of the client."""
        self._client.close()


def _drain(response: httpx.Response) -> None:
    # The status has decided already: an answer that breaks off or never ends changes nothing.
    with suppress(Exception):
        read = 0
        for chunk in response.iter_raw():
            read += len(chunk)
            if read >= ANSWER_CAP:
                return


class _Wire:
    """Watches one request from inside httpx: was its body written, and is it done in time."""

    def __init__(self, seconds: float) -> None:
        self.watchdog = Watchdog(seconds)
        self._written = False

    def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Take one event of httpx's `trace` extension."""
        self.watchdog.trace(event, info)
        if event == "http11.send_request_body.complete":
            self._written = True

    def outcome(self, error: Exception) -> Attempt:
        why = "it did not answer in time" if self.watchdog.expired else why_unreachable(error)
        if self._written:
            return Attempt(Verdict.AMBIGUOUS, f"The receiver may have got the message: {why}.")
        return Attempt(Verdict.NOT_SENT, f"The receiver was not reached: {why}.")
