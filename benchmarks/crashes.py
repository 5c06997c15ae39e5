"""Death at every fail point: what is lost, and what comes twice.

    python benchmarks/crashes.py --seeds 50 --jobs 2

Each seed is a story of about eight runs of `usage-watch run --once` between a simulated source and three collectors on
loopback (Slack, mail, webhook) that now and then have a bad moment; half of the Slacks let the app look its posts up.
A story is told undisturbed once, and then again for each fail point that its runs pass (before and after each commit,
send and record): there the process is killed as SIGKILL does it, and started again. `tests/crashes/dying.py` says what
must be the same then. A message that is neither one of the story's, nor a copy, of equal id, of what had been handed
out and was not recorded, is wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from multiprocessing import Pool
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))

from tests.crashes.dying import Died
from tests.crashes.survey import Survey, survey


def told(seed: int) -> Survey:
    """One story and its deaths, in a folder of their own."""
    with tempfile.TemporaryDirectory() as folder:
        return survey(Path(folder), seed)


def summed(surveys: Sequence[Survey]) -> dict[str, Any]:
    """All stories together."""
    deaths = [death for found in surveys for death in found.deaths if death.point]
    return {
        "seeds": len(surveys),
        "runs": sum(found.runs for found in surveys),
        "points": sum(len(found.deaths) for found in surveys),
        "deaths": _by_point(deaths),
        "copies": _by_point(death for death in deaths for _ in death.copies),
        "copies_by_target": dict(Counter(target for death in deaths for target in death.copies)),
        "lost": sum(death.lost for death in deaths),
        "wrong": [each for found in surveys for each in _wrong(found)],
    }


def _by_point(deaths: Iterable[Died]) -> dict[str, int]:
    return dict(Counter(death.point for death in deaths).most_common())


def _wrong(found: Survey) -> list[dict[str, Any]]:
    """For whoever wants to know why."""
    return [
        {"seed": found.seed, "run": death.run, "number": death.number, "point": death.point, "wrong": death.wrong}
        for death in found.deaths
        if death.wrong
    ]


def main() -> None:
    """Print one JSON object; and what came of each story to standard error, as it comes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first", type=int, default=1, help="seed of the first story; the others follow")
    parser.add_argument("--jobs", type=int, default=2, help="stories at a time")
    given = parser.parse_args()
    began = time.monotonic()
    surveys: list[Survey] = []
    with Pool(given.jobs) as pool:
        for one in pool.imap_unordered(told, range(given.first, given.first + given.seeds)):
            surveys.append(one)
            print(json.dumps({"seed": one.seed, **summed([one])}), file=sys.stderr, flush=True)
    found = summed(surveys)
    print(json.dumps({**found, "passed": not found["wrong"], "seconds": round(time.monotonic() - began)}))


if __name__ == "__main__":
    main()
