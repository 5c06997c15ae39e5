"""Hours that the store changes its mind about, the same way in every dataset, axis and endpoint."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usage_watch.simulator import DATASETS, Revision, Runaway, Scenario, SyncLag

from .asking import BY_MEMBER, DAY, HOUR, HOURLY, LONG_AFTER, START, Asker, asker, flat, window

ANA = "ana@example.com"
BURNED = Runaway(ANA, "gpt-5-5", START + 2 * HOUR, 3, 6_000)
HOUR_AT = START + 3 * HOUR
LEARNED_AT = START + 2 * DAY


def quiet(*revisions: Revision, lag: SyncLag | None = None) -> Asker:
    return asker(Scenario(seed=1, start_at=START, lag=lag, quiet=True, runaways=(BURNED,), revisions=revisions))


def hours(api: Asker, now: datetime = LONG_AFTER, dataset: str = "credit_usage") -> list[int]:
    buckets = api.buckets(now, dataset=dataset, bucket_width="1h", **window(0, 1))
    return [bucket["count"] for bucket in buckets][2:5]


@pytest.mark.parametrize(
    ("factor", "burned", "threads"),
    [(0.0, 0, 0), (0.5, 3_000, 30), (0.75, 4_500, 45), (1.0, 6_000, 60), (2.0, 12_000, 120), (2.5, 15_000, 150)],
)
def test_from_when_it_is_learned_an_hour_is_served_by_its_factor(factor: float, burned: int, threads: int) -> None:
    api = quiet(Revision(HOUR_AT, LEARNED_AT, factor))
    assert hours(api, LEARNED_AT - HOUR) == [6_000, 6_000, 6_000]
    assert hours(api, LEARNED_AT) == hours(api) == [6_000, burned, 6_000]
    assert hours(api, dataset="workflows") == [60, threads, 60]


def test_several_revisions_of_an_hour_follow_each_other_whatever_their_order_in_the_story() -> None:
    told = [Revision(HOUR_AT, LEARNED_AT + n * HOUR, factor) for n, factor in enumerate([0.5, 0, 2, 1])]
    for revisions in (told, told[::-1]):
        api = quiet(*revisions)
        seen = [hours(api, LEARNED_AT + n * HOUR)[1] for n in range(-1, 5)]
        assert seen == [6_000, 3_000, 0, 12_000, 6_000, 6_000]


def test_of_two_learned_at_the_same_instant_the_later_in_the_story_holds() -> None:
    assert hours(quiet(Revision(HOUR_AT, LEARNED_AT, 0), Revision(HOUR_AT, LEARNED_AT, 0.5)))[1] == 3_000


def test_a_revision_shows_nothing_before_it_is_synced() -> None:
    lag = SyncLag(usual_minutes=(60, 60), late_share=0)
    api = quiet(Revision(HOUR_AT, HOUR_AT + 1.5 * HOUR, 2), lag=lag)
    assert hours(api, HOUR_AT + 1.9 * HOUR)[1] == 0
    assert hours(api, HOUR_AT + 2 * HOUR)[1] == 12_000


def test_an_hour_without_usage_has_nothing_to_revise() -> None:
    api = quiet(Revision(START + 12 * HOUR, LEARNED_AT, 2))
    assert hours(api) == [6_000, 6_000, 6_000]
    assert api.buckets(LONG_AFTER, dataset="credit_usage", **window(0, 1))[0]["count"] == 18_000


def test_members_who_have_nothing_left_are_no_longer_there() -> None:
    api = quiet(*(Revision(START + hour * HOUR, LEARNED_AT, 0) for hour in (2, 3, 4)))
    asked: dict[str, Any] = {"dataset": "daily_active_users", **window(0, 1)}
    assert [api.buckets(now, **asked)[0]["count"] for now in (LEARNED_AT - HOUR, LEARNED_AT)] == [1, 0]
    assert len(api.rows(LEARNED_AT - HOUR, dataset="credit_usage", **window(0, 1))) == 1
    assert api.rows(LEARNED_AT, dataset="credit_usage", **window(0, 1)) == {}


revisions = st.lists(
    st.builds(
        lambda hour, learned, factor: Revision(START + hour * HOUR, START + learned * HOUR, factor),
        st.integers(0, 47),
        st.integers(0, 120),
        st.sampled_from([0, 0.1, 0.5, 0.9, 1, 1.3, 2]),
    ),
    max_size=12,
).map(tuple)
instants = st.integers(50, 130).map(lambda hours: START + hours * HOUR)


def add_up(entries: list[dict[str, Any]]) -> dict[tuple[str, str] | None, int]:
    total: dict[tuple[str, str] | None, int] = {}
    for entry in entries:
        for key, count in flat(entry).items():
            total[key] = total.get(key, 0) + count
    return {key: count for key, count in total.items() if count}


@given(told=revisions, now=instants)
@settings(max_examples=25, deadline=None)
def test_revised_answers_never_contradict_each_other(told: tuple[Revision, ...], now: datetime) -> None:
    api = asker(Scenario(seed=11, start_at=START, revisions=told))
    for dataset in HOURLY:
        asked: dict[str, Any] = {"dataset": dataset, "limit": 31, **window(0, 2)}
        days = add_up(api.buckets(now, **asked))
        assert days == add_up(api.buckets(now, bucket_width="1h", **asked))
    for dataset in BY_MEMBER:
        days = add_up(api.buckets(now, dataset=dataset, **window(0, 2)))
        rows = add_up(list(api.rows(now, dataset=dataset, **window(0, 2)).values()))
        assert rows == {key: days[key] for key in rows}
        assert rows.get(None) == days.get(None)
    # Every thread is a query, and what is not Search has credits.
    spent, queries = (
        add_up(api.buckets(now, dataset=name, **window(0, 2))) for name in ("credit_usage", "query_volume")
    )
    assert (None in spent) <= (None in queries)


@given(told=revisions, factors=st.tuples(st.sampled_from([0, 0.3, 0.5, 1, 1.7]), st.sampled_from([0, 0.3, 1, 1.7])))
@settings(max_examples=25, deadline=None)
def test_a_larger_factor_shows_all_that_a_smaller_one_does(
    told: tuple[Revision, ...], factors: tuple[float, float]
) -> None:
    hour_at, learned_at = START + 9 * HOUR, START + 200 * HOUR
    low, high = (
        asker(Scenario(seed=11, start_at=START, revisions=(*told, Revision(hour_at, learned_at, factor))))
        for factor in sorted(factors)
    )
    for dataset in DATASETS:
        less, more = (flat(api.buckets(LONG_AFTER, dataset=dataset, **window(0, 1))[0]) for api in (low, high))
        assert all(count <= more.get(key, 0) for key, count in less.items())


@given(told=revisions, now=instants)
@settings(max_examples=15, deadline=None)
def test_a_last_revision_by_one_brings_back_what_there_was(
    prompt: Asker, told: tuple[Revision, ...], now: datetime
) -> None:
    back = tuple(Revision(revision.hour_at, START + 121 * HOUR, 1) for revision in told)
    api = asker(Scenario(seed=11, start_at=START, lag=None, revisions=told + back))
    for dataset in DATASETS:
        asked: dict[str, Any] = {"dataset": dataset, **window(0, 2)}
        assert api.buckets(LONG_AFTER, **asked) == prompt.buckets(LONG_AFTER, **asked)
