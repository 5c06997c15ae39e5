"""What people said about what is usual: what shall not be learned from, and what is the new normal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np

from usage_watch.core.schedule import Days
from usage_watch.core.series import HOUR, Flags, Ints, Width
from usage_watch.core.units import to_epoch

LEARNING = frozenset({"zscore"})
"""Kinds of rules that learn what is usual: to their alerts, people can answer."""


class AnswerKind(StrEnum):
    """What somebody says about what is usual."""

    EXPECTED = "expected"
    """It was expected, and is not usual: it is not learned from."""
    REBASELINE = "rebaseline"
    """It is the new usual."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody said of one alert; of an alert, the latest stands."""

    incident_id: str
    kind: AnswerKind
    from_at: datetime | None
    """From when on it is so; None for the alert's own start, whenever that turns out to be."""
    until_at: datetime | None
    """Until when; None for the alert's own end. Of a new usual, until when it is judged as before: what was read when
    that was said is no news for it any more."""
    at: datetime
    author: str
    note: str | None = None
    taken_back_at: datetime | None = None
    """When somebody took it back, or said something else; None while it stands."""
    taken_back_by: str | None = None

    @property
    def stands(self) -> bool:
        """Whether anything is still judged by it."""
        return self.taken_back_at is None

    def repeats(self, other: Answer) -> bool:
        """Whether it says what another did that still stands: who says so, and when, is no news."""
        return other.stands and self._said == other._said and self.note in (None, other.note)

    @property
    def _said(self) -> tuple[str, AnswerKind, datetime | None, datetime | None]:
        # What is usual from now on is so since the alert's start, which late data may have moved meanwhile.
        is_span = self.kind is not AnswerKind.REBASELINE
        return self.incident_id, self.kind, self.from_at if is_span else None, self.until_at if is_span else None


@dataclass(frozen=True, slots=True)
class Expected:
    """A time of one series that is not to be learned from: it was expected, and is not usual."""

    rule: str
    """The rule's id."""
    labels: Mapping[str, str]
    """Which of its series."""
    from_at: datetime
    until_at: datetime | None
    """None while the alert that it was said of goes on."""


@dataclass(frozen=True, slots=True)
class Rebased:
    """What one series has used since a time is its new normal."""

    rule: str
    """The rule's id."""
    labels: Mapping[str, str]
    """Which of its series."""
    since_at: datetime
    """From when on its usage is of the new kind."""
    at: datetime
    """Only buckets that start then or later are judged by it: those that came after it was said."""


@dataclass(frozen=True, slots=True)
class Lessons:
    """All of it, of all rules.

    A bucket belongs to a time if its middle does: so the source's UTC days are those local days that they cover most.
    """

    weekends: Sequence[Days] = ()
    """Days on which usage is as on a Sunday: `as: weekend`."""
    unlearned: Sequence[Days] = ()
    """Days that no rule learns from: `learn: no`."""
    expected: Sequence[Expected] = ()
    rebased: Sequence[Rebased] = ()

    def with_answers(self, expected: Sequence[Expected], rebased: Sequence[Rebased]) -> Lessons:
        """The same of the rules file, and what people answered to alerts."""
        return Lessons(self.weekends, self.unlearned, (*self.expected, *expected), (*self.rebased, *rebased))

    def about(self, rule: str) -> list[str]:
        """What a rule was taught, so that something else is found of the past than before: no news, all of it."""
        days = [f"{kind} {day.first} {day.last}" for kind in ("weekends", "unlearned") for day in getattr(self, kind)]
        # Not from when on: that is the start of an alert, which late numbers move.
        said = [f"expected {each.labels}" for each in self.expected if each.rule == rule]
        return sorted([*days, *said, *(f"{each.labels} {each.at}" for each in self.rebased if each.rule == rule)])

    def days_off(self, starts: Ints, width: Width = HOUR) -> Flags:
        """Which of the buckets that start at `starts` (epoch seconds, shape (n,)) are on a day off. Shape (n,)."""
        return _inside(starts, width, ((each.begins, each.over_at) for each in self.weekends))

    def learnable(self, rule: str, labels: Mapping[str, str], starts: Ints, width: Width = HOUR) -> Flags:
        """Which of the buckets one series of a rule may learn from. Shape (n,)."""
        return self.learnable_each(rule, [labels], starts, width)[:, 0]

    def learnable_each(
        self, rule: str, series: Sequence[Mapping[str, str]], starts: Ints, width: Width = HOUR
    ) -> Flags:
        """The same of many series, each by its labels. Shape (n, series)."""
        taught = ~_inside(starts, width, ((each.begins, each.over_at) for each in self.unlearned))
        found = np.repeat(taught[:, np.newaxis], len(series), axis=1)
        for each in self.expected:
            own = np.array([(rule, labels) == (each.rule, each.labels) for labels in series], dtype=bool)
            found[np.ix_(_inside(starts, width, [(each.from_at, each.until_at)]), own)] = False
        return found

    def rebases(self, rule: str, labels: Mapping[str, str]) -> list[Rebased]:
        """When one series of a rule was given a new normal, in the order of time."""
        own = [each for each in self.rebased if (each.rule, each.labels) == (rule, labels)]
        return sorted(own, key=lambda each: each.at)


def buckets_in(from_at: datetime, until_at: datetime, width: Width) -> int:
    """How many buckets belong to a time: those whose middle does."""
    # Rounded up: the first that begins half of itself before it, or later.
    first, stop = (-((width // 2 - to_epoch(at)) // width) for at in (from_at, until_at))
    return max(0, stop - first)


def _inside(starts: Ints, width: Width, spans: Iterable[tuple[datetime, datetime | None]]) -> Flags:
    inside = np.zeros(len(starts), dtype=bool)
    middles = starts + width // 2
    for begin, end in spans:
        before_its_end = True if end is None else middles < to_epoch(end)
        inside |= (middles >= to_epoch(begin)) & before_its_end
    return inside
