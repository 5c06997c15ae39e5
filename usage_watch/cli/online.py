"""`check --online`: does the source answer, and are the channels' secrets there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from usage_watch.errors import SecretError, SourceError, UsageError, UsageWatchError

if TYPE_CHECKING:
    from usage_watch.config import Config
    from usage_watch.core.series import Feed


@dataclass(frozen=True, slots=True)
class Trial:
    """Something that was tried, and how it went."""

    what: str
    """`source`, or a channel's name."""
    detail: str
    error: UsageWatchError | None = None


def trials(config: Config, now: datetime) -> Iterator[Trial]:
    """The source is asked one question. Nothing is sent through the channels: only their secrets are read."""
    yield _source(config, now)
    for name, channel in config.channels.items():
        try:
            with closing(channel.connect(os.environ)):
                yield Trial(name, f"is ready; `usage-watch channels test {name}` sends a message")
        except (SecretError, UsageError) as error:
            yield Trial(name, str(error), error)


def _source(config: Config, now: datetime) -> Trial:
    from usage_watch.terms import open_client

    feed = _question(config)
    try:
        with open_client(config, os.environ) as client:
            readings = list(client.fetch(feed, now - timedelta(days=2), now, now))
    except (SecretError, SourceError) as error:
        return Trial("source", str(error), error)
    used = any(count for reading in readings for _, _, count in reading.rows)
    found = "it has usage of the last two days" if used else "it has no usage of the last two days"
    return Trial("source", f"{config.source.base_url} takes the key and answers; {found}")


def _question(config: Config) -> Feed:
    from usage_watch.core.series import EVERYONE, HOUR, Feed

    return next((feed for feed in config.feeds() if feed.scope == EVERYONE), Feed("credit_usage", HOUR))
