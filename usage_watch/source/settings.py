"""The `source` section of the rules file."""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from usage_watch.core.units import Duration, format_duration
from usage_watch.secret import SecretRef


class SourceSettings(BaseModel):
    """Where usage is read from, how often and how far back. Everything may be left out."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    api_key: SecretRef = SecretRef(env="PERPLEXITY_ANALYTICS_API_KEY")
    """The organization analytics key: not a Sonar key."""
    base_url: str = "https://api.perplexity.ai"
    """The API's address, for a gateway in between or the simulator."""
    poll_every: Duration = Field("15m", validate_default=True)
    """1s to 1d; member days are read once an hour at most."""
    backfill: Duration = Field("90d", validate_default=True)
    """How much history the first poll reads, 1d to 3y."""

    @field_validator("base_url")
    @classmethod
    def _address(cls, written: str) -> str:
        return checked_address(written)

    @field_validator("poll_every")
    @classmethod
    def _poll_every(cls, written: timedelta) -> timedelta:
        return _between(written, timedelta(seconds=1), timedelta(days=1))

    @field_validator("backfill")
    @classmethod
    def _backfill(cls, written: timedelta) -> timedelta:
        return _between(written, timedelta(days=1), timedelta(days=3 * 365))


def checked_address(written: str) -> str:
    """A base address without its trailing slash. Raises ValueError: what a key must not be sent to."""
    try:
        parts = urlsplit(written)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("write an address such as https://api.perplexity.ai") from None
    if parts.username is not None:
        raise ValueError("write the address without a user or password in it: the key goes into a header")
    if "?" in written or "#" in written:
        raise ValueError("write the address without a query or fragment")
    if not re.fullmatch(r"[!-~]+", written) or not re.fullmatch(r"[a-z0-9.:_-]+", host) or port == 0:
        raise ValueError("write an address such as https://api.perplexity.ai")
    if parts.scheme != "https" and not (parts.scheme == "http" and _near(host)):
        raise ValueError("write an https address: plain http is only for loopback and private addresses")
    return written.rstrip("/")


def _near(host: str) -> bool:
    """Whether what is sent there stays on this machine or this network."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_private and not address.is_unspecified  # loopback counts as private


def _between(value: timedelta, least: timedelta, most: timedelta) -> timedelta:
    if not least <= value <= most:
        raise ValueError(f"write a duration from {format_duration(least)} to {format_duration(most)}")
    return value
