from __future__ import annotations

import pytest

from usage_watch.core.datasets import DATASETS, find_axis


def test_the_list_is_the_contracts() -> None:
    assert list(DATASETS) == [
        "credit_usage",
        "query_volume",
        "daily_active_users",
        "connectors",
        "artifacts",
        "skills",
        "spaces",
        "workflows",
        "task_durations",
    ]
    assert all(name == dataset.name for name, dataset in DATASETS.items())


def test_only_two_datasets_have_days_per_member_and_query_volume_fewer_axes_there() -> None:
    assert {name: found.member_axes for name, found in DATASETS.items() if found.per_member} == {
        "credit_usage": ("Model", "Credit Source"),
        "query_volume": ("Feature", "Project", "Comet"),
    }


def test_the_daily_datasets_take_neither_hours_nor_a_member() -> None:
    daily = {"query_volume", "daily_active_users"}
    assert {name for name, found in DATASETS.items() if not found.hourly} == daily
    assert {name for name, found in DATASETS.items() if not found.one_member} == daily


def test_only_active_members_must_not_be_summed() -> None:
    assert {name for name, found in DATASETS.items() if not found.additive} == {"daily_active_users"}


def test_overlapping_axes_are_axes_of_their_dataset() -> None:
    assert {name: found.overlapping for name, found in DATASETS.items() if found.overlapping} == {
        "query_volume": {"Project", "Comet"}
    }
    assert all(found.overlapping <= set(found.axes) for found in DATASETS.values())


@pytest.mark.parametrize("written", ["Credit Source", "credit_source", "credit source", "CREDIT_SOURCE"])
def test_an_axis_is_found_however_it_is_written(written: str) -> None:
    assert find_axis(written, DATASETS["credit_usage"].axes) == "Credit Source"


@pytest.mark.parametrize("written", ["credit", "creditsource", "", "Feature"])
def test_an_axis_that_is_not_there_is_not_found(written: str) -> None:
    assert find_axis(written, DATASETS["credit_usage"].axes) is None
