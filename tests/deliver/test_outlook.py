"""What becomes of a message and of its target after an attempt that failed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.store.store_samples import NOON, incident, post
from usage_watch.channels.base import Attempt, Verdict
from usage_watch.core.message import Conversation
from usage_watch.deliver.outlook import (
    BLOCKED_WAIT,
    EXPIRES_AFTER,
    FIRST_WAIT,
    KEEPS_PLACE,
    LEAST_ATTEMPTS,
    LONGEST_PAUSE,
    LONGEST_WAIT,
    backoff,
    outlook,
)
from usage_watch.store.outbox import LEASE_FOR, Failure, OutboxRow, State

NO_TIME, MOMENT = timedelta(), timedelta(microseconds=1)
SECOND, HOUR, YEARS = timedelta(seconds=1), timedelta(hours=1), timedelta(days=999)
PASSING = [Verdict.NOT_SENT, Verdict.AMBIGUOUS, Verdict.THROTTLED, Verdict.SERVER]
FAILED = [verdict for verdict in Verdict if verdict is not Verdict.SENT]

ROW = OutboxRow(
    id="ntf_1",
    target="pager",
    conversation=Conversation("cnv_1", "Hourly credits", None),
    message=post(1, incident(1)).message,
    attempts=1,
    created_at=NOON,
    lease_until=NOON + LEASE_FOR,
    last_error=None,
    unsure=False,
    minimal=False,
    failures=0,
)


def of(verdict: Verdict, retry_after: timedelta | None = None, *, jitter: float = 1.0, **row: Any) -> Failure:
    """At noon; `age` is the row's."""
    created_at = NOON - row.pop("age", NO_TIME)
    return outlook(
        replace(ROW, created_at=created_at, **row), Attempt(verdict, "Why.", retry_after=retry_after), NOON, jitter
    )


def wait(failure: Failure) -> timedelta | None:
    return None if failure.retry_at is None else failure.retry_at - NOON


def pause(failure: Failure) -> timedelta | None:
    return None if failure.target_retry_at is None else failure.target_retry_at - NOON


TABLE = [
    # verdict, minimal before: state, the row's wait, the target's, unsure, minimal from now on
    (Verdict.NOT_SENT, False, (State.QUEUED, FIRST_WAIT, FIRST_WAIT, False, False)),
    (Verdict.NOT_SENT, True, (State.QUEUED, FIRST_WAIT, FIRST_WAIT, False, True)),
    (Verdict.AMBIGUOUS, False, (State.QUEUED, FIRST_WAIT, FIRST_WAIT, True, False)),
    (Verdict.AMBIGUOUS, True, (State.QUEUED, FIRST_WAIT, FIRST_WAIT, True, True)),
    (Verdict.THROTTLED, False, (State.QUEUED, NO_TIME, FIRST_WAIT, False, False)),
    (Verdict.THROTTLED, True, (State.QUEUED, NO_TIME, FIRST_WAIT, False, True)),
    (Verdict.SERVER, False, (State.QUEUED, FIRST_WAIT, FIRST_WAIT, False, False)),
    (Verdict.SERVER, True, (State.QUEUED, FIRST_WAIT, FIRST_WAIT, False, True)),
    (Verdict.REJECTED, False, (State.QUEUED, NO_TIME, None, False, True)),
    (Verdict.REJECTED, True, (State.DEAD, None, None, False, True)),
    (Verdict.CONFIGURATION, False, (State.BLOCKED, BLOCKED_WAIT, BLOCKED_WAIT, False, False)),
    (Verdict.CONFIGURATION, True, (State.BLOCKED, BLOCKED_WAIT, BLOCKED_WAIT, False, True)),
]


@pytest.mark.parametrize(("verdict", "minimal", "expected"), TABLE)
def test_what_follows_from_a_verdict(verdict: Verdict, minimal: bool, expected: tuple[object, ...]) -> None:
    found = of(verdict, minimal=minimal)
    assert (found.state, wait(found), pause(found), found.unsure, found.minimal) == expected
    assert found.detail == "Why."


def test_every_verdict_of_a_failure_is_in_that_table() -> None:
    assert {(verdict, minimal) for verdict, minimal, _ in TABLE} == {(v, m) for v in FAILED for m in (False, True)}


