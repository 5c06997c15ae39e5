"""The one door to slack_sdk, imported when a channel is opened: its clients without retries, redirects and logs.

Retries are the outbox's. A redirect would carry the token to wherever it points, so an answer is taken as it is. The
SDK's debug log shows webhook URLs, which are secrets.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from http.client import CONTINUE, HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from typing import Any
from urllib.error import URLError
from urllib.request import HTTPErrorProcessor, HTTPHandler, HTTPSHandler, Request, build_opener

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient, WebhookResponse

from usage_watch.channels.base import Attempt, Verdict
from usage_watch.channels.network import ANSWER_CAP, why_unreachable
from usage_watch.channels.slack.answers import error_code
from usage_watch.watchdog import Watchdog

_DATA_CAP = 16 << 20
"""Bytes of an answer with data: Slack says back what was posted (to 150 kB), and gives a hundred messages a page."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What Slack said, whatever it was."""

    status: int
    headers: Mapping[str, str]
    code: str | None
    """Slack's word for what is wrong; None where all is well, or where the answer was not Slack's."""
    ok: bool
    data: Mapping[str, Any] = field(default_factory=dict)
    """Its JSON, as it came; empty where it is no object."""


class AppClient(WebClient):
    """The Web API with a bot token."""

    def __init__(self, token: str, base_url: str, timeout: float) -> None:
        super().__init__(token, base_url, timeout, retry_handlers=[], logger=_silent())  # type: ignore[arg-type]

    def say(self, method: Callable[..., Any], payload: Mapping[str, Any]) -> Answer:
        """Call one of this client's methods; raises as urllib does where no answer came."""
        try:
            response = method(**payload)
        except SlackApiError as error:
            response = error.response
        data = response.data if isinstance(response.data, dict) else {}
        ok = response.status_code == 200 and data.get("ok") is True
        return Answer(response.status_code, response.headers, error_code(data.get("error")), ok, data)

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:
        status, headers, body = _exchange(req, self.timeout, _DATA_CAP)
        return {"status": status, "headers": headers, "body": body}


class HookClient(WebhookClient):
    """An incoming webhook."""

    def __init__(self, url: str, timeout: float) -> None:
        super().__init__(url, timeout, retry_handlers=[], logger=_silent())  # type: ignore[arg-type]

    def say(self, payload: Mapping[str, Any]) -> Answer:
        """POST one message; raises as urllib does where no answer came."""
        response = self.send_dict(dict(payload))
        said = response.body.strip()
        ok = response.status_code == 200 and said == "ok"
        return Answer(response.status_code, response.headers, None if ok else error_code(said), ok)

    def _perform_http_request_internal(self, url: str, req: Request) -> WebhookResponse:
        status, headers, body = _exchange(req, self.timeout, ANSWER_CAP)
        return WebhookResponse(url=url, status_code=status, body=body, headers=headers)


def lost(error: Exception) -> Attempt:
    """The outcome where no answer came. urllib wraps in URLError what fails before all is written, and only that."""
    why = why_unreachable(error)
    if isinstance(error, URLError):
        return Attempt(Verdict.NOT_SENT, f"Slack was not reached: {why}.")
    return Attempt(Verdict.AMBIGUOUS, f"Slack may have got the message: {why}.")


class _AsItIs(HTTPErrorProcessor):
    """Hands on every answer, redirects and errors too."""

    def http_response(self, request: Request, response: HTTPResponse) -> HTTPResponse:
        return response

    https_response = http_response


class _Response(HTTPResponse):
    """Reads on behind whatever is no answer yet; http.client does so behind 100 alone."""

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]
        return version, CONTINUE if 101 < status < 200 else status, reason


class _Watched(HTTPConnection):
    """A connection that a watchdog knows."""

    response_class = _Response
    dog: Watchdog

    def connect(self) -> None:
        super().connect()
        self.dog.hold(self.sock)


class _WatchedTls(_Watched, HTTPSConnection):
    pass


class _Http(HTTPHandler):
    def __init__(self, dog: Watchdog) -> None:
        super().__init__()
        self._dog = dog

    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(partial(_watched, _Watched, self._dog), req)


class _Https(HTTPSHandler):
    def __init__(self, dog: Watchdog) -> None:
        super().__init__()
        self._dog = dog

    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(partial(_watched, _WatchedTls, self._dog), req)


def _watched(kind: type[_Watched], dog: Watchdog, host: str, **options: Any) -> _Watched:
    connection = kind(host, **options)
    connection.dog = dog
    return connection


def _exchange(request: Request, timeout: float, cap: int) -> tuple[int, dict[str, str], str]:
    """One request and its answer, within `timeout`; raises as urllib does where no answer came."""
    dog = Watchdog(timeout)
    try:
        with dog.watch(), build_opener(_AsItIs, _Http(dog), _Https(dog)).open(request, timeout=timeout) as response:
            body = _body(response, cap)
        if dog.expired and response.status == 200:
            raise TimeoutError  # what was shut looks like an end
    except (OSError, HTTPException) as error:
        if dog.expired and not isinstance(error, URLError):
            raise TimeoutError from error
        raise
    return response.status, dict(response.headers.items()), body.decode("utf-8", "replace")


def _body(response: HTTPResponse, cap: int) -> bytes:
    """Up to `cap` bytes; raises where a body breaks off that decides. Any status but 200 has decided by itself."""
    try:
        body = b"".join(_chunks(response, cap))
        if len(body) < cap and (response.length or not (body or _says_how_long(response))):
            raise IncompleteRead(body, response.length)
    except (OSError, HTTPException):
        if response.status == 200:
            raise
        return b""
    return body


def _chunks(response: HTTPResponse, cap: int) -> Iterator[bytes]:
    read = 0
    while read < cap and (chunk := response.read1(64 << 10)):
        read += len(chunk)
        yield chunk


def _says_how_long(response: HTTPResponse) -> bool:
    return "content-length" in response.headers or "transfer-encoding" in response.headers


def _silent() -> logging.Logger:
    return logging.Logger("slack_sdk", logging.CRITICAL + 1)
