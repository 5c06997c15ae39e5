"""Whatever happens: what targets heard makes sense, and in the end they know how everything stands."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.builders import at, evidence
from tests.core.outbox_model import LIVES, NEWS, Answer, World
from tests.core.promises import CRITICAL, INFO, REMINDER, TARGETS, WARNING, incident
from usage_watch.core.incident import Incident
from usage_watch.core.message import Severity
from usage_watch.core.mute import Mute
from usage_watch.core.plan import Plan, Routes
from usage_watch.core.schedule import Days, Weekly
from usage_watch.core.silence import Ack, Matcher, Operator, Orders, Silence

IDS = ("inc_0", "inc_1", "inc_2")
REMIND = timedelta(hours=5)
LISTS: list[Routes] = [
    {"it": {Severity.INFO: ["log"], Severity.WARNING: ["ops"], Severity.CRITICAL: ["ops", "pager", "board"]}},
    {"it": {Severity.INFO: ["board"], Severity.WARNING: ["ops", "board"], Severity.CRITICAL: ["pager"]}},
    {"it": {severity: list(TARGETS) for severity in Severity}},
]


@dataclass(frozen=True)
class Turn:
    """What becomes of an incident; None for nothing."""

    rank: int
    shape: str
    value: float

    def of(self, id: str, now: datetime) -> Incident:
        ended_at = {"ended": now - timedelta(hours=1), "ended before": at(3)}.get(self.shape)
        closed = "So." if self.shape in ("closed", "retracted") else None
        return incident(
            self.rank,
            closed=closed,
            id=id,
            ended_at=now if closed else ended_at,
            evidence=evidence(self.value),
            retracted=self.shape == "retracted",
            looks_over=self.shape == "looks over",
            quiet=self.shape == "quiet",
        )


@dataclass(frozen=True)
class Step:
    """What happens from one cycle to the next."""

    hours: float
    turns: tuple[Turn | None, ...]
    answers: tuple[Answer, ...]
    """Of each target."""
    silence: tuple[str, float, float] | None
    """The severity it is about, when it begins and when it ends, in hours from now."""
    expires: bool
    acked: str | None
    pardoned: str | None


SHAPES = ["open", "open", "open", "looks over", "quiet", "ended", "ended", "ended before", "closed", "retracted"]
TURNS = st.builds(
    Turn, st.sampled_from([INFO, WARNING, CRITICAL]), st.sampled_from(SHAPES), st.sampled_from([120.0, 180.0])
)
STEPS = st.lists(
    st.builds(
        Step,
        hours=st.sampled_from([0.25, 3, 8, 18]),
        turns=st.tuples(*[st.none() | TURNS] * len(IDS)),
        answers=st.tuples(*[st.sampled_from(Answer)] * len(TARGETS)),
        silence=st.none()
        | st.tuples(
            st.sampled_from(["info", "warning", "critical"]), st.sampled_from([0, 2]), st.sampled_from([3, 20])
        ),
        expires=st.booleans(),
        acked=st.none() | st.sampled_from(IDS),
        pardoned=st.none() | st.sampled_from(list(TARGETS)),
    ),
    min_size=1,
    max_size=8,  # what is owed is owed for a week
)
MUTES = [
    (),
    (Mute(Weekly(frozenset(range(7)), timedelta(hours=22), timedelta(hours=9), ZoneInfo("UTC"))),),
    (Mute(Days(date(2026, 11, 1), date(2026, 11, 3), ZoneInfo("UTC")), "move", words=frozenset({"threshold"})),),
]
WORLDS = st.builds(World, st.sampled_from(LISTS), st.sampled_from([None, REMIND]), mutes=st.sampled_from(MUTES))


def happen(world: World, step: Step) -> list[Incident]:
    """All but the cycle: time goes on, people speak, and things change."""
    world.now += timedelta(hours=step.hours)
    if step.expires:
        world.silences = [
            replace(each, expired_at=world.now) if each.expired_at is None and world.now < each.until_at else each
            for each in world.silences
        ]
    if step.silence is not None:
        severity, begins, ends = step.silence
        since, until = world.now + timedelta(hours=begins), world.now + timedelta(hours=ends)
        about = (Matcher("severity", Operator.IS, severity),)
        world.silences.append(Silence(f"sil_{len(world.silences)}", about, since, until, "ana", "so", world.now))
    if step.pardoned is not None:
        world.pardon(step.pardoned)
    known = {each.id: each for each in world.incidents}
    for each in world.incidents:
        if each.id == step.acked:
            world.acks[each.id] = Ack(each.id, each.rank, world.now, "bo")
    turned = zip(IDS, step.turns, strict=True)
    return [known.get(id, OPENED[id]) if turn is None else turn.of(id, world.now) for id, turn in turned]


OPENED = {id: incident(WARNING, id=id) for id in IDS}


def deliver(world: World, step: Step) -> None:
    for target, answer in zip(TARGETS, step.answers, strict=True):
        world.deliver(target, answer)


def go_on(world: World, steps: Sequence[Step]) -> None:
    for step in steps:
        told(world, happen(world, step))
        deliver(world, step)


def told(world: World, incidents: list[Incident]) -> Plan:
    """One cycle; and what holds of each."""
    planned = world.cycle(incidents)
    by_id = {each.id: each for each in incidents}
    for key in planned.notifications:
        holds = Orders(world.silences, mutes=world.mutes).holds
        silenced = any(each.in_force(world.now) and each.covers(by_id[key.incident_id]) for each in holds)
        assert not (silenced and (key.reason is REMINDER or key.reason in NEWS))
        assert key.reason is not REMINDER or (world.remind and not by_id[key.incident_id].looks_over)
    again = world.plan(incidents)
    assert (again.notifications, again.recalled) == ((), frozenset()), "telling a plan makes the next one empty"
    assert {each.incident_id for each in again.held} <= {each.incident_id for each in planned.held}
    return planned


def knows(world: World, incident: Incident, target: str) -> bool:
    """Whether a target knows how an incident stands, once all has arrived."""
    word, heard = world.words().get((incident.id, target), ""), world.heard[incident.id, target]
    if not incident.open:
        return word[-1:] in ("", "r", "c", "x", "t") or (incident.quiet and TARGETS[target].people)
    if target not in world.routes["it"][incident.severity]:
        return True
    if incident.looks_over and not word:
        return True  # it is no news any more
    ends = [index for index, each in enumerate(heard, 1) if each.reason.ending]
    told = heard[max(ends, default=0) :]
    return max((each.rank for each in told), default=0) >= incident.rank


@given(WORLDS, STEPS)
@settings(max_examples=400, deadline=None)
def test_what_a_target_heard_makes_sense_and_in_the_end_it_knows_all(world: World, steps: list[Step]) -> None:
    for step in steps:
        go_on(world, [step])
        assert all(LIVES.fullmatch(word) for word in world.words().values())
    world.drain()
    words = world.words()
    assert all(LIVES.fullmatch(word) for word in words.values())
    for each in world.incidents:
        for target in TARGETS:
            assert knows(world, each, target)
            if each.closed is None and (each.id, target) in world.promised:
                assert words.get((each.id, target)), "what was promised is told, in one form or another"


@given(WORLDS, STEPS, st.floats(0, 0.999))
@settings(max_examples=300, deadline=None)
def test_the_next_instant_is_the_first_at_which_there_is_more_to_tell(
    world: World, steps: list[Step], part: float
) -> None:
    go_on(world, steps[:-1])
    arrive(world)
    next_at = told(world, happen(world, steps[-1])).next_at
    arrive(world)
    horizon = world.now + timedelta(days=60) if next_at is None else next_at
    for early_at in (world.now + part * (horizon - world.now), horizon - timedelta(microseconds=1)):
        early = world.plan(world.incidents, early_at)
        assert (early.notifications, early.next_at) == ((), next_at)
    assert bool(world.plan(world.incidents, horizon).notifications) is (next_at is not None)


@given(WORLDS, STEPS, st.integers(0, 3))
@settings(max_examples=200, deadline=None)
def test_a_crash_before_all_was_promised_changes_nothing_that_is_heard(
    world: World, steps: list[Step], some: int
) -> None:
    """A cycle is committed as a whole; and even if it were not, the next one would say the rest."""
    go_on(world, steps[:-1])
    incidents = happen(world, steps[-1])
    whole, halved = world, copy.deepcopy(world)
    halved.commit(halved.plan(incidents), incidents, only=some)
    for each in (whole, halved):
        told(each, incidents)
        each.drain()
    assert {key: word for key, word in whole.words().items() if word} == {
        key: word for key, word in halved.words().items() if word
    }


def arrive(world: World) -> None:
    """All that is promised."""
    for target in TARGETS:
        world.deliver(target, Answer.TAKEN)
