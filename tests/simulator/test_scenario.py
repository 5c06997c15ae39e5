"""What a scenario refuses."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

import pytest

from usage_watch.simulator import Runaway, Scenario, SyncStop, Usage

from .asking import DAY, HOUR, START

NAIVE = datetime(2026, 8, 12)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": -1}, "seed is 0 or above, not -1"),
        ({"start_at": NAIVE}, "aware datetimes"),
        ({"runaways": (Runaway("ana@example.com", "gpt-5-5", NAIVE, 1, 1),)}, "aware datetimes"),
        ({"stops": (SyncStop(START, NAIVE),)}, "aware datetimes"),
        ({"start_at": START + HOUR}, "starts at 00:00 UTC, not at 2026-08-10T01:00:00"),
    ],
)
def test_a_story_that_makes_no_sense_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(Scenario(seed=1, start_at=START), **change)


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(ZoneInfoNotFoundError):
        Scenario(seed=1, start_at=START, zone="Europe/Atlantis")


@pytest.mark.parametrize(
    ("runaway", "words"),
    [
        (Runaway("nobody@example.com", "gpt-5-5", START + DAY, 1, 1), "no member 'nobody@example.com'"),
        (Runaway("ana@example.com", "gpt-1", START + DAY, 1, 1), "no model 'gpt-1'"),
    ],
)
def test_a_runaway_of_whom_or_what_the_organization_lacks_is_refused(runaway: Runaway, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Usage(Scenario(seed=1, start_at=START, runaways=(runaway,)))
