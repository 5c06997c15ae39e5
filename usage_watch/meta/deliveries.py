"""Channels that are not told what they should be: what is said of them goes through the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from usage_watch.core.incident import Happening, Incident
from usage_watch.core.message import Evidence, Fact, Severity
from usage_watch.core.plan import CHANNEL
from usage_watch.core.targetstate import LAGS_AFTER, GivenUp, TargetState
from usage_watch.core.units import quantity, spell_duration
from usage_watch.meta.revisions import NEWS_FOR
from usage_watch.meta.sight import Sight
from usage_watch.meta.telling import Reader, evidence, happening, listed, rule_name

BLOCKED = rule_name("delivery_blocked", "Delivery blocked")
LAGGING = rule_name("delivery_lagging", "Delivery late")
GIVEN_UP = rule_name("delivery_given_up", "Messages given up")
RULES = (BLOCKED, LAGGING, GIVEN_UP)

_MINUTE = timedelta(minutes=1)
_LASTED = (LAGS_AFTER, timedelta(hours=1), timedelta(hours=6), timedelta(days=1), timedelta(days=2))
"""How long it lasted is told in these steps, for each makes every channel correct what it shows."""


def happenings(sight: Sight, reader: Reader) -> Iterator[Happening]:
    """What keeps channels from being told, and what they will never be told."""
    for state in sight.targets:
        yield from _blocked(state, reader)
        yield from _lagging(state, sight.late_since.get(state.name), reader)
        yield from _given_up(state, reader)


def late_since(incidents: Iterable[Incident]) -> dict[str, datetime]:
    """Of which channels it is known already that their messages are late, and since when: for the next sight."""
    return {each.labels[CHANNEL]: each.started_at for each in incidents if each.open and each.rule.id == LAGGING.id}


def turns(sight: Sight) -> Iterator[datetime]:
    """The instants at which messages get late, and at which given up ones are no news any more."""
    for state in sight.targets:
        if state.blocked_from is None and state.late_from is not None:
            yield state.late_from + LAGS_AFTER
        yield from (together[-1].at + NEWS_FOR for together in _together(state.given_up))


def _blocked(state: TargetState, reader: Reader) -> Iterator[Happening]:
    since = state.blocked_from
    if since is None:
        return
    seen = _lasting(
        since,
        limit=timedelta(),
        summary=f"has taken nothing since {reader.time(since)}, and will not before something is changed",
        facts=(
            *_standing(state, reader),
            Fact("What it means", "Messages are kept in order; what still waits after 72 h is given up"),
            Fact(
                "What to do",
                "Mend it; it is tried again every hour by itself, and at once after "
                f"`usage-watch channels test {state.name}`",
            ),
        ),
        after="It takes messages again, and gets what waited, in order; or it was changed, or left the rules file.",
        reader=reader,
    )
    yield happening(BLOCKED, {CHANNEL: state.name}, Severity.WARNING, since, None, seen)


def _lagging(state: TargetState, known_since: datetime | None, reader: Reader) -> Iterator[Happening]:
    """Late messages of a channel that fails. Once it is blocked, that says more, and this ends without a word."""
    since, blocked_from = _late_from(state, known_since, reader.now), state.blocked_from
    if since is None:
        return
    what = "open alerts have not been told again" if state.waiting_from is None else "messages have waited"
    after = "Nothing waits that long any more: it was sent, or given up, or the channel left the rules file."
    if blocked_from is not None:
        after = f"It takes nothing at all since {reader.time(blocked_from)}, which is an alert of its own."
    seen = _lasting(
        since,
        limit=LAGS_AFTER,
        summary=f"{what} since {reader.time(since)}, over the limit of {spell_duration(LAGS_AFTER)}",
        facts=(
            *_standing(state, reader),
            Fact(
                "What it means",
                "Messages are kept in order and sent when it answers again; none is lost before 72 h",
            ),
            Fact("What to do", "If this stays, check this machine's network, DNS and proxy, and the channel's address"),
        ),
        after=after,
        reader=reader,
    )
    ended_at = None if blocked_from is None else max(blocked_from, since)
    yield happening(LAGGING, {CHANNEL: state.name}, Severity.WARNING, since, ended_at, seen, quiet=ended_at is not None)


def _late_from(state: TargetState, known_since: datetime | None, now: datetime) -> datetime | None:
    """Since when messages are late; None where they are not.

    It begins with an old message while attempts fail: after a stop, or once a blocked channel is mended, what is old
    is on its way. It ends when nothing old waits and attempts succeed: neither one success of many attempts nor a
    message that is put anew, and so looks young, is an end.
    """
    failing, oldest_at = state.failing_from is not None, state.late_from
    if oldest_at is None:
        return None
    old = now - oldest_at >= LAGS_AFTER
    if known_since is not None:
        return known_since if old or failing else None
    return oldest_at if old and failing and state.blocked_from is None else None


def _given_up(state: TargetState, reader: Reader) -> Iterator[Happening]:
    """Open for a day after the last, and quiet when that is over."""
    for together in _together(state.given_up):
        ends_at = together[-1].at + NEWS_FOR
        ended_at = ends_at if ends_at <= reader.now else None
        seen = _lost(state.name, together, reader)
        yield happening(GIVEN_UP, {CHANNEL: state.name}, Severity.WARNING, together[0].at, ended_at, seen, quiet=True)


def _together(given_up: Iterable[GivenUp]) -> Iterator[list[GivenUp]]:
    """Those that were given up within a day of the one before."""
    together: list[GivenUp] = []
    for each in given_up:
        if together and together[-1].at + NEWS_FOR < each.at:
            yield together
            together = []
        together.append(each)
    if together:
        yield together


def _lost(channel: str, together: Sequence[GivenUp], reader: Reader) -> Evidence:
    first_at, last = together[0].at, together[-1]
    return evidence(
        unit="messages",
        value=len(together),
        limit=0,
        from_at=first_at,
        until_at=last.at,
        summary=f"{quantity(len(together), 'messages')} given up since {reader.time(first_at)}, and not sent again",
        facts=(
            Fact("About", listed(sorted({each.rule for each in together}))),
            Fact("Why" if len(together) == 1 else "Why the last", last.detail),
            Fact("What it means", "What they said was not told there"),
            Fact(
                "What to do",
                "Look at `usage-watch status` and `usage-watch alerts`; after mending, "
                f"`usage-watch channels test {channel}` says anew what is still true",
            ),
        ),
        after=None,
    )


def _lasting(
    since: datetime, *, limit: timedelta, summary: str, facts: Iterable[Fact], after: str, reader: Reader
) -> Evidence:
    """Evidence of what goes on; up to the last step that it passed, so that no cycle changes it."""
    lasted = max((step for step in _LASTED if step <= reader.now - since), default=timedelta())
    return evidence(
        unit="minutes",
        value=lasted / _MINUTE,
        limit=limit / _MINUTE,
        from_at=since,
        until_at=since + lasted,
        summary=summary,
        facts=facts,
        after=after,
    )


def _standing(state: TargetState, reader: Reader) -> Iterator[Fact]:
    if state.last_error is not None:
        yield Fact("Last error", state.last_error)
    oldest = "" if state.waiting_from is None else f", the oldest since {reader.time(state.waiting_from)}"
    yield Fact("Waiting", f"{quantity(state.waiting, 'messages')}{oldest}")
    if state.unstated_from is not None:
        since = reader.time(state.unstated_from)
        yield Fact("Open alerts", f"not told again since {since}: what is not told for 20 min is over there")
