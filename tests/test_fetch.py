from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from tests.fakes.analytics_faults import Answer, Raw, Seen, Step, api_error
from tests.fakes.analytics_pages import bucket, page
from tests.fakes.analytics_round import DAYS, EVERY, HOURS, MEMBERS, NOW, QUERIES, Round, counted, minutes, open_round
from tests.listening import listening
from usage_watch.core.series import HOUR, Feed
from usage_watch.errors import SecretError
from usage_watch.fetch import Asking, Fetched, Turn, fetch, silent
from usage_watch.secret import SecretRef
from usage_watch.simulator import DEFAULT_KEY, Scenario, SimulatorServer
from usage_watch.source.client import AnalyticsClient
from usage_watch.store.database import Database, open_for_writing
from usage_watch.store.history import HistoryStore


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_for_writing(tmp_path / "usage-watch.db") as database:
        yield database


@pytest.fixture
def source(database: Database) -> Iterator[Round]:
    with open_round(database) as made:
        yield made


def only(dataset: str, step: Step) -> Callable[[Seen], Step | None]:
    return lambda seen: step if seen.query["dataset"] == dataset else None


# ---- what is due ----------------------------------------------------------------------------------------------------


def test_every_feed_that_is_due_is_read_and_stored(source: Round) -> None:
    assert source.fetch(HOURS, DAYS, QUERIES) == Fetched(asked=3, polled=3, new=72 + 3 + 72)
    history = source.history.load({HOURS: NOW - timedelta(days=3)})[HOURS]
    assert (len(history.starts), set(history.total().tolist())) == (72, {7})
    for feed in (HOURS, DAYS, QUERIES):
        state = source.state(feed)
        assert (state.polled_at, state.retry_at, state.failures, state.last_error) == (NOW, None, 0, None)


def test_a_feed_that_is_not_due_is_not_asked_unless_somebody_asked_for_it(source: Round) -> None:
    source.fetch()
    source.server.seen.clear()
    assert source.fetch(at=NOW + minutes(14)) == Fetched()
    assert source.datasets == []
    assert source.fetch(at=NOW + minutes(14), at_once=True) == Fetched(asked=1, polled=1)
    assert source.fetch(at=NOW + minutes(29)) == Fetched(asked=1, polled=1, new=1)
    assert source.datasets == ["credit_usage"] * 2


def test_nothing_to_ask_is_nothing_done(source: Round) -> None:
    asking = Asking((), NOW, EVERY)
    assert fetch(source.client, source.history, asking, NOW, Turn(source.stop), silent) == Fetched()


def test_what_was_revised_is_counted(source: Round) -> None:
    source.fetch()
    source.fault = lambda seen: counted(seen, 8)
    assert source.fetch(at=NOW + EVERY) == Fetched(asked=1, polled=1, changed=48)


def test_progress_is_told_after_each_stored_answer(source: Round) -> None:
    told: list[tuple[Feed, datetime]] = []
    asking = Asking((HOURS, DAYS), NOW - timedelta(days=8), EVERY)
    fetch(source.client, source.history, asking, NOW, Turn(source.stop), lambda *each: told.append(each))
    hour, day = NOW.replace(minute=0, second=0), NOW.replace(hour=0, minute=0, second=0)
    assert told == [(HOURS, hour - timedelta(days=1)), (HOURS, hour), (DAYS, day)]


# ---- one feed's failure ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "step",
    [
        api_error(400, "invalid_request"),
        api_error(403, "forbidden"),
        api_error(500, "server_error"),
        Answer(b"<html>"),
        Answer(page([bucket(1, HOUR)])),
    ],
    ids=["refused", "bad request", "server", "no JSON", "off the grid"],
)
def test_a_feeds_failure_is_its_own(source: Round, step: Step) -> None:
    source.fault = only("query_volume", step)
    fetched = source.fetch(DAYS, QUERIES, HOURS)
    assert (fetched.polled, len(fetched.failures)) == (2, 1)
    assert source.datasets == ["credit_usage", "query_volume", "credit_usage"]
    failed = source.state(QUERIES)
    assert (failed.polled_at, failed.failures, failed.last_error) == (NOW, 1, fetched.failures[0])
    assert failed.retry_at is not None
    assert failed.retry_at > NOW
    assert source.state(HOURS).failures == source.state(DAYS).failures == 0


def test_a_failed_feed_is_asked_again_at_the_time_in_its_row_and_no_other_is(source: Round) -> None:
    source.fault = only("query_volume", api_error(500, "server_error"))
    source.fetch(QUERIES, HOURS)
    waits = []
    at = NOW
    for _ in range(6):
        retry_at = source.state(QUERIES).retry_at
        assert retry_at is not None
        assert source.fetch(QUERIES, at=retry_at - minutes(0.6)).failures == ()
        waits.append((retry_at - at) / minutes(1))
        at = retry_at
        assert len(source.fetch(QUERIES, at=at).failures) == 1
    assert waits == [1, 2, 4, 8, 15, 15]
    assert source.state(HOURS).polled_at == NOW
    source.fault = lambda seen: None
    retry_at = source.state(QUERIES).retry_at
    assert retry_at is not None
    assert source.fetch(QUERIES, at=retry_at).polled == 1
    assert (source.state(QUERIES).failures, source.state(QUERIES).retry_at) == (0, None)


