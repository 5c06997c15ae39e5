"""A look-up: the hours of a few members, asked for once, to say at night already who an alert comes from.

The source counts members by days, up to a day late; by hours it answers for one member at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from usage_watch.core.series import Feed

GIVEN_UP_AFTER = timedelta(days=1)
"""After which members' days have come anyway."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """What is asked for one incident; there is never a second one for it."""

    incident_id: str
    feeds: tuple[Feed, ...]
    """Of one member each, in the order in which they are asked."""
    from_at: datetime
    until_at: datetime
    wanted_at: datetime
    asked: int = 0
    """How many of its feeds were asked, with whatever outcome: none is asked twice."""
    failures: int = 0
    """How often in a row the source as a whole did not answer."""
    retry_at: datetime | None = None
    """Not to be gone on with before this; None where nothing failed."""

    @property
    def done(self) -> bool:
        """Whether all of it was asked."""
        return self.asked >= len(self.feeds)
