"""Histories, findings and incidents in a few words, on a grid that begins on Monday 2 November 2026."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from usage_watch.core.episode import Findings, Level, State
from usage_watch.core.message import Evidence, Severity
from usage_watch.core.series import DAY, EACH_MEMBER, HOUR, Feed, FeedHistory, SeriesKey

START = datetime(2026, 11, 2, tzinfo=UTC)
HOURLY = Feed("credit_usage", HOUR)
DAILY = Feed("credit_usage", DAY)
MEMBER_DAYS = Feed("credit_usage", DAY, EACH_MEMBER)
LEVELS = tuple(Level(Severity.WARNING, 1, grade) for grade in range(1, 10))
"""Of findings that are spelled out: as many as there are digits."""


def at(hours: float) -> datetime:
    """So many hours after the grid begins."""
    return START + timedelta(hours=hours)


def key(feed: Feed, name: str) -> SeriesKey:
    """`""` is the total, `Model=opus` a category, `ana@x` a member, `ana@x Model=opus` both."""
    member, split = name.partition(" ")[::2] if "@" in name else ("", name)
    axis, _, category = split.partition("=")
    return SeriesKey(feed, axis or None, category if axis else None, member or feed.member)


def feed_history(
    counts: Mapping[str, Sequence[int]],
    feed: Feed = HOURLY,
    *,
    holes: Collection[int] = (),
    unsettled: Collection[int] = (),
    aged: Collection[int] = (),
    unanswered: Mapping[str, Collection[int]] | None = None,
    start_at: datetime = START,
) -> FeedHistory:
    """A feed from its counts by series (see `key`).

    `holes` were never fetched, `unsettled` may still grow (but those of them that are `aged`, only because the sync
    seems to stand), and in the buckets of `unanswered` an axis was left out. Negative indices count from the end.
    """
    n = max((len(values) for values in counts.values()), default=0)
    fetched = _all_but(n, holes)
    keys = {key(feed, name): np.array(values, dtype=np.int64) * fetched for name, values in counts.items()}
    axes = {each.axis for each in keys if each.axis is not None} | set(unanswered or {})
    return FeedHistory(
        feed=feed,
        starts=int(start_at.timestamp()) + feed.width * np.arange(n, dtype=np.int64),
        fetched=fetched,
        settled=fetched & _all_but(n, unsettled),
        aged=fetched & (_all_but(n, unsettled) | ~_all_but(n, aged)),
        axes={axis: fetched & _all_but(n, (unanswered or {}).get(axis, ())) for axis in axes},
        counts=keys,
    )


def _all_but(n: int, indices: Collection[int]) -> np.ndarray:
    flags = np.ones(n, dtype=bool)
    flags[list(indices)] = False
    return flags


def findings(states: str, *, width: int = HOUR, closed: str | None = None, unsettled: Collection[int] = ()) -> Findings:
    """From one character a bucket: a digit is a breach of that rank, `h` a hold, `.` clear, `?` clear but unsettled.

    Those of `unsettled` are unsettled too, whatever they are.
    """
    n = len(states)
    ranks = np.array([int(c) if c.isdigit() else 0 for c in states], dtype=np.int8)
    return Findings(
        labels={},
        levels=LEVELS,
        width=width,
        starts=int(START.timestamp()) + width * np.arange(n, dtype=np.int64),
        ranks=ranks,
        holding=np.array([c == "h" for c in states], dtype=bool),
        settled=np.array([c != "?" for c in states], dtype=bool) & _all_but(n, unsettled),
        grows=False,
        worse=np.ones(n, dtype=np.int8),
        values=ranks.astype(np.float64),
        limits=np.ones(n),
        closed=closed,
    )


def spelled(findings: Findings) -> str:
    """The states as `findings` reads them."""
    letters = {State.UNKNOWN: "?", State.CLEAR: ".", State.HOLD: "h"}
    return "".join(letters.get(State(s), str(r)) for s, r in zip(findings.states(), findings.ranks, strict=True))


def evidence(value: float = 120, summary: str = "120 credits in 1 h") -> Evidence:
    """Evidence that says nothing in particular."""
    return Evidence("credit_usage", "1h", "credits", value, 100, None, at(0), at(1), summary)
