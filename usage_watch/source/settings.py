"""The `source` section of the rules file."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field, field_validator

from usage_watch.core.addresses import web_address
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
        return _base_address(written)

    @field_validator("poll_every")
    @classmethod
    def _poll_every(cls, written: timedelta) -> timedelta:
        return _between(written, timedelta(seconds=1), timedelta(days=1))

    @field_validator("backfill")
    @classmethod
    def _backfill(cls, written: timedelta) -> timedelta:
        return _between(written, timedelta(days=1), timedelta(days=3 * 365))


def _base_address(written: str) -> str:
    if "?" in written or "#" in written:
        raise ValueError("write the address without a query or fragment")
    return web_address(written).rstrip("/")


def _between(value: timedelta, least: timedelta, most: timedelta) -> timedelta:
    if not least <= value <= most:
        raise ValueError(f"write a duration from {format_duration(least)} to {format_duration(most)}")
    return value
