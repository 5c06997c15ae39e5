"""One POST of JSON to a URL that a user wrote, and what came of it, for every channel of machines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from usage_watch import __version__
from usage_watch.channels.base import Attempt, Verdict
from usage_watch.channels.http import http_attempt
from usage_watch.channels.network import ANSWER_CAP, TIMEOUT_S, why_unreachable
from usage_watch.watchdog import Watchdog

if TYPE_CHECKING:
    import httpx


class Poster:
    """Posts as `who` is called. Each attempt has its own connection: messages are rare, and a kept one may be dead."""

    def __init__(self, who: str, *, timeout: float = TIMEOUT_S) -> None:
        import httpx  # costs 85 ms: only who sends pays

        self._who, self._timeout = who, timeout
        self._client = httpx.Client(
            timeout=timeout,
            follow_redirects=False,
            limits=httpx.Limits(max_keepalive_connections=0),
            headers={"User-Agent": f"usage-watch/{__version__}", "Content-Type": "application/json"},
        )

    def post(self, url: str, body: bytes, headers: Mapping[str, str], now: datetime) -> Attempt:
        """POST once; the whole attempt takes no longer than the time-out, however slowly the answer drips."""
        wire = _Wire(self._who, self._timeout)
        try:
            with wire.watchdog.watch():
                return self._post(url, body, headers, wire, now)
        except Exception as error:  # whatever a foreign library raises is an outcome of this attempt
            return wire.outcome(error)

    def _post(self, url: str, body: bytes, headers: Mapping[str, str], wire: _Wire, now: datetime) -> Attempt:
        request = self._client.build_request(
            "POST", url, content=body, headers=dict(headers), extensions={"trace": wire}
        )
        response = self._client.send(request, stream=True)
        try:
            _drain(response)
        finally:
            response.close()
        asked = response.headers.get("retry-after")
        return http_attempt(self._who, response.status_code, retry_after=asked, now=now)

    def close(self) -> None:
        """Let go of the client."""
        self._client.close()


def encoded(part: object) -> bytes:
    """As compact JSON in UTF-8."""
    # "replace": half a surrogate pair may come from the source's JSON, and is no text to anybody.
    return json.dumps(part, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")


def written_instant(at: datetime) -> str:
    """`2026-11-22T12:00:00Z`, to the second."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


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

    def __init__(self, who: str, seconds: float) -> None:
        self.watchdog = Watchdog(seconds)
        self._who, self._written = who, False

    def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Take one event of httpx's `trace` extension."""
        self.watchdog.trace(event, info)
        if event == "http11.send_request_body.complete":
            self._written = True

    def outcome(self, error: Exception) -> Attempt:
        why = "it did not answer in time" if self.watchdog.expired else why_unreachable(error)
        if self._written:
            return Attempt(Verdict.AMBIGUOUS, f"{self._who} may have got the message: {why}.")
        return Attempt(Verdict.NOT_SENT, f"{self._who} was not reached: {why}.")
