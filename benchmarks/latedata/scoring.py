"""What was told, against what is true in the end: the same rules and fold over the final data, all of it settled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from latedata.telling import DEFAULTS, Said
from latedata.watching import history
from latedata.world import WATCHED_FROM, World
from usage_watch.core.episode import fold, runs
from usage_watch.core.message import Reason
from usage_watch.core.series import HOUR
from usage_watch.core.units import from_epoch
from usage_watch.rules import Rule

FIRES = frozenset({Reason.FIRED, Reason.FIRED_AND_ENDED})
ENDS = frozenset({Reason.RESOLVED, Reason.FIRED_AND_ENDED})


@dataclass(frozen=True, slots=True)
class Truth:
    """One incident of the final data: episodes that people see as one."""

    episodes: tuple[tuple[int, int], ...]
    """[start, end) in epoch seconds, in time order."""
    known_from: int
    """End of its first bucket: it could not be told sooner."""

    def holds(self, begin: int, end: int) -> bool:
        """Whether any of its episodes overlaps [begin, end)."""
        return any(start < end and begin < stop for start, stop in self.episodes)

    def goes_on_at(self, at: int) -> bool:
        """Whether an end that was told of it lies before the end of the episode that it is in."""
        return any(start < at < stop for start, stop in self.episodes)


@dataclass(slots=True)
class Score:
    """Of one rule in one world. Delays in seconds."""

    true: int = 0
    missed: int = 0
    false_fires: list[Said] = field(default_factory=list)
    false_ends: list[Said] = field(default_factory=list)
    detected: list[int] = field(default_factory=list)
    """From the end of the first bucket to the first message."""
    ended: list[int] = field(default_factory=list)
    """From the true end to the message that says so."""


def score(rule: Rule, world: World, said: Sequence[Said]) -> Score:
    """Weigh what was told of one rule.

    A fire is false where no true episode lies under the bucket that it names, nor under those of `for` after it. An end
    is false where the true episode goes on past the end that was told, and so is taking back what is true.
    """
    truths, width = true_incidents(rule, world), rule.for_buckets * HOUR
    mine = [each for each in said if each.rule == rule.id]
    fires = [each for each in mine if each.reason in FIRES]
    found = Score(true=len(truths))
    found.false_fires = [each for each in fires if not any(t.holds(each.peak, each.peak + width) for t in truths)]
    found.false_ends = [each for each in mine if any(_ends_wrongly(each, truth, width) for truth in truths)]
    for truth in truths:
        heard = [each.at for each in fires if truth.holds(each.peak, each.peak + width)]
        found.missed += not heard
        found.detected += [min(heard) - truth.known_from] if heard else []
        true_end = truth.episodes[-1][1]
        over = [each.at for each in mine if each.reason in ENDS and each.ended_at == true_end]
        found.ended += [min(over) - true_end] if over else []
    return found


def _ends_wrongly(said: Said, truth: Truth, width: int) -> bool:
    if said.reason is Reason.RETRACTED:
        return truth.holds(said.peak, said.peak + width)
    return said.reason in ENDS and said.ended_at is not None and truth.goes_on_at(said.ended_at)


def true_incidents(rule: Rule, world: World) -> list[Truth]:
    """What the rule would find in the watched days, were everything known at once."""
    (findings,) = rule.judge(history(world.starts, world.counts), from_epoch(WATCHED_FROM), DEFAULTS)
    truths: list[Truth] = []
    episodes = fold(findings, rule.for_buckets, rule.resolve_buckets)
    for run in runs(findings, episodes, 2 * rule.resolve_buckets):
        mine = [
            (int(findings.starts[each.first]), int(findings.starts[each.last]) + HOUR)
            for each in episodes
            if run.started_at <= findings.starts[each.first] <= findings.starts[run.latest.first]
        ]
        truths.append(Truth(tuple(mine), run.started_at + HOUR))
    return truths
