"""Alerts that are long over, what was said of them, and silences: how they leave the database."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from usage_watch.store.database import Database

_A_TIME = 100
"""Alerts in one transaction: others wait for it."""

_OLD = """
FROM incident WHERE ended_at < :cut
    AND NOT EXISTS (
        SELECT 1 FROM answer JOIN rule ON rule.id = rule_id
        WHERE incident_id = incident.id AND taken_back_at IS NULL AND removed_at IS NULL
    )
    AND NOT EXISTS (
        SELECT 1 FROM notification JOIN outbox ON outbox.id = outbox_id
        WHERE incident_id = incident.id AND state IN ('queued', 'leased', 'blocked')
    )
"""
_SOME_OLD = f"SELECT id {_OLD} ORDER BY ended_at LIMIT {_A_TIME}"
_SILENCES = "FROM silence WHERE max(from_at, min(until_at, coalesce(expired_at, until_at))) < :cut"
_OF = "WHERE incident_id IN (SELECT value FROM json_each(:ids))"
_TELLS_OF_NONE = """
FROM outbox WHERE id IN (SELECT value FROM json_each(:posts))
    AND NOT EXISTS (SELECT 1 FROM notification WHERE outbox_id = outbox.id)
"""
# The last that a channel heard stays: it says that it is no stranger.
_OLD_NEWS = f"""
{_TELLS_OF_NONE} AND state NOT IN ('queued', 'leased', 'blocked')
    AND EXISTS (SELECT 1 FROM outbox AS later WHERE later.target = outbox.target AND later.seq > outbox.seq)
"""  # noqa: S608
_EMPTY = """
DELETE FROM conversation WHERE id IN (SELECT value FROM json_each(:conversations))
    AND NOT EXISTS (SELECT 1 FROM outbox WHERE conversation_id = conversation.id)
"""


def removed(db: Database, cut: float) -> Iterator[tuple[str, int]]:
    """Remove what was over before `cut` (epoch seconds), in short transactions: what, and how many of it."""
    while ids := [name for (name,) in db.query(_SOME_OLD, {"cut": cut})]:
        with db.transaction():
            messages = without(db, ids)
        yield "alerts", len(ids)
        yield "messages", messages
    if db.one(f"SELECT 1 {_SILENCES} LIMIT 1", {"cut": cut}):
        with db.transaction():
            gone = db.execute(f"DELETE {_SILENCES}", {"cut": cut})
        yield "silences", gone


def counted(db: Database, cut: float) -> Mapping[str, int]:
    """How many alerts and silences `removed` would take; messages go with the last alert that they tell of."""
    of = {"alerts": f"SELECT count(*) {_OLD}", "silences": f"SELECT count(*) {_SILENCES}"}
    found = {what: db.one(sql, {"cut": cut}) for what, sql in of.items()}
    return {what: row[0] for what, row in found.items() if row is not None}


def without(db: Database, ids: Sequence[str], *, unsent: bool = False) -> int:
    """Delete incidents with all that hangs on them, inside a transaction; how many messages went with them.

    `unsent`: also what still waits to be sent, where it tells of nothing else.
    """
    terms = {"ids": json.dumps(list(ids))}
    told = db.query(f"SELECT DISTINCT outbox_id FROM notification {_OF}", terms)  # noqa: S608
    posts = json.dumps([post for (post,) in told])
    for table in ("notification", "decision", "ack", "answer", "lookup"):
        db.execute(f"DELETE FROM {table} {_OF}", terms)  # noqa: S608
    db.execute("DELETE FROM incident WHERE id IN (SELECT value FROM json_each(:ids))", terms)
    rows = list(db.query(f"SELECT id, conversation_id {_TELLS_OF_NONE if unsent else _OLD_NEWS}", {"posts": posts}))
    db.execute(
        "DELETE FROM outbox WHERE id IN (SELECT value FROM json_each(?))", (json.dumps([post for post, _ in rows]),)
    )
    db.execute(_EMPTY, {"conversations": json.dumps([conversation for _, conversation in rows])})
    return len(rows)
