from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.channels.samples import EVIDENCE, message, notice
from usage_watch.core.entry import Entry, entry
from usage_watch.core.message import Evidence, Notice, Reason

END = datetime(2026, 11, 1, tzinfo=UTC)
"""Of October, in Berlin an hour after its last."""
LATE = replace(EVIDENCE, over_at=END)
SAID = "its period ended Sun 1 Nov 01:00"


def of_october(reason: Reason, evidence: Evidence = LATE, ended_at: datetime | None = None) -> Notice:
    found = notice(reason, evidence=evidence, part="levels", period_at=END - timedelta(days=31))
    return replace(found, started_at=END - timedelta(hours=3), ended_at=ended_at)


def read(about: Notice, now: datetime) -> Entry:
    return entry(about, replace(message(about), zone="Europe/Berlin", decided_at=now, said_at=None))


@pytest.mark.parametrize(
    ("reason", "now", "ended_at", "is_said"),
    [
        (Reason.FIRED, END - timedelta(seconds=1), None, False),
        (Reason.FIRED, END + timedelta(days=1), None, True),
        (Reason.ESCALATED, END + timedelta(days=1), None, True),
        (Reason.UPDATED, END + timedelta(days=1), None, True),
        (Reason.FIRED_AND_ENDED, END + timedelta(days=1), END, True),
        (Reason.RESOLVED, END + timedelta(days=1), END, False),
        (Reason.CLOSED, END + timedelta(days=1), END, False),
    ],
)
def test_what_is_told_after_its_period_says_that_it_is_over(
    reason: Reason, now: datetime, ended_at: datetime | None, is_said: bool
) -> None:
    assert (SAID in read(of_october(reason, ended_at=ended_at), now).aside) is is_said


def test_it_is_over_from_its_end_on() -> None:
    assert read(of_october(Reason.FIRED), END).aside == ("since Sat 31 Oct 22:00", "its period ended 01:00")


def test_what_has_no_period_has_no_end_of_it() -> None:
    assert not any("period" in each for each in read(of_october(Reason.FIRED, EVIDENCE), END).aside)


@pytest.mark.parametrize(
    ("evidence", "label", "height"),
    [
        (replace(EVIDENCE, newest=True), "Last said", "last said 12,345 credits"),
        (EVIDENCE, "At its worst", "peak 12,345 credits"),
    ],
)
def test_a_forecast_that_is_over_tells_what_it_said_last(evidence: Evidence, label: str, height: str) -> None:
    closed = read(of_october(Reason.CLOSED, evidence, END), END)
    assert [each.value for each in closed.reasons if each.name == label] == [EVIDENCE.summary]
    assert height in read(of_october(Reason.RESOLVED, evidence, END), END).aside
