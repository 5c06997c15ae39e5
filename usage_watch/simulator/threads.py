"""A thread is one query or task: everything the datasets count is a sum over threads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .arrays import BoolArray, IntArray

UNATTRIBUTED = -1
"""Code of a thread that counts in its dataset's total, and in no category of the axis."""
ABSENT = -2
"""Code of a thread that has nothing of the axis, and is no part of its dataset."""

AXES = (
    "Model",
    "Model Family",
    "Credit Source",
    "Feature",
    "Project",
    "Comet",
    "Connector",
    "Artifact Type",
    "Skill",
    "Space",
    "Workflow",
    "Task Duration",
)


@dataclass(frozen=True, slots=True, eq=False)
class Threads:
    """One row a thread, in arrays of one length."""

    hour: IntArray
    """0 to 23, of a UTC day."""
    member: IntArray
    """Index into the organization's members."""
    credits: IntArray
    """0 for a Search query."""
    codes: Mapping[str, IntArray]
    """Axis -> index into the organization's categories, or UNATTRIBUTED, or ABSENT; all of AXES."""

    def __len__(self) -> int:
        return len(self.hour)

    def take(self, rows: IntArray | BoolArray) -> Threads:
        """Some of the rows, by index (which may come twice) or by mask."""
        codes = {axis: code[rows] for axis, code in self.codes.items()}
        return Threads(self.hour[rows], self.member[rows], self.credits[rows], codes)


def no_threads() -> Threads:
    """A day on which nobody did anything."""
    none = np.zeros(0, np.int64)
    return Threads(none, none, none, dict.fromkeys(AXES, none))


def join(parts: list[Threads]) -> Threads:
    """All rows of the parts, in their order."""
    return Threads(
        hour=np.concatenate([part.hour for part in parts]),
        member=np.concatenate([part.member for part in parts]),
        credits=np.concatenate([part.credits for part in parts]),
        codes={axis: np.concatenate([part.codes[axis] for part in parts]) for axis in AXES},
    )
