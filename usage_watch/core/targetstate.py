"""How it goes with a target: what its deliveries left behind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

LAGS_AFTER = timedelta(minutes=15)
"""A channel lags when a message has waited for so long."""


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A message that will not be delivered."""

    at: datetime
    """When it was given up."""
    detail: str
    """Why, in one sentence."""
    rule: str
    """The id of the rule that it was about."""


@dataclass(frozen=True, slots=True)
class TargetState:
    """What is stored of one channel's deliveries."""

    name: str
    """The channel's."""
    blocked_from: datetime | None = None
    """Since when nothing is taken until somebody changes something; None where that is not so."""
    failing_from: datetime | None = None
    """Since when every attempt failed, for whatever reason; None after a success."""
    last_error: str | None = None
    """Why the last attempt failed, in one sentence; None after a success."""
    waiting: int = 0
    """How many messages are to be sent."""
    waiting_from: datetime | None = None
    """When the oldest of them was decided."""
    given_up: tuple[GivenUp, ...] = ()
    """Messages that were given up in the last days, oldest first."""
    unstated_from: datetime | None = None
    """Since when a target by state could not be told again what stands; None where that is not so."""

    @property
    def late_from(self) -> datetime | None:
        """Since when something that it is to be told waits."""
        return min((at for at in (self.waiting_from, self.unstated_from) if at is not None), default=None)

    def lags(self, now: datetime) -> bool:
        """Whether something has waited for too long."""
        return self.late_from is not None and now - self.late_from >= LAGS_AFTER
