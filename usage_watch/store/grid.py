"""A feed's stored buckets as arrays on a grid without holes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

import numpy as np

from usage_watch.core.series import Feed, FeedHistory, Flags, Ints, SeriesKey, empty
from usage_watch.store.catalog import key_of
from usage_watch.store.database import Database

_COUNTS = """
SELECT series.axis, series.category, series.member,
       group_concat((bucket.start - :first) / :width), group_concat(bucket.count)
FROM series JOIN bucket ON bucket.series_id = series.id
WHERE series.feed_id = :feed AND series.member = coalesce(:member, series.member) AND bucket.start >= :first
GROUP BY series.axis, series.category, series.member
"""
"""One row a series, grouped in the order of the index: grouping by id would sort every bucket.

SQLite joins the numbers into text and numpy reads it: that takes a third of the time of a row a bucket.
"""
_KNOWN_SINCE = re.compile(r'(?<!\\)": \d+')
"""The time behind a name in a JSON object: a quote that ends a text is not escaped."""


def load(db: Database, feed_id: int, feed: Feed, since: int, member: str | None = None) -> FeedHistory:
    """From the bucket that holds `since` (epoch seconds) to the newest that was fetched; the arrays are read-only.

    `member`: only what this one used.
    """
    first = since - since % feed.width
    rows = list(
        db.query(
            "SELECT start, settled_at IS NOT NULL, aged_at IS NOT NULL, axes "
            "FROM fetch WHERE feed_id = ? AND start >= ? ORDER BY start",
            (feed_id, first),
        )
    )
    if not rows:
        return empty(feed)
    starts = np.arange(first, rows[-1][0] + feed.width, feed.width, dtype=np.int64)
    places = (np.array([row[0] for row in rows], dtype=np.int64) - first) // feed.width
    fetched, settled, aged = np.zeros((3, len(starts)), dtype=bool)
    fetched[places] = True
    settled[places] = [row[1] for row in rows]
    aged[places] = [row[2] for row in rows]
    axes = _axes([row[3] for row in rows], places, len(starts))
    for array in (starts, fetched, settled, aged, *axes.values()):
        array.flags.writeable = False
    return FeedHistory(feed, starts, fetched, settled, aged, axes, _counts(db, feed_id, feed, starts, member))


def _axes(texts: Sequence[str], places: Ints, length: int) -> Mapping[str, Flags]:
    """Where each axis was answered. Buckets that came together share their text, which is then read once."""
    together: dict[str, list[int]] = {}
    for place, text in zip(places.tolist(), texts, strict=True):
        together.setdefault(text, []).append(place)
    axes: dict[str, Flags] = {}
    names: dict[str, list[str]] = {}
    for text, where in together.items():
        # Polls after polls answer the same axes, each at its own time: but for that their texts are one, read once.
        timeless = _KNOWN_SINCE.sub('"', text)
        if timeless not in names:
            names[timeless] = list(json.loads(text))
        for axis in names[timeless]:
            axes.setdefault(axis, np.zeros(length, dtype=bool))[where] = True
    return axes


def _counts(db: Database, feed_id: int, feed: Feed, starts: Ints, member: str | None) -> Mapping[SeriesKey, Ints]:
    terms = {"feed": feed_id, "first": int(starts[0]), "width": feed.width, "member": member}
    rows = list(db.query(_COUNTS, terms))
    matrix = np.zeros((len(rows), len(starts)), dtype=np.int64)
    for line, (*_, places, counts) in zip(matrix, rows, strict=True):
        line[np.fromstring(places, dtype=np.int64, sep=",")] = np.fromstring(counts, dtype=np.int64, sep=",")
    matrix.flags.writeable = False
    return {key_of(feed, *name): line for (*name, _, _), line in zip(rows, matrix, strict=True)}
