"""Reaching others: how long to wait, how much to read, and why one could not be reached, in words of our own."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from socket import gaierror

TIMEOUT_S = 10.0
"""Seconds that one attempt may wait for the other side."""

ANSWER_CAP = 64 * 1024
"""Bytes of an answer that are read; what a receiver says beyond is its own affair."""


def why_unreachable(error: BaseException) -> str:
    """Why a connection failed, for people: told by the kind of error, never by its text."""
    causes = tuple(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                "its TLS certificate could not be verified (check its name and validity, or give the CA that signed it)"
            )
    for kind, words in _WORDS:
        if any(isinstance(cause, kind) for cause in causes):
            return words
    return "the connection failed"


_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (ssl.SSLError, "no TLS connection came about (check the port and whether it speaks TLS)"),
    (gaierror, "its name could not be resolved"),
    (ConnectionRefusedError, "the connection was refused"),
    (TimeoutError, "it did not answer in time"),
    (ConnectionError, "the connection was lost"),
)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        reason = getattr(error, "reason", None)
        error = reason if isinstance(reason, BaseException) else error.__cause__ or error.__context__
