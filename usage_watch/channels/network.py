"""Reaching others: which addresses a user may write, and why one could not be reached, in words of our own."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterator
from socket import gaierror
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

TIMEOUT_S = 10.0
"""Seconds that one attempt may wait for the other side."""

ANSWER_CAP = 64 * 1024
"""Bytes of an answer that are read; what a receiver says beyond is its own affair."""


def local_host(host: str) -> bool:
    """Whether a host is this machine, as far as its spelling tells; nothing is looked up."""
    address = _address(host)
    return host == "localhost" or host.endswith(".localhost") or (address is not None and address.is_loopback)


def private_host(host: str) -> bool:
    """Whether a host is this machine or a private address; a name other than localhost is not."""
    address = _address(host)
    return local_host(host) or (address is not None and address.is_private and not address.is_unspecified)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def web_address(text: str) -> str:
    """The URL as it was written; ValueError with one sentence where a message must not go there."""
    if not text.isprintable() or " " in text:
        raise ValueError("this URL holds spaces or unprintable characters: write it without them")
    try:
        parts = urlsplit(text)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        raise ValueError("this is no URL: write it as https://host/path") from None
    if parts.scheme not in {"https", "http"} or not host:
        raise ValueError("this is no web address: write it as https://host/path")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL must not carry a user or password: leave them out")
    if parts.scheme == "http" and not private_host(host):
        raise ValueError("plain http goes only to loopback and private addresses: write https://")
    return text


WebAddress = Annotated[str, AfterValidator(web_address)]
"""A URL: https, or plain http to loopback and private addresses only."""


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
