"""Answers that are whole and odd, members who left, and clocks that are wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from tests.fakes.analytics_faults import Answer, Seen, Step, api_error
from tests.fakes.analytics_pages import bucket, day, member, old_bucket, page
from tests.fakes.analytics_round import DAYS, HOURS, MEMBERS, NOW, Round, counted, minutes, open_round
from usage_watch.core.series import DAY, HOUR, Feed, SeriesKey
from usage_watch.errors import SecretError
from usage_watch.fetch import CLOCKS_APART, Fetched
from usage_watch.store.database import Database, open_for_writing

HERS = Feed("credit_usage", HOUR, "ana@example.com")
KEY = "ana-lytics-key-of-the-organization"
A_DAY = timedelta(days=1)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_for_writing(tmp_path / "usage-watch.db") as database:
        yield database


@pytest.fixture
def source(database: Database) -> Iterator[Round]:
    with open_round(database) as made:
        yield made


def first_of(seen: Seen) -> int:
    return int(seen.query["start_time"])


def end_of(seen: Seen) -> int:
    return int(seen.query["end_time"])


def faults(source: Round) -> list[str | None]:
    """Of all polls, in their order."""
    return [poll.fault for poll in source.history.polls(NOW - timedelta(days=30))]


def oddities(database: Database) -> list[tuple[str, str, bytes]]:
    return list(database.query("SELECT dataset, detail, body FROM oddity JOIN feed ON feed.id = feed_id"))


# ---- drift ----------------------------------------------------------------------------------------------------------


def in_the_middle(spoil: Callable[[dict[str, object]], object]) -> Callable[[Seen], Step]:
    """A good answer, one bucket of which is not."""

    def answer(seen: Seen) -> Step:
        good = counted(seen)
        assert isinstance(good, Answer)
        spoil(good.body["data"][len(good.body["data"]) // 2])
        return good

    return answer


def future(seen: Seen) -> Step:
    end = end_of(seen)
    return Answer(page([bucket(end - HOUR, HOUR, 7), bucket(end, HOUR, 7)]))


OFF_CONTRACT: dict[str, Callable[[Seen], Step]] = {
    "a bucket in the future": future,
    "off the grid": in_the_middle(lambda each: each.update(start_time=17, end_time=3617)),
    "a negative count": in_the_middle(lambda each: each.update(count=-1)),
    "a huge count": in_the_middle(lambda each: each.update(count=2**63)),
    "a huge float": in_the_middle(lambda each: each.update(count=1e30)),
    "text for a count": in_the_middle(lambda each: each.update(count="7")),
    "text for a time": in_the_middle(lambda each: each.update(start_time="noon")),
    "a list for an object": in_the_middle(lambda each: each.update(by_categories=[])),
    "another axis": lambda seen: Answer(
        page([bucket(first_of(seen), HOUR, 7, {"New Model": {"x": 7}})], ["New Model"])
    ),
    "no cursor though there is more": lambda seen: Answer(page([]) | {"has_more": True}),
    "no data": lambda seen: Answer({"categories": ["Model"], "has_more": False}),
}


@pytest.mark.parametrize("name", OFF_CONTRACT)
def test_of_an_answer_off_the_contract_nothing_is_stored_but_the_answer_itself(
    source: Round, database: Database, name: str
) -> None:
    source.fault = OFF_CONTRACT[name]
    fetched = source.fetch()
    assert (fetched.polled, fetched.new, len(fetched.failures)) == (0, 0, 1)
    assert "is not what is documented" in fetched.failures[0]
    assert database.one("SELECT (SELECT count(*) FROM fetch), (SELECT count(*) FROM bucket)") == (0, 0)
    assert faults(source) == ["drift"]
    [(dataset, detail, body)] = oddities(database)
    assert (dataset, detail) == ("credit_usage", fetched.failures[0])
    assert body.startswith(b'{"')

    source.fault = lambda seen: None
    assert source.fetch(at=NOW + minutes(1)) == Fetched(asked=1, polled=1, new=72)
    assert source.history.load({HOURS: NOW - 3 * A_DAY})[HOURS].total().tolist() == [7] * 72


def test_pages_that_contradict_each_other_are_kept_as_well(source: Round, database: Database) -> None:
    def twice(seen: Seen) -> Step:
        more = None if "page" in seen.query else "more"
        return Answer(page([day(first_of(seen), [member("ana@example.com", 3)])], next_page=more))

    source.fault = twice
    assert "a member stands twice in one day" in source.fetch(MEMBERS).failures[0]
    assert faults(source) == ["drift"]
    assert b"ana@example.com" in oddities(database)[0][2]


def test_an_odd_answer_is_kept_without_the_key_and_cut(source: Round, database: Database) -> None:
    source.keys = lambda: KEY
    for length in (1, 65_500, 65_530, 200_000):
        source.fault = lambda seen, length=length: Answer(page([]) | {"x" * length: KEY, "data": KEY})  # type: ignore[misc]
        source.fetch(at_once=True)
        [(_, detail, body)] = oddities(database)
        assert KEY[:12].encode() not in body
        assert KEY not in detail
        assert len(body) <= 65_536
    assert len(body) == 65_536


def test_what_is_no_drift_is_not_kept(source: Round, database: Database) -> None:
    steps: list[Step] = [
        Answer(b"<html>"),
        api_error(500, "x"),
        api_error(400, "invalid_request"),
        Answer(b'{"x": NaN}'),
    ]
    for step in steps:
        source.fault = lambda seen, step=step: step  # type: ignore[misc]
        source.fetch(at_once=True)
    assert faults(source) == ["broken", "server", "refused", "broken"]
    assert oddities(database) == []


def test_a_dataset_that_nobody_knows_may_be_refused_and_stops_no_other(source: Round) -> None:
    unheard = Feed("unheard_of", DAY)
    source.fault = lambda seen: api_error(400, "bad_request") if seen.query["dataset"] == "unheard_of" else None
    assert source.fetch(unheard, HOURS).polled == 1
    assert faults(source) == ["bad_request", None]
    assert source.state(unheard).retry_at == NOW + timedelta(hours=1)


def test_the_older_answer_is_no_drift_and_leaves_the_other_axis_as_it_was(source: Round) -> None:
    source.fault = lambda seen: Answer(
        page(
            [bucket(first_of(seen), HOUR, 7, {"Model": {"opus": 7}, "Credit Source": {"paid": 7}})],
            ["Model", "Credit Source"],
        )
    )
    source.fetch(back=timedelta(hours=2))
    source.fault = lambda seen: Answer(page([old_bucket(first_of(seen), HOUR, 8, {"paid": 8})], None))
    source.fetch(back=timedelta(hours=2), at_once=True)
    assert faults(source) == [None, None]
    history = source.history.load({HOURS: NOW - timedelta(hours=2)})[HOURS]
    counts = [
        history.of(SeriesKey(HOURS, *name)).tolist()[0]
        for name in [(None, None), ("Model", "opus"), ("Credit Source", "paid")]
    ]
    assert counts == [8, 7, 8]


# ---- a member who left ----------------------------------------------------------------------------------------------


def refused_for(*, everyone: Step | None) -> Callable[[Seen], Step | None]:
    """One member is refused; without `user_email` this is answered."""
    return lambda seen: api_error(400, "invalid_request") if "user_email" in seen.query else everyone


def test_a_member_who_is_refused_while_everyone_is_answered_is_gone(source: Round) -> None:
    source.fetch(HERS)
    source.server.seen.clear()
    source.fault = refused_for(everyone=None)
    fetched = source.fetch(HERS, DAYS, at=NOW + minutes(15))
    assert fetched.polled == 1, "that feed stops alone"
    assert "ana@example.com is no current member" in fetched.failures[0]
    assert faults(source) == [None, "member_gone", None]
    asked = [seen.query.get("user_email") for seen in source.server.seen]
    assert asked == ["ana@example.com", None, None]
    state = source.state(HERS)
    assert state.retry_at == NOW + minutes(75)
    assert source.history.load({HERS: NOW - 3 * A_DAY})[HERS].total("ana@example.com").tolist() == [7] * 72
    assert source.state(HOURS).polled_at is None, "a closer look stores nothing"

    source.fault = lambda seen: None
    assert source.fetch(HERS, at=NOW + minutes(75)).polled == 1
    assert source.state(HERS).failures == 0


@pytest.mark.parametrize(
    ("everyone", "fault"),
    [
        (api_error(400, "invalid_request"), "refused"),
        (api_error(400, "bad_request"), "refused"),
        (api_error(401, "unauthorized"), "unauthorized"),
        (api_error(404, "feature_disabled"), "feature_disabled"),
        (api_error(429, "rate_limit"), "throttled"),
        (api_error(503, "x"), "server"),
        (Answer(b"<html>"), "broken"),
        (Answer({}), "drift"),
    ],
)
def test_where_everyone_is_not_answered_either_that_is_the_fault(source: Round, everyone: Step, fault: str) -> None:
    source.fault = refused_for(everyone=everyone)
    source.fetch(HERS)
    assert faults(source) == [fault]


def test_a_fault_of_the_source_that_the_closer_look_finds_spares_the_other_feeds(source: Round) -> None:
    source.fault = refused_for(everyone=api_error(429, "rate_limit"))
    source.fetch(HERS, DAYS)
    assert faults(source) == ["throttled", "throttled"]
    assert len(source.server.seen) == 2


def test_a_key_that_goes_missing_before_the_closer_look_is_told_as_such(source: Round) -> None:
    keys = iter(["key"])

    def one() -> str:
        if (key := next(keys, None)) is None:
            raise SecretError("file /key cannot be read.")
        return key

    source.keys = one
    source.fault = refused_for(everyone=None)
    assert source.fetch(HERS).failures == ("file /key cannot be read.",)
    assert faults(source) == ["unauthorized"]


def test_a_refusal_of_anything_but_a_member_is_looked_at_no_closer(source: Round) -> None:
    source.fault = lambda seen: api_error(400, "invalid_request")
    source.fetch(DAYS, MEMBERS)
    assert faults(source) == ["refused", "refused"]
    assert len(source.server.seen) == 2


# ---- clocks ---------------------------------------------------------------------------------------------------------


class Sourceside:
    """Answers like a source whose clock is right: zeros, and no bucket that is not over."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self, seen: Seen) -> Step:
        end = int(self.at.timestamp()) // HOUR * HOUR
        zeros = [bucket(start, HOUR) for start in range(first_of(seen), min(end_of(seen), end), HOUR)]
        return Answer(page(zeros), headers={"Date": format_datetime(self.at, usegmt=True)})


