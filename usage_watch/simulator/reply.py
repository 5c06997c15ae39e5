"""An answer as it goes over the wire, with or without a fault."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from email.utils import format_datetime
from enum import Enum
from functools import cache
from http import HTTPStatus

from .alterations import ALTERATIONS, Asked, altered
from .api import Answer, error
from .faultkind import FaultKind

BOMB_BYTES = 200 << 20
ELSEWHERE = "https://elsewhere.invalid/analytics"
"""Where redirects lead: a host that nobody can have."""


class Ending(Enum):
    """What follows the body's last byte."""

    NEXT = "the next request"
    CLOSE = "an orderly end of the connection"
    RESET = "a reset of the connection"
    DRIP = "a blank every now and then, for ever"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server sends."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    """As much of it as is sent."""
    length: int | None
    """What Content-Length says; None: it is not sent."""
    ending: Ending = Ending.NEXT


def reply(answer: Answer, kind: FaultKind | None, asked: Asked) -> Reply:
    """What is sent for a right answer, with the fault that hits it."""
    if kind is None:
        return _whole(answer)
    if kind in INSTEAD:
        return INSTEAD[kind]
    if kind in REFUSALS:
        return _whole(REFUSALS[kind](asked))
    if kind in ALTERATIONS:
        return _whole(replace(answer, body=altered(kind, answer.body, asked)))
    return SPOILT[kind](_whole(answer))


def _whole(answer: Answer) -> Reply:
    body = json.dumps(answer.body).encode()
    return Reply(answer.status, {"Content-Type": "application/json"} | dict(answer.headers), body, len(body))


def _throttled(retry_after: Callable[[Asked], str] | None = None) -> Callable[[Asked], Answer]:
    def answer(asked: Asked) -> Answer:
        headers = {} if retry_after is None else {"Retry-After": retry_after(asked)}
        return error(429, "request_rate_limit_exceeded", "There were too many requests.", headers)

    return answer


def _in_90_seconds(asked: Asked) -> str:
    return format_datetime((asked.now + timedelta(seconds=90)).astimezone(UTC), usegmt=True)


def _failed(status: int) -> Callable[[Asked], Answer]:
    return lambda _: error(status, "internal_error", f"{HTTPStatus(status).phrase}.")


REFUSALS: Mapping[FaultKind, Callable[[Asked], Answer]] = {
    FaultKind.THROTTLED: _throttled(),
    FaultKind.THROTTLED_SECOND: _throttled(lambda _: "1"),
    FaultKind.THROTTLED_FRACTION: _throttled(lambda _: "1.5"),
    FaultKind.THROTTLED_DATE: _throttled(_in_90_seconds),
    FaultKind.STATUS_500: _failed(500),
    FaultKind.STATUS_503: _failed(503),
    FaultKind.UNAUTHORIZED: lambda _: error(401, "unauthorized", "The API key is missing or invalid."),
    FaultKind.FEATURE_DISABLED: lambda _: error(404, "feature_disabled", "The analytics API is not enabled."),
}
"""Faults that are answers of their own, in the API's shape."""


def _html(status: int) -> Reply:
    phrase = HTTPStatus(status).phrase
    body = f"<!DOCTYPE html>\n<title>{phrase}</title>\n<h1>{phrase}</h1>\n".encode()
    return Reply(status, {"Content-Type": "text/html; charset=utf-8"}, body, len(body))


INSTEAD: Mapping[FaultKind, Reply] = {
    FaultKind.STATUS_502: _html(502),
    FaultKind.STATUS_504: _html(504),
    FaultKind.HTML: _html(200),
    FaultKind.REDIRECT: Reply(302, {"Location": ELSEWHERE}, b"", 0),
}
"""Faults that have nothing of the API's shape."""


def _reset_before_body(right: Reply) -> Reply:
    return replace(right, body=b"", ending=Ending.RESET)


def _half(ending: Ending) -> Callable[[Reply], Reply]:
    """Half of the body under the length of the whole."""
    return lambda right: replace(right, body=_first_half(right.body), ending=ending)


def _truncated(right: Reply) -> Reply:
    half = _first_half(right.body)
    return replace(right, body=half, length=len(half))


def _drip(right: Reply) -> Reply:
    return replace(right, body=_first_half(right.body), length=None, ending=Ending.DRIP)


def _bomb(right: Reply) -> Reply:
    start, packer = _packed_blanks()
    packer = packer.copy()
    body = start + packer.compress(right.body) + packer.flush()
    return replace(right, headers={**right.headers, "Content-Encoding": "gzip"}, body=body, length=len(body))


@cache
def _packed_blanks() -> tuple[bytes, zlib._Compress]:
    """The beginning of the gzip, and what packs the rest of it; half a second's work."""
    packer = zlib.compressobj(zlib.Z_BEST_COMPRESSION, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    blanks = b" " * (1 << 20)
    return b"".join(packer.compress(blanks) for _ in range(BOMB_BYTES // len(blanks))), packer


def _first_half(body: bytes) -> bytes:
    return body[: len(body) // 2]


SPOILT: Mapping[FaultKind, Callable[[Reply], Reply]] = {
    FaultKind.RESET_BEFORE_BODY: _reset_before_body,
    FaultKind.RESET_IN_BODY: _half(Ending.RESET),
    FaultKind.CUT_BODY: _half(Ending.CLOSE),
    FaultKind.TRUNCATED_JSON: _truncated,
    FaultKind.DRIP: _drip,
    FaultKind.GZIP_BOMB: _bomb,
}
"""Faults of the wire: a right answer's reply -> what is sent in its place."""
