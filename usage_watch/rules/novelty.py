"""novelty: a connector, a model or a member that was not there before, or that is not expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import Field

from usage_watch.core.episode import Findings, Level
from usage_watch.core.incident import Incident
from usage_watch.core.message import Drawn, Evidence, Fact, Severity
from usage_watch.core.selection import MEMBER, Choice, Selected, select
from usage_watch.core.series import DAY, FeedHistory, Flags, Ints
from usage_watch.core.stats.windows import all_true, trailing_sum
from usage_watch.core.units import Duration, from_epoch, number, quantity, span, spell_duration, to_epoch
from usage_watch.rules.common import FileDefaults, Problem, Rule, buckets
from usage_watch.rules.drawing import POINTS, drawn, stride_over, where_known
from usage_watch.rules.evidence import around

OPEN_FOR: Final = DAY
"""Seconds: for so long from its first bucket it stands open; then it ends quietly."""
KNOWN_FOR: Final = 14 * DAY
"""Seconds: of a shorter history, or of one with larger holes, nobody can say what is new in it."""
_SHORTEST = timedelta(days=2)
_READ_LATER = timedelta(days=2)
"""The day of its first usage must be named, be it today's or not."""

Span = tuple[int, int]
"""From which bucket to which it is told, as indices into the history; the end may lie after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFindings(Findings):
    """Findings of a novelty; `values` are what was used since its first usage."""

    series: Selected
    """The whole series."""
    first: int
    """Index in `series` of the first finding."""


class NoveltyRule(Rule):
    """Speaks, once, of a category that is used for the first time; with `expected`, of any that is not expected."""

    kind: Literal["novelty"]
    for_each: Annotated[str, Field(min_length=1, max_length=64, examples=["Connector", "Model", MEMBER])]
    """What may be new: an axis or `member`."""
    unseen_for: Duration = Field("90d", validate_default=True)
    """What was not used for so long is new."""
    expected: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)] | None = None
    """What may be used, `*` stands for any text: it never speaks, and all else does, even where it is not new."""
    severity: Severity = Severity.INFO
    """`info`, `warning` or `critical`."""

    def durations(self) -> dict[str, timedelta | None]:
        return {**super().durations(), "unseen_for": self.unseen_for}

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        meaningless = {
            "for_": "has no meaning for a novelty: the first usage speaks",
            "resolve_after": "has no meaning for a novelty: it ends after 24 h",
            "remind_every": "has no meaning for a novelty: it is told once",
            "max_series": "has no meaning for a novelty, which watches all; `max_incidents` keeps messages short",
        }
        for name, why in meaningless.items():
            if name in self.model_fields_set:
                yield Problem((name.rstrip("_"),), f"{why}; leave it out")
        if self.unseen_for < _SHORTEST:
            yield Problem(("unseen_for",), "must be at least 2d, or what rests over a night would be new each day")
        if "*" in (self.expected or ()):
            yield Problem(("expected",), "has `*`, which is everything, so that nothing ever speaks; leave that out")

    @property
    def levels(self) -> tuple[Level, ...]:
        """One, which any usage is above."""
        return (Level(self.severity, 0, 1 + self.severity.weight),)

    @property
    def resolve_buckets(self) -> int:
        return 1

    @property
    def reminds(self) -> timedelta | None:
        return None

    def expects(self, category: str) -> bool:
        """Whether `expected` names a category; members are written in any case."""
        patterns = self.expected or ()
        if self.for_each.casefold() == MEMBER:
            return Choice(tuple(each.casefold() for each in patterns)).takes(category.casefold())
        return Choice(tuple(patterns)).takes(category)

    # ---- which series, and from when -------------------------------------------------------------------------------

    def watched(self, history: FeedHistory) -> list[Selected]:
        """All of them: what is new is small."""
        return select(history, self.selection)

    def left_out(self, history: FeedHistory) -> int:
        return 0

    def look_back(self, since: datetime, defaults: FileDefaults) -> datetime:
        return since - timedelta(seconds=self._reach * self.width)

    def speaks_from(self, feed: FeedHistory) -> int:
        """The end of all that was read: what is there by then is not new, and what is not expected opens there."""
        return int(feed.starts[feed.fetched][-1]) + feed.feed.width

    def regarded(self, incidents: Sequence[Incident], stored: Sequence[Incident], new_rule: bool) -> list[Incident]:
        """What a rule meets when it is new is no news, and stays none, though it is still open."""
        if self.expected is not None:
            return list(incidents)
        before = {each.id: each.history for each in stored}
        return [replace(each, history=before.get(each.id, each.history or new_rule)) for each in incidents]

    # ---- judging ---------------------------------------------------------------------------------------------------

    def judge(self, history: FeedHistory, since: datetime, defaults: FileDefaults) -> list[Findings]:
        return self.judge_speaking(history, since, defaults, None)

    def judge_speaking(
        self, history: FeedHistory, since: datetime, defaults: FileDefaults, speaks_from: datetime | None
    ) -> list[Findings]:
        """Only the series that there is something to say of; of what was in use already, only from `speaks_from` on."""
        first, new = self._first(history, since), self._new(history, speaks_from)
        found = ((each, list(self._spans(each, first, new))) for each in self.watched(history))
        return [self._judge_one(history, each, first, spans) for each, spans in found if spans]

    def judge_whole(
        self, history: FeedHistory, since: datetime, defaults: FileDefaults, labels: Mapping[str, str] | None = None
    ) -> list[Findings]:
        first, new = self._first(history, since), self._new(history, None)
        asked = (each for each in self.watched(history) if labels is None or each.labels == labels)
        return [self._judge_one(history, each, first, list(self._spans(each, first, new))) for each in asked]

    def _first(self, history: FeedHistory, since: datetime) -> int:
        return int(np.searchsorted(history.starts, to_epoch(since)))

    def _new(self, history: FeedHistory, speaks_from: datetime | None) -> int:
        """Index of the first bucket in which what begins was not there before the rule; may lie outside of history."""
        if speaks_from is None or not len(history.starts):
            return 0
        return (to_epoch(speaks_from) - int(history.starts[0])) // self.width

    def _spans(self, series: Selected, first: int, new: int) -> Iterator[Span]:
        """When it is spoken of a series, in the order of time."""
        used = np.flatnonzero(series.counts)
        begins = used[np.diff(used, prepend=-self._unseen - 1) > self._unseen].tolist()
        if self.expected is None:
            yield from ((at, at + self._open) for at in begins if at >= first and self._is_unseen(series, at))
        elif not self.expects(*series.labels.values()):
            yield from self._in_use(used, begins, first, new)
            yield from ((at, at + self._open) for at in begins if at >= max(first, new))

    def _in_use(self, used: Ints, begins: Sequence[int], first: int, new: int) -> Iterator[Span]:
        """What is not expected, and was there before the rule: it is told once, from its first usage on."""
        before = used[used < new]
        if len(before) and new - before[-1] <= self._unseen and first < new + self._open:
            yield max(first, *(at for at in begins if at <= before[-1])), new + self._open

    def _is_unseen(self, series: Selected, at: int) -> bool:
        """Whether enough is known of the time before a bucket, and there is no usage in it."""
        before = slice(max(0, at - self._unseen), at)
        known = int(np.count_nonzero(series.known[before]))
        return known >= min(self._unseen, KNOWN_FOR // self.width) and not series.counts[before].any()

    def _judge_one(self, history: FeedHistory, series: Selected, first: int, spans: Sequence[Span]) -> Findings:
        """Nothing waits to settle: late numbers only add, and its end comes by the clock."""
        n = len(history.starts)
        told: Flags = np.zeros(n, dtype=bool)
        for begin, end in spans:
            told[begin:end] = True
        judged = slice(first, None)
        return NewFindings(
            labels=series.labels,
            levels=self.levels,
            width=self.width,
            starts=history.starts[judged],
            ranks=told.astype(np.int8)[judged],
            holding=np.zeros(n, dtype=bool)[judged],
            settled=np.ones(n, dtype=bool)[judged],
            grows=True,
            worse=np.ones(n, dtype=np.int8)[judged],
            # As far back as nothing older can be in it, see `_reach`: so it is what was used since the first usage.
            values=trailing_sum(series.counts, self._reach).astype(np.float64)[judged],
            limits=np.zeros(n)[judged],
            quiet=True,
            newest=True,
            series=series,
            first=first,
        )

    @property
    def _unseen(self) -> int:
        """`unseen_for` in buckets."""
        return buckets(self.unseen_for, self.width)

    @property
    def _open(self) -> int:
        """Buckets that it stands open; of days two, since a day is read when it is over, and members' a day later."""
        return max(OPEN_FOR // self.width, 2)

    @property
    def _reach(self) -> int:
        """Buckets that say of each one that is told since when its series has been in use, and how much."""
        return self._unseen + self._open

    # ---- in words --------------------------------------------------------------------------------------------------

    def evidence(self, findings: Findings, index: int, rank: int, defaults: FileDefaults) -> Evidence:
        findings = _own(findings)
        series, end = findings.series, findings.first + index + 1
        used = max(0, end - self._reach) + np.flatnonzero(series.counts[max(0, end - self._reach) : end])
        begin, value = int(used[0]), float(findings.values[index])
        lasts = timedelta(seconds=(end - begin) * self.width)
        lasts -= lasts % timedelta(days=1) if lasts >= timedelta(days=2) else timedelta()
        what = next(iter(findings.labels)).casefold()
        named = f"new {what}" if self.expected is None else f"{what} that is not expected"
        said = [
            named,
            f"{quantity(value, self.unit)} in {spell_duration(lasts)}",
            *self._unseen_said(series, begin, end),
        ]
        evidence = around(
            findings,
            index,
            timedelta(seconds=(end - begin) * self.width),
            dataset=self.dataset,
            unit=self.unit,
            value=value,
            limit=self.levels[rank - 1].limit,
            summary=", ".join(said),
            facts=(*self.narrowed(), *self._facts(findings, begin, end, len(used), defaults)),
            series=self._drawn(findings, begin, end),
        )
        return replace(evidence, newest=True)

    def _unseen_said(self, series: Selected, begin: int, end: int) -> Iterator[str]:
        """For how long it was not used before, as far as that is known; nothing of what has been in use for longer."""
        if end - begin > self._open or not self._is_unseen(series, begin):
            return
        known = int(np.count_nonzero(series.known[max(0, begin - self._unseen) : begin]))
        if known == self._unseen:
            yield f"unseen in the {spell_duration(self.unseen_for)} before"
        else:
            days = timedelta(days=known * self.width // DAY)
            yield f"unseen in the {spell_duration(days)} before that are known"

    def _facts(self, findings: NewFindings, begin: int, end: int, used: int, defaults: FileDefaults) -> Iterator[Fact]:
        begin_at = from_epoch(int(findings.starts[0]) + (begin - findings.first) * self.width)
        zone = ZoneInfo("UTC") if self.width == DAY else defaults.zone
        first = span(begin_at, begin_at + timedelta(seconds=self.width), zone, begin_at + _READ_LATER)
        yield Fact("First usage", first if self._is_unseen(findings.series, begin) else f"{first}, or before")
        yield Fact("Used in", f"{number(used)} of {quantity(end - begin, 'days' if self.width == DAY else 'hours')}")
        if self.expected is not None:
            yield Fact("Expected", Choice(tuple(self.expected)).said)

    def _drawn(self, findings: NewFindings, begin: int, end: int) -> Drawn | None:
        """All of its usage, and a day of hours, or weeks of days, where it is shorter."""
        stride = stride_over(max(POINTS, end - begin))
        shown = slice(max(0, end - POINTS * stride), end)
        counts, known = findings.series.counts[shown], findings.series.known[shown]
        until = int(findings.starts[0]) + (end - findings.first) * self.width
        return drawn(
            f"{self.unit} in {spell_duration(timedelta(seconds=stride * self.width))}",
            until,
            self.width,
            where_known(trailing_sum(counts, stride).astype(np.float64), all_true(known, stride)),
            stride=stride,
        )


def _own(findings: Findings) -> NewFindings:
    if not isinstance(findings, NewFindings):
        raise TypeError("findings of a novelty know the whole series")
    return findings
