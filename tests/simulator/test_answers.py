"""Answers keep the contract's shape, and the numbers of one never contradict those of another."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usage_watch.simulator import DATASETS, Scenario
from usage_watch.simulator.query import V1 as FIRST_ENDPOINT
from usage_watch.simulator.query import V2 as SECOND_ENDPOINT
from usage_watch.simulator.query import Endpoint

from .asking import (
    BY_MEMBER,
    DAY,
    HOUR,
    HOURLY,
    LONG_AFTER,
    OPENAPI,
    START,
    V1,
    V2,
    Asker,
    asker,
    breaks_schema,
    epoch,
    flat,
    window,
)

ANA = "ana@example.com"
OVERLAPPING = {"Project", "Comet"}
EVERY_V1 = [(name, width) for name in DATASETS for width in ("1d", "1h") if width == "1d" or name in HOURLY]
instants = st.integers(0, 14 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes))


def add_up(entries: list[dict[str, Any]]) -> dict[tuple[str, str] | None, int]:
    total: dict[tuple[str, str] | None, int] = {}
    for entry in entries:
        for key, count in flat(entry).items():
            total[key] = total.get(key, 0) + count
    return total


@pytest.mark.parametrize("endpoint", [FIRST_ENDPOINT, SECOND_ENDPOINT])
def test_the_parameters_are_those_of_the_openapi_file(endpoint: Endpoint) -> None:
    listed = {parameter["name"]: parameter for parameter in OPENAPI["paths"][endpoint.path]["get"]["parameters"]}
    assert endpoint.parameters == set(listed)
    assert list(endpoint.datasets) == listed["dataset"]["schema"]["enum"]
    assert max(largest for _, largest in endpoint.limits.values()) == listed["limit"]["schema"]["maximum"]


@pytest.mark.parametrize(("dataset", "width"), EVERY_V1)
@pytest.mark.parametrize("now", [START + 30 * HOUR, START + 5 * DAY + 7.7 * HOUR, LONG_AFTER])
def test_every_v1_answer_is_valid(story: Asker, dataset: str, width: str, now: datetime) -> None:
    for page in story.pages(V1, now, dataset=dataset, bucket_width=width, **window(0, 9)):
        assert breaks_schema("UsagePage", page) == []
        assert page["categories"] == list(DATASETS[dataset].axes)
        assert all(list(bucket["by_categories"]) == page["categories"] for bucket in page["data"])


@pytest.mark.parametrize("dataset", BY_MEMBER)
@pytest.mark.parametrize("now", [START + 30 * HOUR, START + 5 * DAY + 7.7 * HOUR, LONG_AFTER])
def test_every_v2_answer_is_valid(story: Asker, dataset: str, now: datetime) -> None:
    for page in story.pages(V2, now, dataset=dataset, group_by="user_email", **window(0, 9)):
        assert breaks_schema("MemberPage", page) == []
        assert page["categories"] == list(DATASETS[dataset].member_axes or ())
        assert all(day["results"] for day in page["data"])


@pytest.mark.parametrize(("dataset", "width"), EVERY_V1)
def test_buckets_lie_on_the_grid_one_after_the_other(story: Asker, dataset: str, width: str) -> None:
    seconds = {"1d": 86_400, "1h": 3_600}[width]
    buckets = story.buckets(LONG_AFTER, dataset=dataset, bucket_width=width, **window(0, 9))
    starts = [bucket["start_time"] for bucket in buckets]
    assert starts == list(range(epoch(START), epoch(START + 9 * DAY), seconds))
    assert all(bucket["end_time"] - bucket["start_time"] == seconds for bucket in buckets)


@given(now=instants, dataset=st.sampled_from(HOURLY), email=st.sampled_from([None, ANA, "max@example.com"]))
@settings(max_examples=60, deadline=None)
def test_hours_sum_to_their_day_at_any_time(story: Asker, now: datetime, dataset: str, email: str | None) -> None:
    asked: dict[str, Any] = {"dataset": dataset, **window(0, 14)} | ({"user_email": email} if email else {})
    hours = story.buckets(now, bucket_width="1h", limit=168, **asked)
    for day in story.buckets(now, limit=31, **asked):
        of_day = [hour for hour in hours if day["start_time"] <= hour["start_time"] < day["end_time"]]
        assert len(of_day) == 24
        assert add_up(of_day) == flat(day)


@pytest.mark.parametrize(("dataset", "width"), EVERY_V1)
def test_an_axis_sums_to_no_more_than_the_count(story: Asker, dataset: str, width: str) -> None:
    unattributed = dict.fromkeys(DATASETS[dataset].axes, 0)
    for bucket in story.buckets(LONG_AFTER, dataset=dataset, bucket_width=width, **window(0, 14)):
        for axis, listed in bucket["by_categories"].items():
            counts = [item["count"] for item in listed]
            assert all(count > 0 for count in counts)
            unattributed[axis] += bucket["count"] - sum(counts)
            assert sum(counts) <= bucket["count"]
    assert all(unattributed.values())


@pytest.mark.parametrize("axis", sorted(OVERLAPPING))
def test_project_and_comet_are_subsets_of_the_queries(story: Asker, axis: str) -> None:
    for bucket in story.buckets(LONG_AFTER, dataset="query_volume", **window(0, 14)):
        [only] = bucket["by_categories"][axis]
        assert 0 < only["count"] < bucket["count"]


@given(now=instants, dataset=st.sampled_from(BY_MEMBER))
@settings(max_examples=30, deadline=None)
def test_member_rows_never_sum_to_more_than_the_day(story: Asker, now: datetime, dataset: str) -> None:
    rows = story.rows(now, dataset=dataset, **window(0, 14))
    for day in story.buckets(now, dataset=dataset, limit=31, **window(0, 14)):
        of_day = add_up([row for (start, _), row in rows.items() if start == day["start_time"]])
        whole = flat(day)
        assert all(count <= whole[key] for key, count in of_day.items())


@given(now=instants, email=st.sampled_from([ANA, "max@example.com", "jose+computer@example.com"]))
@settings(max_examples=30, deadline=None)
def test_a_members_rows_are_her_days(story: Asker, now: datetime, email: str) -> None:
    rows = story.rows(now, dataset="credit_usage", **window(0, 14))
    mine = {start: flat(row) for (start, owner), row in rows.items() if owner == email}
    days = story.buckets(now, dataset="credit_usage", limit=31, user_email=email, **window(0, 14))
    assert mine == {day["start_time"]: flat(day) for day in days if day["count"]}


def test_all_members_together_are_the_total_as_long_as_nobody_left(story: Asker) -> None:
    now = START + 20 * DAY
    for dataset in BY_MEMBER:
        rows = story.rows(now, dataset=dataset, **window(0, 14))
        for day in story.buckets(now, dataset=dataset, limit=31, **window(0, 14)):
            assert day["count"] == sum(row["count"] for (start, _), row in rows.items() if start == day["start_time"])


def test_active_users_of_a_day_are_the_members_with_queries_and_do_not_add_up(story: Asker) -> None:
    now = START + 20 * DAY
    rows = story.rows(now, dataset="query_volume", **window(0, 14))
    days = story.buckets(now, dataset="daily_active_users", limit=31, **window(0, 14))
    for day in days:
        assert day["count"] == sum(start == day["start_time"] for start, _ in rows)
        assert day["by_categories"] == {}
    assert sum(day["count"] for day in days) > 40


def test_categories_come_largest_first(story: Asker) -> None:
    [day] = story.buckets(LONG_AFTER, dataset="credit_usage", **window(2, 1))
    models = [item["count"] for item in day["by_categories"]["Model"]]
    assert len(models) >= 5
    assert models == sorted(models, reverse=True)


def leaver(api: Asker) -> tuple[str, datetime]:
    """Who leaves, and when."""
    [member] = [member for member in api.api.usage.organization.members if member.left_day is not None]
    assert member.left_day is not None
    return member.email, START + member.left_day * DAY


def test_who_left_vanishes_from_all_member_days_but_not_from_the_totals(story: Asker) -> None:
    email, left_at = leaver(story)
    before, after = left_at - timedelta(seconds=1), left_at
    asked: dict[str, Any] = {"dataset": "credit_usage", **window(2, 12)}
    known, unknown = (story.rows(now, **asked) for now in (before, after))
    gone = {key for key in known if key not in unknown}
    assert {owner for _, owner in gone} == {email}
    assert {key: row for key, row in known.items() if key not in gone} == unknown
    assert story.buckets(before, **asked) == story.buckets(after, **asked)


def test_who_left_is_refused_with_the_same_words_as_a_stranger(story: Asker) -> None:
    email, left_at = leaver(story)
    asked: dict[str, Any] = {"dataset": "credit_usage", **window(2, 12)}
    assert story.answer(V1, left_at - HOUR, user_email=email, **asked).status == 200
    gone = story.answer(V1, left_at, user_email=email, **asked)
    stranger = story.answer(V1, left_at, user_email="stranger@example.com", **asked)
    assert gone.status == 400
    assert gone == stranger


def test_who_has_not_joined_yet_is_refused(story: Asker) -> None:
    joiner = next(member for member in story.api.usage.organization.members if member.joined_day > 1)
    asked: dict[str, Any] = {"dataset": "credit_usage", "user_email": joiner.email, **window(0, 1)}
    joined_at = START + joiner.joined_day * DAY
    assert story.answer(V1, joined_at - HOUR, **asked).body["error"]["type"] == "invalid_request"
    assert story.answer(V1, joined_at, **asked).status == 200


NOW = START + 10 * DAY + 9 * HOUR + timedelta(minutes=40)


@pytest.mark.parametrize(
    ("width", "start", "end", "first", "last"),
    [
        ("1d", START + 3.9 * DAY, START + 6.9 * DAY, START + 3 * DAY, START + 6 * DAY),
        ("1d", START + 8 * DAY, None, START + 8 * DAY, START + 10 * DAY),
        ("1d", START + 8 * DAY, START + 90 * DAY, START + 8 * DAY, START + 10 * DAY),
        ("1h", NOW - 3.2 * HOUR, NOW - 1.2 * HOUR, START + 10 * DAY + 6 * HOUR, START + 10 * DAY + 8 * HOUR),
        ("1h", NOW - 2 * HOUR, None, START + 10 * DAY + 7 * HOUR, START + 10 * DAY + 9 * HOUR),
        ("1h", NOW - 2 * HOUR, NOW + 2 * HOUR, START + 10 * DAY + 7 * HOUR, START + 10 * DAY + 9 * HOUR),
    ],
    ids=["snapped", "until now", "end in the future", "hours snapped", "hours until now", "hours capped"],
)
def test_a_window_is_snapped_down_and_ends_with_the_last_complete_bucket(
    prompt: Asker, width: str, start: datetime, end: datetime | None, first: datetime, last: datetime
) -> None:
    asked = {"start_time": epoch(start)} | ({} if end is None else {"end_time": epoch(end)})
    page = prompt.page(V1, NOW, dataset="credit_usage", bucket_width=width, **asked)
    assert page["data"][0]["start_time"] == epoch(first)
    assert page["data"][-1]["end_time"] == epoch(last)
    assert page["has_more"] is False
    assert page["next_page"] is None


@pytest.mark.parametrize(
    "asked",
    [
        {"start_time": epoch(NOW)},
        {"start_time": epoch(NOW), "end_time": epoch(NOW)},
        {"start_time": epoch(START + 10 * DAY)},
        {"start_time": epoch(NOW + 3 * DAY), "end_time": epoch(NOW + 5 * DAY)},
    ],
    ids=["from now on", "empty", "today", "in the future"],
)
def test_a_window_without_a_complete_bucket_is_empty(prompt: Asker, asked: dict[str, int]) -> None:
    nothing = {"data": [], "has_more": False, "next_page": None}
    v1 = prompt.page(V1, NOW, dataset="credit_usage", **asked)
    v2 = prompt.page(V2, NOW, dataset="credit_usage", group_by="user_email", **asked)
    assert v1 == v2 == {"categories": ["Model", "Credit Source"], **nothing}


def test_a_bucket_is_complete_at_its_very_end(prompt: Asker) -> None:
    asked: dict[str, Any] = {"dataset": "credit_usage", "bucket_width": "1h", "start_time": epoch(NOW - 10 * HOUR)}
    full_hour = START + 10 * DAY + 9 * HOUR
    before = prompt.buckets(full_hour - timedelta(seconds=1), **asked)
    at_the_end = prompt.buckets(full_hour, **asked)
    assert len(at_the_end) == len(before) + 1


def test_a_window_may_span_90_days_to_the_second(prompt: Asker) -> None:
    asked: dict[str, Any] = {"dataset": "credit_usage", "limit": 31, "start_time": epoch(START)}
    buckets = prompt.buckets(LONG_AFTER, **asked, end_time=epoch(START + 90 * DAY))
    assert len(buckets) == 90


def test_before_the_scenario_everything_is_zero(prompt: Asker) -> None:
    [day] = prompt.buckets(NOW, dataset="spaces", **window(-1, 1))
    assert flat(day) == {None: 0}
    assert day["by_categories"] == {"Space": []}
    assert prompt.rows(NOW, dataset="credit_usage", **window(-5, 5)) == {}


def test_days_without_usage_and_members_without_usage_are_left_out() -> None:
    api = asker(Scenario(seed=11, start_at=START, lag=None))
    page = api.page(V2, NOW, dataset="credit_usage", group_by="user_email", limit=100, **window(-3, 5))
    assert [day["start_time"] for day in page["data"]] == [epoch(START), epoch(START + DAY)]
    assert all(0 < len(day["results"]) < 40 for day in page["data"])
    assert all(row["count"] > 0 for day in page["data"] for row in day["results"])


def test_the_same_scenario_gives_the_same_answers_and_another_seed_others() -> None:
    asked: dict[str, Any] = {"dataset": "credit_usage", "limit": 5, **window(0, 7)}
    one, again, other = (
        asker(Scenario(seed=seed, start_at=START)).answer(V1, LONG_AFTER, **asked) for seed in (8, 8, 9)
    )
    assert one == again
    assert one.body["data"] != other.body["data"]
