"""Questions to the emulated API, as the tests of this folder ask them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from openapi_schema_validator import OAS31Validator

from usage_watch.simulator import DATASETS, AnalyticsApi, Answer, Runaway, Scenario, SyncLag, SyncStop, Usage

V1 = "/v1/analytics/computer/usage"
V2 = "/v2/analytics/computer/usage"
KEY = "the-key"

START = datetime(2026, 8, 10, tzinfo=UTC)  # a Monday
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LONG_AFTER = START + 200 * DAY

OPENAPI = json.loads((Path(__file__).parent / "analytics-api.openapi.json").read_text())

HOURLY = [name for name, dataset in DATASETS.items() if not dataset.daily_only]
BY_MEMBER = [name for name, dataset in DATASETS.items() if dataset.member_axes is not None]


@dataclass(frozen=True)
class Asker:
    """Asks one API."""

    api: AnalyticsApi

    def answer(self, path: str, now: datetime, /, **parameters: object) -> Answer:
        pairs = [(name, str(value)) for name, value in parameters.items()]
        return self.api.answer("GET", path, pairs, {"Authorization": f"Bearer {KEY}"}, now)

    def page(self, path: str, now: datetime, /, **parameters: object) -> dict[str, Any]:
        answer = self.answer(path, now, **parameters)
        assert answer.status == 200, answer.body
        return answer.body

    def pages(self, path: str, now: datetime, /, **parameters: object) -> Iterator[dict[str, Any]]:
        page = self.page(path, now, **parameters)
        cursors = set()
        yield page
        while page["has_more"]:
            assert page["next_page"] not in cursors, "the pages never end"
            cursors.add(page["next_page"])
            page = self.page(path, now, **parameters, page=page["next_page"])
            yield page

    def buckets(self, now: datetime, /, **parameters: object) -> list[dict[str, Any]]:
        """v1, all pages joined."""
        return [bucket for page in self.pages(V1, now, **parameters) for bucket in page["data"]]

    def rows(self, now: datetime, /, **parameters: object) -> dict[tuple[int, str], dict[str, Any]]:
        """v2, all pages joined: (start of the day, email) -> row."""
        rows: dict[tuple[int, str], dict[str, Any]] = {}
        for page in self.pages(V2, now, group_by="user_email", **parameters):
            for day in page["data"]:
                for row in day["results"]:
                    assert (day["start_time"], row["user_email"]) not in rows
                    rows[day["start_time"], row["user_email"]] = row
        return rows


def asker(scenario: Scenario) -> Asker:
    return Asker(AnalyticsApi(Usage(scenario), KEY))


def epoch(at: datetime) -> int:
    return int(at.timestamp())


def window(first_day: int, days: int) -> dict[str, int]:
    """`start_time` and `end_time` of some days of the scenario."""
    return {"start_time": epoch(START + first_day * DAY), "end_time": epoch(START + (first_day + days) * DAY)}


def breaks_schema(name: str, body: dict[str, Any]) -> list[str]:
    """What is wrong with a body by the OpenAPI file, each fault as a text."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": OPENAPI["components"]}
    return [fault.message for fault in OAS31Validator(schema).iter_errors(body)]


def flat(entry: dict[str, Any]) -> dict[tuple[str, str] | None, int]:
    """A bucket's or row's counts: None -> the total, (axis, category) -> its count."""
    counts: dict[tuple[str, str] | None, int] = {None: entry["count"]}
    for axis, listed in entry["by_categories"].items():
        counts |= {(axis, item["category"]): item["count"] for item in listed}
    return counts


STORY = Scenario(
    seed=11,
    start_at=START,
    lag=SyncLag(late_share=0.2),
    stops=(SyncStop(START + 9 * DAY + 10 * HOUR, START + 10 * DAY + 8 * HOUR),),
    runaways=(Runaway("max@example.com", "claude-opus-4-8", START + 5 * DAY + 1.5 * HOUR, 6, 7_000),),
)
"""Something of everything."""
