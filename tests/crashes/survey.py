"""All deaths of a story."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.crashes.dying import Died, die, tell
from tests.crashes.stories import story
from tests.crashes.world import opened


@dataclass(frozen=True)
class Survey:
    """What came of them."""

    seed: int
    runs: int
    """Of the program, in the undisturbed story."""
    deaths: tuple[Died, ...]


def survey(folder: Path, seed: int, part: int = 0, parts: int = 1) -> Survey:
    """Tell a story, and then again with a death at every point of every run; or at every `parts`th of them."""
    one = story(seed)
    with opened(folder, one) as world:
        told = tell(world, one)
        deaths = tuple(die(world, told, run, number) for run, number in list(told.deaths)[part::parts])
        return Survey(seed, len(told.runs), deaths)
