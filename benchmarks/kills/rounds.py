"""A round: one incident, one blow, and what everybody heard of it; many rounds after each other are one long story."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from kills.hearing import Verdict
from kills.world import MIDNIGHT, StoryError, World, world
from usage_watch.errors import UsageWatchError
from usage_watch.simulator import Runaway

Facts = dict[str, float]


@dataclass(frozen=True, slots=True)
class Round:
    """How one round went."""

    number: int
    variant: str
    verdict: Verdict
    facts: Facts = field(default_factory=dict)
    """Figures of which the highest is of interest."""
    broken: str = ""
    """Why it shows nothing; empty where it went as it was to go."""

    @property
    def good(self) -> bool:
        return self.verdict.good and not self.broken


@dataclass(frozen=True, slots=True)
class Story:
    """What the rounds of one figure have in common."""

    rules: str
    """YAML: one rule, or several with `  - ` between them."""
    length: timedelta
    """Of one round, on the daemon's clock."""
    incidents: Callable[[int, datetime], Sequence[Runaway]]
    """What happens in a round, by its number and start."""
    play: Callable[[World, int, datetime], Round]
    poll_every: str = "30m"


def chance(figure: str, number: int) -> Random:
    """The dice of one round: the same whenever and beside whatever it is played."""
    return Random(f"{figure} {number}")


def play(story: Story, numbers: Sequence[int]) -> Iterator[Round]:
    """Play these rounds after each other in one world, and go on in a new one after a bad round."""
    left = list(numbers)
    while left:
        with tempfile.TemporaryDirectory() as folder:
            yield from _play(story, left, Path(folder))


def _play(story: Story, left: list[int], folder: Path) -> Iterator[Round]:
    starts = [MIDNIGHT + timedelta(hours=1) + index * story.length for index in range(len(left))]
    incidents = [each for number, at in zip(left, starts, strict=True) for each in story.incidents(number, at)]
    hours = len(left) * story.length // timedelta(hours=1)
    with world(folder, story.rules, incidents, hours, story.poll_every) as opened:
        for at in starts:
            number, before = left.pop(0), opened.count
            try:
                opened.live(at)
                ensure(opened.count == before, "something was told before the round began")
                found = story.play(opened, number, at)
            except UsageWatchError as error:
                found = Round(number, "", Verdict(), broken=str(error))
            yield found
            if not found.good:
                return


def ensure(condition: bool, otherwise: str) -> None:
    """StoryError unless the story goes as it is to go."""
    if not condition:
        raise StoryError(otherwise)
