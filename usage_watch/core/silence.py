"""Silences and acknowledgements: what people said about being told."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

from usage_watch.core.incident import Incident
from usage_watch.core.lessons import Expected, Rebased
from usage_watch.core.mute import Mute
from usage_watch.core.plain import plain
from usage_watch.core.selection import fold_label

FIELDS = ("rule", "kind", "part", "severity", "dataset")
"""What every incident has, beside its labels."""

_EXAMPLE = "write a name, one of = != =~ !~ and a value, such as rule=hourly-credits or 'Model=~claude-.*'"
_OPERATOR = re.compile("=~|!~|!=|=")
_BARE = re.compile(r"[^\s\"'=~!,][^\s\"',]*")
"""A value that needs no quotes."""
_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)
"""What stands alone in a regular expression: an escape, a set or a character."""
_LONGEST = 300
"""Characters of a value: an expression that goes as deep as that can still be read everywhere."""
_SHOWN = 80
"""Characters that an error repeats."""


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

    def __str__(self) -> str:
        """As `parse_matcher` reads it; quoted where it could be misread."""
        bare = _BARE.fullmatch(self.value)
        value = self.value if bare else '"' + self.value.replace('"', '\\"') + '"'
        return f"{self.name}{self.operator}{value}"

    def matches(self, incident: Incident) -> bool:
        """Whether the condition holds; a label that the incident lacks is the empty text."""
        return self.takes(_read(incident, self.name))

    def takes(self, found: str) -> bool:
        """Whether the condition holds for what is found under the name."""
        if self.operator in (Operator.IS, Operator.IS_NOT):
            return (found == self.value) is (self.operator is Operator.IS)
        return (re.fullmatch(self.value, found, re.DOTALL) is not None) is (self.operator is Operator.LIKE)


def _read(incident: Incident, name: str) -> str:
    fields = (
        incident.rule.id,
        incident.rule.kind,
        incident.part or "",
        incident.severity.value,
        incident.evidence.dataset,
    )
    if name in FIELDS:
        return fields[FIELDS.index(name)]
    # However it is spelled, as in the rules file: the source's spelling is learned with its first answer.
    return next((value for label, value in incident.labels.items() if fold_label(label) == fold_label(name)), "")


def parse_matcher(written: str) -> Matcher:
    """Read `Model=~claude-.*`: name, operator and value, which may be quoted. ValueError with one clear sentence."""
    found = _OPERATOR.search(written)
    name = written[: found.start()].strip() if found else ""
    if found is None or not name or set(name) & set("!~\"'"):
        raise ValueError(f"{_quote(written)} is no matcher: {_EXAMPLE}.")
    matcher = Matcher(name, Operator(found[0]), _unquoted(written[found.end() :].strip(), written))
    if len(matcher.value) > _LONGEST:
        raise ValueError(f"{_quote(written)} is too long: the value of a matcher has at most {_LONGEST} characters.")
    if matcher.operator in (Operator.LIKE, Operator.UNLIKE):
        _check_expression(matcher.value)
    return matcher


def _unquoted(value: str, written: str) -> str:
    mark = value[:1]
    if mark in ("=", "~", "!"):
        advice = f"{_EXAMPLE}, with a value that begins with {mark} in quotes"
        raise ValueError(f"{_quote(written)} is no matcher: {advice}.")
    if mark not in ('"', "'"):
        return value
    if len(value) == 1 or value[-1] != mark:
        raise ValueError(f"{_quote(written)} begins its value with a quote and does not end so: close it.")
    # Nothing but the quote itself is escaped: in regular expressions backslashes mean something else.
    return value[1:-1].replace("\\" + mark, mark)


def _check_expression(value: str) -> None:
    try:
        with warnings.catch_warnings():
            # What Python warns of it would warn of in the daemon too, and means something else in a later Python.
            warnings.simplefilter("error")
            re.compile(value)
    except (re.error, OverflowError, Warning) as error:
        why = plain(str(error), _SHOWN)
        raise ValueError(f"{_quote(value)} is no regular expression ({why}): mend it or compare with =.") from None
    if any(one == ")" and other in "*+{" for one, other in pairwise(_TOKEN.findall(value))):
        advice = "write it without *, + or { behind a bracket"
        raise ValueError(f"{_quote(value)} repeats a group, which may take for ever to compare: {advice}.")


def _quote(written: str) -> str:
    return f"'{plain(written, _SHOWN)}'"


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

    @property
    def over_at(self) -> datetime | None:
        """When it is over; None for one that was ended before it began."""
        return self.ends_at if self.from_at < self.ends_at else None

    @property
    def why(self) -> str:
        """What a decision says that it holds back."""
        return f"Silenced by {self.author} ({self.reason}): {self.id}."

    def in_force(self, now: datetime) -> bool:
        """Whether it holds something back at this time."""
        return self.from_at <= now < self.ends_at

    def free_at(self, now: datetime) -> datetime:
        """The first instant from `now` on at which it is not in force."""
        return self.ends_at if self.in_force(now) else now

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

    def stands(self, incident: Incident, over_at: datetime | None) -> bool:
        """Whether it holds still; `over_at` is when the incident was last told to be over, before it came again."""
        risen, again = incident.rank > self.rank, over_at is not None and over_at > self.at
        return incident.open and not risen and not again


@dataclass(frozen=True, slots=True)
class Orders:
    """All that people said."""

    silences: Sequence[Silence] = ()
    """In force, to come, and ended lately."""
    acks: Mapping[str, Ack] = field(default_factory=dict)
    """The latest of each incident, by its id."""
    mutes: Sequence[Mute] = ()
    """Those of the rules file."""
    expected: Sequence[Expected] = ()
    """What is not to be learned from."""
    rebased: Sequence[Rebased] = ()
    """What is the new normal."""

    @property
    def holds(self) -> Sequence[Silence | Mute]:
        """Whatever may hold something back."""
        return [*self.silences, *self.mutes]
