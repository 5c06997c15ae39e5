"""The mutes of the rules file in a line, and as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from usage_watch.cli.common.printing import print_table

if TYPE_CHECKING:
    from datetime import datetime

    from usage_watch.cli.common.times import Reader
    from usage_watch.config import Config

_SHOWN = 5


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


def print_mutes(mutes: Sequence[MutedTime], reader: Reader) -> None:
    """A line each."""
    rows = ((each.name, _rules(each.rules), _from(each, reader), _until(each, reader)) for each in mutes)
    print_table(("muted", "rules", "from", "until"), rows, "")


def _rules(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _SHOWN:,} more" if len(ids) > _SHOWN else ""
    return ", ".join(ids[:_SHOWN]) + more or "none"


def _from(each: MutedTime, reader: Reader) -> str:
    return "now" if each.in_force else reader.moment(each.begins, "over")


def _until(each: MutedTime, reader: Reader) -> str:
    return reader.moment(each.ends, "" if each.begins is None else "for ever")
