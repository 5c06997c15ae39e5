"""However often one looks, the same happened: what began and ended between two looks is told, and nothing is lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.meta.making import ANA, BERLIN, DAYS, HOURS, LETTERS, minute, polls, seen
from usage_watch.core.feedstate import FeedState, Poll
from usage_watch.core.incident import Happening, Incident, ended_here, reconcile
from usage_watch.meta import Sight, happenings

FEEDS = (HOURS, DAYS, ANA)

polled = st.builds(
    lambda feed, fault, gap: (feed, fault, gap),
    st.sampled_from(FEEDS),
    st.sampled_from(("u", "u", "u", "s", "t", "k", "d", "m", ".")).map(LETTERS.get),
    st.sampled_from((0, 1, 7, 20, 60, 300)),
)


def as_polls(outcomes: Iterable[tuple]) -> list[Poll]:
    at, found = minute(0), []
    for feed, fault, gap in outcomes:
        at += timedelta(minutes=gap)
        found.append(Poll(feed, at, fault, fault and f"It failed ({fault})"))
    return found


def look(every: Sequence[Poll], now: datetime) -> list[Happening]:
    sight = Sight(polls=[poll for poll in every if poll.at <= now], feeds=[FeedState(feed) for feed in FEEDS])
    return happenings(sight, BERLIN, now)


def committed(found: Iterable[Happening], stored: Iterable[Incident], now: datetime) -> list[Incident]:
    """As `assess` matches what happened to the watcher itself."""
    happened, before = defaultdict(list), defaultdict(list)
    for happening in found:
        happened[happening.fingerprint].append(happening)
    for incident in stored:
        before[incident.fingerprint].append(incident)
    return [
        incident
        for each in {**before, **happened}
        for whole in [ended_here(happened[each], before[each], now)]
        for incident in reconcile(whole, before[each], now, datetime.min.replace(tzinfo=UTC), False, lambda _: "", now)
    ]


def extents(items: Iterable[Happening | Incident]) -> set[tuple]:
    return {(item.fingerprint, item.started_at, item.ended_at, item.severity) for item in items}


@given(st.lists(polled, max_size=40), st.lists(st.integers(0, 2000), max_size=3))
def test_looking_in_between_changes_nothing_of_what_is_known_in_the_end(
    outcomes: list[tuple], looks: list[int]
) -> None:
    every = as_polls(outcomes)
    end = max([poll.at for poll in every], default=minute(0)) + timedelta(hours=1)
    stored: list[Incident] = []
    for now in [*sorted(at for looked in looks if (at := minute(looked)) < end), end]:
        stored = committed(look(every, now), stored, now)
    assert extents(stored) == extents(look(every, end))


@given(st.lists(polled, max_size=40), st.integers(0, 2000), st.integers(0, 2000))
def test_what_was_found_is_found_again_later_no_shorter_and_no_milder(
    outcomes: list[tuple], earlier: int, between: int
) -> None:
    every, first, second = as_polls(outcomes), minute(earlier), minute(earlier + between)
    later = look(every, second)
    for happening in look(every, first):
        [same] = [
            each
            for each in later
            if each.fingerprint == happening.fingerprint
            and each.started_at == happening.started_at
            and each.rank >= happening.rank
        ]
        assert same.ended_at == happening.ended_at or happening.ended_at is None


def test_what_the_window_cuts_off_at_its_start_is_still_the_same_incident() -> None:
    whole = seen(polls("uuuuuuuuuu."))
    now = minute(300)
    [stored] = committed(happenings(whole, BERLIN, now), [], now)
    cut = replace(whole, polls=whole.polls[5:])
    assert committed(happenings(cut, BERLIN, now), [stored], now + timedelta(days=2)) == [stored]
