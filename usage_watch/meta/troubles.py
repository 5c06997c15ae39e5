"""Troubles with the source, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from usage_watch.core.feedstate import Gap
from usage_watch.core.incident import Happening
from usage_watch.core.message import Evidence, Fact
from usage_watch.core.units import quantity, spell_duration
from usage_watch.meta.causes import WHY, Scope, facts_of
from usage_watch.meta.polls import Trouble, needed_polls, troubles_of
from usage_watch.meta.sight import Sight
from usage_watch.meta.telling import Reader, evidence, happening, listed

HOUR = timedelta(hours=1)


def happenings(sight: Sight, reader: Reader) -> Iterator[Happening]:
    """What kept feeds from being read, or does."""
    read_at = [poll.at for poll in needed_polls(sight) if poll.fault is None]
    for trouble in troubles_of(sight, reader.now):
        if trouble.severity is not None:
            seen = _evidence(trouble, sight, _nothing_read(trouble, read_at), reader)
            yield happening(
                trouble.cause.rule, trouble.labels, trouble.severity, trouble.started_at, trouble.ended_at, seen
            )


def _nothing_read(trouble: Trouble, read_at: Sequence[datetime]) -> bool:
    """Whether no feed at all could be read, until the first of those that failed could be again."""
    ends = [run.ended_at for run in trouble.told if run.ended_at is not None]
    return not any(at >= trouble.started_at and (not ends or at < min(ends)) for at in read_at)


def _evidence(trouble: Trouble, sight: Sight, nothing_read: bool, reader: Reader) -> Evidence:
    cause, last = trouble.cause, max((run.polls[-1] for run in trouble.told), key=lambda poll: poll.at)
    attempts = len({poll.at for run in trouble.runs for poll in run.polls})
    hours = ((trouble.ended_at or reader.now) - trouble.started_at) // HOUR
    feeds = "Usage" if nothing_read else _counted(trouble, sight)
    return evidence(
        dataset="" if cause.scope is Scope.SOURCE else trouble.runs[0].feed.dataset,
        unit="hours" if cause.by_time else "attempts",
        value=hours if cause.by_time else attempts,
        limit=min(cause.levels.values()) / HOUR if cause.by_time else cause.attempts,
        from_at=trouble.started_at,
        until_at=trouble.ended_at or last.at,
        summary=cause.said.format(
            what=feeds,
            why=WHY.get(last.fault or ""),
            since=reader.time(trouble.started_at),
            attempts=quantity(attempts, "attempts"),
        ),
        facts=_facts(trouble, sight, last.detail, reader),
        after=None if trouble.ended_at is None else _after(trouble, trouble.ended_at, sight, nothing_read, reader),
    )


def _counted(trouble: Trouble, sight: Sight) -> str:
    """Which feeds, as briefly as a headline needs it."""
    feeds, every = _names(trouble), len(sight.feeds)
    if len(feeds) == every:
        return "Usage"
    return feeds[0] if len(feeds) == 1 else f"{len(feeds)} of {every} feeds"


def _names(trouble: Trouble) -> list[str]:
    return sorted({str(run.feed) for run in trouble.told})


def _facts(trouble: Trouble, sight: Sight, last_error: str | None, reader: Reader) -> Iterator[Fact]:
    states = [state for state in sight.feeds if state.feed in {run.feed for run in trouble.told}]
    if trouble.cause.scope is not Scope.FEED and len(states) < len(sight.feeds):
        yield Fact("Feeds", listed(_names(trouble)))
    if last_error is not None:
        yield Fact("Last error", last_error)
    read_at = [state.read_at for state in states if state.read_at is not None]
    yield Fact("Last read", reader.time(min(read_at)) if len(read_at) == len(states) else "never")
    retry_at = [state.retry_at for state in states if state.retry_at is not None]
    if retry_at:
        yield Fact("Asked again", reader.time(min(retry_at)))
    yield from facts_of(trouble.cause)


def _after(trouble: Trouble, ended_at: datetime, sight: Sight, nothing_read: bool, reader: Reader) -> str:
    """What was missed, and whether it was read since; or that there is no end to it."""
    others = [run.ended_by for run in trouble.runs if run.ended_by is not None and run.ended_by.fault is not None]
    if others:
        other = max(others, key=lambda poll: poll.at)
        return f"Since {reader.time(other.at)} it fails for another reason: {other.detail or other.fault}"
    feeds = _names(trouble)
    unread = "nothing was" if nothing_read else f"{listed(feeds)} {'was' if len(feeds) == 1 else 'were'} not"
    lasted = spell_duration(ended_at - trouble.started_at)
    return f"{trouble.cause.healed}: {unread} read for {lasted}; {_since(_lost(trouble, ended_at, sight))}."


def _since(lost: Sequence[Gap]) -> str:
    holes = sorted({str(gap.feed) for gap in lost})
    return f"it was all read since, but for holes in {listed(holes)}" if holes else "it was all read since"


def _lost(trouble: Trouble, ended_at: datetime, sight: Sight) -> list[Gap]:
    """What of that time was not read afterwards either."""
    feeds = {run.feed for run in trouble.runs}
    return [gap for gap in sight.gaps if gap.feed in feeds and _meet(gap, trouble.started_at, ended_at)]


def _meet(gap: Gap, start_at: datetime, end_at: datetime) -> bool:
    return gap.start_at < end_at and start_at < gap.end_at
