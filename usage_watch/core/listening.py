"""Where the daemon listens, as users write it: light, since the command that asks it for its health reads it too."""

from __future__ import annotations

import ipaddress

DEFAULT = "127.0.0.1:8321"
_ADVICE = "write an address and a port, such as 127.0.0.1:8321"
_MOST_PORTS = 65_535


def split_listen(written: str) -> tuple[str, int]:
    """`127.0.0.1:8321`, `[::1]:8321` or `localhost:8321` as host and port; ValueError with one sentence."""
    host, colon, port = written.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port[:6]) > _MOST_PORTS:
        raise ValueError(_ADVICE)
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    return _checked(host, bracketed), int(port)


def _checked(host: str, bracketed: bool) -> str:
    if host == "localhost" and not bracketed:
        # As a name it may be either family; who asks tries this one.
        return "127.0.0.1"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(_ADVICE) from None
    if (address.version == 6) is not bracketed:
        raise ValueError("write an IPv6 address in brackets, such as [::1]:8321")
    return str(address)


def reached_at(host: str) -> str:
    """The address at which this machine reaches what listens on `host`: of all addresses, its own."""
    address = ipaddress.ip_address(host)
    if not address.is_unspecified:
        return host
    return "127.0.0.1" if address.version == 4 else "::1"
