"""Totals that changed by much after they had been taken for final."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from usage_watch.core.datasets import DATASETS
from usage_watch.core.feedstate import LargeRevision
from usage_watch.core.incident import Happening
from usage_watch.core.message import Evidence, Fact, Severity
from usage_watch.core.series import Feed
from usage_watch.core.units import quantity
from usage_watch.meta.sight import Sight
from usage_watch.meta.telling import Reader, evidence, happening, rule_name

RULE = rule_name("large_revision", "Final numbers revised")
NEWS_FOR = timedelta(hours=24)
"""So long it stays open; what is revised meanwhile belongs to it."""


def happenings(sight: Sight, reader: Reader) -> Iterator[Happening]:
    """What was revised: open for a day after the last, and quiet when that is over."""
    for together in _together(sight):
        ends_at = together[-1].at + NEWS_FOR
        ended_at = ends_at if ends_at <= reader.now else None
        labels = {"Feed": str(together[0].feed)}
        yield happening(RULE, labels, Severity.INFO, together[0].at, ended_at, _evidence(together, reader), quiet=True)


def ends(sight: Sight) -> list[datetime]:
    """When each is over."""
    return [together[-1].at + NEWS_FOR for together in _together(sight)]


def _together(sight: Sight) -> Iterator[list[LargeRevision]]:
    """Revisions of a feed that came within a day of the one before."""
    needed = {state.feed for state in sight.feeds}
    by_feed: dict[Feed, list[LargeRevision]] = defaultdict(list)
    for revision in sorted(sight.revisions, key=lambda revision: revision.at):
        feed = revision.feed
        if feed in by_feed and by_feed[feed][-1].at + NEWS_FOR < revision.at:
            yield by_feed.pop(feed)
        if feed in needed:
            by_feed[feed].append(revision)
    yield from by_feed.values()


def _evidence(together: Sequence[LargeRevision], reader: Reader) -> Evidence:
    """The largest of them speaks."""
    largest = max(together, key=lambda revision: abs(revision.after - revision.before))
    feed, known = largest.feed, DATASETS.get(largest.feed.dataset)
    unit = known.unit if known else "units"
    until_at = largest.bucket_at + timedelta(seconds=feed.width)
    others = len({revision.bucket_at for revision in together}) - 1
    said = f"{quantity(largest.before, unit)} turned out to be {quantity(largest.after, unit)}"
    return evidence(
        dataset=feed.dataset,
        unit=unit,
        value=largest.after,
        limit=largest.before,
        from_at=largest.bucket_at,
        until_at=until_at,
        summary=f"{said}, once taken for final: {reader.buckets(feed, largest.bucket_at, until_at)}",
        facts=(
            *([Fact("Revised too", f"{others} more of its totals")] if others else []),
            Fact("What it means", "What was told of that time is judged anew; counts settle later from now on"),
        ),
        after=None,
    )
