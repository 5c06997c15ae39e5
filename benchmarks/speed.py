"""What the seasonal rule costs, beside the rolling mean and deviation of pandas and of bottleneck in the same run.

    pip install '.[bench]'
    python benchmarks/speed.py --json

Times are of the processor, so that a second thread would count too; the best of some rounds each, in turn, for other
work on the machine makes them longer. The rule must replay in 2.5 times what pandas needs, and take a new bucket of
every series in 5 ms. `few`: what a daemon pays for the few series of a rule, all anew and for each new bucket.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from types import ModuleType

from detect.speed import MOST_MS, MOST_TIMES, few, many


def comparator(name: str) -> ModuleType:
    """A package to compare with; where it is missing the benchmark ends and says what to install."""
    try:
        return importlib.import_module(name)
    except ImportError:
        sys.exit(f"{name} is not installed, and this is a comparison with it: pip install 'usage-watch[bench]'")


def main() -> None:
    """Print one JSON object; exit 1 where the rule is slower than it must be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--hours", type=int, default=2_160)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="on one line")
    given = parser.parse_args()
    pandas, bottleneck = comparator("pandas"), comparator("bottleneck")
    found = many(given.series, given.hours, given.rounds, pandas, bottleneck)
    passed = found["replay_over_pandas"] <= MOST_TIMES and found["new_bucket_ms"] <= MOST_MS
    report = {"passed": passed, **found, "few": [few(series, rounds=given.rounds) for series in (1, 10, 50)]}
    print(json.dumps(report, indent=None if given.json else 2))
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
