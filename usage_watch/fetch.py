"""fetch -> save: ask the source for what is due, and store each answer as it comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Event

from usage_watch import logs
from usage_watch.core.feedstate import FeedState
from usage_watch.core.lookup import Lookup
from usage_watch.core.series import Feed
from usage_watch.errors import SecretError
from usage_watch.source.client import AnalyticsClient
from usage_watch.source.errors import AnalyticsError, Fault, member_gone
from usage_watch.source.sync import Window, poll_every_of, retry_after, wanted
from usage_watch.store.history import HistoryStore
from usage_watch.store.lookups import LookupStore

CLOCKS_APART = timedelta(minutes=10)
"""How far the machine's clock may be ahead of the source's before the source's is trusted more."""

TURN = 30.0
"""Seconds after which a long round of asking is broken off, so that in between is judged, told and listened."""

LONG = timedelta(days=7)
"""What asks for more than that is a backfill."""

Progress = Callable[[Feed, datetime], None]
"""Told after each stored answer: which feed, and until when it is read; and after each feed that failed, with `now`."""


def silent(feed: Feed, until_at: datetime) -> None:
    """Progress that nobody looks at."""


class Turn:
    """How long a round of asking may go on; what it leaves is due at once in the next."""

    def __init__(self, stop: Event, seconds: float = TURN, ticks: Callable[[], float] = time.monotonic) -> None:
        """`ticks`: seconds that no clock on the wall can move."""
        self._stop, self._ticks = stop, ticks
        self._until = ticks() + seconds

    def is_over(self) -> bool:
        """Whether nothing more is to be asked for."""
        return self._stop.is_set() or self._ticks() > self._until

    def breaks_off(self, windows: Sequence[Window]) -> bool:
        """Whether to leave what is being read, too: a backfill goes on where it was, a poll would begin anew."""
        span = sum((end_at - start_at for start_at, end_at in windows), timedelta())
        return self._stop.is_set() or (span > LONG and self.is_over())


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

    asked: int = 0
    """Feeds that were due."""
    polled: int = 0
    """Those of them that were read to their end."""
    new: int = 0
    """Buckets that were never fetched before."""
    changed: int = 0
    """Values that were revised."""
    failures: tuple[str, ...] = ()
    """One sentence for each feed that could not be read."""


def fetch(
    client: AnalyticsClient, history: HistoryStore, asking: Asking, now: datetime, turn: Turn, progress: Progress
) -> Fetched:
    """Read every feed that is due. A feed's failure is its own, unless it is the source's as a whole."""
    asked = polled = new = changed = 0
    failures: list[str] = []
    gone: AnalyticsError | SecretError | None = None
    back: list[FeedState] = []
    opened = client.open_for
    for state, windows in _due(history, asking, now):
        asked += 1
        try:
            if gone is not None:
                raise gone
            for at in _read(client, history, state.feed, windows, now, turn):
                new, changed = new + at.new, changed + at.changed
                progress(state.feed, at.until_at)
        except (AnalyticsError, SecretError) as error:
            error = _closer(client, state.feed, error, now)
            gone = error if _everywhere(error) else None
            retry_at = _failed(history, state, error, now, client.open_for - opened)
            _log_failure(state, error, retry_at, failures)
            failures.append(str(error))
            progress(state.feed, now)
            continue
        if turn.breaks_off(windows):
            break
        poll_every = poll_every_of(state.feed, asking.poll_every)
        history.read_up(state.feed, now, seen_at(client, now), poll_every, windows[0][0])
        polled += 1
        back += [state] * (state.failures > 0)
        if turn.is_over():
            break
    _log_recovery(back)
    return Fetched(asked, polled, new, changed, tuple(dict.fromkeys(failures)))


def look_up(client: AnalyticsClient, history: HistoryStore, store: LookupStore, now: datetime, stop: Event) -> int:
    """Ask for the hours of members that are wanted once; how many were asked for.

    A member whom the source refuses is left out. Where it does not answer at all, what is left is tried again later,
    and given up when it is no use any more. None of this is a poll: nobody is alerted to a failure of it.
    """
    asked = 0
    for lookup in store.waiting(now):
        if lookup.retry_at is not None and lookup.retry_at > now:
            continue
        for feed in lookup.feeds[lookup.asked :]:
            if stop.is_set():
                return asked
            error = _asked_once(client, history, feed, lookup, now)
            if error is not None and _everywhere(error):
                for left in store.waiting(now):
                    store.failed(left.incident_id, now + _wait(left.failures + 1, error))
                logs.event("lookup.failed", level=logs.level_of(known=lookup.failures > 0), error=error)
                return asked
            store.asked(lookup.incident_id)
            asked += 1
        logs.debug("lookup.done", incident=lookup.incident_id, members=len(lookup.feeds))
    return asked


