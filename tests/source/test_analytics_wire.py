from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.analytics_pages import bucket, day, member, old_bucket, page
from usage_watch.core.datasets import DATASETS
from usage_watch.core.series import DAY, EACH_MEMBER, HOUR, Feed, SeriesKey
from usage_watch.errors import SourceError
from usage_watch.source.errors import AnalyticsError, Fault
from usage_watch.source.wire import Asked, Page, read_page

T0 = 1_746_057_600  # 2025-05-01
HOURS = Feed("credit_usage", HOUR)
DAYS = Feed("credit_usage", DAY)
MEMBERS = Feed("credit_usage", DAY, EACH_MEMBER)


def read(content: Any, feed: Feed = HOURS, *, floor: int = T0, end: int | None = None) -> Page:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return read_page(body, Asked(feed, T0, T0 + 10 * feed.width if end is None else end, floor))


def refused(content: Any, feed: Feed = HOURS, fault: Fault = Fault.DRIFT, **asked: int) -> AnalyticsError:
    with pytest.raises(AnalyticsError) as caught:
        read(content, feed, **asked)
    assert caught.value.fault is fault
    assert "\n" not in str(caught.value)
    return caught.value


def good() -> dict[str, Any]:
    parts = {"Model": {"opus": 210, "sonnet": 100}, "Credit Source": {"paid": 250, "promo": 80}}
    empty: dict[str, dict[str, int]] = {"Model": {}, "Credit Source": {}}
    data = [bucket(T0, HOUR, 350, parts), bucket(T0 + HOUR, HOUR, 0, empty)]
    return page(data, ["Model", "Credit Source"], "more")


def good_members() -> dict[str, Any]:
    rows = [member("ana@example.com", 5, {"Model": {"opus": 5}}), member("Bo@example.com", 0, {"Model": {}})]
    return page([day(T0, rows), day(T0 + DAY, rows[:1])], ["Model"])


def test_a_page_of_v1_is_read_whole_with_zeros_and_what_is_not_attributed() -> None:
    found = read(good())
    assert found.axes == ("Model", "Credit Source")
    assert found.starts == (T0, T0 + HOUR)
    assert found.next_page == "more"
    assert found.rows == (
        (SeriesKey(HOURS), T0, 350),
        (SeriesKey(HOURS, "Model", "opus"), T0, 210),
        (SeriesKey(HOURS, "Model", "sonnet"), T0, 100),
        (SeriesKey(HOURS, "Credit Source", "paid"), T0, 250),
        (SeriesKey(HOURS, "Credit Source", "promo"), T0, 80),
        (SeriesKey(HOURS), T0 + HOUR, 0),
    )


def test_a_page_of_v2_keeps_members_as_they_are_written_and_their_zeros() -> None:
    found = read(good_members(), MEMBERS)
    assert found.starts == (T0, T0 + DAY)
    assert found.rows == (
        (SeriesKey(MEMBERS, member="ana@example.com"), T0, 5),
        (SeriesKey(MEMBERS, "Model", "opus", "ana@example.com"), T0, 5),
        (SeriesKey(MEMBERS, member="Bo@example.com"), T0, 0),
        (SeriesKey(MEMBERS, member="ana@example.com"), T0 + DAY, 5),
        (SeriesKey(MEMBERS, "Model", "opus", "ana@example.com"), T0 + DAY, 5),
    )


def test_a_day_may_come_twice_on_a_page_of_v2() -> None:
    twice = page([day(T0, [member("a@x", 1)]), day(T0, [member("b@x", 2)])])
    found = read(twice, MEMBERS)
    assert found.starts == (T0,)
    assert [count for _, _, count in found.rows] == [1, 2]


def test_the_series_of_one_members_feed_carry_that_member() -> None:
    feed = Feed("skills", HOUR, "ana@example.com")
    found = read(page([bucket(T0, HOUR, 3, {"Skill": {"pdf": 3}})], ["Skill"]), feed)
    assert {key.member for key, _, _ in found.rows} == {"ana@example.com"}


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda dataset: dataset.name)
def test_every_dataset_is_read_with_the_axes_that_it_names(dataset: Any) -> None:
    feed = Feed(dataset.name, DAY)
    parts = {axis: {"x": 1} for axis in dataset.axes}
    found = read(page([bucket(T0, DAY, 1, parts)], dataset.axes), feed)
    assert found.axes == dataset.axes
    assert len(found.rows) == 1 + len(dataset.axes)


