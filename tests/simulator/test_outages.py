"""Which requests a scenario's outages hit, and what a fault changes in a right page."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from usage_watch.simulator import Answer, FaultKind, Outage
from usage_watch.simulator.alterations import ALTERATIONS, Asked, altered, as_the_api_knows_it
from usage_watch.simulator.outages import pick
from usage_watch.simulator.reply import INSTEAD, REFUSALS, SPOILT

from .asking import DAY, HOUR, LONG_AFTER, START, V1, V2, Asker, breaks_schema, window

NOW = START + 3 * DAY
OK = Answer(200, {"categories": [], "data": [], "has_more": False, "next_page": None})
ASKED = Asked(NOW, "credit_usage")
ALWAYS = Outage(START, FaultKind.STATUS_500)


def hits(*outages: Outage, asked: Asked = ASKED, answer: Answer = OK, requests: int = 10) -> str:
    """What each of some requests gets: `.` for its right answer, else the last letter of the fault's name."""
    met, found = (0,) * len(outages), ""
    for _ in range(requests):
        kind, met = pick(outages, met, answer, asked)
        found += "." if kind is None else kind.value[-1]
    return found


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ({}, "0000000000"),
        ({"every": 3}, "..0..0..0."),
        ({"after": 4}, "....000000"),
        ({"times": 2}, "00........"),
        ({"times": 0}, ".........."),
        ({"after": 1, "every": 2, "times": 3}, "..0.0.0..."),
        ({"dataset": "credit_usage"}, "0000000000"),
        ({"dataset": "skills"}, ".........."),
        ({"end_at": NOW}, ".........."),
        ({"start_at": NOW, "end_at": NOW + HOUR}, "0000000000"),
        ({"start_at": NOW + HOUR}, ".........."),
    ],
)
def test_an_outage_hits_the_requests_it_says(numbers: dict[str, Any], expected: str) -> None:
    assert hits(replace(ALWAYS, **numbers)) == expected


def test_outages_of_one_time_play_one_after_the_other_even_if_they_are_equal() -> None:
    once = replace(ALWAYS, times=1)
    other = replace(once, kind=FaultKind.STATUS_503)
    assert hits(once, other, once, replace(other, times=2)) == "03033....."


def test_what_an_earlier_outage_hits_a_later_one_does_not_meet() -> None:
    assert hits(replace(ALWAYS, every=2), replace(ALWAYS, kind=FaultKind.STATUS_503, every=2)) == ".030.030.0"[:10]


def test_a_page_that_a_fault_cannot_spoil_is_not_counted() -> None:
    negative = Outage(START, FaultKind.NEGATIVE_COUNT, times=1)
    full = Answer(200, {"data": [{"count": 3}], "has_more": False, "next_page": None})
    met = (0,)
    for answer in (OK, Answer(400, {"error": {}})):
        assert pick([negative], met, answer, ASKED) == (None, met)
    assert pick([negative], met, full, ASKED) == (FaultKind.NEGATIVE_COUNT, (1,))


def test_a_refusal_takes_faults_of_the_wire_alone() -> None:
    refused = Answer(400, {"error": {"message": "no", "type": "bad_request", "code": 400}})
    spoiling = {kind for kind in FaultKind if hits(Outage(START, kind), answer=refused, requests=1) != "."}
    assert spoiling == set(FaultKind) - set(ALTERATIONS)


def test_every_fault_stands_in_one_table() -> None:
    tables = [*ALTERATIONS, *INSTEAD, *REFUSALS, *SPOILT]
    assert sorted(tables) == sorted(FaultKind)


def page_of(api: Asker, path: str, now: datetime = LONG_AFTER, **asked: Any) -> dict[str, Any]:
    grouped = {"group_by": "user_email"} if path == V2 else {}
    return api.page(path, now, **{"dataset": "credit_usage", **window(1, 5), **grouped, **asked})


SCHEMAS = {V1: "UsagePage", V2: "MemberPage"}


@pytest.mark.parametrize("path", [V1, V2])
def test_one_count_in_the_middle_is_text(prompt: Asker, path: str) -> None:
    page = page_of(prompt, path)
    assert breaks_schema(SCHEMAS[path], page) == []
    (fault,) = breaks_schema(SCHEMAS[path], altered(FaultKind.WRONG_TYPE, page, Asked(LONG_AFTER)))
    assert "is not of type 'integer'" in fault


@pytest.mark.parametrize("path", [V1, V2])
@pytest.mark.parametrize("count", [0, 1, 350])
def test_one_count_in_the_middle_is_below_zero(path: str, count: int) -> None:
    entries = [{"count": count}, {"count": count}, {"count": count}]
    data = entries if path == V1 else [{"results": entries[:2]}, {"results": entries[2:]}]
    spoilt = altered(FaultKind.NEGATIVE_COUNT, {"data": data}, ASKED)["data"]
    counts = [entry["count"] for bucket in spoilt for entry in bucket.get("results", [bucket])]
    assert counts == [count, -max(count, 1), count]


