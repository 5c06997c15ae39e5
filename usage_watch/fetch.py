"""fetch -> save: ask the source for what is due, and store each answer as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Event

from usage_watch import logs
from usage_watch.core.feedstate import FeedState
from usage_watch.core.series import Feed
from usage_watch.errors import SecretError
from usage_watch.source.client import AnalyticsClient
from usage_watch.source.errors import AnalyticsError, Fault
from usage_watch.source.sync import Window, retry_after, wanted
from usage_watch.store.history import HistoryStore

Progress = Callable[[Feed, datetime], None]
"""Told after each stored answer: which feed, and until when it is read."""


def silent(feed: Feed, until_at: datetime) -> None:
    """Progress that nobody looks at."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What the rules file says about asking."""

    feeds: tuple[Feed, ...]
    keep_from: datetime
    """Where history shall begin."""
    poll_every: timedelta
    at_once: bool = False
    """Ask even what is not due yet: somebody asked for it."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one round of asking brought."""

    polled: int = 0
    """Feeds that were read to their end."""
    new: int = 0
    """Buckets that were never fetched before."""
    changed: int = 0
    """Values that were revised."""
    failures: tuple[str, ...] = ()
    """One sentence for each feed that could not be read."""


def fetch(
    client: AnalyticsClient, history: HistoryStore, asking: Asking, now: datetime, stop: Event, progress: Progress
) -> Fetched:
    """Read every feed that is due. A feed's failure is its own, unless it is the source's as a whole."""
    polled = new = changed = 0
    failures: list[str] = []
    gone: AnalyticsError | SecretError | None = None
    for state, windows in _due(history, asking, now):
        try:
            if gone is not None:
                raise gone
            for at in _read(client, history, state.feed, windows, now, stop):
                new, changed = new + at.new, changed + at.changed
                progress(state.feed, at.until_at)
        except (AnalyticsError, SecretError) as error:
            gone = error if _everywhere(error) else None
            _failed(history, state, error, now)
            failures.append(str(error))
            continue
        if stop.is_set():
            break
        history.record_poll(state.feed, now, None, None, windows[0][0])
        polled += 1
    return Fetched(polled, new, changed, tuple(dict.fromkeys(failures)))


@dataclass(frozen=True, slots=True)
class _Stored:
    new: int
    changed: int
    until_at: datetime


def _due(history: HistoryStore, asking: Asking, now: datetime) -> Iterable[tuple[FeedState, list[Window]]]:
    for feed in asking.feeds:
        state = history.state(feed)
        if asking.at_once:
            state = replace(state, polled_at=None, retry_at=None)
        if windows := wanted(state, now, asking.poll_every, asking.keep_from):
            yield state, windows


def _read(
    client: AnalyticsClient,
    history: HistoryStore,
    feed: Feed,
    windows: Iterable[Window],
    now: datetime,
    stop: Event,
) -> Iterable[_Stored]:
    for start_at, end_at in windows:
        for reading in client.fetch(feed, start_at, end_at, now):
            saved = history.save(reading, now)
            yield _Stored(saved.new, saved.changed, datetime.fromtimestamp(reading.starts[-1] + feed.width, now.tzinfo))
            if stop.is_set():
                return


def _everywhere(error: AnalyticsError | SecretError) -> bool:
    """Whether the next feed would fail alike: asking on would only cost time, or annoy a source that said wait."""
    whole = {Fault.UNAUTHORIZED, Fault.FEATURE_DISABLED, Fault.THROTTLED, Fault.UNREACHABLE}
    return isinstance(error, SecretError) or error.fault in whole


def _failed(history: HistoryStore, state: FeedState, error: AnalyticsError | SecretError, now: datetime) -> None:
    fault = error.fault if isinstance(error, AnalyticsError) else Fault.UNAUTHORIZED
    hint = error.retry_after if isinstance(error, AnalyticsError) else None
    retry_at = now + retry_after(state.failures + 1, fault, hint)
    history.record_poll(state.feed, now, str(error), retry_at)
    logs.warning("poll.failed", feed=state.feed, fault=fault, retry_at=retry_at, error=error)
