from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.fakes.analytics_faults import AnalyticsFaults, Answer, Seen, Step
from tests.fakes.analytics_pages import bucket, day, member, old_bucket, page
from usage_watch.core.datasets import DATASETS
from usage_watch.core.series import DAY, EACH_MEMBER, HOUR, Feed, Reading, SeriesKey, Width
from usage_watch.source.client import EMPTY_PAGES, AnalyticsClient
from usage_watch.source.errors import AnalyticsError, Fault

KEY = "ana-lytics-key-of-the-organization"
NOW = datetime(2026, 11, 22, 12, 34, 56, tzinfo=UTC)
TODAY = datetime(2026, 11, 22, tzinfo=UTC)
D0 = int((TODAY - timedelta(days=5)).timestamp())
HOURS = Feed("credit_usage", HOUR)
MEMBERS = Feed("credit_usage", DAY, EACH_MEMBER)


def client(url: str, **options: Any) -> AnalyticsClient:
    return AnalyticsClient(url, lambda: KEY, **{"deadline": 5.0, **options})


def fetch(
    server: AnalyticsFaults, feed: Feed, days: float = 5, *, end: datetime = NOW, **options: Any
) -> list[Reading]:
    with client(server.url, **options) as source:
        return list(source.fetch(feed, TODAY - timedelta(days=days), end, NOW))


def paged(buckets: list[dict[str, Any]], axes: tuple[str, ...] = ("Model",)) -> Callable[[Seen], Step]:
    """Answers as the contract says: `limit` buckets a page, and a cursor that is the place to go on from."""

    def answer(seen: Seen) -> Step:
        start, limit = int(seen.query.get("page", "0")), int(seen.query["limit"])
        more = start + limit < len(buckets)
        return Answer(page(buckets[start : start + limit], axes, str(start + limit) if more else None))

    return answer


def test_a_backfill_of_90_days_of_hours_takes_13_requests_of_168() -> None:
    first = int((NOW.replace(minute=0, second=0) - timedelta(days=90)).timestamp())
    buckets = [bucket(first + i * HOUR, HOUR, i) for i in range(2160)]
    with AnalyticsFaults(paged(buckets)) as server, client(server.url) as source:
        end = NOW.replace(minute=0, second=0)
        readings = list(source.fetch(HOURS, end - timedelta(days=90), end, NOW))
        assert source.requests == len(server.seen) == 13
    assert [len(reading.starts) for reading in readings] == [168] * 12 + [144]
    assert [start for reading in readings for start in reading.starts] == [first + i * HOUR for i in range(2160)]


def test_a_backfill_of_90_days_takes_3_requests_of_31() -> None:
    first = int((TODAY - timedelta(days=90)).timestamp())
    feed = Feed("daily_active_users", DAY)
    with AnalyticsFaults(paged([bucket(first + i * DAY, DAY, i) for i in range(90)])) as server:
        readings = fetch(server, feed, 90)
        assert [seen.query["limit"] for seen in server.seen] == ["31"] * 3
    assert [len(reading.starts) for reading in readings] == [31, 31, 28]


