"""Whatever happens, where targets take or refuse at once what they are sent; `test_outages` is about all the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.builders import at
from tests.core.outbox_model import LETTERS, LIVES, key_of
from tests.core.promises import CONVERSATION, CRITICAL, INFO, ROUTES, TARGETS, WARNING, incident, plan_of
from usage_watch.core.incident import Incident
from usage_watch.core.promise import Notification, Told


@dataclass
class Log:
    """The notification log, whose rows a target takes or refuses for good, and what the last cycle left."""

    told: list[Told] = field(default_factory=list)
    before: list[Incident] = field(default_factory=list)

    def plan(self, states: Sequence[Incident]) -> list[Notification]:
        return list(plan_of(states, self.told, before=self.before).notifications)

    def cycle(self, states: list[Incident], refusing: Collection[str] = ()) -> None:
        self.tell(self.plan(states), refusing)
        self.before = states

    def tell(self, planned: Iterable[Notification], refusing: Collection[str] = ()) -> None:
        for each in planned:
            keys = [key_of(told.notification) for told in self.told]
            assert key_of(each) not in keys
            self.told.append(Told(each, CONVERSATION, at(1), "ntf_1", each.target not in refusing))

    def words(self) -> dict[tuple[str, str], str]:
        """For each incident and target what it heard, in a letter each; corrections are left out."""
        words: dict[tuple[str, str], str] = defaultdict(str)
        for told in self.told:
            if told.counts:
                words[told.notification.incident_id, told.notification.target] += LETTERS[told.notification.reason]
        return words


def state(rank: int, shape: str) -> Incident:
    if shape == "open":
        return incident(rank)
    if shape in ("ended", "ended before"):
        return incident(rank, ended=True, ended_at=at(5 if shape == "ended" else 3))
    return incident(rank, closed="So.", retracted=shape == "retracted")


def named(states: Sequence[Incident]) -> list[Incident]:
    return [replace(each, id=f"inc_{number}") for number, each in enumerate(states)]


SHAPES = ["open", "open", "ended", "ended before", "closed", "retracted"]
STATES = st.builds(state, st.sampled_from([INFO, WARNING, CRITICAL]), st.sampled_from(SHAPES))
CYCLES = st.lists(st.lists(STATES, min_size=3, max_size=3).map(named), max_size=10)


def knows(word: str, incident: Incident, target: str) -> bool:
    """Whether a target that heard this knows how an incident stands."""
    if not incident.open:
        return word == "" or word[-1] in "rcxt"
    return target not in ROUTES["it"][incident.severity] or word[-1:] in ("f", "e")


@given(CYCLES)
@settings(max_examples=300, deadline=None)
def test_each_target_hears_openings_rises_and_one_end_in_that_order(cycles: list[list[Incident]]) -> None:
    log = Log()
    for states in cycles:
        log.cycle(states)
        assert log.plan(states) == []
        words = log.words()
        assert all(knows(words[each.id, target], each, target) for each in states for target in TARGETS)
    assert all(LIVES.fullmatch(word) for word in log.words().values())


@given(CYCLES, st.lists(st.sets(st.sampled_from(["log", "ops", "pager"])), min_size=10, max_size=10))
@settings(max_examples=300, deadline=None)
def test_targets_that_refuse_are_neither_pestered_nor_told_nonsense_later(
    cycles: list[list[Incident]], refusals: list[set[str]]
) -> None:
    log = Log()
    for states, refusing in zip(cycles, refusals, strict=False):
        log.cycle(states, refusing)
        assert log.plan(states) == []
    for word in log.words().values():
        assert LIVES.fullmatch(word)


@given(CYCLES, st.permutations(range(3)))
@settings(max_examples=100, deadline=None)
def test_the_order_of_incidents_is_only_the_order_of_what_is_told(
    cycles: list[list[Incident]], order: list[int]
) -> None:
    log = Log()
    for states in cycles:
        shuffled = log.plan([states[index] for index in order])
        assert sorted(map(key_of, shuffled)) == sorted(map(key_of, log.plan(states)))
        log.cycle(states)


@given(CYCLES, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_a_crash_between_any_two_promises_changes_nothing(cycles: list[list[Incident]], chance: object) -> None:
    whole, halved = Log(), Log()
    for states in cycles:
        first = [each for each in whole.plan(states) if chance.random() < 0.5]  # type: ignore[attr-defined]
        whole.cycle(states)
        halved.tell(first)
        halved.cycle(states)
        assert whole.words() == halved.words()
        assert {key_of(told.notification) for told in whole.told} == {key_of(told.notification) for told in halved.told}


@given(CYCLES.filter(bool))
@settings(max_examples=100, deadline=None)
def test_cycles_that_were_missed_leave_every_target_where_it_would_be(cycles: list[list[Incident]]) -> None:
    """After an outage only the last state is known: who is told of an open incident, and of an end, is the same."""
    absent = Log()
    absent.cycle(cycles[0])
    absent.cycle(cycles[-1])
    words = absent.words()
    assert all(knows(words[each.id, target], each, target) for each in cycles[-1] for target in TARGETS)
