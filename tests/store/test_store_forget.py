"""One member leaves the database for good, down to the bytes, and nobody else does."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.store.store_samples import (
    EVIDENCE,
    HOURLY,
    MEMBERS,
    NOON,
    Cell,
    at,
    day,
    greeting,
    hour,
    incident,
    post,
    read_up,
    reading,
)
from usage_watch.core.incident import Incident
from usage_watch.core.lookup import Lookup
from usage_watch.core.message import Contributor, Fact
from usage_watch.core.series import HOUR, Feed
from usage_watch.core.silence import Ack, Matcher, Operator, Silence
from usage_watch.store.alerts import AlertStore
from usage_watch.store.database import Database, open_for_reading, open_for_writing
from usage_watch.store.forget import forget, named_at, overwritten, trace
from usage_watch.store.history import HistoryStore
from usage_watch.store.lookups import LookupStore
from usage_watch.store.outbox import Outbox
from usage_watch.store.silences import SilenceStore

ANA, DIANA, BO = "ana.reyes@example.com", "diana.reyes@example.com", "bo@example.com"
SPELLED = "Ana.Reyes@Example.com"
OF_ANA = Feed("credit_usage", HOUR, SPELLED)
WEEK: dict[int, dict[Cell, int]] = {
    day(-n): {
        (None, None, member): 5 * n + 1,
        ("Model", "opus", member): n + 1,
    }
    for n in range(7)
    for member in (ANA,)
}
for n in range(7):
    for member in (DIANA, BO):
        WEEK[day(-n)] |= {(None, None, member): n + 1, ("Model", "opus", member): n + 1}


def member_alert(number: int, member: str) -> Incident:
    return replace(incident(number), labels={"member": member}, fingerprint=member)


def others_alert(number: int = 9) -> Incident:
    """Of everyone, which names those who drive it."""
    named = replace(
        EVIDENCE,
        why=f"mostly {ANA} (+8,800) and {DIANA}; {ANA}.",
        contributors=(Contributor("member", ANA, 8800.0, 0.7), Contributor("member", DIANA, 80.0, 0.1)),
    )
    return replace(incident(number), evidence=named)


def people(db: Database) -> HistoryStore:
    """A week of three members, and all that can be said of them."""
    history, alerts, silences = HistoryStore(db), AlertStore(db), SilenceStore(db)
    history.save(reading(MEMBERS, WEEK), at(-1))
    history.save(reading(MEMBERS, {**WEEK, day(0): {(None, None, ANA): 3, (None, None, BO): 1}}), NOON)
    history.save(reading(HOURLY, {hour(-2): {(None, None, None): 100}}), NOON)
    history.save(reading(OF_ANA, {hour(-2): {(None, None, SPELLED): 50}}), NOON)
    for feed in (MEMBERS, HOURLY, OF_ANA):
        read_up(history, NOON, feed)
    history.failed(OF_ANA, NOON, "refused", f"{ANA} is not known", at(1))
    history.failed(HOURLY, NOON, "drift", f"somebody like {SPELLED} again", at(1))
    history.keep_oddity(HOURLY, NOON, "odd", f'{{"user": "{SPELLED}"}}'.encode())
    about = [member_alert(1, ANA), member_alert(2, DIANA), others_alert()]
    lookup = Lookup(others_alert().id, (OF_ANA, Feed("credit_usage", HOUR, BO)), at(-3), at(0), NOON, asked=0)
    posts = [greeting(), *(post(n, each, conversation=f"cnv_{n}") for n, each in enumerate(about))]
    alerts.commit(about, [], [], posts, NOON, lookups=[lookup])
    for row in Outbox(db).lease(NOON):
        Outbox(db).record_sent(row, NOON, f"C1/{ANA}", "", at(0) - at(0))
    silences.ack(Ack(about[0].id, 2, NOON, "eva", "her job"))
    silences.ack(Ack(others_alert().id, 2, NOON, SPELLED, f"me, {ANA}"))
    for name, operator, value in (
        ("sil_ana", "=", SPELLED),
        ("sil_re", "=~", r"ana\.reyes@example\.com"),
        ("sil_both", "=~", f"{ANA}|{BO}"),
        ("sil_not", "!=", ANA),
    ):
        matchers = (Matcher("member", Operator(operator), value),)
        silences.add(Silence(name, matchers, NOON, at(9), "eva", f"asked by {ANA}", NOON))
    return history


def left_behind(path: Path, address: str) -> list[str]:
    """In which files an address can be found, in whatever case."""
    files = path.parent.glob(f"{path.name}*")
    wanted = re.compile(rb"(?<!di)" + re.escape(address.encode()), re.IGNORECASE)
    return [file.name for file in files if wanted.search(file.read_bytes())]


def test_no_byte_of_them_is_left_in_any_file(path: Path) -> None:
    with open_for_writing(path) as daemon, open_for_writing(path) as db:
        people(daemon)
        assert left_behind(path, ANA)
        assert forget(db, f" {ANA.upper()} ", NOON)
        assert overwritten(db, anew=True)
        for name in (ANA, r"ana\\.reyes"):
            assert left_behind(path, name) == []
        assert left_behind(path, DIANA) == [path.name]
        assert db.one("PRAGMA integrity_check") == ("ok",)
        assert db.one("SELECT count(*) FROM pragma_foreign_key_check") == (0,)


def test_what_is_deleted_now_is_overwritten_even_where_the_file_is_not_made_anew(path: Path) -> None:
    with open_for_writing(path) as db:
        HistoryStore(db).save(reading(MEMBERS, WEEK), NOON)
        forget(db, ANA, NOON)
        assert overwritten(db, anew=False) is False, "earlier copies may be left"
        assert left_behind(path, ANA) == []


def test_everybody_else_keeps_all_there_is(db: Database) -> None:
    history = people(db)
    before = {row for row in history.export() if row.member.casefold() != ANA}
    removed = forget(db, ANA, NOON)
    assert set(history.export()) == before
    assert history.members() == {DIANA, BO}
    assert removed["feeds of theirs alone"] == 1
    assert removed["alerts about them"] == removed["messages about them"] == 1
    assert removed["silences about them"] == 2
    assert removed["alerts of others that named them"] == 1
    assert removed["messages of others that named them"] == 2
    assert forget(db, ANA, NOON) == {}, "and there is nothing left to do"


def test_others_alerts_say_a_member_in_their_place(db: Database) -> None:
    people(db)
    forget(db, ANA, NOON)
    alerts = AlertStore(db)
    assert alerts.incident(member_alert(1, ANA).id) is None
    assert alerts.incident(member_alert(2, DIANA).id) is not None
    kept = alerts.incident(others_alert().id)
    assert kept is not None
    assert kept.evidence.why == f"mostly a member (+8,800) and {DIANA}; a member."
    assert [each.category for each in kept.evidence.contributors] == ["a member", DIANA]
    ack = SilenceStore(db).acks([kept.id])[kept.id]
    assert (ack.author, ack.note) == ("a member", "me, a member")
    rows = [row for n in range(5) for row in Outbox(db).lease(at(n))]
    assert all(ANA not in str(row).casefold().replace(DIANA, "") for row in rows)
    assert any("a member" in str(row.message) for row in rows)


def test_a_silence_of_others_goes_on(db: Database) -> None:
    people(db)
    forget(db, ANA, NOON)
    found = {each.id: each for each in SilenceStore(db).all(NOON)}
    assert {name: each.matchers[0].value for name, each in found.items()} == {
        "sil_both": f"a member|{BO}",
        "sil_not": "a member",
    }
    assert {each.reason for each in found.values()} == {"asked by a member"}


@pytest.mark.parametrize(("asked", "left"), [(0, 0), (1, 0), (2, 1)])
def test_a_look_up_goes_on_with_the_others(db: Database, asked: int, left: int) -> None:
    people(db)
    lookups = LookupStore(db)
    for _ in range(asked):
        lookups.asked(others_alert().id)
    forget(db, ANA, NOON)
    (found,) = lookups.of([others_alert().id])
    assert ([feed.scope for feed in found.feeds], found.asked) == ([BO], left)
    forget(db, BO, NOON)
    assert lookups.of([others_alert().id]) == []


def test_nothing_of_them_is_stored_again(db: Database) -> None:
    history = people(db)
    forget(db, ANA, NOON)
    before = set(history.export())
    history.save(reading(MEMBERS, {**WEEK, day(1): {(None, None, SPELLED): 9, (None, None, BO): 2}}), at(30))
    assert {row.member for row in set(history.export()) - before} == {BO}
    assert history.forgets(OF_ANA)
    assert not history.forgets(HOURLY)
    history.save(reading(OF_ANA, {hour(-2): {(None, None, SPELLED): 50}}), NOON)
    read_up(history, NOON, OF_ANA)
    history.failed(OF_ANA, NOON, "refused", "no", at(1))
    history.keep_oddity(OF_ANA, NOON, "odd", b"{}")
    assert all(state.feed.member is None for state in history.feed_states())
    history.keep_oddity(HOURLY, NOON, "odd", json.dumps({"a": SPELLED, "b": [BO]}).encode())
    (body,) = db.one("SELECT body FROM oddity") or (b"",)
    assert json.loads(body) == {"a": "a member", "b": [BO]}


def test_another_process_stores_nothing_of_them_either(path: Path) -> None:
    with open_for_writing(path) as daemon:
        history = people(daemon)
        with open_for_writing(path) as db:
            forget(db, ANA, NOON)
        history.save(reading(MEMBERS, WEEK), at(1))
        assert history.members() == {DIANA, BO}


def test_that_they_were_forgotten_does_not_say_who(path: Path) -> None:
    with open_for_writing(path) as db:
        people(db)
        forget(db, ANA, NOON)
        forget(db, BO, NOON)
        assert db.one("SELECT count(*), count(DISTINCT salt), min(length(digest)) FROM forgotten") == (2, 1, 16)
    with closing(sqlite3.connect(path)) as raw:
        assert not [line for line in raw.iterdump() if "ana.reyes@example.com" in line.replace(DIANA, "").lower()]


def test_what_there_is_can_be_asked_before(db: Database) -> None:
    people(db)
    found = trace(db, ANA)
    assert (found.feeds, found.alerts, found.forgotten, found.known) == ((OF_ANA,), 1, False, True)
    assert found.counts == 15
    assert not trace(db, "nobody@example.com").known
    forget(db, ANA, NOON)
    assert trace(db, ANA) == replace(found, counts=0, feeds=(), alerts=0, forgotten=True)


def test_alerts_of_a_rule_about_them_alone_go_though_no_label_names_them(db: Database) -> None:
    alerts = AlertStore(db)
    hers = replace(incident(1), rule=replace(incident(1).rule, id="hers"), fingerprint="hers")
    alerts.commit([hers, others_alert()], [], [], [post(1, hers)], NOON)
    assert trace(db, ANA, {"hers"}).alerts == 1
    removed = forget(db, ANA, NOON, {"hers"})
    assert (removed["alerts about them"], removed["messages about them"]) == (1, 1)
    assert (alerts.incident(hers.id), alerts.incident(others_alert().id) is None) == (None, False)


@pytest.mark.parametrize(
    ("counted", "gone"),
    [(f"Model opus, member {SPELLED}", True), (f"member {DIANA}", False), ("Model opus", False)],
)
def test_an_alert_that_counts_them_alone_goes_though_its_rule_is_gone(db: Database, counted: str, gone: bool) -> None:
    alerts = AlertStore(db)
    evidence = replace(EVIDENCE, facts=(Fact("Usual", f"what {ANA} does"), Fact("Counted", counted)))
    left = replace(incident(1), evidence=evidence, ended_at=NOON, closed="Its rule was removed or disabled.")
    alerts.commit([left], [], [], [post(1, left)], NOON)
    assert trace(db, ANA).alerts == gone
    assert forget(db, ANA, NOON).get("alerts about them", 0) == gone
    kept = alerts.incident(left.id)
    assert (kept is None) == gone
    assert kept is None or kept.evidence.facts[0].value == "what a member does"


def test_whoever_judges_meanwhile_or_afterwards_learns_that_counts_went(db: Database) -> None:
    history, seen = people(db), list[str]()
    assert history.removals() == 0
    db.tables.conn.set_trace_callback(seen.append)
    forget(db, ANA, NOON)
    db.tables.conn.set_trace_callback(None)
    steps = [each.split()[0] for each in seen if each.split()[1:2] == ["forgotten"] or "FROM bucket" in each]
    assert (steps[0], set(steps[1:-1]), steps[-1]) == ("UPDATE", {"DELETE"}, "UPDATE")
    assert history.removals() == 2
    forget(db, ANA, NOON)
    assert history.removals() == 2, "there was nothing left of her"
    forget(db, BO, NOON)
    assert history.removals() == 4


def test_a_name_that_is_not_ascii_goes_from_json_too(db: Database) -> None:
    member = "jürgen@example.com"
    alert = replace(others_alert(), evidence=replace(EVIDENCE, why=f"mostly {member}"))
    AlertStore(db).commit([alert], [], [], [], NOON)
    forget(db, "JÜRGEN@example.com", NOON)
    kept = AlertStore(db).incident(alert.id)
    assert kept is not None
    assert kept.evidence.why == "mostly a member"


@pytest.mark.parametrize(
    ("line", "names"),
    [
        (f"where: {{member: {SPELLED}}}", True),
        (f"overrides: {{'{ANA}': 5}}", True),
        (f"x{ANA}", False),
        (f"{ANA}.au", False),
        (f"mail {ANA}.", True),
        ("# nobody", False),
    ],
)
def test_a_rules_file_that_names_them_is_found(line: str, names: bool) -> None:
    assert named_at(["a", line], ANA) == ([2] if names else [])


def test_it_writes_so_that_a_reader_beside_it_is_not_in_the_way(path: Path) -> None:
    with open_for_writing(path) as db:
        people(db)
        with open_for_reading(path) as reader:
            rows = reader.query("SELECT id FROM series")
            next(rows)
            forget(db, ANA, NOON)
            list(rows)
        assert overwritten(db, anew=True)
    assert left_behind(path, ANA) == []
