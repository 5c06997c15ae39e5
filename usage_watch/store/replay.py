"""What was known when: a feed's stored buckets as they stood at any moment since they were read.

`bucket` says since when each value is known and `revision` what it was before, so that the past is rebuilt as it was
seen. Only a bucket that was read long after its end, in a backfill or after an outage, hides when it could have been
known: it counts as known whole 2 h after its end and as settled 48 h after it, or when it really was, if that was
earlier. What was revised after it was read keeps its own time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

import numpy as np

from usage_watch.core.series import DAY, HOUR, Feed, FeedHistory, Flags, Ints, SeriesKey, empty
from usage_watch.core.units import from_epoch, to_epoch
from usage_watch.store.catalog import key_of
from usage_watch.store.database import Database

WATCHED: Mapping[int, int] = {HOUR: 6 * HOUR, DAY: 2 * DAY}
"""By width: seconds from its end within which a bucket must have been read first to count as watched."""
KNOWN_AFTER = 2 * HOUR
"""Seconds from its end after which a bucket that was not watched counts as known."""
SETTLED_AFTER = 48 * HOUR
"""Seconds from its end after which a bucket that was not watched counts as settled."""
NEVER = int(np.iinfo(np.int64).max)
"""In an array of times: not yet."""

_FETCHES = f"""
SELECT start, first_seen_at, coalesce(settled_at, {NEVER}), coalesce(aged_at, {NEVER}), axes
FROM fetch WHERE feed_id = ? AND start >= ? ORDER BY start
"""  # noqa: S608
_SERIES = "SELECT id, axis, category, member FROM series WHERE feed_id = ? ORDER BY axis, category, member"
_CELLS = f"""
SELECT series_id, start, count, seen_at, {NEVER} FROM bucket
WHERE series_id IN (SELECT id FROM series WHERE feed_id = :feed) AND start BETWEEN :first AND :last
UNION ALL
SELECT series_id, start, count, seen_at, superseded_at FROM revision
WHERE series_id IN (SELECT id FROM series WHERE feed_id = :feed) AND start BETWEEN :first AND :last
  AND (count <> 0 OR EXISTS (
      SELECT 1 FROM revision AS earlier
      WHERE (earlier.series_id, earlier.start) = (revision.series_id, revision.start) AND earlier.id < revision.id))
