"""How fresh each feed is: until when there is usage, until when it is settled, and how asking for it goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from usage_watch.core.plain import plain
from usage_watch.core.units import quantity, spell_duration

if TYPE_CHECKING:
    from usage_watch.config import Config
    from usage_watch.core.feedstate import FeedState
    from usage_watch.store.database import Database
    from usage_watch.views.times import Reader

_LOOKED_BACK = timedelta(days=14)
"""How far back the newest usage is looked for."""
_GRACE = timedelta(hours=1)
"""How late a poll may be before anybody is told: `run --once` may come by the hour."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """One feed that the rules need; its names are those of `status --json`."""

    feed: str
    dataset: str
    bucket: str
    scope: str
    """`everyone`, `each-member` or one member's email."""
    data_until: datetime | None
    """End of the newest bucket with usage; None where the last two weeks have none."""
    settled_until: datetime | None
    """Until when nothing is expected to change any more."""
    polled_at: datetime | None
    next_poll_at: datetime
    overdue: bool
    """It should have been asked an hour ago: nothing asks any more."""
    stale_from: datetime | None
    """End of the newest bucket with usage, while the sync seems to stand; None while it runs."""
    usual_lag_seconds: int
    """From a bucket's end to its first usage; assumed until learned."""
    lag_learned_from: int
    """Buckets; 0 while assumed."""
    zero_age_seconds: int
    """How long after its end a bucket without usage counts as zero; assumed until learned."""
    zero_age_learned_from: int
    """Buckets; 0 while assumed."""
    failures: int
    """Failed attempts in a row."""
    last_error: str | None


def fresh(config: Config, database: Database, now: datetime) -> list[Freshness]:
    """Every feed that the enabled rules need, asked already or not."""
    from usage_watch.store.gauges import GaugeStore
    from usage_watch.store.history import HistoryStore

    history, feeds = HistoryStore(database), config.feeds()
    until = GaugeStore(database).data_until(feeds)
    return [_freshness(history.state(feed), until[feed], config.source.poll_every, now) for feed in feeds]


def _freshness(state: FeedState, newest: int | None, poll_every: timedelta, now: datetime) -> Freshness:
    from usage_watch.core.series import HOUR
    from usage_watch.source.sync import due_at

    feed, due = state.feed, due_at(state, now, poll_every)
    until = None if newest is None else datetime.fromtimestamp(newest, UTC)
    return Freshness(
        feed=str(feed),
        dataset=feed.dataset,
        bucket="1h" if feed.width == HOUR else "1d",
        scope=feed.scope,
        data_until=None if until is None or until <= now - _LOOKED_BACK else until,
        settled_until=state.frontier_at,
        polled_at=state.polled_at,
        next_poll_at=due,
        overdue=state.polled_at is not None and now - due > max(_GRACE, poll_every),
        stale_from=state.stale_from,
        usual_lag_seconds=state.learned.usual_lag,
        lag_learned_from=state.learned.lag_from,
        zero_age_seconds=state.learned.zero_age,
        zero_age_learned_from=state.learned.zeros_from,
        failures=state.failures,
        last_error=state.last_error,
    )


def learned(seconds: int, buckets: int) -> str:
    """`4 h (from 120 buckets)`, `4 h, until learned`."""
    # Nobody needs the minutes of half a day.
    spelled = f"{round(seconds / 3600)} h" if seconds >= 36_000 else spell_duration(timedelta(seconds=seconds))
    return f"{spelled} (from {buckets:,} buckets)" if buckets else f"{spelled}, until learned"


def state_of(feed: Freshness) -> str:
    """`fine`, or in a word what is wrong with reading it."""
    if feed.failures:
        return "failing"
    if feed.polled_at is None:
        return "new"
    if feed.stale_from is not None:
        return "stale"
    return "overdue" if feed.overdue else "fine"


def complaints(feeds: Iterable[Freshness], reader: Reader) -> list[str]:
    """A sentence for each thing that is wrong, and what to do: once, however many feeds it is true of."""
    return [*dict.fromkeys(_complaints(feeds, reader))]


def _complaints(feeds: Iterable[Freshness], reader: Reader) -> Iterator[str]:
    for feed in feeds:
        if feed.overdue:
            yield (
                f"Nothing has asked since {reader.moment(feed.polled_at)}: "
                "is `usage-watch run` running, or the job that calls `run --once`?"
            )
        if feed.stale_from is not None and not feed.failures:
            yield (
                f"No {feed.dataset} since {reader.last(feed.stale_from, feed.bucket, '')}, though most earlier weeks "
                "had some: the source's sync seems to stand. Until it is back, no zero counts as one."
            )
        if feed.failures:
            again = "" if feed.overdue else f", again at {reader.moment(feed.next_poll_at)}"
            error = plain(feed.last_error or "", 500).rstrip(".")
            yield f"After {quantity(feed.failures, 'failed attempts')}{again}: {error}."
