"""SIGKILL around the first message of an incident, and before its end is told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from kills.hearing import TARGETS, everywhere, judge
from kills.rounds import Round, Story, chance, ensure
from kills.world import ASKED, World
from tests.journeys.office import job
from usage_watch.simulator import Runaway

RULE = "{id: loud, kind: threshold, above: 2_000}"
LENGTH = timedelta(hours=8)
LONG = timedelta(hours=12)
FIRED_BY = timedelta(hours=1, minutes=34)
"""After a round's start: its hour is complete after one, and polled every half."""
ENDING_FROM = timedelta(hours=6)
"""The first poll from here on finds the end: the second clear hour has stood still for three."""
LATEST_RETURN = timedelta(hours=8)
"""Who is back by then sees the end before the round is over."""
_A_MINUTE = timedelta(minutes=1)
WHOLE = everywhere("loud", "fired", "resolved")


def one_hour(_number: int, at: datetime) -> Sequence[Runaway]:
    """One hour out of control."""
    return [job(at, 1, 9_000)]


def told(world: World, number: int, at: datetime) -> Round:
    """SIGKILL one second after a receiver's answer: nothing is told again."""
    return _around_the_first(world, number, at, 1.0, "", strict=True)


def within(world: World, number: int, at: datetime) -> Round:
    """SIGKILL inside of that second: at most one more copy, with the same id."""
    low, high = _DELAYS_MS[number % 10]
    after_s = chance("within", number).uniform(low, high) / 1000
    return _around_the_first(world, number, at, after_s, f", {low} to {high} ms after", strict=False)


_DELAYS_MS = ((0, 0), *[(0, 5)] * 4, *[(5, 20)] * 2, *[(20, 1000)] * 3)
"""Of ten kills inside the second: from the request to the kill, the first before the answer."""


def _around_the_first(world: World, number: int, at: datetime, after_s: float, when: str, strict: bool) -> Round:
    target, before = TARGETS[number % len(TARGETS)], world.count
    of_the_dead = world.die(lambda what: what == f"{target} loud fired", after_s, at + FIRED_BY)
    world.live(at + LENGTH - _A_MINUTE)
    verdict = judge(world.since(before), WHOLE, () if strict else {each.id for each in of_the_dead})
    copied = {"copied_after_ms": round(after_s * 1000, 1)} if verdict.copies else {}
    return Round(number, target + when, verdict, copied)


def before_end(world: World, number: int, at: datetime) -> Round:
    """SIGKILL between the first message and the end, or while the end is found and told: it comes exactly once."""
    return (_while_it_ends if number % 2 else _in_between)(world, number, at)


def _in_between(world: World, number: int, at: datetime) -> Round:
    """Killed at any time before; up again at once, or when the end is long there."""
    dice, before = chance("before_end", number), world.count
    killed_at = at + dice.uniform(1.6, 5.9) * timedelta(hours=1)
    world.live(killed_at)
    ensure(world.count == before + len(TARGETS), "not everybody was told by the time of the kill")
    world.kill()
    variant = "back at once"
    if dice.random() < 0.5:
        variant = "back later"
        world.office.clock.step(killed_at + dice.random() * (at + LATEST_RETURN - killed_at))
    world.office.start()
    world.live(at + LONG - _A_MINUTE)
    return Round(number, variant, judge(world.since(before), WHOLE))


def _while_it_ends(world: World, number: int, at: datetime) -> Round:
    """Killed in the cycle that finds the end: before it is committed, then, or with the end on its way."""
    before, ending_at = world.count, at + ENDING_FROM
    after_s = chance("before_end", number).uniform(0.0, 0.15)
    world.live(ending_at - _A_MINUTE)
    ensure(world.count == before + len(TARGETS), "it is not told, or ended already, when its end is to be found")
    ends = world.die(lambda what: what == ASKED and world.office.clock.now() >= ending_at, after_s, at + LATEST_RETURN)
    world.live(at + LONG - _A_MINUTE)
    verdict = judge(world.since(before), WHOLE, {each.id for each in ends})
    return Round(number, f"while it ends, {len(ends)} of {len(TARGETS)} told", verdict)


TOLD = Story(RULE, LENGTH, one_hour, told)
WITHIN = Story(RULE, LENGTH, one_hour, within)
BEFORE_END = Story(RULE, LONG, one_hour, before_end)
