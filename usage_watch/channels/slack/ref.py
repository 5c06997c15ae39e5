"""A message's place in Slack, as it is stored: `CHANNEL/TS`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

_REF = re.compile(r"([A-Z0-9]{1,40})/([0-9]{1,11}\.[0-9]{1,12})", re.ASCII)


class Ref(NamedTuple):
    """A message by its channel's ID and its time stamp, which names it there."""

    channel: str
    ts: str

    @classmethod
    def read(cls, written: str | None) -> Ref | None:
        """None where it is none: before there is a message, and where another kind of channel wrote it."""
        known = _REF.fullmatch(written or "")
        return None if known is None else cls(*known.groups())

    @property
    def posted_at(self) -> datetime:
        """By Slack's clock."""
        return datetime.fromtimestamp(float(self.ts), UTC)

    def __str__(self) -> str:
        return f"{self.channel}/{self.ts}"
