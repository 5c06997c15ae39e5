"""When targets by state are told again what stands: at once after a start, then every so often."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from usage_watch.channels.base import Attempt, ChannelSettings

TRY_AGAIN = timedelta(minutes=1)
"""After a failure. Nothing is given up: what is not told again for long, the target takes for over."""


class Restating:
    """Keeps nothing that must outlast the process."""

    def __init__(self, channels: Mapping[str, ChannelSettings]) -> None:
        self._every: dict[str, timedelta] = {}
        self._next: dict[str, datetime] = {}
        self.heed(channels)

    def heed(self, channels: Mapping[str, ChannelSettings]) -> None:
        """From now on these are the targets; of those that were so before, the time to the next goes on."""
        found = ((name, channel.restate_every) for name, channel in channels.items())
        self._every = {name: every for name, every in found if every is not None}

    def due(self, now: datetime, busy: Collection[str]) -> list[str]:
        """The targets, of those that are not `busy`, whose time has come."""
        return [name for name in self._every if name not in busy and self._at(name, now) <= now]

    def next_due(self, now: datetime, busy: Collection[str]) -> datetime | None:
        """When the first of them is due; None where there is none."""
        return min((self._at(name, now) for name in self._every if name not in busy), default=None)

    def done(self, name: str, now: datetime) -> None:
        """It was told, or there was nothing to tell."""
        if name in self._every:
            self._next[name] = now + self._every[name]

    def failed(self, name: str, attempt: Attempt, now: datetime) -> datetime:
        """It could not be told; answers when it is tried again."""
        self._next[name] = now + TRY_AGAIN
        self.pause(name, now + (attempt.retry_after or TRY_AGAIN), now)
        return self._next[name]

    def pause(self, name: str, until: datetime, now: datetime) -> None:
        """Leave it alone until then, but not for longer than is usual: what it was told would be over by itself."""
        if name in self._every:
            self._next[name] = min(max(self._at(name, now), until), now + self._every[name])

    def _at(self, name: str, now: datetime) -> datetime:
        at = self._next.get(name, now)
        # The clock was set back: its times mean nothing.
        return at if at <= now + self._every[name] else now
