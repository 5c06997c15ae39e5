"""One request to the analytics API and its answer, whatever the other side does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import httpx

from usage_watch.clock import since_boot
from usage_watch.core.series import Feed
from usage_watch.source.body import read_body
from usage_watch.source.errors import AnalyticsError, broken, clean, from_answer, http_date, unreachable, unusable_key
from usage_watch.watchdog import Watchdog

CONNECT_SECONDS = 10.0
SHORTEST_HIDDEN = 8
"""Characters: a shorter key cannot be told from ordinary text."""


class Transport:
    """One httpx client: one TLS context, one connection, no redirects, a deadline and a cap for every answer."""

    def __init__(
        self, base_url: str, key: Callable[[], str], *, deadline: float, max_bytes: int, user_agent: str
    ) -> None:
        """`key` is called for each request, so that a new key needs no restart; `deadline` in seconds."""
        self.requests = 0
        """How many requests were sent."""
        self.answered_at: datetime | None = None
        """When the newest answer left the source, by its own clock; None where it did not say."""
        self._heard_at, self._aged = 0.0, timedelta()
        self._base_url = base_url.rstrip("/")
        self._key = key
        self._max_bytes = max_bytes
        self._watchdog = Watchdog(deadline)
        self._answered = False
        self._client = httpx.Client(
            follow_redirects=False,
            timeout=httpx.Timeout(deadline, connect=min(CONNECT_SECONDS, deadline)),
            limits=httpx.Limits(max_connections=1),
            headers={"User-Agent": user_agent, "Accept": "application/json", "Accept-Encoding": "gzip"},
        )

    @property
    def its_time(self) -> datetime | None:
        """What the clock of the source shows now: a copy that a proxy kept says how old it is."""
        if self.answered_at is None:
            return None
        return self.answered_at + self._aged + timedelta(seconds=since_boot() - self._heard_at)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def get(self, path: str, params: Mapping[str, str], feed: Feed, now: datetime) -> bytes:
        """The body of a 200. Everything else raises AnalyticsError."""
        key = self._key()
        if not (key.isascii() and key.isprintable()) or " " in key or not key:
            raise unusable_key()
        try:
            with self._watchdog.watch():
                status, headers, body = self._exchange(path, params, key)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            # Without its cause: the request, headers and all, hangs on it.
            raise self._failure(feed, error) from None
        except ValueError as error:
            raise broken(feed, f"its body cannot be read, {error}") from None
        body = _hidden(body, key)
        if status != 200:
            raise from_answer(feed, status, headers, body, now)
        if self._watchdog.expired:
            raise self._failure(feed)
        return body

    def _exchange(self, path: str, params: Mapping[str, str], key: str) -> tuple[int, httpx.Headers, bytes]:
        self.requests += 1
        self.answered_at = None
        self._answered = False
        request = self._client.build_request(
            "GET",
            self._base_url + path,
            params=params,
            headers={"Authorization": f"Bearer {key}"},
            extensions={"trace": self._watchdog.trace},
        )
        answer = self._client.send(request, stream=True)
        self._answered = True
        self.answered_at = http_date(answer.headers.get("date", ""))
        self._heard_at, self._aged = since_boot(), _age(answer.headers.get("age", ""))
        try:
            encoding = answer.headers.get("content-encoding", "")
            body = read_body(answer.iter_raw(), encoding, self._max_bytes)
        except (httpx.HTTPError, ValueError):
            if answer.status_code == 200:
                raise
            body = b""  # the status says what is wrong; the body would only have said it in other words
        finally:
            answer.close()
        return answer.status_code, answer.headers, body

    def _failure(self, feed: Feed, error: Exception | None = None) -> AnalyticsError:
        """What it means that no whole answer came."""
        if self._watchdog.expired or isinstance(error, httpx.TimeoutException):
            if self._answered:
                return broken(feed, f"it was not complete after {self._watchdog.seconds:g} s")
            return unreachable(self._base_url, f"no answer within {self._watchdog.seconds:g} s")
        if isinstance(error, httpx.RemoteProtocolError):
            return broken(feed, "it was cut off, or is no HTTP")
        if isinstance(error, httpx.NetworkError) and not isinstance(error, httpx.ConnectError):
            return unreachable(self._base_url, "the connection was reset")
        return unreachable(self._base_url, clean(str(error)))


def _age(text: str) -> timedelta:
    """How long a proxy has kept an answer (RFC 9111, section 5.1): seconds, at most those of a day."""
    plain = text.isascii() and text.isdigit() and len(text) < 10
    return timedelta(seconds=min(int(text), 86_400)) if plain else timedelta()


def _hidden(body: bytes, key: str) -> bytes:
    """The body without the key, should the other side send it back."""
    return body.replace(key.encode(), b"***") if len(key) >= SHORTEST_HIDDEN else body
