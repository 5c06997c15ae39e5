"""Silences and acknowledgements: what people said about being told."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from usage_watch.core.incident import Incident


class Operator(StrEnum):
    """How a matcher compares."""

    IS = "="
    IS_NOT = "!="
    LIKE = "=~"
    """The whole of it matches a regular expression."""
    UNLIKE = "!~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on an incident."""

    name: str
    """`rule`, `kind`, `part`, `severity`, `dataset`, or a label: an axis or `member`."""
    operator: Operator
    value: str

    def matches(self, incident: Incident) -> bool:
        """Whether the condition holds; a label that the incident lacks is the empty text."""
        return self._compares(_read(incident, self.name))

    def _compares(self, found: str) -> bool:
        if self.operator in (Operator.IS, Operator.IS_NOT):
            return (found == self.value) is (self.operator is Operator.IS)
        return (re.fullmatch(self.value, found) is not None) is (self.operator is Operator.LIKE)


def _read(incident: Incident, name: str) -> str:
    known = {
        "rule": incident.rule.id,
        "kind": incident.rule.kind,
        "part": incident.part or "",
        "severity": incident.severity.value,
        "dataset": incident.evidence.dataset,
    }
    return known.get(name, incident.labels.get(name, ""))


@dataclass(frozen=True, slots=True)
class Silence:
    """A time in which what matches is not told."""

    id: str
    """`sil_…`"""
    matchers: tuple[Matcher, ...]
    """All of them hold; never empty."""
    from_at: datetime
    until_at: datetime
    author: str
    reason: str
    created_at: datetime
    expired_at: datetime | None = None
    """When somebody ended it before its time."""

    @property
    def ends_at(self) -> datetime:
        """When it ends, or ended; not before its start."""
        return max(self.from_at, min(self.until_at, self.expired_at or self.until_at))

    def in_force(self, now: datetime) -> bool:
        """Whether it holds something back at this time."""
        return self.from_at <= now < self.ends_at

    def covers(self, incident: Incident) -> bool:
        """Whether the incident, as it stands, is what it is about."""
        return all(matcher.matches(incident) for matcher in self.matchers)


@dataclass(frozen=True, slots=True)
class Ack:
    """Somebody knows: no reminders until a higher level or the end."""

    incident_id: str
    rank: int
    """The level that it stood at."""
    at: datetime
    author: str
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Orders:
    """All that people said."""

    silences: Sequence[Silence] = ()
    """In force, to come, and ended lately."""
    acks: Mapping[str, Ack] = field(default_factory=dict)
    """The latest of each incident, by its id."""
