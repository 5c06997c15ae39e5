"""A store that syncs its hours in their order, and one whose hours seldom come in part."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usage_watch.simulator import Scenario, SyncLag, SyncStop, Usage

from .asking import DAY, HOUR, START, asker, epoch, window

FIRST = epoch(START) // 86_400
DAYS = 8


def arrivals(scenario: Scenario, days: int = DAYS) -> list[np.ndarray]:
    """For every hour with usage, in order: the epoch seconds at which its threads come."""
    usage = Usage(scenario)
    found = []
    for made in map(usage.day, range(FIRST, FIRST + days)):
        found += [made.synced_at[made.threads.hour == hour] for hour in range(24)]
    return [hour for hour in found if len(hour)]


def in_order(hours: list[np.ndarray]) -> bool:
    whole = np.maximum.accumulate([hour.max() for hour in hours])
    return all(hour.min() >= before for before, hour in zip(whole, hours[1:], strict=False))


lags = st.builds(
    SyncLag,
    every_minutes=st.sampled_from([1, 15, 60, 7]),
    usual_minutes=st.sampled_from([(0, 0), (20, 90), (50, 400)]),
    late_share=st.sampled_from([0.0, 0.05, 0.5]),
    late_minutes=st.sampled_from([(180, 720), (1_500, 4_000)]),
    in_order=st.just(True),
    partial_share=st.sampled_from([0.0, 0.5, 1.0]),
)
stops = st.builds(
    lambda begin, length: SyncStop(START + begin * HOUR, START + (begin + length) * HOUR),
    st.integers(0, 24 * DAYS),
    st.integers(1, 40),
)


@given(lag=lags, seed=st.integers(0, 3), stopped=st.lists(stops, max_size=2).map(tuple))
@settings(max_examples=40, deadline=None)
def test_no_hour_arrives_before_every_earlier_one_is_whole(
    lag: SyncLag, seed: int, stopped: tuple[SyncStop, ...]
) -> None:
    told = Scenario(seed=seed, start_at=START, lag=lag, stops=stopped)
    assert in_order(arrivals(told))


def test_by_default_hours_overtake_each_other() -> None:
    assert not in_order(arrivals(Scenario(seed=3, start_at=START, lag=SyncLag(late_share=0.1)), 30))


def test_in_order_no_hour_comes_earlier_and_a_late_one_holds_up_the_next_days() -> None:
    lag = SyncLag(late_share=0.02, late_minutes=(2_900, 2_900))
    free, ordered = (
        arrivals(Scenario(seed=3, start_at=START, lag=replace(lag, in_order=order))) for order in (False, True)
    )
    assert all(late.max() >= early.max() for early, late in zip(free, ordered, strict=True))
    held = [late.max() > early.max() + 86_400 for early, late in zip(free, ordered, strict=True)]
    assert sum(held) >= 20


def test_the_order_does_not_depend_on_which_day_is_asked_for_first() -> None:
    told = Scenario(seed=3, start_at=START, lag=SyncLag(late_share=0.2, in_order=True))
    forward, backward = Usage(told), Usage(told)
    days = range(FIRST, FIRST + 5)
    later = {day: backward.day(day).synced_at.tolist() for day in reversed(days)}
    assert {day: forward.day(day).synced_at.tolist() for day in days} == later


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_given_share_of_hours_comes_in_part_first(share: float) -> None:
    lag = SyncLag(every_minutes=1, late_share=0, usual_minutes=(20, 600), partial_share=share)
    busy = [hour for hour in arrivals(Scenario(seed=3, start_at=START, lag=lag), 40) if len(hour) > 50]
    found = sum(hour.min() < hour.max() for hour in busy) / len(busy)
    assert found == pytest.approx(share, abs=0.08 if 0 < share < 1 else 0.02)


def test_an_hour_that_comes_at_once_comes_when_it_would_have_been_whole() -> None:
    lag = SyncLag(every_minutes=1, usual_minutes=(20, 600))
    parts, wholes = (
        arrivals(Scenario(seed=3, start_at=START, lag=replace(lag, partial_share=share))) for share in (1, 0)
    )
    for part, whole in zip(parts, wholes, strict=True):
        assert set(whole.tolist()) == {whole.max()}
        assert part.max() <= whole.max()


def test_in_order_the_answers_have_one_frontier() -> None:
    api = asker(Scenario(seed=3, start_at=START, lag=SyncLag(late_share=0.1, in_order=True)))
    now = START + 5 * DAY + timedelta(minutes=7)
    asked = {"dataset": "query_volume", **window(0, 5)}
    days = [bucket["count"] for bucket in api.buckets(now, **asked)]
    truth = [bucket["count"] for bucket in api.buckets(now + 30 * DAY, **asked)]
    assert days[:4] == truth[:4]
    assert 0 < days[4] < truth[4]
