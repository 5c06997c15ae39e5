"""A made-up organization: who its members are, how much they use, and what there is to use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Self

import numpy as np

from . import names
from .arrays import FloatArray

CREDITS_PER_WEEKDAY = 16_500
"""Credits that all members together use on an ordinary weekday at the start: about 380,000 credits a month."""

SOURCES = ("paid", "promo")
FEATURES = ("Search", "Computer")


class Rhythm(IntEnum):
    """When somebody works. The value is the row of the table of weekly profiles."""

    OFFICE = 0
    EVENING = 1
    AMERICAS = 2


@dataclass(frozen=True, slots=True)
class Model:
    """A language model that threads run on."""

    name: str
    family: str
    cost: float
    """Credits of a thread relative to the average model."""
    popularity: float
    """Weight among the models that a member picks for a Computer thread; 0 for one of Search alone."""
    search_popularity: float = 0.0
    """Weight among the models that answer a Search query."""
    launched_day: int = 0
    """Day of the scenario on which it appears."""


@dataclass(frozen=True, slots=True)
class Member:
    """One person. Days are counted from the first day of the scenario."""

    email: str
    credits_per_day: float
    """Expected credits on an ordinary weekday."""
    credits_per_thread: float
    """Expected credits of one Computer thread on the average model."""
    searches_per_day: float
    """Expected Search queries on an ordinary weekday."""
    rhythm: Rhythm = Rhythm.OFFICE
    scheduled: float = 0.0
    """Share of the usage that runs by schedule at night, on every day of the week."""
    promo_days: int = 0
    """Days until the member's promotional credits are used up; 0: never had any."""
    joined_day: int = 0
    left_day: int | None = None

    def is_current(self, day: float) -> bool:
        """Whether she is a member on that day (fractions of a day count): only then can her email be resolved."""
        return self.joined_day <= day and (self.left_day is None or day < self.left_day)


MODELS = (
    Model("claude-opus-4-8", "Claude", cost=1.7, popularity=0.26),
    Model("claude-sonnet-4-8", "Claude", cost=0.9, popularity=0.30, search_popularity=0.10),
    Model("gpt-5-5", "GPT", cost=1.0, popularity=0.24, search_popularity=0.14),
    Model("gemini-3-pro", "Gemini", cost=0.8, popularity=0.14, search_popularity=0.08),
    Model("grok-5", "Grok", cost=0.7, popularity=0.06),
    Model("sonar-2", "Sonar", cost=0.2, popularity=0.0, search_popularity=0.68),
    Model("claude-opus-5", "Claude", cost=1.3, popularity=0.30, launched_day=58),
)


@dataclass(frozen=True)
class Organization:
    """Everything that is fixed about an organization. `dataclasses.replace` makes variants of it."""

    members: tuple[Member, ...]
    """In order of their emails."""
    models: tuple[Model, ...]
    titles: Mapping[str, tuple[str, ...]]
    """Axis -> its categories, most used first, for the axes that threads may or may not have."""

    @classmethod
    def from_seed(cls, seed: int) -> Self:
        """An organization of 40 members, the same for the same seed."""
        rng = np.random.default_rng([seed, 0])
        bands = names.DURATION_BANDS[seed % len(names.DURATION_BANDS)]
        titles = {
            "Connector": names.CONNECTORS,
            "Artifact Type": names.ARTIFACT_TYPES,
            "Skill": names.SKILLS,
            "Space": names.SPACES,
            "Workflow": names.WORKFLOWS,
            "Task Duration": bands,
        }
        return cls(members=_members(rng), models=MODELS, titles=titles)

    @cached_property
    def categories(self) -> Mapping[str, tuple[str, ...]]:
        """Axis -> names of its categories; a thread's code on an axis is an index into them."""
        return {
            "Model": tuple(model.name for model in self.models),
            "Model Family": tuple(dict.fromkeys(model.family for model in self.models)),
            "Credit Source": SOURCES,
            "Feature": FEATURES,
            "Project": ("Project",),
            "Comet": ("Comet",),
            **self.titles,
        }

    @cached_property
    def index_of_email(self) -> Mapping[str, int]:
        """Email -> index into `members`, for all who ever were members."""
        return {member.email: index for index, member in enumerate(self.members)}


def _members(rng: np.random.Generator) -> tuple[Member, ...]:
    n = len(names.EMAILS)
    order = [int(i) for i in rng.permutation(n) if names.EMAILS[i] != "ana@example.com"]
    # The three heavy users, those who join and the one who leaves are different people.
    heavy = [names.EMAILS.index("ana@example.com"), *order[:2]]
    joiners, leaver = order[2:6], order[6]
    share = _shares(rng, n, heavy)
    share[[*joiners, leaver]] = np.minimum(share[[*joiners, leaver]], 0.02)
    rhythm = rng.choice(np.array(list(Rhythm)), n, p=[0.76, 0.14, 0.10])
    rhythm[heavy] = Rhythm.OFFICE
    scheduled = np.where(rng.random(n) < 0.35, rng.uniform(0.08, 0.25, n), 0.0)
    scheduled[heavy[1]] = 0.2
    per_thread = rng.uniform(10, 26, n)
    searches = rng.lognormal(2.6, 0.6, n)
    promo = np.where(rng.random(n) < 0.4, rng.integers(34, 52, n), 0)
    joined = dict(zip(joiners, rng.integers(12, 75, len(joiners)), strict=True))
    return tuple(
        Member(
            email=names.EMAILS[i],
            credits_per_day=float(CREDITS_PER_WEEKDAY * share[i]),
            credits_per_thread=float(per_thread[i]),
            searches_per_day=float(searches[i]),
            rhythm=Rhythm(int(rhythm[i])),
            scheduled=float(scheduled[i]),
            promo_days=int(promo[i]),
            joined_day=int(joined.get(i, 0)),
            left_day=int(rng.integers(45, 75)) if i == leaver else None,
        )
        for i in range(n)
    )


def _shares(rng: np.random.Generator, n: int, heavy: list[int]) -> FloatArray:
    """How much of all credits each member uses: three heavy ones, and a long tail."""
    share = rng.lognormal(0.0, 0.55, n)
    share[heavy] = 0
    top = np.array([0.14, 0.11, 0.08])
    share *= (1 - top.sum()) / share.sum()
    share[heavy] = top
    return share
