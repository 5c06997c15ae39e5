"""The datasets that the source is known to have: what they count, how they are split and what they can be asked for.

The source's list grows. A name that is missing here is no error: nothing is known of it, so nothing is refused for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from usage_watch.core.selection import fold_label


@dataclass(frozen=True, slots=True)
class Dataset:
    """One dataset of the analytics API."""

    name: str
    """The API's name, such as `credit_usage`."""
    unit: str
    """What it counts, in the plural: credits, queries, members, threads, tasks."""
    axes: tuple[str, ...]
    """How v1 splits its counts, as the source writes it; empty where it does not."""
    member_axes: tuple[str, ...] | None = None
    """How v2 (days per member) splits them; None where v2 lacks the dataset."""
    hourly: bool = True
    """Whether it is to be had by the hour."""
    one_member: bool = True
    """Whether v1 takes `user_email`."""
    additive: bool = True
    """Whether sums over buckets mean anything: a member who is active on three days is still one member."""
    overlapping: frozenset[str] = frozenset()
    """Axes whose categories overlap and do not sum to the count."""

    @property
    def per_member(self) -> bool:
        """Whether v2 has it."""
        return self.member_axes is not None


_SUBSETS = frozenset({"Project", "Comet"})

_ALL = (
    Dataset("credit_usage", "credits", ("Model", "Credit Source"), ("Model", "Credit Source")),
    Dataset(
        "query_volume",
        "queries",
        ("Feature", "Model", "Model Family", "Project", "Comet"),
        ("Feature", "Project", "Comet"),
        hourly=False,
        one_member=False,
        overlapping=_SUBSETS,
    ),
    Dataset("daily_active_users", "members", (), hourly=False, one_member=False, additive=False),
    Dataset("connectors", "threads", ("Connector",)),
    Dataset("artifacts", "threads", ("Artifact Type",)),
    Dataset("skills", "threads", ("Skill",)),
    Dataset("spaces", "threads", ("Space",)),
    Dataset("workflows", "threads", ("Workflow",)),
    Dataset("task_durations", "tasks", ("Task Duration",)),
)

DATASETS: Mapping[str, Dataset] = MappingProxyType({dataset.name: dataset for dataset in _ALL})
"""By name, in the order of the contract."""


def find_axis(name: str, axes: Iterable[str]) -> str | None:
    """The axis that a human meant, as the source writes it; None if there is none. Any case, `credit_source` too."""
    return next((axis for axis in axes if fold_label(axis) == fold_label(name)), None)
