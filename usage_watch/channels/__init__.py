"""Channel kinds: one file each, and one line here. What a kind needs to send is imported when it is opened."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from usage_watch.channels.alertmanager import AlertmanagerSettings
from usage_watch.channels.email import EmailSettings
from usage_watch.channels.log import LogSettings
from usage_watch.channels.slack import SlackSettings
from usage_watch.channels.webhook import WebhookSettings

AnyChannel = Annotated[
    SlackSettings | EmailSettings | WebhookSettings | AlertmanagerSettings | LogSettings, Field(discriminator="kind")
]
"""A channel as a user writes it: its `kind` decides."""

__all__ = ["AlertmanagerSettings", "AnyChannel", "EmailSettings", "LogSettings", "SlackSettings", "WebhookSettings"]
