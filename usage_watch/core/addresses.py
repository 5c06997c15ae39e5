"""Which addresses a user may write: https, or plain http to what stays on this machine or network."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

_HOST = re.compile(r"[a-z0-9.:_-]+")


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
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("this is no URL: write it as https://host/path") from None
    if parts.scheme not in {"https", "http"} or not _HOST.fullmatch(host) or port == 0:
        raise ValueError("this is no web address: write it as https://host/path")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL must not carry a user or password: leave them out")
    if parts.scheme == "http" and not private_host(host):
        raise ValueError("plain http goes only to loopback and private addresses: write https://")
    return text


WebAddress = Annotated[str, AfterValidator(web_address)]
"""A URL: https, or plain http to loopback and private addresses only."""