def _asked_once(
    client: AnalyticsClient, history: HistoryStore, feed: Feed, lookup: Lookup, now: datetime
) -> AnalyticsError | SecretError | None:
    try:
        for reading in client.fetch(feed, lookup.from_at, lookup.until_at, now):
            history.save(reading, seen_at(client, now))
    except (AnalyticsError, SecretError) as error:
        return error
    return None


def seen_at(client: AnalyticsClient, now: datetime) -> datetime:
    """When an answer was given: by the source's own clock where this machine's is well ahead of it.

    A clock that jumped ahead would make every zero look old enough to be final.
    """
    answered_at = client.answered_at
    return answered_at if answered_at is not None and now - answered_at > CLOCKS_APART else now


@dataclass(frozen=True, slots=True)
class _Stored:
    new: int
    changed: int
    until_at: datetime


def _due(history: HistoryStore, asking: Asking, now: datetime) -> Iterable[tuple[FeedState, list[Window]]]:
    for feed in asking.feeds:
        if history.forgets(feed):
            continue
        state = history.state(feed)
        if asking.at_once:
            state = replace(state, polled_at=None, retry_at=None)
        if windows := wanted(state, now, asking.poll_every, asking.keep_from, history.unread(feed)):
            yield state, windows


def _read(
    client: AnalyticsClient,
    history: HistoryStore,
    feed: Feed,
    windows: Sequence[Window],
    now: datetime,
    turn: Turn,
) -> Iterable[_Stored]:
    for start_at, end_at in windows:
        for reading in client.fetch(feed, start_at, end_at, now):
            saved = history.save(reading, seen_at(client, now))
            yield _Stored(saved.new, saved.changed, datetime.fromtimestamp(reading.starts[-1] + feed.width, now.tzinfo))
            if turn.breaks_off(windows):
                return


def _closer(
    client: AnalyticsClient, feed: Feed, error: AnalyticsError | SecretError, now: datetime
) -> AnalyticsError | SecretError:
    """A closer look at a refusal: the source says the same of a member who left and of a question without answer."""
    if feed.member is None or not isinstance(error, AnalyticsError) or error.fault is not Fault.REFUSED:
        return error
    try:
        return member_gone(feed) if client.answers_for_everyone(feed, now, now) else error
    except (AnalyticsError, SecretError) as other:
        return other


def _everywhere(error: AnalyticsError | SecretError) -> bool:
    """Whether the next feed would fail alike: asking on would only cost time, or annoy a source that said wait."""
    whole = {Fault.UNAUTHORIZED, Fault.FEATURE_DISABLED, Fault.THROTTLED, Fault.UNREACHABLE}
    return isinstance(error, SecretError) or error.fault in whole


def _wait(failures: int, error: AnalyticsError | SecretError, since: timedelta = timedelta()) -> timedelta:
    if isinstance(error, SecretError):
        return retry_after(failures, Fault.UNAUTHORIZED)
    hint = error.retry_after
    return retry_after(failures, error.fault, None if hint is None else hint + since)


def _failed(
    history: HistoryStore, state: FeedState, error: AnalyticsError | SecretError, now: datetime, since: timedelta
) -> datetime:
    """When it is asked again. `since`: how long ago it was `now`; a `Retry-After` counts from its answer."""
    retry_at = now + _wait(state.failures + 1, error, since)
    history.failed(state.feed, now, _fault(error), str(error), retry_at)
    if isinstance(error, AnalyticsError) and error.body:
        history.keep_oddity(state.feed, now, str(error), error.body)
    return retry_at


def _fault(error: AnalyticsError | SecretError) -> Fault:
    return error.fault if isinstance(error, AnalyticsError) else Fault.UNAUTHORIZED


def _log_failure(
    state: FeedState, error: AnalyticsError | SecretError, retry_at: datetime, others: Collection[str]
) -> None:
    """`others`: what other feeds of this round failed of. What is known of this one, or of them, is not said again."""
    level = logs.level_of(known=str(error) == state.last_error or str(error) in others)
    logs.event("feed.failed", level=level, feed=state.feed, fault=_fault(error), retry_at=retry_at, error=error)


def _log_recovery(back: Sequence[FeedState]) -> None:
    """`back`: feeds that were read, as they had failed before."""
    if back:
        failures = max(state.failures for state in back)
        logs.event("feed.recovered", feed=back[0].feed, feeds=len(back), failures=failures)
