"""Late, partial, revised and missing numbers in any order: what is true in the end does not depend on how it came.

A small world in memory, folded by the real functions of the core: how buckets age and settle, what is found, what is
told. The ledger does what the store does.
"""

from __future__ import annotations

import os
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from itertools import repeat
from multiprocessing import get_context

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.builders import HOURLY, START, at, key
from tests.rules.making import UTC_FILE, made
from tests.telling import desk_of
from usage_watch.assess import REACH, Ledger, Outcome, assess, known_from, midnight_of
from usage_watch.core.aging import Aging, seen_again, seen_first
from usage_watch.core.incident import Incident, RuleRecord
from usage_watch.core.message import Reason
from usage_watch.core.promise import Told
from usage_watch.core.series import HOUR, FeedHistory, History
from usage_watch.core.settling import GIVEN_UP_AFTER, NEVER, Learned, Watch, learn, settle
from usage_watch.core.units import from_epoch, to_epoch
from usage_watch.meta import Sight
from usage_watch.rules import Rule

MODELS = ("Model=a", "Model=b")
BEGIN = to_epoch(START)
ROUTES = {"warning": ["ops", "board"], "critical": ["ops", "board", "pager"]}
DESK = desk_of({"it": ROUTES})

Row = tuple[int, int]
"""What one bucket holds of the two models."""


# ---- the world ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Poll:
    """What the source answered, and when."""

    at: int
    first: int
    """The oldest bucket that was asked for."""
    rows: tuple[Row, ...]
    """Every bucket from there to the newest."""
    stale: bool
    """Whether the sync seemed to stand."""


@dataclass(frozen=True)
class World:
    """A rule, and every poll until all is settled."""

    rule: Rule
    zero_age: int
    polls: tuple[Poll, ...]
    """The last one asks for all in reach, when the last revision is in and no bucket can change any more."""
    reach: timedelta = REACH
    """How far back is asked for and judged."""

    @property
    def judged_from(self) -> int:
        """Where the last poll begins to judge, unless something is open."""
        return to_epoch(midnight_of(from_epoch(self.polls[-1].at) - self.reach))


