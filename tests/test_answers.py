"""What people answered reaches the rules, however long ago that was."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from tests.store.store_samples import NOON, at, incident
from usage_watch.config import Config
from usage_watch.core.lessons import Answer, AnswerKind, Expected, Rebased
from usage_watch.loading import Stores, load_ledger
from usage_watch.store.database import open_for_writing
from usage_watch.terms import desk


def test_what_people_said_of_what_is_usual_is_loaded_whenever_that_was(tmp_path: Path) -> None:
    long_ago = NOON - timedelta(days=700)
    old = replace(incident(1), started_at=long_ago, ended_at=long_ago + timedelta(hours=5))
    new = replace(incident(2), labels={}, ended_at=None)
    config = Config()
    with open_for_writing(tmp_path / "usage-watch.db") as db:
        stores = Stores(db)
        stores.alerts.commit([old, new], [], [], [], NOON)
        stores.answers.say(Answer(old.id, AnswerKind.EXPECTED, None, None, long_ago, "ana"), None)
        stores.answers.say(Answer(new.id, AnswerKind.REBASELINE, at(-1), None, at(0), "bo"), None)
        ledger = load_ledger(stores, config.enabled, desk(config), NOON)
    assert [each.id for each in ledger.incidents] == [new.id], "of what is long over nothing else is known"
    assert ledger.orders.expected == [Expected(old.rule.id, old.labels, long_ago, long_ago + timedelta(hours=5))]
    assert ledger.orders.rebased == [Rebased(new.rule.id, {}, at(-1), at(0))]
