"""What the page costs: each of its pages alone, and 50 of them a second beside the daemon's cycles.

python benchmarks/page.py
python benchmarks/page.py --only load --folder KEPT

100 hourly series, 90 days of them, all pages that its links lead to. `pages`: made in this process as the daemon makes
them, uncached; wall and CPU milliseconds, once the process has made the page before and when it makes it first.
`cached`: the same page again in the same minute. `load`: the real daemon reads and judges every series again each 2.5
seconds, for which its clock goes on by a quarter of an hour, so that nothing is kept for longer; it answers on four
connections that are kept open. `ratio` is a cycle beside the load to one beside an idle page, taken in turns of twenty
seconds. An answer is late a second after it was due to be asked for.
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

from serving.looking import load, pages
from serving.world import NOW, World, runaway, world

Figures = dict[str, object]
FIGURES = ("pages", "load")


def measured(world: World, given: argparse.Namespace) -> Mapping[str, Callable[[], Figures]]:
    """Each figure, to be taken."""
    return {
        "pages": lambda: pages(world),
        "load": lambda: load(world, given.seconds, given.rate, given.python),
    }


def main() -> None:
    """Print one JSON object; times in milliseconds where they say nothing else."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=FIGURES, help="a figure; may be given several times")
    parser.add_argument("--seconds", type=float, default=60, help="of `load`")
    parser.add_argument("--rate", type=int, default=50, help="requests a second of `load`")
    parser.add_argument("--python", type=Path, help="the interpreter of the daemon; this one by default")
    parser.add_argument("--folder", type=Path, help="keeps the database, so that it is made once")
    given = parser.parse_args()
    logging.disable()
    with ExitStack() as opened:
        folder = given.folder or Path(opened.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        made = opened.enter_context(world(folder, [runaway(NOW - timedelta(hours=6), 12)]))
        figures = measured(made, given)
        print(json.dumps({name: figures[name]() for name in given.only or FIGURES}))


if __name__ == "__main__":
    main()
