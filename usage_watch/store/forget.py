"""One member's data leaves the database for good, and does not come back with the next poll.

What is about them alone is deleted: their counts, the feeds that are theirs, alerts of their series and of rules that
judge nobody else, or did, with all that was said of these, silences of them. Where others' alerts or messages name
them, `a member` stands instead. The bytes are overwritten, and the file is made anew, for what was deleted or changed
earlier has left copies in it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from usage_watch.core.message import COUNTED
from usage_watch.core.series import Feed
from usage_watch.store import retired
from usage_watch.store.catalog import Catalog
from usage_watch.store.database import Database
from usage_watch.store.forgotten import NOBODY, Forgotten
from usage_watch.store.prune import emptied
from usage_watch.store.values import LATEST

_SOME = 100

_TEXTS = {
    "feed": ("id", ("last_error",)),
    "poll": ("id", ("detail",)),
    "incident": ("id", ("title", "runbook", "closed")),
    "conversation": ("id", ("subject", "ref")),
    "outbox": ("id", ("last_error", "provider_ref")),
    "target": ("name", ("last_error",)),
    "decision": ("id", ("why",)),
    "silence": ("id", ("author", "reason")),
    "ack": ("id", ("author", "note")),
    "rules_read": ("id", ("refusal", "outcome")),
    "answer": ("id", ("author", "note", "taken_back_by")),
}
"""Columns of plain text that may name somebody, by table, each with the table's key."""
_JSON = {"incident": ("id", ("evidence",)), "outbox": ("id", ("body",)), "silence": ("id", ("matchers",))}
"""The same of JSON. In messages that others got, too, the address is replaced."""
_SHOWN = {"incident": "alerts", "outbox": "messages"}


@dataclass(frozen=True, slots=True)
class Trace:
    """What there is of a member."""

    counts: int
    """Counts in buckets."""
    feeds: tuple[Feed, ...]
    """Those that are theirs alone."""
    alerts: int
    """Of their series, or of rules about them alone."""
    forgotten: bool
    """They were forgotten before."""

    @property
    def known(self) -> bool:
        """Whether there is anything at all."""
        return bool(self.counts or self.feeds or self.alerts or self.forgotten)


def trace(db: Database, member: str, rules: Collection[str] = ()) -> Trace:
    """What there is of a member, written in any case. `rules`: ids of those that judge nobody else."""
    ids = _series(db, member)
    row = db.one("SELECT count(*) FROM bucket WHERE series_id IN (SELECT value FROM json_each(?))", (json.dumps(ids),))
    feeds = tuple(feed for _, feed in _feeds(db, member))
    return Trace(row[0] if row else 0, feeds, len(_alerts(db, _names(member), rules)), Forgotten(db).knows()(member))


def forget(db: Database, member: str, at: datetime, rules: Collection[str] = ()) -> Mapping[str, int]:
    """Delete all that is of a member, and see to it that it is not stored again; how many rows of what.

    `rules`: ids of those that judge nobody else. Without their counts, these alerts would be told as revised away.
    In short transactions, beside a daemon or without one; done again, it goes on. Then call `overwritten`.
    """
    db.one("PRAGMA secure_delete = ON")
    with db.transaction():
        Forgotten(db).add(member, at)
    found: Counter[str] = Counter()
    for what, number in _removed(db, member, rules):
        found[what] += number
    return {what: number for what, number in found.items() if number}


def overwritten(db: Database, *, anew: bool) -> bool:
    """Empty the write-ahead log, and with `anew` write the whole file again: whether no old copy is left in either.

    Others wait meanwhile: about a second for each 100 MB that are written anew.
    """
    if anew:
        db.upkeep("VACUUM")
    done = db.upkeep("PRAGMA wal_checkpoint(TRUNCATE)")
    return anew and done is not None and done[0] == 0


def _removed(db: Database, member: str, rules: Collection[str]) -> Iterator[tuple[str, int]]:
    names, hide = _names(member), _hidden(member)
    yield from _counts(db, member)
    yield from _own_feeds(db, member)
    yield from _odd_answers(db, names)
    yield from _own_alerts(db, names, rules)
    yield from _own_silences(db, names)
    yield from _lookups(db, member)
    changed = Counter[str]()
    for tables, change in ((_TEXTS, hide), (_JSON, lambda text: _in_json(text, hide))):
        for table, (key, columns) in tables.items():
            for column in columns:
                changed[table] += _replaced(db, table, key, column, change)
    yield from ((f"{what} of others that named them", changed[table]) for table, what in _SHOWN.items())


def _counts(db: Database, member: str) -> Iterator[tuple[str, int]]:
    """Whoever judges meanwhile misses a part of them: what falls by the rest did not fall by the source either."""
    series = _series(db, member)
    if series:
        _removing(db, member)
        yield from emptied(db, series, LATEST)
        _removing(db, member)


def _removing(db: Database, member: str) -> None:
    with db.transaction():
        Forgotten(db).removing(member)


def _series(db: Database, member: str) -> list[int]:
    own = {feed_id for feed_id, _ in _feeds(db, member)}
    rows = db.query("SELECT id, feed_id, member FROM series")
    return [series for series, feed_id, name in rows if feed_id in own or _same(name, member)]


def _feeds(db: Database, member: str) -> list[tuple[int, Feed]]:
    return [(feed_id, feed) for feed_id, feed in Catalog(db).feeds() if _same(feed.member or "", member)]


