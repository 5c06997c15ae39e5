"""The threads of jobs out of control."""

from __future__ import annotations

import numpy as np

from .arrays import DAY, HOUR
from .organization import Organization
from .scenario import Runaway
from .threads import UNATTRIBUTED, Threads

THREADS_PER_HOUR = 60


def check(organization: Organization, runaway: Runaway) -> None:
    """Raise ValueError unless the organization has the runaway's member and model."""
    if runaway.member not in organization.index_of_email:
        raise ValueError(f"The organization has no member {runaway.member!r} who could run away.")
    if runaway.model not in organization.categories["Model"]:
        raise ValueError(f"The organization has no model {runaway.model!r} that could run away.")


def runaway_threads(organization: Organization, runaway: Runaway, midnight: int) -> Threads:
    """What falls into the UTC day that begins at `midnight` (epoch seconds). Whole hours sum to credits_per_hour."""
    minute = np.arange(runaway.hours * THREADS_PER_HOUR)
    second = int(runaway.start_at.timestamp()) - midnight + minute * (HOUR // THREADS_PER_HOUR)
    spent = (minute + 1) * runaway.credits_per_hour // THREADS_PER_HOUR
    today = (second >= 0) & (second < DAY)
    codes = _codes(organization, runaway)
    n = int(today.sum())
    return Threads(
        hour=second[today] // HOUR,
        member=np.full(n, organization.index_of_email[runaway.member]),
        credits=np.diff(spent, prepend=0)[today],
        codes={axis: np.full(n, code) for axis, code in codes.items()},
    )


def _codes(organization: Organization, runaway: Runaway) -> dict[str, int]:
    """One scheduled workflow, the same thread again and again."""
    categories = organization.categories
    model = organization.models[categories["Model"].index(runaway.model)]
    return {
        "Model": categories["Model"].index(model.name),
        "Model Family": categories["Model Family"].index(model.family),
        "Credit Source": categories["Credit Source"].index("paid"),
        "Feature": categories["Feature"].index("Computer"),
        "Project": UNATTRIBUTED,
        "Comet": UNATTRIBUTED,
        "Connector": 0,
        "Artifact Type": 0,
        "Skill": 0,
        "Space": 0,
        "Workflow": 0,
        "Task Duration": len(categories["Task Duration"]) - 1,
    }
