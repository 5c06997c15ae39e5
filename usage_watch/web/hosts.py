"""By which names the server may be asked for.

A page of somebody else can have its own name resolve to 127.0.0.1, and then read what is served here as if it were its
own ("DNS rebinding"): the browser only checks that the name is the same. Its name in the Host header gives it away.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Set
from dataclasses import dataclass

from usage_watch.core.addresses import local_host

_HOST = re.compile(r"(?:\[(?P<bracketed>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(?::[0-9]{0,5})?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Hosts:
    """This machine's own names, always, and those that were allowed."""

    names: Set[str] = frozenset()
    """In small letters, without port."""
    addresses: bool = False
    """Any IP address, too, as scrapers and probes in a cluster use them: rebinding needs a name."""

    def allow(self, header: str) -> bool:
        """Whether a Host header names one of them; its port is nobody's secret, and a proxy may change it."""
        found = _HOST.fullmatch(header)
        if found is None:
            return False
        host = (found["bracketed"] or found["name"]).casefold().rstrip(".")
        return host in self.names or local_host(host) or (self.addresses and _is_address(host))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