def test_a_failure_in_the_middle_keeps_what_came_and_goes_on_from_there(source: Round) -> None:
    answers = iter([None, None, api_error(500, "server_error")])
    source.fault = lambda seen: next(answers, None)
    back = timedelta(days=30)
    fetched = source.fetch(back=back)
    assert (fetched.polled, fetched.new, len(fetched.failures)) == (0, 2 * 168, 1)
    read_to = source.state().frontier_at
    assert read_to == NOW.replace(minute=0, second=0) - back + timedelta(hours=2 * 168)
    source.server.seen.clear()
    at = NOW + minutes(1)
    assert source.fetch(at=at, back=back) == Fetched(asked=1, polled=1, new=720 - 2 * 168)
    assert min(int(seen.query["start_time"]) for seen in source.server.seen) == read_to.timestamp()


def test_an_enlarged_backfill_that_breaks_off_goes_on_from_there_and_leaves_no_hole(source: Round) -> None:
    source.fetch(back=timedelta(days=10))
    answers = iter([None, None, api_error(500, "server_error")])
    source.fault = lambda seen: next(answers, None)
    back, whole = timedelta(days=200), 200 * 24
    assert source.fetch(at=NOW + EVERY, back=back).new == 2 * 168
    read_to = NOW + EVERY - back + timedelta(hours=2 * 168)
    assert source.history.gaps() == [], "it is to be read, and not given up"

    source.server.seen.clear()
    fetched = source.fetch(at=NOW + EVERY + minutes(1), back=back)
    assert (fetched.polled, fetched.new) == (1, whole - 2 * 168 - 10 * 24)
    assert min(int(seen.query["start_time"]) for seen in source.server.seen) == read_to.timestamp() // HOUR * HOUR
    history = source.history.load({HOURS: NOW - back})[HOURS]
    assert history.fetched.tolist() == [True] * whole

    source.server.seen.clear()
    assert source.fetch(at=NOW + 2 * EVERY + minutes(1), back=back).polled == 1
    assert len(source.server.seen) <= 2, "it is not asked for again"


def test_a_retry_after_counts_from_the_answer_that_said_so(source: Round) -> None:
    def late(seen: Seen) -> Step:
        time.sleep(0.04)
        return Answer(b"", 429, {"Retry-After": "600"})

    source.fault = late
    source.fetch()
    retry_at = source.state().retry_at
    assert retry_at is not None
    assert retry_at >= NOW + timedelta(seconds=600.04)


# ---- the source's failure -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "wait"),
    [
        (api_error(401, "unauthorized"), 1),
        (api_error(404, "feature_disabled"), 1),
        (api_error(429, "rate_limit"), 1),
        (Answer(b"{}", 429, {"Retry-After": "600"}), 10),
        (Raw(reset=True), 1),
    ],
    ids=["unauthorized", "disabled", "throttled", "throttled for long", "unreachable"],
)
def test_where_the_source_as_a_whole_fails_no_further_feed_is_asked(source: Round, step: Step, wait: int) -> None:
    source.fault = lambda seen: step
    fetched = source.fetch(DAYS, QUERIES, HOURS)
    assert len(source.datasets) == 1
    assert (fetched.polled, len(fetched.failures)) == (0, 1), "one sentence for all of them"
    for feed in (DAYS, QUERIES, HOURS):
        state = source.state(feed)
        assert (state.polled_at, state.failures) == (NOW, 1)
        assert state.retry_at is not None
        waited = state.retry_at - NOW - minutes(wait)
        assert timedelta(0) <= waited < minutes(1), "a Retry-After counts from its answer, not from the round's start"
        assert state.last_error == fetched.failures[0]


def test_a_feed_that_was_not_due_is_not_failed_by_the_others(source: Round) -> None:
    source.fetch(HOURS)
    source.fault = lambda seen: api_error(401, "unauthorized")
    source.fetch(QUERIES, HOURS, at=NOW + minutes(5))
    assert (source.state(QUERIES).failures, source.state(HOURS).failures) == (1, 0)


def test_what_was_read_before_the_source_failed_stays_read(source: Round) -> None:
    source.fault = only("query_volume", api_error(429, "rate_limit"))
    assert source.fetch(DAYS, QUERIES, HOURS).polled == 1
    assert (source.state(DAYS).failures, source.state(HOURS).failures) == (0, 1)
    assert source.datasets == ["credit_usage", "query_volume"]


def test_each_round_tries_the_source_anew(source: Round) -> None:
    source.fault = lambda seen: api_error(401, "unauthorized")
    source.fetch(DAYS, HOURS)
    source.fault = lambda seen: None
    assert source.fetch(DAYS, HOURS, at=NOW + minutes(1)) == Fetched(asked=2, polled=2, new=75)