ORDER BY start
"""  # noqa: S608
"""A cell whose first value was zero had no row then: a series that is nothing but such cells was not known of."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something became known."""

    at: datetime
    oldest_at: datetime
    """Start of the oldest bucket that it concerns."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Every value that was ever known, one after the other. Arrays of shape (m,), in the order of the grid."""

    places: Ints
    """Index of the bucket on the grid."""
    lines: Ints
    """Index of the series."""
    counts: Ints
    known_from: Ints
    """Epoch seconds."""
    known_until: Ints
    """Epoch seconds; NEVER for what is known now."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """All that was ever known of a feed, and when. Times in epoch seconds, NEVER for not yet; arrays of shape (n,)."""

    feed: Feed
    starts: Ints
    """A grid without holes."""
    fetched_at: Ints
    settled_at: Ints
    aged_at: Ints
    axes: Mapping[str, Ints]
    """Since when each axis was answered."""
    series: Sequence[SeriesKey]
    cells: Cells
    unwatched: Flags
    """Which buckets were read only long after their end."""

    def at(self, at: datetime, since: datetime) -> FeedHistory:
        """What was known at a moment, from the bucket that holds `since` to the newest that was fetched by then."""
        now = to_epoch(at)
        first = int(np.searchsorted(self.starts, to_epoch(since) // self.feed.width * self.feed.width))
        seen = np.flatnonzero(self.fetched_at[first:] <= now)
        if not len(seen):
            return empty(self.feed)
        part = slice(first, first + int(seen[-1]) + 1)
        axes = {axis: since[part] <= now for axis, since in self.axes.items()}
        return FeedHistory(
            self.feed,
            self.starts[part],
            self.fetched_at[part] <= now,
            self.settled_at[part] <= now,
            self.aged_at[part] <= now,
            {axis: known for axis, known in axes.items() if known.any()},
            self._counts(part, now),
        )

    def changes(self, since: datetime, until: datetime, step: int) -> list[Change]:
        """When something became known after `since` and by `until`, in whole steps of seconds, rounded up."""
        first, last = to_epoch(since), to_epoch(until)
        of_buckets = [self.fetched_at, self.settled_at, self.aged_at, *self.axes.values()]
        times = np.concatenate([*of_buckets, self.cells.known_from])
        starts = np.concatenate([*[self.starts] * len(of_buckets), self.starts[self.cells.places]])
        inside = (times > first) & (times <= last)
        steps = np.minimum(-(-times[inside] // step) * step, last)
        order = np.argsort(steps)
        instants, begins = np.unique(steps[order], return_index=True)
        oldest = np.minimum.reduceat(starts[inside][order], begins) if len(begins) else begins
        return [Change(from_epoch(at), from_epoch(start)) for at, start in np.stack([instants, oldest]).T.tolist()]

    def _counts(self, part: slice, now: int) -> Mapping[SeriesKey, Ints]:
        cells = self.cells
        here = slice(*np.searchsorted(cells.places, [part.start, part.stop]))
        known = (cells.known_from[here] <= now) & (now < cells.known_until[here])
        lines = cells.lines[here][known]
        matrix = np.zeros((len(self.series), part.stop - part.start), dtype=np.int64)
        matrix[lines, cells.places[here][known] - part.start] = cells.counts[here][known]
        return {self.series[line]: matrix[line] for line in np.unique(lines).tolist()}


def load(db: Database, feed_id: int | None, feed: Feed, since: int) -> Knowledge:
    """All that was ever known of the buckets from the one that holds `since` (epoch seconds) on; no id: nothing."""
    first = since - since % feed.width
    rows = list(db.query(_FETCHES, (feed_id, first)))
    if not rows:
        return _nothing(feed)
    starts = np.arange(first, rows[-1][0] + feed.width, feed.width, dtype=np.int64)
    first_seen_at, settled_at, aged_at = np.full((3, len(starts)), NEVER, dtype=np.int64)
    places = (np.array([row[0] for row in rows], dtype=np.int64) - first) // feed.width
    first_seen_at[places], settled_at[places], aged_at[places] = zip(*(row[1:4] for row in rows), strict=True)
    axes = _axes([row[4] for row in rows], places, len(starts))
    window = {"feed": feed_id, "first": first, "last": rows[-1][0]}
    stored = np.fromiter(chain.from_iterable(db.query(_CELLS, window)), dtype=np.int64).reshape(-1, 5)
    # After the cells: a daemon may write beside us, and each cell's series must be known.
    series = list(db.query(_SERIES, (feed_id,)))
    cells = _cells(stored, [row[0] for row in series], starts, feed.width)
    return _by_the_rule(
        Knowledge(
            feed=feed,
            starts=starts,
            fetched_at=first_seen_at,
            settled_at=settled_at,
            aged_at=aged_at,
            axes=axes,
            series=[key_of(feed, *name) for _, *name in series],
            cells=cells,
            unwatched=(first_seen_at != NEVER) & (first_seen_at - WATCHED[feed.width] > starts + feed.width),
        )
    )


def _nothing(feed: Feed) -> Knowledge:
    """Of a feed that was never read."""
    none = np.zeros(0, dtype=np.int64)
    cells = Cells(none, none, none, none, none)
    return Knowledge(feed, none, none, none, none, {}, (), cells, np.zeros(0, dtype=bool))


def _by_the_rule(stored: Knowledge) -> Knowledge:
    """The same, with the times of what was not watched as if it had been; and nothing known of a bucket before it."""
    ends, cells = stored.starts + stored.feed.width, stored.cells
    fetched_at = np.where(stored.unwatched, ends + KNOWN_AFTER, stored.fetched_at)

    def known(times: Ints, places: Ints | slice = slice(None)) -> Ints:
        at_first = times <= stored.fetched_at[places]
        return np.where(at_first, fetched_at[places], times)

    def settled(times: Ints) -> Ints:
        early = np.where(stored.unwatched & (times != NEVER), np.minimum(times, ends + SETTLED_AFTER), times)
        return np.maximum(early, fetched_at)

    return Knowledge(
        feed=stored.feed,
        starts=stored.starts,
        fetched_at=fetched_at,
        settled_at=settled(stored.settled_at),
        aged_at=settled(stored.aged_at),
        axes={axis: known(times) for axis, times in stored.axes.items()},
        series=stored.series,
        cells=Cells(cells.places, cells.lines, cells.counts, known(cells.known_from, cells.places), cells.known_until),
        unwatched=stored.unwatched,
    )


def _axes(texts: Iterable[str], places: Ints, length: int) -> Mapping[str, Ints]:
    """Since when each axis was answered."""
    axes: dict[str, Ints] = {}
    for place, text in zip(places.tolist(), texts, strict=True):
        for axis, at in json.loads(text).items():
            axes.setdefault(axis, np.full(length, NEVER, dtype=np.int64))[place] = at
    return axes


def _cells(stored: Ints, ids: Sequence[int], starts: Ints, width: int) -> Cells:
    """From rows of series id, start, count, since when and until when, in the order of their starts."""
    order = np.argsort(ids)
    series_ids, starting, counts, known_from, known_until = stored.T
    lines = order[np.searchsorted(np.array(ids, dtype=np.int64)[order], series_ids)]
    return Cells((starting - starts[0]) // width, lines, counts, known_from, known_until)
