"""What the page costs: each of its pages alone, and 50 of them a second beside the daemon's cycles.

python benchmarks/page.py
python benchmarks/page.py --only load --folder KEPT

100 hourly series, 90 days of them, all pages that its links lead to. `pages`: made in this process as the daemon makes
them once it has judged, uncached; wall and CPU milliseconds, once the process has made the page before and when it
makes it first. `first_of_all`: the first page, with what is imported for it. `cached`: the same page again in the same
minute. `load`: the real daemon reads and judges every series again at a pace of 15 seconds, for which its clock goes on
by a quarter of an hour, and with each all pages are out of date: in life that is as often as it reads, each 15 to 60
minutes, and as it delivers. It answers on four connections that are kept open. `ratio` is a cycle beside the load to
one beside an idle page, taken in turns of four cycles. An answer is late a second after it was due to be asked for.
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
        "load": lambda: load(world, given.seconds, given.pace, given.rate, given.python),
    }


def main() -> None:
    """Print one JSON object; times in milliseconds where they say nothing else."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=FIGURES, help="a figure; may be given several times")
    parser.add_argument("--seconds", type=float, default=240, help="of `load`, and as many beside an idle page")
    parser.add_argument("--pace", type=float, default=15, help="seconds from a cycle of `load` to the next")
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
