"""Mutes: when the rules file wants quiet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from usage_watch.core.entry import META
from usage_watch.core.incident import Incident
from usage_watch.core.schedule import Days, Weekly
from usage_watch.core.selection import Choice

_MUTED = "Muted "
"""How a mute's sentence begins, and no other."""


@dataclass(frozen=True, slots=True)
class Mute:
    """A time in which what some rules find is not told; what came and went critical is told afterwards."""

    when: Days | Weekly
    event: str | None = None
    """The title of the event that it belongs to."""
    rules: tuple[str, ...] = ("*",)
    """Patterns of their ids."""
    words: frozenset[str] | None = None
    """Only these kinds, and parts of a budget; None for all."""

    @property
    def name(self) -> str:
        """`the event Hackathon`, `sat-sun 00:00-24:00`."""
        return str(self.when) if self.event is None else f"the event {self.event}"

    @property
    def why(self) -> str:
        """What a decision says that it holds back."""
        return f"{_MUTED}{self.name}." if self.event is None else f"{_MUTED}by {self.name}."

    @property
    def over_at(self) -> datetime | None:
        """When it is over for good; None for what comes again."""
        return self.when.over_at

    def in_force(self, now: datetime) -> bool:
        """Whether it holds something back at this time."""
        return self.when.in_force(now)

    def free_at(self, now: datetime) -> datetime | None:
        """The first instant from `now` on at which it is not in force; None where it always is."""
        return self.when.free_at(now)

    def covers(self, incident: Incident) -> bool:
        """Whether the incident is what it is about."""
        return self.takes(incident.rule.id, incident.rule.kind, [incident.part])

    def takes(self, rule_id: str, kind: str, parts: Iterable[str | None]) -> bool:
        """Whether it is about any of these parts of a rule. The watcher's own alerts must be named: `meta:*`."""
        own = f"{META}:"
        patterns = tuple(each for each in self.rules if kind != META or each.startswith(own))
        is_meant = self.words is None or kind in self.words or any(part in self.words for part in parts)
        return is_meant and Choice(patterns).takes(rule_id)


def says_muted(why: str) -> bool:
    """Whether the sentence is a mute's."""
    return why.startswith(_MUTED)
