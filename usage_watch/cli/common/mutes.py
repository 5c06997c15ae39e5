"""The mutes of the rules file in a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from usage_watch.cli.common.printing import print_table

if TYPE_CHECKING:
    from usage_watch.views.mutes import MutedTime
    from usage_watch.views.times import Reader

_SHOWN = 5


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
