"""When the mutes of the rules file hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from usage_watch.config import Config


@dataclass(frozen=True, slots=True)
class MutedTime:
    """When something is not told, now or next; its names are those of `--json`."""

    name: str
    """`the event Hackathon`, `sat-sun 00:00-24:00`."""
    rules: Sequence[str]
    """The ids of the rules that it is about."""
    in_force: bool
    begins: datetime | None
    """Now, where it is in force; None where it does not come again."""
    ends: datetime | None
    """None too where it never ends."""


def muted_times(config: Config, now: datetime) -> list[MutedTime]:
    """Of each event and weekly mute when it is next in force."""
    from usage_watch.config.advice import covered

    found = []
    for mute in config.mutes:
        begins_at = mute.when.begins_at(now)
        ends_at = None if begins_at is None else mute.free_at(begins_at)
        found.append(MutedTime(mute.name, covered(mute, config), mute.in_force(now), begins_at, ends_at))
    return found
