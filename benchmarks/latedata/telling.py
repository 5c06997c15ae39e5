"""The rules, and what the program's own `assess` tells one machine when it is called at each poll that saw a change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from latedata.watching import FEED
from latedata.world import TOO_LITTLE, TOO_MUCH
from usage_watch.assess import Desk, Ledger, Outcome, assess
from usage_watch.core.compose import Form
from usage_watch.core.message import Reason, Severity
from usage_watch.core.promise import Target, Told
from usage_watch.core.series import FeedHistory, History
from usage_watch.core.units import to_epoch
from usage_watch.meta import Sight
from usage_watch.rules import FileDefaults, Rule
from usage_watch.rules.absence import AbsenceRule
from usage_watch.rules.threshold import ThresholdRule

RULES: tuple[Rule, ...] = (
    ThresholdRule.model_validate({"id": "spikes", "kind": "threshold", "above": TOO_MUCH}),
    ThresholdRule.model_validate({"id": "dead", "kind": "threshold", "below": TOO_LITTLE, "for": "3h"}),
    AbsenceRule.model_validate({"id": "absence", "kind": "absence", "quiet_for": "4h"}),
)
DEFAULTS = FileDefaults(ZoneInfo("UTC"), 1)
REACH = timedelta(days=4)
"""How far back is judged again: nothing comes later than 12 hours and a stop of 30."""
KEPT = REACH + timedelta(days=2)
"""How long the ledger remembers what has ended."""
LOADED = timedelta(days=40)
"""An absence looks 28 days back from where judging begins."""


@dataclass(frozen=True, slots=True)
class Said:
    """One notification; times in epoch seconds."""

    rule: str
    reason: Reason
    at: int
    peak: int
    """Start of the bucket that it speaks of."""
    ended_at: int | None


class Teller:
    """The cycles of a daemon, with its ledger in memory."""

    def __init__(self) -> None:
        routes = {rule.id: dict.fromkeys(Severity, ("machine",)) for rule in RULES}
        self._desk = Desk(DEFAULTS, routes, Form({"machine": Target(people=False)}, ZoneInfo("UTC")))
        self._ledger = Ledger()
        self.said: list[Said] = []

    def cycle(self, feed: FeedHistory, now: datetime) -> None:
        """Judge what is known now, and note what is told."""
        seen = History({FEED: feed.cut(to_epoch(now - LOADED))})
        outcome = assess(RULES, seen, self._ledger, self._desk, Sight(), now, REACH)
        self._commit(outcome, now)

    def _commit(self, outcome: Outcome, now: datetime) -> None:
        before = self._ledger
        merged = {each.id: each for each in (*before.incidents, *outcome.incidents)}.values()
        oldest = min([now - KEPT, *(each.started_at - KEPT for each in merged if each.open)])
        kept = [each for each in merged if each.ended_at is None or each.ended_at >= oldest]
        ids = {each.id for each in kept}
        told = [Told(key, post.conversation, now, post.id) for post in outcome.posts for key in post.keys]
        self._ledger = Ledger(
            {**before.rules, **{record.id: record for record in outcome.rules}},
            sorted(kept, key=lambda each: (each.started_at, each.id)),
            [each for each in (*before.told, *told) if each.notification.incident_id in ids],
        )
        for post in outcome.posts:
            for notice in post.message.news:
                peak = to_epoch(notice.evidence.until_at) - FEED.width
                ended_at = None if notice.ended_at is None else to_epoch(notice.ended_at)
                self.said.append(Said(notice.rule.id, notice.reason, to_epoch(now), peak, ended_at))
