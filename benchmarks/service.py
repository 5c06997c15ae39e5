"""The service as people run it: how it starts, its memory, what a quiet turn costs, how it stops and what a kill loses.

python benchmarks/service.py
python benchmarks/service.py --only quiet --only start --python PATH   # an environment without development tools

A year of hourly history of 100 series, read by the real daemon from the simulator; each figure is of fresh processes,
on a clock that jumps from one turn to the next. `usual_rules`: two budgets, thresholds, an absence and a seasonal
zscore over 18 series; `zscore_over_100`: a seasonal zscore over each. The day is the one on which a seasonal rule
keeps most in memory. `start`: READY is when it listens; the first cycle judges 90 days. `memory`: every turn is a poll
15 minutes after the last one; 10,000 of them are 104 days. All turns are polls, as they nearly are in life.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from serving.figures import memory, quiet, start
from serving.kills import kills
from serving.stops import stops
from serving.world import NOW, World, runaway, world

Figures = dict[str, object]
FIGURES = ("start", "quiet", "stops", "kills", "memory")


def measured(world: World, given: argparse.Namespace) -> Mapping[str, Callable[[], Figures]]:
    """Each figure, to be taken."""
    return {
        "start": lambda: start(world, given.python),
        "quiet": lambda: quiet(world, given.python),
        "stops": lambda: stops(world, given.python),
        "kills": lambda: kills(world, given.rounds, given.python),
        "memory": lambda: memory(world, given.turns, given.python),
    }


def main() -> None:
    """Print one JSON object; times in seconds, memory in MiB."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=FIGURES, help="a figure; may be given several times")
    parser.add_argument("--turns", type=int, default=10_000, help="of `memory`")
    parser.add_argument("--rounds", type=int, default=40, help="of `kills`")
    parser.add_argument("--python", type=Path, help="the interpreter of the daemons; this one by default")
    parser.add_argument("--folder", type=Path, help="keeps the databases, so that they are made once")
    given = parser.parse_args()
    logging.disable()
    # Now and then something happens, so that there are alerts to tell and to end.
    runaways = [runaway(NOW + timedelta(days=week * 7 - 5, hours=10)) for week in range(-2, 16)]
    with ExitStack() as opened:
        folder = given.folder or Path(opened.enter_context(tempfile.TemporaryDirectory()))
        made = opened.enter_context(world(folder, runaways))
        figures = measured(made, given)
        print(json.dumps({name: figures[name]() for name in given.only or FIGURES}))


if __name__ == "__main__":
    main()
