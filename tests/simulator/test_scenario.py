"""What a scenario refuses, and that what is told again stays as it was."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

import numpy as np
import pytest

from usage_watch.simulator import (
    Departure,
    FaultKind,
    Outage,
    Revision,
    Runaway,
    Scenario,
    SyncLag,
    SyncStop,
    Usage,
)

from .asking import DAY, HOUR, START, STORY, epoch

NAIVE = datetime(2026, 8, 12)  # noqa: DTZ001
SOON = START + DAY


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (lambda: Scenario(seed=-1, start_at=START), "seed is 0 or above, not -1"),
        (lambda: Scenario(seed=1, start_at=NAIVE), "aware datetimes"),
        (lambda: Scenario(seed=1, start_at=START + HOUR), "starts at 00:00 UTC, not at 2026-08-10T01:00:00"),
        (lambda: Scenario(seed=1, start_at=datetime(1969, 12, 31, tzinfo=UTC)), "starts in 1970 or later"),
        (lambda: Runaway("ana@example.com", "gpt-5-5", NAIVE, 1, 1), "aware datetimes"),
        (lambda: Runaway("ana@example.com", "gpt-5-5", START, -1, 1), "hours are 0 to 8784"),
        (lambda: Runaway("ana@example.com", "gpt-5-5", START, 1, -1), "credits_per_hour are 0 or above"),
        (lambda: SyncStop(START, NAIVE), "aware datetimes"),
        (lambda: SyncLag(every_minutes=0), "every_minutes are 1 to 1440"),
        (lambda: SyncLag(usual_minutes=(90, 20)), r"minutes are \[earliest, latest\]"),
        (lambda: SyncLag(partial_share=1.5), "shares are 0 to 1"),
        (lambda: Revision(NAIVE, SOON, 1), "aware datetimes"),
        (lambda: Revision(START + HOUR / 2, SOON, 1), "hour_at is the start of an hour"),
        (lambda: Revision(START, SOON, -0.5), "factor is 0 to 100"),
        (lambda: Revision(START, SOON, float("nan")), "factor is 0 to 100"),
        (lambda: Departure("ana@example.com", NAIVE), "aware datetimes"),
        (lambda: Outage(START, FaultKind.DRIP, NAIVE), "aware datetimes"),
        (lambda: Outage(START, FaultKind.DRIP, every=0), "every is 1 or above"),
        (lambda: Outage(START, FaultKind.DRIP, after=-1), "after is 0 or above"),
        (lambda: Outage(START, FaultKind.DRIP, times=-1), "times are 0 or above"),
    ],
)
def test_a_story_that_makes_no_sense_is_refused(told: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        told()


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(ZoneInfoNotFoundError):
        Scenario(seed=1, start_at=START, zone="Europe/Atlantis")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"runaways": (Runaway("nobody@example.com", "gpt-5-5", SOON, 1, 1),)}, "no member 'nobody@example.com'"),
        ({"runaways": (Runaway("ana@example.com", "gpt-1", SOON, 1, 1),)}, "no model 'gpt-1'"),
        ({"departures": (Departure("nobody@example.com", SOON),)}, "no member 'nobody@example.com'"),
    ],
)
def test_whom_and_what_the_organization_lacks_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Usage(Scenario(seed=1, start_at=START, **change))


def digest(usage: Usage) -> str:
    """Of a hundred days, to the last thread and second."""
    whole = hashlib.sha256()
    first = epoch(usage.scenario.start_at) // 86_400
    for day in map(usage.day, range(first - 1, first + 100)):
        threads = day.threads
        columns = (day.synced_at, threads.hour, threads.member, threads.credits, *threads.codes.values())
        whole.update(b"".join(column.astype(np.int64).tobytes() for column in columns))
    return whole.hexdigest()[:16]


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        (STORY, "7e3f64cc817137fc"),
        (Scenario(seed=1, start_at=START), "7f5efff471963fd2"),
        (Scenario(seed=3, start_at=START, lag=None), "8222e63a646d3e28"),
        (Scenario(seed=2, start_at=START, lag=SyncLag(late_share=1, every_minutes=240)), "bbdffe22474301ed"),
    ],
)
def test_a_story_that_was_told_once_stays_as_it_was(scenario: Scenario, expected: str) -> None:
    assert digest(Usage(scenario)) == expected


def test_a_departure_changes_nobody_elses_day_and_a_revision_no_other_hour() -> None:
    plain = Scenario(seed=1, start_at=START)
    told = replace(
        plain,
        revisions=(Revision(START + 9 * HOUR, SOON, 0.5),),
        departures=(Departure("ana@example.com", START + 12 * HOUR),),
    )
    ana = Usage(plain).organization.index_of_email["ana@example.com"]
    before, after = (Usage(scenario).day(epoch(START) // 86_400) for scenario in (plain, told))
    kept = (before.threads.hour != 9) & ((before.threads.member != ana) | (before.threads.hour < 12))
    other = after.threads.hour != 9
    assert before.synced_at[kept].tolist() == after.synced_at[other].tolist()
    assert before.threads.credits[kept].tolist() == after.threads.credits[other].tolist()
    assert 0 < kept.sum() < len(kept) - 1
