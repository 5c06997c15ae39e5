"""Alertmanager: a target by state. It is told what stands, again and again, and does the rest itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from usage_watch.channels.alertmanager.body import alerts_body, stands_at
from usage_watch.channels.base import Attempt, ChannelSettings, Sender, Verdict, how_many
from usage_watch.channels.network import TIMEOUT_S
from usage_watch.channels.posting import Poster
from usage_watch.core.addresses import WebAddress
from usage_watch.core.message import Delivery
from usage_watch.core.privacy import Members
from usage_watch.errors import SecretError
from usage_watch.secret import SecretRef

_PATH = "/api/v2/alerts"
_MOST = 8
"""Members of a cluster: all of them are tried in one attempt, which must end before its lease does."""


def _some(written: tuple[str, ...]) -> tuple[str, ...]:
    if not 1 <= len(written) <= _MOST:
        raise ValueError(f"write 1 to {_MOST} URLs, one for each member of the cluster")
    return written


_Urls = Annotated[
    Annotated[WebAddress, Tag("one")] | Annotated[tuple[WebAddress, ...], AfterValidator(_some), Tag("list")],
    Discriminator(how_many),
]


class AlertmanagerSettings(ChannelSettings):
    """Posts alerts to Alertmanager, which dedups, silences and routes them."""

    people: ClassVar[bool] = False
    restate_every: ClassVar[timedelta | None] = timedelta(minutes=5)

    kind: Literal["alertmanager"] = Field(description="Posts alerts to Prometheus' Alertmanager.")
    url: _Urls = Field(
        description="Where Alertmanager is, such as http://10.0.0.5:9093; a list for the members of a cluster."
    )
    authorization: SecretRef | None = Field(
        default=None, description="The whole value of the header `Authorization`, such as `Bearer …`."
    )

    def connect(self, environ: Mapping[str, str]) -> Sender:
        """Open the channel; SecretError where its authorization is not to be had, or is no header."""
        urls = self.url if isinstance(self.url, tuple) else (self.url,)
        # Without their names several members would be one alert.
        return AlertmanagerSender(urls, self._header(environ), apart=self.members is not Members.FULL)

    def _header(self, environ: Mapping[str, str]) -> str | None:
        if self.authorization is None:
            return None
        value = self.authorization.read(environ).reveal()
        if not value.isascii():
            raise SecretError(f"{self.authorization.describe()} holds letters beyond ASCII, which no header takes.")
        return value


class AlertmanagerSender:
    """Speaks to every member of a cluster: they tell each other of notifications and silences, not of alerts."""

    def __init__(
        self,
        urls: Sequence[str],
        authorization: str | None = None,
        *,
        apart: bool = False,
        timeout: float = TIMEOUT_S,
    ) -> None:
        self._headers = {} if authorization is None else {"Authorization": authorization}
        self._apart = apart
        numbered = len(urls) > 1
        self._posters = {
            url.rstrip("/") + _PATH: Poster(
                f"Alertmanager {n} of {len(urls)}" if numbered else "Alertmanager", timeout=timeout
            )
            for n, url in enumerate(urls, 1)
        }

    def send(self, delivery: Delivery) -> Attempt:
        """POST to each; it is sent where any of them took it."""
        body = alerts_body(delivery, apart=self._apart)
        attempts = [poster.post(url, body, self._headers, delivery.sent_at) for url, poster in self._posters.items()]
        attempt = together(attempts)
        return replace(attempt, ref=stands_at(delivery)) if attempt.verdict is Verdict.SENT else attempt

    def about_repeats(self, sent: Attempt) -> str:
        """An alert is known by its labels."""
        return "A repeat is the same alert, of which Alertmanager tells nobody twice."

    def close(self) -> None:
        """Let go of the clients."""
        for poster in self._posters.values():
            poster.close()


_HOPEFUL = (
    Verdict.SENT,
    Verdict.AMBIGUOUS,
    Verdict.THROTTLED,
    Verdict.SERVER,
    Verdict.NOT_SENT,
    Verdict.REJECTED,
    Verdict.CONFIGURATION,
)


def together(attempts: Sequence[Attempt]) -> Attempt:
    """What came of one attempt at several members: whatever gives most hope decides, and who failed is said."""
    best = min(attempts, key=lambda attempt: _HOPEFUL.index(attempt.verdict))
    failed = [attempt.detail for attempt in attempts if attempt.verdict is not Verdict.SENT]
    more = [f"{len(failed) - 2} more failed."] if len(failed) > 2 else []
    return replace(best, detail=" ".join([*failed[:2], *more]))
