"""The real daemon under SIGKILL, outages and throttling: what is lost, and what is told twice.

python benchmarks/sigkill.py
python benchmarks/sigkill.py --only ack --from 17 --rounds 1    # one round again

Figures, each of so many rounds: `told`: SIGKILL one second after a receiver's answer. `within`: inside of that second.
`before_end`: before the end of an incident is told. `ack`, `silence`: right after the command, or in it. `outage`: an
incident that begins and ends while a receiver is down; `hung`: the same where it takes connections and is silent (a
tenth of the rounds: each attempt takes ten seconds). `retry_after`: a 429, on the machine's clock (a tenth).
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from multiprocessing import Pool

from kills import rounds, throttling
from kills.moments import BEFORE_END, TOLD, WITHIN
from kills.orders import ACK, SILENCE
from kills.outages import HUNG, OUTAGE
from kills.rounds import Round, Story

STORIES: Mapping[str, Story] = {
    "told": TOLD,
    "within": WITHIN,
    "before_end": BEFORE_END,
    "ack": ACK,
    "silence": SILENCE,
    "outage": OUTAGE,
    "hung": HUNG,
}
THROTTLED = "retry_after"
FIGURES = (*STORIES, THROTTLED)
WAITING = {"hung": 4, THROTTLED: 2}
"""Figures whose rounds mostly wait: so many times more of them are played beside each other."""
A_TENTH = frozenset(WAITING)
CHUNK = 20
"""Rounds in one world."""
Job = tuple[str, list[int]]


def run(job: Job) -> tuple[str, list[Round]]:
    """The rounds of one world."""
    figure, numbers = job
    return figure, list(rounds.play(STORIES[figure], numbers))


def jobs(figures: Iterable[str], numbers: Mapping[str, range]) -> Iterator[Job]:
    """Worlds, each with a part of one figure's rounds."""
    for figure in figures:
        size = 3 if figure in WAITING else CHUNK
        for first in range(0, len(numbers[figure]), size):
            yield figure, list(numbers[figure][first : first + size])


def summary(found: Sequence[Round], wanted: int) -> dict[str, object]:
    """One figure, and every round that was not as it should be."""
    bad = [each for each in found if not each.good]
    facts = {name for each in found for name in each.facts}
    return {
        "rounds": len(found),
        "passed": len(found) == wanted and not bad,
        "lost": sum(each.verdict.lost for each in found),
        "surplus": sum(each.verdict.surplus for each in found),
        "misplaced": sum(each.verdict.misplaced for each in found),
        "broken": sum(each.broken != "" for each in found),
        "copies": sum(each.verdict.copies for each in found),
        "highest": {name: max(each.facts.get(name, 0.0) for each in found) for name in sorted(facts)},
        "rounds_by_variant": dict(sorted(Counter(each.variant for each in found).items())),
        "copies_by_variant": dict(sorted(_copies(found).items())),
        "bad": [
            {"round": each.number, "variant": each.variant, "why": [*each.verdict.words, each.broken]} for each in bad
        ],
    }


def _copies(found: Iterable[Round]) -> Counter[str]:
    copies: Counter[str] = Counter()
    for each in found:
        copies[each.variant] += each.verdict.copies
    return +copies


def played(figures: Sequence[str], numbers: Mapping[str, range], beside: int) -> dict[str, list[Round]]:
    """All rounds of these figures; those that mostly wait come last."""
    results: dict[str, list[Round]] = {figure: [] for figure in figures}
    busy = [figure for figure in figures if figure not in WAITING]
    with Pool(beside, maxtasksperchild=1) as pool:
        for figure, found in pool.imap_unordered(run, jobs(busy, numbers)):
            results[figure] += found
    if "hung" in figures:
        with Pool(beside * WAITING["hung"], maxtasksperchild=1) as pool:
            for figure, found in pool.imap_unordered(run, jobs(["hung"], numbers)):
                results[figure] += found
    if THROTTLED in figures:
        results[THROTTLED] += throttling.play(numbers[THROTTLED], beside * WAITING[THROTTLED])
    return results


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200, help="of each figure")
    parser.add_argument("--jobs", type=int, default=2, help="worlds side by side")
    parser.add_argument("--only", action="append", choices=FIGURES, help="a figure; may be given several times")
    parser.add_argument("--from", dest="first", type=int, default=0, help="number of the first round")
    given = parser.parse_args()
    figures: Sequence[str] = given.only or FIGURES
    counts = {figure: -(-given.rounds // 10) if figure in A_TENTH else given.rounds for figure in figures}
    numbers = {figure: range(given.first, given.first + count) for figure, count in counts.items()}
    began = time.monotonic()
    results = played(figures, numbers, given.jobs)
    found = {figure: summary(results[figure], counts[figure]) for figure in figures}
    passed = all(bool(each["passed"]) for each in found.values())
    took_s = round(time.monotonic() - began)
    print(
        json.dumps({"rounds": given.rounds, "jobs": given.jobs, "took_s": took_s, "passed": passed, "figures": found})
    )


if __name__ == "__main__":
    main()
