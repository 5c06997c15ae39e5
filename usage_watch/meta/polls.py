"""From outcomes of polls to troubles: which feeds failed of which cause, from when to when.

A *run* is what one feed failed of in a row, of one cause: a success ends it, and so does a fault of another cause. A
*trouble* is all runs with one incident's labels that overlap or touch. Those too short to be told of belong to it as
well, for they keep it open: what seems to be over while another feed begins to fail is not. So which runs belong
together is certain as soon as they began, and later polls only prolong a trouble, never join two of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, zip_longest

from usage_watch.core.feedstate import Poll
from usage_watch.core.message import Severity
from usage_watch.core.series import Feed
from usage_watch.meta.causes import Cause, cause_of
from usage_watch.meta.sight import Sight


@dataclass(frozen=True, slots=True)
class Run:
    """What one feed failed of in a row."""

    cause: Cause
    polls: Sequence[Poll]
    """The failed attempts, oldest first."""
    ended_by: Poll | None
    """The success, or the fault of another cause, that followed; None while it goes on."""

    @property
    def feed(self) -> Feed:
        """The feed that could not be read."""
        return self.polls[0].feed

    @property
    def started_at(self) -> datetime:
        """When it first failed."""
        return self.polls[0].at

    @property
    def ended_at(self) -> datetime | None:
        """When that was over; None while it goes on."""
        return None if self.ended_by is None else self.ended_by.at

    def severity(self, now: datetime) -> Severity | None:
        """The highest level that was reached; None where it is nothing to tell of (yet)."""
        reached = (
            severity for severity, at in self._levels() if at <= now and (not self.ended_at or at < self.ended_at)
        )
        return max(reached, key=lambda severity: severity.weight, default=None)

    def turns(self) -> Iterator[datetime]:
        """The instants at which it reaches a level, though nobody asks the source again."""
        if self.ended_by is None:
            yield from (at for _, at in self._levels())

    def _levels(self) -> Iterator[tuple[Severity, datetime]]:
        enough = len(self.polls) >= self.cause.attempts
        if enough and self.polls[-1].at - self.started_at >= self.cause.apart:
            yield from ((severity, self.started_at + after) for severity, after in self.cause.levels.items())


@dataclass(frozen=True, slots=True)
class Trouble:
    """All that fails of one cause at one time, as one incident."""

    cause: Cause
    labels: Mapping[str, str]
    runs: Sequence[Run]
    """In order of their starts."""
    severity: Severity | None
    """The highest that any run reached; None where there is nothing to tell (yet)."""
    told: Sequence[Run]
    """What is to be named: what fails now; once all is over, what failed long enough."""

    @property
    def started_at(self) -> datetime:
        """When the first feed failed."""
        return self.runs[0].started_at

    @property
    def ended_at(self) -> datetime | None:
        """When the last one was over; None while any goes on."""
        ends = [run.ended_at for run in self.runs if run.ended_at is not None]
        return max(ends) if len(ends) == len(self.runs) else None


def troubles_of(sight: Sight, now: datetime) -> list[Trouble]:
    """All troubles of the feeds that the rules need, told or not."""
    grouped: dict[tuple[str, ...], list[Run]] = defaultdict(list)
    for run in _runs(needed_polls(sight)):
        grouped[run.cause.rule.id, *run.cause.scope.labels(run.feed).values()].append(run)
    return [_trouble(runs, now) for alike in grouped.values() for runs in _joined(alike)]


def needed_polls(sight: Sight) -> list[Poll]:
    """The outcomes for feeds that the rules still need, oldest first."""
    needed = {state.feed for state in sight.feeds}
    return [poll for poll in sight.polls if poll.feed in needed]


def _runs(polls: Iterable[Poll]) -> Iterator[Run]:
    by_feed: dict[Feed, list[Poll]] = defaultdict(list)
    for poll in polls:
        by_feed[poll.feed].append(poll)
    for of_feed in by_feed.values():
        stretches = [(cause, list(alike)) for cause, alike in groupby(of_feed, lambda poll: cause_of(poll.fault))]
        for (cause, alike), following in zip_longest(stretches, (later[0] for _, later in stretches[1:])):
            if cause is not None:
                yield Run(cause, alike, following)


def _joined(runs: Iterable[Run]) -> Iterator[list[Run]]:
    """Runs that overlap or touch, together."""
    joined: list[Run] = []
    for run in sorted(runs, key=lambda run: run.started_at):
        if joined and all(earlier.ended_at and earlier.ended_at < run.started_at for earlier in joined):
            yield joined
            joined = []
        joined.append(run)
    yield joined


def _trouble(runs: Sequence[Run], now: datetime) -> Trouble:
    cause, labels = runs[0].cause, runs[0].cause.scope.labels(runs[0].feed)
    reached = [(run, severity) for run in runs if (severity := run.severity(now)) is not None]
    worst = max((severity for _, severity in reached), key=lambda severity: severity.weight, default=None)
    failing = [run for run in runs if run.ended_by is None]
    return Trouble(cause, labels, runs, worst, failing or [run for run, _ in reached])