def test_an_axis_that_nobody_knows_is_taken_and_one_that_is_not_named_is_unknown() -> None:
    parts = {"Region": {"eu": 1}, "Model": {"opus": 1}, "Credit Source": {"paid": 1}}
    found = read(page([bucket(T0, HOUR, 1, parts)], ["Region", "Model"]))
    assert found.axes == ("Region", "Model")
    assert {key.axis for key, _, _ in found.rows} == {None, "Region", "Model"}


@pytest.mark.parametrize("axes", [(), ("Region",), ("model", "Credit source")])
@pytest.mark.parametrize("feed", [HOURS, MEMBERS], ids=str)
def test_a_known_dataset_without_any_axis_that_it_is_known_by_is_refused(feed: Feed, axes: tuple[str, ...]) -> None:
    parts = {axis: {"x": 1} for axis in axes}
    data = [day(T0, [member("a@x", 1, parts)])] if feed is MEMBERS else [bucket(T0, HOUR, 1, parts)]
    error = refused(page(data, axes), feed)
    assert "not what credit_usage is split by (Model, Credit Source)" in str(error)


@pytest.mark.parametrize(
    ("dataset", "axes"), [("daily_active_users", ()), ("daily_active_users", ("Region",)), ("unheard_of", ())]
)
def test_a_dataset_of_which_no_axis_is_known_may_have_any_or_none(dataset: str, axes: tuple[str, ...]) -> None:
    parts = {axis: {"x": 1} for axis in axes}
    assert read(page([bucket(T0, DAY, 1, parts)], axes), Feed(dataset, DAY)).axes == axes


@pytest.mark.parametrize("feed", [HOURS, MEMBERS], ids=str)
def test_an_answer_that_counts_nothing_need_not_name_what_it_would_be_split_by(feed: Feed) -> None:
    assert read(page([], ()), feed) == Page((), (), (), None)


def test_unknown_keys_are_passed_over_everywhere() -> None:
    content = good()
    content["object"] = {"deep": [1.5, None]}
    content["data"][0]["partial"] = 0.25
    content["data"][0]["by_categories"]["Model"][0]["share"] = 0.6
    assert read(content) == read(good())


def test_an_axis_may_sum_to_more_than_the_count() -> None:
    found = read(page([bucket(T0, HOUR, 1, {"Model": {"opus": 5}})], ["Model"]))
    assert [count for _, _, count in found.rows] == [1, 5]


def test_an_empty_bucket_need_not_list_its_axes() -> None:
    assert len(read(page([bucket(T0, HOUR, 0)], ["Model"])).rows) == 1


def test_a_page_without_buckets_is_fine() -> None:
    assert read(page([], ["Model"])) == Page(("Model",), (), (), None)


def test_a_cursor_on_the_last_page_is_passed_over() -> None:
    assert read({**page([]), "next_page": "left over"}).next_page is None


@pytest.mark.parametrize(
    ("dataset", "categories", "axis"),
    [
        ("credit_usage", ["paid", "promo"], "Credit Source"),
        ("credit_usage", ["promo"], "Credit Source"),
        ("credit_usage", ["paid", "claude-opus-4-8"], "Model"),
        ("query_volume", ["Search", "Computer"], "Feature"),
        ("spaces", ["paid"], "Space"),
        ("task_durations", ["<1m"], "Task Duration"),
    ],
)
def test_the_older_answer_has_the_one_axis_that_it_means(dataset: str, categories: list[str], axis: str) -> None:
    feed = Feed(dataset, DAY)
    data = [old_bucket(T0 + i * DAY, DAY, 9, {category: 4}) for i, category in enumerate(categories)]
    found = read(page(data, None), feed)
    assert found.axes == (axis,)
    expected = [row for i, name in enumerate(categories) for row in ((None, None, i), (axis, name, i))]
    assert [(key.axis, key.category, (start - T0) // DAY) for key, start, _ in found.rows] == expected


@pytest.mark.parametrize("dataset", ["daily_active_users", "unheard_of"])
def test_the_older_answer_of_a_dataset_without_one_known_axis_counts_in_total_only(dataset: str) -> None:
    found = read(page([old_bucket(T0, DAY, 7, {"x": 7})], None), Feed(dataset, DAY))
    assert found.axes == ()
    assert [count for _, _, count in found.rows] == [7]


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "not JSON"),
        (b"<html>busy</html>", "not JSON"),
        (b'{"data": [', "not JSON from character 10 on"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"[]", "no object"),
        (b"null", "no object"),
        (b'{"x": NaN}', "NaN or Infinity"),
        (b'{"x": -Infinity}', "NaN or Infinity"),
        (b'{"x": 1e999}', "out of range"),
        (b'{"x": ' + b"9" * 5000 + b"}", "out of range"),
        (b'{"data": [], "data": []}', "a key stands twice"),
        (b'{"x": {"a": 1, "a": 1}}', "a key stands twice"),
        (b'{"x": "\xff"}', "not UTF-8"),
        ("{}".encode("utf-16"), "not UTF-8"),
        (b'{"x": ' + b"[" * 100_000, "nested too deep"),
        (b'{"x":' * 100_000, "nested too deep"),
    ],
)
def test_a_body_that_is_no_json_object_may_come_right_when_asked_again(body: bytes, what: str) -> None:
    error = refused(body, fault=Fault.BROKEN)
    assert what in str(error)
    assert error.body == b"", "asked again, it may be whole"


