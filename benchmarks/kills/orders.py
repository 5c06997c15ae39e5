"""SIGKILL right after somebody acknowledged or silenced something, or while they do: what was said done holds.

Two rules judge the same usage: `known` is what the command is about, `other` shows what would be told without it. In
half of the rounds the command is killed too: then it has happened, or it has not, and nothing in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from statistics import median

from kills.hearing import TARGETS, Heard, Verdict, everywhere, judge
from kills.rounds import Round, Story, chance, ensure
from kills.world import World
from tests.journeys.office import job
from usage_watch.simulator import Runaway

_LEVELS = "kind: threshold, above: {warning: 2_000, critical: 20_000}"
RULES = f"{{id: known, {_LEVELS}}}\n  - {{id: other, {_LEVELS}}}"
HOUR = timedelta(hours=1)
ACK_LENGTH, SILENCE_LENGTH = 48 * HOUR, 24 * HOUR
SILENCED_FOR = 8 * HOUR
_A_MINUTE = timedelta(minutes=1)
Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Tale:
    """What is to be heard of `known`, and when."""

    reasons: Sequence[str]
    due: Mapping[str, Span] = field(default_factory=dict)
    """By reason, where the time matters: [from, to]."""
    quiet: Span | None = None
    """Only ends may come then."""

    def judge(self, heard: Sequence[Heard], others: Sequence[str]) -> Verdict:
        """Weigh it, with what is to be heard of `other`."""
        verdict = judge(heard, {**everywhere("known", *self.reasons), **everywhere("other", *others)})
        words = [word for each in heard if each.rule == "known" for word in self._mistimed(each)]
        return replace(verdict, misplaced=verdict.misplaced + len(words), words=(*verdict.words, *words))

    def _mistimed(self, each: Heard) -> Sequence[str]:
        due = self.due.get(each.reason)
        early_or_late = due is not None and not due[0] <= each.at <= due[1]
        hushed = self.quiet is not None and self.quiet[0] <= each.at < self.quiet[1] and each.reason != "resolved"
        return [f"{each.target} heard {each.reason} at {each.at}"] if early_or_late or hushed else []


def thirty_hours(_number: int, at: datetime) -> Sequence[Runaway]:
    """Long enough for a reminder."""
    return [job(at, 30, 9_000)]


def ack(world: World, number: int, at: datetime) -> Round:
    """Nobody is reminded of what somebody said they know."""
    before = world.count
    world.live(at + 3.5 * HOUR)
    incidents = {each.incident for each in world.since(before) if each.rule == "known" and each.incident}
    ensure(world.count == before + 2 * len(TARGETS) and len(incidents) == 1, "not everybody was told by then")
    done, variant = _said(world, "ack", number, "alerts", "ack", *incidents)
    world.live(at + ACK_LENGTH - _A_MINUTE)
    heard, others = world.since(before), ("fired", "reminder", "resolved")
    told, untold = Tale(("fired", "resolved")), Tale(others)
    return _round(number, variant, done, told.judge(heard, others), untold.judge(heard, others))


@dataclass(frozen=True, slots=True)
class Case:
    """When a silence begins in its incident's life, and what it holds back."""

    name: str
    jobs: Sequence[tuple[int, int, int]]
    """From which hour of the round, for how many, with how many credits in each."""
    silenced_from: float
    """Hour of the round."""
    silenced: Sequence[str]
    others: Sequence[str]
    told_at_its_end: str = ""
    """What is told when the silence ends; empty for nothing."""


CASES = (
    Case("still open at its end", [(0, 14, 9_000)], 0.5, ("fired", "resolved"), ("fired", "resolved"), "fired"),
    Case("over before its end", [(0, 1, 9_000)], 0.5, (), ("fired", "resolved")),
    Case(
        "rises in it",
        [(0, 14, 9_000), (5, 8, 30_000)],
        3.5,
        ("fired", "escalated", "resolved"),
        ("fired", "escalated", "resolved"),
        "escalated",
    ),
    Case("goes on", [(0, 14, 9_000)], 3.5, ("fired", "reminder", "resolved"), ("fired", "resolved"), "reminder"),
)


def case_of(number: int) -> Case:
    """Each in turn, with and without a kill of the command."""
    return CASES[number // 2 % len(CASES)]


def jobs_of(number: int, at: datetime) -> Sequence[Runaway]:
    """What happens in a round with a silence."""
    members = ("priya.nair@example.com", "ana@example.com")
    jobs = zip(case_of(number).jobs, members, strict=False)
    return [job(at + start * HOUR, hours, size, member) for (start, hours, size), member in jobs]


def silence(world: World, number: int, at: datetime) -> Round:
    """What is silenced is not told while that is in force, and told when it ends."""
    case, before = case_of(number), world.count
    from_at = at + case.silenced_from * HOUR
    ends_at = from_at + SILENCED_FOR
    world.live(from_at)
    lasts = f"{SILENCED_FOR // HOUR}h"
    done, variant = _said(
        world, "silence", number, "silence", "add", "rule=known", "--for", lasts, "--reason", "a test"
    )
    world.live(at + SILENCE_LENGTH - _A_MINUTE)
    heard = world.since(before)
    due = {case.told_at_its_end: (ends_at, ends_at + _A_MINUTE)} if case.told_at_its_end else {}
    held = Tale(case.silenced, due, (from_at, ends_at)).judge(heard, case.others)
    free = Tale(case.others, dict.fromkeys(due, (at, ends_at - _A_MINUTE))).judge(heard, case.others)
    return _round(number, f"{case.name}, {variant}", done, held, free)


def _said(world: World, figure: str, number: int, *words: str) -> tuple[bool | None, str]:
    """Run the command, kill the daemon, start it again. Whether the command said that it is done; None: it was killed
    before it said anything."""
    dice, usual_s = chance(figure, number), median(world.command_s)
    kill_after_s = dice.uniform(0.7, 1.1) * usual_s if number % 2 else None
    said = world.run(*words, kill_after_s=kill_after_s)
    world.kill()
    world.office.start()
    ensure(said.code in (0, -9), f"the command failed: {said.output}")
    done = said.code == 0 or bool(said.output.strip())
    if kill_after_s is None:
        return done, "command let live"
    return (True, "command killed late") if done else (None, "command killed")


def _round(number: int, variant: str, done: bool | None, happened: Verdict, not_happened: Verdict) -> Round:
    if done:
        return Round(number, variant, happened)
    if not_happened.good:
        return Round(number, f"{variant} before it happened", not_happened)
    return Round(number, f"{variant} after it happened", happened)


ACK = Story(RULES, ACK_LENGTH, thirty_hours, ack, poll_every="2h")
SILENCE = Story(RULES, SILENCE_LENGTH, jobs_of, silence, poll_every="1h")