# ---- how long -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", PASSING)
@pytest.mark.parametrize("number", [*range(1, 12), 20, 100_000])
def test_a_row_waits_up_to_a_quarter_of_an_hour_and_its_target_a_minute(verdict: Verdict, number: int) -> None:
    doubled = 2 ** min(number, 20)
    for jitter in (0.0, 0.5, 1.0):
        found = of(verdict, attempts=number, failures=number - 1, jitter=jitter)
        if verdict is not Verdict.THROTTLED or number > KEEPS_PLACE:
            assert wait(found) == timedelta(seconds=min(doubled, 900)) * jitter
        assert pause(found) == timedelta(seconds=min(doubled, 60)) * jitter


def test_a_row_waits_by_its_own_attempts_and_its_target_by_its_failures() -> None:
    found = of(Verdict.SERVER, attempts=9, failures=1)
    assert (wait(found), pause(found)) == (timedelta(seconds=512), timedelta(seconds=4))


def test_what_always_fails_waits_at_least_as_long_as_its_target_so_that_others_go_before_it() -> None:
    for number in range(1, 30):
        found = of(Verdict.SERVER, attempts=number, failures=number - 1, jitter=0.7)
        assert found.retry_at is not None
        assert found.target_retry_at is not None
        assert found.retry_at >= found.target_retry_at


@pytest.mark.parametrize("longest", [LONGEST_PAUSE, LONGEST_WAIT])
def test_no_number_of_failures_is_too_much(longest: timedelta) -> None:
    assert backoff(100_000, longest, 1.0) == longest
    assert backoff(1, longest, 1.0) == FIRST_WAIT


@pytest.mark.parametrize("verdict", [Verdict.THROTTLED, Verdict.SERVER])
@pytest.mark.parametrize("seconds", [2, 7, 7.25, 3600])
@pytest.mark.parametrize("jitter", [0.0, 1.0])
def test_who_says_how_long_is_believed(verdict: Verdict, seconds: float, jitter: float) -> None:
    asked = timedelta(seconds=seconds)
    assert pause(of(verdict, asked, attempts=9, failures=9, jitter=jitter)) == asked


@pytest.mark.parametrize("verdict", [Verdict.THROTTLED, Verdict.SERVER])
def test_who_asks_for_no_patience_at_all_is_not_asked_without_end(verdict: Verdict) -> None:
    assert pause(of(verdict, NO_TIME, jitter=0.5)) == FIRST_WAIT / 2


@pytest.mark.parametrize(
    ("verdict", "asked"),
    [(Verdict.THROTTLED, None), (Verdict.THROTTLED, 7 * SECOND), (Verdict.SERVER, NO_TIME), (Verdict.SERVER, YEARS)],
)
@pytest.mark.parametrize("attempts", [1, KEEPS_PLACE])
@pytest.mark.parametrize(
    ("age", "back"), [(HOUR, -HOUR), (NO_TIME, NO_TIME), (-YEARS, NO_TIME)], ids=["old", "new", "of a clock set back"]
)
def test_who_is_told_to_wait_keeps_its_place_before_those_that_came_later(
    verdict: Verdict, asked: timedelta | None, attempts: int, age: timedelta, back: timedelta
) -> None:
    assert wait(of(verdict, asked, attempts=attempts, age=age)) == back


@pytest.mark.parametrize("verdict", [Verdict.THROTTLED, Verdict.SERVER])
def test_who_is_told_to_wait_again_and_again_steps_back(verdict: Verdict) -> None:
    assert wait(of(verdict, SECOND, attempts=KEEPS_PLACE + 1, age=HOUR)) == FIRST_WAIT * 2**KEEPS_PLACE


