"""An incident that begins and ends while one receiver is down: it hears of it once, when it is back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from kills.hearing import TARGETS, everywhere, judge
from kills.moments import LENGTH, RULE, one_hour
from kills.receivers import Down, bring_back, take_down
from kills.rounds import Round, Story, chance, ensure
from kills.world import World

HOUR = timedelta(hours=1)
_A_MINUTE = timedelta(minutes=1)
_LATE = "meta:delivery_lagging"


def outage(world: World, number: int, at: datetime) -> Round:
    """Refused, or answered 503: nothing of it can have arrived."""
    target, how = _which(number, (Down.REFUSED, Down.FAILING))
    before, back_at = world.count, at + chance("outage", number).uniform(6.7, 7.6) * HOUR
    take_down(world.receivers[target], how)
    try:
        world.live(back_at)
        ensure(not [each for each in world.since(before) if each.target == target], "it was not down")
    finally:
        bring_back(world.receivers[target])
    world.live(at + LENGTH - _A_MINUTE)
    return _weighed(world, number, before, target, how, ("fired_and_ended",))


def hung(world: World, number: int, at: datetime) -> Round:
    """Nobody answers, and each attempt lasts until it is given up: few cycles, far apart.

    What was written to a silent receiver may have arrived. It is told in two messages then, so that the first can be
    known by its id; a mail server that greets nobody got nothing.
    """
    target, how = _which(number, (Down.HUNG,))
    before = world.count
    take_down(world.receivers[target], how)
    try:
        for hours in (1.6, 3.6, 4.6, 5.6, 6.7):
            world.leap(at + hours * HOUR)
        ensure(not [each for each in world.since(before) if each.target == target], "it was not down")
    finally:
        bring_back(world.receivers[target])
    world.live(at + LENGTH - _A_MINUTE)
    expected = ("fired_and_ended",) if target == "finance" else ("fired", "resolved")
    return _weighed(world, number, before, target, how, expected)


def _which(number: int, ways: Sequence[Down]) -> tuple[str, Down]:
    return TARGETS[number % len(TARGETS)], ways[number // len(TARGETS) % len(ways)]


def _weighed(world: World, number: int, before: int, target: str, how: Down, expected: Sequence[str]) -> Round:
    """The others hear of it as ever, and that one channel is late."""
    others = everywhere("loud", "fired", "resolved", but=target)
    late = everywhere(_LATE, "fired", "resolved", but=target)
    verdict = judge(world.since(before), {**others, **late, (target, "loud"): expected})
    return Round(number, f"{target} {how}", verdict)


OUTAGE = Story(RULE, LENGTH, one_hour, outage)
HUNG = Story(RULE, LENGTH, one_hour, hung)
