"""Slack: one message per conversation, kept true in place, with the news as replies; or plain posts by a webhook."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from usage_watch.channels.base import ChannelSettings, Sender
from usage_watch.channels.slack.app import SLACK, SlackApp
from usage_watch.channels.slack.hook import SlackHook
from usage_watch.core.addresses import WebAddress, web_address
from usage_watch.errors import SecretError
from usage_watch.secret import SecretRef

__all__ = ["SlackApp", "SlackHook", "SlackSettings"]


def _channel(written: str) -> str:
    if not re.fullmatch(r"#[^\s#]{1,80}|[A-Z][A-Z0-9]{5,30}", written) or not written.isprintable():
        raise ValueError('write the channel as "#name" (in quotes: # begins a comment) or its ID, such as C0123456789')
    return written


def _api_root(written: str) -> str:
    path = urlsplit(written).path
    return written.rstrip("/") + ("/api/" if path in ("", "/") else "/")


class SlackSettings(ChannelSettings):
    """Posts to Slack, with an app's bot token (threads, updates in place) or an incoming webhook (posts only)."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["token", "channel"]}, {"required": ["webhook_url"]}]}
    )

    pace: ClassVar[timedelta] = timedelta(seconds=1)
    """Slack takes a message a second in each channel: docs.slack.dev/apis/web-api/rate-limits."""

    kind: Literal["slack"] = Field(description="Posts to Slack.")
    token: SecretRef | None = Field(
        default=None,
        description="The app's bot token (xoxb-…): `usage-watch channels manifest slack` prints an app with the scopes "
        "to post, and to look up posts whose answer was lost. Goes with `channel`.",
    )
    channel: Annotated[str, AfterValidator(_channel)] | None = Field(
        default=None, description='Where the app posts: "#name" or the channel\'s ID.'
    )
    webhook_url: SecretRef | None = Field(
        default=None, description="An incoming webhook's URL, in place of `token` and `channel`: posts only."
    )
    base_url: Annotated[WebAddress, AfterValidator(_api_root)] = Field(
        default=SLACK, description="The API's address, for GovSlack: https://slack-gov.com/api/."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.token is None) == (self.webhook_url is None):
            raise ValueError(
                "write either `token` and `channel` (posts, threads, updates in place) or `webhook_url` (posts only)"
            )
        if self.token is not None and self.channel is None:
            raise ValueError('`token` needs a `channel` to post in, such as "#usage-alerts"')
        if self.webhook_url is not None and self.channel is not None:
            raise ValueError("a webhook has its channel built in: leave `channel` out, or write `token` in its place")
        if self.webhook_url is not None and self.base_url != SLACK:
            raise ValueError("a webhook's URL is its whole address: leave `base_url` out")
        return self

    @property
    def edits(self) -> bool:
        """A webhook hears nothing of what it posts: it has nothing to edit."""
        return self.token is not None

    def connect(self, environ: Mapping[str, str]) -> Sender:
        """Open the channel; SecretError where its token or webhook is not to be had."""
        if self.token is not None and self.channel is not None:
            return SlackApp(self.token.read(environ).reveal(), self.channel, base_url=self.base_url)
        assert self.webhook_url is not None
        url = self.webhook_url.read(environ).reveal()
        try:
            return SlackHook(web_address(url))
        except ValueError:
            advice = "copy it from Slack, https://hooks.slack.com/services/…"
            raise SecretError(f"{self.webhook_url.describe()} holds no webhook URL: {advice}") from None
