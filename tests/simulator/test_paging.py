"""Pages joined are one answer, whatever the limit."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usage_watch.simulator import DATASETS

from .asking import BY_MEMBER, DAY, HOUR, HOURLY, LONG_AFTER, START, V1, V2, Asker, epoch, window

instants = st.integers(0, 40 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes))


@given(now=instants, dataset=st.sampled_from(sorted(DATASETS)), limit=st.integers(1, 31))
@settings(max_examples=60, deadline=None)
def test_pages_of_days_joined_are_one_answer(story: Asker, now: datetime, dataset: str, limit: int) -> None:
    asked: dict[str, Any] = {"dataset": dataset, **window(0, 31)}
    pages = list(story.pages(V1, now, limit=limit, **asked))
    whole = story.page(V1, now, limit=31, **asked)
    assert [bucket for page in pages for bucket in page["data"]] == whole["data"]
    assert all(len(page["data"]) == limit for page in pages[:-1])


@given(now=instants, dataset=st.sampled_from(HOURLY), limit=st.integers(1, 168), first=st.integers(0, 30 * 24))
@settings(max_examples=40, deadline=None)
def test_pages_of_hours_joined_are_one_answer(
    story: Asker, now: datetime, dataset: str, limit: int, first: int
) -> None:
    start, end = (epoch(START + hours * HOUR) for hours in (first, first + 168))
    asked: dict[str, Any] = {"dataset": dataset, "bucket_width": "1h", "start_time": start, "end_time": end}
    joined = story.buckets(now, limit=limit, **asked)
    whole = story.page(V1, now, limit=168, **asked)
    assert joined == whole["data"]
    assert whole["has_more"] is False


def rows_in_order(pages: list[dict[str, Any]]) -> list[tuple[int, dict[str, Any]]]:
    return [(day["start_time"], row) for page in pages for day in page["data"] for row in day["results"]]


@given(now=instants, dataset=st.sampled_from(BY_MEMBER), limit=st.integers(1, 100), days=st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_pages_of_member_rows_joined_are_one_answer(
    story: Asker, now: datetime, dataset: str, limit: int, days: int
) -> None:
    asked: dict[str, Any] = {"dataset": dataset, "group_by": "user_email", **window(3, days)}
    pages = list(story.pages(V2, now, limit=limit, **asked))
    joined = rows_in_order(pages)
    places = [(start, row["user_email"]) for start, row in joined]
    assert places == sorted(set(places))
    assert joined == rows_in_order(list(story.pages(V2, now, limit=100, **asked)))
    assert all(len(rows_in_order([page])) == limit for page in pages[:-1])


def test_the_rows_of_a_day_are_split_over_two_pages(prompt: Asker) -> None:
    pages = list(prompt.pages(V2, LONG_AFTER, dataset="credit_usage", group_by="user_email", **window(1, 3)))
    first, second = pages[0]["data"], pages[1]["data"]
    assert [len(rows_in_order([page])) for page in pages[:-1]] == [50] * (len(pages) - 1)
    assert len(first) > 1
    assert first[-1]["start_time"] == second[0]["start_time"]


@pytest.mark.parametrize(
    ("path", "asked", "size"),
    [
        (V1, {}, 7),
        (V1, {"limit": 31}, 31),
        (V1, {"bucket_width": "1h"}, 24),
        (V1, {"bucket_width": "1h", "limit": 168}, 168),
    ],
)
def test_a_page_has_the_documented_size(prompt: Asker, path: str, asked: dict[str, Any], size: int) -> None:
    page = prompt.page(path, LONG_AFTER, dataset="credit_usage", **window(0, 60), **asked)
    assert len(page["data"]) == size
    assert page["has_more"] is True


def test_a_page_that_ends_with_the_window_is_the_last(prompt: Asker) -> None:
    page = prompt.page(V1, LONG_AFTER, dataset="credit_usage", limit=7, **window(0, 7))
    assert len(page["data"]) == 7
    assert (page["has_more"], page["next_page"]) == (False, None)


def test_pages_asked_for_later_mean_the_window_of_the_first(prompt: Asker) -> None:
    now = START + 89 * DAY + 23 * HOUR
    asked: dict[str, Any] = {"dataset": "credit_usage", "start_time": epoch(START)}
    page, days = prompt.page(V1, now, **asked), 7
    while page["has_more"]:
        now += timedelta(hours=3)
        page = prompt.page(V1, now, **asked, page=page["next_page"])
        days += len(page["data"])
    assert now > START + 90 * DAY
    assert days == 89


def test_a_cursor_can_be_used_twice(prompt: Asker) -> None:
    asked: dict[str, Any] = {"dataset": "credit_usage", **window(0, 20)}
    cursor = prompt.page(V1, LONG_AFTER, **asked)["next_page"]
    once, twice = (prompt.page(V1, LONG_AFTER, **asked, page=cursor) for _ in range(2))
    assert once == twice
