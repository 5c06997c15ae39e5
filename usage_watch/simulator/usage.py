"""What the organization used: the threads of any day, and when each of them is seen."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from .arrays import DAY, HOUR, BoolArray, IntArray
from .day import NEVER, UsageDay
from .maker import Maker
from .organization import Organization
from .revisions import revise
from .rhythm import local_hours
from .runaways import check, runaway_threads
from .scenario import Scenario
from .sync import synced_at
from .threads import Threads, join, no_threads


class Usage:
    """A scenario played out over an organization (default: that of the scenario's seed).

    Raises ValueError when a runaway or a departure names a member, or a model, that the organization lacks.
    """

    def __init__(self, scenario: Scenario, organization: Organization | None = None) -> None:
        self.scenario = scenario
        self.organization = organization or Organization.from_seed(scenario.seed)
        for runaway in scenario.runaways:
            check(self.organization, runaway)
        self._left_at = _left_at(self.organization, scenario)
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
        members = frozenset(i for i, member in enumerate(self.organization.members) if member.is_current(day))
        return members - {member for member, left_at in self._left_at.items() if left_at <= now}

    def _make(self, day: int) -> UsageDay:
        scenario, ordinary = self.scenario, self._ordinary(day)
        runaways = [runaway_threads(self.organization, runaway, day * DAY) for runaway in scenario.runaways]
        threads = join([ordinary, *runaways])
        # Who left is taken out last, so that a departure changes neither what the others do nor when it is seen.
        made = UsageDay(threads, self._synced_at(day, threads), np.full(len(threads), NEVER))
        stays = np.ones(len(threads), bool)
        stays[: len(ordinary)] = self._is_there(day, ordinary)
        return revise(made.take(stays), day, scenario.revisions, scenario.seed)

    def _ordinary(self, day: int) -> Threads:
        number = day - self._first_day
        if self.scenario.quiet or number < 0:
            return no_threads()
        return self._maker.day(number, local_hours(day, self._zone))

    def _is_there(self, day: int, threads: Threads) -> BoolArray:
        """[thread]: whether its member had not left when its hour began."""
        there = np.ones(len(threads), bool)
        for member, left_at in self._left_at.items():
            there &= (threads.member != member) | (day * DAY + threads.hour * HOUR < left_at.timestamp())
        return there

    def _synced_at(self, day: int, threads: Threads) -> IntArray:
        scenario = self.scenario
        place = np.random.default_rng([scenario.seed, 4, day]).random(len(threads))
        return synced_at(day, place, threads.hour, scenario.lag, scenario.stops, scenario.seed)


def _left_at(organization: Organization, scenario: Scenario) -> dict[int, datetime]:
    """Index of a member -> when she left, of the departures alone."""
    left_at: dict[int, datetime] = {}
    for departure in sorted(scenario.departures, key=lambda departure: departure.at):
        if departure.member not in organization.index_of_email:
            raise ValueError(f"The organization has no member {departure.member!r} who could leave.")
        left_at.setdefault(organization.index_of_email[departure.member], departure.at)
    return left_at
