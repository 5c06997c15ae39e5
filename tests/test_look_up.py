"""Asking for the hours of members that are wanted once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.fakes.analytics_faults import Answer, Seen, Step, api_error
from tests.fakes.analytics_round import NOW, Round, minutes, open_round
from tests.store.store_samples import incident
from usage_watch.core.lookup import Lookup
from usage_watch.core.series import HOUR, Feed
from usage_watch.errors import SecretError
from usage_watch.fetch import look_up
from usage_watch.store.alerts import AlertStore
from usage_watch.store.database import Database, open_for_writing
from usage_watch.store.lookups import LookupStore

FEEDS = tuple(Feed("credit_usage", HOUR, f"{name}@example.com") for name in ("zoe", "ana", "max"))
UNTIL = NOW.replace(minute=0, second=0)
FROM = UNTIL - timedelta(hours=3)


@dataclass
class Desk:
    """A source and a store in which something is wanted."""

    round: Round
    database: Database

    def want(self, *ids: str, hours: int = 3) -> None:
        wanted = [Lookup(each, FEEDS, UNTIL - timedelta(hours=hours), UNTIL, NOW) for each in ids]
        incidents = [replace(incident(), id=each) for each in ids]
        AlertStore(self.database).commit(incidents, (), (), (), NOW, (), wanted)

    def look_up(self, at: datetime = NOW) -> int:
        made = self.round
        return look_up(made.client, made.history, LookupStore(self.database), at, made.stop)

    @property
    def asked(self) -> list[str]:
        """Who was asked for since last looked at."""
        seen = [each.query["user_email"].partition("@")[0] for each in self.round.server.seen]
        self.round.server.seen.clear()
        return seen

    def waiting(self, at: datetime = NOW) -> list[Lookup]:
        return LookupStore(self.database).waiting(at)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_for_writing(tmp_path / "usage-watch.db") as database, open_round(database) as made:
        yield Desk(made, database)


def of(name: str, step: Step) -> Callable[[Seen], Step | None]:
    return lambda seen: step if seen.query["user_email"].startswith(name) else None


def test_each_member_is_asked_for_once_and_stored_and_is_no_feed_that_is_polled(desk: Desk) -> None:
    desk.want("inc_1")
    assert desk.look_up() == 3
    assert desk.asked == ["zoe", "ana", "max"]
    loaded = desk.round.history.load(dict.fromkeys(FEEDS, FROM))
    assert [each.total(each.feed.member).tolist() for each in loaded] == [[7, 7, 7]] * 3
    assert desk.waiting() == []
    assert desk.look_up(NOW + timedelta(hours=1)) == 0
    assert desk.asked == []
    history = desk.round.history
    assert (history.polls(FROM), history.gaps()) == ([], [])
    assert {history.state(feed).polled_at for feed in FEEDS} == {None}


def test_a_week_of_hours_is_one_request_a_member(desk: Desk) -> None:
    desk.want("inc_1", hours=168)
    assert (desk.look_up(), len(desk.round.server.seen)) == (3, 3)


def test_nothing_wanted_is_nothing_asked(desk: Desk) -> None:
    assert (desk.look_up(), desk.asked) == (0, [])


@pytest.mark.parametrize(
    "step",
    [api_error(400, "invalid_request"), api_error(403, "forbidden"), api_error(500, "server_error"), Answer(b"<html>")],
    ids=["who left", "refused", "server", "no JSON"],
)
def test_who_is_not_answered_for_is_left_out_and_holds_nobody_up(desk: Desk, step: Step) -> None:
    desk.want("inc_1")
    desk.round.fault = of("ana", step)
    assert desk.look_up() == 3
    assert desk.asked == ["zoe", "ana", "max"]
    assert desk.waiting() == []
    loaded = desk.round.history.load(dict.fromkeys(FEEDS, FROM))
    assert [int(each.fetched.sum()) for each in loaded] == [3, 0, 3]
    assert desk.round.history.polls(FROM) == [], "so that nobody is alerted to it"


def test_a_source_that_says_wait_is_left_alone_and_then_gone_on_with(desk: Desk) -> None:
    desk.want("inc_1", "inc_2")
    desk.round.fault = of("ana", Answer(b"{}", 429, {"Retry-After": "300"}))
    assert (desk.look_up(), desk.asked) == (1, ["zoe", "ana"])
    assert [(each.asked, each.failures) for each in desk.waiting()] == [(1, 1), (0, 1)]
    (retry_at,) = {each.retry_at for each in desk.waiting()}
    assert retry_at == NOW + minutes(5)
    desk.round.fault = lambda seen: None
    assert (desk.look_up(NOW + minutes(4)), desk.asked) == (0, [])
    assert (desk.look_up(NOW + minutes(5)), desk.asked) == (5, ["ana", "max", "zoe", "ana", "max"])
    assert desk.waiting() == []


def test_a_source_that_cannot_be_reached_is_tried_ever_more_rarely_and_for_a_day(desk: Desk) -> None:
    desk.want("inc_1")
    desk.round.fault = lambda seen: api_error(401, "unauthorized")
    waits, at = [], NOW
    for _ in range(4):
        assert desk.look_up(at) == 0
        (left,) = desk.waiting(at)
        assert left.retry_at is not None
        waits.append((left.retry_at - at) / minutes(1))
        at = left.retry_at
    assert waits == [1, 15, 15, 15]
    assert len(desk.asked) == 4
    assert (desk.look_up(NOW + timedelta(days=1)), desk.asked) == (0, [])


def test_a_key_that_cannot_be_read_is_waited_for(desk: Desk) -> None:
    def no_key() -> str:
        raise SecretError("There is no key.")

    desk.want("inc_1")
    desk.round.keys = no_key
    assert desk.look_up() == 0
    assert [each.retry_at for each in desk.waiting()] == [NOW + minutes(1)]
    desk.round.keys = lambda: "key"
    assert desk.look_up(NOW + minutes(1)) == 3


def test_whoever_is_told_to_stop_goes_on_next_time(desk: Desk) -> None:
    desk.want("inc_1")

    def stopping(seen: Seen) -> None:
        desk.round.stop.set()

    desk.round.fault = stopping
    assert (desk.look_up(), desk.asked) == (1, ["zoe"])
    desk.round.stop.clear()
    desk.round.fault = lambda seen: None
    assert (desk.look_up(NOW + minutes(1)), desk.asked) == (2, ["ana", "max"])