@pytest.mark.parametrize("asked", [YEARS, timedelta.max], ids=["years", "for ever"])
@pytest.mark.parametrize("attempts", [1, LEAST_ATTEMPTS])
@pytest.mark.parametrize(
    ("age", "left"),
    [
        (NO_TIME, EXPIRES_AFTER),
        (HOUR, EXPIRES_AFTER - HOUR),
        (EXPIRES_AFTER - LONGEST_WAIT, LONGEST_WAIT),
        (EXPIRES_AFTER - MOMENT, LONGEST_WAIT),
        (EXPIRES_AFTER, LONGEST_WAIT),
        (YEARS, LONGEST_WAIT),
    ],
)
def test_who_asks_for_years_gets_what_is_left_but_no_less_than_a_quarter_of_an_hour(
    asked: timedelta, attempts: int, age: timedelta, left: timedelta
) -> None:
    assert pause(of(Verdict.THROTTLED, asked, age=age, attempts=attempts)) == left


# ---- the end --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", [*PASSING, Verdict.CONFIGURATION])
@pytest.mark.parametrize(
    ("age", "attempts", "ends"),
    [
        (EXPIRES_AFTER - MOMENT, 1000, False),
        (EXPIRES_AFTER, 1, False),
        (YEARS, LEAST_ATTEMPTS - 1, False),
        (EXPIRES_AFTER, LEAST_ATTEMPTS, True),
        (YEARS, LEAST_ATTEMPTS, True),
        (YEARS, 1000, True),
    ],
)
def test_a_message_is_given_up_that_is_three_days_old_and_was_tried_often_enough(
    verdict: Verdict, age: timedelta, attempts: int, ends: bool
) -> None:
    found = of(verdict, attempts=attempts, age=age)
    assert (found.state is State.DEAD) == ends
    assert (wait(found) is None) == ends
    assert found.unsure == (verdict is Verdict.AMBIGUOUS)


@pytest.mark.parametrize("minimal", [False, True])
def test_what_is_given_up_for_its_age_is_as_it_was(minimal: bool) -> None:
    assert of(Verdict.SERVER, attempts=LEAST_ATTEMPTS, age=YEARS, minimal=minimal).minimal is minimal


@pytest.mark.parametrize(
    ("verdict", "jitter", "length"),
    [*((verdict, 1.0, 16 * SECOND) for verdict in PASSING), (Verdict.CONFIGURATION, 0.0, BLOCKED_WAIT)],
)
def test_its_target_is_left_alone_as_if_it_were_not_given_up(
    verdict: Verdict, jitter: float, length: timedelta
) -> None:
    assert pause(of(verdict, attempts=LEAST_ATTEMPTS, failures=3, age=YEARS, jitter=jitter)) == length


@pytest.mark.parametrize("verdict", [*PASSING, Verdict.CONFIGURATION])
@pytest.mark.parametrize("age", [NO_TIME, YEARS])
@pytest.mark.parametrize(
    ("failures", "spared"), [(0, True), (LEAST_ATTEMPTS - 2, True), (LEAST_ATTEMPTS - 1, False), (1000, False)]
)
def test_old_ones_may_go_along_once_their_target_was_tried_often_enough(
    verdict: Verdict, age: timedelta, failures: int, spared: bool
) -> None:
    assert of(verdict, failures=failures, age=age).expired_from == (None if spared else NOON - EXPIRES_AFTER)


@pytest.mark.parametrize("minimal", [False, True])
@pytest.mark.parametrize("age", [NO_TIME, EXPIRES_AFTER - MOMENT, EXPIRES_AFTER, YEARS])
def test_a_refusal_means_the_same_at_any_age(age: timedelta, minimal: bool) -> None:
    aged, fresh = of(Verdict.REJECTED, age=age, minimal=minimal), of(Verdict.REJECTED, minimal=minimal)
    assert aged == fresh


@pytest.mark.parametrize(
    ("age", "attempts"), [(NO_TIME, 9), (EXPIRES_AFTER - MOMENT, 1000), (YEARS, LEAST_ATTEMPTS - 1)]
)
def test_what_somebody_must_mend_is_tried_hourly_until_then(age: timedelta, attempts: int) -> None:
    found = of(Verdict.CONFIGURATION, attempts=attempts, failures=9, jitter=0.0, age=age)
    assert (found.state, wait(found), pause(found)) == (State.BLOCKED, HOUR, HOUR)


def test_what_was_in_doubt_before_is_not_said_to_be_sure() -> None:
    """`unsure` speaks of this attempt only: what is stored is never taken back."""
    assert not of(Verdict.NOT_SENT, unsure=True).unsure
