"""SIGKILL in the midst of turns: the database is whole, and nothing that was acknowledged is lost."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

from serving.process import Daemon
from serving.world import DAY, NOW, RULES, World, fresh

Figures = dict[str, object]
Cell = tuple[object, ...]

_CELLS = """
SELECT dataset, width, scope, axis, category, member, start, count
FROM bucket JOIN series ON series.id = series_id JOIN feed ON feed.id = feed_id
WHERE count > 0 AND scope IN ('everyone', 'each-member')
"""
"""Without single members, who are looked up where something happens."""
_EVER = """
SELECT series_id, start, count FROM bucket UNION SELECT series_id, start, count FROM revision
"""
_BACKFILL = "10d"
_OFTEN = "{id: often, kind: threshold, dataset: connectors, above: 45, resolve_after: 1h}"
"""So that there is something to tell every few hours."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a database holds that somebody was told is there."""

    cells: frozenset[Cell]
    """Counts of buckets, as they are or as they were."""
    fetched: frozenset[Cell]
    sent: frozenset[Cell]
    """Messages that were sent."""
    incidents: frozenset[Cell]

    def lost_in(self, other: Known) -> int:
        """How much of it is gone."""
        mine, theirs = ((each.cells, each.fetched, each.sent, each.incidents) for each in (self, other))
        return sum(len(before - after) for before, after in zip(mine, theirs, strict=True))


def kills(world: World, rounds: int, python: Path | None) -> Figures:
    """Each round: some turns, then SIGKILL up to 0.3 s into the next. At last all is as if undisturbed."""
    path, broken, lost, heard_lost = fresh(world.folder / "killed.db"), 0, 0, 0
    daemon = world.daemon(path, rules=(*RULES, _OFTEN), backfill=_BACKFILL, python=python, web=False)
    world.clock.step(NOW - 5 * DAY)
    with daemon:
        for number in range(rounds):
            dice = Random(number)
            acknowledged, heard = _lived(world, daemon, path, turns=dice.randint(0, 3))
            world.clock.step(world.clock.now() + timedelta(minutes=15))
            time.sleep(dice.uniform(0.0, 0.3))
            daemon.kill()
            with _opened(path) as database:
                broken += not _whole(database)
                now = _known(database)
                lost += acknowledged.lost_in(now)
                heard_lost += len(heard - {row[0] for row in now.sent})
    return {
        "rounds": rounds,
        "not_whole": broken,
        "acknowledged_rows_lost": lost,
        "answered_messages_lost": heard_lost,
        "messages": len(world.hook.requests),
        "differs_from_undisturbed": _difference(world, daemon, path, python),
    }


def _lived(world: World, daemon: Daemon, path: Path, turns: int) -> tuple[Known, set[object]]:
    """Start it, and let it live so many turns beside the first: what it said is done, and the messages of that."""
    daemon.start()
    last = daemon.cycle()
    for _ in range(turns):
        last = daemon.turn(last)
    heard: set[object] = {request.headers["webhook-id"] for request in world.hook.requests}
    with _opened(path) as database:
        return _known(database), heard


def _difference(world: World, daemon: Daemon, path: Path, python: Path | None) -> int:
    """Cells in which it differs from a database that was read in one go, at the same time, over the same days."""
    daemon.start()
    last = daemon.cycle()
    # A whole day: so that all of the last 90 days is read again.
    until = last.next_at + DAY
    while last.next_at < until:
        last = daemon.turn(last)
    daemon.stop()
    other = fresh(world.folder / "undisturbed.db")
    with world.daemon(other, backfill=_BACKFILL, python=python, web=False) as undisturbed:
        undisturbed.start()
        undisturbed.cycle()
        undisturbed.stop()
    with _opened(path) as mine, _opened(other) as theirs:
        since = theirs.execute("SELECT max(first) FROM (SELECT min(start) AS first FROM fetch GROUP BY feed_id)")
        first = int(since.fetchone()[0])
        cells = (set(each.execute(f"{_CELLS} AND start >= ?", (first,))) for each in (mine, theirs))
        return len(set.symmetric_difference(*cells))


def _known(database: sqlite3.Connection) -> Known:
    return Known(
        frozenset(database.execute(_EVER)),
        frozenset(database.execute("SELECT feed_id, start FROM fetch")),
        frozenset(database.execute("SELECT id FROM outbox WHERE state = 'sent'")),
        frozenset(database.execute("SELECT id FROM incident")),
    )


def _whole(database: sqlite3.Connection) -> bool:
    checked = database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    return checked and not database.execute("PRAGMA foreign_key_check").fetchall()


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """As whoever comes next finds it."""
    with closing(sqlite3.connect(path)) as database:
        yield database