def _same(name: str, member: str) -> bool:
    return name.casefold() == member.strip().casefold()


def _own_feeds(db: Database, member: str) -> Iterator[tuple[str, int]]:
    for feed_id, _ in _feeds(db, member):
        with db.transaction():
            for table in ("fetch", "poll", "oddity"):
                db.execute(f"DELETE FROM {table} WHERE feed_id = ?", (feed_id,))  # noqa: S608
            db.erased += db.execute("DELETE FROM feed WHERE id = ?", (feed_id,))
        yield "feeds of theirs alone", 1


Names = Callable[[str], bool]
"""Whether a text names them."""


def _pattern(member: str) -> re.Pattern[str]:
    """The address in any case, also as it stands in a regular expression."""
    written = "".join(
        re.escape(letter) if letter.isalnum() else rf"\\?{re.escape(letter)}" for letter in member.strip()
    )
    # diana@example.com is not ana@example.com, nor is ana@example.com.au.
    return re.compile(rf"(?<![\w.+-]){written}(?![\w-]|\.\w)", re.IGNORECASE)


def _names(member: str) -> Names:
    pattern = _pattern(member)
    return lambda text: "@" in text and pattern.search(text) is not None


def _hidden(member: str) -> Callable[[str], str]:
    pattern = _pattern(member)
    return lambda text: pattern.sub(NOBODY, text)


def _odd_answers(db: Database, names: Names) -> Iterator[tuple[str, int]]:
    rows = db.query("SELECT feed_id, detail, body FROM oddity")
    found = [feed_id for feed_id, detail, body in rows if names(f"{detail} {body.decode(errors='replace')}")]
    if found:
        with db.transaction():
            db.execute("DELETE FROM oddity WHERE feed_id IN (SELECT value FROM json_each(?))", (json.dumps(found),))
        yield "odd answers", len(found)


def _alerts(db: Database, names: Names, rules: Collection[str]) -> list[str]:
    rows = db.query("SELECT id, rule_id, labels, evidence FROM incident")
    return [
        incident
        for incident, rule, labels, evidence in rows
        if rule in rules
        or any(names(value) for value in json.loads(labels).values())
        or any(names(value) for value in _counted(evidence))
    ]


def _counted(evidence: str) -> list[str]:
    """Which usage an alert says that it counts alone: its rule may be gone, or another one by now."""
    facts = json.loads(evidence)["facts"] if COUNTED in evidence else ()
    return [fact["value"] for fact in facts if fact["name"] == COUNTED]


def _own_alerts(db: Database, names: Names, rules: Collection[str]) -> Iterator[tuple[str, int]]:
    ids = _alerts(db, names, rules)
    for begin in range(0, len(ids), _SOME):
        some = ids[begin : begin + _SOME]
        with db.transaction():
            messages = retired.without(db, some, unsent=True)
        yield "alerts about them", len(some)
        yield "messages about them", messages


def _own_silences(db: Database, names: Names) -> Iterator[tuple[str, int]]:
    rows = db.query("SELECT id, matchers FROM silence")
    found = [name for name, written in rows if any(_is_about(each, names) for each in json.loads(written))]
    if found:
        with db.transaction():
            db.execute("DELETE FROM silence WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(found),))
        yield "silences about them", len(found)


def _is_about(matcher: tuple[str, str, str], names: Names) -> bool:
    """Whether a matcher takes nobody else; of one that does, only the address goes."""
    _, operator, value = matcher
    return operator in ("=", "=~") and "|" not in value and names(value)


def _lookups(db: Database, member: str) -> Iterator[tuple[str, int]]:
    for incident, written, asked in list(db.query("SELECT incident_id, members, asked FROM lookup")):
        members = json.loads(written)
        left = [each for each in members if not _same(each, member)]
        if len(left) == len(members):
            continue
        earlier = sum(not _same(each, member) for each in members[:asked])
        with db.transaction():
            db.execute(
                "UPDATE lookup SET members = ?, asked = ? WHERE incident_id = ?", (json.dumps(left), earlier, incident)
            )
            db.execute("DELETE FROM lookup WHERE incident_id = ? AND members = '[]'", (incident,))
        yield "look-ups", 1


def _replaced(db: Database, table: str, key: str, column: str, change: Callable[[str], str]) -> int:
    """Change what a column says of them; how many rows. Read outside of transactions, for there may be much of it."""
    rows = db.query(f"SELECT {key}, {column} FROM {table} WHERE instr({column}, '@') > 0")  # noqa: S608
    made = ((change(text), name, text) for name, text in rows)
    found = [each for each in made if each[0] != each[2]]
    for begin in range(0, len(found), _SOME):
        with db.transaction():
            db.execute_many(
                f"UPDATE {table} SET {column} = ? WHERE {key} = ? AND {column} = ?",  # noqa: S608
                found[begin : begin + _SOME],
            )
    return len(found)


def _in_json(text: str, hide: Callable[[str], str]) -> str:
    return json.dumps(_walked(json.loads(text), hide))


def _walked(value: Any, hide: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, list):
        return [_walked(each, hide) for each in value]
    if isinstance(value, dict):
        return {hide(name): _walked(each, hide) for name, each in value.items()}
    return value


def named_at(lines: Iterable[str], member: str) -> list[int]:
    """The numbers of the lines, from 1, that name a member."""
    names = _names(member)
    return [number for number, line in enumerate(lines, 1) if names(line)]
