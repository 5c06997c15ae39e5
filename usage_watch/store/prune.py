"""What is too old to keep goes, a little at a time.

What is kept how long, by table:

- `fetch`, `bucket`, `revision`: of everyone `keep`, of members (each, or one) `keep_members`; and in any case as long
  as a rule looks at that feed.
- `series`: as long as there is a count of it. Its names are categories, and members.
- `feed`: while it is polled, or holds anything: where it was read from must be known, or it would be read again.
- `poll`, `oddity`: 30 days. The watcher's own alerts look at two of them; what is odd longer is kept anew.
- `incident`, with its `decision`, `notification`, `ack` and `lookup`: `keep` after its end, and as long as any cycle
  looks at it, so that nothing is told twice; while it is open, for good.
- `answer`, and the incident that it was given to: while it stands and its rule is there. It is a part of what the rule
  was taught: without it, it would be another rule, and speak anew. Then as the incident.
- `outbox`, `conversation`: as the last incident that they tell of. What waits to be sent stays, and so does the last
  that a channel heard, and its greeting: without them it would be greeted as a stranger.
- `silence`: `keep` after its end.
- `rules_read`: the newest hundred.
- `rule`, `target`, `forgotten`: for good. They are a row each; since when a rule speaks must be known if it comes back.

What goes, goes in whole UTC days: so there is something to do once a day, and that nothing is left to do is all that
must be remembered of it. Nothing younger than the source reaches back is touched, for it would be read again.

A bucket's fetch goes first: without it the bucket is *unknown*, and never, at no instant, *zero*. So a crash in between
only leaves counts that nobody looks at, and the next time they go.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice

from usage_watch.core.series import DAY, EVERYONE, Feed
from usage_watch.store import retired
from usage_watch.store.catalog import Catalog
from usage_watch.store.database import Database
from usage_watch.store.feeds import POLLS_KEPT
from usage_watch.store.policy import Policy
from usage_watch.store.times import instant, moment, seconds

REREAD = timedelta(days=92)
"""What is younger may be read again, day by day."""
_AHEAD = timedelta(days=2)
"""A clock that is further ahead of what the source last said does not count: it would throw away all there is."""
AT_ONCE = 0.25
"""Seconds: the loop of a daemon must go on."""
_SERIES_A_TIME = 400
_ROWS_A_TIME = 8_000
"""In one transaction: others wait for it."""

Removed = tuple[str, int]
"""What, and how many rows of it."""


class Pruner:
    """Prunes an open database once a day, some of it at each call."""

    def __init__(self, db: Database, at_once: float = AT_ONCE) -> None:
        """`at_once`: seconds after which a call leaves the rest for later."""
        self._db, self._at_once = db, at_once
        self._done_for: int | None = None
        self._left: Iterator[Removed] | None = None

    def some(self, policy: Callable[[], Policy], now: datetime) -> bool:
        """Remove a little; whether there is more to do. `policy` is asked once a day.

        After a restart all is looked through once more, which finds nothing where nothing is left.
        """
        today = seconds(now) // DAY
        if self._left is None:
            if self._done_for == today:
                return False
            self._left = pruned(self._db, policy(), now)
        left, self._left = self._left, None  # a failure begins anew
        until = time.monotonic() + self._at_once
        while next(left, None) is not None:
            if time.monotonic() >= until:
                self._left = left
                return True
        self._done_for = today
        return False


def pruned(db: Database, policy: Policy, now: datetime) -> Iterator[Removed]:
    """Remove what is too old, a short transaction for each that it yields: what went, maybe nothing."""
    now = _trusted(db, now)
    for feed_id, feed in Catalog(db).feeds():
        yield from _feed(db, feed_id, _cut(db, feed_id, feed, policy, now))
        yield from _outcomes(db, feed_id, now)
        if feed not in policy.polled:
            yield from _unused(db, feed_id)
    yield from retired.removed(db, instant(_alerts_cut(policy, now)))


def prunable(db: Database, policy: Policy, now: datetime) -> Mapping[str, int]:
    """What `pruned` would remove now, in rows."""
    now = _trusted(db, now)
    found: Counter[str] = Counter()
    for feed_id, feed in Catalog(db).feeds():
        old = {"feed": feed_id, "cut": _cut(db, feed_id, feed, policy, now), "polls": instant(now - POLLS_KEPT)}
        for what, sql in _COUNTED.items():
            row = db.one(sql, old)
            found[what] += row[0] if row else 0
    found.update(retired.counted(db, instant(_alerts_cut(policy, now))))
    return {what: number for what, number in found.items() if number}


def bytes_free(db: Database) -> int:
    """Room inside the file that is used before it grows."""
    row = db.one("SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size")
    return 0 if row is None else int(row[0])


_COUNTED = {
    "buckets": "SELECT count(*) FROM fetch WHERE feed_id = :feed AND start < :cut",
    "counts": "SELECT count(*) FROM series JOIN bucket ON series_id = id WHERE feed_id = :feed AND start < :cut",
    "earlier counts": "SELECT count(*) FROM series JOIN revision ON series_id = series.id "
    "WHERE feed_id = :feed AND start < :cut",
    "polls": "SELECT count(*) FROM poll WHERE feed_id = :feed AND at < :polls",
    "odd answers": "SELECT count(*) FROM oddity WHERE feed_id = :feed AND at < :polls",
}
_OLD_SERIES = """
SELECT id FROM series WHERE feed_id = :feed AND (
    (SELECT min(start) FROM bucket WHERE series_id = series.id) < :cut
    OR (SELECT min(start) FROM revision WHERE series_id = series.id) < :cut
)
"""
_SOME_COUNTS = """
DELETE FROM bucket WHERE series_id = ?1 AND start IN (
    SELECT start FROM bucket WHERE series_id = ?1 AND start < ?2 ORDER BY start LIMIT ?3
)
"""
_REVISIONS = "DELETE FROM revision WHERE series_id = ? AND start < ?"
_EMPTY = """
DELETE FROM series WHERE id = ? AND NOT EXISTS (SELECT 1 FROM bucket WHERE series_id = series.id)
    AND NOT EXISTS (SELECT 1 FROM revision WHERE series_id = series.id)