def settled_until(source: Round) -> datetime | None:
    return source.state().frontier_at


BACK = timedelta(days=6)
THIS_HOUR = NOW.replace(minute=0, second=0)
FINAL = THIS_HOUR - timedelta(hours=36)
"""Until when a zero that was seen now is one."""


@pytest.mark.parametrize("ahead", [A_DAY, 10 * A_DAY, timedelta(hours=3), CLOCKS_APART + timedelta(seconds=1)])
def test_a_clock_that_jumped_ahead_settles_nothing_early(source: Round, ahead: timedelta) -> None:
    source.fault = Sourceside(NOW)
    source.fetch(at=NOW + ahead, back=BACK + ahead)
    assert settled_until(source) == FINAL
    assert source.state().polled_at == NOW + ahead, "polls go by our own clock"


def test_a_clock_that_jumped_ahead_makes_no_busy_loop(source: Round) -> None:
    source.fault = Sourceside(NOW)
    source.fetch(at=NOW + A_DAY, back=7 * A_DAY)
    source.server.seen.clear()
    assert source.fetch(at=NOW + A_DAY + minutes(14), back=7 * A_DAY).polled == 0
    assert source.server.seen == []


def test_clocks_that_are_nearly_the_same_go_by_ours(source: Round) -> None:
    source.fault = Sourceside(NOW)
    source.fetch(at=NOW + CLOCKS_APART, back=BACK)
    assert settled_until(source) == FINAL
    seen_at = source.history.polls(NOW - A_DAY)[0].at
    assert seen_at == NOW + CLOCKS_APART