def put(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Change one place of a page: `data/0/count`."""

    def change(content: Any) -> None:
        *way, last = (int(step) if step.isdigit() else step for step in path.split("/"))
        for step in way:
            content = content[step]
        content[last] = value

    return change


def drop(path: str) -> Callable[[dict[str, Any]], None]:
    """Leave out one key of a page."""

    def change(content: Any) -> None:
        *way, last = (int(step) if step.isdigit() else step for step in path.split("/"))
        for step in way:
            content = content[step]
        del content[last]

    return change


MODEL = "data/0/by_categories/Model"
WRONG_COUNTS = [-1, 1.5, 3.0, True, "3", None, [], {}, 2**53 + 1]
WRONG = [
    *[("`data[0].count`", put("data/0/count", value)) for value in WRONG_COUNTS],
    *[("`data[0].start_time`", put("data/0/start_time", value)) for value in WRONG_COUNTS],
    ('`data[0].by_categories["Model"][0].count`', put(f"{MODEL}/0/count", 2.0)),
    ('`data[0].by_categories["Model"][0].category`', put(f"{MODEL}/0/category", 5)),
    ('`data[0].by_categories["Model"][0].category`', put(f"{MODEL}/0/category", "x" * 1001)),
    ('`data[0].by_categories["Model"][0].category`', put(f"{MODEL}/0/category", "a\ud800")),
    ('`data[0].by_categories["Model"][1].category`', put(f"{MODEL}/1/category", "opus")),
    ('`data[0].by_categories["Model"][0]`', put(f"{MODEL}/0", "opus")),
    ('`data[0].by_categories["Model"]`', put(MODEL, {"opus": 5})),
    ('`data[0].by_categories["Model"]`', drop(MODEL)),
    ("`data[0].by_categories`", put("data/0/by_categories", [])),
    ("`data[0].by_categories`", drop("data/0/by_categories")),
    ("`data[0].count`", drop("data/0/count")),
    ("`data[1].end_time`", drop("data/1/end_time")),
    ("`data[0].start_time` is 1746057601, not a multiple", put("data/0/start_time", T0 + 1)),
    ("`data[0].end_time`", put("data/0/end_time", T0 + DAY)),
    ("`data[0].end_time`", put("data/0/end_time", T0)),
    ("`data[0].start_time`", put("data/0", bucket(T0 - HOUR, HOUR))),
    ("`data[1].start_time`", put("data/1", bucket(T0 + 10 * HOUR, HOUR))),
    ("later than the bucket before it", put("data/1", bucket(T0, HOUR))),
    ("`data[1]`", put("data/1", 17)),
    ("`data`", put("data", {})),
    ("`data`", drop("data")),
    ("`categories`", put("categories", None)),
    ("`categories`", put("categories", "Model")),
    ("`categories`", put("categories", ["Model", "Model"])),
    ("`categories[1]`", put("categories", ["Model", ""])),
    ("`categories[0]`", put("categories", [None])),
    ("`data[0].by_category`", drop("categories")),
    ("`has_more`", put("has_more", 1)),
    ("`has_more`", drop("has_more")),
    ("`next_page`", put("next_page", None)),
    ("`next_page`", put("next_page", "")),
    ("`next_page`", put("next_page", 7)),
    ("`next_page`", put("next_page", "c" * 4097)),
    ("`next_page`", put("next_page", "\udfff")),
    ("`next_page`", drop("next_page")),
]


@pytest.mark.parametrize(("where", "change"), WRONG)
def test_what_breaks_the_contract_is_refused_and_named(where: str, change: Callable[[Any], None]) -> None:
    content = good()
    read(content)
    change(content)
    error = refused(content)
    assert where in str(error)
    assert error.body == json.dumps(content).encode(), "kept for whoever looks into it"


@pytest.mark.parametrize(
    ("where", "change"),
    [
        ("`data[0].results[0].user_email`", put("data/0/results/0/user_email", None)),
        ("`data[0].results[0].user_email`", put("data/0/results/0/user_email", "")),
        ("`data[0].results[0].user_email`", put("data/0/results/0/user_email", "\ud83d@x")),
        ("`data[0].results[1].count`", put("data/0/results/1/count", -1)),
        ('`data[0].results[0].by_categories["Model"]`', put("data/0/results/0/by_categories", {})),
        ("`data[0].results`", drop("data/0/results")),
        ("`data[1].results[0]`", put("data/1/results/0", [])),
        ("later than the bucket before it", put("data/0", day(T0 + 2 * DAY, []))),
        ("`categories`", drop("categories")),
    ],
)
def test_what_breaks_the_contract_of_member_days_is_refused(where: str, change: Callable[[Any], None]) -> None:
    content = good_members()
    read(content, MEMBERS)
    change(content)
    assert where in str(refused(content, MEMBERS))


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (page([old_bucket(T0, HOUR, 1, {"x" * 1001: 1})], None), "`data[0].by_category[0].category`"),
        (page([{**old_bucket(T0, HOUR, 1, {}), "by_category": [{"category": [], "count": 1}]}], None), "category`"),
        (page([{**old_bucket(T0, HOUR, 1, {}), "by_category": [{"category": "a"}]}], None), "[0].count`"),
        (page([{**old_bucket(T0, HOUR, 1, {}), "by_category": None}], None), "`data[0].by_category`"),
    ],
)
def test_the_older_answer_is_checked_as_strictly(content: dict[str, Any], where: str) -> None:
    assert where in str(refused(content))


def test_a_bucket_that_an_earlier_page_had_is_refused() -> None:
    second = page([bucket(T0, HOUR, 1)])
    assert "later than the bucket before it" in str(refused(second, floor=T0 + HOUR))


def test_a_bucket_that_is_not_complete_yet_is_refused() -> None:
    content = page([bucket(T0, HOUR), bucket(T0 + HOUR, HOUR)])
    assert "2025-05-01T00:00Z to 2025-05-01T01:00Z" in str(refused(content, end=T0 + HOUR))


def test_an_error_shows_little_of_what_came_and_only_on_one_printable_line() -> None:
    content = good()
    put("data/0/count", "\x1b[31m<script>\n\u202e" + "A" * 500)(content)
    text = str(refused(content))
    assert text.isprintable()
    assert "A" * 41 not in text


@pytest.mark.parametrize("feed", [HOURS, DAYS, MEMBERS, Feed("unheard_of", DAY)], ids=str)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[])),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
        max_leaves=12,
    )
)
def test_any_json_is_read_or_refused_and_nothing_else(feed: Feed, content: Any) -> None:
    with contextlib.suppress(SourceError):
        read(content, feed)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_and_nothing_else(body: bytes) -> None:
    with contextlib.suppress(SourceError):
        read(body)


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2**60),
    st.floats(),
    st.text(st.characters(exclude_categories=[]), max_size=8),
    st.sampled_from([[], {}, [[]], [{}], T0, T0 + HOUR, T0 + DAY]),
)


def places(content: Any, way: str = "") -> list[str]:
    """All paths into a page."""
    items: Any = content.items() if isinstance(content, dict) else enumerate(content)
    found = []
    for step, value in items if isinstance(content, dict | list) else ():
        found.append(f"{way}{step}")
        if isinstance(value, dict | list):
            found += places(value, f"{way}{step}/")
    return found


@pytest.mark.parametrize(("content", "feed"), [(good(), HOURS), (good_members(), MEMBERS)], ids=["v1", "v2"])
@given(st.data())
def test_a_good_page_with_one_place_spoilt_never_raises_anything_else(
    content: dict[str, Any], feed: Feed, data: st.DataObject
) -> None:
    spoilt = copy.deepcopy(content)
    put(data.draw(st.sampled_from(places(content))), data.draw(JUNK))(spoilt)
    try:
        found = read(spoilt, feed)
    except SourceError:
        return
    assert list(found.starts) == sorted(set(found.starts))
    assert {start for _, start, _ in found.rows} <= set(found.starts)
    assert all(type(count) is int and count >= 0 for _, _, count in found.rows)
