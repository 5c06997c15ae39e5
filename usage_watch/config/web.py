"""The sections `web` and `heartbeat`: what the daemon lets others see of itself."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, model_validator

from usage_watch.core.addresses import WebAddress, local_host
from usage_watch.core.listening import DEFAULT, split_listen
from usage_watch.core.privacy import Members
from usage_watch.rules.common import Strict
from usage_watch.secret import SecretRef

_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?", re.IGNORECASE)


def _listen(written: str) -> str:
    split_listen(written)
    return written


def _page(written: str) -> str:
    if "?" in written or "#" in written:
        raise ValueError("links are made of it: leave out the ? or # and what follows")
    return written


def _host_name(written: str) -> str:
    try:
        ipaddress.ip_address(written)
    except ValueError:
        if not _NAME.fullmatch(written):
            raise ValueError("is no host name; write one such as usage.example.com, without port or path") from None
    return written.casefold()


class WebSettings(Strict):
    """The page, the metrics and the health that the daemon serves."""

    listen: Annotated[str, AfterValidator(_listen)] = DEFAULT
    """Address and port, such as 127.0.0.1:8321 or [::1]:8321; port 0 takes any that is free."""
    public_url: Annotated[WebAddress, AfterValidator(_page)] | None = None
    """Under which people reach it, where a proxy stands in front: messages link to it; its host is allowed, too."""
    allowed_hosts: tuple[Annotated[str, AfterValidator(_host_name)], ...] = ()
    """The host names by which it may be asked for, beside this machine's own (localhost, 127.0.0.1)."""

    members: Members = Members.FULL
    """How the page names members: in full, by their initials, or not at all."""

    @model_validator(mode="after")
    def _known_to_others(self) -> WebSettings:
        if not self.local and not self.allowed_hosts:
            raise ValueError(
                "needs `allowed_hosts` to be asked from elsewhere: the names by which it is reached, such as "
                "[usage.example.com]; or listen on 127.0.0.1"
            )
        return self

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on."""
        return split_listen(self.listen)

    @property
    def local(self) -> bool:
        """Whether nobody but this machine can ask."""
        return local_host(self.address[0])

    @property
    def hosts(self) -> frozenset[str]:
        """The host names by which it may be asked for."""
        host = urlsplit(self.public_url).hostname if self.public_url else None
        return frozenset(self.allowed_hosts) | ({host} if host else set())


class HeartbeatSettings(Strict):
    """A service elsewhere that tells when this watcher falls silent."""

    url: SecretRef
    """Asked once a minute while all is well; who knows it can feign that, so it is a secret."""