@pytest.mark.parametrize("behind", [A_DAY, timedelta(hours=3)])
def test_under_a_clock_that_was_set_back_polls_go_on_at_once_and_nothing_settles_early(
    source: Round, behind: timedelta
) -> None:
    clock = source.fault = Sourceside(NOW)
    source.fetch(back=BACK)
    clock.at = NOW + minutes(1)
    at = NOW + minutes(1) - behind
    assert source.fetch(at=at, back=BACK).polled == 1
    assert source.state().polled_at == at
    assert settled_until(source) == FINAL
    assert source.fetch(at=at + minutes(14), back=BACK).polled == 0
    clock.at = NOW + minutes(16)
    assert source.fetch(at=at + minutes(15), back=BACK).polled == 1


def test_a_failure_before_the_clock_was_set_back_holds_nothing_up(source: Round) -> None:
    source.fault = lambda seen: api_error(400, "bad_request")
    source.fetch()
    source.fault = Sourceside(NOW)
    assert source.fetch(at=NOW - timedelta(hours=5)).polled == 1


def test_when_the_clock_is_right_again_all_is_as_if_it_had_never_been_wrong(source: Round) -> None:
    clock = source.fault = Sourceside(NOW)
    source.fetch(at=NOW + A_DAY, back=BACK + A_DAY)
    for quarters in range(1, 9):
        clock.at = NOW + minutes(15 * quarters)
        assert source.fetch(at=clock.at, back=BACK).polled == 1
    assert settled_until(source) == FINAL + timedelta(hours=2)
    assert source.history.gaps() == []


def test_a_source_whose_clock_cannot_be_right_is_believed_in_all_but_the_time(source: Round) -> None:
    def wrong(seen: Seen) -> Step:
        good = Sourceside(NOW)(seen)
        assert isinstance(good, Answer)
        return Answer(good.body, headers={"Date": "Thu, 01 Jan 1970 00:00:00 GMT"})

    source.fault = wrong
    source.fetch(back=BACK)
    assert settled_until(source) == FINAL
