"""A story told undisturbed, and told again with a death in it: what must be equal, and what need not."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.crashes.collectors import Taken
from tests.crashes.stories import Story
from tests.crashes.world import DATABASE, Moment, OddEndError, World, asked

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
    # What was saved and not yet noted as read is read again. That is one more poll which saw no change, so that a
    # bucket may be final, and left alone, one poll earlier.
    "fetch": frozenset({"unchanged_polls", "seen_at", "settled_at", "aged_at"}),
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
class Told:
    """How a story went."""

    story: Story
    runs: tuple[Run, ...]
    stands: tuple[Moment, ...]
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
    stands = []

    def run(look: int) -> None:
        before = world.keep(f"run-{len(runs)}")
        runs.append(Run(before, look, world.run().points))

    for index, look in enumerate(story.looks):
        world.begin(look)
        run(index)
        for _ in world.waits():
            run(index)
        stands.append(world.keep(f"look-{index}"))
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
        stands = _go_on(world, told, run.look)
    except OddEndError as error:
        return Died(index, number, ran.points[-1], wrong=(str(error),))
    copies = _copies(world.taken)
    wrong = [
        *_unsound(world.database),
        *(f"surplus: {copy}" for copy, count in copies.items() if count > 2 or copy not in held),
        *(f"surplus: {copy}" for copy in copies if copy[0] == "ops" and told.story.readable),
        *_told_otherwise(stands.taken, world.taken),
        *_shown_otherwise(stands.shown, world.shown),
        *_stored_otherwise(stands.store / DATABASE, world.database, PAST, LASTING),
    ]
    lost = set(stands.taken) - set(world.taken)
    return Died(index, number, ran.points[-1], tuple(target for target, _ in copies), len(lost), tuple(wrong))


def _go_on(world: World, told: Told, look: int) -> Moment:
    """Start it again, and on until all stands as it would, or to the end: how it stands there without a death."""
    for index in range(look, len(told.stands)):
        if index > look:
            world.begin(told.story.looks[index])
        world.run()
        for _ in world.waits():
            world.run()
        stands = told.stands[index]
        if not any(_stored_otherwise(stands.store / DATABASE, world.database, PAST)):
            break
    return stands


def _copies(taken: Iterable[Taken]) -> dict[tuple[str, str], int]:
    counts = Counter((each.target, each.id) for each in taken)
    return {name: count for name, count in counts.items() if count > 1}


def _told_otherwise(expected: Iterable[Taken], found: Iterable[Taken]) -> Iterator[str]:
    """Whoever reads a thread reads the same in the same order, but for copies, which readers know by their ids."""
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
    for each in dict.fromkeys(taken):
        threads[each.target, each.thread].append(each)
    return threads


def _unsound(database: Path) -> Iterator[str]:
    said = asked(database, "PRAGMA integrity_check")
    if said != [("ok",)]:
        yield f"the database is damaged: {said[0][0]}"
    for row in asked(database, "SELECT id, target, reason, state FROM outbox WHERE state <> 'sent'"):
        yield f"not sent: {row}"


def _stored_otherwise(expected: Path, found: Path, *but: Columns) -> Iterator[str]:
    """Tables in which anything else differs, and in which columns."""
    for (name,) in asked(expected, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"):
        table = str(name)
        free = frozenset[str]().union(*(columns.get(table, frozenset()) for columns in but))
        columns = [str(row[1]) for row in asked(expected, f"PRAGMA table_info({table})") if row[1] not in free]
        if _contents(expected, table, columns) != _contents(found, table, columns):
            other = [each for each in columns if _contents(expected, table, [each]) != _contents(found, table, [each])]
            yield f"stored otherwise: {table} ({', '.join(other)})"


def _contents(database: Path, table: str, columns: Iterable[str]) -> Counter[tuple[object, ...]]:
    return Counter(asked(database, f"SELECT {', '.join(columns)} FROM {table}"))