@dataclass(frozen=True)
class Source:
    """What each bucket holds from when on, and when the sync stood."""

    versions: Sequence[Sequence[tuple[int, Row]]]
    stop: tuple[int, int]

    def answer(self, first: int, now: int) -> Poll:
        newest = min((now - BEGIN) // HOUR + 1, len(self.versions))
        first = min(first, newest - 1)
        stands = self.stop[0] <= now < self.stop[1]
        seen = self.stop[0] if stands else now
        rows = tuple(_held(self.versions[index], seen) for index in range(first, newest))
        return Poll(now, first, rows, stands and now - self.stop[0] > 6 * HOUR)


def _held(versions: Sequence[tuple[int, Row]], seen: int) -> Row:
    return next((row for since, row in reversed(versions) if since <= seen), (0, 0))


def a_world(dice: random.Random, hours: tuple[int, int], reach: timedelta) -> World:
    """Any of them, of so many hours from and to; `dice` decides everything."""
    n = dice.randint(*hours)
    ends = BEGIN + n * HOUR + GIVEN_UP_AFTER
    rule = _rule(
        dice.choice(["above", "above", "below", "share"]),
        *(dice.choice([1, 1, 2, 3]) for _ in range(3)),
        dice.random() < 0.4,
    )
    stop = BEGIN + dice.randint(0, (n + 20) * HOUR)
    source = Source(
        [_versions(dice, BEGIN + index * HOUR, ends) for index in range(n)],
        (stop, min(ends, stop + dice.choice([0, 0, 5, 12, 30]) * HOUR)),
    )
    begins = dice.choice([0, 0, n])
    times = {BEGIN + dice.randint(begins, n + 6) * HOUR + dice.randint(0, 3599) for _ in range(dice.randint(3, 6))}
    times |= {dice.randint(BEGIN + n * HOUR, ends - 1) for _ in range(dice.randint(1, 2))}
    polls = [source.answer(_oldest(dice, time, reach), time) for time in sorted(times)]
    return World(rule, dice.choice([6, 12, 36]) * HOUR, (*polls, source.answer(_reached(ends, reach), ends)), reach)


@cache
def _rule(kind: str, window: int, for_: int, resolve_after: int, each: bool) -> Rule:
    written: dict[str, object] = {"for_": f"{for_}h", "resolve_after": f"{resolve_after}h", "window": f"{window}h"}
    if kind == "share":
        return made(
            "threshold", above={"warning": "50%", "critical": "80%"}, statistic="share", where={"Model": "a"}, **written
        )
    limits = {"warning": 100, "critical": 250} if kind == "above" else {"warning": 60, "critical": 20}
    limits = {name: limit * window for name, limit in limits.items()}
    return made("threshold", **{kind: limits}, **({"for_each": "Model"} if each else {}), **written)


def _oldest(dice: random.Random, time: int, reach: timedelta) -> int:
    """All in reach, or a few hours: the rest is not asked for again, and may be a hole."""
    if dice.random() < 0.4:
        return _reached(time, reach)
    return max(_reached(time, reach), (time - BEGIN) // HOUR - dice.choice([3, 12, 30]))


def _reached(time: int, reach: timedelta) -> int:
    return max(0, (to_epoch(midnight_of(from_epoch(time) - reach)) - BEGIN) // HOUR)


COUNTS = (0, 0, 0, 0, 0, 30, 30, 60, 92, 110, 110, 180, 300)


def _versions(dice: random.Random, start: int, ends: int) -> list[tuple[int, Row]]:
    """Whole or in parts, late, revised up, down, away and back: at most two days after the world has ended."""
    final = (dice.choice(COUNTS), dice.choice(COUNTS))
    versions = [final]
    while dice.random() < 0.6:
        other = dice.choice([(final[0] // 2, final[1] // 2), (0, 0), (dice.choice(COUNTS), dice.choice(COUNTS))])
        versions.insert(0, other)
    lag = dice.choice([1, 1, 1, 2, 6, 16, 50])
    times = sorted(min(start + dice.randint(HOUR // 2, (lag + 1) * HOUR), ends) for _ in versions)
    return list(zip(times, versions, strict=True))


# ---- what is kept between polls -------------------------------------------------------------------------------------


@dataclass
class Archive:
    """The history store in memory."""

    zero_age: int
    rows: list[Row] = field(default_factory=list)
    agings: list[Aging | None] = field(default_factory=list)
    settled: np.ndarray = field(default_factory=lambda: np.full(100, NEVER))
    aged: np.ndarray = field(default_factory=lambda: np.zeros(100, dtype=bool))
    still_for: int = 0

    def hear(self, poll: Poll) -> None:
        missing = poll.first + len(poll.rows) - len(self.rows)
        self.rows += [(0, 0)] * missing
        self.agings += [None] * missing
        for index, row in enumerate(poll.rows, poll.first):
            self._note(index, row, poll.at)
        self._settle(poll)

    def _note(self, index: int, row: Row, now: int) -> None:
        old, axes = self.agings[index], {"Model": now}
        used, changed = any(row), row != self.rows[index]
        if old is None:
            self.agings[index] = seen_first(used, axes, now)
        else:
            if changed and any(self.rows[index]) and self.settled[index] != NEVER:
                self.still_for = max(self.still_for, now - old.changed_at)
            self.agings[index] = seen_again(old, used, changed, axes, now)
        self.rows[index] = row

    def _settle(self, poll: Poll) -> None:
        watch = Watch(*np.array([*self._watched()], dtype=np.int64).T)
        learned = learn(watch, HOUR, HOUR, poll.at, self.still_for)
        found = settle(watch, HOUR, Learned(zero_age=self.zero_age, still_for=learned.still_for), poll.stale)
        places = (watch.starts - BEGIN) // HOUR
        self.aged[places[found.aged]] = True
        self.settled[places[found.settled & (watch.settled_at == NEVER)]] = poll.at

    def _watched(self) -> Iterator[tuple[int, ...]]:
        for index, aging in enumerate(self.agings):
            if aging is not None:
                yield (
                    BEGIN + index * HOUR,
                    sum(self.rows[index]),
                    aging.first_seen_at,
                    aging.seen_at,
                    NEVER if aging.nonzero_at is None else aging.nonzero_at,
                    NEVER if aging.zero_gap is None else aging.zero_gap,
                    aging.changed_at,
                    aging.unchanged_polls,
                    int(self.settled[index]),
                )

    def history(self, turned: bool) -> FeedHistory:
        """As the store loads it; `turned`: its series in another order."""
        n = len(self.rows)
        fetched = np.array([aging is not None for aging in self.agings])
        return _feed(self.rows, fetched, self.settled[:n] != NEVER, self.aged[:n], turned)


def _feed(
    rows: Sequence[Row], fetched: np.ndarray, settled: np.ndarray, aged: np.ndarray, turned: bool = False
) -> FeedHistory:
    counts = np.array(rows, dtype=np.int64).reshape(-1, 2)
    series = {"": counts.sum(axis=1), MODELS[0]: counts[:, 0], MODELS[1]: counts[:, 1]}
    names = reversed(series) if turned else iter(series)
    starts = BEGIN + HOUR * np.arange(len(rows), dtype=np.int64)
    keys = {key(HOURLY, name): series[name] for name in names}
    return FeedHistory(HOURLY, starts, fetched, settled, aged, {"Model": fetched}, keys)


@dataclass
class Book:
    """The alert store in memory: every row counts as sent."""

    rules: dict[str, RuleRecord] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)

    def ledger(self, world: World, now: int) -> Ledger:
        """Open ones, those that ended since judging begins, and what was told of them."""
        open_ones = [each for each in self.incidents.values() if each.open]
        since = known_from([world.rule], open_ones, DESK, from_epoch(now), world.reach)
        known = [each for each in self.incidents.values() if each.ended_at is None or each.ended_at >= since]
        known.sort(key=lambda each: (each.started_at, each.id))
        ids = {each.id for each in known}
        return Ledger(dict(self.rules), known, [one for one in self.told if one.notification.incident_id in ids])

    def commit(self, outcome: Outcome, now: int) -> None:
        self.rules |= {record.id: record for record in outcome.rules}
        self.incidents |= {each.id: each for each in outcome.incidents}
        keys = {self._key(each) for each in self.told}
        for post in outcome.posts:
            for each in post.keys:
                told = Told(each, post.conversation, from_epoch(now), post.id)
                assert self._key(told) not in keys, "the same thing is never told twice"
                keys.add(self._key(told))
                self.told.append(told)

    @staticmethod
    def _key(told: Told) -> tuple[object, ...]:
        key = told.notification
        return key.incident_id, key.target, key.reason, key.ordinal


def watched(world: World, *, turned: bool = False) -> tuple[Archive, Book, list[Outcome]]:
    """Every poll, one after the other, from an empty database on; and then once more for nothing."""
    archive, book, outcomes = Archive(world.zero_age), Book(), []
    for poll in world.polls:
        archive.hear(poll)
        outcomes.append(_cycle(world, archive, book, poll.at, turned))
    last = world.polls[-1]
    assert (archive.settled[last.first : len(archive.rows)] != NEVER).all(), "the world ends settled"
    if last.first:  # what goes on since before the reach is judged whole from the next cycle on
        outcomes.append(_cycle(world, archive, book, last.at, turned))
    assert _cycle(world, archive, book, last.at, turned) == Outcome(), "there is nothing left to find or say"
    return archive, book, outcomes


def _cycle(world: World, archive: Archive, book: Book, now: int, turned: bool) -> Outcome:
    history, ledger = History({HOURLY: archive.history(turned)}), book.ledger(world, now)
    outcome = assess([world.rule], history, ledger, DESK, Sight(), from_epoch(now), world.reach)
    book.commit(outcome, now)
    return outcome


# ---- what must be true ----------------------------------------------------------------------------------------------


def replayed(world: World, archive: Archive) -> list[Incident]:
    """What a rule that was always there finds in the final numbers."""
    known = np.array([aging is not None for aging in archive.agings])
    ledger = Ledger({world.rule.id: RuleRecord(world.rule.id, world.rule.digest(UTC_FILE), at(-1000), False)})
    history = History({HOURLY: _feed(archive.rows, known, known, known)})
    return list(assess([world.rule], history, ledger, DESK, Sight(), from_epoch(world.polls[-1].at)).incidents)


Life = tuple[str, datetime, datetime, int, str, float]
"""Fingerprint, start, end, grade, severity and height of an incident, whatever it is called."""
FOREVER = at(10_000)


def living(incidents: Iterable[Incident]) -> list[Life]:
    """What is true of a series, in order; what was merged or taken back is not."""
    return sorted(
        (each.fingerprint, each.started_at, each.ended_at or FOREVER, each.rank, each.severity, each.evidence.value)
        for each in incidents
        if each.closed is None
    )


def inside(lives: Iterable[Life], known: Iterable[Life], since: datetime) -> list[Life]:
    """Those that begin there or later, and do not touch what reaches back further: that stands as it was committed."""
    before = [each for each in known if each[1] < since]
    return [
        each
        for each in lives
        if each[1] >= since and not any(each[0] == other[0] and each[1] < other[2] for other in before)
    ]


LETTERS = {
    Reason.FIRED: "f",
    Reason.ESCALATED: "+",
    Reason.UPDATED: "",
    Reason.RESOLVED: "r",
    Reason.FIRED_AND_ENDED: "x",
    Reason.RETRACTED: "t",
    Reason.CLOSED: "c",
}
WORD = re.compile(r"((f\+*[rc]|x)t?|f\+*t)*(f\+*)?")
"""Openings, rises and one end each; an end may be corrected once: it did not happen at all."""


def words(book: Book) -> dict[tuple[str, str], str]:
    """What each target was told of each incident, in a letter each."""
    told: dict[tuple[str, str], str] = defaultdict(str)
    for each in book.told:
        told[each.notification.incident_id, each.notification.target] += LETTERS[each.notification.reason]
    return told


def ends_well(incident: Incident, listens: bool, word: str) -> bool:
    """Whether somebody who was told this knows how it ended, or that it goes on."""
    if not WORD.fullmatch(word):
        return False
    if incident.open:
        return not listens or word[-1] in "f+"
    return word[-1] in ("t" if incident.retracted else "rxct")


def faults(world: World) -> Iterator[str]:
    """What is wrong; nothing where all is well."""
    archive, book, outcomes = watched(world)
    yield from _end_differs(world, archive, book)
    yield from _told_wrong(world, book)
    if watched(world, turned=True)[-1] != outcomes:
        yield "the same polls told something else"
    first = next(outcome for outcome in outcomes if outcome.rules)
    if any(key.reason is not Reason.FIRED for post in first.posts for key in post.keys):
        yield "a first start told of the past"


def _end_differs(world: World, archive: Archive, book: Book) -> Iterator[str]:
    found, final = living(book.incidents.values()), living(replayed(world, archive))
    rule = world.rule
    # Where judging begins in the middle of the world, what opened before may be joined to what opens soon after.
    margin = (rule.for_buckets + 2 * rule.resolve_buckets) * HOUR if world.polls[-1].first else 0
    since = from_epoch(world.judged_from + margin)
    if inside(found, [*found, *final], since) != inside(final, [*found, *final], since):
        yield f"the episodes are {found}, and in the final numbers {final}"


def _told_wrong(world: World, book: Book) -> Iterator[str]:
    told = words(book)
    for (incident_id, target), word in told.items():
        incident = book.incidents[incident_id]
        if not ends_well(incident, target in ROUTES[incident.severity], word):
            yield f"{incident} told {target}: {word}"
    for incident in book.incidents.values():
        if incident.retracted and incident.closed is None:
            yield f"{incident} is true and taken back"
        if incident.open and not incident.history:
            yield from (
                f"{incident} never told {each}" for each in ROUTES[incident.severity] if (incident.id, each) not in told
            )
    shown = {
        each.notification.incident_id: each.notification.face
        for each in book.told
        if each.notification.target == "board"
    }
    yield from (
        f"{book.incidents[id]} is shown as {face}" for id, face in shown.items() if book.incidents[id].face != face
    )


def broken(seeds: Iterable[int], hours: tuple[int, int], reach: timedelta) -> list[tuple[int, list[str]]]:
    """Which seeds make a world that ends badly, and how."""
    found = [(seed, _wrong(a_world(random.Random(seed), hours, reach))) for seed in seeds]
    return [(seed, wrong) for seed, wrong in found if wrong]


def _wrong(world: World) -> list[str]:
    try:
        return list(faults(world))
    except AssertionError as error:
        return [str(error)]


WHOLE = (10, 24), REACH
"""Worlds all of which is judged and asked for again to the end."""
LONG = (60, 90), timedelta(days=3)
"""Worlds that outlast what is judged."""


@pytest.mark.parametrize(("cases", "shape"), [(10_000, WHOLE), (300, LONG)], ids=["whole", "long"])
def test_what_is_true_and_told_in_the_end_does_not_depend_on_how_it_came(
    cases: int, shape: tuple[tuple[int, int], timedelta]
) -> None:
    """Its seed makes a world again: `list(faults(a_world(random.Random(seed), *shape)))`."""
    chunks = [range(first, min(first + 200, cases)) for first in range(0, cases, 200)]
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as workers:
        found = [wrong for chunk in workers.map(broken, chunks, *map(repeat, shape)) for wrong in chunk]
    assert found == []


@given(st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.large_base_example])
def test_it_does_not_in_the_smallest_world_either(dice: random.Random) -> None:
    """The same, made smaller until it is plain what is wrong."""
    assert list(faults(a_world(dice, (1, 6), REACH))) == []


def test_these_worlds_have_everything_in_them() -> None:
    """Otherwise nothing above could fail."""
    books = [watched(a_world(random.Random(seed), *WHOLE))[1] for seed in range(200)]
    letters = Counter(letter for book in books for word in words(book).values() for letter in word)
    assert {letter for letter in "f+rxtc" if letters[letter] < 5} == set()
    incidents = [incident for book in books for incident in book.incidents.values()]
    assert {incident.open for incident in incidents} == {incident.history for incident in incidents} == {True, False}
