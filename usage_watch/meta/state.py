"""What is seen as it stands, and has ended once it is not seen any more."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

from usage_watch.core.feedstate import FeedState, Gap
from usage_watch.core.incident import Happening
from usage_watch.core.message import Evidence, Fact, Severity
from usage_watch.core.series import DAY, HOUR, Feed
from usage_watch.core.settling import STALE_AFTER
from usage_watch.core.units import from_epoch, number, quantity, spell_duration, to_epoch
from usage_watch.meta.causes import SCHEMA_DRIFT
from usage_watch.meta.sight import Sight
from usage_watch.meta.telling import Reader, evidence, happening, listed, rule_name

STALE = rule_name("stale_frontier", "Sync seems to stand")
GAP = rule_name("history_gap", "Hole in the history")
LIMIT = rule_name("limit_hit", "Series left out")
UNWORDED = rule_name("template_error", "Own words not filled in")
RULES = (STALE, GAP, LIMIT, UNWORDED)


def happenings(sight: Sight, reader: Reader) -> Iterator[Happening]:
    """What stands wrong now."""
    yield from _stale(sight, reader)
    yield from _holes(sight, reader)
    yield from _left_out(sight, reader)
    yield from _unworded(sight, reader)
    yield from _unread(sight, reader)


def _stale(sight: Sight, reader: Reader) -> Iterator[Happening]:
    """One of each dataset. A single member may rest while everyone else works: their feeds say nothing of the sync."""
    found = [(at, state) for state in sight.feeds if (at := state.stale_from) is not None and not state.feed.member]
    speaking: dict[str, tuple[datetime, FeedState]] = {}
    for at, state in sorted(found, key=lambda each: (each[0], each[1].feed)):
        speaking.setdefault(state.feed.dataset, (at, state))
    for at, state in speaking.values():
        yield _stands(at, state, reader)


def _stands(stale_from: datetime, state: FeedState, reader: Reader) -> Happening:
    dataset, lag = state.feed.dataset, state.learned.usual_lag
    read_at = state.read_at or reader.now
    said = f"no usage since {reader.time(stale_from)}, though there was in most earlier weeks"
    seen = evidence(
        dataset=dataset,
        unit="hours",
        value=(read_at - stale_from) // timedelta(hours=1),
        limit=max(2 * lag, STALE_AFTER) / HOUR,
        from_at=stale_from,
        until_at=read_at,
        summary=f"{said}: the source's sync seems to stand",
        facts=(
            Fact("Usually late by", spell_duration(timedelta(seconds=lag))),
            Fact("What it means", "Zeros settle nothing: rules on too little wait, those on too much go on"),
            Fact("What to do", "Nothing, if nobody worked; if people did, the source is late: tell its support"),
        ),
        after="Usage came in again, or no rule asks for it any more: what waited for it is judged now.",
    )
    return happening(STALE, {"Dataset": dataset}, Severity.WARNING, stale_from, None, seen)


def _holes(sight: Sight, reader: Reader) -> Iterator[Happening]:
    """One of each feed, of all its holes: they are told apart by nothing that lasts."""
    needed = {state.feed for state in sight.feeds}
    by_feed: dict[Feed, list[Gap]] = defaultdict(list)
    for gap in sorted(sight.gaps, key=lambda gap: gap.start_at):
        if gap.feed in needed:
            by_feed[gap.feed].append(gap)
    for feed, gaps in by_feed.items():
        yield _missing(feed, gaps, reader)


def _missing(feed: Feed, gaps: list[Gap], reader: Reader) -> Happening:
    unit = "hours" if feed.width == HOUR else "days"
    missing = sum((gap.end_at - gap.start_at) // timedelta(seconds=feed.width) for gap in gaps)
    spans = [reader.buckets(feed, gap.start_at, gap.end_at) for gap in gaps]
    seen = evidence(
        dataset=feed.dataset,
        unit=unit,
        value=missing,
        limit=0,
        from_at=gaps[0].start_at,
        until_at=gaps[-1].end_at,
        summary=f"{quantity(missing, unit)} of history missing, and given up after a week: {listed(spans)}",
        facts=(
            Fact("What it means", "Budgets and sums over that time count a lower bound; nothing is learned from it"),
            Fact("What to do", "Nothing: what the source still answers is read by itself, within a day"),
        ),
        after="It was filled, or is out of the source's reach for good (90 days), or no rule needs it any more.",
    )
    return happening(GAP, {"Feed": str(feed)}, Severity.WARNING, gaps[0].start_at, None, seen)


def _left_out(sight: Sight, reader: Reader) -> Iterator[Happening]:
    """One of each rule. Nothing tells since when."""
    for rule_id, count in sight.left_out.items():
        if count > 0:
            seen = _today(
                reader,
                unit="series left out",
                value=count,
                summary=f"{number(count)} series not watched: there are more than the rule's `max_series`",
                facts=(
                    Fact("What it means", "The largest are watched; what happens in the others is not seen"),
                    Fact("What to do", "Raise `max_series` of the rule, or narrow what it watches"),
                ),
                after="All of its series are watched now, or the rule is gone.",
            )
            yield happening(LIMIT, {"Rule": rule_id}, Severity.WARNING, reader.now, None, seen)


def _unworded(sight: Sight, reader: Reader) -> Iterator[Happening]:
    """One of each rule. Nothing tells since when."""
    for rule_id, why in sight.unworded.items():
        seen = _today(
            reader,
            unit="rules",
            value=1,
            summary="its `title` or `text` cannot be filled in: messages go without them",
            facts=(
                Fact("Why", why),
                Fact("What it means", "Its messages are sent in the built-in words, and with its id for a title"),
                Fact("What to do", "Correct `title` and `text` of the rule; `usage-watch check` renders every message"),
            ),
            after="Its words can be filled in again, or the rule is gone, or had no alert for 90 days.",
        )
        yield happening(UNWORDED, {"Rule": rule_id}, Severity.WARNING, reader.now, None, seen)


def _unread(sight: Sight, reader: Reader) -> Iterator[Happening]:
    """One of each dataset, of all its names. Nothing tells since when."""
    for dataset, labels in sight.unread_bands.items():
        names = [json.dumps(label, ensure_ascii=False) for label in labels]
        if names:
            bands = f"{quantity(len(names), 'duration bands')} with a name that says no time"
            seen = _today(
                reader,
                unit="duration bands",
                value=len(names),
                summary=f"{bands}: {listed(names)}; what holds such tasks is not judged",
                facts=(
                    Fact("What to do", f"Write under `bands` in the rules file how long they took: {_named(names[0])}"),
                    Fact("Or", f"{names[0]}: off, if it is none that should count; `usage-watch check` lists them all"),
                    Fact("What it means", "Rules on how long tasks take wait: nothing fires on it, and nothing ends"),
                ),
                after="All bands of the last days can be read, or no rule asks for them any more.",
            )
            yield happening(SCHEMA_DRIFT, {"Dataset": dataset}, Severity.WARNING, reader.now, None, seen)


def _named(name: str) -> str:
    return f"bands: {{{name}: [1m, 5m]}}, with its own times; [1h] for all that took longer"


def _today(reader: Reader, *, unit: str, value: float, summary: str, facts: tuple[Fact, ...], after: str) -> Evidence:
    """Evidence of what has no time of its own: of the UTC day, so that no cycle changes it."""
    today = from_epoch(to_epoch(reader.now) // DAY * DAY)
    return evidence(
        unit=unit,
        value=value,
        limit=0,
        from_at=today,
        until_at=today + timedelta(days=1),
        summary=summary,
        facts=facts,
        after=after,
    )
