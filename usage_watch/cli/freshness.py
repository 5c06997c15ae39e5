"""How fresh each feed is, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from usage_watch.cli.common.printing import print_table
from usage_watch.views.freshness import complaints, learned, state_of

if TYPE_CHECKING:
    from usage_watch.views.freshness import Freshness
    from usage_watch.views.times import Reader


def print_lateness(feeds: Sequence[Freshness]) -> None:
    """A line a feed: how late the source is, as far as it was watched."""
    heads = ("feed", "usual lag", "a zero is final after")
    rows = (
        (
            feed.feed,
            learned(feed.usual_lag_seconds, feed.lag_learned_from),
            learned(feed.zero_age_seconds, feed.zero_age_learned_from),
        )
        for feed in feeds
    )
    print_table(heads, rows, "")


def print_freshness(feeds: Sequence[Freshness], reader: Reader) -> None:
    """A line a feed, and a sentence for each thing that is wrong."""
    heads = ("feed", "usage until", "settled until", "asked", "state")
    print_table(heads, (_row(feed, reader) for feed in feeds), "Nothing is asked for: no rule is enabled.")
    for sentence in complaints(feeds, reader):
        click.echo(sentence)


def _row(feed: Freshness, reader: Reader) -> tuple[str, ...]:
    return (
        feed.feed,
        reader.last(feed.data_until, feed.bucket, "none lately" if feed.polled_at else "nothing yet"),
        reader.last(feed.settled_until, feed.bucket, "nothing yet"),
        reader.moment(feed.polled_at),
        state_of(feed),
    )
