"""Counting the alerts of one rule over stored history.

Not a replay hour by hour, as `backtest` does it: what was settled by the end is judged once. So it takes a moment, and
says nothing of when anything would have been told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from usage_watch.assess import REACH, midnight_of
from usage_watch.core.episode import Findings, fold, runs
from usage_watch.core.series import DAY, Feed, FeedHistory, Floats
from usage_watch.core.units import from_epoch, to_epoch
from usage_watch.rules import FileDefaults, Rule
from usage_watch.store.answers import AnswerStore
from usage_watch.store.history import HistoryStore

if TYPE_CHECKING:
    from usage_watch.config import Config
    from usage_watch.store.database import Database

MONTH = timedelta(days=30)
"""What rates are said by."""


@dataclass(frozen=True, slots=True)
class Firing:
    """One alert that there would have been."""

    at: datetime
    """When it began."""
    labels: Mapping[str, str]
    part: str | None
    """Of a budget; None elsewhere."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What a rule would have fired, from when on it could judge until history is settled."""

    firings: tuple[Firing, ...]
    """In the order of time."""
    from_at: datetime | None
    """None where nothing could be judged yet."""
    until_at: datetime | None
    series: int
    """How many could be judged."""
    young: int
    """How many could not, yet."""
    highest: float | None
    """The highest score, of rules that have one."""

    @property
    def days(self) -> float:
        """How long it could judge."""
        if self.from_at is None or self.until_at is None:
            return 0.0
        return (self.until_at - self.from_at) / timedelta(days=1)

    @property
    def per_month(self) -> float | None:
        """How many there are in 30 days; None where not even a day was judged."""
        return round(len(self.firings) * (MONTH / timedelta(days=1)) / self.days, 2) if self.days >= 1 else None

    @property
    def fired(self) -> int:
        """How many series fired."""
        return len({tuple(sorted(each.labels.items())) for each in self.firings})


def taught(config: Config, database: Database) -> FileDefaults:
    """What a rules file says for all of its rules, and what people answered to alerts."""
    answers = AnswerStore(database)
    lessons = config.defaults.lessons.with_answers(answers.expected(), answers.rebased())
    return replace(config.defaults, lessons=lessons)


class Past:
    """Stored history of the last 90 days, and of what rules must know from before."""

    def __init__(self, store: HistoryStore, defaults: FileDefaults, now: datetime) -> None:
        self._store, self.defaults = store, defaults
        self.since = midnight_of(now - REACH)
        self._loaded: dict[Feed, tuple[datetime, FeedHistory]] = {}

    def history(self, feed: Feed, since: datetime) -> FeedHistory:
        """A feed from a time on, or from its first bucket on that was read."""
        known = self._loaded.get(feed)
        if known is None or since < known[0]:
            loaded = self._store.load({feed: since})[feed]
            read = loaded.starts[loaded.fetched]
            # What was never read teaches nothing, and costs as much to judge.
            known = since, loaded.cut(int(read[0]) // DAY * DAY if len(read) else 0)
            self._loaded[feed] = known
        return known[1].cut(to_epoch(since))

    def of(self, rule: Rule) -> FeedHistory:
        """What a rule needs to judge the last 90 days."""
        return self.history(rule.feed, rule.look_back(self.since, self.defaults))

    def count(self, rule: Rule, history: FeedHistory | None = None) -> Counted:
        """What a rule would have fired; on `history`, where its feed is not stored as it needs it."""
        history = self.of(rule) if history is None else history
        return _counted(rule, history, self.since, rule.judge(history, self.since, self.defaults))


def _counted(rule: Rule, history: FeedHistory, since: datetime, findings: list[Findings]) -> Counted:
    frontier = history.frontier
    judged = [each for each in findings if each.settled.any()]
    firings = [] if frontier is None else [firing for each in findings for firing in _firings(rule, each, frontier)]
    begins = [int(each.starts[np.argmax(each.settled)]) for each in judged]
    if not findings and frontier is not None:
        # A kind that leaves out what it has nothing to say of.
        begins = [max(int(history.starts[0]), to_epoch(since))]
    began = min(begins, default=None)
    return Counted(
        firings=tuple(sorted(firings, key=lambda firing: firing.at)),
        from_at=None if began is None else from_epoch(began),
        until_at=None if frontier is None else from_epoch(frontier),
        series=len({tuple(each.labels.items()) for each in judged}),
        young=len(findings) - len(judged),
        highest=max((_highest(each, each.scores) for each in judged if each.scores is not None), default=None),
    )


def _firings(rule: Rule, findings: Findings, frontier: int) -> Iterator[Firing]:
    patience = rule.patience(findings.part)
    episodes = fold(findings, patience.for_buckets, patience.resolve_buckets)
    for run in runs(findings, episodes, 2 * patience.resolve_buckets):
        if run.started_at < frontier:
            yield Firing(from_epoch(run.started_at), findings.labels, findings.part)


def _highest(findings: Findings, scores: Floats) -> float:
    """How far it went to the sides that count."""
    side = findings.worse
    sided = np.where(side == 0, np.abs(scores), side * scores)
    return round(float(sided[findings.settled].max()), 2)
