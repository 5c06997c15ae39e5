"""Whether the made-up usage looks like that of a company."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from usage_watch.simulator import Runaway, Scenario, Usage
from usage_watch.simulator.rhythm import local_hours
from usage_watch.simulator.threads import Threads

from .asking import DAY, HOUR, START, epoch

FIRST = epoch(START) // 86_400
DAYS = 91
SEEDS = (0, 1, 2)
BERLIN = ZoneInfo("Europe/Berlin")


@lru_cache
def usage_of(seed: int, zone: str = "Europe/Berlin") -> Usage:
    return Usage(Scenario(seed=seed, start_at=START, zone=zone))


@lru_cache
def hourly_credits(seed: int, zone: str = "Europe/Berlin") -> np.ndarray:
    """[day, hour]"""
    days = [usage_of(seed, zone).day(FIRST + day).threads for day in range(DAYS)]
    return np.array([np.bincount(threads.hour, threads.credits, minlength=24) for threads in days])


def local_credits(seed: int, chosen: Callable[[datetime], bool]) -> np.ndarray:
    """Credits of the hours that are chosen by their local time."""
    credits_ = hourly_credits(seed)
    return np.array(
        [
            credits_[day, hour]
            for day in range(DAYS)
            for hour in range(24)
            if chosen((START + day * DAY + hour * HOUR).astimezone(BERLIN))
        ]
    )


def share(seed: int, axis: str, category: str, days: range) -> float:
    """Share of the credits of those days."""
    usage = usage_of(seed)
    code = usage.organization.categories[axis].index(category)
    threads = [usage.day(FIRST + day).threads for day in days]
    whole = sum(int(part.credits.sum()) for part in threads)
    return sum(int(part.credits[part.codes[axis] == code].sum()) for part in threads) / whole


def same(one: Threads, other: Threads) -> bool:
    return all(
        np.array_equal(left, right)
        for left, right in [
            (one.hour, other.hour),
            (one.member, other.member),
            (one.credits, other.credits),
            *((one.codes[axis], other.codes[axis]) for axis in one.codes),
        ]
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_a_month_is_some_four_hundred_thousand_credits(seed: int) -> None:
    credits_ = hourly_credits(seed)
    for first in (0, 30, 60):
        assert 350_000 < credits_[first : first + 30].sum() < 480_000


@pytest.mark.parametrize("seed", SEEDS)
def test_working_hours_are_busy_and_nights_and_weekends_are_not(seed: int) -> None:
    work = local_credits(seed, lambda at: at.weekday() < 5 and 9 <= at.hour < 18)
    night = local_credits(seed, lambda at: at.hour >= 22 or at.hour < 6)
    weekend = local_credits(seed, lambda at: at.weekday() >= 5 and 6 <= at.hour < 22)
    assert 1_200 < np.median(work) < 2_000
    assert 80 < np.median(night) < 350
    assert 50 < np.median(weekend) < 350


@pytest.mark.parametrize("seed", SEEDS)
def test_no_ordinary_hour_looks_like_a_runaway(seed: int) -> None:
    assert hourly_credits(seed).max() < 4_500


@pytest.mark.parametrize("seed", SEEDS)
def test_usage_grows_slowly(seed: int) -> None:
    credits_ = hourly_credits(seed)
    assert 1.0 < credits_[63:91].sum() / credits_[:28].sum() < 1.35


def test_hours_follow_the_zone() -> None:
    berlin, tokyo = (hourly_credits(1, zone).sum(axis=0) for zone in ("Europe/Berlin", "Asia/Tokyo"))
    assert berlin[6:17].sum() > 0.7 * berlin.sum()
    assert tokyo[6:17].sum() < 0.45 * tokyo.sum()


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        (date(2026, 10, 24), [*range(122, 144), 144, 145]),
        (date(2026, 10, 25), [146, 146, *range(147, 168), 0]),
        (date(2026, 3, 29), [145, *range(147, 168), 0, 1]),
    ],
)
def test_local_hours_follow_daylight_saving_time(on: date, expected: list[int]) -> None:
    day = epoch(datetime(on.year, on.month, on.day, tzinfo=UTC)) // 86_400
    assert local_hours(day, BERLIN).tolist() == expected


def test_promotional_credits_run_out() -> None:
    assert share(1, "Credit Source", "promo", range(30)) > 0.2
    assert 0 < share(1, "Credit Source", "promo", range(36, 50)) < share(1, "Credit Source", "promo", range(30))
    assert share(1, "Credit Source", "promo", range(60, DAYS)) == 0


def test_a_model_is_launched_and_taken_up() -> None:
    assert share(1, "Model", "claude-opus-5", range(58)) == 0
    assert 0 < share(1, "Model", "claude-opus-5", range(58, 60)) < share(1, "Model", "claude-opus-5", range(75, DAYS))


def test_who_joins_or_leaves_does_nothing_outside_membership() -> None:
    usage = usage_of(1)
    for index, member in enumerate(usage.organization.members):
        active = {day for day in range(DAYS) if (usage.day(FIRST + day).threads.member == index).any()}
        end = DAYS if member.left_day is None else member.left_day
        assert active
        assert min(active) >= member.joined_day
        assert max(active) < end


def test_people_have_days_off() -> None:
    usage = usage_of(1)
    active = [len(np.unique(usage.day(FIRST + day).threads.member)) for day in range(DAYS)]
    monday_to_friday = [count for day, count in enumerate(active) if day % 7 < 5]
    weekend = [count for day, count in enumerate(active) if day % 7 >= 5]
    assert 28 < np.median(monday_to_friday) < 40
    assert 8 < np.median(weekend) < 28


def test_people_have_weeks_off() -> None:
    usage = usage_of(1)
    awake = [index for index, m in enumerate(usage.organization.members) if m.joined_day == 0 and m.left_day is None]
    weeks_off = 0
    for monday in range(0, DAYS, 7):
        seen = np.unique(np.concatenate([usage.day(FIRST + monday + day).threads.member for day in range(7)]))
        weeks_off += len(set(awake) - set(seen.tolist()))
    assert 3 <= weeks_off <= 40


def test_the_same_scenario_gives_the_same_days_in_whatever_order_they_are_asked() -> None:
    one, other = (Usage(Scenario(seed=6, start_at=START)) for _ in range(2))
    one.day(FIRST + 3)
    for day in (50, 3, 0):
        first, second = one.day(FIRST + day), other.day(FIRST + day)
        assert same(first.threads, second.threads)
        assert np.array_equal(first.synced_at, second.synced_at)


def test_another_seed_gives_other_days() -> None:
    assert not same(usage_of(1).day(FIRST).threads, usage_of(2).day(FIRST).threads)


def test_a_runaway_changes_nothing_else() -> None:
    runaway = Runaway("max@example.com", "gpt-5-5", START + 2 * DAY + HOUR, 3, 6_000)
    calm = Usage(Scenario(seed=1, start_at=START)).day(FIRST + 2)
    wild = Usage(Scenario(seed=1, start_at=START, runaways=(runaway,))).day(FIRST + 2)
    n = len(calm.threads)
    assert wild.threads.credits[n:].sum() == 18_000
    assert np.array_equal(wild.threads.credits[:n], calm.threads.credits)
    assert np.array_equal(wild.threads.member[:n], calm.threads.member)
    assert np.array_equal(wild.synced_at[:n], calm.synced_at)


def test_nothing_happens_before_the_scenario_starts() -> None:
    assert len(usage_of(1).day(FIRST - 1).threads) == 0
    assert len(usage_of(1).day(FIRST).threads) > 0
