"""What a budget judges: the usage of all its series side by side, and one period of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from usage_watch.core.episode import Findings
from usage_watch.core.periods import Span
from usage_watch.core.selection import Selected
from usage_watch.core.series import FeedHistory, Flags, Floats, Ints


@dataclass(frozen=True, slots=True)
class Books:
    """The usage of s series on one grid of n buckets."""

    labels: Sequence[Mapping[str, str]]
    """Which series, s of them."""
    limits: Floats
    """What each may use in a period. Shape (s,)."""
    width: int
    """Seconds a bucket."""
    starts: Ints
    """Epoch seconds. Shape (n,)."""
    used: Ints
    """Counts. Shape (n, s)."""
    known: Flags
    """Which buckets were read. Shape (n,)."""
    settled: Flags
    """Which of them will not change. Shape (n,)."""
    frontier: int | None
    """End of the last bucket before the first that is not settled, epoch seconds."""
    first: int
    """Index of the first bucket that was ever read; n where there is none."""

    @classmethod
    def of(cls, history: FeedHistory, series: Sequence[Selected], limits: Iterable[float]) -> Books:
        """The books of these series of a feed."""
        known = series[0].known if series else history.fetched
        fetched = np.flatnonzero(history.fetched)
        return cls(
            labels=[each.labels for each in series],
            limits=np.fromiter(limits, dtype=np.float64),
            width=history.feed.width,
            starts=history.starts,
            used=np.array([each.counts for each in series], dtype=np.int64).reshape(len(series), -1).T,
            known=known,
            settled=history.settled & known,
            frontier=history.frontier,
            first=int(fetched[0]) if len(fetched) else len(history.starts),
        )


@dataclass(frozen=True)
class Page:
    """One period of the books: m buckets, from the first that was read in it."""

    books: Books
    span: Span

    @cached_property
    def inside(self) -> slice:
        """Its buckets, as indices of the books."""
        books = self.books
        begin, end = np.searchsorted(books.starts, [self.span.start_at.timestamp(), self.span.end_at.timestamp()])
        begin = max(int(begin), books.first) if books.first < len(books.starts) else int(begin)
        return slice(begin, max(begin, int(end)))

    @cached_property
    def starts(self) -> Ints:
        """Epoch seconds. Shape (m,)."""
        return self.books.starts[self.inside]

    @cached_property
    def spent(self) -> Ints:
        """What was spent up to and including each bucket: a lower bound. Shape (m, s)."""
        return np.cumsum(self.books.used[self.inside], axis=0)

    @cached_property
    def missing(self) -> Ints:
        """How many of its buckets up to each were never read. Shape (m,)."""
        return np.cumsum(~self.books.known[self.inside])

    @property
    def over(self) -> bool:
        """Whether nothing of it will change any more."""
        frontier = self.books.frontier
        return frontier is not None and frontier >= self.span.end_at.timestamp()

    @property
    def buckets(self) -> int:
        """How many it has, read or not; those of a half-hour zone go by their start."""
        begin, end = self.span.start_at.timestamp(), self.span.end_at.timestamp()
        return int(-(-end // self.books.width) - -(-begin // self.books.width))

    @property
    def end(self) -> int:
        """The bucket after its last one, as an index of the books that may lie beyond them."""
        width = self.books.width
        return int(-(-self.span.end_at.timestamp() // width) - self.books.starts[0] // width)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetFindings(Findings):
    """Findings that know the books."""

    page: Page
    column: int
    """Which of its series."""

    @property
    def limit(self) -> float:
        """What the series may use in a period."""
        return float(self.page.books.limits[self.column])
