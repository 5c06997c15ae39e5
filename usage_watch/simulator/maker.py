"""Makes up the ordinary threads of a day from random numbers."""

from __future__ import annotations

import numpy as np

from .arrays import BoolArray, FloatArray, IntArray
from .organization import Model, Organization
from .rhythm import attendance, scheduled_profiles, working_profiles
from .threads import ABSENT, UNATTRIBUTED, Threads

GROWTH_PER_DAY = 1.008 ** (1 / 7)

_USED = {"Connector": 0.45, "Artifact Type": 0.5, "Skill": 0.28, "Space": 0.35, "Workflow": 0.2}
"""Share of Computer threads that have something of the axis."""
_PROJECT_SHARE = 0.22
_BAND_EDGES = np.array([1.0, 5.0, 15.0, 60.0])
"""Minutes at which a thread falls into the next duration band."""


class Maker:
    """Makes the threads of any day; each day is a function of (organization, seed, day) alone."""

    def __init__(self, organization: Organization, seed: int) -> None:
        members, models = organization.members, organization.models
        rng = np.random.default_rng([seed, 1])
        self._organization = organization
        self._seed = seed
        self._working = working_profiles(members)
        self._scheduled = scheduled_profiles(members)
        self._attendance = attendance(self._working)
        self._effort = np.array([member.credits_per_thread for member in members])
        self._tasks = np.array([member.credits_per_day for member in members]) / self._effort
        self._searches = np.array([member.searches_per_day for member in members])
        self._promo_days = np.array([member.promo_days for member in members])
        self._taste = rng.lognormal(0.0, 0.7, (len(members), len(models)))
        self._comet = rng.beta(0.6, 2.4, len(members))
        self._cost = np.array([model.cost for model in models])
        families = organization.categories["Model Family"]
        self._family = np.array([families.index(model.family) for model in models])

    def day(self, day: int, local_hours: IntArray) -> Threads:
        """The threads of a day of the scenario (0 = its first); `local_hours` as `rhythm.local_hours` gives them."""
        rng = np.random.default_rng([self._seed, 2, day])
        weekday = int(local_hours[12]) // 24
        working = self._presence(rng, day, weekday)[:, None] * self._working[:, local_hours]
        rate = (working + self._scheduled[:, local_hours]) * self._current(day)[:, None] * GROWTH_PER_DAY**day
        rate *= rng.gamma(5.0, 1 / 5.0, rate.shape) * rng.lognormal(0.0, 0.05)
        tasks = rng.poisson(rate * self._tasks[:, None])
        searches = rng.poisson(rate * self._searches[:, None])
        cells = np.concatenate([tasks.ravel(), searches.ravel()])
        member, hour = np.divmod(np.repeat(np.tile(np.arange(tasks.size), 2), cells), 24)
        computer = np.arange(len(member)) < tasks.sum()
        return self._describe(rng, day, hour, member, computer)

    def _presence(self, rng: np.random.Generator, day: int, weekday: int) -> FloatArray:
        """[member]: how much of their usual they do that day; zero for who is off."""
        size = len(self._organization.members)
        week, into = divmod(day, 7)
        this, following = (np.random.default_rng([self._seed, 3, number]) for number in (week, week + 1))
        mood = this.lognormal(-0.02, 0.2, size) * (1 - into / 7) + following.lognormal(-0.02, 0.2, size) * (into / 7)
        on_holiday = this.random(size) < 0.04
        likely = self._attendance[:, weekday]
        comes = rng.random(size) < likely
        present: FloatArray = mood * (comes & ~on_holiday) / likely
        return present

    def _current(self, day: int) -> BoolArray:
        return np.array([member.is_current(day) for member in self._organization.members])

    def _describe(
        self, rng: np.random.Generator, day: int, hour: IntArray, member: IntArray, computer: BoolArray
    ) -> Threads:
        n = len(hour)
        model = np.where(computer, self._task_model(rng, day, member), self._search_model(rng, n))
        size = rng.gamma(1.6, 1 / 1.6, n)
        credit_count = np.maximum(np.rint(size * self._effort[member] * self._cost[model]), 1).astype(np.int64)
        shown_model = _forget(rng, model, 0.03)
        codes = {
            "Model": shown_model,
            "Model Family": np.where(shown_model < 0, shown_model, self._family[shown_model]),
            "Credit Source": _forget(rng, (day < self._promo_days[member]).astype(np.int64), 0.01),
            "Feature": _forget(rng, computer.astype(np.int64), 0.01),
            "Project": np.where(rng.random(n) < _PROJECT_SHARE, 0, UNATTRIBUTED),
            "Comet": np.where(rng.random(n) < self._comet[member], 0, UNATTRIBUTED),
            "Task Duration": self._band(rng, size, computer),
            **{axis: self._title(rng, axis, used, computer) for axis, used in _USED.items()},
        }
        return Threads(hour, member, np.where(computer, credit_count, 0), codes)

    def _task_model(self, rng: np.random.Generator, day: int, member: IntArray) -> IntArray:
        weight = self._taste * [model.popularity * _adoption(model, day) for model in self._organization.models]
        edges = np.cumsum(weight, axis=1) / weight.sum(axis=1, keepdims=True)
        picked: IntArray = (rng.random(len(member))[:, None] >= edges[member, :-1]).sum(axis=1)
        return picked

    def _search_model(self, rng: np.random.Generator, n: int) -> IntArray:
        return _pick(rng, n, np.array([model.search_popularity for model in self._organization.models]))

    def _band(self, rng: np.random.Generator, size: FloatArray, computer: BoolArray) -> IntArray:
        """Long threads are mostly those that cost much; a few never complete."""
        minutes = 5.0 * size**0.8 * rng.lognormal(0.0, 0.8, len(size))
        band = np.searchsorted(_BAND_EDGES[: len(self._organization.titles["Task Duration"]) - 1], minutes)
        completed = computer & (rng.random(len(size)) < 0.96)
        return np.where(completed, _forget(rng, band, 0.005), ABSENT)

    def _title(self, rng: np.random.Generator, axis: str, used: float, computer: BoolArray) -> IntArray:
        n = len(computer)
        popularity = 1 / np.arange(1, len(self._organization.titles[axis]) + 1)
        title = _forget(rng, _pick(rng, n, popularity), 0.02)
        return np.where(computer & (rng.random(n) < used), title, ABSENT)


def _adoption(model: Model, day: int) -> float:
    """0 before the launch, then rising to 1 over about two weeks."""
    age = day - model.launched_day
    return 0.0 if age < 0 else 1.0 if model.launched_day == 0 else float(1 - 0.85 * np.exp(-age / 6))


def _pick(rng: np.random.Generator, n: int, weight: FloatArray) -> IntArray:
    edges = np.cumsum(weight) / weight.sum()
    return np.searchsorted(edges[:-1], rng.random(n), side="right").astype(np.int64)


def _forget(rng: np.random.Generator, code: IntArray, share: float) -> IntArray:
    """Take the attribution from a share of the threads."""
    return np.where(rng.random(len(code)) < share, UNATTRIBUTED, code)