"""
_HOLDS = """
SELECT 1 WHERE EXISTS (SELECT 1 FROM fetch WHERE feed_id = :feed)
    OR EXISTS (SELECT 1 FROM series WHERE feed_id = :feed) OR EXISTS (SELECT 1 FROM poll WHERE feed_id = :feed)
"""


def _trusted(db: Database, now: datetime) -> datetime:
    newest = max((_newest(db, feed_id) for feed_id, _ in Catalog(db).feeds()), default=0)
    return min(now, moment(newest) + _AHEAD)


def _newest(db: Database, feed_id: int) -> int:
    row = db.one("SELECT seen_at FROM fetch WHERE feed_id = ? ORDER BY start DESC LIMIT 1", (feed_id,))
    return 0 if row is None else int(row[0])


def _cut(db: Database, feed_id: int, feed: Feed, policy: Policy, now: datetime) -> int:
    """Start of the oldest bucket of a feed that stays, epoch seconds: a UTC midnight."""
    kept = now - (policy.keep if feed.scope == EVERYONE else policy.keep_members)
    limits = [kept, now - REREAD, policy.needed.get(feed, kept)]
    if feed in policy.polled and db.one("SELECT 1 FROM feed WHERE id = ? AND read_from IS NULL", (feed_id,)):
        limits.append(policy.backfill_from)  # a backfill that is not done begins where its oldest bucket is
    return seconds(min(limits)) // DAY * DAY


def _alerts_cut(policy: Policy, now: datetime) -> datetime:
    kept = now - policy.keep
    return min(moment(seconds(kept) // DAY * DAY), policy.alerts_from)


def _feed(db: Database, feed_id: int, cut: int) -> Iterator[Removed]:
    if db.one("SELECT 1 FROM fetch WHERE feed_id = ? AND start < ? LIMIT 1", (feed_id, cut)):
        with db.transaction():
            gone = db.execute("DELETE FROM fetch WHERE feed_id = ? AND start < ?", (feed_id, cut))
        yield "buckets", gone
    old = iter([series_id for (series_id,) in db.query(_OLD_SERIES, {"feed": feed_id, "cut": cut})])
    while some := list(islice(old, _SERIES_A_TIME)):
        yield from emptied(db, some, cut)


def emptied(db: Database, series: Sequence[int], cut: int) -> Iterator[Removed]:
    """Remove what these series hold that starts before `cut`, and those of them that hold nothing then."""
    left = list(series)
    while left:
        room, revised = _ROWS_A_TIME, 0
        with db.transaction():
            while left and room > 0:
                took = db.execute(_SOME_COUNTS, (left[-1], cut, room))
                room -= took
                if room > 0:
                    # The last of them: its series goes with it, or what is known of it begins later.
                    revised += db.execute(_REVISIONS, (left[-1], cut))
                    db.erased += db.execute(_EMPTY, (left.pop(),))
        yield "counts", _ROWS_A_TIME - room
        yield "earlier counts", revised


def _outcomes(db: Database, feed_id: int, now: datetime) -> Iterator[Removed]:
    for what, table in {"polls": "poll", "odd answers": "oddity"}.items():
        old = (feed_id, instant(now - POLLS_KEPT))
        if db.one(f"SELECT 1 FROM {table} WHERE feed_id = ? AND at < ? LIMIT 1", old):  # noqa: S608
            with db.transaction():
                gone = db.execute(f"DELETE FROM {table} WHERE feed_id = ? AND at < ?", old)  # noqa: S608
            yield what, gone


def _unused(db: Database, feed_id: int) -> Iterator[Removed]:
    """A feed that nobody asks for any more, once nothing of it is left: its name may be somebody's address."""
    if db.one(_HOLDS, {"feed": feed_id}):
        return
    with db.transaction():
        db.execute("DELETE FROM oddity WHERE feed_id = ?", (feed_id,))
        db.erased += db.execute("DELETE FROM feed WHERE id = ?", (feed_id,))
    yield "feeds", 1
