"""Hours as days, where something is to be compared with what the source counts by days only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from usage_watch.core.series import DAY, FeedHistory, Flags


def in_days(history: FeedHistory) -> FeedHistory:
    """A feed's whole UTC days, each the sum of its buckets, and known or settled where all of them are.

    Not what the source would answer when asked for days, which may differ from its hours.
    """
    per_day = DAY // history.feed.width
    first = int(-history.starts[0] % DAY // history.feed.width) if len(history.starts) else 0
    days = max(0, len(history.starts) - first) // per_day
    whole = slice(first, first + days * per_day)

    def every(flags: Flags) -> Flags:
        found: Flags = np.logical_and.reduce(flags[whole].reshape(days, per_day), axis=1)
        return found

    feed = replace(history.feed, width=DAY)
    return FeedHistory(
        feed=feed,
        starts=history.starts[whole][::per_day],
        fetched=every(history.fetched),
        settled=every(history.settled),
        aged=every(history.aged),
        axes={axis: every(known) for axis, known in history.axes.items()},
        counts={
            replace(key, feed=feed): counts[whole].reshape(days, per_day).sum(axis=1, dtype=np.int64)
            for key, counts in history.counts.items()
        },
    )