def test_a_key_that_is_not_to_be_had_is_a_failure_with_its_sentence(source: Round) -> None:
    reference = SecretRef(env="ANALYTICS_KEY")
    environ: dict[str, str] = {}
    source.keys = lambda: reference.read(environ).reveal()
    with listening() as heard:
        fetched = source.fetch(DAYS, HOURS)
    assert fetched.failures == ("env ANALYTICS_KEY is not set: set it where usage-watch is started.",)
    assert source.datasets == []
    assert source.state().retry_at == NOW + minutes(1)
    with listening() as again:
        source.fetch(DAYS, HOURS, at=NOW + minutes(1))
    assert again.names == [], "nor is it said again"
    assert source.state().retry_at == NOW + minutes(1 + 15), "what only a human mends"
    assert [(name, str(each["feed"]), each["fault"]) for name, each in zip(heard.names, heard.fields, strict=True)] == [
        ("feed.failed", "credit_usage 1d", "unauthorized"),
    ], "what the one fails of, the other does not say again"
    environ["ANALYTICS_KEY"] = "key"
    with listening() as heard:
        assert source.fetch(DAYS, HOURS, at=NOW + minutes(16)) == Fetched(asked=2, polled=2, new=75)
    assert [(name, each["feeds"], each["failures"]) for name, each in zip(heard.names, heard.fields, strict=True)] == [
        ("feed.recovered", 2, 2)
    ]


def test_a_key_that_goes_missing_between_two_answers_loses_nothing(source: Round) -> None:
    keys = iter(["key", "key"])

    def one_of_two() -> str:
        if (key := next(keys, None)) is None:
            raise SecretError("file /key cannot be read.")
        return key

    source.keys = one_of_two
    fetched = source.fetch(back=timedelta(days=30))
    assert (fetched.new, fetched.failures) == (2 * 168, ("file /key cannot be read.",))


# ---- being stopped --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("feed", "days"), [(HOURS, 22), (DAYS, 70), (MEMBERS, 10)], ids=["hours", "days", "members"])
@pytest.mark.parametrize("answers", [1, 2])
def test_stopped_in_a_backfill_it_goes_on_where_it_was(database: Database, feed: Feed, days: int, answers: int) -> None:
    start = NOW.replace(hour=0, minute=0, second=0) - timedelta(days=days)
    history, stop, told = HistoryStore(database), Event(), list[datetime]()
    asking = Asking((feed, QUERIES), start, EVERY)

    def progress(_: Feed, until_at: datetime) -> None:
        told.append(until_at)
        if len(told) == answers:
            stop.set()

    with SimulatorServer(Scenario(seed=3, start_at=start, lag=None), now=lambda: NOW) as server:
        with AnalyticsClient(server.base_url, lambda: DEFAULT_KEY) as client:
            first = fetch(client, history, asking, NOW, Turn(stop), progress)
            assert (first.polled, first.failures, len(told)) == (0, (), answers)
            state = history.state(feed)
            assert (state.oldest_at, state.frontier_at, state.polled_at) == (start, told[-1], None)
            assert history.state(QUERIES).oldest_at is None

            server.requests.clear()
            stop.clear()
            second = fetch(client, history, Asking((feed,), start, EVERY), NOW, Turn(stop), silent)
        asked = [int(dict(request.query)["start_time"]) for request in server.requests]
    assert min(asked) == told[-1].timestamp(), "nothing is asked again"
    whole = int((NOW - start).total_seconds()) // feed.width
    assert (second.polled, first.new + second.new, second.changed) == (1, whole, 0)


@pytest.mark.parametrize(("feed", "days", "turns"), [(HOURS, 90, 13), (DAYS, 90, 4), (HOURS, 3, 1)])
def test_a_turn_that_is_over_leaves_a_backfill_to_the_next_and_ends_a_poll(
    source: Round, feed: Feed, days: int, turns: int
) -> None:
    asking, taken, new = Asking((feed,), NOW - timedelta(days=days), EVERY), 0, 0
    while not source.state(feed).read_at:
        found = fetch(source.client, source.history, asking, NOW, Turn(source.stop, 0), silent)
        taken, new = taken + 1, new + found.new
    whole = days * 86400 // feed.width
    assert (taken, new) == (turns, whole)
    assert fetch(source.client, source.history, asking, NOW, Turn(source.stop, 0), silent) == Fetched()


def test_a_turn_that_is_over_leaves_the_next_feed_to_the_next_turn(source: Round) -> None:
    asking = Asking((HOURS, DAYS), NOW - timedelta(days=3), EVERY)
    rounds = [fetch(source.client, source.history, asking, NOW, Turn(source.stop, 0), silent) for _ in range(3)]
    assert [(each.asked, each.polled) for each in rounds] == [(1, 1), (1, 1), (0, 0)]


def test_stopped_with_the_last_answer_it_is_asked_again(source: Round) -> None:
    asking = Asking((HOURS,), NOW - timedelta(days=3), EVERY)
    fetch(source.client, source.history, asking, NOW, Turn(source.stop), lambda *_: source.stop.set())
    assert source.state().polled_at is None
    source.stop.clear()
    assert source.fetch() == Fetched(asked=1, polled=1)
