"""A story told undisturbed, and told again with a death in it: what must be equal, and what need not."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.crashes.collectors import Taken
from tests.crashes.stories import Story
from tests.crashes.tables import Tables, asked, tables
from tests.crashes.world import Moment, OddEndError, World

Columns = Mapping[str, frozenset[str]]
"""By table."""

PAST: Columns = {
    # How a message came through. What it says, to whom, in which order and that it was sent is compared.
    "outbox": frozenset({"attempts", "attempted_at", "unsure", "last_error", "provider_ref", "ended_at"}),
    # When its target was last spoken to. That nothing fails any more is compared.
    "target": frozenset({"tried_at", "retry_at"}),
    # The machine's own time, whatever our clock says.
    "_sqlite_migrations": frozenset({"applied_at"}),
}
"""What a death may leave otherwise, and steers nothing that comes."""
LASTING: Columns = {
    # Of a message and its copy, the later one is the conversation's first.
    "conversation": frozenset({"ref"}),
}
"""What a death may leave otherwise, and may steer what comes."""


@dataclass(frozen=True)
class Run:
    """A run of the undisturbed story."""

    before: Moment
    look: int
    """Which look it belongs to: it is that one, or one of the wakes after it."""
    points: tuple[str, ...]


@dataclass(frozen=True)
class Stand:
    """How all stands when nothing waits to be sent."""

    taken: Sequence[Taken]
    shown: Mapping[str, str]
    tables: Tables

    @classmethod
    def of(cls, world: World) -> Self:
        return cls(tuple(world.taken), world.shown, tables(world.database))


@dataclass(frozen=True)
class Told:
    """How a story went."""

    story: Story
    runs: tuple[Run, ...]
    stands: tuple[Stand, ...]
    """How all stood after each look and its wakes."""

    @property
    def deaths(self) -> Iterator[tuple[int, int]]:
        """Every run, and every point in it, from 1."""
        for index, run in enumerate(self.runs):
            for number in range(1, len(run.points) + 1):
                yield index, number


@dataclass(frozen=True)
class Died:
    """What became of a story with a death in it."""

    run: int
    number: int
    point: str
    """Where it died; empty where it did not get that far."""
    copies: tuple[str, ...] = ()
    """Targets of messages that came once more."""
    lost: int = 0
    """Messages that never came."""
    wrong: tuple[str, ...] = ()
    """What must not be."""


def tell(world: World, story: Story) -> Told:
    """Tell a story to its end."""
    runs: list[Run] = []
    stands: list[Stand] = []

    def run(look: int) -> None:
        before = world.keep(f"run-{len(runs)}")
        runs.append(Run(before, look, world.run().points))

    for index, look in enumerate(story.looks):
        world.begin(look)
        run(index)
        for _ in world.waits():
            run(index)
        stands.append(Stand.of(world))
    told = Told(story, tuple(runs), tuple(stands))
    if wrong := [*_unsound(world.database), *_copies(stands[-1].taken)]:
        raise OddEndError(f"undisturbed, there is: {wrong}")
    return told


def die(world: World, told: Told, index: int, number: int) -> Died:
    """Tell it again with a death at that point of that run, and a new start in the same second.

    It ends when all that can steer what comes stands as it did without the death: from there on, it is the same story.
    """
    run = told.runs[index]
    world.restore(run.before)
    ran = world.run(number)
    if not ran.died:
        return Died(index, number, "")
    held = world.on_their_way()
    try:
        expected, found = _go_on(world, told, run.look)
    except OddEndError as error:
        return Died(index, number, ran.points[-1], wrong=(str(error),))
    copies = _copies(found.taken)
    wrong = [
        *_unsound(world.database),
        *(f"surplus: {copy}" for copy, count in copies.items() if count > 2 or copy not in held),
        *(f"surplus: {copy}" for copy in copies if copy[0] == "ops" and told.story.readable),
        *_told_otherwise(expected.taken, found.taken),
        *_shown_otherwise(expected.shown, found.shown),
        *_stored_otherwise(expected.tables, found.tables, PAST, LASTING),
    ]
    lost = set(expected.taken) - set(found.taken)
    return Died(index, number, ran.points[-1], tuple(target for target, _ in copies), len(lost), tuple(wrong))


def _go_on(world: World, told: Told, look: int) -> tuple[Stand, Stand]:
    """Start it again, and on until all stands as it would, or to the end: how it would stand, and how it does."""
    for index in range(look, len(told.stands)):
        if index > look:
            world.begin(told.story.looks[index])
        world.run()
        for _ in world.waits():
            world.run()
        expected, found = told.stands[index], Stand.of(world)
        if not any(_stored_otherwise(expected.tables, found.tables, PAST)):
            break
    return expected, found


def _copies(taken: Iterable[Taken]) -> dict[tuple[str, str], int]:
    counts = Counter((each.target, each.id) for each in taken)
    return {name: count for name, count in counts.items() if count > 1}


def _told_otherwise(expected: Iterable[Taken], found: Iterable[Taken]) -> Iterator[str]:
    """Whoever reads a thread reads the same in the same order, but for a copy right after what it is a copy of."""
    whole, seen = _threads(expected), _threads(found)
    for thread in sorted(whole.keys() | seen.keys()):
        if whole[thread] != seen[thread]:
            yield f"told {seen[thread]} in place of {whole[thread]}"


def _shown_otherwise(expected: Mapping[str, str], found: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            yield f"{name} shows {found.get(name)!r} in place of {expected.get(name)!r}"


def _threads(taken: Iterable[Taken]) -> dict[tuple[str, str], list[Taken]]:
    threads: dict[tuple[str, str], list[Taken]] = defaultdict(list)
    for each in taken:
        thread = threads[each.target, each.thread]
        if thread[-1:] != [each]:
            thread.append(each)
    return threads


def _unsound(database: Path) -> Iterator[str]:
    said = asked(database, "PRAGMA integrity_check")
    if said != [("ok",)]:
        yield f"the database is damaged: {said[0][0]}"
    for row in asked(database, "SELECT id, target, reason, state FROM outbox WHERE state <> 'sent'"):
        yield f"not sent: {row}"


def _stored_otherwise(expected: Tables, found: Tables, *but: Columns) -> Iterator[str]:
    """Tables in which anything else differs, and in which columns."""
    for name, table in expected.items():
        free = frozenset[str]().union(*(columns.get(name, frozenset()) for columns in but))
        kept = [column for column in table.columns if column not in free]
        if table.of(kept) != found[name].of(kept):
            other = [column for column in kept if table.of([column]) != found[name].of([column])]
            yield f"stored otherwise: {name} ({', '.join(other)})"
