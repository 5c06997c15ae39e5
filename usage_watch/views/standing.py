"""How everything stands: the data, the budgets, what is open, and what is held back or waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from usage_watch.config import Config
from usage_watch.core.incident import Incident
from usage_watch.core.silence import Silence
from usage_watch.core.targetstate import TargetState
from usage_watch.store.alerts import AlertStore
from usage_watch.store.database import Database
from usage_watch.store.silences import SilenceStore
from usage_watch.views import orders
from usage_watch.views.budgets.reading import budgets, enabled_budgets
from usage_watch.views.budgets.state import Budget
from usage_watch.views.deliveries import Pending, undelivered
from usage_watch.views.freshness import Freshness, fresh
from usage_watch.views.incidents import in_words, is_open, urgent
from usage_watch.views.mutes import MutedTime, muted_times
from usage_watch.views.orders import Words, words_of


@dataclass(frozen=True, slots=True)
class Standing:
    """All that is told."""

    feeds: Sequence[Freshness]
    budgets: Sequence[Budget]
    open: Sequence[Incident]
    """The most urgent first, as messages word it."""
    words: Words
    """What people said of what is open."""
    silences: Sequence[Silence]
    """Those in force."""
    mutes: Sequence[MutedTime]
    """Those of the rules file that are in force."""
    outbox: Pending
    """By channel and state, how many messages wait, or were given up in the last week."""
    channels: Sequence[TargetState]
    """How it goes with each."""

    @property
    def serious(self) -> bool:
        """Whether something of warning or above is open that nobody has acknowledged."""
        return orders.serious(self.open, self.words)

    def summed(self) -> str:
        """`1 critical, 11 warning; 2 acknowledged`: what is open; in words where there is nothing."""
        severities = [incident.severity for incident in self.open]
        known = sum(word.known for word in self.words.values())
        summed = ", ".join(f"{severities.count(each):,} {each}" for each in dict.fromkeys(severities)) or "nothing"
        return f"{summed}; {known:,} acknowledged" if known else summed


def standing(config: Config, database: Database, now: datetime) -> Standing:
    """By the rules file and what is stored."""
    pending, channels = undelivered(database, now)
    incidents = urgent(incident for incident in AlertStore(database).incidents(now) if is_open(incident))
    feeds = fresh(config, database, now)
    return Standing(
        feeds=feeds,
        budgets=budgets(config, database, enabled_budgets(config), now, feeds),
        open=in_words(incidents, config, now),
        words=words_of(config, database, incidents, now),
        mutes=[each for each in muted_times(config, now) if each.in_force],
        silences=[silence for silence in SilenceStore(database).all(now) if silence.in_force(now)],
        outbox=pending,
        channels=channels,
    )
