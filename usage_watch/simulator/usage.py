"""What the organization used: the threads of any day, and when each of them is seen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from .arrays import DAY, HOUR, IntArray
from .maker import Maker
from .organization import Organization
from .rhythm import local_hours
from .runaways import check, runaway_threads
from .scenario import Scenario
from .sync import synced_at
from .threads import Threads, join, no_threads


@dataclass(frozen=True, slots=True, eq=False)
class UsageDay:
    """One UTC day."""

    threads: Threads
    synced_at: IntArray
    """[thread] epoch second from which on it is seen."""


class Usage:
    """A scenario played out over an organization (default: that of the scenario's seed).

    Raises ValueError when a runaway names a member or model that the organization lacks.
    """

    def __init__(self, scenario: Scenario, organization: Organization | None = None) -> None:
        self.scenario = scenario
        self.organization = organization or Organization.from_seed(scenario.seed)
        for runaway in scenario.runaways:
            check(self.organization, runaway)
        self._first_day = int(scenario.start_at.timestamp()) // DAY
        self._zone = ZoneInfo(scenario.zone)
        self._maker = Maker(self.organization, scenario.seed)
        # Days are made when first asked for. Two requests may make the same day at once: the days are equal.
        self._days: dict[int, UsageDay] = {}

    def day(self, day: int) -> UsageDay:
        """The UTC day with this number since the epoch; empty before the scenario starts."""
        if day not in self._days:
            self._days[day] = self._make(day)
        return self._days[day]

    def current_members(self, now: datetime) -> frozenset[int]:
        """Indices of those who are members at that instant."""
        day = now.timestamp() / DAY - self._first_day
        return frozenset(i for i, member in enumerate(self.organization.members) if member.is_current(day))

    def _make(self, day: int) -> UsageDay:
        parts = [self._ordinary(day)]
        parts += [runaway_threads(self.organization, runaway, day * DAY) for runaway in self.scenario.runaways]
        threads = join(parts)
        return UsageDay(threads, self._seen(day, threads))

    def _ordinary(self, day: int) -> Threads:
        number = day - self._first_day
        if self.scenario.quiet or number < 0:
            return no_threads()
        return self._maker.day(number, local_hours(day, self._zone))

    def _seen(self, day: int, threads: Threads) -> IntArray:
        scenario = self.scenario
        ended_at = day * DAY + np.arange(1, 25) * HOUR
        place = np.random.default_rng([scenario.seed, 4, day]).random(len(threads))
        seed = [scenario.seed, 5, day]
        return synced_at(ended_at, place, threads.hour, scenario.lag, scenario.stops, seed)
