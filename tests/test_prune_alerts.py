"""What is pruned is missed by no rule: what follows is what would have followed."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rules.making import made
from tests.store.store_samples import incident
from usage_watch.assess import Outcome, assess, wanted
from usage_watch.config import Config
from usage_watch.config.keeping import needs
from usage_watch.core.lessons import Answer, AnswerKind
from usage_watch.core.message import RuleName
from usage_watch.core.series import DAY, EACH_MEMBER, HOUR, Feed, Reading, SeriesKey
from usage_watch.core.units import format_duration
from usage_watch.loading import Stores, load_ledger, retention
from usage_watch.meta import Sight
from usage_watch.rules import Rule
from usage_watch.store.database import Database, open_for_writing
from usage_watch.store.outbox import Outbox
from usage_watch.store.prune import pruned
from usage_watch.store.settings import StoreSettings
from usage_watch.terms import desk

START = datetime(2025, 11, 3, tzinfo=UTC)
DAYS = 330
NOW = START + timedelta(days=DAYS)
REREAD_FROM = NOW - timedelta(days=92)
HOURS = Feed("credit_usage", HOUR)
MEMBERS = Feed("credit_usage", DAY, EACH_MEMBER)

KINDS = {
    "threshold": lambda: made("threshold", for_each="Model", above=150),
    "zscore": lambda: made("zscore"),
    "robust": lambda: made("zscore", method="robust"),
    "absence": lambda: made("absence", quiet_for="1d"),
    "novelty": lambda: made("novelty", for_each="Model"),
    "budget": lambda: made("budget", limit=30_000, period="month"),
    "members": lambda: made("threshold", for_each="member", above=1_500),
}


def save(stores: Stores, seed: int, until: datetime, at: datetime, since: datetime = START) -> None:
    """Hours of two models and days of two members, of which the first come from `seed` alone."""
    random, n = np.random.default_rng(seed), DAYS * 24 + 72
    counts = random.poisson(20 + 15 * np.sin(np.arange(n) / 24 * 2 * np.pi), (2, n))
    counts[0, random.integers(0, n, 40)] += random.integers(100, 900, 40)
    counts[1, : n - random.integers(1, 3000)] = 0
    quiet = int(random.integers(24, n - 60))
    counts[:, quiet : quiet + 50] = 0
    for feed, members in ((HOURS, ()), (MEMBERS, ("ana@example.com", "bo@example.com"))):
        _save(stores, feed, counts, members, (since, until), at)


def _save(
    stores: Stores,
    feed: Feed,
    counts: np.ndarray,
    members: tuple[str, ...],
    span: tuple[datetime, datetime],
    at: datetime,
) -> None:
    first, width = int(START.timestamp()), feed.width
    starts = tuple(range(int(span[0].timestamp()), int(span[1].timestamp()) - width + 1, width))
    places = [(start - first) // HOUR for start in starts]
    rows = [
        row
        for place, start in zip(places, starts, strict=True)
        for row in _rows(feed, counts[:, place : place + width // HOUR].sum(axis=1).tolist(), members, start)
    ]
    stores.history.save(Reading(feed, ("Model",), starts, tuple(rows)), at)
    stores.history.read_up(feed, at, at, timedelta(hours=1), START)


def _rows(feed: Feed, of_two: list[int], members: tuple[str, ...], start: int) -> Iterator[tuple[SeriesKey, int, int]]:
    if members:
        for member, count in zip(members, of_two, strict=True):
            yield SeriesKey(feed, member=member), start, count
        return
    yield SeriesKey(feed), start, sum(of_two)
    for model, count in zip(("opus", "haiku"), of_two, strict=True):
        yield SeriesKey(feed, "Model", model), start, count


def cycle(config: Config, database: Database, at: datetime) -> Outcome:
    """As the daemon's, without a source."""
    stores, told = Stores(database), desk(config)
    ledger = replace(load_ledger(stores, config.enabled, told, at), strangers=frozenset())
    wants = wanted(config.enabled, ledger.incidents, told, at, lookups=ledger.lookups)
    outcome = assess(config.enabled, stores.history.load(wants), ledger, told, Sight(), at)
    found = (outcome.incidents, outcome.rules, outcome.decisions, outcome.posts)
    stores.alerts.commit(*found, at, outcome.recalled)
    for row in Outbox(database).lease(at):
        Outbox(database).record_sent(row, at, None, "", timedelta())
    return outcome


def prune(config: Config, database: Database, now: datetime) -> Counter[str]:
    found: Counter[str] = Counter()
    for what, number in pruned(database, retention(config, Stores(database), now), now):
        found[what] += number
    return found


def config_of(*rules: Rule) -> Config:
    """That keeps as little as may be written."""
    longest = max(needs(rule, Config().defaults) for rule in rules)
    store = StoreSettings.model_validate({"keep": format_duration(longest), "keep_members": "90d"})
    return Config().model_copy(update={"rules": rules, "store": store})


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_after_it_every_rule_says_what_it_would_have_said(kind: str, seed: int) -> None:
    rule = KINDS[kind]()
    config = config_of(rule)
    with TemporaryDirectory() as folder:
        whole, less = Path(folder, "whole.db"), Path(folder, "less.db")
        with open_for_writing(whole) as database:
            save(Stores(database), seed, NOW, NOW)
            cycle(config, database, NOW)
        shutil.copy(whole, less)
        with open_for_writing(whole) as one, open_for_writing(less) as other:
            assert prune(config, other, NOW)["buckets"] > 24, "or this says nothing"
            for hours in (0, 24, 49):
                at = NOW + timedelta(hours=hours)
                for database in (one, other):
                    save(Stores(database), seed, at, at, REREAD_FROM)
                assert cycle(config, other, at) == cycle(config, one, at)
            assert not any(Stores(other).history.unread(feed) for feed in (HOURS, MEMBERS))
            assert Stores(other).history.gaps() == Stores(one).history.gaps() == []


def test_an_answer_teaches_as_long_as_its_rule_is_there(tmp_path: Path) -> None:
    """Without it the rule would be another one, and speak anew."""
    config = config_of(made("zscore", id="usual"))
    with open_for_writing(tmp_path / "usage-watch.db") as database:
        stores = Stores(database)
        save(stores, 1, NOW, NOW)
        cycle(config, database, NOW)
        alert = replace(incident(7, ended_at=START + timedelta(hours=2)), rule=RuleName("usual", "zscore", "usual"))
        stores.alerts.commit([replace(alert, started_at=START)], [], [], [], START)
        stores.answers.say(Answer(alert.id, AnswerKind.EXPECTED, None, None, START, "ana"), None)
        cycle(config, database, NOW)
        prune(config, database, NOW)
        assert stores.alerts.incident(alert.id) is not None
        assert len(stores.answers.expected()) == 1
        without = config.model_copy(update={"rules": ()})
        cycle(without, database, NOW)
        prune(without, database, NOW)
        assert stores.alerts.incident(alert.id) is None
        assert stores.answers.expected() == []
