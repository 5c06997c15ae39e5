"""Webhooks for machines: one signed POST per notification, in the JSON of the public contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from usage_watch.channels.base import Attempt, ChannelSettings, Sender, how_many
from usage_watch.channels.network import TIMEOUT_S
from usage_watch.channels.posting import Poster
from usage_watch.channels.webhook.body import webhook_body
from usage_watch.channels.webhook.signature import signature_headers, signing_key
from usage_watch.core.addresses import WebAddress
from usage_watch.core.message import Delivery
from usage_watch.secret import SecretRef


def _some(written: tuple[SecretRef, ...]) -> tuple[SecretRef, ...]:
    if not written:
        raise ValueError("write at least one secret, or leave `signing_secret` out")
    return written


SigningSecrets = Annotated[
    Annotated[SecretRef, Tag("one")] | Annotated[tuple[SecretRef, ...], AfterValidator(_some), Tag("list")],
    Discriminator(how_many),
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
    """Speaks to one URL."""

    def __init__(self, url: str, keys: Sequence[bytes] = (), *, timeout: float = TIMEOUT_S) -> None:
        self._url, self._keys = url, tuple(keys)
        self._poster = Poster("The receiver", timeout=timeout)

    def send(self, delivery: Delivery) -> Attempt:
        """POST once; the whole attempt takes no longer than the time-out, however slowly the answer drips."""
        body = webhook_body(delivery)
        headers = signature_headers(delivery.id, delivery.sent_at, body, self._keys)
        return self._poster.post(self._url, body, headers, delivery.sent_at)

    def about_repeats(self, sent: Attempt) -> str:
        """The body stays the same too, but for the time of sending: receivers know a repeat by its id."""
        return "A repeat has the same webhook-id."

    def close(self) -> None:
        """Let go of the client."""
        self._poster.close()
