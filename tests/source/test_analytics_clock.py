"""The source's own clock, as its answers tell it, and what it is believed of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.fakes.analytics_faults import AnalyticsFaults, Answer, Raw, Seen, Step
from tests.fakes.analytics_pages import bucket, day, member, page
from usage_watch.core.series import DAY, EACH_MEMBER, HOUR, Feed
from usage_watch.source.client import AnalyticsClient
from usage_watch.source.errors import AnalyticsError, Fault

NOW = datetime(2026, 11, 22, 12, 34, 56, tzinfo=UTC)
TODAY = datetime(2026, 11, 22, tzinfo=UTC)
START = TODAY - timedelta(days=5)
D0 = int(START.timestamp())
HOURS = Feed("credit_usage", HOUR)
MEMBERS = Feed("credit_usage", DAY, EACH_MEMBER)
AN_HOUR = page([bucket(D0, HOUR, 3)])


def dated(body: object, at: datetime | str | None, status: int = 200, **more: str) -> Answer:
    """An answer that left at that time; None does not say."""
    text = at if at is None or isinstance(at, str) else format_datetime(at, usegmt=True)
    return Answer(body, status, {**more, **({} if text is None else {"Date": text})})


def client(server: AnalyticsFaults) -> AnalyticsClient:
    return AnalyticsClient(server.url, lambda: "key", deadline=5.0)


@pytest.mark.parametrize(
    ("date", "known"),
    [
        (NOW, NOW),
        (NOW - timedelta(days=1), NOW - timedelta(days=1)),
        (NOW + timedelta(days=400), NOW + timedelta(days=400)),
        ("Sun, 22 Nov 2026 13:34:56 +0100", NOW),
        (None, None),
        ("", None),
        ("yesterday", None),
        ("Sun, 99 Nov 2026 12:00:00 GMT", None),
        (START + timedelta(hours=1), START + timedelta(hours=1)),
        (START + timedelta(minutes=59), None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", None),
    ],
)
def test_the_sources_clock_is_known_by_its_answers_unless_those_say_it_is_wrong(
    date: datetime | str | None, known: datetime | None
) -> None:
    with AnalyticsFaults([dated(AN_HOUR, date)]) as server, client(server) as source:
        assert source.answered_at is None
        list(source.fetch(HOURS, START, NOW, NOW))
        assert source.answered_at == known


@pytest.mark.parametrize(
    ("age", "added"),
    [("0", 0), ("5400", 5400), ("999999999", 86_400), ("9" * 5000, 0), ("-5", 0), ("soon", 0), ("\u0665", 0)],
)
def test_a_copy_that_a_proxy_kept_says_how_old_it_is(age: str, added: int) -> None:
    kept = dated(AN_HOUR, NOW, Age=age.encode("utf-8").decode("latin-1"))
    with AnalyticsFaults([kept]) as server, client(server) as source:
        list(source.fetch(HOURS, START, NOW, NOW))
        assert source.its_time is not None
        assert timedelta() <= source.its_time - NOW - timedelta(seconds=added) < timedelta(minutes=1)


def test_its_clock_goes_on_after_the_answer() -> None:
    with AnalyticsFaults([dated(AN_HOUR, NOW), Raw()]) as server, client(server) as source:
        assert source.its_time is None
        list(source.fetch(HOURS, START, NOW, NOW))
        before, after = source.its_time, source.its_time
        assert before is not None
        assert after is not None
        assert NOW < before < after
        with pytest.raises(AnalyticsError):
            list(source.fetch(HOURS, START, NOW, NOW))
        assert source.its_time is None


@pytest.mark.parametrize("step", [dated(b"busy", None, 503), Raw(), Raw(reset=True)])
def test_an_answer_that_does_not_say_when_it_left_forgets_what_the_one_before_said(step: Step) -> None:
    with AnalyticsFaults([dated(AN_HOUR, NOW), step]) as server, client(server) as source:
        list(source.fetch(HOURS, START, NOW, NOW))
        with pytest.raises(AnalyticsError):
            list(source.fetch(HOURS, START, NOW, NOW))
        assert source.answered_at is None


def test_a_clock_that_cannot_be_right_is_not_believed_on_an_empty_page_either() -> None:
    wrong = START - timedelta(days=9)
    with AnalyticsFaults([dated(AN_HOUR, wrong), dated(page([]), wrong)]) as server, client(server) as source:
        for _ in range(2):
            list(source.fetch(HOURS, START, NOW, NOW))
            assert source.answered_at is None


@pytest.mark.parametrize(
    ("date", "days"),
    [
        pytest.param(NOW, 5, id="our clock is right"),
        pytest.param(None, 5, id="it does not say"),
        pytest.param(NOW + timedelta(days=3), 5, id="its clock is ahead"),
        pytest.param(TODAY - timedelta(seconds=2), 4, id="its day is not over by 2 s"),
        pytest.param(NOW - timedelta(days=1), 4, id="our clock is a day ahead"),
        pytest.param(NOW - timedelta(days=30), 5, id="its clock cannot be right"),
    ],
)
def test_a_day_that_is_not_over_for_the_source_is_no_quiet_day(date: datetime | None, days: int) -> None:
    script = [dated(page([day(D0 + DAY, [member("a@x", 1)])]), date)]
    with AnalyticsFaults(script) as server, client(server) as source:
        readings = list(source.fetch(MEMBERS, START, NOW, NOW))
    assert [start for reading in readings for start in reading.starts] == [D0 + i * DAY for i in range(days)]


def test_a_day_that_came_is_over_whatever_the_source_says_of_the_time() -> None:
    script = [dated(page([day(D0 + 4 * DAY, [member("a@x", 1)])]), TODAY - timedelta(hours=5))]
    with AnalyticsFaults(script) as server, client(server) as source:
        readings = list(source.fetch(MEMBERS, START, NOW, NOW))
    assert [start for reading in readings for start in reading.starts] == [D0 + i * DAY for i in range(5)]


# ---- a closer look at a refusal -------------------------------------------------------------------------------------


def answer_for(everyone: Step) -> Callable[[Seen], Step]:
    return lambda seen: Answer(b"", 500) if "user_email" in seen.query else everyone


@pytest.mark.parametrize(
    ("step", "answers"),
    [
        (Answer(AN_HOUR | {"data": []}), True),
        (Answer({"error": {"type": "invalid_request"}}, 400), False),
        (Answer({"error": {"type": "bad_request"}}, 400), False),
        (Answer(b"", 403), False),
    ],
)
def test_whether_the_source_answers_for_everyone_is_asked_with_one_bucket(step: Answer, answers: bool) -> None:
    feed = Feed("credit_usage", HOUR, "ana@example.com")
    with AnalyticsFaults(answer_for(step)) as server, client(server) as source:
        assert source.answers_for_everyone(feed, NOW, NOW) is answers
        [seen] = server.seen
    assert (seen.query["dataset"], seen.query["bucket_width"]) == ("credit_usage", "1h")
    hour = int(NOW.replace(minute=0, second=0).timestamp())
    assert (int(seen.query["start_time"]), int(seen.query["end_time"])) == (hour - HOUR, hour)


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        (Answer(b"", 401), Fault.UNAUTHORIZED),
        (Answer(b"", 429), Fault.THROTTLED),
        (Answer(b"", 500), Fault.SERVER),
        (Answer(b"<html>"), Fault.BROKEN),
        (Answer({}), Fault.DRIFT),
        (Raw(reset=True), Fault.UNREACHABLE),
    ],
)
def test_where_that_cannot_be_told_it_says_why(step: Step, fault: Fault) -> None:
    feed = Feed("credit_usage", DAY, "ana@example.com")
    with AnalyticsFaults(answer_for(step)) as server, client(server) as source, pytest.raises(AnalyticsError) as caught:
        source.answers_for_everyone(feed, NOW, NOW)
    assert caught.value.fault is fault
