"""Members who leave when the story says so."""

from __future__ import annotations

from datetime import datetime

import pytest

from usage_watch.simulator import DATASETS, Departure, Runaway, Scenario

from .asking import BY_MEMBER, DAY, HOUR, HOURLY, LONG_AFTER, START, V1, Asker, asker, epoch, window

ANA = "ana@example.com"
LEFT_AT = START + 4 * DAY + 12 * HOUR


@pytest.fixture(scope="module")
def left() -> Asker:
    return asker(Scenario(seed=11, start_at=START, lag=None, departures=(Departure(ANA, LEFT_AT),)))


def is_listed(api: Asker, now: datetime, dataset: str) -> bool:
    return any(email == ANA for _, email in api.rows(now, dataset=dataset, **window(0, 4)))


@pytest.mark.parametrize("dataset", BY_MEMBER)
def test_who_left_vanishes_from_all_of_v2s_history(left: Asker, dataset: str) -> None:
    assert is_listed(left, LEFT_AT - HOUR, dataset)
    assert not is_listed(left, LEFT_AT, dataset)
    assert not is_listed(left, LONG_AFTER, dataset)


@pytest.mark.parametrize("dataset", HOURLY)
def test_who_left_is_refused_as_a_stranger_is(left: Asker, dataset: str) -> None:
    before, after, stranger = (
        left.answer(V1, now, dataset=dataset, user_email=email, **window(0, 4))
        for now, email in [(LEFT_AT - HOUR, ANA), (LEFT_AT, ANA), (LEFT_AT, "nobody@example.com")]
    )
    assert (before.status, after.status) == (200, 400)
    assert after == stranger


@pytest.mark.parametrize("dataset", sorted(DATASETS))
def test_what_she_did_stays_in_v1(left: Asker, prompt: Asker, dataset: str) -> None:
    answers = [api.buckets(LONG_AFTER, dataset=dataset, **window(0, 4)) for api in (left, prompt)]
    assert answers[0] == answers[1]


def test_she_does_nothing_from_the_next_hour_on_and_the_others_all_they_did(left: Asker, prompt: Asker) -> None:
    def of(api: Asker, first_day: int, **asked: object) -> list[int]:
        asked = {"dataset": "credit_usage", "bucket_width": "1h", **window(first_day, 1), **asked}
        return [bucket["count"] for bucket in api.buckets(LONG_AFTER, **asked)]

    hers = of(prompt, 4, user_email=ANA)
    gone = [all_of_them - others for all_of_them, others in zip(of(prompt, 4), of(left, 4), strict=True)]
    assert gone == [0] * 12 + hers[12:]
    assert sum(gone) > 0


def test_of_two_departures_the_first_counts() -> None:
    told = (Departure(ANA, LEFT_AT + DAY), Departure(ANA, LEFT_AT))
    api = asker(Scenario(seed=11, start_at=START, lag=None, departures=told))
    assert not is_listed(api, LEFT_AT, "credit_usage")


def test_a_job_that_she_left_behind_runs_on_unlisted() -> None:
    job = Runaway(ANA, "gpt-5-5", LEFT_AT + DAY, 2, 5_000)
    api = asker(
        Scenario(seed=11, start_at=START, lag=None, quiet=True, runaways=(job,), departures=(Departure(ANA, LEFT_AT),))
    )
    assert [bucket["count"] for bucket in api.buckets(LONG_AFTER, dataset="credit_usage", **window(5, 1))] == [10_000]
    assert api.rows(LONG_AFTER, dataset="credit_usage", start_time=epoch(START), end_time=epoch(START + 9 * DAY)) == {}
