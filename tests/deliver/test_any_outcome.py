"""Whatever becomes of the attempts: in order, one at a time, nothing lost, and nothing twice without a doubt."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.deliver.mailroom import Mailroom, letter, open_mailroom
from tests.deliver.own_channel import OwnChannel, OwnSender
from tests.store.store_samples import NOON
from usage_watch.channels.base import Attempt, Verdict
from usage_watch.core.message import Delivery
from usage_watch.deliver.outlook import EXPIRES_AFTER
from usage_watch.store.outbox import State

TARGETS = ("pager", "other")
FINAL = (State.SENT, State.DEAD)
WAITING = (State.QUEUED, State.BLOCKED)


@dataclass(frozen=True)
class Letter:
    """A message that is to be put, and what becomes of its attempts, in turn; then it is taken."""

    target: str
    conversation: int
    script: list[Verdict]


verdicts = st.lists(st.sampled_from(Verdict), max_size=4)
letters = st.builds(Letter, st.sampled_from(TARGETS), st.integers(0, 2), verdicts)


@dataclass(frozen=True)
class Seen:
    """An attempt, and what had become of those before; None where the process died with the message in hand."""

    delivery: Delivery
    before: list[Verdict | None]
    verdict: Verdict


@dataclass
class World:
    """All receivers at once, and what they saw."""

    scripts: dict[str, list[Verdict]]
    deaths: list[bool]
    """Whether the next process to start dies with what it took."""
    history: dict[str, list[Verdict | None]] = field(default_factory=lambda: defaultdict(list))
    """By message."""
    log: dict[str, list[Seen]] = field(default_factory=lambda: defaultdict(list))
    """By target, in order."""
    busy: set[str] = field(default_factory=set)
    crowded: bool = False
    """Whether two messages of one target were ever under way at once."""

    def channel(self, target: str) -> OwnChannel:
        def answer(delivery: Delivery) -> Attempt:
            self.crowded = self.crowded or target in self.busy
            self.busy.add(target)
            script, history = self.scripts[delivery.id], self.history[delivery.id]
            verdict = script.pop(0) if script else Verdict.SENT
            self.log[target].append(Seen(delivery, list(history), verdict))
            history.append(verdict)
            self.busy.remove(target)
            return Attempt(verdict, f"It is {verdict}.")

        return OwnChannel(lambda environ: OwnSender(answer))

    def step(self, room: Mailroom) -> None:
        """A process starts, and sends what is due, or dies of it."""
        if self.deaths and self.deaths.pop():
            for row in room.dies_with():
                self.history[row.id].append(None)
        else:
            room.deliver()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(letters, min_size=1, max_size=7), st.integers(1, 7), st.lists(st.booleans(), max_size=8))
def test_whatever_becomes_of_attempts(written: list[Letter], at_first: int, deaths: list[bool]) -> None:
    world = World({f"ntf_{number}": list(each.script) for number, each in enumerate(written)}, deaths)
    posts = [letter(n, each.target, f"cnv_{each.target}_{each.conversation}") for n, each in enumerate(written)]
    with TemporaryDirectory() as folder, open_mailroom(Path(folder)) as room:
        room.channels = {target: world.channel(target) for target in TARGETS}
        room.put(*posts[:at_first])
        later = posts[at_first:]
        while (due_at := room.outbox.next_due(room.clock.now())) is not None or later:
            if later:
                room.put(later.pop(0))
            if due_at is not None:
                room.wait_until_due()
            world.step(room)
            check_rows(room, len(posts) - len(later))
        ends = {f"ntf_{number}": room.row(number).state for number in range(len(posts))}
        assert room.clock.now() < NOON + EXPIRES_AFTER
    assert not world.crowded
    check_ends(written, ends)
    for target in TARGETS:
        check_log(world.log[target])


def check_rows(room: Mailroom, count: int) -> None:
    """Every row has ended, or waits for a time, unless its process died."""
    for row in map(room.row, range(count)):
        assert row.state in (*FINAL, *WAITING, State.LEASED)
        assert row.next_attempt_at is not None or row.state not in WAITING
        assert (row.ended_at is not None) == (row.state in FINAL)


def check_ends(written: list[Letter], ends: dict[str, State]) -> None:
    """Given up is what was refused twice, and nothing else."""
    for number, each in enumerate(written):
        refusals = list(takewhile(lambda verdict: verdict is not Verdict.SENT, each.script)).count(Verdict.REJECTED)
        assert ends[f"ntf_{number}"] is (State.DEAD if refusals >= 2 else State.SENT)


def check_log(log: list[Seen]) -> None:
    tried: dict[str, list[str]] = defaultdict(list)
    for seen in log:
        id, before = seen.delivery.id, seen.before
        tried[seen.delivery.conversation.id].append(id)
        assert Verdict.SENT not in before, "never again"
        assert seen.delivery.attempt == len(before) + 1
        assert seen.delivery.unsure == (Verdict.AMBIGUOUS in before or None in before)
        assert seen.delivery.minimal == (Verdict.REJECTED in before)
    for ids in tried.values():
        assert ids == sorted(ids), "who is behind waits until who is before has arrived or is given up"
