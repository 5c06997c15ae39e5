"""The ids of feeds and series, remembered so that bulk writes look nothing up."""

from __future__ import annotations

from usage_watch.core.series import Feed, SeriesKey
from usage_watch.store.database import Database

Name = tuple[str | None, str | None, str | None]
"""Axis, category and member: a SeriesKey without its feed, and many times faster to look up."""


class SeriesIds(dict[Name, int]):
    """A feed's series; asking for one that is new makes it, inside a transaction."""

    def __init__(self, db: Database, feed_id: int) -> None:
        rows = db.query("SELECT axis, category, member, id FROM series WHERE feed_id = ?", (feed_id,))
        super().__init__((_name(*columns), series_id) for *columns, series_id in rows)
        self._db = db
        self._feed_id = feed_id

    def __missing__(self, name: Name) -> int:
        self._db.execute(
            "INSERT INTO series (feed_id, axis, category, member) VALUES (?, ?, ?, ?)",
            (self._feed_id, *(text or "" for text in name)),
        )
        row = self._db.one("SELECT last_insert_rowid()")
        assert row is not None
        self[name] = row[0]
        return self[name]


class Catalog:
    """Ids by name, for one open database."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._version: object = None
        self._feeds: dict[Feed, int] = {}
        self._series: dict[int, SeriesIds] = {}

    def feed(self, feed: Feed) -> int | None:
        """The feed's id; None while nothing is stored of it."""
        row = self._db.one("SELECT id FROM feed WHERE (dataset, width, scope) = (?, ?, ?)", _columns(feed))
        return None if row is None else int(row[0])

    def feeds(self) -> list[tuple[int, Feed]]:
        """All feeds with their ids, everyone's first, then each member's, then single members'."""
        rows = self._db.query(
            "SELECT id, dataset, width, scope FROM feed "
            "ORDER BY dataset, width, scope <> 'everyone', scope <> 'each-member', scope"
        )
        return [(feed_id, Feed(dataset, width, scope)) for feed_id, dataset, width, scope in rows]

    def ensure_feed(self, feed: Feed) -> int:
        """The feed's id, made where it is new. Call it first in a transaction."""
        self._forget_what_others_changed()
        if feed not in self._feeds:
            self._db.execute("INSERT OR IGNORE INTO feed (dataset, width, scope) VALUES (?, ?, ?)", _columns(feed))
            found = self.feed(feed)
            assert found is not None
            self._feeds[feed] = found
        return self._feeds[feed]

    def series(self, feed_id: int) -> SeriesIds:
        """The feed's series; call it after `ensure_feed`, in the same transaction."""
        if feed_id not in self._series:
            self._series[feed_id] = SeriesIds(self._db, feed_id)
        return self._series[feed_id]

    def forget(self) -> None:
        """After a rollback: what was made in it is gone."""
        self._feeds.clear()
        self._series.clear()

    def _forget_what_others_changed(self) -> None:
        version = self._db.one("PRAGMA data_version"), self._db.erased
        if version != self._version:
            self.forget()
            self._version = version


def key_of(feed: Feed, axis: str, category: str, member: str) -> SeriesKey:
    """The series as it is stored, with '' for none."""
    return SeriesKey(feed, *_name(axis, category, member))


def _name(axis: str, category: str, member: str) -> Name:
    return axis or None, category if axis else None, member or None


def _columns(feed: Feed) -> tuple[str, int, str]:
    return feed.dataset, feed.width, feed.scope
