"""The older answer of v1: a flat breakdown whose axis is not named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import pytest

from usage_watch.simulator import DATASETS

from .asking import LONG_AFTER, V1, V2, Asker, breaks_schema, window

FLAT_AXES = [
    ("credit_usage", True, "Credit Source"),
    ("credit_usage", "Model", "Model"),
    ("query_volume", True, "Feature"),
    ("query_volume", "Model", "Feature"),
    *((name, True, dataset.axes[0]) for name, dataset in DATASETS.items() if len(dataset.axes) == 1),
]


def pages(api: Asker, old_shape: bool | Literal["Model"], **asked: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """(old, new)"""
    old = Asker(replace(api.api, old_shape=old_shape))
    return old.page(V1, LONG_AFTER, **asked), api.page(V1, LONG_AFTER, **asked)


@pytest.mark.parametrize(("dataset", "old_shape", "axis"), FLAT_AXES)
def test_each_bucket_has_the_flat_breakdown_of_one_axis(
    prompt: Asker, dataset: str, old_shape: bool | Literal["Model"], axis: str
) -> None:
    old, new = pages(prompt, old_shape, dataset=dataset, **window(1, 3))
    assert set(old) == {"data", "has_more", "next_page"}
    for was, is_now in zip(old["data"], new["data"], strict=True):
        assert set(was) == {"start_time", "end_time", "count", "by_category"}
        assert was["by_category"] == is_now["by_categories"][axis]
        assert was["count"] == is_now["count"]


def test_active_users_have_an_empty_breakdown(prompt: Asker) -> None:
    old, _ = pages(prompt, True, dataset="daily_active_users", **window(1, 3))
    assert all(bucket["count"] > 0 and bucket["by_category"] == [] for bucket in old["data"])


def test_the_old_shape_is_not_the_one_of_the_openapi_file(prompt: Asker) -> None:
    old, _ = pages(prompt, True, dataset="credit_usage", **window(1, 3))
    faults = breaks_schema("UsagePage", old)
    assert any("'categories' is a required property" in fault for fault in faults)
    assert any("'by_categories' is a required property" in fault for fault in faults)


def test_old_pages_go_on_like_new_ones(prompt: Asker) -> None:
    old = Asker(replace(prompt.api, old_shape=True))
    asked: dict[str, Any] = {"dataset": "credit_usage", **window(0, 20)}
    assert len(old.buckets(LONG_AFTER, **asked)) == 20


def test_member_days_and_refusals_keep_their_shape(prompt: Asker) -> None:
    old = Asker(replace(prompt.api, old_shape=True))
    asked: dict[str, Any] = {"dataset": "credit_usage", "group_by": "user_email", **window(1, 3)}
    assert old.page(V2, LONG_AFTER, **asked) == prompt.page(V2, LONG_AFTER, **asked)
    assert breaks_schema("Error", old.answer(V1, LONG_AFTER).body) == []
