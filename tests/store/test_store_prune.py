"""What is too old to keep goes, and nothing else."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.store.store_samples import (
    HOURLY,
    MEMBERS,
    NOON,
    Cell,
    at,
    greeting,
    incident,
    post,
    read_up,
    reading,
    totals,
)
from usage_watch.core.message import Reason
from usage_watch.core.promise import Decision
from usage_watch.core.series import DAY, HOUR, Feed, SeriesKey
from usage_watch.core.silence import Ack, Matcher, Operator, Silence
from usage_watch.store.alerts import AlertStore
from usage_watch.store.database import Database, open_for_writing
from usage_watch.store.history import HistoryStore
from usage_watch.store.outbox import Outbox
from usage_watch.store.policy import Policy
from usage_watch.store.prune import Pruner, bytes_free, prunable, pruned
from usage_watch.store.silences import SilenceStore

OLD, YOUNG = NOON - timedelta(days=401), NOON - timedelta(days=399)
ANA = Feed("credit_usage", HOUR, "ana@example.com")
EVERYTHING_POLLED = frozenset({HOURLY, MEMBERS})


def policy(
    keep: int = 400, members: int | None = None, polled: frozenset[Feed] = EVERYTHING_POLLED, **changed: object
) -> Policy:
    kept = Policy(timedelta(days=keep), timedelta(days=members or keep), {}, polled, NOON - timedelta(days=90), NOON)
    return replace(kept, **changed)  # type: ignore[arg-type]


def prune(db: Database, what: Policy, now: datetime = NOON) -> dict[str, int]:
    """What went; a dry run says the same."""
    would, found = prunable(db, what, now), Counter[str]()
    for name, number in pruned(db, what, now):
        found[name] += number
    gone = {name: number for name, number in found.items() if number}
    assert would == {name: number for name, number in gone.items() if name not in ("messages", "feeds")}
    assert prunable(db, what, now) == {}
    return gone


def start(moment: datetime, width: int = HOUR) -> int:
    return int(moment.timestamp()) // width * width


def stored(db: Database, feed: Feed = HOURLY) -> list[int]:
    return [
        row[0] for row in db.query("SELECT start FROM fetch JOIN feed ON id = feed_id WHERE scope = ?", (feed.scope,))
    ]


def fill(db: Database, *days: int, feed: Feed = HOURLY) -> HistoryStore:
    """One bucket of each of so many days ago, and one of today; read to its end."""
    store = HistoryStore(db)
    for ago in (*days, 0):
        moment = NOON - timedelta(days=ago)
        cells = {(None, None, feed.member): 5, ("Model", "opus", feed.member): 5}
        if feed is MEMBERS:
            cells = {(None, None, "ana@example.com"): 5, (None, None, "bo@example.com"): 6}
        store.save(reading(feed, {start(moment, feed.width): cells}), moment + timedelta(hours=1))
    read_up(store, NOON, feed, back_to=NOON - timedelta(days=max(days)))
    return store


def test_usage_that_is_too_old_goes_with_what_it_was_before(db: Database) -> None:
    store = fill(db, 402, 399)
    store.save(totals({start(NOON - timedelta(days=402)): 9}), NOON)
    assert prune(db, policy()) == {"buckets": 1, "counts": 2, "earlier counts": 1}
    assert stored(db) == [start(NOON - timedelta(days=399)), start(NOON)]
    assert db.one("SELECT count(*) FROM revision") == (0,)


def test_members_may_go_earlier_than_all_else(db: Database) -> None:
    fill(db, 200, 95)
    fill(db, 200, 95, feed=MEMBERS)
    fill(db, 200, feed=ANA)
    prune(db, policy(members=100, polled=EVERYTHING_POLLED | {ANA}))
    assert len(stored(db)) == 3
    assert len(stored(db, MEMBERS)) == 2
    assert len(stored(db, ANA)) == 1


def test_what_a_rule_looks_at_stays(db: Database) -> None:
    fill(db, 402, 300, 200, feed=MEMBERS)
    prune(db, policy(members=100, needed={MEMBERS: NOON - timedelta(days=250)}))
    assert len(stored(db, MEMBERS)) == 2


@pytest.mark.parametrize("keep", [1, 90])
def test_what_the_source_still_has_stays_or_it_would_be_read_again(db: Database, keep: int) -> None:
    store = fill(db, 100, 93, 92, 90, 30)
    prune(db, policy(keep))
    assert len(stored(db)) == 4
    assert store.state(HOURLY).oldest_at == NOON - timedelta(days=100), "so it is not asked for again"
    assert store.unread(HOURLY) == []


def test_a_backfill_that_was_broken_off_goes_on_where_it_was(db: Database) -> None:
    store = HistoryStore(db)
    store.save(totals({start(NOON - timedelta(days=ago)): 1 for ago in (300, 299)}), NOON)
    prune(db, policy(100, backfill_from=NOON - timedelta(days=365)))
    assert len(stored(db)) == 2


def test_a_clock_that_is_years_ahead_throws_nothing_away(db: Database) -> None:
    fill(db, 30)
    assert prune(db, policy(), NOON + timedelta(days=3650)) == {}


def test_of_an_empty_database_nothing_goes(db: Database) -> None:
    assert prune(db, policy()) == {}
    assert bytes_free(db) == 0


def test_a_series_that_holds_nothing_is_no_series_and_may_come_back(db: Database) -> None:
    store = HistoryStore(db)
    cells: dict[Cell, int] = {(None, None, None): 5, ("Model", "opus", None): 5}
    old = {start(OLD - timedelta(days=1)): cells}
    store.save(reading(HOURLY, old), OLD)
    store.save(reading(HOURLY, {start(NOON): {(None, None, None): 5}}), NOON)
    read_up(store, NOON)
    prune(db, policy())
    assert store.categories("credit_usage") == {}
    # The same store, which knew its id.
    store.save(reading(HOURLY, {start(at(1)): {("Model", "opus", None): 7}}), at(1))
    opus = SeriesKey(HOURLY, "Model", "opus")
    assert store.load({HOURLY: NOON})[HOURLY].of(opus).tolist() == [0, 7]


def test_a_feed_that_nobody_asks_for_goes_with_the_last_of_it(db: Database) -> None:
    store = fill(db, 300, feed=ANA)
    with db.transaction():
        db.execute("UPDATE fetch SET start = start - ? WHERE start > ?", (200 * DAY, start(NOON) - DAY))
        db.execute("UPDATE bucket SET start = start - ? WHERE start > ?", (200 * DAY, start(NOON) - DAY))
    store.keep_oddity(ANA, NOON, "odd", b"{}")
    gone = prune(db, policy(polled=frozenset(), members=100), NOON)
    assert "feeds" not in gone, "its polls are not 30 days old"
    fill(db, 1)
    with db.transaction():
        db.execute("UPDATE fetch SET seen_at = ?", (int(at(24 * 31).timestamp()),))
    assert prune(db, policy(polled=frozenset({HOURLY}), members=100), at(24 * 31))["feeds"] == 1
    assert db.one("SELECT count(*) FROM feed WHERE scope LIKE '%@%'") == (0,)
    assert db.one("SELECT count(*) FROM oddity") == (0,)


def test_alerts_that_are_long_over_go_with_all_that_hangs_on_them(db: Database) -> None:
    fill(db, 1)
    alerts, silences, outbox = AlertStore(db), SilenceStore(db), Outbox(db)
    old, young, open_one = incident(1, OLD), incident(2, YOUNG), incident(3)
    decisions = [Decision(each.id, "ops", Reason.FIRED, True, "why") for each in (old, young, open_one)]
    posts = [greeting(), *(post(n, each, conversation=f"cnv_{n}") for n, each in enumerate((old, young, open_one)))]
    alerts.commit([old, young, open_one], [], decisions, posts, OLD)
    for each in (old, open_one):
        silences.ack(Ack(each.id, 2, OLD, "ana", None))
    while rows := outbox.lease(OLD):
        for row in rows:
            outbox.record_sent(row, OLD, None, "", timedelta())
    gone = prune(db, policy())
    assert gone == {"alerts": 1, "messages": 1}
    assert alerts.incident(old.id) is None
    assert alerts.decisions_of(old.id) == []
    assert [each.notification.incident_id for each in alerts.told([old.id, young.id, open_one.id])] == [
        young.id,
        open_one.id,
    ]
    assert alerts.strangers({"ops": greeting().id}) == set()
    assert db.one("SELECT count(*) FROM conversation") == (3,)


def test_what_a_cycle_looks_at_or_waits_to_be_sent_stays(db: Database) -> None:
    fill(db, 1)
    alerts = AlertStore(db)
    alerts.commit([incident(1, OLD), incident(2, OLD)], [], [], [post(1, incident(1, OLD))], OLD)
    assert prune(db, policy(alerts_from=OLD - timedelta(days=1))) == {}
    assert prune(db, policy()) == {"alerts": 1}
    assert alerts.incident(incident(1).id) is not None


def test_a_message_about_several_goes_with_the_last_of_them(db: Database) -> None:
    fill(db, 1)
    alerts, outbox = AlertStore(db), Outbox(db)
    both = post(1, incident(1, OLD))
    both = replace(both, keys=(*both.keys, *post(1, incident(2, YOUNG)).keys))
    alerts.commit(
        [incident(1, OLD), incident(2, YOUNG)], [], [], [both, post(2, incident(2, YOUNG), reason=Reason.REMINDER)], OLD
    )
    while rows := outbox.lease(OLD):
        outbox.record_sent(rows[0], OLD, None, "", timedelta())
    assert prune(db, policy()) == {"alerts": 1}
    assert prune(db, policy(keep=398)) == {"alerts": 1, "messages": 1}, "the last that a channel heard stays"


def test_silences_that_are_long_over_go(db: Database) -> None:
    fill(db, 1)
    store, of_all = SilenceStore(db), (Matcher("rule", Operator("="), "pool"),)
    store.add(Silence("sil_1", of_all, OLD, OLD, "ana", "test", OLD))
    store.add(Silence("sil_2", of_all, OLD, NOON, "ana", "test", OLD))
    assert prune(db, policy()) == {"silences": 1}
    assert [each.id for each in store.all(OLD)] == ["sil_2"]


def test_it_goes_on_where_a_crash_left_counts_of_buckets_that_are_gone(db: Database) -> None:
    fill(db, 402)
    with db.transaction():
        db.execute("DELETE FROM fetch WHERE start < ?", (start(YOUNG),))
    assert prune(db, policy()) == {"counts": 2}


def test_a_lot_goes_in_short_transactions(db: Database) -> None:
    store, first = HistoryStore(db), start(NOON - timedelta(days=1000))
    starts = range(first, first + 400 * DAY, HOUR)
    store.save(totals(dict.fromkeys(starts, 1)), NOON - timedelta(days=500))
    fill(db, 1)
    steps = [number for what, number in pruned(db, policy(), NOON) if what == "counts"]
    assert sum(steps) == len(starts)
    assert max(steps) <= 8_000


def test_the_daemon_prunes_once_a_day_and_after_a_restart_looks_once_more(path: Path) -> None:
    asked = []

    def rules() -> Policy:
        asked.append(1)
        return policy()

    with open_for_writing(path) as db:
        fill(db, 402, 401)
        pruner = Pruner(db)
        assert pruner.some(rules, NOON) is False
        assert len(stored(db)) == 1
        assert pruner.some(rules, at(5)) is False
        assert len(asked) == 1
        assert pruner.some(rules, at(13)) is False
        assert len(asked) == 2
    with open_for_writing(path) as db:
        assert Pruner(db).some(rules, at(13)) is False
        assert len(asked) == 3


def test_an_hour_of_work_is_done_bit_by_bit(db: Database) -> None:
    fill(db, 402, 401)
    pruner, calls = Pruner(db, at_once=0), 1
    while pruner.some(policy, NOON):
        calls += 1
    assert calls > 2
    assert len(stored(db)) == 1