@pytest.mark.parametrize("path", [V1, V2])
@pytest.mark.parametrize(("kind", "count"), [(FaultKind.HUGE_COUNT, 2**63), (FaultKind.HUGE_FLOAT, 1e30)])
def test_one_count_is_huge(prompt: Asker, path: str, kind: FaultKind, count: float) -> None:
    spoilt = json.loads(json.dumps(altered(kind, page_of(prompt, path), Asked(LONG_AFTER))))
    counts = [entry["count"] for bucket in spoilt["data"] for entry in bucket.get("results", [bucket])]
    assert counts.count(count) == 1
    assert type(counts[len(counts) // 2]) is type(count)


@pytest.mark.parametrize(("path", "width"), [(V1, "1d"), (V1, "1h"), (V2, None)])
def test_a_bucket_beside_the_grid_has_its_width(prompt: Asker, path: str, width: str | None) -> None:
    right = page_of(prompt, path, LONG_AFTER, **({"bucket_width": width} if width else {}))
    spoilt = altered(FaultKind.OFF_GRID_BUCKET, right, Asked(LONG_AFTER))
    moved = [(was, now) for was, now in zip(right["data"], spoilt["data"], strict=True) if was != now]
    assert [(now["start_time"] - was["start_time"], now["end_time"] - was["end_time"]) for was, now in moved] == [
        (1_800, 1_800)
    ]


@pytest.mark.parametrize(("path", "width"), [(V1, 86_400), (V1, 3_600), (V2, 86_400)])
def test_a_bucket_in_the_future_comes_after_the_others_and_has_not_begun(prompt: Asker, path: str, width: int) -> None:
    now = START + 9 * DAY + 1.3 * HOUR
    right = page_of(prompt, path, now, **({"bucket_width": "1h"} if width == 3_600 else {}))
    spoilt = altered(FaultKind.FUTURE_BUCKET, right, Asked(now))
    *others, future = spoilt["data"]
    assert others == right["data"]
    assert now.timestamp() < future["start_time"] <= now.timestamp() + width
    assert future["start_time"] % width == 0
    assert future["end_time"] - future["start_time"] == width


@pytest.mark.parametrize("path", [V1, V2])
def test_axes_get_names_that_the_documentation_lacks(prompt: Asker, path: str) -> None:
    spoilt = altered(FaultKind.OTHER_AXIS, page_of(prompt, path), Asked(LONG_AFTER))
    assert spoilt["categories"] == ["New Model", "New Credit Source"]
    assert breaks_schema(SCHEMAS[path], spoilt) == []
    entries = [entry for bucket in spoilt["data"] for entry in bucket.get("results", [bucket])]
    assert all(list(entry["by_categories"]) == spoilt["categories"] for entry in entries)


@pytest.mark.parametrize("dataset", ["credit_usage", "query_volume", "skills", "daily_active_users"])
def test_the_older_shape_is_the_one_that_the_api_had(prompt: Asker, dataset: str) -> None:
    old = Asker(replace(prompt.api, old_shape=True))
    spoilt = altered(FaultKind.OLD_SHAPE, page_of(prompt, V1, dataset=dataset), Asked(LONG_AFTER))
    assert spoilt == page_of(old, V1, dataset=dataset)


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        (FaultKind.OLD_SHAPE, {"categories": ["Model"], "data": [{"results": []}]}),
        (FaultKind.OLD_SHAPE, {"data": []}),
        (FaultKind.OTHER_AXIS, {"data": [{"by_category": []}]}),
        (FaultKind.OTHER_AXIS, {"categories": [], "data": [{"by_categories": {}}]}),
        (FaultKind.FUTURE_BUCKET, {"data": []}),
        (FaultKind.OFF_GRID_BUCKET, {"data": []}),
    ],
)
def test_where_there_is_nothing_to_spoil_the_page_stays(kind: FaultKind, page: dict[str, Any]) -> None:
    assert altered(kind, page, ASKED) == page


@pytest.mark.parametrize("kind", sorted(ALTERATIONS))
def test_the_right_page_itself_is_left_as_it_is(prompt: Asker, kind: FaultKind) -> None:
    page = page_of(prompt, V1)
    assert altered(kind, page, Asked(LONG_AFTER)) != page
    assert page == page_of(prompt, V1)


@pytest.mark.parametrize(
    ("sent", "known"),
    [(None, None), ("natural", "natural"), ("again-1-", None), ("again-12-abc-d", "abc-d"), ("again-x-y", "again-x-y")],
)
def test_our_cursors_stand_for_the_page_that_they_repeat(sent: str | None, known: str | None) -> None:
    def query(page: str | None) -> tuple[tuple[str, str], ...]:
        return (("dataset", "skills"), *((("page", page),) if page is not None else ()), ("limit", "3"))

    assert as_the_api_knows_it(query(sent)) == query(known)
