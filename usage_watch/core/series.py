"""What is known of usage: feeds, series and their buckets, as arrays on one grid a feed.

In bulk, bucket starts are int epoch seconds (numpy knows no time zones); everywhere else times are aware datetimes.
Three things must never be mixed up: a bucket nobody fetched is *unknown*, one that was fetched without a value is
*zero*, and one whose value may still grow is not *settled*.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

HOUR: Final = 3600
DAY: Final = 86400

HOLES_OPEN_FOR: Final = 7 * DAY
"""Seconds, counted back from the newest bucket, after which a hole is given up for lost."""

Width = Literal[3600, 86400]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

EVERYONE = "everyone"
EACH_MEMBER = "each-member"


@dataclass(frozen=True, slots=True, order=True)
class Feed:
    """One thing that the source can be asked for: a dataset at a width, for everyone, for one member or per member."""

    dataset: str
    """The API's name, such as `credit_usage`."""
    width: Width
    """Seconds a bucket: 3600 or 86400."""
    scope: str = EVERYONE
    """`everyone` (v1), `each-member` (v2, days only) or the email of one member (v1 with `user_email`)."""

    @property
    def member(self) -> str | None:
        """The one member whose usage this feed is; None for the other scopes."""
        return None if self.scope in (EVERYONE, EACH_MEMBER) else self.scope

    def __str__(self) -> str:
        width = "1h" if self.width == HOUR else "1d"
        return f"{self.dataset} {width}" + ("" if self.scope == EVERYONE else f" {self.scope}")


@dataclass(frozen=True, slots=True, order=True)
class SeriesKey:
    """One series of a feed: a total (no axis) or a category, of everyone or of one member."""

    feed: Feed
    axis: str | None = None
    """The axis' label as the source writes it (`Credit Source`); None for the total."""
    category: str | None = None
    member: str | None = None
    """The member's email; None where the feed is everyone's."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one answer said of a feed: these buckets, whole.

    A bucket in `starts` without a row for a series means zero for it, with two exceptions: an axis that is not in
    `axes` is unknown, and a member who is missing from a day keeps the stored value (leavers vanish from the source's
    whole history and must not take it along).
    """

    feed: Feed
    axes: tuple[str, ...]
    """The axes that the answer split its counts by."""
    starts: tuple[int, ...]
    """Epoch seconds, ascending, on the feed's grid."""
    rows: tuple[tuple[SeriesKey, int, int], ...]
    """(series, start in epoch seconds, count); zeros may be left out."""


@dataclass(frozen=True, slots=True)
class FeedHistory:
    """A feed's stored buckets on a grid without holes; `starts[i] == starts[0] + i * width`."""

    feed: Feed
    starts: Ints
    """Bucket starts, epoch seconds. Shape (n,), n may be 0."""
    fetched: Flags
    """Which buckets were ever fetched. Shape (n,)."""
    settled: Flags
    """Which buckets are not expected to change. Shape (n,); never true where not fetched."""
    aged: Flags
    """The same, were the sync known to run: zeros that are old enough count though it seems to stand. Shape (n,)."""
    axes: Mapping[str, Flags] = field(default_factory=dict)
    """For each axis ever seen, in which buckets it was answered. Shape (n,) each."""
    counts: Mapping[SeriesKey, Ints] = field(default_factory=dict)
    """Counts by series; 0 where nothing is stored. Shape (n,) each."""

    def cut(self, since: int) -> FeedHistory:
        """Only the buckets from `since` (epoch seconds) on; the arrays are views."""
        rest = slice(int(np.searchsorted(self.starts, since)), None)
        return FeedHistory(
            self.feed,
            self.starts[rest],
            self.fetched[rest],
            self.settled[rest],
            self.aged[rest],
            {axis: known[rest] for axis, known in self.axes.items()},
            {key: counts[rest] for key, counts in self.counts.items()},
        )

    @property
    def frontier(self) -> int | None:
        """End of the last bucket before the first unsettled one, epoch seconds; None while nothing is settled.

        Holes count as unsettled until they are given up for lost; what lies before the first fetched bucket does not.
        """
        fetched = np.flatnonzero(self.fetched)
        if not len(fetched):
            return None
        first = int(fetched[0])
        lost = ~self.fetched & (self.starts < self.starts[-1] + self.feed.width - HOLES_OPEN_FOR)
        open_ones = np.flatnonzero(~(self.settled | lost)[first:])
        last = first + (int(open_ones[0]) if len(open_ones) else len(self.starts) - first)
        return None if last == first else int(self.starts[last - 1]) + self.feed.width

    @property
    def data_until(self) -> int | None:
        """End of the newest bucket that holds any usage, epoch seconds: how fresh the data is."""
        return self._newest(self._used())

    @property
    def counted_until(self) -> int | None:
        """End of the newest bucket that holds any usage or is settled, epoch seconds: up to there zeros are drawn.

        The source answers zero, too, for what it has not counted yet: the zeros after it are no news, of any series.
        """
        return self._newest(self._used() | self.settled)

    def _used(self) -> Flags:
        """Which buckets hold any usage, be it of whom it may. Shape (n,)."""
        used: Flags = np.zeros(len(self.starts), dtype=bool)
        for key, counts in self.counts.items():
            if key.axis is None:
                used |= counts > 0
        return used

    def _newest(self, flags: Flags) -> int | None:
        """End of the newest of these buckets, epoch seconds."""
        found = np.flatnonzero(flags)
        return int(self.starts[found[-1]]) + self.feed.width if len(found) else None

    def total(self, member: str | None = None) -> Ints:
        """Counts of everyone, or of one member. Shape (n,)."""
        return self.of(SeriesKey(self.feed, member=member))

    def of(self, key: SeriesKey) -> Ints:
        """Counts of one series, zeros where it has none. Shape (n,)."""
        found = self.counts.get(key)
        return found if found is not None else np.zeros(len(self.starts), dtype=np.int64)

    def known(self, axis: str | None) -> Flags:
        """Where the total (None) or an axis was answered. Shape (n,)."""
        if axis is None:
            return self.fetched
        found = self.axes.get(axis)
        return found if found is not None else np.zeros(len(self.starts), dtype=bool)


@dataclass(frozen=True, slots=True)
class History:
    """All that was loaded for one cycle."""

    feeds: Mapping[Feed, FeedHistory] = field(default_factory=dict)

    def __getitem__(self, feed: Feed) -> FeedHistory:
        return self.feeds.get(feed) or empty(feed)

    def __iter__(self) -> Iterator[FeedHistory]:
        return iter(self.feeds.values())


def empty(feed: Feed) -> FeedHistory:
    """A feed of which nothing is known."""
    none = np.zeros(0, dtype=bool)
    return FeedHistory(feed, np.zeros(0, dtype=np.int64), none, none, none)
