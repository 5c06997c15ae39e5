"""How late the store is, and that it is late in a consistent way."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usage_watch.simulator import DATASETS, Scenario, SyncLag, SyncStop, Usage

from .asking import BY_MEMBER, DAY, HOUR, HOURLY, LONG_AFTER, START, STORY, V1, Asker, asker, epoch, flat, window

FIRST = epoch(START) // 86_400
MINUTE = 60
PROMPT_LAG = SyncLag(late_share=0)
LATE_LAG = SyncLag(late_share=1)


def delays(lag: SyncLag | None, stops: tuple[SyncStop, ...] = ()) -> list[np.ndarray]:
    """For every hour of three weeks with usage: minutes from its end to each of its arrivals."""
    usage = Usage(Scenario(seed=3, start_at=START, lag=lag, stops=stops))
    found = []
    for day in range(FIRST, FIRST + 21):
        made = usage.day(day)
        late = (made.synced_at - day * 86_400 - (made.threads.hour + 1) * 3_600) / MINUTE
        found += [late[made.threads.hour == hour] for hour in range(24)]
    return [arrivals for arrivals in found if len(arrivals)]


def test_without_lag_everything_is_there_when_the_hour_is_over() -> None:
    assert all((arrivals == 0).all() for arrivals in delays(None))


def test_ordinary_hours_arrive_within_20_to_90_minutes_on_the_grid_of_the_syncs() -> None:
    arrivals = np.concatenate(delays(PROMPT_LAG))
    assert arrivals.min() >= 20
    assert arrivals.max() <= 90
    assert set(np.unique(arrivals)) == {30, 45, 60, 75, 90}


def test_late_hours_arrive_within_three_to_twelve_hours() -> None:
    hours = delays(LATE_LAG)
    assert min(arrivals.min() for arrivals in hours) >= 180
    assert max(arrivals.max() for arrivals in hours) <= 720
    assert np.median([arrivals.max() for arrivals in hours]) > 300


def test_the_given_share_of_hours_is_late() -> None:
    hours = delays(SyncLag(late_share=0.2))
    late = sum(arrivals.min() >= 180 for arrivals in hours) / len(hours)
    assert 0.14 < late < 0.26


def test_most_hours_arrive_in_part_first() -> None:
    busy = [arrivals for arrivals in delays(PROMPT_LAG) if len(arrivals) > 20]
    in_parts = [arrivals for arrivals in busy if arrivals.max() > arrivals.min()]
    assert len(in_parts) > 0.5 * len(busy)
    assert all((arrivals == arrivals.min()).mean() > 0.05 for arrivals in in_parts)


def test_a_sync_rarer_than_the_usual_lag_sets_the_pace() -> None:
    arrivals = np.concatenate(delays(SyncLag(every_minutes=240, late_share=0)))
    assert (arrivals >= 20).all()
    assert (arrivals <= 20 + 240).all()


@pytest.mark.parametrize(("lag", "first"), [(None, 0), (PROMPT_LAG, 10), (LATE_LAG, 10)])
def test_nothing_arrives_during_a_stop_and_all_of_it_right_after(lag: SyncLag | None, first: int) -> None:
    start, end = START + 3 * DAY, START + 4 * DAY + timedelta(minutes=5)
    usage = Usage(Scenario(seed=3, start_at=START, lag=lag, stops=(SyncStop(start, end),)))
    arrivals = np.concatenate([usage.day(day).synced_at for day in range(FIRST, FIRST + 8)])
    assert not ((arrivals >= epoch(start)) & (arrivals < epoch(end))).any()
    assert (arrivals == epoch(end) + first * MINUTE).sum() > 500


def test_what_one_stop_releases_another_can_hold() -> None:
    first = SyncStop(START + DAY, START + 2 * DAY)
    second = SyncStop(START + 2 * DAY, START + 3 * DAY)
    usage = Usage(Scenario(seed=3, start_at=START, lag=None, stops=(second, first)))
    released = usage.day(FIRST + 1).synced_at
    assert set(released.tolist()) == {epoch(START + 3 * DAY)}


instants = st.integers(0, 13 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes))


def shown(api: Asker, now: datetime, **parameters: object) -> dict[object, int]:
    """(start, category) -> count."""
    buckets = api.buckets(now, **window(0, 14), **parameters)
    return {(bucket["start_time"], key): count for bucket in buckets for key, count in flat(bucket).items()}


def shown_by_member(api: Asker, now: datetime, dataset: str) -> dict[object, int]:
    """(start, email, category) -> count."""
    rows = api.rows(now, dataset=dataset, **window(0, 14))
    return {(*key, what): count for key, row in rows.items() for what, count in flat(row).items()}


def never_falls(before: dict[object, int], after: dict[object, int]) -> bool:
    return all(count <= after.get(key, -1) for key, count in before.items())


@given(one=instants, other=instants, dataset=st.sampled_from(sorted(DATASETS)))
@settings(max_examples=60, deadline=None)
def test_what_is_shown_only_grows(story: Asker, one: datetime, other: datetime, dataset: str) -> None:
    widths = ["1h", "1d"] if dataset in HOURLY else ["1d"]
    for width in widths:
        earlier, later = (
            shown(story, now, dataset=dataset, bucket_width=width, limit=31) for now in sorted([one, other])
        )
        assert never_falls(earlier, later)


@given(one=instants, other=instants, dataset=st.sampled_from(BY_MEMBER))
@settings(max_examples=30, deadline=None)
def test_what_is_shown_of_members_only_grows(story: Asker, one: datetime, other: datetime, dataset: str) -> None:
    earlier, later = (shown_by_member(story, now, dataset) for now in sorted([one, other]))
    assert never_falls(earlier, later)


@pytest.mark.parametrize("dataset", sorted(DATASETS))
def test_after_24_hours_the_truth_is_shown_when_nothing_stops(prompt: Asker, dataset: str) -> None:
    late = asker(Scenario(seed=11, start_at=START, lag=LATE_LAG))
    now = START + 15 * DAY
    assert shown(late, now, dataset=dataset) == shown(prompt, now, dataset=dataset)


def test_recent_hours_are_partial_or_zero_and_so_is_their_day() -> None:
    late = asker(Scenario(seed=11, start_at=START, lag=LATE_LAG))
    now = START + 2 * DAY + 10 * MINUTE * timedelta(seconds=1)
    asked: dict[str, Any] = {"dataset": "credit_usage", **window(1, 1)}
    early = [bucket["count"] for bucket in late.buckets(now, bucket_width="1h", **asked)]
    truth = [bucket["count"] for bucket in late.buckets(LONG_AFTER, bucket_width="1h", **asked)]
    assert any(seen == 0 < true for seen, true in zip(early, truth, strict=True))
    assert any(0 < seen < true for seen, true in zip(early, truth, strict=True))
    assert late.buckets(now, **asked)[0]["count"] == sum(early)


def test_an_hour_that_is_not_synced_is_an_empty_bucket() -> None:
    late = asker(Scenario(seed=11, start_at=START, lag=LATE_LAG))
    now = START + 34 * HOUR
    page = late.page(V1, now, dataset="credit_usage", bucket_width="1h", start_time=epoch(now - HOUR))
    empty = {"count": 0, "by_categories": {"Model": [], "Credit Source": []}}
    assert page["data"] == [{"start_time": epoch(now - HOUR), "end_time": epoch(now), **empty}]


def test_during_a_stop_the_answers_stand_still(story: Asker) -> None:
    stop = STORY.stops[0]
    asked: dict[str, Any] = {"dataset": "credit_usage", "bucket_width": "1h", **window(8, 2)}
    early = story.buckets(stop.start_at + HOUR, **asked)
    late = story.buckets(stop.end_at - timedelta(seconds=1), **asked)
    after = story.buckets(stop.end_at, **asked)
    assert late[: len(early)] == early
    assert len(late) > len(early)
    assert not any(bucket["count"] for bucket in late[len(early) :])
    assert sum(bucket["count"] for bucket in after) > sum(bucket["count"] for bucket in late) + 5_000
