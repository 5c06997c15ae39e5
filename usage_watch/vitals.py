"""Vitals: how the daemon does, as its main thread said it last. Any thread may read them, none waits for another."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event

from usage_watch.errors import Hindrance

LATE_AFTER = 120.0
"""Seconds without a sign of the main loop after which it hangs.

It gives one after each turn, at least every 30 s while it waits, and after each answer of the source, of which one
may take 30 s.
"""


@dataclass(frozen=True, slots=True)
class FeedGauge:
    """How fresh a feed is; the feeds of single members count as one, the worst of them."""

    feed: str
    read_at: float | None
    """When it was last read with success, epoch seconds; None where it never was."""
    data_until: int | None
    """End of its newest bucket with usage, epoch seconds; None where there is none."""


@dataclass(frozen=True, slots=True)
class AlertGauge:
    """How many alerts of one rule and severity are open."""

    rule: str
    severity: str
    state: str
    """`firing`, or `acknowledged` at the level at which it stands."""
    count: int


@dataclass(frozen=True, slots=True)
class ChannelGauge:
    """What waits to be sent to a channel."""

    channel: str
    pending: int
    oldest_at: datetime | None
    """When the oldest of it was decided; None while nothing waits."""


@dataclass(frozen=True, slots=True)
class BudgetGauge:
    """How a budget of all members stands, in its dataset's unit."""

    rule: str
    spent: float
    limit: float


Counts = Mapping[tuple[str, str], int]
"""How often something happened since the process started, by what and outcome."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What there is to tell after a turn of the daemon's loop; nothing in it changes any more."""

    feeds: tuple[FeedGauge, ...] = ()
    alerts: tuple[AlertGauge, ...] = ()
    channels: tuple[ChannelGauge, ...] = ()
    budgets: tuple[BudgetGauge, ...] = ()
    polls: Counts = field(default_factory=dict)
    """By feed and outcome."""
    notifications: Counts = field(default_factory=dict)
    """Attempts to deliver, by channel and outcome."""
    turns: int = 0
    """Cycles since the process started."""
    turned_for: float = 0.0
    """Seconds that they took in all."""
    database_bytes: int = 0
    """With its write-ahead log."""
    failing: int = 0
    """How many feeds could not be read when they were last asked for."""
    accounted: bool = True
    """Whether every feed was read at its last poll, or somebody has been told that it was not."""

    @property
    def oldest_at(self) -> datetime | None:
        """When the oldest message that waits for any channel was decided."""
        return min((each.oldest_at for each in self.channels if each.oldest_at is not None), default=None)

    def waited(self, now: datetime) -> float:
        """Seconds that the oldest message has waited; 0 while none waits."""
        return 0.0 if self.oldest_at is None else max(0.0, (now - self.oldest_at).total_seconds())


@dataclass(frozen=True, slots=True)
class Hindered:
    """Cycles cannot be done, since this machine stands in the way."""

    since: datetime
    why: str
    """A clause, of which nothing is secret."""
    heard: bool
    """Whether somebody was sent that."""


class Vitals:
    """Written by the main thread, read by any."""

    def __init__(
        self, at: datetime, ticks: Callable[[], float] = time.monotonic, late_after: float = LATE_AFTER
    ) -> None:
        """`ticks`: seconds that no clock on the wall can move; `at`: when it began, which counts as a sign of life."""
        self._ticks, self.late_after = ticks, late_after
        self._sign = (ticks(), at)
        self.snapshot: Snapshot | None = None
        """After the newest turn; None before the first has ended."""
        self.hindered: Hindered | None = None
        """From a turn that could not be done to the next that was."""
        self.idle = Event()
        """Set while no turn is under way."""
        self.idle.set()
        self.hindrances: Mapping[str, int] = {each.value: 0 for each in Hindrance}
        """How many turns could not be done since the process started, by cause."""

    def publish(self, snapshot: Snapshot) -> None:
        """From now on this is what there is to tell."""
        self.snapshot = snapshot

    def count(self, hindrance: Hindrance) -> None:
        """A turn could not be done."""
        counts = {**self.hindrances}
        counts[hindrance.value] += 1
        self.hindrances = counts

    def beat(self, at: datetime) -> None:
        """The main loop goes on."""
        self._sign = (self._ticks(), at)

    @property
    def beaten_at(self) -> datetime:
        """When the main loop gave its last sign, by the clock on the wall."""
        return self._sign[1]

    @property
    def silent_for(self) -> float:
        """Seconds since then."""
        return max(0.0, self._ticks() - self._sign[0])
