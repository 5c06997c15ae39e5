"""The source: does it answer, what is known of how late it is, and what it said that was odd."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from usage_watch.cli.doctor.clocks import of_clock
from usage_watch.cli.doctor.finding import SOURCE, Finding, fault, note, ok, warning
from usage_watch.cli.doctor.secrets import missing
from usage_watch.core.plain import plain
from usage_watch.core.units import spell_duration
from usage_watch.errors import SecretError, SourceError

if TYPE_CHECKING:
    from usage_watch.cli.doctor.patient import Patient
    from usage_watch.config import Config
    from usage_watch.store.examine import Oddity
    from usage_watch.views.freshness import Freshness
    from usage_watch.views.times import Reader

_SECONDS = 10.0
"""That an answer may take."""
_SHOWN = 160
"""Characters of an odd answer."""


def source(patient: Patient, reader: Reader) -> Iterator[Finding]:
    """One question, then what is stored of all that were asked before."""
    if patient.config is None:
        yield note("answer", "the source was not asked, since the rules file is wrong.")
    else:
        if absent := list(missing("key", patient.config.source, patient.environ, patient.daemon)):
            yield from absent
            yield note("answer", "the source was not asked: there is no key here to ask with.")
        else:
            yield from _asked(patient.config, patient)
    if patient.stored is not None:
        yield from (of_feed(feed, reader) for feed in patient.stored.feeds)
        yield from (of_oddity(each, reader) for each in patient.stored.oddities)


def _asked(config: Config, patient: Patient) -> Iterator[Finding]:
    from usage_watch.clock import open_clock
    from usage_watch.core.series import EVERYONE, HOUR, Feed
    from usage_watch.source.client import AnalyticsClient

    feed = next((feed for feed in config.feeds() if feed.scope == EVERYONE), Feed("credit_usage", HOUR))
    key, clock = config.source.api_key, open_clock(patient.environ)
    with AnalyticsClient(config.source.base_url, lambda: key.read(patient.environ).reveal(), deadline=_SECONDS) as it:
        asked_at = clock.now()
        try:
            for _ in it.fetch(feed, asked_at - timedelta(days=2), asked_at, asked_at):
                pass
            yield ok("answer", f"{config.source.base_url} takes the key and answers")
        except (SourceError, SecretError) as error:
            yield fault("answer", str(error), code=SOURCE)
        if it.requests:
            yield of_clock(it.answered_at, asked_at, clock.now())


def of_feed(feed: Freshness, reader: Reader) -> Finding:
    """How asking for it goes, and what was learned of it."""
    late = f"usually {_spelled(feed.usual_lag_seconds)} late{_from(feed.lag_learned_from)}"
    zeros = f"a zero is final after {_spelled(feed.zero_age_seconds)}{_from(feed.zero_age_learned_from)}"
    until = reader.last(feed.data_until, feed.bucket, "none lately")
    said = f"usage until {until}; {late}, {zeros}"
    if feed.failures:
        error = plain(feed.last_error or "", 500).rstrip(".")
        return warning(
            feed.feed,
            f"{feed.failures:,} attempts in a row failed: {error}."
            if feed.failures > 1
            else f"the last attempt failed: {error}.",
        )
    if feed.polled_at is None:
        return note(feed.feed, "was never asked for yet.")
    if feed.overdue:
        return warning(
            feed.feed,
            f"nobody has asked since {reader.moment(feed.polled_at)}; {said}.",
            "See whether the daemon runs, or the job that calls `run --once`.",
        )
    if feed.stale_from is not None:
        at = reader.last(feed.stale_from, feed.bucket, "")
        return warning(
            feed.feed,
            f"nothing since {at}, though most earlier weeks had some: the source's sync seems to stand; {late}.",
            "Wait: no zero counts as one until it is back.",
        )
    return ok(feed.feed, said)


def of_oddity(found: Oddity, reader: Reader) -> Finding:
    """Kept since it came; it may be long over."""
    said = f"{reader.moment(found.at)}: {plain(found.detail, 300).rstrip('.')}. It began: {plain(found.said, _SHOWN)}"
    do = "Look for a newer version of usage-watch; if there is none, report this line."
    return note(f"odd: {found.feed}", said, do)


def _spelled(seconds: int) -> str:
    """Nobody needs the minutes of half a day."""
    return f"{round(seconds / 3600)} h" if seconds >= 36_000 else spell_duration(timedelta(seconds=seconds))


def _from(buckets: int) -> str:
    return f" (from {buckets:,} buckets)" if buckets else " (assumed)"
