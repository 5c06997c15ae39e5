"""The datasets of the analytics API: what each counts, by which axes, and what may be asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Counts(Enum):
    """What a dataset's numbers are."""

    CREDITS = "credits"
    THREADS = "threads"
    MEMBERS = "distinct members"


@dataclass(frozen=True, slots=True)
class Dataset:
    """One dataset. The axes are those of v1, in the order of the answer's `categories`."""

    name: str
    axes: tuple[str, ...]
    counts: Counts = Counts.THREADS
    of_axis: str | None = None
    """Only threads that have something of this axis count; None: every thread does."""
    daily_only: bool = False
    """Takes neither hours nor `user_email`."""
    member_axes: tuple[str, ...] | None = None
    """The axes of v2; None: v2 lacks the dataset."""


def _of_axis(name: str, axis: str) -> Dataset:
    return Dataset(name, (axis,), of_axis=axis)


DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset("credit_usage", ("Model", "Credit Source"), Counts.CREDITS, member_axes=("Model", "Credit Source")),
        Dataset(
            "query_volume",
            ("Feature", "Model", "Model Family", "Project", "Comet"),
            daily_only=True,
            member_axes=("Feature", "Project", "Comet"),
        ),
        Dataset("daily_active_users", (), Counts.MEMBERS, daily_only=True),
        _of_axis("connectors", "Connector"),
        _of_axis("artifacts", "Artifact Type"),
        _of_axis("skills", "Skill"),
        _of_axis("spaces", "Space"),
        _of_axis("workflows", "Workflow"),
        _of_axis("task_durations", "Task Duration"),
    )
}
