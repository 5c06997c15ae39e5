"""Runaways in an organization in which nothing else happens, so that every number is known."""

from usage_watch.simulator import Runaway, Scenario

from .asking import DAY, HOUR, LONG_AFTER, START, Asker, asker, epoch, window

ANA = "ana@example.com"


def quiet(*runaways: Runaway) -> Asker:
    return asker(Scenario(seed=1, start_at=START, lag=None, quiet=True, runaways=runaways))


def hours(api: Asker, first_day: int, days: int = 1, **parameters: object) -> list[int]:
    asked = {"dataset": "credit_usage", "bucket_width": "1h"} | window(first_day, days) | parameters
    return [bucket["count"] for bucket in api.buckets(LONG_AFTER, **asked)]


def test_nobody_does_anything_in_a_quiet_organization() -> None:
    assert hours(quiet(), 0, 2) == [0] * 48


def test_a_runaway_burns_exactly_its_credits_every_hour() -> None:
    api = quiet(Runaway(ANA, "gpt-5-5", START + DAY + 2 * HOUR, 3, 6_501))
    assert hours(api, 1) == [0, 0, 6_501, 6_501, 6_501] + [0] * 19
    assert hours(api, 0) == hours(api, 2) == [0] * 24


def test_a_runaway_over_midnight_goes_on_the_next_day() -> None:
    api = quiet(Runaway(ANA, "gpt-5-5", START + DAY - HOUR, 2, 5_000))
    assert hours(api, 0, 2) == [0] * 23 + [5_000, 5_000] + [0] * 23


def test_a_runaway_may_begin_between_two_hours() -> None:
    api = quiet(Runaway(ANA, "gpt-5-5", START + 1.5 * HOUR, 1, 6_000))
    assert hours(api, 0)[:4] == [0, 3_000, 3_000, 0]


def test_two_runaways_at_once_add_up() -> None:
    one = Runaway(ANA, "gpt-5-5", START, 2, 5_000)
    api = quiet(one, Runaway("max@example.com", "grok-5", START + HOUR, 1, 900))
    assert hours(api, 0)[:3] == [5_000, 5_900, 0]
    assert hours(api, 0, user_email=ANA)[:3] == [5_000, 5_000, 0]


def test_a_runaway_is_paid_and_shows_in_every_dataset_that_counts_threads() -> None:
    api = quiet(Runaway(ANA, "claude-opus-4-8", START, 1, 6_000))
    day = api.buckets(LONG_AFTER, dataset="credit_usage", **window(0, 1))[0]
    assert day["by_categories"] == {
        "Model": [{"category": "claude-opus-4-8", "count": 6_000}],
        "Credit Source": [{"category": "paid", "count": 6_000}],
    }
    counts = {
        dataset: api.buckets(LONG_AFTER, dataset=dataset, **window(0, 1))[0]["count"]
        for dataset in ("query_volume", "daily_active_users", "workflows", "task_durations")
    }
    assert counts == {"query_volume": 60, "daily_active_users": 1, "workflows": 60, "task_durations": 60}


def test_a_runaway_is_a_row_of_its_member() -> None:
    api = quiet(Runaway(ANA, "gpt-5-5", START + DAY, 2, 6_000))
    rows = api.rows(LONG_AFTER, dataset="credit_usage", **window(0, 3))
    assert {key: row["count"] for key, row in rows.items()} == {(epoch(START + DAY), ANA): 12_000}