@pytest.mark.parametrize(
    ("name", "width"),
    [(name, width) for name, found in DATASETS.items() for width in ((DAY, HOUR)[: 1 + found.hourly])],
)
def test_every_dataset_is_asked_for_at_its_widths(name: str, width: Width) -> None:
    axes = DATASETS[name].axes
    answer = page([bucket(D0, width, 4, {axis: {"x": 3} for axis in axes})], axes)
    feed = Feed(name, width)
    with AnalyticsFaults([Answer(answer)]) as server:
        [reading] = fetch(server, feed)
        [seen] = server.seen
    assert seen.method == "GET"
    assert seen.path == "/v1/analytics/computer/usage"
    assert seen.query == {
        "dataset": name,
        "start_time": str(D0),
        "end_time": str(int(NOW.timestamp()) // width * width),
        "bucket_width": "1h" if width == HOUR else "1d",
        "limit": "168" if width == HOUR else "31",
    }
    parts = tuple((SeriesKey(feed, axis, "x"), D0, 3) for axis in axes)
    assert reading == Reading(feed, axes, (D0,), ((SeriesKey(feed), D0, 4), *parts))


def test_one_member_is_asked_for_by_email() -> None:
    feed = Feed("skills", HOUR, "ana+ops@example.com")
    with AnalyticsFaults([Answer(page([bucket(D0, HOUR, 1, {"Skill": {}})], ("Skill",)))]) as server:
        [reading] = fetch(server, feed)
        assert server.seen[0].query["user_email"] == "ana+ops@example.com"
    assert reading.rows == ((SeriesKey(feed, member="ana+ops@example.com"), D0, 1),)


def test_pages_are_asked_for_with_the_cursor_and_otherwise_the_same() -> None:
    cursor = "a/b+c=&%20é"
    script = [Answer(page([bucket(D0, HOUR)], ("Model",), cursor)), Answer(page([bucket(D0 + HOUR, HOUR)]))]
    with AnalyticsFaults(script) as server:
        fetch(server, HOURS)
        first, second = (dict(seen.query) for seen in server.seen)
    assert second.pop("page") == cursor
    assert first == second


def test_the_address_may_have_a_path_and_the_key_goes_into_the_header() -> None:
    with AnalyticsFaults([Answer(page([]))]) as server, client(server.url + "/gateway/") as source:
        assert list(source.fetch(HOURS, TODAY, NOW, NOW)) == []
        [seen] = server.seen
    assert seen.path == "/gateway/v1/analytics/computer/usage"
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    assert seen.headers["user-agent"].startswith("usage-watch/")
    assert "cookie" not in seen.headers


def test_the_key_is_read_anew_for_each_request() -> None:
    keys = iter(["the-first-key", "the-second-key"])
    script = [Answer(page([bucket(D0, HOUR)], ("Model",), "next")), Answer(page([]))]
    with AnalyticsFaults(script) as server, AnalyticsClient(server.url, lambda: next(keys)) as source:
        list(source.fetch(HOURS, TODAY - timedelta(days=5), NOW, NOW))
        assert [seen.headers["authorization"] for seen in server.seen] == [
            "Bearer the-first-key",
            "Bearer the-second-key",
        ]


def test_v1_pages_are_given_out_as_they_come_each_with_its_own_axes() -> None:
    script = [
        Answer(page([old_bucket(D0, HOUR, 5, {"opus": 5})], None, "a")),
        Answer(page([], ("Model",), "b")),
        Answer(page([bucket(D0 + HOUR, HOUR, 5, {"Model": {"opus": 5}})], ("Model",))),
    ]
    with AnalyticsFaults(script) as server, client(server.url) as source:
        readings = source.fetch(HOURS, TODAY - timedelta(days=5), NOW, NOW)
        assert next(readings).starts == (D0,)
        assert source.requests == 1
        assert next(readings).starts == (D0 + HOUR,)
        assert list(readings) == []


def test_what_came_before_a_fault_is_given_out() -> None:
    script = [Answer(page([bucket(D0, HOUR)], ("Model",), "a")), Answer(b"busy", 503)]
    got: list[Reading] = []
    with AnalyticsFaults(script) as server, client(server.url) as source, pytest.raises(AnalyticsError):
        collect(source.fetch(HOURS, TODAY - timedelta(days=5), NOW, NOW), got)
    assert [reading.starts for reading in got] == [(D0,)]


def collect(readings: Iterator[Reading], into: list[Reading]) -> None:
    for reading in readings:  # one by one: what comes before a fault counts
        into.append(reading)


def test_the_bucket_in_which_an_odd_start_lies_may_come_and_the_one_in_progress_may_not() -> None:
    start_at = datetime.fromtimestamp(D0, UTC) + timedelta(minutes=30)
    now_hour = int(NOW.timestamp()) // HOUR * HOUR
    script = [Answer(page([bucket(D0, HOUR), bucket(now_hour - HOUR, HOUR)])), Answer(page([bucket(now_hour, HOUR)]))]
    with AnalyticsFaults(script) as server, client(server.url) as source:
        tomorrow = NOW + timedelta(days=1)
        [reading] = source.fetch(HOURS, start_at, tomorrow, NOW)
        assert reading.starts == (D0, now_hour - HOUR)
        with pytest.raises(AnalyticsError, match="in the complete buckets asked for"):
            list(source.fetch(HOURS, start_at, tomorrow, NOW))


def rows(*members: str, count: int = 1) -> list[dict[str, Any]]:
    return [member(f"{name}@x", count, {"Model": {"opus": count}}) for name in members]


def members_of(reading: Reading) -> dict[int, list[str | None]]:
    found: dict[int, list[str | None]] = {}
    for key, start, _ in reading.rows:
        if key.axis is None:
            found.setdefault((start - D0) // DAY, []).append(key.member)
    return found


def days_of(reading: Reading) -> list[int]:
    return [(start - D0) // DAY for start in reading.starts]


def test_member_days_are_asked_for_by_v2() -> None:
    with AnalyticsFaults([Answer(page([], ("Model",)))]) as server:
        [reading] = fetch(server, MEMBERS)
        [seen] = server.seen
    assert seen.path == "/v2/analytics/computer/usage"
    assert seen.query == {
        "dataset": "credit_usage",
        "start_time": str(D0),
        "end_time": str(int(TODAY.timestamp())),
        "group_by": "user_email",
        "limit": "100",
    }
    assert reading == Reading(MEMBERS, ("Model",), tuple(D0 + i * DAY for i in range(5)), ())


def test_a_day_that_two_pages_share_comes_out_whole_and_quiet_days_as_fetched() -> None:
    script = [
        Answer(page([day(D0, rows("a", "b")), day(D0 + DAY, rows("a"))], ("Model",), "p2")),
        Answer(page([day(D0 + DAY, rows("b")), day(D0 + 3 * DAY, rows("c"))], ("Model",), "p3")),
        Answer(page([day(D0 + 3 * DAY, rows("d"))], ("Model",))),
    ]
    with AnalyticsFaults(script) as server:
        readings = fetch(server, MEMBERS)
    assert [days_of(reading) for reading in readings] == [[0], [1, 2], [3, 4]]
    assert [members_of(reading) for reading in readings] == [
        {0: ["a@x", "b@x"]},
        {1: ["a@x", "b@x"]},
        {3: ["c@x", "d@x"]},
    ]
    assert {reading.axes for reading in readings} == {("Model",)}


def test_a_day_is_given_out_once_a_later_one_has_begun_and_with_it_the_quiet_ones_before() -> None:
    script = [
        Answer(page([day(D0 + DAY, rows("a"))], ("Model",), "p2")),
        Answer(page([day(D0 + 3 * DAY, rows("a"))], ("Model",), "p3")),
        Answer(b"", 500),
    ]
    got: list[Reading] = []
    with AnalyticsFaults(script) as server, client(server.url) as source, pytest.raises(AnalyticsError):
        collect(source.fetch(MEMBERS, TODAY - timedelta(days=5), NOW, NOW), got)
    assert [days_of(reading) for reading in got] == [[0], [1, 2]], "and no hole where it broke off"


def test_today_is_no_quiet_day_yet() -> None:
    with AnalyticsFaults([Answer(page([]))]) as server:
        [reading] = fetch(server, MEMBERS, 2, end=NOW + timedelta(days=3))
    assert days_of(reading) == [3, 4]


@pytest.mark.parametrize("feed", [MEMBERS, Feed("credit_usage", DAY)], ids=str)
def test_a_window_without_a_complete_day_is_not_asked_for(feed: Feed) -> None:
    with AnalyticsFaults([]) as server:
        assert fetch(server, feed, 0) == []
        assert server.seen == []


@pytest.mark.parametrize("pages", [1, 2])
def test_a_member_twice_in_one_day_is_refused(pages: int) -> None:
    data = [day(D0, rows("a")), day(D0, rows("b", "a"))]
    script = [Answer(page(data, ("Model",)))]
    if pages == 2:
        script = [Answer(page(data[:1], ("Model",), "p2")), Answer(page(data[1:], ("Model",)))]
    with AnalyticsFaults(script) as server, pytest.raises(AnalyticsError, match="a member stands twice") as caught:
        fetch(server, MEMBERS)
    assert caught.value.fault is Fault.DRIFT
    assert json.loads(caught.value.body) == script[-1].body


def test_a_member_may_come_again_on_another_day() -> None:
    with AnalyticsFaults([Answer(page([day(D0, rows("a")), day(D0 + DAY, rows("a"))], ("Model",)))]) as server:
        assert sum(len(reading.rows) for reading in fetch(server, MEMBERS)) == 4


def test_a_day_that_was_given_out_may_not_come_again() -> None:
    script = [
        Answer(page([day(D0, rows("a")), day(D0 + DAY, rows("a"))], ("Model",), "p2")),
        Answer(page([day(D0, rows("b"))], ("Model",))),
    ]
    with AnalyticsFaults(script) as server, pytest.raises(AnalyticsError, match="later than the bucket before it"):
        fetch(server, MEMBERS)


def test_member_pages_that_are_split_differently_are_refused() -> None:
    script = [Answer(page([day(D0, rows("a"))], ("Model",), "p2")), Answer(page([], ("Credit Source",)))]
    with AnalyticsFaults(script) as server, pytest.raises(AnalyticsError, match="another on a later page"):
        fetch(server, MEMBERS)


def ever_on(start: Callable[[int], list[dict[str, Any]]], cursor: Callable[[int], str]) -> Callable[[Seen], Step]:
    numbers = iter(range(10**6))

    def answer(_: Seen) -> Step:
        number = next(numbers)
        return Answer(page(start(number), ("Model",), cursor(number)))

    return answer


@pytest.mark.parametrize(
    ("feed", "script", "requests"),
    [
        (HOURS, ever_on(lambda i: [bucket(D0 + i * HOUR, HOUR)], lambda i: "same"), 2),
        (HOURS, ever_on(lambda i: [bucket(D0 + i * HOUR, HOUR)], lambda i: "ab"[i % 2]), 3),
        (HOURS, ever_on(lambda i: [], str), EMPTY_PAGES + 1),
        (MEMBERS, ever_on(lambda i: [], str), EMPTY_PAGES + 1),
        (MEMBERS, ever_on(lambda i: [day(D0, [])], str), EMPTY_PAGES + 1),
        (MEMBERS, ever_on(lambda i: [day(D0, rows(str(i)))], str), 500 + EMPTY_PAGES + 1),
    ],
    ids=["one cursor", "a circle", "empty v1", "empty v2", "days without rows", "members without end"],
)
def test_pages_without_end_are_given_up(feed: Feed, script: Callable[[Seen], Step], requests: int) -> None:
    end = datetime.fromtimestamp(D0 + DAY, UTC)
    with AnalyticsFaults(script) as server, client(server.url) as source:
        with pytest.raises(AnalyticsError, match="its pages have no end") as caught:
            list(source.fetch(feed, datetime.fromtimestamp(D0, UTC), end, NOW))
        assert source.requests == requests
    assert caught.value.fault is Fault.BROKEN


def test_empty_pages_between_are_followed() -> None:
    empty = [Answer(page([], ("Model",), f"p{i}")) for i in range(EMPTY_PAGES)]
    with AnalyticsFaults([*empty, Answer(page([bucket(D0, HOUR, 7)]))]) as server:
        [reading] = fetch(server, HOURS)
    assert reading.rows == ((SeriesKey(HOURS), D0, 7),)


def test_windows_share_one_connection() -> None:
    with AnalyticsFaults(lambda _: Answer(page([]))) as server, client(server.url) as source:
        for _ in range(3):
            list(source.fetch(HOURS, TODAY, NOW, NOW))
        assert server.connections == 1
