"""Every refusal of the contract."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from usage_watch.simulator import AnalyticsApi

from .asking import DAY, HOUR, KEY, START, V1, V2, Asker, breaks_schema, epoch, window

NOW = START + 100 * DAY + 9 * HOUR
ANA = "ana@example.com"
GOOD_V1: dict[str, Any] = {"dataset": "credit_usage", **window(80, 10)}
GOOD_V2: dict[str, Any] = {"dataset": "credit_usage", "group_by": "user_email", **window(80, 10)}
ABSENT: Any = object()


def ask(api: Asker, path: str, change: dict[str, Any]) -> tuple[int, str]:
    good = GOOD_V1 if path == V1 else GOOD_V2
    asked = {name: value for name, value in (good | change).items() if value is not ABSENT}
    answer = api.answer(path, NOW, **asked)
    assert answer.status == 400, answer.body
    assert breaks_schema("Error", answer.body) == []
    assert answer.body["error"]["code"] == 400
    assert answer.body["error"]["message"].endswith(".")
    return answer.status, answer.body["error"]["type"]


@pytest.mark.parametrize(
    ("path", "change"),
    [
        (V1, {"dataset": ABSENT}),
        (V1, {"dataset": "credits"}),
        (V1, {"dataset": ""}),
        (V1, {"start_time": ABSENT}),
        (V1, {"start_time": ""}),
        (V1, {"start_time": -1}),
        (V1, {"start_time": "2026-08-10T00:00:00Z"}),
        (V1, {"start_time": "1786320000.0"}),
        (V1, {"start_time": " 1786320000"}),
        (V1, {"start_time": "1786320000\n"}),
        (V1, {"start_time": "١٧٨٦"}),
        (V1, {"start_time": "9" * 5_000}),
        (V1, {"end_time": "now"}),
        (V1, {"end_time": ""}),
        (V1, {"bucket_width": "2h"}),
        (V1, {"bucket_width": "1H"}),
        (V1, {"limit": 0}),
        (V1, {"limit": "ten"}),
        (V1, {"limit": 32}),
        (V1, {"limit": 169, "bucket_width": "1h"}),
        (V1, {"user_email": "ana"}),
        (V1, {"user_email": ""}),
        (V1, {"user_email": "jose computer@example.com"}),
        (V1, {"group_by": "user_email"}),
        (V1, {"api_key": "x"}),
        (V2, {"dataset": ABSENT}),
        (V2, {"dataset": "connectors"}),
        (V2, {"dataset": "daily_active_users"}),
        (V2, {"group_by": ABSENT}),
        (V2, {"group_by": "Model"}),
        (V2, {"start_time": ABSENT}),
        (V2, {"limit": 0}),
        (V2, {"limit": 101}),
        (V2, {"bucket_width": "1d"}),
        (V2, {"user_email": ANA}),
    ],
)
def test_a_malformed_unknown_or_missing_parameter_is_a_bad_request(
    prompt: Asker, path: str, change: dict[str, Any]
) -> None:
    assert ask(prompt, path, change) == (400, "bad_request")


@pytest.mark.parametrize(
    ("path", "change"),
    [
        (V1, {"start_time": epoch(NOW), "end_time": epoch(NOW) - 1}),
        (V1, {"start_time": epoch(NOW) + 60, "end_time": ABSENT}),
        (V1, {"start_time": epoch(NOW - 90 * DAY) - 1, "end_time": ABSENT}),
        (V1, {"start_time": epoch(NOW - 90 * DAY) - 1, "end_time": epoch(NOW + DAY)}),
        (V1, {"start_time": 0}),
        (V1, {"dataset": "query_volume", "bucket_width": "1h"}),
        (V1, {"dataset": "daily_active_users", "bucket_width": "1h"}),
        (V1, {"dataset": "query_volume", "user_email": ANA}),
        (V1, {"dataset": "daily_active_users", "user_email": ANA}),
        (V1, {"user_email": "stranger@example.com"}),
        (V1, {"page": ""}),
        (V1, {"page": "garbage"}),
        (V1, {"page": "ünïcode"}),
        (V1, {"page": "bnVsbA"}),
        (V1, {"page": "W10"}),
        (V1, {"page": "WzEsMiwzLCJ4Il0"}),
        (V2, {"start_time": epoch(NOW), "end_time": epoch(NOW) - 1}),
        (V2, {"start_time": epoch(NOW - 91 * DAY), "end_time": ABSENT}),
        (V2, {"page": "garbage"}),
    ],
)
def test_parameters_that_ask_for_what_there_is_not_are_an_invalid_request(
    prompt: Asker, path: str, change: dict[str, Any]
) -> None:
    assert ask(prompt, path, change) == (400, "invalid_request")


def test_90_days_back_from_now_are_allowed(prompt: Asker) -> None:
    assert prompt.page(V1, NOW, dataset="credit_usage", start_time=epoch(NOW - 90 * DAY))["has_more"]


def test_what_is_malformed_is_refused_before_what_makes_no_sense(prompt: Asker) -> None:
    change = {"start_time": epoch(NOW), "end_time": 0, "limit": "ten"}
    assert ask(prompt, V1, change) == (400, "bad_request")


@pytest.mark.parametrize("name", ["dataset", "start_time", "limit"])
def test_a_parameter_given_twice_is_a_bad_request(prompt: Asker, name: str) -> None:
    given = GOOD_V1 | {"limit": 7}
    pairs = [(key, str(value)) for key, value in given.items()]
    pairs.append((name, str(given[name])))
    answer = prompt.api.answer("GET", V1, pairs, {"Authorization": f"Bearer {KEY}"}, NOW)
    assert (answer.status, answer.body["error"]["type"]) == (400, "bad_request")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": KEY},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer another-key"},
        {"Authorization": f"Bearer {KEY}x"},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": "Bearer sch\xfcssel"},
        {"X-Api-Key": KEY},
    ],
)
def test_without_the_right_key_everybody_is_unauthorized(prompt: Asker, headers: dict[str, str]) -> None:
    answer = prompt.api.answer("GET", V1, [], headers, NOW)
    assert answer.status == 401
    assert answer.body["error"]["type"] == "unauthorized"
    assert KEY not in str(answer)
    assert breaks_schema("Error", answer.body) == []


def test_the_name_of_the_header_may_be_written_in_any_case(prompt: Asker) -> None:
    answer = prompt.api.answer("GET", V1, [], {"authorization": f"Bearer {KEY}"}, NOW)
    assert answer.body["error"]["type"] == "bad_request"


def test_a_key_that_was_made_anew_revokes_the_old_one(prompt: Asker) -> None:
    revoked = Asker(replace(prompt.api, key="a-new-key"))
    assert revoked.answer(V1, NOW, **GOOD_V1).status == 401


@pytest.mark.parametrize(("path", "good"), [(V1, GOOD_V1), (V2, GOOD_V2)])
def test_an_api_that_is_switched_off_says_so(prompt: Asker, path: str, good: dict[str, Any]) -> None:
    answer = Asker(replace(prompt.api, enabled=False)).answer(path, NOW, **good)
    assert (answer.status, answer.body["error"]["type"]) == (404, "feature_disabled")
    assert breaks_schema("Error", answer.body) == []


def test_a_wrong_key_is_refused_before_the_switch_is_looked_at(prompt: Asker) -> None:
    api = replace(prompt.api, enabled=False)
    assert api.answer("GET", V1, [], {}, NOW).status == 401


@pytest.mark.parametrize("path", ["/", "", V1 + "/", V1.replace("v1", "v3"), V1.upper(), "/chat/completions"])
def test_an_unknown_path_is_not_found(prompt: Asker, path: str) -> None:
    answer = prompt.answer(path, NOW, **GOOD_V1)
    assert (answer.status, answer.body["error"]["type"]) == (404, "not_found")
    assert breaks_schema("Error", answer.body) == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD"])
def test_another_method_is_not_allowed(prompt: Asker, method: str) -> None:
    answer = prompt.api.answer(method, V1, [], {"Authorization": f"Bearer {KEY}"}, NOW)
    assert (answer.status, answer.body["error"]["type"]) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET"


def cursor_of(api: Asker, path: str, **change: Any) -> str:
    good = GOOD_V1 if path == V1 else GOOD_V2
    page = api.page(path, NOW, **(good | {"limit": 5} | change))
    assert page["has_more"]
    return str(page["next_page"])


@pytest.mark.parametrize(
    ("path", "change"),
    [
        (V1, {"limit": 4}),
        (V1, {"limit": ABSENT}),
        (V1, {"start_time": GOOD_V1["start_time"] + 1}),
        (V1, {"end_time": ABSENT}),
        (V1, {"dataset": "connectors"}),
        (V1, {"bucket_width": "1h"}),
        (V1, {"bucket_width": "1d"}),
        (V1, {"user_email": ANA}),
        (V2, {"limit": 6}),
        (V2, {"dataset": "query_volume"}),
        (V2, {"end_time": GOOD_V2["end_time"] - 1}),
    ],
)
def test_a_cursor_is_refused_when_any_other_parameter_changed(prompt: Asker, path: str, change: dict[str, Any]) -> None:
    page = cursor_of(prompt, path)
    assert ask(prompt, path, {"limit": 5, "page": page} | change) == (400, "invalid_request")


def test_a_cursor_of_the_other_endpoint_is_refused(prompt: Asker) -> None:
    assert ask(prompt, V1, {"limit": 5, "page": cursor_of(prompt, V2)}) == (400, "invalid_request")
    assert ask(prompt, V2, {"limit": 5, "page": cursor_of(prompt, V1)}) == (400, "invalid_request")


def test_a_cursor_that_was_tampered_with_is_refused(prompt: Asker) -> None:
    page = cursor_of(prompt, V1)
    for place in range(0, len(page), 3):
        tampered = page[:place] + ("A" if page[place] != "A" else "B") + page[place + 1 :]
        assert ask(prompt, V1, {"limit": 5, "page": tampered}) == (400, "invalid_request")


def test_a_cursor_does_not_mind_the_order_of_the_parameters(prompt: Asker) -> None:
    good = GOOD_V1 | {"limit": 5, "page": cursor_of(prompt, V1)}
    pairs = [(name, str(value)) for name, value in reversed(good.items())]
    assert prompt.api.answer("GET", V1, pairs, {"Authorization": f"Bearer {KEY}"}, NOW).status == 200


def test_a_refused_key_does_not_show_in_the_repr(prompt: Asker) -> None:
    assert KEY not in repr(AnalyticsApi(prompt.api.usage, KEY))


def test_a_member_who_left_between_two_pages_is_refused_on_the_second(prompt: Asker) -> None:
    [leaver] = [member for member in prompt.api.usage.organization.members if member.left_day is not None]
    assert leaver.left_day is not None
    left_at = START + leaver.left_day * DAY
    asked: dict[str, Any] = {"dataset": "credit_usage", "limit": 5, "user_email": leaver.email, **window(10, 10)}
    page = prompt.page(V1, left_at - timedelta(minutes=1), **asked)
    answer = prompt.answer(V1, left_at, **asked, page=page["next_page"])
    assert answer.body["error"]["type"] == "invalid_request"
