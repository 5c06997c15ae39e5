"""Death at every fail point of a story: nothing is lost, and only what was on its way comes once more.

`benchmarks/crashes.py` does the same with many stories.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.crashes.survey import Survey, survey

SEED = 5
PARTS = 2


def test_wherever_it_dies_nothing_is_lost_and_only_what_was_on_its_way_comes_again(tmp_path: Path) -> None:
    def part(number: int) -> Survey:
        folder = tmp_path / str(number)
        folder.mkdir()
        return survey(folder, SEED, number, PARTS)

    with ThreadPoolExecutor(PARTS) as threads:
        deaths = [death for found in threads.map(part, range(PARTS)) for death in found.deaths]
    assert [death for death in deaths if death.wrong] == []
    points = Counter(death.point for death in deaths)
    assert points.keys() >= {"commit", "committed", "send", "sent", "record", "recorded"}
    assert {target for death in deaths for target in death.copies} == {"ops", "finance", "pager"}
